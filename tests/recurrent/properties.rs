//! What holds for every network, whatever its sizes.
use crate::{
    case::{Case, Net, Values, large, small},
    dual::Dual,
    oracle::{Program, composed, layers, scalar},
};
use chainrule::{check, prelude::*};
use proptest::{
    prelude::{Strategy, prop_assert, prop_assert_eq, prop_assume},
    test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner},
};

type Checked = Result<(), TestCaseError>;

/// Runs a property on random cases, or on many more if `CHAINRULE_DEEP` is set.
fn cases(ordinary: u32, strategy: impl Strategy<Value = Case>, property: impl Fn(&Case) -> Checked) {
    let deep = std::env::var_os("CHAINRULE_DEEP").is_some();
    let failure_persistence = Some(Box::new(FileFailurePersistence::WithSource("regressions")) as Box<_>);
    let cases = if deep { 100 * ordinary } else { ordinary };
    let config = Config { cases, failure_persistence, source_file: Some("tests/recurrent.rs"), ..Config::default() };
    let config = Config { max_global_rejects: cases, ..config };
    if let Err(e) = TestRunner::new(config).run(&strategy, |case| property(&case)) {
        panic!("{e}");
    }
}

/// In norm, relative to the second or to `least`, whichever is larger.
fn close<F: Real, G: Real>(what: &str, a: &Tensor<F>, b: &Tensor<G>, within: f64, least: f64) -> Checked {
    prop_assert_eq!(&*a.shape(), &*b.shape(), "{}", what);
    let (a, b) = (a.to::<f64>(), b.to::<f64>());
    let (error, size) = (a.sub(&b).norm(), b.norm().max(least));
    prop_assert!(error <= within * size, "{what}: {error:e} of {size:e}");
    Ok(())
}

/// The name of a leaf.
fn leaf(case: &Case, k: usize) -> String {
    let (per, layers) = (case.params_per_layer(), case.widths.len());
    let kind = ["w_ih", "w_hh", "b_ih", "b_hh"];
    match k.checked_sub(per * layers) {
        None => format!("{}.{}", k / per, kind[k % per]),
        Some(0) => "x".into(),
        Some(k) => format!("{}0 of layer {}", ["h", "c"][(k - 1) / layers], (k - 1) % layers),
    }
}

fn same<F: Real, G: Real>(
    case: &Case,
    upstream: &[Tensor<f64>],
    a: &Program<'_, F>,
    b: &Program<'_, G>,
    within: f64,
) -> Checked {
    prop_assert_eq!(a.outputs.len(), b.outputs.len());
    for (k, (a, b)) in a.outputs.iter().zip(&b.outputs).enumerate() {
        close(&format!("output {k}"), &a.value(), &b.value(), within, 1.0)?;
    }
    // Sums over time and batch cancel.
    let least = 0.1 * upstream.iter().map(|t| t.norm()).fold(0.0, f64::max);
    let (ours, theirs) = (a.loss.grads_of(&a.wanted()), b.loss.grads_of(&b.wanted()));
    let both = ours.expect("a complete rule").into_iter().zip(theirs.expect("complete rules"));
    for ((a, b), (k, _)) in both.zip(&b.leaves) {
        close(&format!("the gradient of {}", leaf(case, *k)), &a, &b, within, least)?;
    }
    Ok(())
}

/// Values and gradients of the layers against those of loops of ordinary ops.
fn against_the_composed_cell<F: Real>(case: &Case) -> Checked {
    let (within, kink) = if F::NAME == "f32" { (1e-4, 1e-5) } else { (1e-12, 1e-11) };
    let values = case.values().rounded();
    let net = Net::<F>::new(case, &values.params);
    let (mut tape, mut other) = (Tape::new(), Tape::new());
    let theirs = composed::<f64>(other.begin(), case, &values);
    prop_assume!(theirs.kink > kink, "rounding may pass a kink");
    same(case, &values.upstream, &layers(tape.begin(), case, &values, &net), &theirs, within)
}

#[test]
fn small_networks() {
    cases(256, small(), against_the_composed_cell::<f64>);
    cases(256, small(), against_the_composed_cell::<f32>);
}

#[test]
fn large_networks() {
    cases(200, large(), against_the_composed_cell::<f64>);
}

#[test]
fn large_networks_in_f32() {
    cases(200, large(), against_the_composed_cell::<f32>);
}

/// A direction for each leaf, all together of length 1; only those that want gradients move.
fn direction(case: &Case, values: &Values, seed: u64) -> Vec<Tensor<f64>> {
    let rng = &mut Rng::seed(case.seed ^ seed);
    let move_ = |(k, t): (usize, &Tensor<f64>)| {
        let v = Tensor::<f64>::uniform_of(t.shape(), -1.0, 1.0, rng);
        if case.wants(k) { v } else { Tensor::filled(t.shape(), 0.0) }
    };
    let along: Vec<_> = values.leaves().enumerate().map(move_).collect();
    let length = along.iter().map(|v| v.norm().powi(2)).sum::<f64>().sqrt().max(1e-30);
    along.iter().map(|v| TensorLike::scale(v, 1.0 / length)).collect()
}

fn terms(gradients: &[Tensor<f64>], leaves: &[(usize, Var<'_, f64>)], along: &[Tensor<f64>]) -> Vec<f64> {
    let each = gradients.iter().zip(leaves);
    each.flat_map(|(g, (k, _))| g.data().iter().zip(along[*k].data()).map(|(g, v)| g * v).collect::<Vec<_>>()).collect()
}

fn sizes(terms: &[f64]) -> f64 {
    terms.iter().map(|t| t.abs()).sum()
}

/// Gradients along directions against forward mode, differences, and the rule that higher orders use.
fn first_order(case: &Case) -> Checked {
    let values = case.values();
    let net = Net::<f64>::new(case, &values.params);
    let mut tape = Tape::new();
    let r = tape.begin();
    let program = layers(r, case, &values, &net);
    if program.leaves.is_empty() {
        return Ok(());
    }
    let wanted = program.wanted();
    let generic: Vec<_> = program.loss.grads_recorded(&wanted).iter().map(|g| g.value()).collect();
    let gradients = program.loss.grads_of(&wanted).expect("a complete rule");
    for ((a, b), (k, _)) in gradients.iter().zip(&generic).zip(&program.leaves) {
        close(&format!("fused against generic: {}", leaf(case, *k)), a, b, 1e-11, 1e-2)?;
    }
    let kink = composed::<f64>(Tape::new().begin(), case, &values).kink;
    for seed in 1..4 {
        let along = direction(case, &values, seed);
        let terms = terms(&gradients, &program.leaves, &along);
        let (reverse, condition) = (terms.iter().sum::<f64>(), sizes(&terms).max(1e-3));
        let dual = |(t, v): (&Tensor<f64>, &Tensor<f64>)| {
            t.data().iter().zip(v.data()).map(|(&v, &d)| Dual { v, d }).collect::<Vec<_>>()
        };
        let leaves: Vec<_> = values.leaves().zip(&along).map(dual).collect();
        let forward = scalar(case, &values, &leaves).d;
        let error = (reverse - forward).abs();
        prop_assert!(error <= 1e-12 * condition, "dual numbers: {reverse:e} against {forward:e}");
        if kink < 1e-3 {
            continue;
        }
        let value = |step: f64| {
            let values = values.moved(&along, step);
            let net = Net::<f64>::new(case, &values.params);
            let mut tape = Tape::new();
            layers(tape.begin(), case, &values, &net).loss.item()
        };
        let h = f64::EPSILON.cbrt();
        let central = (value(h) - value(-h)) / (2.0 * h);
        let error = (reverse - central).abs();
        prop_assert!(error <= 1e-8 + 1e-6 * condition, "central differences: {reverse:e} against {central:e}");
    }
    Ok(())
}

#[test]
fn gradients_are_slopes() {
    cases(256, small(), first_order);
}

/// The Hessian times a vector, by reverse over reverse, against the composed cell and dual over dual.
fn second_order(case: &Case) -> Checked {
    let values = case.values();
    let net = Net::<f64>::new(case, &values.params);
    let (mut tape, mut other) = (Tape::new(), Tape::new());
    let (ours, theirs) = (layers(tape.begin(), case, &values, &net), composed(other.begin(), case, &values));
    if ours.leaves.is_empty() {
        return Ok(());
    }
    let (u, v) = (direction(case, &values, 5), direction(case, &values, 6));
    let hessian = |p: &Program<'_, f64>| p.slope(&u).grads_of(&p.wanted()).expect("complete rules");
    let (a, b) = (hessian(&ours), hessian(&theirs));
    for ((a, b), (k, _)) in a.iter().zip(&b).zip(&ours.leaves) {
        close(&format!("second order, {}", leaf(case, *k)), a, b, 1e-10, 1e-2)?;
    }
    let terms = terms(&a, &ours.leaves, &v);
    let (reverse, condition) = (terms.iter().sum::<f64>(), sizes(&terms).max(1e-3));
    let dual = |((t, u), v): ((&Tensor<f64>, &Tensor<f64>), &Tensor<f64>)| {
        let each = t.data().iter().zip(u.data()).zip(v.data());
        each.map(|((&x, &u), &v)| Dual { v: Dual { v: x, d: u }, d: Dual { v, d: 0.0 } }).collect::<Vec<_>>()
    };
    let leaves: Vec<_> = values.leaves().zip(&u).zip(&v).map(dual).collect();
    let forward = scalar(case, &values, &leaves).d.d;
    prop_assert!((reverse - forward).abs() <= 1e-9 * condition, "dual over dual: {reverse:e} against {forward:e}");
    Ok(())
}

#[test]
fn second_derivatives() {
    cases(256, small(), second_order);
}

#[test]
fn every_parameter_by_differences() -> Result<(), Error> {
    let rng = &mut Rng::seed(3);
    let x = Tensor::<f64>::normal_of([3, 2, 3], 0.0, 1.0, rng);
    let (rnn, lstm, gru) = (Rnn::stacked(3, 2, 2, rng), Lstm::stacked(3, 2, 2, rng), Gru::stacked(3, 2, 2, rng));
    check::gradcheck_module(&rnn, |r| rnn.forward(&r.constant(&x)))?;
    check::gradcheck_module(&lstm, |r| lstm.forward(&r.constant(&x)))?;
    check::gradcheck_module(&gru, |r| gru.forward(&r.constant(&x)))?;
    let report = check::gradgradcheck(&[x], |x| lstm.forward(&x[0]))?;
    assert!(report.checked > 0);
    Ok(())
}

/// Recording changes no bit of a value.
fn recorded_against_plain(case: &Case) -> Checked {
    let values = case.values();
    let net = Net::<f64>::new(case, &values.params);
    let state = chainrule::nn::State { h: values.h.iter().cloned().collect(), c: values.c.iter().cloned().collect() };
    let state = case.state.then_some(&state);
    let (y, last) =
        if case.tokens { net.run_tokens(Eager::HERE, &values.tokens, state) } else { net.run(&values.x, state) };
    let mut tape = Tape::new();
    let program = layers(tape.begin(), case, &values, &net);
    for (k, (plain, recorded)) in [y].iter().chain(&last.h).chain(&last.c).zip(&program.outputs).enumerate() {
        if case.steps == 1 {
            // A single step on plain tensors packs no weights: ordinary ops compute it.
            close("one step", plain, &recorded.value(), 1e-13, 1.0)?;
            continue;
        }
        let bits = |t: &Tensor<f64>| t.data().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(plain), bits(&recorded.value()), "output {}", k);
    }
    Ok(())
}

#[test]
fn plain_runs_have_the_recorded_values() {
    cases(256, small(), recorded_against_plain);
    cases(64, large(), recorded_against_plain);
}
