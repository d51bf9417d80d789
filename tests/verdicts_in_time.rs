//! Verdicts on recurrent networks, against closed forms and the decades that other programs found.
use chainrule::{
    flow::{Change, Kind, Metric, Omega, Preflight, Report, Severity},
    op::recurrent::Nonlinearity,
    prelude::*,
};

const STEPS: usize = 100;

fn check<N: Layer<f64>>(net: &N, x: &Tensor<f64>, everywhere: bool) -> Report {
    let look = Preflight::new();
    look.run(net, |r| {
        let y = net.forward(&r.constant(x));
        let steps = y.shape()[0];
        if everywhere { y.square().mean() } else { y.slice(0, steps - 1..steps).square().sum() }
    })
    .unwrap()
}

fn input(steps: usize, inputs: usize, std: f64, seed: u64) -> Tensor<f64> {
    Tensor::normal_of([steps, 8, inputs], 0.0, std, &mut Rng::seed(seed))
}

fn kinds(report: &Report) -> Vec<(Kind, Severity)> {
    report.verdicts().iter().map(|v| (v.kind, v.severity)).collect()
}

#[test]
fn a_number_to_a_power_has_its_closed_form() {
    let expect = [
        (0.9, (Kind::VanishingThroughTime, Severity::Warn)),
        (1.0, (Kind::Healthy, Severity::Good)),
        (1.1, (Kind::ExplodingThroughTime, Severity::Severe)),
    ];
    for (w, verdict) in expect {
        let mut net = Rnn::<f64>::new(1, 1, &mut Rng::seed(1)).nonlinearity(Nonlinearity::Linear);
        net.cells[0].w_hh.value = Tensor::of([1, 1], vec![w]);
        let report = check(&net, &input(STEPS, 1, 1.0, 2), false);
        assert_eq!(kinds(&report), [verdict], "{report}");
        let time = &report.samples()[0].time[0];
        assert!((time.rho - w).abs() < 1e-9 && time.steps == STEPS);
        if w < 1.0 {
            assert!((time.horizon - 0.01f64.ln() / w.ln()).abs() < 1e-6);
            assert!((report.verdicts()[0].number(Metric::Sigma).unwrap() - w).abs() < 1e-9);
            assert!(report.to_string().contains("certain to vanish"), "{report}");
        }
    }
}

#[test]
fn a_simple_network_vanishes_also_with_a_loss_at_every_step() {
    for seed in 0..20 {
        let net = Rnn::<f64>::new(64, 64, &mut Rng::seed(seed));
        let x = input(STEPS, 64, 1.0, 40 + seed);
        let (end, all) = (check(&net, &x, false), check(&net, &x, true));
        for report in [&end, &all] {
            assert_eq!(kinds(report), [(Kind::VanishingThroughTime, Severity::Severe)], "seed {seed}\n{report}");
        }
        let verdict = &end.verdicts()[0];
        let orthogonal = verdict.remedies.iter().find(|r| r.change == Change::OrthogonalRecurrence).unwrap();
        assert!(orthogonal.tried.unwrap().rate > verdict.number(Metric::Rho).unwrap(), "{verdict}");
    }
}

/// With a loss at every step the norms themselves look level; what is transported does not.
#[test]
fn rates_are_those_of_what_is_transported() {
    for seed in 0..5 {
        let rng = &mut Rng::seed(seed);
        let init = Init::Normal { mean: 0.0, std: 0.125 };
        let net = Rnn::<f64>::new(64, 64, rng).recurrent_init(init, rng).input_init(init, rng).zero_bias();
        let x = input(STEPS, 64, 1.0, 40 + seed);
        let end = check(&net, &x, false);
        // Another readout at each step: a square of the output would look where its own slopes are smallest.
        let readout = Tensor::normal_of([STEPS, 8, 64], 0.0, 1.0, rng);
        let all = Preflight::new().run(&net, |r| (net.forward(&r.constant(&x)) * r.constant(&readout)).sum()).unwrap();
        let time = |r: &Report| r.samples()[0].time[0].clone();
        assert!((time(&all).rho / time(&end).rho - 1.0).abs() < 0.05, "{} {}", time(&all).rho, time(&end).rho);
        let naive = |r: &Report| time(r).profile[0] - time(r).profile[62];
        assert!(naive(&all) > -1.0 && naive(&end) < -10.0, "{} {}", naive(&all), naive(&end));
        assert_eq!((all.kinds(), end.kinds()), (vec![Kind::VanishingThroughTime], vec![Kind::VanishingThroughTime]));
    }
}

#[test]
fn forget_biases_decide_about_an_lstm() {
    for seed in 0..5 {
        let rng = &mut Rng::seed(seed);
        let net = Lstm::<f64>::new(32, 32, rng);
        let x = |steps| input(steps, 32, 1.0, 60 + seed);
        let report = check(&net, &x(STEPS), false);
        assert_eq!(report.kinds(), [Kind::VanishingThroughTime], "bias 1, seed {seed}\n{report}");
        let verdict = &report.verdicts()[0];
        let horizon = verdict.number(Metric::Horizon).unwrap();
        assert!((15.0..35.0).contains(&horizon), "{report}");
        let bias = verdict.remedies.iter().find(|r| matches!(r.change, Change::ForgetBias(_))).unwrap();
        assert_eq!(bias.tried.unwrap().left, None, "{report}");
        assert_eq!(kinds(&check(&net, &x(20), false)), [(Kind::Healthy, Severity::Good)], "20 steps");
        let three = net.clone().forget_bias(3.0);
        assert_eq!(kinds(&check(&three, &x(STEPS), false)), [(Kind::Healthy, Severity::Good)], "bias 3");
        let chrono = net.chrono(100.0, rng).unwrap();
        assert_eq!(kinds(&check(&chrono, &x(STEPS), false)), [(Kind::Healthy, Severity::Good)], "chrono");
    }
}

#[test]
fn the_gates_product_is_that_of_the_bias() {
    for b in [-1.0, 0.5, 3.0] {
        let mut net = Lstm::<f64>::new(4, 4, &mut Rng::seed(1)).zero_bias().forget_bias(b);
        net.cells[0].w_ih.value = Tensor::filled([16, 4], 0.0);
        net.cells[0].w_hh.value = Tensor::filled([16, 4], 0.0);
        // Something in the cell, or no gradient would come back: the candidate's bias.
        net.cells[0].b_ih.as_mut().unwrap().value.data_mut()[8..12].fill(1.0);
        let report = check(&net, &input(STEPS, 4, 1.0, 2), false);
        let time = &report.samples()[0].time[0];
        let sigma = 1.0 / (1.0 + f64::exp(-b));
        assert!((time.gate - sigma).abs() < 1e-9 && (time.gate_product - 100.0 * sigma.log10()).abs() < 1e-6);
        assert!((time.rho / sigma - 1.0).abs() < 1e-6, "{} and {sigma}", time.rho);
    }
}

#[test]
fn rectified_networks_of_twice_the_gain_explode() {
    for seed in 0..20 {
        let rng = &mut Rng::seed(seed);
        let net = Rnn::<f64>::new(16, 32, rng).nonlinearity(Nonlinearity::Relu);
        let net = net.recurrent_init(Init::Normal { mean: 0.0, std: 2.0 / 32f64.sqrt() }, rng);
        let report = check(&net, &input(STEPS, 16, 0.25, seed), false);
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

#[test]
fn omega_and_its_derivative_are_right() {
    let rng = &mut Rng::seed(1);
    let net = Rnn::<f64>::new(2, 4, rng);
    let x = Tensor::normal_of([6, 3, 2], 0.0, 1.0, rng);
    let mut tape = Tape::new();
    for form in [Omega::Norms, Omega::Squares] {
        let g = recorded(&net, &x, form, tape.begin()).1.backward(&net).unwrap();
        for (path, grad) in g.iter() {
            for k in [0, 3, grad.data().len() - 1] {
                let mut at = |h: f64| {
                    let mut net = net.clone();
                    net.param_mut(path).unwrap().value.data_mut()[k] += h;
                    omega(&net, &x, form, tape.begin())
                };
                let (h, exact) = (1e-5, grad.data()[k]);
                let difference = (at(h) - at(-h)) / (2.0 * h);
                assert!(
                    (exact - difference).abs() < 1e-6 + 1e-4 * exact.abs(),
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
