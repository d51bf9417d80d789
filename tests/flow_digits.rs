//! The article's network on real digits: what the first pass says comes true.
#[path = "../examples/common/digits.rs"]
#[allow(dead_code, reason = "a test uses a part")]
mod digits;
#[path = "common/stacks.rs"]
mod stacks;

use chainrule::{
    data::Dataset,
    flow::{Change, Kind, Monitor, Severity, preflight},
    optim::ReportUpdates,
    prelude::*,
};
use stacks::*;

const ARTICLE: [usize; 4] = [784, 100, 100, 100];
const STEPS: usize = 150;
const SEEDS: u64 = 5;

/// One arm: its verdict before the first step, the verdicts of its run, its last losses.
struct Arm {
    first: Option<(Kind, Severity)>,
    report: chainrule::flow::Report,
    loss: f64,
}

fn arm(data: &Dataset, phi: Phi, init: fn(usize) -> Init, seed: u64) -> Arm {
    let rng = &mut Rng::seed(seed);
    let mut net: Stack = stack(&ARTICLE, phi, init, rng);
    let batches: Vec<_> = data.batches(64, rng).take(STEPS).collect();
    let (x, y) = &batches[0];
    let check = preflight(&net, |r| net.forward(&r.constant(x)).softmax_cross_entropy(y)).unwrap();
    let [verdict] = check.verdicts() else { panic!("{check}") };
    if verdict.kind == Kind::Vanishing {
        let remedy = &verdict.remedies[0];
        assert_eq!(remedy.change, Change::Activation("relu", "He"), "{check}");
        assert_eq!(remedy.tried.unwrap().left, None, "{check}");
    }
    let first = (verdict.severity >= Severity::Warn).then_some((verdict.kind, verdict.severity));
    let (mut tape, mut opt, mut monitor) = (Tape::new(), (ReportUpdates, Sgd::new(0.1)), Monitor::new());
    let mut losses = vec![];
    for (x, y) in &batches {
        let loss = net.forward(&tape.begin().constant(x)).softmax_cross_entropy(y);
        losses.push(loss.item());
        let g = loss.backward_with(&net, &mut monitor).unwrap();
        monitor.step(&opt.step(&mut net, &g).unwrap());
    }
    let tail = &losses[losses.len() - 20..];
    Arm { first, report: monitor.report(), loss: tail.iter().sum::<f64>() / tail.len() as f64 }
}

#[test]
fn the_first_pass_names_the_arm_that_trains_slower() {
    let data = digits::Digits::load(&digits::repository()).unwrap().train;
    for seed in 0..SEEDS {
        let sigmoid = arm(&data, Phi::Sigmoid, |n| normal(1.0 / (n as f64).sqrt()), seed);
        let relu = arm(&data, Phi::Relu, |_| Init::he(), seed);
        println!(
            "seed {seed}: sigmoid {:.3}, relu {:.3}; {:?} {:?}",
            sigmoid.loss,
            relu.loss,
            sigmoid.report.kinds(),
            relu.report.kinds()
        );
        assert_eq!(sigmoid.first, Some((Kind::Vanishing, Severity::Warn)), "seed {seed}");
        assert_eq!(relu.first, None, "seed {seed}");
        assert!(sigmoid.loss > 2.0 && relu.loss < 0.6, "seed {seed}: {} and {}", sigmoid.loss, relu.loss);
        // The run itself says so from its first pass on, and that the loss stands still because of it.
        let root = sigmoid.report.get(Kind::Vanishing).unwrap();
        assert_eq!(root.steps.start, 0, "{}", sigmoid.report);
        assert!(root.under.iter().any(|v| v.kind == Kind::LossStalled), "{}", sigmoid.report);
        assert!(relu.report.get(Kind::Vanishing).is_none(), "{}", relu.report);
    }
}
