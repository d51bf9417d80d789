//! The monitor in training: what it measures, what it says over time, what it leaves as it was.
#[path = "common/stacks.rs"]
mod stacks;

use chainrule::{
    flow::{self, Cause, Direction, Kind, Monitor, Sampling, Severity},
    optim::{self, ReportUpdates},
    prelude::*,
};
use stacks::*;

fn healthy_net(seed: u64) -> Stack {
    stack(&sizes(24, 4), Phi::Tanh, |_| Init::xavier(), &mut Rng::seed(seed))
}

// ---- numbers that are not finite --------------------------------------------------------------------------------------------

#[test]
fn the_first_op_that_makes_a_nan_is_named_with_its_line() {
    let net = Dense::<f32>::new(3, 3, &mut Rng::seed(1));
    let mut x = Tensor::ones([2, 3]);
    let (mut tape, mut mon) = (Tape::new(), Monitor::new());
    let line = |mark: &str| include_str!("monitor.rs").lines().position(|l| l.ends_with(mark)).unwrap() + 1;

    let z = net.forward(&tape.begin().constant(&x));
    let h = (z * 0.0).ln(); // LN
    let e = h.sum().backward_with(&net, &mut mon).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NonFinite);
    let text = e.to_string();
    assert!(text.contains("pass 0: ln at ") && text.contains(&format!("monitor.rs:{}:", line("// LN"))), "{text}");
    assert!(text.contains("gives -inf of finite inputs: entry 0 of 6, 6 in all"), "{text}");
    let report = mon.report();
    assert_eq!(kinds(&report), [(Kind::NonFinite, Severity::Critical)]);
    assert!(report.to_string().contains("keep the argument of ln above 0"), "{report}");

    // In a reverse rule only: the root is 0, its slope infinite.
    let mut mon = Monitor::new();
    let z = net.forward(&tape.begin().constant(&x));
    let h = (z - z).sqrt(); // SQRT
    let text = h.sum().backward_with(&net, &mut mon).unwrap_err().to_string();
    assert!(
        text.contains("the rule of sqrt at ") && text.contains(&format!("monitor.rs:{}:", line("// SQRT"))),
        "{text}"
    );
    let verdicts = mon.verdicts();
    let Cause::Op(origin) = &verdicts[0].cause else { panic!("{verdicts:?}") };
    assert_eq!((origin.direction, origin.op), (Direction::Backward, "sqrt"));

    // In the data; in a parameter; by overflow.
    let mut mon = Monitor::new();
    x.data_mut()[4] = f32::NAN;
    let loss = net.forward(&tape.begin().constant(&x)).sum();
    let text = loss.backward_with(&net, &mut mon).unwrap_err().to_string();
    assert!(text.contains("the data recorded at") && text.contains("holds NaN: entry 4 of 6, 1 in all"), "{text}");
    let mut sick = net.clone();
    sick.weight.value.data_mut()[5] = f32::INFINITY;
    let loss = sick.forward(&tape.begin().constant(&Tensor::ones([2, 3]))).sum();
    let text = loss.backward_with(&sick, &mut Monitor::new()).unwrap_err().to_string();
    assert!(text.contains("the parameter \"weight\"") && text.contains("entry 5 of 9"), "{text}");
    let loss = (net.forward(&tape.begin().constant(&Tensor::full([2, 3], 1e38))) * 1e10).sum();
    let text = loss.backward_with(&net, &mut Monitor::new()).unwrap_err().to_string();
    assert!(text.contains("gives inf of finite inputs") || text.contains("gives -inf of finite inputs"), "{text}");
}

#[test]
fn a_nan_is_found_in_passes_that_are_not_measured() {
    let net = Dense::<f32>::new(3, 3, &mut Rng::seed(1));
    let (mut tape, mut mon) = (Tape::new(), Monitor::new().sampling(Sampling::Off));
    let z = net.forward(&tape.begin().constant(&Tensor::ones([2, 3])));
    let text = (z - z).sqrt().sum().backward_with(&net, &mut mon).unwrap_err().to_string();
    assert!(text.contains("the signal that reaches linear at "), "{text}");
    let z = net.forward(&tape.begin().constant(&Tensor::ones([2, 3])));
    let text = (z * 0.0).ln().sum().backward_with(&net, &mut mon).unwrap_err().to_string();
    assert!(text.contains("pass 1: ln at "), "{text}");
    // Infinities that are meant: a mask whose loss is finite.
    let mut mask = Tensor::zeros([2, 3]);
    mask.data_mut()[1] = f32::NEG_INFINITY;
    let r = tape.begin();
    let scores = net.forward(&r.constant(&Tensor::ones([2, 3]))) + r.constant(&mask);
    scores.softmax().square().sum().backward_with(&net, &mut Monitor::new()).unwrap();
}

// ---- what it leaves as it was, and what it keeps ------------------------------------------------------------------------------

/// Row 25: the bits of all weights after 40 steps, observed or not.
fn bits<F: Real, N: Layer<F>>(mut net: N, x: &Tensor<F>, mut observed: Option<Monitor>) -> Vec<u64> {
    let (mut tape, mut rng) = (Tape::new(), Rng::seed(9));
    let mut opt = (ReportUpdates, ClipGlobalNorm::new(0.5), Adam::new(1e-3));
    for _ in 0..40 {
        let r = tape.begin_train(&mut rng);
        let g = net.forward(&r.constant(x)).square().mean().backward_with(&net, &mut observed).unwrap();
        let report = opt.step(&mut net, &g).unwrap();
        if let Some(mon) = &mut observed {
            mon.step(&report);
        }
    }
    let mut bits = vec![];
    net.visit(|_, p| bits.extend(p.value.data().iter().map(|x| x.f64().to_bits())));
    bits
}

#[test]
fn an_observed_run_has_the_weights_of_an_unobserved_one() {
    fn same<F: Real, N: Layer<F>>(net: impl Fn() -> N, x: &Tensor<F>) {
        let unobserved = bits(net(), x, None);
        assert_eq!(bits(net(), x, Some(Monitor::new())), unobserved);
        assert_eq!(bits(net(), x, Some(Monitor::new().sampling(Sampling::Every(1)))), unobserved);
    }
    for seed in 0..20 {
        let x = Tensor::normal([16, 24], 0.0, 1.0, &mut Rng::seed(50 + seed));
        same(|| healthy_net(seed), &x);
    }
    for seed in 0..3 {
        let rng = || Rng::seed(seed);
        let x = Tensor::normal([16, 24], 0.0, 1.0, &mut Rng::seed(50 + seed));
        let dropped = || (healthy_net(seed), Dropout::new(0.3).unwrap(), LayerNorm::new([10]));
        same(dropped, &x);
        let x = Tensor::normal_of([9, 4, 3], 0.0, 1.0, &mut Rng::seed(50 + seed));
        same(|| Lstm::<f64>::stacked(3, 8, 2, &mut rng()), &x);
        same(|| (Gru::<f64>::new(3, 8, &mut rng()), Dense::new(8, 2, &mut rng())), &x);
    }
}

#[test]
fn steps_are_measured_against_the_weights() {
    let (x, y) = batch(16, 24, &mut Rng::seed(5));
    let (mut net, mut tape, mut opt, mut mon) =
        (healthy_net(4), Tape::new(), (ReportUpdates, Sgd::new(0.5)), Monitor::new());
    let before = net.hidden[1].weight.value.clone();
    let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
    let g = loss.backward_with(&net, &mut mon).unwrap();
    mon.step(&opt.step(&mut net, &g).unwrap());
    let report = mon.report();
    let (s, grad) = (&report.samples()[0], g.get("hidden.1.weight").unwrap());
    let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-5, "{a} {b}");
    close(s.layers[1].update, 0.5 * grad.norm() / before.norm());
    close(s.layers[1].weight, before.norm());
    close(10f64.powf(s.layers[1].gradient), grad.norm());
    close(10f64.powf(s.norm), g.norm());
}

#[test]
fn passes_are_chosen() {
    let taken = |s: Sampling, n: u64| (0..n).filter(|k| s.takes(*k)).collect::<Vec<_>>();
    let start: Vec<u64> = (0..20).collect();
    assert_eq!(taken(Sampling::default(), 45), [start.clone(), vec![20, 30, 40]].concat());
    assert_eq!(taken(Sampling::Every(7), 22), [0, 7, 14, 21]);
    assert_eq!(taken(Sampling::Off, 1000), Vec::<u64>::new());
    let log = taken(Sampling::Log, 100_000);
    assert!(log.starts_with(&start) && (80..120).contains(&log.len()), "{}", log.len());
}

#[test]
fn two_networks_have_two_monitors() {
    let (sick, well): (Stack, Stack) =
        (stack(&sizes(24, 9), Phi::Sigmoid, |n| normal(1.0 / (n as f64).sqrt()), &mut Rng::seed(1)), healthy_net(2));
    let (x, y) = batch(16, 24, &mut Rng::seed(5));
    let (mut tape, mut first, mut second) = (Tape::new(), Monitor::new(), Monitor::new());
    for _ in 0..3 {
        let loss = sick.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        loss.backward_with(&sick, &mut first).unwrap();
        let loss = well.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        loss.backward_with(&well, &mut second).unwrap();
    }
    assert_eq!((first.report().kinds(), second.report().kinds()), (vec![Kind::Vanishing], vec![Kind::Healthy]));
}

// ---- steps of several passes, skipped steps, other orders ----------------------------------------------------------------

/// The gradients of two passes are added up for one step: its size is credited, and it is the same as that of one pass.
#[test]
fn steps_of_added_gradients_are_measured() {
    for sampling in [Sampling::Every(1), Sampling::default(), Sampling::Every(4)] {
        let (x, y) = batch(16, 24, &mut Rng::seed(5));
        let mut net = healthy_net(4);
        let (mut tape, mut mon) = (Tape::new(), Monitor::new().sampling(sampling));
        let mut opt = (mon.updates(), ClipGlobalNorm::new(1e-3), Sgd::new(1.0));
        for _ in 0..40 {
            let mut sum: Option<Grads> = None;
            for _ in 0..2 {
                let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
                let g = loss.backward_with(&net, &mut mon).unwrap();
                match &mut sum {
                    Some(sum) => sum.add(&g).unwrap(),
                    None => sum = Some(g),
                }
            }
            mon.step(&opt.step(&mut net, &sum.unwrap()).unwrap());
        }
        let report = mon.report();
        let told = report.samples().iter().filter(|s| !s.layers[0].update.is_nan()).count();
        assert!(2 * told >= report.samples().len(), "{told} of {}", report.samples().len());
        // Of the very first pass nobody knows yet that steps will come.
        assert!(report.norms().skip(1).all(|(_, _, coef)| coef < 1.0), "only sums have norms, and all were clipped");
        for s in report.samples() {
            assert!(s.layers.iter().all(|l| l.weight > 0.0 && l.signal.is_finite()), "{s:?}");
        }
    }
}

#[test]
fn a_report_in_the_middle_of_a_step_loses_nothing() {
    let (x, y) = batch(16, 24, &mut Rng::seed(5));
    let (mut net, mut tape, mut mon) = (healthy_net(4), Tape::new(), Monitor::new());
    let mut opt = (mon.updates(), Sgd::new(1e-3));
    for pass in 0..3 {
        let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        let g = loss.backward_with(&net, &mut mon).unwrap();
        assert_eq!(mon.report().samples().len(), pass + 1);
        mon.step(&opt.step(&mut net, &g).unwrap());
    }
    let report = mon.report();
    assert_eq!(report.samples().len(), 3);
    let told = |s: &flow::Sample| s.layers.iter().all(|l| l.update > 0.0);
    assert!(report.samples()[1..].iter().all(told), "{report}");
}

/// Frozen matrices and skipped steps leave no hole in what is known of the weights.
#[test]
fn weights_that_no_step_wrote_are_known() {
    let (x, y) = batch(16, 24, &mut Rng::seed(5));
    let (mut net, mut tape, mut mon) = (healthy_net(4), Tape::new(), Monitor::new());
    let mut opt = (mon.updates(), optim::Groups::new().freeze("hidden.1"), Sgd::new(1e-3));
    for pass in 0..12 {
        let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        let g = loss.backward_with(&net, &mut mon).unwrap();
        if pass % 4 != 3 {
            mon.step(&opt.step(&mut net, &g).unwrap());
        }
    }
    for s in mon.report().samples() {
        assert!(s.layers.iter().all(|l| l.weight > 0.0), "pass {}: {:?}", s.step, s.layers);
        assert!(s.layers[..3].iter().all(|l| l.w_expected > 0.0));
        assert!(s.layers[1].update.is_nan());
    }
}

#[test]
fn a_watched_parameter_leads_to_the_loss_as_before() {
    let net = Param::new(Tensor::<f32>::ones([2, 2]));
    let (mut tape, mut mon) = (Tape::new(), Monitor::new());
    tape.begin().param(&net).watch("kernel").square().sum().backward_with(&net, &mut mon).unwrap();
    let report = mon.report();
    assert!(report.get(Kind::Disconnected).is_none() && report.samples()[0].params[0].connected, "{report}");
    assert_eq!(report.samples()[0].params[0].value, 2.0);
}

#[test]
fn of_several_readers_the_steep_one_is_named_with_the_others_counted() {
    let net = Dense::<f32>::new(3, 3, &mut Rng::seed(1));
    let mut tape = Tape::new();
    let z = net.forward(&tape.begin().constant(&Tensor::ones([2, 3])));
    let h = z - z;
    let sum = (h.sqrt() + h * 2.0).sum();
    let text = sum.backward_with(&net, &mut Monitor::new()).unwrap_err().to_string();
    assert!(text.contains("the rule of sqrt at ") && text.contains("(or that of the other op"), "{text}");
}

/// What does not lead to the loss may be what it likes, and so may constants as long as the loss is finite.
#[test]
fn numbers_beside_the_way_may_be_infinite() {
    let net = Dense::<f32>::new(3, 3, &mut Rng::seed(1));
    let (mut tape, mut mon) = (Tape::new(), Monitor::new());
    let r = tape.begin();
    let z = net.forward(&r.constant(&Tensor::ones([2, 3])));
    let _logged = (z * 0.0).ln();
    let mask = r.constant(&Tensor::new([3], vec![1.0, 0.0, 1.0])).ln();
    (z + mask).softmax().square().sum().backward_with(&net, &mut mon).unwrap();
    assert!(!mon.has(Kind::NonFinite));
}

/// A lenient monitor lets the links decide: the weights are those of an unobserved run, and the verdict is there.
#[test]
fn a_lenient_monitor_is_no_obstacle() {
    let mut x = Tensor::ones([2, 3]);
    let train = |bad: &mut Tensor, mon: &mut Option<Monitor>| {
        let (mut net, mut tape) = (Dense::<f32>::new(3, 3, &mut Rng::seed(1)), Tape::new());
        let mut opt = (ClipGlobalNorm::new(1.0).non_finite(optim::NonFinite::Skip), Sgd::new(0.1));
        for pass in 0..30 {
            bad.data_mut()[2] = if pass == 3 || pass == 25 { f32::NAN } else { 1.0 };
            let loss = net.forward(&tape.begin().constant(bad)).square().mean();
            let g = loss.backward_with(&net, mon).unwrap();
            let report = opt.step(&mut net, &g).unwrap();
            if let Some(mon) = mon {
                mon.step(&report);
            }
        }
        net.weight.value
    };
    let mut mon = Some(Monitor::new().lenient());
    assert_eq!(train(&mut x, &mut mon).data(), train(&mut x, &mut None).data());
    let report = mon.unwrap().report();
    assert!(report.verdicts().iter().chain(report.past()).any(|v| v.kind == Kind::NonFinite), "{report}");
    let bad = report.samples().iter().find(|s| s.step == 3).unwrap();
    assert!(bad.layers[0].counts.nan > 0, "{bad:?}");
}
