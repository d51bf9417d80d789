//! Verdicts of training: FLOW's rows 10, 12 and 23, each the exact set of roots for 20 seeds.
#[path = "common/stacks.rs"]
mod stacks;

use chainrule::{
    flow::{Change, Control, Kind, Metric, Monitor, Preflight, Report, Severity, Verdict},
    optim::{Groups, ReportUpdates},
    prelude::*,
};
use stacks::*;

const SEEDS: u64 = 20;
/// A learning rate at which the networks of this file train well.
const RATE: f64 = 0.05;

/// Full-batch descent, watched.
struct Run {
    rate: f64,
    limit: f64,
    /// The pass whose inputs are a hundred times as large.
    spike: Option<u64>,
    monitor: Monitor,
}

impl Run {
    fn new(rate: f64) -> Self {
        Self { rate, limit: 1e6, spike: None, monitor: Monitor::new() }
    }

    fn steps<N: Layer>(mut self, net: &mut N, x: &Tensor, y: &Labels, steps: u64) -> Report {
        let (mut tape, mut opt) = (Tape::new(), (ReportUpdates, Sgd::new(self.rate)));
        let large = x.scale(100.0);
        for step in 0..steps {
            let x = if self.spike == Some(step) { &large } else { x };
            let loss = net.forward(&tape.begin().constant(x)).softmax_cross_entropy(y);
            let item = loss.item();
            let mut g = loss.backward_with(net, &mut self.monitor).unwrap();
            let clip = g.clip_global_norm(self.limit).unwrap();
            if self.monitor.judge(item, &clip) != Control::SkipUpdate {
                self.monitor.step(&opt.step(net, &g).unwrap());
            }
        }
        self.monitor.report()
    }
}

fn under(verdict: &Verdict) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = verdict.under.iter().map(|v| v.kind).collect();
    kinds.sort_unstable();
    kinds
}

/// The two networks of row 23, and how one of them trains for 150 passes.
fn each(change: impl Fn(Run) -> Run, rate: f64, judge: impl Fn(Phi, Report)) {
    for seed in 0..SEEDS {
        let (x, y) = batch(40, 24, &mut Rng::seed(70 + seed));
        for (phi, init) in [(Phi::Tanh, Init::xavier()), (Phi::Relu, Init::he())] {
            let mut net: Stack = stack(&sizes(24, 4), phi, |_| init, &mut Rng::seed(seed));
            judge(phi, change(Run::new(rate)).steps(&mut net, &x, &y, 150));
        }
    }
}

#[test]
fn a_rate_that_fits_is_healthy() {
    each(
        |run| run,
        RATE,
        |phi, report| assert_eq!(kinds(&report), [(Kind::Healthy, Severity::Good)], "{phi:?}\n{report}"),
    );
}

/// The large steps are the root; what they did to the network stands below them, also when the steps are over.
#[test]
fn a_hundredfold_rate_is_the_root_of_its_damage() {
    each(
        |run| run,
        100.0 * RATE,
        |phi, report| {
            assert_eq!(kinds(&report), [(Kind::UpdateTooLarge, Severity::Warn)], "{phi:?}\n{report}");
            let verdict = &report.verdicts()[0];
            assert!(verdict.number(Metric::Update).unwrap() > 0.1 && verdict.steps.start < 10, "{report}");
            let Change::LearningRate(c) = verdict.remedies[0].change else { panic!("{report}") };
            assert!(c < 0.01, "{report}");
            let did = if phi == Phi::Tanh { Kind::Saturated } else { Kind::Disconnected };
            let dead = phi == Phi::Relu && under(verdict).contains(&Kind::DeadUnits);
            assert!(under(verdict).contains(&did) || dead, "{report}");
        },
    );
}

#[test]
fn a_millionth_of_the_rate_stalls_the_loss() {
    each(
        |run| run,
        1e-6 * RATE,
        |phi, report| {
            assert_eq!(kinds(&report), [(Kind::LossStalled, Severity::Warn)], "{phi:?}\n{report}");
            assert_eq!(report.verdicts()[0].remedies[0].change, Change::LearningRate(10.0));
            assert!(report.to_string().contains("the signals are healthy, so the learning rate does not fit"));
        },
    );
}

#[test]
fn a_spiked_batch_is_one_spike() {
    each(
        |run| Run { spike: Some(60), ..run },
        RATE,
        |phi, report| {
            assert_eq!(report.kinds(), [Kind::GradientSpike], "{phi:?}\n{report}");
            assert!(report.past().iter().all(|v| v.kind != Kind::GradientSpike), "{phi:?}: twice");
            let spike = &report.verdicts()[0];
            // Behind saturated units the gradient is less than ten times the largest before.
            let expect = if phi == Phi::Relu { Severity::Warn } else { Severity::Notice };
            assert_eq!((spike.severity, spike.steps.clone()), (expect, 60..61), "{phi:?}\n{report}");
            let most = report.norms().map(|n| n.1).fold(0.0, f64::max);
            assert_eq!(spike.number(Metric::Norm), Some(most));
        },
    );
}

#[test]
fn a_limit_of_a_millionth_is_the_learning_rate() {
    each(
        |run| Run { limit: 1e-6, ..run },
        RATE,
        |phi, report| {
            assert_eq!(kinds(&report), [(Kind::AlwaysClipping, Severity::Warn)], "{phi:?}\n{report}");
            assert_eq!(under(&report.verdicts()[0]), [Kind::LossStalled], "{phi:?}\n{report}");
            assert_eq!(report.clip_rate().unwrap().0, 1.0);
            let remedies = &report.verdicts()[0].remedies;
            assert!(matches!(remedies[0].change, Change::Clip(c) if c > 1e-3), "{report}");
            assert!(matches!(remedies[1].change, Change::LearningRate(c) if c < 1e-3), "{report}");
        },
    );
}

/// A spike is an event: taken back after ten measured passes, and kept among those of the past.
#[test]
fn a_spike_does_not_stand_for_ever() {
    let (x, y) = batch(40, 24, &mut Rng::seed(70));
    let mut net: Stack = stack(&sizes(24, 4), Phi::Relu, |_| Init::he(), &mut Rng::seed(0));
    let report = Run { spike: Some(60), ..Run::new(RATE) }.steps(&mut net, &x, &y, 200);
    assert_eq!(report.kinds(), [Kind::Healthy], "{report}");
    assert_eq!(report.past().iter().map(|v| (v.kind, v.steps.start)).collect::<Vec<_>>(), [(Kind::GradientSpike, 60)]);
}

/// Row 12: two clouds, 2-32-32-32-1, 10,000 steps. Tiny gradients are no fault where the loss is tiny, too.
#[test]
fn a_run_that_has_converged_says_so() {
    std::thread::scope(|s| (0..4).for_each(|part| drop(s.spawn(move || (part..SEEDS).step_by(4).for_each(converges)))));
}

fn converges(seed: u64) {
    let rng = &mut Rng::seed(seed);
    let mut layer = |a, b| Dense::<f32>::with_init(a, b, Init::he(), rng);
    let mut net = (layer(2, 32), Relu, layer(32, 32), Relu, layer(32, 32), Relu, layer(32, 1));
    let noise = Tensor::normal([64, 2], 0.0, 0.5, rng);
    let x = noise.add(&Tensor::from_fn([64, 2], |i| if (i / 2) % 2 == 0 { 2.0 } else { -2.0 }));
    let y = Tensor::from_fn([64, 1], |i| f64::from(i % 2 == 0));
    let (mut tape, mut opt, mut monitor) = (Tape::new(), (ReportUpdates, Sgd::new(0.1)), Monitor::new().every(50));
    for _ in 0..10_000 {
        let r = tape.begin();
        let z = net.forward(&r.constant(&x));
        let loss = (z.softplus() - z * r.constant(&y)).mean();
        let g = loss.backward_with(&net, &mut monitor).unwrap();
        monitor.step(&opt.step(&mut net, &g).unwrap());
    }
    let report = monitor.report();
    assert_eq!(kinds(&report), [(Kind::Converged, Severity::Good)], "seed {seed}\n{report}");
    let last = report.samples().last().unwrap();
    let a = 10f64.powf(last.total);
    assert!(last.loss < 2e-5 && (1.0..3.0).contains(&a), "seed {seed}: loss {}, A {a}", last.loss);
    assert!(10f64.powf(last.norm) < 1e-3, "seed {seed}\n{report}");
}

/// Given after 50 steps.
#[test]
fn a_layer_that_stands_still_is_frozen() {
    for seed in 0..SEEDS {
        let (x, y) = batch(40, 24, &mut Rng::seed(70 + seed));
        let run = |steps: u64| {
            let mut net: Stack = stack(&sizes(24, 4), Phi::Tanh, |_| Init::xavier(), &mut Rng::seed(seed));
            let slow = Groups::new().rate_factor("hidden.1", 1e-6);
            let (mut tape, mut opt, mut monitor) = (Tape::new(), (ReportUpdates, slow, Sgd::new(RATE)), Monitor::new());
            for _ in 0..steps {
                let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
                let g = loss.backward_with(&net, &mut monitor).unwrap();
                monitor.step(&opt.step(&mut net, &g).unwrap());
            }
            monitor.report()
        };
        assert_eq!(run(50).kinds(), [Kind::Healthy], "seed {seed}");
        let report = run(120);
        assert_eq!(kinds(&report), [(Kind::FrozenLayer, Severity::Warn)], "seed {seed}\n{report}");
        let verdict = &report.verdicts()[0];
        assert_eq!(
            (verdict.layers.clone(), &*verdict.paths[0], verdict.steps.start),
            (1..2, "hidden.1", 0),
            "{report}"
        );
    }
}

/// Row 10, in a run and before its first step.
#[test]
fn dead_units_are_the_root_of_what_follows_from_them() {
    for seed in 0..SEEDS {
        for (width, layers) in [(24, 4), (64, 9)] {
            let mut net: Stack = stack(&sizes(width, layers), Phi::Relu, |_| Init::he(), &mut Rng::seed(seed));
            for layer in &mut net.hidden {
                layer.bias.as_mut().unwrap().value = Tensor::full([width], -3.0);
            }
            let (x, y) = batch(2000, width, &mut Rng::seed(90 + seed));
            let run = Preflight::new();
            let check = run.run(&net, |r| net.forward(&r.constant(&x)).softmax_cross_entropy(&y)).unwrap();
            assert_eq!(kinds(&check), [(Kind::DeadUnits, Severity::Severe)], "seed {seed}\n{check}");
            assert_eq!(under(&check.verdicts()[0]), [Kind::Disconnected], "seed {seed}\n{check}");
            let he = &check.verdicts()[0].remedies[0];
            assert_eq!((&he.change, he.tried.unwrap().left), (&Change::Redraw("He"), None), "{check}");

            let (x, y) = batch(60, width, &mut Rng::seed(80 + seed));
            let report = Run::new(1e-3).steps(&mut net, &x, &y, 130);
            assert_eq!(kinds(&report), [(Kind::DeadUnits, Severity::Severe)], "seed {seed}\n{report}");
            assert_eq!(under(&report.verdicts()[0]), [Kind::Disconnected, Kind::LossStalled], "seed {seed}\n{report}");
        }
    }
}
