//! Checkpoints: the same bits with and without, in every way a recording can be used.
#[path = "common/engine.rs"]
mod engine;

use chainrule::{
    core::{Gradient, OpMany, Outputs, Recorded, Saved, Signal, Vjp},
    formula,
    nn::Checkpoint,
    prelude::*,
};
use engine::{caught, data, listed, values};

/// Halves of the first axis: an op of several outputs that saves.
struct Halves;
impl<F: Real> OpMany<F> for Halves {
    const NAME: &'static str = "halves";
    fn forward(&self, x: &[&Tensor<F>], saved: &mut Saved<'_, F>) -> Outputs<Tensor<F>> {
        let n = x[0].shape()[0];
        let halves = Outputs::from_iter([x[0].slice(0, 0..n / 2).exp(), x[0].slice(0, n / 2..n)]);
        saved.keep(&halves[0]);
        halves
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>) {
        let n = cx.input(0).shape()[0];
        let slope = cx.saved(0, || cx.input(0).slice(0, 0..n / 2).exp());
        cx.none(0);
        if let Some(y_bar) = cx.y_bar(0) {
            cx.give_at(0, 0, 0..n / 2, || y_bar * slope);
        }
        if let Some(y_bar) = cx.y_bar(1) {
            cx.give_at(0, 0, n / 2..n, || y_bar);
        }
    }
}

/// What a random program works with.
struct Program {
    weights: Vec<Param<f64>>,
    mean: Param<f64>,
    labels: Labels,
}
module!(Program as f64 { weights, mean; skip labels });

impl Program {
    fn new() -> Self {
        let mut rng = Rng::seed(5);
        let mut weight = || Param::new(Tensor::uniform_of([6, 6], -0.4, 0.4, &mut rng));
        Self {
            weights: (0..4).map(|_| weight()).collect(),
            mean: Param::buffer(Tensor::filled([6], 0.5)),
            labels: Labels::new([0, 3, 5, 1], 6).expect("below 6"),
        }
    }

    /// Random ops on `[4, 6]`, with blocks inside blocks that are checkpoints if `on`.
    fn run<T: TensorLike<Elem = f64>>(&self, x: &T, rng: &mut Rng, depth: usize, on: bool) -> T {
        let mut x = x.clone();
        for _ in 0..1 + rng.below(4) {
            x = match rng.below(if depth == 0 { 8 } else { 12 }) {
                0 => x.matmul(&x.param(&self.weights[rng.below(4)])).tanh().watch("h"),
                1 => x.softmax() + &x,
                2 => x.dropout(0.4),
                3 => {
                    let mean = x.mean_axes(&[0]);
                    let seen = x.param(&self.mean);
                    x.update(&self.mean, &(seen * 0.9 + mean.scale(0.1)));
                    x - &mean
                }
                4 => x.reshape([2, 12]).sigmoid().reshape([4, 6]),
                5 => x.clone() - x.softmax_cross_entropy(&self.labels),
                6 => {
                    let halves = T::apply_many(Halves, &[&x]);
                    T::concat(&[&halves[1], &(halves[0].clone() * 0.1)], 0)
                }
                7 => x.clone() * x.constant(&Tensor::filled([4, 1], 0.9)),
                _ if on => x.checkpoint(|x| self.run(x, rng, depth - 1, on)),
                _ => self.run(&x, rng, depth - 1, on),
            };
        }
        x
    }

    fn loss<'t>(&self, r: &'t Recording<f64>, seed: u64, on: bool) -> Var<'t, f64> {
        let x = Tensor::uniform_of([4, 6], -1.0, 1.0, &mut Rng::seed(seed));
        let y = self.run(&r.constant(&x), &mut Rng::seed(seed), 3, on);
        (y + r.param(&self.weights[0]).sum() * 1e-3).square().mean()
    }
}

/// Everything that an observer is shown.
#[derive(Default, PartialEq, Debug)]
struct Seen(Vec<(String, Vec<u64>)>);
impl Seen {
    fn note(&mut self, what: String, t: &Tensor<f64>) -> Result<(), Error> {
        self.0.push((what, t.data().iter().map(|x| x.to_bits()).collect()));
        Ok(())
    }
}
impl Observer<f64> for Seen {
    fn recording(&mut self, r: &Recorded<'_, f64>) -> Result<(), Error> {
        r.each_node(|n| _ = self.note(format!("{} {} {:?} {:?}", n.index, n.op, n.inputs, n.path), n.value));
        Ok(())
    }
    fn signal(&mut self, s: &Signal<'_, f64>) -> Result<(), Error> {
        self.note(format!("{} {:?} {}", s.path, s.phase, s.op), s.bar)
    }
    fn gradient(&mut self, g: &Gradient<'_, f64>) -> Result<(), Error> {
        self.note(g.path.into(), g.bar)
    }
}

fn bits(g: &Grads<f64>, net: &Program) -> Vec<Option<Vec<u64>>> {
    let all = net.weights.iter().chain([&net.mean]);
    all.map(|p| g.get(p).map(|g| g.data().iter().map(|x| x.to_bits()).collect())).collect()
}

#[test]
fn random_programs_have_the_same_bits() -> Result<(), Error> {
    let (net, mut tape, mut dropped) = (Program::new(), Tape::new(), 0);
    for seed in 0..300 {
        let mut results = vec![];
        for on in [false, true] {
            let begin = || Rng::seed(seed + 1000);
            let r = tape.begin_train(&mut begin());
            let loss = net.loss(r, seed, on);
            dropped += usize::from(r.stats().dropped > 0);
            assert!(on || r.stats().dropped == 0);
            let held = r.stats();
            let mut seen = Seen::default();
            let g = loss.backward_with(&net, &mut seen)?;
            let observed = bits(&g, &net);

            let loss = net.loss(tape.begin_train(&mut begin()), seed, on);
            let r = loss.recording();
            let retained = bits(&loss.backward_retained(&net)?, &net);
            assert_eq!(r.stats(), held, "a sweep leaves what it found");
            let again = bits(&loss.backward_retained(&net)?, &net);
            r.replay();
            assert_eq!(r.stats(), held, "a replay leaves what it found");
            let last = bits(&loss.backward(&net)?, &net);
            assert_eq!([&retained, &again, &last], [&observed; 3], "seed {seed}");
            results.push((loss.item().to_bits(), observed, seen));
        }
        assert_eq!(results[0], results[1], "seed {seed}");
    }
    assert!(dropped > 150, "only {dropped} of 300 programs had a checkpoint that dropped something");
    Ok(())
}

#[test]
fn random_programs_have_the_same_higher_orders() -> Result<(), Error> {
    let (net, mut tape) = (Program::new(), Tape::new());
    for seed in 0..60 {
        let mut results = vec![];
        for on in [false, true] {
            let r = tape.begin_train(&mut Rng::seed(seed));
            let loss = net.loss(r, seed, on);
            let w = r.param(&net.weights[0]);
            let g = loss.grads_recorded(&[w])[0];
            let h = g.square().sum().grads_of(&[w])?.remove(0);
            results.push((g.value(), h));
        }
        assert_eq!(results[0], results[1], "seed {seed}");
    }
    Ok(())
}

/// A block of three layers.
type Block = (Dense, Tanh, Dense);

fn blocks(n: usize) -> Vec<Block> {
    let mut rng = Rng::seed(1);
    (0..n).map(|_| (Dense::new(6, 6, &mut rng), Tanh, Dense::new(6, 6, &mut rng))).collect()
}

#[test]
fn a_layer_trains_with_the_same_paths_and_bits() -> Result<(), Error> {
    let (mut plain, mut wrapped) = (blocks(4), blocks(4).into_iter().map(Checkpoint).collect::<Vec<_>>());
    let ((x, y), mut tape) = (data(1), Tape::new());
    let (mut a, mut b) = (Adam::new(0.01), Adam::new(0.01));
    for _ in 0..5 {
        let g = plain.forward(&tape.begin().constant(&x)).slice(1, 0..3).softmax_cross_entropy(&y).backward(&plain)?;
        let r = tape.begin();
        let loss = wrapped.forward(&r.constant(&x)).slice(1, 0..3).softmax_cross_entropy(&y);
        assert_eq!(r.stats().dropped, 4 * 2);
        let h = loss.backward(&wrapped)?;
        assert_eq!(listed(&g), listed(&h)); // paths too
        a.step(&mut plain, &g)?;
        b.step(&mut wrapped, &h)?;
    }
    assert_eq!(values(&plain), values(&wrapped));
    assert_eq!(plain.forward(&x), wrapped.forward(&x));
    Ok(())
}

#[test]
fn one_right_inside_the_other_and_nothing_inside() -> Result<(), Error> {
    let (mut tape, t) = (Tape::new(), Tensor::new([3], vec![0.1, 0.2, 0.3]));
    let r = tape.begin();
    let x = r.variable(&t);
    let y = x.checkpoint(|x| x.checkpoint(|x| x.checkpoint(|x| x.exp().tanh()).sigmoid().square()));
    let y = y.checkpoint(|y| *y).checkpoint(|_| x).checkpoint(|x| x.tanh()) + y;
    assert_eq!(r.stats().dropped, 3); // exp, the innermost tanh, sigmoid; square and the last tanh are results
    let g = y.sum().grads_of(&[x])?;
    let x = tape.begin().variable(&t);
    assert_eq!(g, (x.tanh() + x.exp().tanh().sigmoid().square()).sum().grads_of(&[x])?);
    Ok(())
}

#[test]
fn several_results_and_values_from_outside() -> Result<(), Error> {
    let (mut tape, t) = (Tape::new(), Tensor::new([3], vec![0.1, 0.2, 0.3]));
    let run = |r: &Recording, on: bool| {
        let (x, w) = (r.variable(&t), r.variable(&t));
        let outside = w.exp();
        let both = match on {
            true => x.checkpoint_many(|x| Outputs::from_iter([(*x * outside).tanh().square(), x.exp().sigmoid()])),
            false => Outputs::from_iter([(x * outside).tanh().square(), x.exp().sigmoid()]),
        };
        (both[0] * both[1] * outside + both[0]).sum().grads_of(&[x, w, both[0], both[1], outside])
    };
    assert_eq!(run(tape.begin(), true)?, run(tape.begin(), false)?);
    assert_eq!(t.checkpoint_many(|x| Outputs::from_iter([x.exp(), x.tanh()]))[1], t.tanh());
    Ok(())
}

#[test]
fn the_op_of_a_result_may_save() -> Result<(), Error> {
    let (mut tape, (x, y)) = (Tape::new(), data(1));
    let run = |x: Var<'_>, on: bool| {
        let logits = x.slice(1, 0..3);
        let loss = match on {
            true => logits.checkpoint(|z| z.softmax_cross_entropy(&y)),
            false => logits.softmax_cross_entropy(&y),
        };
        let halves = match on {
            true => x.checkpoint_many(|x| Var::apply_many(Halves, &[x])),
            false => Var::apply_many(Halves, &[&x]),
        };
        (halves[0] * halves[1] * loss).sum().grads_of(&[x])
    };
    assert_eq!(run(tape.begin().variable(&x), true)?, run(tape.begin().variable(&x), false)?);
    Ok(())
}

#[test]
fn inner_values_cannot_be_used_outside() {
    let mut tape = Tape::new();
    let x = tape.begin().variable(&Tensor::new([2], vec![1.0, 2.0]));
    let mut inner = x;
    let y = x.checkpoint(|x| {
        inner = x.exp();
        inner.tanh()
    });
    let text = "one inside a checkpoint when the block ends (its result stays)";
    for seen in [caught(|| _ = inner.square()), caught(|| _ = inner.value().norm())] {
        assert!(seen.text.contains(text), "{}", seen.text);
    }
    let used = caught(|| _ = inner.square());
    assert!(used.text.starts_with("square: ") && used.text.contains("tests/checkpoint.rs"), "{}", used.text);
    for read in [caught(|| _ = inner.value()), caught(|| _ = inner.detach()), caught(|| _ = inner.item())] {
        assert!(read.text.starts_with("exp, recorded at tests/checkpoint.rs:"), "{}", read.text);
        assert!(read.text.contains(text) && read.file.ends_with("checkpoint.rs"), "{read:?}");
    }
    assert_eq!(*inner.shape(), [2]);
    // But it is a place to differentiate with respect to.
    let g = y.sum().grads_of(&[inner, x]).unwrap();
    let slope = |x: f32| 1.0 - x.exp().tanh().powi(2);
    assert!((g[0].data()[1] - slope(2.0)).abs() < 1e-6 && (g[1].data()[0] - slope(1.0) * 1f32.exp()).abs() < 1e-6);
}

#[test]
fn a_result_from_elsewhere_is_refused() {
    let (mut a, mut b) = (Tape::new(), Tape::new());
    let (x, other) = (a.begin().variable(&Tensor::ones([2])), b.begin().variable(&Tensor::ones([2])));
    let seen = caught(|| _ = x.checkpoint(|_| other));
    assert!(seen.text.contains("checkpoint: the result lives on another recording"), "{}", seen.text);
}

#[test]
fn a_block_that_panics_leaves_ordinary_nodes() -> Result<(), Error> {
    let mut tape = Tape::new();
    let r = tape.begin();
    let x = r.variable(&Tensor::ones([2]));
    let mut inner = x;
    let seen = caught(|| {
        x.checkpoint(|x| {
            inner = x.exp();
            inner.matmul(x)
        });
    });
    assert!(seen.text.contains("matmul"), "{}", seen.text);
    assert_eq!(r.stats().dropped, 0);
    assert_eq!(inner.sum().grads_of(&[x])?[0].data(), [1f32.exp(); 2]);
    Ok(())
}

#[test]
fn a_panic_inside_a_layer_names_the_users_line() {
    let net = Checkpoint(Dense::new(6, 2, &mut Rng::seed(1)));
    let mut tape = Tape::new();
    let x = tape.begin().constant(&Tensor::ones([3, 5]));
    let seen = caught(|| _ = net.forward(&x));
    assert!(seen.text.contains("tests/checkpoint.rs"), "{}", seen.text);
}

#[test]
fn frozen_blocks_and_other_modules() -> Result<(), Error> {
    let (x, mut net, mut tape) = (data(1).0, blocks(3), Tape::new());
    net[0].visit_mut(|_, p| p.set_role(Role::Frozen));
    let critic = Checkpoint(blocks(1));
    let run = |tape: &mut Tape, on: bool| {
        let mut h = tape.begin().constant(&x);
        for block in &net {
            h = if on { h.checkpoint(|h| block.forward(h)) } else { block.forward(&h) };
        }
        let loss = if on { critic.forward(&h) } else { critic.0.forward(&h) }.square().mean();
        Ok::<_, Error>(listed(&loss.backward_only(&net)?))
    };
    let (plain, dropped) = (run(&mut tape, false)?, run(&mut tape, true)?);
    assert_eq!((plain.len(), plain), (8, dropped));
    Ok(())
}

#[test]
fn a_replay_computes_other_leaves_and_ops() -> Result<(), Error> {
    let (mut tape, [a, b]) = (Tape::new(), [[0.3, -0.7], [-1.5, 2.0]].map(|t| Tensor::new([2], t.to_vec())));
    let r = tape.begin();
    let x = r.variable(&a);
    let y = x.checkpoint(|x| (x.tanh() * 3.0).exp().tanh());
    assert_eq!(r.replace_ops("tanh", formula::Relu {}), 2);
    r.replace_leaf(x, &b);
    r.replay();
    let g = (y.value(), y.sum().grads_of(&[x])?);
    let x = tape.begin().variable(&b);
    let y = (x.relu() * 3.0).exp().relu();
    assert_eq!(g, (y.value(), y.sum().grads_of(&[x])?));
    Ok(())
}

#[test]
fn each_node_shows_what_was_dropped_and_drops_it_again() -> Result<(), Error> {
    let (mut tape, t) = (Tape::new(), Tensor::new([2], vec![0.5, 1.5]));
    let r = tape.begin();
    let x = r.variable(&t);
    let y = x.checkpoint(|x| x.checkpoint(|x| x.exp().tanh()).square().sigmoid());
    let before = r.stats();
    let mut values = vec![];
    r.each_node(|n| values.push(n.value.clone()));
    let expected = [t.clone(), t.exp(), t.exp().tanh(), t.exp().tanh().square(), y.value()];
    assert_eq!(values, expected);
    drop(values);
    assert_eq!((r.stats(), before.dropped), (before, 3));
    y.sum().grads_of(&[x])?;
    // The recording has ended: nothing is computed again, and shapes can still be read.
    let mut shapes = 0;
    r.each_node(|n| shapes += n.value.shape().size());
    assert_eq!(shapes, 5 * 2 + 1);
    Ok(())
}

#[test]
fn empty_tensors() -> Result<(), Error> {
    let mut tape = Tape::new();
    let x = tape.begin().variable(&Tensor::<f64>::filled([0, 3], 1.0));
    let y = x.checkpoint(|x| x.exp().tanh()).sum();
    assert_eq!((y.item(), y.grads_of(&[x])?[0].shape()), (0.0, Shape::from([0, 3])));
    Ok(())
}

#[test]
fn a_deep_chain_of_checkpoints_needs_no_stack() {
    let run = || {
        let mut tape = Tape::<f64>::new();
        let mut y = tape.begin().variable(&Tensor::of([], vec![1.0]));
        let x = y;
        for _ in 0..100_000 {
            y = y.checkpoint(|y| (*y * 1.000_01) * 1.0);
        }
        assert_eq!(tape_nodes(y), 200_001);
        let g = y.grads_of(&[x]).expect("gradients");
        assert!((g[0].item() - 1f64.exp()).abs() < 1e-4);
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).expect("a thread").join().expect("no overflow");
}

fn tape_nodes(y: Var<'_, f64>) -> usize {
    y.recording().stats().nodes
}
