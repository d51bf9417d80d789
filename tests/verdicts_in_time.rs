//! Verdicts on recurrent networks, against closed forms and the decades that other programs found.
use chainrule::{
    flow::{Kind, Metric, Monitor, Omega, Preflight, Report, Severity, TimeSample},
    op::recurrent::Nonlinearity,
    prelude::*,
};

const STEPS: usize = 100;
const SEEDS: u64 = 20;

fn look<F: Real, N: Layer<F>>(net: &N, loss: impl for<'t> Fn(Var<'t, F>) -> Var<'t, F>, x: &Tensor<F>) -> Report {
    Preflight::new().without_trials().run(net, |r| loss(net.forward(&r.constant(x)))).unwrap()
}

/// A loss at the last step alone.
fn at_the_end<F: Real, N: Layer<F>>(net: &N, x: &Tensor<F>) -> Report {
    let steps = x.shape()[0];
    look(net, |y| y.slice(0, steps - 1..steps).square().sum(), x)
}

/// A loss at every step, with another readout at each.
fn at_every_step<F: Real, N: Layer<F>>(net: &N, x: &Tensor<F>, hidden: usize, rng: &mut Rng) -> Report {
    let readout = Tensor::normal_of([x.shape()[0], 8, hidden], 0.0, 1.0, rng);
    look(net, |y| (y * y.constant(&readout)).sum(), x)
}

fn input<F: Real>(steps: usize, inputs: usize, std: f64, seed: u64) -> Tensor<F> {
    Tensor::normal_of([steps, 8, inputs], 0.0, std, &mut Rng::seed(seed))
}

fn kinds(report: &Report) -> Vec<(Kind, Severity)> {
    report.verdicts().iter().map(|v| (v.kind, v.severity)).collect()
}

fn time(report: &Report) -> &TimeSample {
    &report.samples()[0].time[0]
}

const HEALTHY: [(Kind, Severity); 1] = [(Kind::Healthy, Severity::Good)];
const SEVERE: [(Kind, Severity); 1] = [(Kind::VanishingThroughTime, Severity::Severe)];

/// Row 14.
#[test]
fn a_number_to_a_power_has_its_closed_form() {
    let expect = [
        (0.9, (Kind::VanishingThroughTime, Severity::Warn)),
        (1.0, (Kind::Healthy, Severity::Good)),
        (1.1, (Kind::ExplodingThroughTime, Severity::Severe)),
    ];
    for seed in 0..SEEDS {
        for (w, verdict) in expect {
            let mut net = Rnn::<f64>::new(1, 1, &mut Rng::seed(seed)).nonlinearity(Nonlinearity::Linear);
            net.cells[0].w_hh.value = Tensor::of([1, 1], vec![w]);
            let x = input(STEPS, 1, 1.0, 20 + seed);
            for report in [at_the_end(&net, &x), at_every_step(&net, &x, 1, &mut Rng::seed(seed))] {
                assert_eq!(kinds(&report), [verdict], "{report}");
                let t = time(&report);
                assert!((t.rho - w).abs() < 1e-9 && (t.probed_rho - w).abs() < 1e-9 && t.steps == STEPS);
                if w < 1.0 {
                    let horizon = 0.01f64.ln() / w.ln();
                    assert!((t.horizon - horizon).abs() < 1e-6 && (t.probed_horizon - horizon).abs() < 1e-6);
                    assert!((report.verdicts()[0].number(Metric::Sigma).unwrap() - w).abs() < 1e-9);
                    assert!(report.to_string().contains("certain to vanish"), "{report}");
                }
            }
        }
    }
}

/// Rows 15 and 16. With a loss at every step the norms themselves look level, and even grow; what is transported does not.
#[test]
fn a_simple_network_vanishes_also_with_a_loss_at_every_step() {
    let mut off = vec![];
    for seed in 0..SEEDS {
        let rng = &mut Rng::seed(seed);
        let net = Rnn::<f64>::new(64, 64, rng);
        let x = input(STEPS, 64, 1.0, 40 + seed);
        let (end, all) = (at_the_end(&net, &x), at_every_step(&net, &x, 64, rng));
        for report in [&end, &all] {
            assert_eq!(kinds(report), SEVERE, "seed {seed}\n{report}");
            assert!(report.verdicts()[0].number(Metric::Horizon).unwrap() < 10.0, "seed {seed}\n{report}");
        }
        let naive = |r: &Report| time(r).profile[0] - time(r).profile[63];
        assert!(naive(&all) > 0.0 && naive(&end) < -30.0, "seed {seed}: {} {}", naive(&all), naive(&end));
        // The probe starts at one step, and measures what row 15 did, from another direction.
        let probed = time(&all).probed_rho / time(&end).rho - 1.0;
        assert!(probed.abs() < 0.02, "seed {seed}: the probe is off by {probed}");
        let transported = time(&all).rho / time(&end).rho - 1.0;
        assert!(transported.abs() < 0.1, "seed {seed}: the transported rate is off by {transported}");
        off.push(transported.abs());
    }
    off.sort_by(f64::total_cmp);
    assert!(off[17] < 0.05, "off by {off:?}"); // one of these networks is off by more
}

/// The same with weights from N(0, 1/n), where each seed is within 5 %.
#[test]
fn rates_are_those_of_what_is_transported() {
    for seed in 0..SEEDS {
        let rng = &mut Rng::seed(seed);
        let init = Init::Normal { mean: 0.0, std: 0.125 };
        let net = Rnn::<f64>::new(64, 64, rng).recurrent_init(init, rng).input_init(init, rng).zero_bias();
        let x = input(STEPS, 64, 1.0, 40 + seed);
        let (end, all) = (at_the_end(&net, &x), at_every_step(&net, &x, 64, rng));
        assert!((time(&all).rho / time(&end).rho - 1.0).abs() < 0.05, "{} {}", time(&all).rho, time(&end).rho);
        assert_eq!((all.kinds(), end.kinds()), (vec![Kind::VanishingThroughTime], vec![Kind::VanishingThroughTime]));
    }
}

/// A sigmoid network in the cell of tanh: `sigmoid(z) = (1 + tanh(z / 2)) / 2`, so that `2 h - 1` runs through a tanh network with
/// a quarter of the recurrent weights, half of the input weights, and a bias for the halves.
fn sigmoid_network<F: Real>(seed: u64) -> Rnn<F> {
    let rng = &mut Rng::seed(seed);
    let init = Init::Normal { mean: 0.0, std: 0.125 };
    let mut net = Rnn::<F>::new(64, 64, rng).recurrent_init(init, rng).input_init(init, rng).zero_bias();
    let cell = &mut net.cells[0];
    let quarter = |row: &[F]| F::of(row.iter().map(|w| w.f64()).sum::<f64>() / 4.0);
    let bias: Vec<F> = cell.w_hh.value.data().chunks(64).map(quarter).collect();
    cell.b_ih.as_mut().unwrap().value = Tensor::of([64], bias);
    cell.w_hh.value = cell.w_hh.value.scale(0.25);
    cell.w_ih.value = cell.w_ih.value.scale(0.5);
    net
}

/// Row 15: what is 1e-67 of a signal is 0 in f32, and the verdict the same.
#[test]
fn a_sigmoid_network_underflows_and_is_told() {
    for seed in 0..SEEDS {
        let long = at_the_end(&sigmoid_network::<f64>(seed), &input(STEPS, 64, 1.0, seed));
        let short = at_the_end(&sigmoid_network::<f32>(seed), &input(STEPS, 64, 1.0, seed));
        for report in [&long, &short] {
            assert_eq!(kinds(report), SEVERE, "seed {seed}\n{report}");
            let t = time(report);
            assert!(t.rho > 0.0 && t.horizon < 10.0 && t.probed_horizon < 10.0, "seed {seed}: {t:?}");
            assert!(t.sigma < 1.0 && report.to_string().contains("certain to vanish"), "{report}");
        }
        let left = time(&long).profile[0] - time(&long).profile[63];
        assert!((-71.0..-62.0).contains(&left), "seed {seed}: 10^{left}"); // FLOW's 1.6e-67
        assert_eq!(time(&short).profile[0], f64::NEG_INFINITY);
        assert!((time(&short).rho / time(&long).rho - 1.0).abs() < 0.1, "seed {seed}");
    }
}

/// Row 18.
#[test]
fn forget_biases_decide_about_an_lstm() {
    for seed in 0..SEEDS {
        let rng = &mut Rng::seed(seed);
        let net = Lstm::<f64>::new(64, 64, rng);
        let x = |steps| input(steps, 64, 1.0, 60 + seed);
        let (report, short) = (at_the_end(&net, &x(STEPS)), at_the_end(&net, &x(20)));
        assert_eq!(kinds(&report), [(Kind::VanishingThroughTime, Severity::Warn)], "bias 1, seed {seed}\n{report}");
        let horizon = report.verdicts()[0].number(Metric::Horizon).unwrap();
        assert!((20.0..25.0).contains(&horizon), "seed {seed}: {horizon}");
        assert!((20.0..25.0).contains(&time(&report).horizon), "seed {seed}: {}", time(&report).horizon);
        assert_eq!(kinds(&short), HEALTHY, "20 steps, seed {seed}\n{short}");
        let three = at_the_end(&net.clone().forget_bias(3.0), &x(STEPS));
        assert_eq!(kinds(&three), HEALTHY, "bias 3, seed {seed}\n{three}");
        let chrono = at_the_end(&net.chrono(100.0, rng).unwrap(), &x(STEPS));
        assert_eq!(kinds(&chrono), HEALTHY, "chrono, seed {seed}\n{chrono}");
    }
}

/// Of a stack, each layer has its own probe; with a loss at every step the rates of single steps read a quarter too short.
#[test]
fn every_layer_has_its_own_exact_horizon() {
    for seed in 0..SEEDS {
        let rng = &mut Rng::seed(seed);
        let one = Lstm::<f64>::new(32, 32, rng);
        let x = input(STEPS, 32, 1.0, 60 + seed);
        let net = Lstm::of(vec![one.cells[0].clone(), Lstm::<f64>::new(32, 32, rng).cells[0].clone()]).unwrap();
        let (report, alone) = (at_every_step(&net, &x, 32, rng), at_every_step(&one, &x, 32, rng));
        let stacked = &report.samples()[0].time;
        assert_eq!(stacked.len(), 2);
        // Nothing of what lies above it is in the probe of a layer.
        assert_eq!(stacked[0].probed_rho, time(&alone).probed_rho, "seed {seed}");
        assert_ne!(stacked[0].probed_rho, stacked[1].probed_rho);
        assert!(stacked.iter().all(|t| t.horizon < 0.9 * t.probed_horizon), "seed {seed}: {stacked:?}");
    }
    // A monitor in training makes no probes.
    let (net, x) = (Lstm::<f64>::new(4, 4, &mut Rng::seed(1)), input(10, 4, 1.0, 2));
    let (mut tape, mut monitor) = (Tape::new(), Monitor::new());
    net.forward(&tape.begin().constant(&x)).square().mean().backward_with(&net, &mut monitor).unwrap();
    assert!(time(&monitor.report()).probed_rho.is_nan());
}

/// Row 17.
#[test]
fn the_gates_product_is_that_of_the_bias() {
    for b in [-1.0, 0.5, 3.0] {
        let mut net = Lstm::<f64>::new(4, 4, &mut Rng::seed(1)).zero_bias().forget_bias(b);
        net.cells[0].w_ih.value = Tensor::filled([16, 4], 0.0);
        net.cells[0].w_hh.value = Tensor::filled([16, 4], 0.0);
        // Something in the cell, or no gradient would come back: the candidate's bias.
        net.cells[0].b_ih.as_mut().unwrap().value.data_mut()[8..12].fill(1.0);
        let report = at_the_end(&net, &input(STEPS, 4, 1.0, 2));
        let (t, sigma) = (time(&report), 1.0 / (1.0 + f64::exp(-b)));
        assert!((t.gate - sigma).abs() < 1e-9 && (t.gate_product - 100.0 * sigma.log10()).abs() < 1e-6);
        assert!((t.rho / sigma - 1.0).abs() < 1e-6, "{} and {sigma}", t.rho);
        assert!((t.probed_rho / sigma - 1.0).abs() < 1e-6, "{} and {sigma}", t.probed_rho);
    }
}

/// Row 19.
#[test]
fn rectified_networks_of_twice_the_gain_explode() {
    for seed in 0..SEEDS {
        let rng = &mut Rng::seed(seed);
        let net = Rnn::<f64>::new(64, 64, rng).nonlinearity(Nonlinearity::Relu);
        let net = net.recurrent_init(Init::Normal { mean: 0.0, std: 2.0 / 8.0 }, rng);
        let report = at_the_end(&net, &input(STEPS, 64, 1.0, seed));
        assert_eq!(kinds(&report), [(Kind::ExplodingThroughTime, Severity::Severe)], "seed {seed}\n{report}");
    }
}

// ---- Omega ------------------------------------------------------------------------------------------------------------------

/// The states of a small network over six steps, and a loss.
fn omega(net: &Rnn<f64>, x: &Tensor<f64>, form: Omega, r: &Recording<f64>) -> f64 {
    recorded(net, x, form, r).1.item()
}

fn recorded<'t>(net: &Rnn<f64>, x: &Tensor<f64>, form: Omega, r: &'t Recording<f64>) -> (Var<'t, f64>, Var<'t, f64>) {
    let (mut state, mut states) = (net.zero_state(r, 3), vec![]);
    for t in 0..x.shape()[0] {
        let here = TensorLike::squeeze(&TensorLike::slice(x, 0, t..t + 1), 0);
        state = net.step(&r.constant(&here), Some(&state));
        states.push(*state.output());
    }
    let loss = states.iter().fold(states[0].square().sum(), |sum, s| sum + s.square().mean());
    (loss, form.of(loss, &states))
}

/// Row 20.
#[test]
fn omega_and_its_derivative_are_right() {
    let rng = &mut Rng::seed(1);
    let net = Rnn::<f64>::new(2, 4, rng);
    let x = Tensor::normal_of([6, 3, 2], 0.0, 1.0, rng);
    let mut tape = Tape::new();
    for form in [Omega::Norms, Omega::Squares] {
        let g = recorded(&net, &x, form, tape.begin()).1.backward(&net).unwrap();
        for (path, grad) in g.iter() {
            for k in 0..grad.data().len() {
                let mut at = |h: f64| {
                    let mut net = net.clone();
                    net.param_mut(path).unwrap().value.data_mut()[k] += h;
                    omega(&net, &x, form, tape.begin())
                };
                let (h, exact) = (1e-5, grad.data()[k]);
                let difference = (at(h) - at(-h)) / (2.0 * h);
                assert!(
                    (exact - difference).abs() < 1e-7 + 1e-4 * exact.abs(),
                    "{form:?} {path} {k}: {exact} {difference}"
                );
            }
        }
    }
}

/// An orthogonal linear network keeps every norm; half of it leaves a half: (1/2 - 1)^2, and (1/4 - 1)^2, at each of five steps.
#[test]
fn omega_has_its_closed_form() {
    let rng = &mut Rng::seed(1);
    let net = Rnn::<f64>::new(2, 4, rng).nonlinearity(Nonlinearity::Linear).recurrent_init(Init::orthogonal(), rng);
    let x = Tensor::normal_of([6, 3, 2], 0.0, 1.0, rng);
    let mut half = net.clone();
    half.cells[0].w_hh.value = &half.cells[0].w_hh.value * 0.5;
    let mut tape = Tape::new();
    for (form, expect) in [(Omega::Norms, 5.0 * 0.25), (Omega::Squares, 5.0 * 0.5625)] {
        assert!(omega(&net, &x, form, tape.begin()).abs() < 1e-12);
        assert!((omega(&half, &x, form, tape.begin()) - expect).abs() < 1e-9);
    }
}
