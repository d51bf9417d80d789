//! Parameters of scalar programs with the optimizers of tensors.
use chainrule::{
    flow::{GradNorms, Monitor},
    optim::{NonFinite, Numbers, schedule},
    prelude::*,
    scalar::{self, Compiled, Scalar, Tape as Numeric},
};

/// Any smooth loss of two groups, over any number.
fn loss<T: Scalar>(w: &[T], m: &[T]) -> T {
    let far = w.iter().zip(m).map(|(w, m)| (*w - T::lit(2.0) * *m).square()).fold(T::lit(0.0), |a, b| a + b);
    far + (w[0] * m[1]).sin() + w[2].exp() * m[2].powi(2)
}

fn model<F: Real + Scalar>() -> Numbers<F, 2> {
    let numbers = |x: [f64; 3]| x.map(F::lit).to_vec();
    Numbers::new([("weights", numbers([0.5, -1.0, 0.25])), ("means", numbers([1.0, 0.75, -0.5]))])
}

/// The same parameters as tensors, and the gradients of the free function.
struct Tensors<F: Real> {
    weights: Param<F>,
    means: Param<F>,
}
module!(Tensors<F> { weights, means });

fn tensors<F: Real + Scalar>() -> Tensors<F> {
    let [w, m] = model::<F>().all().map(|x| Param::new(Tensor::of([3], x.to_vec())));
    Tensors { weights: w, means: m }
}

fn by_hand<F: Real + Scalar>(net: &Tensors<F>) -> (F, Grads<F>) {
    let x = [net.weights.value.data(), net.means.value.data()].concat();
    let (value, g) = scalar::value_and_grad(|x| loss(&x[..3], &x[3..]), &x);
    let part = |x: &[F]| Tensor::of([3], x.to_vec());
    (value, Grads::from_iter([("weights", part(&g[..3])), ("means", part(&g[3..]))]))
}

fn same_steps<F: Real + Scalar>(mut a: impl Optimizer<F>, mut b: impl Optimizer<F>) {
    let (mut numbers, mut net, mut tape) = (model::<F>(), tensors::<F>(), Numeric::new());
    for step in 0..50 {
        let (value, grads) = numbers.value_and_grad(&mut tape, |[w, m]| loss(w, m)).unwrap();
        let (right, by_hand) = by_hand(&net);
        assert_eq!(value, right);
        let (x, y) = (a.step(&mut numbers, &grads).unwrap(), b.step(&mut net, &by_hand).unwrap());
        assert_eq!((x.norm, x.coef), (y.norm, y.coef));
        assert_eq!(numbers.all(), [net.weights.value.data(), net.means.value.data()], "step {step}");
    }
    assert_ne!(numbers.all(), model::<F>().all());
}

#[test]
fn optimizers_move_numbers_as_tensors_to_the_bit() {
    same_steps::<f64>(Adam::new(0.05), Adam::new(0.05));
    same_steps::<f32>(Adam::new(0.05), Adam::new(0.05));
    fn links<F: Real>() -> impl Optimizer<F> {
        let groups = Groups::new().rate_factor("means", 0.1).no_decay("weights");
        (groups, ClipGlobalNorm::new(0.5), AdamW::new(0.05).weight_decay(0.1))
    }
    same_steps::<f64>(links(), links());
    same_steps::<f32>(links(), links());
}

#[test]
fn clipping_by_the_global_norm() {
    let (mut model, mut tape) = (model::<f64>(), Numeric::new());
    let (_, mut grads) = model.value_and_grad(&mut tape, |[w, m]| loss(w, m)).unwrap();
    let squares: f64 = scalar::grad(|x| loss(&x[..3], &x[3..]), &model.flat()).iter().map(|g| g * g).sum();
    let clip = grads.clip_global_norm(0.1).unwrap();
    assert!((clip.norm - squares.sqrt()).abs() < 1e-14 && clip.clipped);
    let before = model.flat();
    Sgd::new(1.0).step(&mut model, &grads).unwrap();
    let moved: f64 = model.flat().iter().zip(before).map(|(x, y)| (x - y).powi(2)).sum();
    assert!((moved.sqrt() - 0.1).abs() < 1e-14);
}

#[test]
fn schedules_set_the_rate() {
    let mut model = Numbers::new([("x", vec![0.0])]);
    let mut opt = schedule::Scheduled::new(Sgd::new(8.0), schedule::Exponential::new(8.0, 0.5));
    for _ in 0..4 {
        let grads = model.grads_from(&[-1.0]).unwrap();
        opt.step(&mut model, &grads).unwrap();
    }
    assert_eq!(model.values("x"), [8.0 + 4.0 + 2.0 + 1.0]);
}

#[test]
fn what_is_not_finite_is_refused_by_name_and_changes_nothing() {
    let (mut model, mut tape) = (Numbers::new([("a", vec![1.0]), ("b", vec![2.0, 0.0])]), Numeric::new());
    let (value, grads) = model.value_and_grad(&mut tape, |[a, b]| a[0] + b[1].ln()).unwrap();
    assert_eq!(value, f64::NEG_INFINITY);
    let (before, mut opt) = (model.flat(), Adam::new(0.1));
    let e = opt.step(&mut model, &grads).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NonFinite);
    assert_eq!(e.to_string(), "step: the gradient of \"b\" is not finite: entry 1 of 2 is inf");
    assert_eq!(model.flat(), before);
    let mut careful = (ClipGlobalNorm::new(1.0).non_finite(NonFinite::Skip), Adam::new(0.1));
    assert!(careful.step(&mut model, &grads).unwrap().skipped);
    assert_eq!(model.flat(), before);
}

#[test]
fn a_loss_without_parameters_is_refused() {
    let mut model = model::<f64>();
    let e = model.value_and_grad(&mut Numeric::new(), |[w, _]| w[0].detach() + 1.0).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NoGradient);
    let text = "value_and_grad: the loss is a constant: it depends on no number of [\"weights\", \"means\"]";
    assert!(e.to_string().starts_with(text), "{e}");
    model.freeze("").unwrap();
    let (value, grads) = model.value_and_grad(&mut Numeric::new(), |_| 3.0.into()).unwrap();
    assert_eq!((value, grads.iter().count()), (3.0, 0));
}

#[test]
fn frozen_groups_stay() {
    let (mut model, mut tape, mut opt) = (model::<f64>(), Numeric::new(), Adam::new(0.1));
    let before = model.values("means").to_vec();
    model.value_and_grad(&mut tape, |[w, m]| loss(w, m)).unwrap();
    assert_eq!(model.freeze("means").unwrap(), 1);
    for _ in 0..3 {
        let (_, grads) = model.value_and_grad(&mut tape, |[w, m]| loss(w, m)).unwrap();
        assert_eq!(grads.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["weights"]);
        opt.step(&mut model, &grads).unwrap();
    }
    assert_eq!(model.values("means"), before);
    assert_ne!(model.values("weights")[0], 0.5);
}

#[test]
fn names_are_checked() {
    let fault = |groups: [(&str, Vec<f64>); 2]| Numbers::try_new(groups).unwrap_err();
    let (twice, empty) = (fault([("a", vec![]), ("a", vec![1.0])]), fault([("a", vec![]), ("", vec![1.0])]));
    assert_eq!((twice.kind(), empty.kind()), (ErrorKind::BadData, ErrorKind::BadData));
    assert!(twice.to_string().starts_with("Numbers::new: two groups have the name \"a\""), "{twice}");
    assert!(empty.to_string().starts_with("Numbers::new: group 1 has no name"), "{empty}");
    let e = model::<f64>().param("wieghts").unwrap_err();
    assert_eq!(e.to_string(), "param: there is no parameter \"wieghts\"; near it: \"weights\"");
}

#[test]
#[should_panic(expected = "two groups have the name \"a\"")]
fn new_panics_on_a_name_that_stands_twice() {
    let _ = Numbers::new([("a", vec![1.0]), ("a", vec![1.0])]);
}

#[test]
#[should_panic(expected = "there is no group \"mean\", but [\"weights\", \"means\"]")]
fn values_of_no_group() {
    model::<f64>().values("mean");
}

#[test]
fn gradients_of_ones_own() {
    let (mut model, mut tape) = (model::<f64>(), Numeric::new());
    let (_, right) = model.value_and_grad(&mut tape, |[w, m]| loss(w, m)).unwrap();
    let mut program = Compiled::record(|x| loss(&x[..3], &x[3..]), &model.flat());
    let mut flat = [0.0; 6];
    program.value_and_grad(&model.flat(), &mut flat);
    let grads = model.grads_from(&flat).unwrap();
    for ((a, b), (c, d)) in grads.iter().zip(right.iter()) {
        assert_eq!((a, b.data()), (c, d.data()));
    }
    let e = model.grads_from(&flat[..4]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Mismatch);
    assert_eq!(e.to_string(), "grads_from: 4 numbers for a model of 6: \"weights\" 3, \"means\" 3");
}

#[test]
fn other_models_gradients_are_refused() {
    let mut other = Numbers::new([("weights", vec![0.0; 3]), ("scales", vec![0.0; 3])]);
    let grads = other.grads_from(&[0.0; 6]).unwrap();
    let e = Adam::new(0.1).step(&mut model::<f64>(), &grads).unwrap_err();
    assert_eq!(e.to_string(), "step: these gradients have no place for \"means\"");
}

#[test]
fn parts_of_data_are_added() {
    let (mut model, mut tape) = (model::<f64>(), Numeric::new());
    let (_, mut sum) = model.value_and_grad(&mut tape, |[w, m]| loss(w, m)).unwrap();
    let (_, part) = model.value_and_grad(&mut tape, |[w, m]| loss(w, m)).unwrap();
    sum.add(&part).unwrap();
    for ((_, sum), (_, part)) in sum.iter().zip(part.iter()) {
        assert!(sum.data().iter().zip(part.data()).all(|(sum, part)| *sum == 2.0 * part));
    }
    // A clone is other parameters by the same paths.
    let grads = model.clone().grads_from(&[1.0; 6]).unwrap();
    Sgd::new(0.1).step(&mut model, &grads).unwrap();
}

#[test]
fn observers_see_the_gradients_that_are_returned() {
    let (mut model, mut tape) = (model::<f64>(), Numeric::new());
    let mut norms = GradNorms::new();
    let (value, right) = model.value_and_grad(&mut tape, |[w, m]| loss(w, m)).unwrap();
    let (found, grads) = model.value_and_grad_with(&mut tape, |[w, m]| loss(w, m), &mut norms).unwrap();
    assert_eq!(found, value);
    for ((a, b), (c, d)) in grads.iter().zip(right.iter()) {
        assert_eq!((a, b.data()), (c, d.data()));
        assert_eq!(norms.gradient(a).unwrap().norms, [b.norm()]);
    }
}

#[test]
fn a_monitor_watches_a_scalar_model() {
    let (mut model, mut tape, mut monitor) = (model::<f64>(), Numeric::new(), Monitor::new().every(1));
    let mut opt = (monitor.updates(), Adam::new(0.05));
    let mut losses = vec![];
    for _ in 0..30 {
        let (value, mut grads) = model.value_and_grad_with(&mut tape, |[w, m]| loss(w, m), &mut monitor).unwrap();
        losses.push(value);
        let clip = grads.clip_global_norm(1.0).unwrap();
        monitor.judge(value, &clip);
        monitor.step(&opt.step(&mut model, &grads).unwrap());
    }
    assert!(losses[29] < losses[0]);
    let report = monitor.report();
    assert_eq!((report.passes(), report.losses().count()), (30, 30));
    let sample = report.samples().last().expect("measured");
    let paths: Vec<_> = sample.params.iter().map(|p| &*p.path).collect();
    assert_eq!(paths, ["weights", "means"]);
    // It cuts a pass off where a number is not finite.
    let e = model.value_and_grad_with(&mut tape, |[w, _]| w[0] / 0.0, &mut monitor).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NonFinite);
}
