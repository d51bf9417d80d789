//! Reads `docs/conventions.md` and evaluates every row of it.
use chainrule::{core::TensorLike, op::IndexAdd, prelude::*};
use std::panic::{AssertUnwindSafe, catch_unwind};

const TABLE: &str = include_str!("../docs/conventions.md");
const INFINITY: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

type Program<F> = for<'t> fn(&[Var<'t, F>]) -> Var<'t, F>;
/// Op, at; inputs, each with one axis; the program.
type Check<F> = (&'static str, &'static str, Vec<Vec<f64>>, Program<F>);

fn labels(ids: &[usize]) -> Labels {
    Labels::new(ids.iter().copied(), 2).unwrap()
}

fn checks<F: Real>() -> Vec<Check<F>> {
    let one = |x: &[f64]| vec![x.to_vec()];
    let two = |a: f64, b: f64| vec![vec![a], vec![b]];
    vec![
        ("abs", "0", one(&[0.0]), |x| x[0].abs()),
        ("sign", "0", one(&[0.0]), |x| x[0].sign()),
        ("step", "0", one(&[0.0]), |x| x[0].step()),
        ("gt", "a = b = 1", two(1.0, 1.0), |x| x[0].gt(&x[1])),
        ("ge", "a = b = 1", two(1.0, 1.0), |x| x[0].ge(&x[1])),
        ("relu", "0", one(&[0.0]), |x| x[0].relu()),
        ("relu", "NaN", one(&[NAN]), |x| x[0].relu()),
        ("leaky_relu(0.1)", "0", one(&[0.0]), |x| x[0].leaky_relu(0.1)),
        ("elu(0.5)", "0", one(&[0.0]), |x| x[0].elu(0.5)),
        ("elu(0.5)", "NaN", one(&[NAN]), |x| x[0].elu(0.5)),
        ("elu(0.5)", "-inf", one(&[-INFINITY]), |x| x[0].elu(0.5)),
        ("selu", "0", one(&[0.0]), |x| x[0].selu()),
        ("selu", "NaN", one(&[NAN]), |x| x[0].selu()),
        ("hardtanh", "-1, 1", one(&[-1.0, 1.0]), |x| x[0].hardtanh()),
        ("hardtanh", "NaN", one(&[NAN]), |x| x[0].hardtanh()),
        ("log_sigmoid", "-1e4, 1e4", one(&[-1e4, 1e4]), |x| x[0].log_sigmoid()),
        ("gelu", "-inf", one(&[-INFINITY]), |x| x[0].gelu()),
        ("gelu_tanh", "-inf", one(&[-INFINITY]), |x| x[0].gelu_tanh()),
        ("silu", "-inf", one(&[-INFINITY]), |x| x[0].silu()),
        ("clamp(-1, 2)", "both bounds", one(&[-1.0, 2.0]), |x| x[0].clamp(-1.0, 2.0)),
        ("clamp(-1, 2)", "inside and outside", one(&[-3.0, 0.0, 3.0]), |x| x[0].clamp(-1.0, 2.0)),
        ("clamp(2, -1)", "lo > hi", one(&[-3.0, 0.0, 3.0]), |x| x[0].clamp(2.0, -1.0)),
        ("clamp(-1, 2)", "NaN", one(&[NAN]), |x| x[0].clamp(-1.0, 2.0)),
        ("maximum", "a = b = 1", two(1.0, 1.0), |x| x[0].maximum(&x[1])),
        ("minimum", "a = b = 1", two(1.0, 1.0), |x| x[0].minimum(&x[1])),
        ("maximum", "a = NaN, b = 1", two(NAN, 1.0), |x| x[0].maximum(&x[1])),
        ("maximum", "a = 1, b = NaN", two(1.0, NAN), |x| x[0].maximum(&x[1])),
        ("minimum", "a = NaN, b = 1", two(NAN, 1.0), |x| x[0].minimum(&x[1])),
        ("minimum", "a = 1, b = NaN", two(1.0, NAN), |x| x[0].minimum(&x[1])),
        ("max", "3, 1, 3", one(&[3.0, 1.0, 3.0]), |x| x[0].max()),
        ("max", "all of 4 equal", one(&[1.0; 4]), |x| x[0].max_axes(&[0])),
        ("max", "1, NaN", one(&[1.0, NAN]), |x| x[0].max()),
        ("max", "nothing", one(&[]), |x| x[0].max()),
        ("min", "1, 3, 1", one(&[1.0, 3.0, 1.0]), |x| x[0].min()),
        ("min", "1, NaN", one(&[1.0, NAN]), |x| x[0].min()),
        ("min", "nothing", one(&[]), |x| x[0].min()),
        ("var(1)", "1, 3", one(&[1.0, 3.0]), |x| x[0].var(1)),
        ("var(1)", "2", one(&[2.0]), |x| x[0].var(1)),
        ("var(2)", "1, 3", one(&[1.0, 3.0]), |x| x[0].var(2)),
        ("var(3)", "1, 3", one(&[1.0, 3.0]), |x| x[0].var(3)),
        ("var(0)", "nothing", one(&[]), |x| x[0].var(0)),
        ("std(1)", "2, 2, 2", one(&[2.0; 3]), |x| x[0].std(1)),
        ("std(0)", "2", one(&[2.0]), |x| x[0].std(0)),
        ("std(1)", "2", one(&[2.0]), |x| x[0].std(1)),
        ("std(2)", "1, 3", one(&[1.0, 3.0]), |x| x[0].std(2)),
        ("prod", "2, 0, 3", one(&[2.0, 0.0, 3.0]), |x| x[0].prod()),
        ("prod", "2, 0, 0", one(&[2.0, 0.0, 0.0]), |x| x[0].prod()),
        ("prod", "inf, 0", one(&[INFINITY, 0.0]), |x| x[0].prod()),
        ("prod", "nothing", one(&[]), |x| x[0].prod()),
        ("norm", "inf, 1", one(&[INFINITY, 1.0]), |x| x[0].norm()),
        ("norm", "nothing", one(&[]), |x| x[0].norm()),
        ("logsumexp", "1e4, -1e4", one(&[1e4, -1e4]), |x| x[0].logsumexp()),
        ("logsumexp", "0, -inf", one(&[0.0, -INFINITY]), |x| x[0].logsumexp()),
        ("logsumexp", "-inf, -inf", one(&[-INFINITY; 2]), |x| x[0].logsumexp()),
        ("logsumexp", "inf, 0", one(&[INFINITY, 0.0]), |x| x[0].logsumexp()),
        ("logsumexp", "nothing", one(&[]), |x| x[0].logsumexp()),
        ("layer_norm(eps = 0)", "2, 2", one(&[2.0; 2]), |x| {
            let [w, b] = [1.0, 0.0].map(|c| x[0].constant(&Tensor::filled([2], F::of(c))));
            x[0].layer_norm(&w, &b, 0.0)
        }),
        ("layer_norm(eps = 1e-5)", "2", one(&[2.0]), |x| {
            let [w, b] = [1.0, 0.0].map(|c| x[0].constant(&Tensor::filled([1], F::of(c))));
            x[0].layer_norm(&w, &b, 1e-5)
        }),
        ("sum", "nothing", one(&[]), |x| x[0].sum()),
        ("mean", "nothing", one(&[]), |x| x[0].mean()),
        ("sqrt", "0", one(&[0.0]), |x| x[0].sqrt()),
        ("sqrt", "-1", one(&[-1.0]), |x| x[0].sqrt()),
        ("norm", "0, 0", one(&[0.0, 0.0]), |x| x[0].norm()),
        ("its formula", "0, 0", one(&[0.0, 0.0]), |x| x[0].square().sum().sqrt()),
        ("recip", "0", one(&[0.0]), |x| x[0].recip()),
        ("div", "1 / 0", two(1.0, 0.0), |x| x[0] / x[1]),
        ("div", "0 / 0", two(0.0, 0.0), |x| x[0] / x[1]),
        ("ln", "0", one(&[0.0]), |x| x[0].ln()),
        ("ln", "-1", one(&[-1.0]), |x| x[0].ln()),
        ("ln_1p", "-1", one(&[-1.0]), |x| x[0].ln_1p()),
        ("ln_1p", "-2", one(&[-2.0]), |x| x[0].ln_1p()),
        ("exp_m1", "-inf", one(&[-INFINITY]), |x| x[0].exp_m1()),
        ("sin", "inf", one(&[INFINITY]), |x| x[0].sin()),
        ("x ln x", "0", one(&[0.0]), |x| x[0] * x[0].ln()),
        ("powi(0)", "0", one(&[0.0]), |x| x[0].powi(0)),
        ("powi(1)", "0", one(&[0.0]), |x| x[0].powi(1)),
        ("powi(-1)", "0", one(&[0.0]), |x| x[0].powi(-1)),
        ("powi(3)", "-2", one(&[-2.0]), |x| x[0].powi(3)),
        ("powf(0)", "0", one(&[0.0]), |x| x[0].powf(0.0)),
        ("powf(0)", "NaN", one(&[NAN]), |x| x[0].powf(0.0)),
        ("powf(1)", "0", one(&[0.0]), |x| x[0].powf(1.0)),
        ("powf(0.5)", "0", one(&[0.0]), |x| x[0].powf(0.5)),
        ("powf(2)", "-3", one(&[-3.0]), |x| x[0].powf(2.0)),
        ("powf(2.5)", "-1", one(&[-1.0]), |x| x[0].powf(2.5)),
        ("mul", "0 * inf", two(0.0, INFINITY), |x| x[0] * x[1]),
        ("matmul", "0 * inf", two(0.0, INFINITY), |x| x[0].reshape([1, 1]).matmul(&x[1].reshape([1, 1]))),
        ("where_cond", "dead branch ln 0", two(0.0, 1.0), |x| x[0].step().where_cond(&x[0].ln(), &x[1])),
        ("where_cond", "dead branch sqrt -1", two(-1.0, 1.0), |x| x[0].step().where_cond(&x[0].sqrt(), &x[1])),
        ("where_cond", "the condition", vec![vec![-2.0], vec![5.0], vec![6.0]], |x| x[0].where_cond(&x[1], &x[2])),
        ("chain", "0 and inf", two(0.0, INFINITY), |x| x[0].chain(&x[1])),
        ("chain rule", "0 sqrt x at 0", one(&[0.0]), |x| x[0].sqrt() * 0.0),
        ("chain rule", "ln x^2 at 0", one(&[0.0]), |x| x[0].square().ln()),
        ("softmax", "-inf, -inf", one(&[-INFINITY; 2]), |x| x[0].softmax()),
        ("softmax", "0, -inf", one(&[0.0, -INFINITY]), |x| x[0].softmax()),
        ("softmax", "1e4, -1e4", one(&[1e4, -1e4]), |x| x[0].softmax()),
        ("log_softmax", "0, -inf", one(&[0.0, -INFINITY]), |x| x[0].log_softmax()),
        ("log_softmax", "1e4, -1e4", one(&[1e4, -1e4]), |x| x[0].log_softmax()),
        ("softmax_cross_entropy", "label with p = 0", one(&[0.0, -INFINITY]), |x| {
            x[0].softmax_cross_entropy(&labels(&[1]))
        }),
        ("softmax_cross_entropy", "1e4, -1e4", one(&[1e4, -1e4]), |x| x[0].softmax_cross_entropy(&labels(&[1]))),
        ("softmax_cross_entropy", "two rows", one(&[0.0; 4]), |x| {
            x[0].reshape([2, 2]).softmax_cross_entropy(&labels(&[0, 0]))
        }),
        ("softmax_cross_entropy", "shape [1, 2, 2]", one(&[100.0, 0.0, 0.0, 100.0]), |x| {
            x[0].reshape([1, 2, 2]).softmax_cross_entropy(&labels(&[0, 1]))
        }),
        ("softmax_cross_entropy", "no rows", one(&[]), |x| x[0].reshape([0, 2]).softmax_cross_entropy(&labels(&[]))),
        ("CrossEntropy", "all labels ignored", one(&[1.0, 2.0]), |x| {
            CrossEntropy::new().ignore(1).forward(&x[0].reshape([1, 2]), &labels(&[1]))
        }),
        ("CrossEntropy", "all labels of weight 0", one(&[1.0, 2.0]), |x| {
            let loss = CrossEntropy::new().weights(&[0.0, 1.0]).unwrap();
            loss.forward(&x[0].reshape([1, 2]), &labels(&[0]))
        }),
        ("CrossEntropy", "all labels of weight 0, smoothed", one(&[1.0, 2.0]), |x| {
            let loss = CrossEntropy::new().weights(&[0.0, 1.0]).unwrap().smoothing(0.5).unwrap();
            loss.forward(&x[0].reshape([1, 2]), &labels(&[0]))
        }),
        ("CrossEntropy", "all labels of weight 0, smoothed, not taken", one(&[1.0, 2.0]), |x| {
            let loss = CrossEntropy::new().weights(&[0.0, 1.0]).unwrap().smoothing(0.5).unwrap();
            not_taken(loss.forward(&x[0].reshape([1, 2]), &labels(&[0])))
        }),
        ("CrossEntropy", "class of weight 0, p = 0", one(&[0.0, -INFINITY]), |x| {
            let loss = CrossEntropy::new().weights(&[1.0, 0.0]).unwrap().smoothing(0.5).unwrap();
            loss.forward(&x[0].reshape([1, 2]), &labels(&[0]))
        }),
        ("BceWithLogits", "x = inf, t = 1", two(INFINITY, 1.0), |x| BceWithLogits::new().forward(&x[0], &x[1])),
        ("KlDiv", "x = -1, t = 0", two(-1.0, 0.0), |x| KlDiv::new().forward(&x[0], &x[1])),
        ("KlDiv", "x = -inf, t = 0", two(-INFINITY, 0.0), |x| KlDiv::new().forward(&x[0], &x[1])),
        ("L1", "x = t = 1", two(1.0, 1.0), |x| L1::new().forward(&x[0], &x[1])),
        ("Huber(1)", "x = 1, t = 0", two(1.0, 0.0), |x| Huber::new(1.0).unwrap().forward(&x[0], &x[1])),
        ("max", "NaN, 1, not taken", one(&[NAN, 1.0]), |x| not_taken(x[0].max())),
        ("min", "NaN, 1, not taken", one(&[NAN, 1.0]), |x| not_taken(x[0].min())),
        ("var(1)", "inf, 1, not taken", one(&[INFINITY, 1.0]), |x| not_taken(x[0].var(1))),
        ("var(1)", "2, not taken", one(&[2.0]), |x| not_taken(x[0].var(1))),
        ("std(1)", "inf, 1, not taken", one(&[INFINITY, 1.0]), |x| not_taken(x[0].std(1))),
        ("softmax", "-inf, -inf, not taken", one(&[-INFINITY; 2]), |x| not_taken(x[0].softmax())),
        ("log_softmax", "inf, 0, not taken", one(&[INFINITY, 0.0]), |x| not_taken(x[0].log_softmax())),
        ("layer_norm(eps = 1e-5)", "inf, 1, not taken", vec![vec![INFINITY, 1.0], vec![1.0; 2], vec![0.0; 2]], |x| {
            not_taken(x[0].layer_norm(&x[1], &x[2], 1e-5))
        }),
        (
            "layer_norm(eps = 1e-5)",
            "one of two rows not taken",
            vec![vec![INFINITY, 1.0, 1.0, 3.0], vec![1.0; 2], vec![0.0; 2]],
            |x| {
                let y = x[0].reshape([2, 2]).layer_norm(&x[1], &x[2], 1e-5);
                let first = x[0].constant(&Tensor::from_fn([2, 1], |e| e as f64));
                first.where_cond(&y, &first).square()
            },
        ),
        ("softmax_cross_entropy", "inf, 0, not taken", one(&[INFINITY, 0.0]), |x| {
            not_taken(x[0].softmax_cross_entropy(&labels(&[1])))
        }),
        ("CrossEntropy", "inf, 0, not taken", one(&[INFINITY, 0.0]), |x| {
            let loss = CrossEntropy::new().smoothing(0.5).unwrap().reduction(Reduction::None);
            not_taken(loss.forward(&x[0].reshape([1, 2]), &labels(&[0])))
        }),
        ("matmul", "1 * inf, not taken", two(1.0, INFINITY), |x| {
            not_taken(x[0].reshape([1, 1]).matmul(&x[1].reshape([1, 1])))
        }),
        ("detach", "3", one(&[3.0]), |x| x[0].detach()),
        ("dropout(0.5)", "1, in training", one(&[1.0; 64]), |x| x[0].dropout(0.5)),
        ("dropout(0.5)", "3, in evaluation", one(&[3.0]), |x| x[0].dropout(0.5)),
        ("index_select", "places 0, 0, 1 of 5, 7", one(&[5.0, 7.0]), |x| x[0].index_select(0, &labels(&[0, 0, 1]))),
        ("gather", "places 0, 0, 1 of 5, 7", one(&[5.0, 7.0]), |x| x[0].gather(0, &labels(&[0, 0, 1]))),
        ("scatter_add", "1, 2, 4 to places 0, 0, 1 of 8, 0", vec![vec![8.0, 0.0], vec![1.0, 2.0, 4.0]], |x| {
            x[0].scatter_add(0, &labels(&[0, 0, 1]), &x[1])
        }),
        ("index_add", "1, 2, 4 to places 0, 0, 1", one(&[1.0, 2.0, 4.0]), |x| {
            TensorLike::apply(IndexAdd { axis: 0, ids: labels(&[0, 0, 1]), size: 2 }, &[&x[0]])
        }),
        ("index_add", "1e16, 1, -1e16 to place 0", one(&[1e16, 1.0, -1e16]), |x| {
            let ids = Labels::new([0, 0, 0], 1).unwrap();
            TensorLike::apply(IndexAdd { axis: 0, ids, size: 1 }, &[&x[0]])
        }),
    ]
}

/// Behind a condition that takes 5 instead.
fn not_taken<'t, F: Real>(y: Var<'t, F>) -> Var<'t, F> {
    let [no, other] = [0.0, 5.0].map(|c| y.constant(&Tensor::filled([], F::of(c))));
    no.where_cond(&y, &other)
}

/// Rounded to four places, without the sign of zero.
fn text(numbers: &[f64]) -> String {
    let one = |x: &f64| if x.is_finite() { format!("{}", (x * 1e4).round() / 1e4 + 0.0) } else { format!("{x}") };
    if numbers.is_empty() { "none".into() } else { numbers.iter().map(one).collect::<Vec<_>>().join(", ") }
}

fn wide<F: Real>(t: &Tensor<F>) -> Vec<f64> {
    t.data().iter().map(|x| x.f64()).collect()
}

/// Value and gradient by the fused kernels; the recorded rules must agree.
fn evaluate<F: Real>((_, at, inputs, program): &Check<F>) -> [Vec<f64>; 2] {
    let mut tape = Tape::new();
    let r = if at.contains("evaluation") { tape.begin_eval() } else { tape.begin_train(&mut Rng::seed(1)) };
    let x: Vec<_> = inputs.iter().map(|x| r.variable(&Tensor::from_fn([x.len()], |e| x[e]))).collect();
    let y = program(&x);
    let value = wide(&y.value());
    let loss = y.sum();
    let generic: Vec<f64> = loss.grads_recorded(&x).iter().flat_map(|g| wide(&g.value())).collect();
    let fused: Vec<f64> = loss.grads_of(&x).unwrap().iter().flat_map(wide).collect();
    assert_eq!(text(&generic), text(&fused), "the recorded rules differ from the fused kernels");
    [value, fused]
}

fn distinct(mut x: Vec<f64>) -> Vec<f64> {
    x.sort_by(f64::total_cmp);
    x.dedup();
    x
}

fn outcome<F: Real>(check: &Check<F>) -> [String; 2] {
    if ["max", "min"].contains(&check.0) && check.1 == "nothing" {
        let panics = catch_unwind(AssertUnwindSafe(|| evaluate(check))).is_err();
        return if panics { ["panic".into(), "panic".into()] } else { ["no panic".into(), String::new()] };
    }
    let [value, gradient] = evaluate(check);
    if check.1 == "1, in training" {
        assert_eq!(value, gradient, "the mask of the gradient is not that of the value");
        return [text(&distinct(value)), text(&distinct(gradient))];
    }
    [text(&value), text(&gradient)]
}

/// The cells of each row.
fn rows() -> Vec<[&'static str; 6]> {
    let tensors = TABLE.split("## Single numbers").next().expect("the first part");
    let lines = tensors.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = |line: &'static str| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        cells.try_into().unwrap_or_else(|_| panic!("not six cells: {line}"))
    };
    lines.map(cells).collect()
}

fn every_row<F: Real>() {
    let (rows, checks) = (rows(), checks::<F>());
    for (op, at, ..) in &checks {
        let found = rows.iter().filter(|row| row[0].trim_matches('`') == *op && row[1] == *at).count();
        assert_eq!(found, 1, "docs/conventions.md has {found} rows for {op} at {at}");
    }
    for [op, at, value, gradient, ..] in rows {
        let check = checks.iter().find(|check| check.0 == op.trim_matches('`') && check.1 == at);
        let check = check.unwrap_or_else(|| panic!("no check for the row {op} at {at}"));
        let [found, slope] = outcome(check);
        assert_eq!((&found[..], &slope[..]), (value, gradient), "{op} at {at} in {}", F::NAME);
    }
}

#[test]
fn every_row_holds_in_f64() {
    every_row::<f64>();
}

#[test]
fn every_row_holds_in_f32() {
    every_row::<f32>();
}
