//! What was once wrong.
use chainrule::{
    check::gradcheck,
    core::{Op, Phase, Saved, Signal, Vjp},
    optim::{Link, Plan},
    prelude::*,
};

struct Two {
    a: Dense,
    b: Dense,
}
module!(Two { a as "x", b as "x" });

/// Optimizer state is kept by path: two parameters shared theirs, or a step stopped half-way.
#[test]
fn two_parameters_of_one_path_are_refused() {
    let mut rng = Rng::seed(1);
    let net = Two { a: Dense::new(3, 2, &mut rng), b: Dense::new(2, 8, &mut rng) };
    let mut tape = Tape::new();
    let loss = net.b.forward(&net.a.forward(&tape.begin().constant(&Tensor::ones([1, 3])))).sum();
    let e = loss.backward(&net).unwrap_err();
    assert_eq!(e.to_string(), "backward: two parameters have the path \"x.bias\"; rename one in module!");
}

/// The gradient was committed as the value of a running statistic.
#[test]
fn a_role_that_changed_since_backward_is_refused() -> Result<(), Error> {
    let (mut p, mut tape) = (Param::new(Tensor::scalar(3.0)), Tape::new());
    let g = tape.begin().param(&p).square().backward(&p)?;
    p.set_role(Role::Buffer);
    let e = Sgd::new(0.1).step(&mut p, &g).unwrap_err();
    assert_eq!(e.to_string(), "step: \"\" was Trained in backward and is Buffer now");
    assert_eq!(p.value.item(), 3.0);
    Ok(())
}

/// Both updates read the old value, and the last one won.
#[test]
fn a_second_update_builds_on_the_first() -> Result<(), Error> {
    let mut net = (Param::buffer(Tensor::scalar(0.0)), Param::new(Tensor::scalar(1.0)));
    let mut tape = Tape::new();
    let r = tape.begin();
    let x = r.param(&net.1);
    for k in [1.0, 2.0] {
        x.update(&net.0, &(x.param(&net.0) * 0.9 + x.detach() * (0.1 * k)));
    }
    let g = x.square().backward(&net)?;
    Sgd::new(0.0).step(&mut net, &g)?;
    assert!((net.0.value.item() - 0.29).abs() < 1e-6);
    let x = tape.begin_eval().param(&net.1);
    x.update(&net.0, &x);
    let g = x.square().backward(&net)?;
    assert!(g.get("0").is_none(), "evaluation updates nothing");
    Ok(())
}

/// Inputs past the 31st share one bit, and constants among them received gradients.
#[test]
fn a_constant_among_many_inputs_gets_no_gradient() -> Result<(), Error> {
    let mut net: Vec<_> = (0..40).map(|_| Param::new(Tensor::ones([1]))).collect();
    net[35] = Param::buffer(Tensor::full([1], 7.0));
    let mut tape = Tape::new();
    let r = tape.begin();
    let parts: Vec<_> = net.iter().map(|p| r.param(p)).collect();
    let g = TensorLike::concat(&parts.iter().collect::<Vec<_>>(), 0).square().sum().backward(&net)?;
    assert!(g.get("35").is_none());
    Sgd::new(0.1).step(&mut net, &g)?;
    assert_eq!((net[35].value.item(), net[36].value.data()), (7.0, &[0.8][..]));
    Ok(())
}

/// A plain step that anybody may write.
struct Plain;
impl Optimizer for Plain {
    fn plan(&mut self, _: &mut Plan<'_, f32>) -> Result<(), Error> {
        Ok(())
    }
    fn apply(&mut self, plan: &Plan<'_, f32>, net: &mut dyn Module) {
        plan.apply(net, |u| *u.value = &*u.value - &u.gradient());
    }
    fn rate(&self) -> f64 {
        1.0
    }
    fn set_rate(&mut self, _: f64) {}
}

/// Halves gradients, and says so.
struct Half;
impl Link for Half {
    fn plan(&mut self, plan: &mut Plan<'_, f32>) -> Result<(), Error> {
        let norm = plan.norm("Half")?;
        plan.scale(0.5);
        plan.report_norm(norm, 0.5);
        Ok(())
    }
}

/// The gradients came to a user's optimizer as they were before the links.
#[test]
fn links_change_what_a_users_optimizer_sees() -> Result<(), Error> {
    let mut p = Param::new(Tensor::new([2], vec![0.0, 0.0]));
    let g = Grads::from_iter([("", Tensor::new([2], vec![3.0, 4.0]))]);
    let report = (Half, ClipValue::new(1.75), Plain).step(&mut p, &g)?;
    assert_eq!(p.value.data(), [-1.5, -1.75]);
    assert_eq!((report.norm, report.coef, report.clipped), (Some(5.0), Some(0.5), true));
    assert_eq!(g.get("").unwrap().data(), [3.0, 4.0]);
    Ok(())
}

/// Settings that f64 can hold and f32 cannot gave NaN, or gradients of zero.
#[test]
fn settings_that_f32_cannot_hold_are_refused() {
    let mut p = Param::new(Tensor::scalar(1.0));
    let mut g = Grads::from_iter([("", Tensor::scalar(0.0))]);
    let text = |e: Result<_, Error>| e.unwrap_err().to_string();
    let rate = text(Sgd::new(1e39).step(&mut p, &g));
    assert_eq!(rate, format!("Sgd: the learning rate must be at least 0 and finite in f32, got {}", 1e39));
    let epsilon = text(Adam::new(0.1).epsilon(0.0).step(&mut p, &g));
    assert_eq!(epsilon, "Adam: epsilon must be above 0 and finite in f32, got 0");
    let limit = g.clip_value(1e-50).unwrap_err().to_string();
    assert_eq!(limit, format!("clip_value: the limit must be greater than 0 in f32, got {}", 1e-50));
    let mut huge = Grads::from_iter([("", Tensor::scalar(3e38))]);
    huge.clip_global_norm(1e-6).unwrap();
    assert!((huge.norm() / 1e-6 - 1.0).abs() < 1e-6);
    assert_eq!(p.value.item(), 1.0);
}

/// Row after row was added in the element type.
#[test]
fn sums_over_an_inner_axis_keep_their_digits() {
    let x = Tensor::full([2, 300_000, 2], 0.1);
    for mean in x.mean_axes(&[1]).data() {
        assert!((mean - 0.1).abs() < 1e-7, "{mean}");
    }
    let x = Tensor::full([100_000, 3], 0.1);
    assert!(x.mean_axes(&[0]).data().iter().all(|mean| (mean - 0.1).abs() < 1e-7));
}

#[derive(Default)]
struct Names(Vec<(Phase, String)>);
impl Observer for Names {
    fn signal(&mut self, s: &Signal<'_, f32>) -> Result<(), Error> {
        self.0.push((s.phase, s.path.to_owned()));
        Ok(())
    }
}

/// The last name of a watched node replaced the others; a reshape was taken for the activation.
#[test]
fn every_name_of_a_node_is_reported() -> Result<(), Error> {
    let layer = Dense::new(2, 2, &mut Rng::seed(1));
    let mut tape = Tape::new();
    let z = layer.forward(&tape.begin_eval().constant(&Tensor::ones([1, 2])));
    let h = z.reshape([1, 2]).tanh().watch("before").dropout(0.5).watch("after");
    let mut names = Names::default();
    h.sum().backward_with(&layer, &mut names)?;
    let expect = [(Phase::Watch, "before"), (Phase::Watch, "after"), (Phase::Pre, "")];
    assert_eq!(names.0, expect.map(|(phase, name)| (phase, name.to_owned())));
    Ok(())
}

struct Wrong;
impl Op<f64> for Wrong {
    const NAME: &'static str = "wrong";
    fn forward(&self, x: &[&Tensor<f64>], _: &mut Saved<'_, f64>) -> Tensor<f64> {
        x[0] * x[0] * 1e-6
    }
    fn vjp<T: TensorLike<Elem = f64>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        cx.give(0, || y_bar * 0.0);
    }
}

/// Errors were relative to 1 at least.
#[test]
fn gradcheck_judges_small_slopes() {
    let x = Tensor::<f64>::of([2], vec![0.5, 2.0]);
    let e = gradcheck(&[x], |x| TensorLike::apply(Wrong, &[&x[0]])).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::GradCheck);
}

/// `batches(usize::MAX)` overflowed, and a tensor that no machine can hold ended the process.
#[test]
fn sizes_without_bound() -> Result<(), Error> {
    use chainrule::data::Dataset;
    let data = Dataset::new(Tensor::zeros([3, 1]), Labels::new([0, 1, 1], 2)?)?;
    assert_eq!(data.batches(usize::MAX, &mut Rng::seed(1)).map(|(_, y)| y.len()).collect::<Vec<_>>(), [3]);
    let e = Tensor::try_filled([1 << 50], 0.0f32).unwrap_err();
    assert_eq!(
        e.to_string(),
        "Tensor::filled: no memory for the 1125899906842624 elements of shape [1125899906842624]"
    );
    Ok(())
}

#[test]
fn parts_on_threads_sum_to_the_whole() -> Result<(), Error> {
    use chainrule::core::data_parallel;
    let mut rng = Rng::seed(1);
    let net = (Dense::<f64>::new(4, 8, &mut rng), Tanh, Dense::new(8, 1, &mut rng));
    let x = Tensor::<f64>::uniform_of([6, 4], -1.0, 1.0, &mut rng);
    let part = |rows: std::ops::Range<usize>| {
        let mut tape = Tape::new();
        net.forward(&tape.begin().constant(&x.slice(0, rows))).square().sum().backward(&net)
    };
    let (sum, whole) = (data_parallel([0..1, 1..4, 4..6], part)?, part(0..6)?);
    for (path, g) in whole.iter() {
        approx::assert_relative_eq!(sum.get(path).unwrap(), g, max_relative = 1e-12);
    }
    let e = data_parallel(Vec::<usize>::new(), |_| part(0..1)).unwrap_err();
    assert_eq!(e.to_string(), "data_parallel: there are no parts to take gradients of");
    let e = data_parallel([1, 2], |n| Err::<Grads<f64>, _>(Error::new(ErrorKind::Observer, format!("part {n}"))));
    assert_eq!(e.unwrap_err().to_string(), "part 1");
    Ok(())
}

/// What a panicking rule took out of the recording was missed by the next sweep.
#[test]
fn a_recording_ends_where_a_rule_panics() {
    struct Panics;
    impl Op for Panics {
        const NAME: &'static str = "panics";
        fn forward(&self, x: &[&Tensor], saved: &mut Saved<'_, f32>) -> Tensor {
            saved.keep(x[0]);
            x[0].clone()
        }
        fn vjp<T: TensorLike<Elem = f32>>(&self, _: &mut Vjp<'_, T>, _: T) {
            panic!("a rule");
        }
    }
    let (p, mut tape) = (Param::new(Tensor::scalar(1.0)), Tape::new());
    let loss = TensorLike::apply(Panics, &[&tape.begin().param(&p)]);
    let sweep = || std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| loss.backward_retained(&p)));
    let text = |panic: Box<dyn std::any::Any + Send>| {
        panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()))
    };
    assert_eq!(text(sweep().unwrap_err()).as_deref(), Some("a rule"));
    assert!(text(sweep().unwrap_err()).unwrap().starts_with("backward: an earlier backward() ended this recording"));
    let p2 = tape.begin().param(&p);
    assert_eq!(p2.square().backward(&p).unwrap().get("").unwrap().item(), 2.0);
}
