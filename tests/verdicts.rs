//! Each verdict where it belongs, and nowhere else: FLOW's table of networks, 20 seeds each.
#[path = "common/stacks.rs"]
mod stacks;

use chainrule::{
    flow::{Cause, Change, Kind, Metric, Preflight, Severity, preflight},
    prelude::*,
};
use stacks::*;

const SEEDS: u64 = 20;

/// A network of the table: name, sizes, activation, weights, verdict, and bounds of the gain.
type Row = (&'static str, Vec<usize>, Phi, fn(usize) -> Init, (Kind, Severity), [f64; 2]);

fn root(n: usize) -> f64 {
    (n as f64).sqrt()
}

fn table() -> Vec<Row> {
    let article = vec![784, 100, 100, 100];
    let healthy = (Kind::Healthy, Severity::Good);
    let vanishing = |s| (Kind::Vanishing, s);
    let exploding = |s| (Kind::Exploding, s);
    use Severity::{Severe, Warn};
    vec![
        ("2 sigmoid, 3 hidden", article, Phi::Sigmoid, |n| normal(1.0 / root(n)), vanishing(Warn), [0.21, 0.26]),
        ("3 sigmoid, 9 hidden", sizes(64, 9), Phi::Sigmoid, |n| normal(1.0 / root(n)), vanishing(Severe), [0.21, 0.26]),
        ("5 tanh, tiny", sizes(64, 9), Phi::Tanh, |_| normal(0.01), vanishing(Severe), [0.06, 0.1]),
        ("6 linear, twice", sizes(64, 9), Phi::Linear, |n| normal(2.0 / root(n)), exploding(Warn), [1.85, 2.15]),
        ("7 relu, N(0, 1)", sizes(64, 9), Phi::Relu, |_| normal(1.0), exploding(Severe), [4.5, 7.0]),
        ("8 sigmoid, N(0, 1)", sizes(100, 9), Phi::Sigmoid, |_| normal(1.0), (Kind::Saturated, Severe), [0.85, 1.1]),
        ("9 relu, He", sizes(64, 10), Phi::Relu, |_| Init::he(), healthy, [0.8, 1.25]),
        ("9 relu, He, narrow", sizes(16, 10), Phi::Relu, |_| Init::he(), healthy, [0.6, 1.5]),
        ("9 tanh, Xavier", sizes(64, 10), Phi::Tanh, |_| Init::xavier(), healthy, [0.8, 1.1]),
        ("9 relu, U, 3 hidden", sizes(64, 3), Phi::Relu, |_| Init::standard(), healthy, [0.33, 0.5]),
        ("11 relu, He, 30 layers", sizes(64, 30), Phi::Relu, |_| Init::he(), healthy, [0.9, 1.1]),
    ]
}

#[test]
fn each_network_has_its_verdict_whatever_the_loss_is_multiplied_by() {
    for (name, sizes, phi, init, expect, [lo, hi]) in table() {
        for seed in 0..SEEDS {
            let net: Stack = stack(&sizes, phi, init, &mut Rng::seed(seed));
            let look = |scale: f64| check(&net, 32, sizes[0], scale, 100 + seed);
            let report = look(1.0);
            assert_eq!(kinds(&report), [expect], "{name}, seed {seed}\n{report}");
            let gain = rate(&report);
            assert!(gain > lo && gain < hi, "{name}, seed {seed}: gain {gain}");
            factors_multiply(&report, 1e-4);
            if seed < 3 {
                for scale in [1e-8, 1e8] {
                    let other = look(scale);
                    assert_eq!(kinds(&other), [expect], "{name}, seed {seed}, loss x {scale}\n{other}");
                    assert!((rate(&other) / gain - 1.0).abs() < 1e-5, "{name}: {} and {gain}", rate(&other));
                }
            }
        }
    }
}

#[test]
fn a_relu_with_standard_weights_vanishes_by_its_weights_and_he_heals_it() {
    for seed in 0..SEEDS {
        let net: Stack = stack(&sizes(64, 9), Phi::Relu, |_| Init::standard(), &mut Rng::seed(seed));
        let (x, y) = batch(32, 64, &mut Rng::seed(50 + seed));
        let report = preflight(&net, |r| net.forward(&r.constant(&x)).softmax_cross_entropy(&y)).unwrap();
        assert_eq!(report.kinds(), [Kind::Vanishing], "{report}");
        let verdict = &report.verdicts()[0];
        assert_eq!(verdict.cause, Cause::SmallWeights);
        assert!((0.36..0.46).contains(&rate(&report)), "{report}");
        let he = verdict.remedies.iter().find(|r| r.change == Change::Redraw("He")).unwrap();
        assert_eq!(he.tried.unwrap().left, None, "{report}");
    }
}

/// The closed form: the gain is that of the matrices.
#[test]
fn chains_of_multiples_of_one_have_exactly_that_gain() {
    let kind = [(0.5, Kind::Vanishing), (1.0, Kind::Healthy), (2.0, Kind::Exploding)];
    for (g, expect) in kind {
        let mut net: Stack<f64> = stack(&sizes(8, 9), Phi::Linear, |_| Init::Identity, &mut Rng::seed(1));
        for layer in &mut net.hidden {
            layer.weight.value = &layer.weight.value * g;
        }
        let report = check(&net, 16, 8, 1.0, 2);
        assert_eq!(report.kinds(), [expect], "{report}");
        for layer in &report.samples()[0].layers[..8] {
            assert!((layer.gain - g).abs() < 1e-12 && (layer.f_factor - 1.0).abs() < 1e-12);
            assert!((layer.w_factor - g).abs() < 1e-12);
        }
        factors_multiply(&report, 1e-10);
    }
}

/// Parameter gradients hide it: forward and backward shrinkage cancel in dL/dW.
#[test]
fn vanishing_and_exploding_are_seen_where_gradients_of_weights_are_level() {
    type Net = (Phi, fn(usize) -> Init);
    let nets: [Net; 2] = [(Phi::Tanh, |_| normal(0.01)), (Phi::Linear, |n| normal(2.0 / root(n)))];
    for (phi, init) in nets {
        let net: Stack = stack(&sizes(64, 9), phi, init, &mut Rng::seed(3));
        let report = check(&net, 32, 64, 1.0, 4);
        let layers = &report.samples()[0].layers;
        let ratio = 10f64.powf(layers[0].gradient - layers[8].gradient);
        assert!((0.6..1.7).contains(&ratio), "first over last weight gradient {ratio}");
        let total = 10f64.powf(report.samples()[0].total);
        assert!(!(1e-2..1e2).contains(&total), "{total}");
    }
    let net: Stack = stack(&sizes(64, 9), Phi::Tanh, |_| normal(0.01), &mut Rng::seed(3));
    assert!(check(&net, 32, 64, 1.0, 4).samples()[0].total < -8.0);
}

// ---- nothing wrong ----------------------------------------------------------------------------------------------------------

#[test]
fn residual_tapered_and_normalised_networks_raise_no_alarm() {
    for seed in 0..SEEDS {
        let rng = &mut Rng::seed(seed);
        let net: Stack = stack(&[784, 512, 256, 64], Phi::Relu, |_| Init::he(), rng);
        let report = check(&net, 32, 784, 1.0, seed);
        assert_eq!(report.kinds(), [Kind::Healthy], "tapered {seed}\n{report}");

        // The second matrix of a block is small, as residual networks begin: inside a block the signal is small, too.
        let block = |rng: &mut Rng| {
            let (a, b) = (Dense::with_init(32, 32, Init::he(), rng), Dense::with_init(32, 32, normal(0.02), rng));
            AnyLayer::new(Residual::new((a, Relu, b)))
        };
        let blocks: Vec<AnyLayer> = (0..6).map(|_| block(rng)).collect();
        let net = (Dense::with_init(32, 32, Init::he(), rng), blocks, Dense::with_init(32, 10, Init::lecun(), rng));
        let report = check(&net, 32, 32, 1.0, seed);
        assert_eq!(report.kinds(), [Kind::Healthy], "residual {seed}\n{report}");
        assert_eq!(report.samples()[0].layers.len(), 8, "{report}"); // a block is one stage

        let layer = |rng: &mut Rng| AnyLayer::new((Dense::new(32, 32, rng), LayerNorm::new([32]), Relu));
        let layers: Vec<AnyLayer> = (0..8).map(|_| layer(rng)).collect();
        let net = (layers, Dense::new(32, 10, rng));
        let report = check(&net, 32, 32, 1.0, seed);
        assert_eq!(report.kinds(), [Kind::Healthy], "normalised {seed}\n{report}");
        factors_multiply(&report, 1e-4);
    }
}

#[test]
fn two_hidden_layers_have_no_depth() {
    let net: Stack = stack(&sizes(16, 2), Phi::Sigmoid, |n| normal(1.0 / root(n)), &mut Rng::seed(1));
    let report = check(&net, 8, 16, 1.0, 1);
    assert_eq!(kinds(&report), [(Kind::TooShallow, Severity::Note)]);
    assert!(rate(&report) < 0.3 && report.assert_healthy().is_ok());
}

// ---- parameters ---------------------------------------------------------------------------------------------------------------

#[test]
fn what_is_off_the_path_is_named_with_the_end_of_its_way() {
    let rng = &mut Rng::seed(1);
    let net = (Dense::<f32>::new(6, 6, rng), Dense::new(6, 6, rng), Dense::new(6, 10, rng));
    let (x, y) = batch(8, 6, rng);
    let report = preflight(&net, |r| {
        let cut = net.0.forward(&r.constant(&x)).tanh().detach(); // CUT
        net.2.forward(&net.1.forward(&cut).tanh()).softmax_cross_entropy(&y)
    })
    .unwrap();
    assert_eq!(kinds(&report), [(Kind::Disconnected, Severity::Severe)], "{report}");
    let verdict = &report.verdicts()[0];
    assert_eq!(verdict.paths.iter().map(|p| &**p).collect::<Vec<_>>(), ["0.weight", "0.bias"]);
    let line = include_str!("verdicts.rs").lines().position(|l| l.ends_with("// CUT")).unwrap() + 1;
    let Cause::WayEnds { op, at } = &verdict.cause else { panic!("{verdict:?}") };
    assert!(*op == "tanh" && at.contains(&format!("verdicts.rs:{line}:")), "{op} {at}");
    assert!(report.assert_healthy().unwrap_err().to_string().contains("no way leads from \"0.weight\""));

    let report = preflight(&net, |r| {
        let h = net.0.forward(&r.constant(&x)).tanh();
        net.2.forward(&h).softmax_cross_entropy(&y)
    })
    .unwrap();
    assert_eq!(report.kinds(), [Kind::Disconnected], "never recorded\n{report}");
    assert_eq!(&*report.verdicts()[0].paths[0], "1.weight");
}

#[test]
fn a_head_of_zeros_and_equal_rows_are_symmetric() {
    let mut net: Stack = stack(&sizes(16, 3), Phi::Tanh, |_| Init::xavier(), &mut Rng::seed(1));
    net.out.weight.value = Tensor::zeros([10, 16]);
    let report = check(&net, 16, 16, 1.0, 2);
    assert_eq!(report.kinds(), [Kind::Symmetric], "{report}");
    let verdict = &report.verdicts()[0];
    assert_eq!((&*verdict.paths[0], &verdict.cause), ("out", &Cause::ZeroWeights));
    assert!(verdict.to_string().contains("the layers before get exactly zero"), "{verdict}");

    let mut net: Stack = stack(&sizes(16, 3), Phi::Tanh, |_| Init::xavier(), &mut Rng::seed(1));
    let row: Vec<f32> = net.hidden[1].weight.value.data()[..16].to_vec();
    net.hidden[1].weight.value.data_mut()[48..64].copy_from_slice(&row);
    let report = check(&net, 16, 16, 1.0, 2);
    assert_eq!(report.kinds(), [Kind::Symmetric], "{report}");
    assert_eq!(&*report.verdicts()[0].paths[0], "hidden.1");
    assert_eq!(report.verdicts()[0].number(Metric::EqualRows), Some(1.0));
}

// ---- what is said ---------------------------------------------------------------------------------------------------------

#[test]
fn the_text_is_made_of_the_numbers() {
    let net: Stack = stack(&sizes(64, 9), Phi::Sigmoid, |n| normal(1.0 / root(n)), &mut Rng::seed(1));
    let (x, y) = batch(32, 64, &mut Rng::seed(2));
    let report =
        Preflight::new().seed(3).run(&net, |r| net.forward(&r.constant(&x)).softmax_cross_entropy(&y)).unwrap();
    let verdict = &report.verdicts()[0];
    assert_eq!(verdict.cause, Cause::Activation("sigmoid"));
    let text = verdict.to_string();
    let shrinks = format!("the signal shrinks x{:.3} per layer: layer 1 gets ", rate(&report));
    for part in ["VANISHING (severe)   layers 1..9   step 0", &shrinks, "at most 0.25", "1 relu + He", "-> healthy"] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    let total = 10f64.powf(report.samples()[0].total);
    assert!((5e-7..2e-5).contains(&total), "{total}");
    let scaled = verdict.remedies.iter().find(|r| matches!(r.change, Change::ScaleWeights(_))).unwrap();
    let tried = scaled.tried.unwrap();
    assert!((0.5..0.8).contains(&tried.rate) && tried.left.is_some(), "{scaled:?}");
}

#[test]
fn a_check_changes_nothing_and_draws_from_its_own() {
    let dropout = Dropout::new(0.5).unwrap();
    let net = (Dense::<f32>::new(8, 8, &mut Rng::seed(1)), dropout, Relu, Dense::new(8, 10, &mut Rng::seed(2)));
    let (x, y) = batch(8, 8, &mut Rng::seed(3));
    let before = (net.0.weight.value.clone(), net.3.weight.value.clone());
    let look = |seed| {
        let run = Preflight::new().seed(seed);
        run.run(&net, |r| net.forward(&r.constant(&x)).softmax_cross_entropy(&y)).unwrap().samples().to_vec()
    };
    assert_eq!(look(1)[0].loss, look(1)[0].loss);
    assert_ne!(look(1)[0].loss, look(2)[0].loss);
    assert_eq!((net.0.weight.value.clone(), net.3.weight.value.clone()), before);
}
