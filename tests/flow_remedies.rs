//! What pre-flight tries: for each activation and each recurrent cell the first remedy heals, where one can.
#[path = "common/stacks.rs"]
mod stacks;

use chainrule::{
    flow::{Cause, Change, Kind, Preflight, Report, Severity, preflight},
    op::recurrent::Nonlinearity,
    prelude::*,
};
use stacks::*;

const SEEDS: u64 = 20;

type Activation = fn() -> AnyLayer;

const ACTIVATIONS: [(&str, Activation, &str); 9] = [
    ("gelu", || AnyLayer::new(Gelu), "He"),
    ("gelu_tanh", || AnyLayer::new(GeluTanh), "He"),
    ("silu", || AnyLayer::new(Silu), "He"),
    ("elu", || AnyLayer::new(Elu::default()), "He"),
    ("selu", || AnyLayer::new(Selu), "LeCun"),
    ("leaky_relu", || AnyLayer::new(LeakyRelu::default()), "He"),
    ("softplus", || AnyLayer::new(Softplus), "He"),
    ("log_sigmoid", || AnyLayer::new(LogSigmoid), "He"),
    ("hardtanh", || AnyLayer::new(Hardtanh), "Xavier"),
];

/// Nine layers of one activation with usual weights, all multiplied; with its check.
fn looked_at(activation: Activation, init: &str, scale: f64, seed: u64) -> Report {
    let rng = &mut Rng::seed(seed);
    let init = match init {
        "He" => Init::he(),
        "LeCun" => Init::lecun(),
        _ => Init::xavier(),
    };
    let mut layer = || {
        let mut dense = Dense::with_init(64, 64, init, rng);
        dense.weight.value = dense.weight.value.scale(scale);
        AnyLayer::new((dense, activation()))
    };
    let layers: Vec<AnyLayer> = (0..9).map(|_| layer()).collect();
    let net = (layers, Dense::with_init(64, 10, Init::lecun(), rng));
    let (x, y) = batch(32, 64, &mut Rng::seed(100 + seed));
    preflight(&net, |r| net.forward(&r.constant(&x)).softmax_cross_entropy(&y)).unwrap()
}

#[test]
fn every_activation_is_healthy_with_its_weights_and_healed_without() {
    for (name, activation, init) in ACTIVATIONS {
        for seed in 0..SEEDS {
            let report = looked_at(activation, init, 1.0, seed);
            assert_eq!(kinds(&report), [(Kind::Healthy, Severity::Good)], "{name}, seed {seed}\n{report}");
            assert_eq!(report.samples()[0].layers[3].activation, Some(name));
            for (scale, kind, cause) in
                [(0.3, Kind::Vanishing, Cause::SmallWeights), (5.0, Kind::Exploding, Cause::LargeWeights)]
            {
                let report = looked_at(activation, init, scale, seed);
                assert_eq!(report.kinds(), [kind], "{name} x {scale}, seed {seed}\n{report}");
                let verdict = &report.verdicts()[0];
                assert_eq!(verdict.cause, cause, "{name} x {scale}, seed {seed}\n{report}");
                let first = &verdict.remedies[0];
                assert!(matches!(first.change, Change::Redraw(_)), "{name} x {scale}, seed {seed}\n{report}");
                assert_eq!(first.tried.unwrap().left, None, "{name} x {scale}, seed {seed}\n{report}");
            }
        }
    }
}

/// The mean slope over the largest one, by autodiff; NaN where outputs do not tell it.
#[test]
fn slopes_are_those_of_the_activation() {
    let most = [("selu", 1.050_700_987 * 1.673_263_242), ("softplus", 1.0), ("log_sigmoid", 1.0), ("hardtanh", 1.0)];
    for (name, activation, init) in ACTIVATIONS {
        let report = looked_at(activation, init, 1.5, 3);
        let seen = &report.samples()[0].layers[0];
        assert!(seen.saturated.is_nan() && seen.silent.is_nan(), "{name}: {seen:?}");
        let Some((_, most)) = most.iter().find(|(n, _)| *n == name) else {
            assert!(seen.slope.is_nan(), "{name}: {}", seen.slope);
            continue;
        };
        let rng = &mut Rng::seed(3);
        let init = if init == "LeCun" {
            Init::lecun()
        } else if init == "He" {
            Init::he()
        } else {
            Init::xavier()
        };
        let dense = Dense::with_init(64, 64, init, rng);
        let z = batch(32, 64, &mut Rng::seed(103)).0.matmul_nt(&dense.weight.value.scale(1.5));
        let mut tape = Tape::new();
        let z = tape.begin().variable(&z);
        let slopes = activation().forward(&z).sum().grads_of(&[z]).unwrap();
        let expect = slopes[0].mean().item() / most;
        assert!((seen.slope / expect - 1.0).abs() < 1e-4, "{name}: {} and {expect}", seen.slope);
    }
}

/// Large weights saturate, too: one root.
#[test]
fn what_explodes_and_saturates_has_one_root() {
    for seed in 0..SEEDS {
        let net: Stack = stack(&sizes(100, 9), Phi::Tanh, |_| normal(1.0), &mut Rng::seed(seed));
        let (x, y) = batch(32, 100, &mut Rng::seed(100 + seed));
        let report = preflight(&net, |r| net.forward(&r.constant(&x)).softmax_cross_entropy(&y)).unwrap();
        assert_eq!(report.kinds(), [Kind::Exploding], "seed {seed}\n{report}");
        let verdict = &report.verdicts()[0];
        assert_eq!(verdict.under.iter().map(|v| v.kind).collect::<Vec<_>>(), [Kind::Saturated], "{report}");
        let first = &verdict.remedies[0];
        assert_eq!((&first.change, first.tried.unwrap().left), (&Change::Redraw("Xavier"), None), "{report}");
        // As many as stay in range: saturation alone, and Xavier heals it.
        let net: Stack = stack(&sizes(64, 9), Phi::Tanh, |n| normal(2.0 / (n as f64).sqrt()), &mut Rng::seed(seed));
        let (x, y) = batch(32, 64, &mut Rng::seed(100 + seed));
        let report = preflight(&net, |r| net.forward(&r.constant(&x)).softmax_cross_entropy(&y)).unwrap();
        assert_eq!(kinds(&report), [(Kind::Saturated, Severity::Warn)], "seed {seed}\n{report}");
        let first = &report.verdicts()[0].remedies[0];
        assert_eq!((&first.change, first.tried.unwrap().left), (&Change::Redraw("Xavier"), None), "{report}");
    }
}

// ---- recurrent layers ---------------------------------------------------------------------------------------------------------

/// A loss at the end of a hundred steps.
fn in_time<N: Layer<f64>>(net: &N, std: f64, seed: u64) -> Report {
    let x = Tensor::normal_of([100, 8, 32], 0.0, std, &mut Rng::seed(60 + seed));
    Preflight::new().run(net, |r| net.forward(&r.constant(&x)).slice(0, 99..100).square().sum()).unwrap()
}

#[test]
fn gated_cells_are_healed_by_the_bias_of_the_gate_that_keeps() {
    for seed in 0..SEEDS {
        let rng = &mut Rng::seed(seed);
        let nets: [(AnyLayer<f64>, Change, usize); 3] = [
            (AnyLayer::new(Lstm::new(32, 32, rng)), Change::ForgetBias(3.0), 1),
            (AnyLayer::new(Lstm::stacked(32, 32, 2, rng)), Change::ForgetBias(3.0), 2),
            (AnyLayer::new(Gru::new(32, 32, rng)), Change::UpdateBias(3.0), 1),
        ];
        for (net, change, layers) in nets {
            let report = in_time(&net, 1.0, seed);
            assert_eq!(report.kinds(), vec![Kind::VanishingThroughTime; layers], "seed {seed}\n{report}");
            for verdict in report.verdicts() {
                let tried: Vec<_> = verdict.remedies.iter().map(|r| (&r.change, r.tried.unwrap().left)).collect();
                assert_eq!(tried, [(&change, None), (&Change::Chrono(100), None)], "seed {seed}\n{report}");
            }
        }
    }
}

#[test]
fn simple_cells_that_explode_are_healed_by_their_weights() {
    for seed in 0..SEEDS {
        let rng = &mut Rng::seed(seed);
        let net = Rnn::<f64>::new(32, 32, rng).nonlinearity(Nonlinearity::Relu);
        let net = net.recurrent_init(normal(2.0 / 32f64.sqrt()), rng);
        let report = in_time(&net, 1.0, seed);
        assert_eq!(kinds(&report), [(Kind::ExplodingThroughTime, Severity::Severe)], "seed {seed}\n{report}");
        let verdict = &report.verdicts()[0];
        let changes = verdict.remedies.iter().filter(|r| r.tried.is_some());
        let left: Vec<_> = changes.map(|r| (r.change.clone(), r.tried.unwrap().left.map(|(kind, _)| kind))).collect();
        assert!(matches!(left[0].0, Change::ScaleRecurrence(_)) && left.len() == 3, "{report}");
        // By the largest singular value it does not explode for certain.
        let certain = left.iter().filter(|(c, _)| matches!(c, Change::ScaleRecurrence(c) if *c < 0.35));
        assert!(certain.clone().count() >= 1, "{report}");
        for (change, kind) in certain {
            assert_ne!(*kind, Some(Kind::ExplodingThroughTime), "{change}, seed {seed}\n{report}");
        }
    }
}
