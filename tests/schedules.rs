//! Learning rates against PyTorch's schedulers, whose numbers tests/pytorch/optimizers.py makes, and against closed forms.
#[path = "common/numbers.rs"]
mod numbers;

use chainrule::{
    optim::{
        Groups, NonFinite,
        schedule::{
            Constant, Cosine, Exponential, InverseSqrt, Linear, Mode, MultiStep, OneCycle, Plateau, Schedule,
            Scheduled, Step, Threshold,
        },
    },
    prelude::*,
};

fn pytorch(name: &str) -> Vec<f64> {
    let row = numbers::table("schedules.csv").into_iter().find(|row| row[0] == name);
    row.unwrap_or_else(|| panic!("no row {name}"))[1..].iter().map(|x| x.parse().expect("a number")).collect()
}

fn close(name: &str, seen: impl Iterator<Item = f64>) {
    let expect = pytorch(name);
    let seen: Vec<f64> = seen.take(expect.len()).collect();
    assert!(expect.len() >= 40 && seen.len() == expect.len(), "{name}: {} rates", seen.len());
    for (t, (a, b)) in seen.iter().zip(&expect).enumerate() {
        assert!((a - b).abs() <= 1e-12 * b.abs().max(1e-3), "{name}, step {t}: {a} and {b}");
    }
}

#[test]
fn each_schedule_is_pytorchs() {
    let same = |name: &str, s: &dyn Schedule| close(name, (0..).map(|t| s.rate(t)));
    same("constant", &Constant::new(0.1));
    same("step", &Step::new(0.1, 7, 0.3));
    same("multi step", &MultiStep::new(0.1, [30, 10, 3, 11], 0.5));
    same("exponential", &Exponential::new(0.1, 0.9));
    same("linear", &Linear::new(0.025, 0.075, 12));
    same("cosine", &Cosine::new(0.1, 39).floor(0.003));
    same("one cycle", &OneCycle::new(0.7, 41));
    same("one cycle linear", &OneCycle::new(0.7, 41).rising(0.2).linear().first(10.0).last(50.0));
    same("one cycle three phases", &OneCycle::new(0.7, 41).rising(0.4).three_phases());
    same("warm-up", &Cosine::new(0.1, 35).warm_up(5).from(0.2));
    let sequence = Constant::new(0.01).then(6, Exponential::new(0.1, 0.8).then(14, Step::new(0.1, 2, 0.1)));
    same("sequence", &sequence);
    same("product", &Exponential::new(0.1, 0.95).times(MultiStep::new(1.0, [10, 20], 0.1)));
    same("inverse sqrt", &InverseSqrt::new((64.0f64 * 12.0).powf(-0.5), 12));
}

#[test]
fn each_plateau_is_pytorchs() {
    let losses = pytorch("losses");
    let same = |name: &str, mut p: Plateau| close(name, losses.iter().map(|x| p.observe(*x).unwrap()));
    same("plateau", Plateau::new(0.1).patience(3));
    same("plateau max", Plateau::new(0.1).mode(Mode::Max).patience(2).factor(0.5));
    same("plateau absolute", Plateau::new(0.1).patience(2).threshold(Threshold::Absolute(0.02)).factor(0.5));
    same("plateau cooldown", Plateau::new(0.1).patience(1).cool_down(3).factor(0.5).floor(0.01));
    let max =
        Plateau::new(0.1).mode(Mode::Max).patience(1).cool_down(1).threshold(Threshold::Absolute(0.1)).factor(0.9);
    same("plateau max absolute", max);
    let mut p = Plateau::new(0.1).factor(1.0);
    assert_eq!(
        p.observe(1.0).unwrap_err().to_string(),
        "Plateau: rate, floor and threshold of at least 0 and a factor from 0 to below 1 are needed, got 0.1, 0, 0.0001 and 1"
    );
}

#[test]
fn the_ends_of_schedules() {
    let closes = |a: f64, b: f64| assert!((a - b).abs() <= 1e-15 * b.abs(), "{a} {b}");
    let s = Cosine::new(0.1, 10).floor(0.02);
    closes(s.rate(0), 0.1);
    closes(s.rate(5), 0.06);
    assert_eq!([s.rate(10), s.rate(11), s.rate(u64::MAX)], [0.02; 3]);
    let line = Linear::new(1.0, 0.0, 4);
    assert_eq!([0, 1, 2, 3, 4, 5].map(|t| line.rate(t)), [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]);
    assert_eq!((Linear::new(1.0, 0.5, 0).rate(0), Cosine::new(1.0, 0).rate(0)), (0.5, 0.0));
    let warm = Step::new(2.0, 3, 0.5).warm_up(4);
    assert_eq!([0, 1, 2, 3, 4, 6, 7].map(|t| warm.rate(t)), [0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 1.0]);
    assert_eq!(Constant::new(3.0).warm_up(0).rate(0), 3.0);
    assert_eq!(Exponential::new(1.0, 0.5).rate(5000), 0.0);
    let cycle = OneCycle::new(1.0, 10);
    closes(cycle.rate(2), 1.0);
    closes(cycle.rate(9), 1.0 / 25.0 / 1e4);
    assert_eq!(cycle.rate(9), cycle.rate(1000));
    let own = (|t: u64| 1.0 / (t + 1) as f64).warm_up(2);
    assert_eq!([own.rate(0), own.rate(1), own.rate(2), own.rate(3)], [0.5, 1.0, 1.0, 0.5]);
    let boxed: Box<dyn Schedule> = Box::new(line);
    assert_eq!(boxed.times(line).rate(1), 0.75 * 0.75);
}

fn grads(x: f64) -> Grads<f64> {
    Grads::from_iter([("", Tensor::filled([], x))])
}

#[test]
fn a_scheduled_optimizer_counts_the_steps_it_makes() {
    let mut w = Param::new(Tensor::filled([], 10.0));
    let mut opt = (ClipValue::new(5.0), Scheduled::new(Sgd::new(77.0), Linear::new(1.0, 0.5, 2)));
    opt.step(&mut w, &grads(1.0)).unwrap();
    assert_eq!((w.value.item(), opt.rate(), opt.1.steps()), (9.0, 1.0, 1));
    assert!(opt.step(&mut w, &grads(f64::NAN)).is_err());
    assert_eq!((w.value.item(), opt.rate(), opt.1.steps()), (9.0, 1.0, 1));
    opt.step(&mut w, &grads(1.0)).unwrap();
    assert_eq!((w.value.item(), opt.rate()), (8.25, 0.75));
    // Half as high from here on.
    opt.set_rate(0.25);
    opt.step(&mut w, &grads(1.0)).unwrap();
    assert_eq!(w.value.item(), 8.0);
    opt.step(&mut w, &grads(1.0)).unwrap();
    assert_eq!(w.value.item(), 7.75);
    let mut resumed = Scheduled::new(Sgd::new(1.0), Linear::new(1.0, 0.5, 2)).at(1);
    resumed.step(&mut w, &grads(1.0)).unwrap();
    assert_eq!(w.value.item(), 7.0);
}

#[test]
fn the_rate_is_that_of_the_step_made_last() {
    let mut w = Param::new(Tensor::filled([], 10.0));
    let halves = |s: u64| 1.0 / (s + 1) as f64;
    fn seen<S: Schedule>(opt: &Scheduled<impl Optimizer<f64>, S>) -> (f64, u64) {
        (opt.rate(), opt.steps())
    }
    // The step fails in its last check, behind the plan of the optimizer.
    let mut opt = Scheduled::new(Sgd::new(0.1), halves);
    assert!(opt.step(&mut w, &grads(f64::NAN)).is_err());
    assert_eq!(seen(&opt), (0.1, 0));
    opt.step(&mut w, &grads(1.0)).unwrap();
    assert!(opt.step(&mut w, &grads(f64::NAN)).is_err());
    assert_eq!(seen(&opt), (1.0, 1));
    opt.step(&mut w, &grads(1.0)).unwrap();
    assert_eq!((seen(&opt), w.value.item()), ((0.5, 2), 8.5));
    opt.set_rate(3.0);
    assert!(opt.step(&mut w, &grads(f64::NAN)).is_err());
    assert_eq!(seen(&opt), (3.0, 2));
    // A link within skips it.
    let inner = (ClipValue::new(5.0).non_finite(NonFinite::Skip), Sgd::new(0.1));
    let mut opt = Scheduled::new(inner, halves);
    opt.step(&mut w, &grads(1.0)).unwrap();
    assert!(opt.step(&mut w, &grads(f64::NAN)).unwrap().skipped);
    assert_eq!(seen(&opt), (1.0, 1));
    // A schedule of a schedule: the outer one decides.
    let mut opt = Scheduled::new(Scheduled::new(Sgd::new(0.1), Constant::new(4.0)), halves);
    for expect in [1.0, 0.5] {
        opt.step(&mut w, &grads(1.0)).unwrap();
        assert!(opt.step(&mut w, &grads(f64::NAN)).is_err());
        assert_eq!(opt.rate(), expect);
    }
    assert_eq!(seen(&opt.into_inner()), (0.5, 2));
    // At 0 there is nothing to set.
    let mut opt = Scheduled::new(Sgd::new(0.1), |s: u64| if s == 0 { 0.0 } else { 2.0 });
    opt.set_rate(5.0);
    assert_eq!(seen(&opt), (0.1, 0));
    opt.step(&mut w, &grads(1.0)).unwrap();
    opt.set_rate(5.0);
    assert_eq!(seen(&opt), (5.0, 1));
}

struct Two {
    a: Param<f64>,
    b: Param<f64>,
}
module!(impl[] Two as f64 { a, b });

#[test]
fn groups_follow_the_schedule() {
    let mut net = Two { a: Param::new(Tensor::filled([], 0.0)), b: Param::new(Tensor::filled([], 0.0)) };
    let g = Grads::from_iter([("a", Tensor::filled([], 1.0)), ("b", Tensor::filled([], 1.0))]);
    let mut opt = (Groups::new().rate_factor("b", 0.5), Scheduled::new(Sgd::new(1.0), Step::new(1.0, 1, 0.5)));
    for expect in [(-1.0, -0.5), (-1.5, -0.75), (-1.75, -0.875)] {
        opt.step(&mut net, &g).unwrap();
        assert_eq!((net.a.value.item(), net.b.value.item()), expect);
    }
}

#[test]
fn wrong_settings_are_refused() {
    fn refused(schedule: impl Schedule, expect: &str) {
        let mut w = Param::new(Tensor::filled([], 1.0));
        let e = Scheduled::new(Sgd::new(0.1), schedule).step(&mut w, &grads(1.0)).unwrap_err();
        assert_eq!((e.kind(), &*e.to_string(), w.value.item()), (ErrorKind::BadData, expect, 1.0));
    }
    refused(Constant::new(f64::NAN), "Constant: the rate must be at least 0 and finite, got NaN");
    refused(Step::new(0.1, 0, 0.1), "Step: the number of steps must be at least 1, got 0");
    refused(MultiStep::new(0.1, [3], -0.1), "MultiStep: the factor must be at least 0 and finite, got -0.1");
    refused(Exponential::new(-0.1, 0.9), "Exponential: the rate must be at least 0 and finite, got -0.1");
    refused(Linear::new(0.1, -0.1, 9), "Linear: the last rate must be at least 0 and finite, got -0.1");
    refused(Cosine::new(0.1, 9).floor(-1.0), "Cosine: the floor must be at least 0 and finite, got -1");
    refused(InverseSqrt::new(0.1, 0), "InverseSqrt: at least 1 step of warm-up is needed, got 0");
    refused(
        Cosine::new(0.1, 9).warm_up(3).from(-1.0),
        "WarmUp: the first factor must be at least 0 and finite, got -1",
    );
    refused(
        OneCycle::new(0.1, 1),
        "OneCycle: at least 2 steps, a rising part from 0 to 1 and divisors above 0 are needed, got 1, 0.3, 25 and 10000",
    );
    refused(|_| f64::INFINITY, "Sgd: the learning rate must be at least 0 and finite in f64, got inf");
    refused(Constant::new(1.0).then(3, Step::new(1.0, 0, 0.1)), "Step: the number of steps must be at least 1, got 0");
    assert!(Step::new(0.1, 0, 0.1).rate(3).is_nan());
}
