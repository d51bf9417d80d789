//! Recurrent networks against PyTorch's numbers, which tests/pytorch/recurrent.py makes: outputs, last states and all gradients, by
//! PyTorch's names of the weights as docs/coming-from-pytorch.md maps them.
#[path = "common/numbers.rs"]
mod numbers;

use chainrule::{
    nn::{Nonlinearity, Recurrent, State},
    op::recurrent::Recurrence,
    prelude::*,
};
use std::collections::BTreeMap;

const BATCH: usize = 3;
const INPUTS: usize = 4;
const HIDDEN: usize = 6;

/// The script's generator.
struct Numbers(u64);

impl Numbers {
    fn draw(&mut self, shape: impl Into<Shape>, scale: f64) -> Tensor<f64> {
        let shape = shape.into();
        let mut next = || {
            self.0 = (self.0 * 1_103_515_245 + 12_345) % (1 << 31);
            (self.0 as f64 / (1u64 << 30) as f64 - 1.0) * scale
        };
        Tensor::of(shape, (0..shape.size()).map(|_| next()).collect())
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Case {
    cell: String,
    layers: usize,
    steps: usize,
    bias: bool,
    state: bool,
    seed: u64,
}

/// PyTorch's results by name.
fn cases() -> BTreeMap<Case, Vec<(String, Vec<f64>)>> {
    let mut all: BTreeMap<Case, Vec<_>> = BTreeMap::new();
    for (words, numbers) in numbers::rows("recurrent.csv", 7) {
        let number = |k: usize| words[k].parse::<usize>().expect("a number");
        let case = Case {
            cell: words[0].clone(),
            layers: number(1),
            steps: number(2),
            bias: number(3) == 1,
            state: number(4) == 1,
            seed: number(5) as u64,
        };
        all.entry(case).or_default().push((words[6].clone(), numbers));
    }
    all
}

/// Paths of our weights by PyTorch's names, as the guide says it: a row of names, beside it as many paths.
fn guide() -> BTreeMap<String, String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/coming-from-pytorch.md");
    let text = std::fs::read_to_string(path).expect("the guide");
    let row = text.lines().find(|line| line.contains("`weight_ih_l0`")).expect("a row of recurrent weights");
    let cells: Vec<&str> = row.split('|').collect();
    let code = |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let (names, paths) = (code(cells[1]), code(cells[2]));
    assert_eq!((names.len(), paths.len()), (5, 5), "{row}");
    names.into_iter().zip(paths).collect()
}

/// The guide has the first layer and an example of the second.
fn path(guide: &BTreeMap<String, String>, name: &str) -> String {
    let (kind, layer) = name.rsplit_once("_l").expect("a layer");
    let path = guide[&format!("{kind}_l0")].strip_prefix("0.").expect("the first layer").to_owned();
    format!("{layer}.{path}")
}

#[test]
fn the_guide_maps_every_name() {
    let guide = guide();
    assert_eq!(guide["weight_ih_l1"], path(&guide, "weight_ih_l1"));
    let mut seen: Vec<String> = vec![];
    for name in ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"] {
        seen.push(path(&guide, name));
    }
    let mut ours = vec![];
    Gru::<f64>::new(2, 3, &mut Rng::seed(1)).visit(|path, _| ours.push(path.to_string()));
    assert_eq!(seen, ours);
}

fn close(what: &str, case: &Case, ours: &Tensor<f64>, theirs: &[f64]) {
    assert_eq!(ours.data().len(), theirs.len(), "{case:?}: {what}");
    for (a, b) in ours.data().iter().zip(theirs) {
        assert!((a - b).abs() <= 1e-10 * b.abs().max(1.0), "{case:?}: {what}: {a} against {b}");
    }
}

fn check<K: Recurrence>(case: &Case, results: &[(String, Vec<f64>)], net: Recurrent<K, f64>) -> Result<(), Error> {
    let mut net = if case.bias { net } else { net.without_bias() };
    let (guide, mut numbers) = (guide(), Numbers(case.seed));
    let weights = results.iter().map(|(name, _)| name).filter(|name| name.contains("_l"));
    for path in weights.map(|name| path(&guide, name)) {
        let shape = net.param(&path)?.value.shape();
        net.set(&path, numbers.draw(shape, 0.7))?;
    }
    let mut tape = Tape::new();
    let r = tape.begin();
    let x = r.variable(&numbers.draw([case.steps, BATCH, INPUTS], 1.5));
    let mut leaves = vec![x];
    let mut first = || -> Vec<Var<'_, f64>> {
        let all = numbers.draw([case.layers, BATCH, HIDDEN], 1.0);
        let of = |k| r.variable(&all.slice(0, k..k + 1).squeeze(0));
        let vars: Vec<_> = (0..case.layers).map(of).collect();
        leaves.extend(&vars);
        vars
    };
    let (h, c) = (first(), if K::CELL_STATE { first() } else { vec![] });
    let state = State { h: h.into_iter().collect(), c: c.into_iter().collect() };
    let (y, last) = net.run(&x, case.state.then_some(&state));
    let mut values = vec![("y", y), ("h", Var::stack(&last.h.iter().collect::<Vec<_>>(), 0))];
    if K::CELL_STATE {
        values.push(("c", Var::stack(&last.c.iter().collect::<Vec<_>>(), 0)));
    }
    let contracted = values.iter().map(|(_, v)| v.dot(&r.constant(&numbers.draw(v.shape(), 1.0))));
    let loss = contracted.reduce(|a, b| a + b).expect("an output");
    let mut ours: BTreeMap<String, Tensor<f64>> =
        values.iter().map(|(name, v)| ((*name).to_owned(), v.value())).collect();
    let parameters = loss.backward_retained(&net)?;
    for (name, _) in results.iter().filter(|(name, _)| name.contains("_l")) {
        ours.insert(name.clone(), parameters.get(&*path(&guide, name)).expect("a gradient").clone());
    }
    let mut bars = loss.grads_of(&leaves)?.into_iter();
    ours.insert("x_bar".into(), bars.next().expect("of x"));
    let bars: Vec<_> = bars.collect();
    for (name, bars) in ["h0_bar", "c0_bar"].into_iter().zip(bars.chunks(case.layers)) {
        ours.insert(name.into(), Tensor::stack(&bars.iter().collect::<Vec<_>>(), 0));
    }
    for (name, theirs) in results {
        close(name, case, &ours[name], theirs);
    }
    Ok(())
}

#[test]
fn values_states_and_gradients() -> Result<(), Error> {
    let cases = cases();
    assert_eq!(cases.len(), 4 * 3);
    for (case, results) in &cases {
        let (rng, n) = (&mut Rng::seed(1), case.layers);
        match &*case.cell {
            "tanh" => check(case, results, Rnn::stacked(INPUTS, HIDDEN, n, rng))?,
            "relu" => {
                check(case, results, Rnn::stacked(INPUTS, HIDDEN, n, rng).nonlinearity(Nonlinearity::Relu))?;
            }
            "lstm" => check(case, results, Lstm::stacked(INPUTS, HIDDEN, n, rng))?,
            "gru" => check(case, results, Gru::stacked(INPUTS, HIDDEN, n, rng))?,
            cell => panic!("no cell {cell}"),
        }
        // Everything that PyTorch knows was there.
        let per_layer = if case.bias { 4 } else { 2 };
        let states = if case.cell == "lstm" { 2 } else { 1 };
        assert_eq!(results.len(), 2 + states + usize::from(case.state) * states + per_layer * case.layers, "{case:?}");
    }
    Ok(())
}
