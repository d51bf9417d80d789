//! Every error that is returned: its kind and its text.
#[path = "common/engine.rs"]
mod engine;

use chainrule::{
    check::{gradcheck, gradcheck_module},
    core::{Op, Saved, Vjp},
    data::Dataset,
    prelude::*,
    with_threads,
};
use engine::{data, here, mlp};

#[track_caller]
fn error<T>(result: Result<T, Error>, kind: ErrorKind, text: &str) {
    let Err(e) = result else { panic!("no error instead of {text}") };
    assert_eq!((e.kind(), &*e.to_string()), (kind, text));
}

const HUGE: usize = 1 << 40;

#[test]
fn shapes_and_twins() {
    let shape = ErrorKind::Shape;
    let (a, b) = (Tensor::zeros([2, 3]), Tensor::zeros([4, 5]));
    error(Shape::try_new(&[1; 7]), shape, "Shape: [1, 1, 1, 1, 1, 1, 1] has 7 axes, but at most 6 are supported");
    assert_eq!(Shape::try_new(&[1; 6]).unwrap().rank(), 6);
    error(Tensor::try_new([2, 3], vec![0.0]), shape, "Tensor::new: shape [2, 3] has 6 elements, but the data has 1");
    let huge = format!("shape [{}, 2] has more elements than memory can hold", usize::MAX);
    error(Tensor::try_of([usize::MAX, 2], vec![0.0f64]), shape, &format!("Tensor::new: {huge}"));
    error(Tensor::<f32>::try_filled([usize::MAX, 2], 0.0), shape, &format!("Tensor::filled: {huge}"));

    let mut tape = Tape::new();
    let r = tape.begin();
    let (x, y) = (r.variable(&a), r.variable(&b));
    let text = "matmul: [2, 3] x [4, 5]: inner sizes 3 and 4 differ";
    error(a.try_matmul(&b), shape, text);
    error(x.try_matmul(&y), shape, text);
    let huge = format!("matmul: shape [{HUGE}, {HUGE}] has more elements than memory can hold");
    error(Tensor::zeros([HUGE, 0]).try_matmul(&Tensor::zeros([0, HUGE])), shape, &huge);
    let text = "reshape: [2, 3] has 6 elements, [4] has 4";
    error(a.try_reshape([4]), shape, text);
    error(x.try_reshape([4]), shape, text);
    let text = "concat: part 1 has shape [4, 5], part 0 [2, 3]; only axis 0 may differ";
    error(TensorLike::try_concat(&[&a, &b], 0), shape, text);
    error(TensorLike::try_concat(&[&x, &y], 0), shape, text);
    error(<Tensor as TensorLike>::try_concat(&[], 0), shape, "concat: nothing to join");
    error(<Var<'_> as TensorLike>::try_concat(&[], 0), shape, "concat: nothing to join");
    let ids = Labels::new([0], 9).unwrap();
    let text = "index_select: ids below 9 for axis 1 of shape [2, 3], which has 3 places";
    error(a.try_index_select(1, &ids), shape, text);
    error(x.try_index_select(1, &ids), shape, text);
    let text = "broadcast_to: shapes [2, 3] and [5] do not broadcast: sizes 3 and 5 differ and neither is 1";
    error(a.try_broadcast_to([5]), shape, text);
    error(x.try_broadcast_to([5]), shape, text);
    assert!(x.try_matmul(&r.variable(&Tensor::zeros([3, 1]))).is_ok() && x.try_reshape([3, 2]).is_ok());
    let text = "Dataset: examples of shape [2, 3] with 1 labels: each place of the first axis needs one";
    error(Dataset::new(a, ids.clone()), shape, text);
    assert!(Dataset::new(Tensor::scalar(1.0), ids).is_err());
}

#[test]
fn labels_settings_and_threads() {
    let bad = ErrorKind::BadData;
    error(Labels::new([2, 3, 9], 3), bad, "Labels: entry 1 is 3, but there are 3 classes (0 to 2)");
    error(Labels::new([0], 0), bad, "Labels: entry 0 is 0, but there are 0 classes");
    error(Labels::new([1 << 32], 5), bad, "Labels: entry 0 is 4294967296, but there are 5 classes (0 to 4)");
    error(Labels::new([], 1 << 32), bad, "Labels: 4294967296 classes are more than 2^32 - 1");
    error(with_threads(0, || ()), bad, "with_threads: at least 1 thread is needed, got 0");
    for p in [1.0, -0.1, f64::NAN] {
        let text = format!("Dropout: the probability must be at least 0 and below 1, got {p}");
        error(chainrule::nn::Dropout::new(p), bad, &text);
    }
    let (mut net, g) = (Param::new(Tensor::scalar(1.0)), Grads::from_iter([("", Tensor::scalar(1.0))]));
    macro_rules! refuse { ($($opt:expr => $text:expr;)*) => { $(
        error(($opt).step(&mut net, &g), bad, $text);
        assert_eq!(net.value.item(), 1.0);
    )* } }
    refuse! {
        Sgd::new(-0.1) => "Sgd: the learning rate must be at least 0 and finite in f32, got -0.1";
        Sgd::new(f64::NAN) => "Sgd: the learning rate must be at least 0 and finite in f32, got NaN";
        Sgd::new(0.1).weight_decay(-1.0) => "Sgd: weight_decay must be at least 0 and finite in f32, got -1";
        Sgd::new(0.1).momentum(1.0) => "Sgd: momentum must be at least 0 and below 1, got 1";
        Adam::new(f64::INFINITY) => "Adam: the learning rate must be at least 0 and finite in f32, got inf";
        Adam::new(0.1).weight_decay(f64::NAN) => "Adam: weight_decay must be at least 0 and finite in f32, got NaN";
        Adam::new(0.1).epsilon(0.0) => "Adam: epsilon must be above 0 and finite in f32, got 0";
        Adam::new(0.1).betas(1.0, 0.5) => "Adam: the first beta must be at least 0 and below 1, got 1";
        Adam::new(0.1).betas(0.5, -0.5) => "Adam: the second beta must be at least 0 and below 1, got -0.5";
        (ClipGlobalNorm::new(0.0), Sgd::new(0.1)) => "ClipGlobalNorm: the limit must be greater than 0 in f32, got 0";
        (ClipValue::new(f64::NAN), Sgd::new(0.1)) => "ClipValue: the limit must be greater than 0 in f32, got NaN";
    }
}

#[test]
fn parameters_that_were_forgotten() {
    let ((x, _), mut net, mut tape) = (data(1), mlp(2), Tape::new());
    let h = net.hidden.forward(&tape.begin().constant(&x));
    let loss = net.out.forward(&h).sum(); // HERE 0
    let e = loss.backward(&net.hidden).unwrap_err();
    let line = here(include_str!("results.rs"), 0);
    assert_eq!(e.kind(), ErrorKind::NotVisited);
    let text = e.to_string();
    assert!(text.starts_with(&format!("backward: the parameter recorded at tests/results.rs:{line}:")), "{text}");
    assert!(text.ends_with(
        " is not visited by this module: is a field skipped in module!, or another module meant? (backward_only counts \
         other modules as constants)"
    ));
    // An update of a buffer that the module does not visit is as wrong.
    let buffer = Param::buffer(Tensor::zeros([8, 6]));
    let v = tape.begin().constant(&x);
    v.update(&buffer, &v);
    assert_eq!((v * 1.0).sum().backward(&net).unwrap_err().kind(), ErrorKind::NotVisited);

    let before = engine::values(&net);
    let g = net.hidden.forward(&tape.begin().constant(&x)).sum().backward(&net).unwrap();
    let text = "step: no gradient for \"out.weight\", \"out.bias\": not on the path from the loss; freeze it if that is \
                meant";
    error(Sgd::new(0.1).step(&mut net, &g), ErrorKind::NoGradient, text);
    let mismatch = ErrorKind::Mismatch;
    let text = "step: these gradients have no place for \"weight\"";
    error(Sgd::new(0.1).step(&mut net.hidden, &g), mismatch, text);
    let text = "step: the module has no parameter \"out.weight\"";
    error(Sgd::new(0.1).step(&mut Half { hidden: mlp(1).hidden }, &g), mismatch, text);
    let narrow = Grads::from_iter([("", Tensor::zeros([3]))]);
    let text = "step: \"\" has shape [5, 6], its gradient [3]";
    error(Sgd::new(0.1).step(&mut net.hidden.weight, &narrow), mismatch, text);
    assert_eq!(engine::values(&net), before);
}

struct Half {
    hidden: Dense,
}
module!(Half { hidden });

#[test]
fn gradients_that_do_not_add_up() {
    let of = |parts: &[(&str, usize)]| -> Grads { parts.iter().map(|(p, n)| (*p, Tensor::ones([*n]))).collect() };
    let mut a = of(&[("w", 2), ("b", 3)]);
    let mismatch = ErrorKind::Mismatch;
    error(a.add(&of(&[("w", 2)])), mismatch, "add: gradients of a module with 2 parameters and of one with 1");
    error(a.add(&of(&[("w", 2), ("c", 3)])), mismatch, "add: \"b\" (Trained) here, \"c\" (Trained) there");
    error(a.add(&of(&[("w", 2), ("b", 4)])), mismatch, "add: \"b\" has shape [3] here and [4] there");
    assert_eq!(a.get("w").unwrap().data(), [1.0, 1.0]); // also not the one before the fault
    let (mut opt, mut p) = (Adam::new(0.1), Param::new(Tensor::ones([2])));
    opt.step(&mut p, &of(&[("", 2)])).unwrap();
    p.value = Tensor::ones([3]);
    let text = "Adam: \"\" had shape [2] in earlier steps and has [3] now; start with a new optimizer";
    error(opt.step(&mut p, &of(&[("", 3)])), mismatch, text);
}

#[test]
fn gradients_that_are_not_finite() {
    let kind = ErrorKind::NonFinite;
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let make = || {
            let w = Tensor::of([4], vec![1.0, 2.0, bad, 4.0]);
            Grads::from_iter([
                ("a", Tensor::of([1], vec![9.0])),
                ("layer.w", w),
                ("z", Tensor::of([1], vec![f64::NAN])),
            ])
        };
        let text = |who| format!("{who}: the gradient of \"layer.w\" is not finite: entry 2 of 4 is {bad}");
        let mut g = make();
        error(g.clip_global_norm(1.0), kind, &text("clip_global_norm"));
        error(g.clip_value(1.0), kind, &text("clip_value"));
        assert_eq!((g.get("a").unwrap().data(), g.get("layer.w").unwrap().data()[3]), (&[9.0][..], 4.0));
        assert!(g.norm().is_nan());
        let one = Tensor::of([1], vec![1.0]);
        let mut net = Three {
            a: Param::new(one.clone()),
            layer: W { w: Param::new(Tensor::of([4], vec![1.0; 4])) },
            z: Param::new(one),
        };
        error((ClipGlobalNorm::new(1.0), Sgd::new(0.1)).step(&mut net, &g), kind, &text("ClipGlobalNorm"));
        error((ClipValue::new(1.0), Sgd::new(0.1)).step(&mut net, &g), kind, &text("ClipValue"));
        error(Sgd::new(0.1).step(&mut net, &g), kind, &text("step"));
        error(Adam::new(0.1).step(&mut net, &g), kind, &text("step"));
        assert_eq!(net.a.value.data(), [1.0]);
    }
    let limit = "the limit must be greater than 0 in f64, got -1";
    let mut g = Grads::from_iter([("a", Tensor::of([2], vec![1.5e308, 1.5e308]))]);
    error(g.clip_global_norm(-1.0), ErrorKind::BadData, &format!("clip_global_norm: {limit}"));
    error(g.clip_value(-1.0), ErrorKind::BadData, &format!("clip_value: {limit}"));
    let text =
        |who| format!("{who}: the joint norm of the gradients is too large for f64, though every entry is finite");
    error(g.clip_global_norm(1.0), kind, &text("clip_global_norm"));
    let mut net = A { a: Param::new(Tensor::of([2], vec![1.0; 2])) };
    error((ClipGlobalNorm::new(1.0), Sgd::new(0.1)).step(&mut net, &g), kind, &text("ClipGlobalNorm"));
    assert_eq!(g.get("a").unwrap().data(), [1.5e308; 2]);
    // A clip that knew the entries to be finite does not believe it of other ones.
    g.clip_value(1.0).unwrap();
    g.iter_mut().for_each(|(_, g)| g.data_mut()[1] = f64::NAN);
    let text = "step: the gradient of \"a\" is not finite: entry 1 of 2 is NaN";
    error(Sgd::new(0.1).step(&mut net, &g), kind, text);
}

struct A {
    a: Param<f64>,
}
module!(impl[] A as f64 { a });
struct W {
    w: Param<f64>,
}
module!(impl[] W as f64 { w });
struct Three {
    a: Param<f64>,
    layer: W,
    z: Param<f64>,
}
module!(impl[] Three as f64 { a, layer, z });

// ---- rules -----------------------------------------------------------------------------------------------------------------

/// `a * b` with a rule that forgets, misshapes, misplaces, or errs by a factor.
#[derive(Clone, Copy)]
struct Faulty(u8);
impl Op<f64> for Faulty {
    const NAME: &'static str = "faulty";
    fn forward(&self, x: &[&Tensor<f64>], _: &mut Saved<'_, f64>) -> Tensor<f64> {
        x[0] * x[1]
    }
    fn vjp<T: TensorLike<Elem = f64>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let (a, b) = (cx.input(0), cx.input(1));
        cx.give(0, || y_bar.clone() * b);
        match self.0 {
            0 => {}
            1 => cx.give(1, || (y_bar * a).sum()),
            2 => cx.give_at(1, 0, 1..3, || y_bar * a),
            _ => cx.give(1, || y_bar * a * 1.001),
        }
    }
}

#[test]
fn rules_that_break_their_word() {
    let (x, mut tape) = (Tensor::of([2], vec![0.5, 2.0]), Tape::new());
    let line = here(include_str!("results.rs"), 1);
    let mut run = |fault| {
        let r = tape.begin();
        let (a, b) = (r.variable(&x), r.variable(&x));
        let y = TensorLike::apply(Faulty(fault), &[&a, &b]); // HERE 1
        y.sum().grads_of(&[a, b]).unwrap_err()
    };
    let shape = |given| {
        format!(
            "gave input 1, of shape [2], a cotangent of another shape, {given} (sum_to(x.shape()) undoes a broadcast)"
        )
    };
    let nothing = "gave no cotangent for input 1 (cx.none declines on purpose)".to_owned();
    for (fault, what) in [(0, nothing), (1, shape("[]")), (2, shape("[2]"))] {
        let e = run(fault);
        let text = format!("faulty: its rule {what}; recorded at tests/results.rs:{line}:");
        assert!(e.kind() == ErrorKind::BadRule && e.to_string().starts_with(&text), "{e}");
    }
}

#[test]
fn derivatives_that_are_wrong() {
    let kind = ErrorKind::GradCheck;
    let x = Tensor::<f64>::of([2], vec![0.5, 2.0]);
    let text = |e: Error, name: &str| {
        let e = (e.kind(), e.to_string());
        assert!(e.0 == kind && e.1.starts_with(&format!("gradcheck: {name}: the rule gives ")), "{}", e.1);
        assert!(e.1.contains(", central differences "), "{}", e.1);
    };
    let e = gradcheck(&[x.clone(), x.clone()], |x| TensorLike::apply(Faulty(3), &[&x[0], &x[1]])).unwrap_err();
    text(e, "input 1 of shape [2], element 0");
    let large = Tensor::<f64>::uniform_of([100], 1.0, 2.0, &mut Rng::seed(1));
    let e = gradcheck(&[large.clone(), large], |x| TensorLike::apply(Faulty(3), &[&x[0], &x[1]])).unwrap_err();
    text(e, "input 1 of shape [100], random direction 0");
    let net = A { a: Param::new(x.clone()) };
    let e = gradcheck_module(&net, |r| TensorLike::apply(Faulty(3), &[&r.constant(&x), &r.param(&net.a)])).unwrap_err();
    text(e, "\"a\" of shape [2], element 0");
    assert_eq!(Error::new(kind, "x").context("y").to_string(), "y: x");
    assert_eq!(format!("{:?}", Error::new(kind, "x")), "GradCheck: x");
}
