//! Verdicts where they were once silent, or wrong.
#[path = "common/stacks.rs"]
mod stacks;

use chainrule::{
    core::Clipped,
    flow::{Change, Control, Kind, Metric, Monitor, Preflight, Report, Sampling, Severity, Verdict, preflight},
    nn::Checkpoint,
    op::recurrent::Nonlinearity,
    optim::ReportUpdates,
    prelude::*,
};
use stacks::*;

const SEVERE: [(Kind, Severity); 1] = [(Kind::VanishingThroughTime, Severity::Severe)];

fn inputs(steps: usize, width: usize, seed: u64) -> Tensor<f64> {
    Tensor::normal_of([steps, 8, width], 0.0, 1.0, &mut Rng::seed(seed))
}

/// The loss of the last step.
fn at_the_end<N: Layer<f64>>(net: &N, x: &Tensor<f64>) -> Report {
    let steps = x.shape()[0];
    let run = Preflight::new().without_trials();
    run.run(net, |r| net.forward(&r.constant(x)).slice(0, steps - 1..steps).square().sum()).unwrap()
}

// ---- recurrent layers ---------------------------------------------------------------------------------------------------------

#[test]
fn a_probe_looks_into_a_checkpoint() {
    let rng = &mut Rng::seed(1);
    let (x, lstm) = (inputs(20, 6, 2), Lstm::<f64>::stacked(6, 6, 2, rng));
    let dense = Dense::<f64>::new(6, 6, rng);
    let probed = |r: &Report| r.samples()[0].time.iter().map(|t| (t.probed_rho, t.probed_horizon)).collect::<Vec<_>>();
    let plain = probed(&at_the_end(&(lstm.clone(), dense.clone()), &x));
    assert!(plain.len() == 2 && plain.iter().all(|(rho, _)| *rho > 0.0), "{plain:?}");
    assert_eq!(probed(&at_the_end(&Checkpoint((lstm.clone(), dense.clone())), &x)), plain);
    assert_eq!(probed(&at_the_end(&(Checkpoint(Checkpoint(lstm)), dense), &x)), plain);
}

/// Recurrent weights of 0, and a rectifier that is shut from some step on.
#[test]
fn a_gradient_that_ends_in_an_exact_zero_vanishes() {
    let mut net = Rnn::<f64>::new(4, 4, &mut Rng::seed(1));
    net.cells[0].w_hh.value = Tensor::filled([4, 4], 0.0);
    let report = at_the_end(&net, &inputs(30, 4, 2));
    assert_eq!(kinds(&report), SEVERE, "{report}");
    assert_eq!(report.verdicts()[0].number(Metric::Horizon), Some(1.0));
    assert!(report.to_string().contains("nothing is left of a gradient after 1 steps"), "{report}");

    // One unit that keeps its state, and is shut by the input of step 16 of 20.
    let mut net = Rnn::<f64>::new(1, 1, &mut Rng::seed(1)).nonlinearity(Nonlinearity::Relu).zero_bias();
    net.cells[0].w_hh.value = Tensor::filled([1, 1], 1.0);
    net.cells[0].w_ih.value = Tensor::filled([1, 1], 1.0);
    let x = Tensor::from_fn([20, 8, 1], |i| if i / 8 == 16 { -1e3 } else { 1.0 });
    let report = at_the_end(&net, &x);
    assert_eq!(kinds(&report), SEVERE, "{report}");
    assert_eq!(report.verdicts()[0].number(Metric::Horizon), Some(4.0), "{report}");

    // The same in a run.
    let (mut tape, mut monitor) = (Tape::new(), Monitor::new());
    for _ in 0..5 {
        let y = net.forward(&tape.begin().constant(&x)).slice(0, 19..20).square().sum();
        y.backward_with(&net, &mut monitor).unwrap();
    }
    assert_eq!(kinds(&monitor.report()), SEVERE);
}

#[test]
fn runs_of_one_step_are_not_healthy_but_unjudged() {
    let rng = &mut Rng::seed(1);
    let net = Lstm::<f64>::new(4, 4, rng);
    let x: Tensor<f64> = Tensor::normal_of([8, 4], 0.0, 1.0, rng);
    let report = preflight(&net, |r| {
        let mut state = net.zero_state(r, 8);
        for _ in 0..50 {
            state = net.step(&r.constant(&x), Some(&state));
        }
        state.output().square().sum()
    })
    .unwrap();
    assert_eq!(kinds(&report), [(Kind::TooShallow, Severity::Note)], "{report}");
    assert!(report.to_string().contains("time could not be judged in \"0\""), "{report}");
}

/// Ten windows of one layer are one verdict, and the worst of them tells the numbers.
#[test]
fn windows_of_a_layer_have_one_verdict() {
    let net = Rnn::<f64>::new(16, 16, &mut Rng::seed(1));
    let x = inputs(205, 16, 2);
    let (mut tape, mut monitor) = (Tape::new(), Monitor::new());
    for _ in 0..4 {
        let y = net.run_truncated(&tape.begin().constant(&x), 20, None).0;
        y.square().sum().backward_with(&net, &mut monitor).unwrap();
    }
    let report = monitor.report();
    let now = report.samples().last().unwrap();
    assert_eq!((report.kinds(), now.time.len()), (vec![Kind::VanishingThroughTime], 11), "{report}");
    let worst = now.time.iter().map(|t| t.horizon / t.steps as f64).fold(f64::INFINITY, f64::min);
    let verdict = &report.verdicts()[0];
    let told = verdict.number(Metric::Horizon).unwrap() / verdict.number(Metric::Steps).unwrap();
    assert_eq!(told, worst, "{report}");
}

/// Twice the weights of a linear layer whose matrix has one direction far larger than those that power iteration begins with.
#[test]
fn a_certificate_is_a_bound_from_above() {
    let rng = &mut Rng::seed(3);
    for n in [2, 5, 32, 100] {
        // Two singular values that 30 multiplications do not tell apart; the larger one is 1.01.
        let start: Vec<f64> = (0..n).map(|i| 1.0 + 0.5 * ((i * i + 1) as f64).sin()).collect();
        let norm = start.iter().map(|x| x * x).sum::<f64>();
        // W = 0.995 v v^T / |v|^2 + 1.01 u u^T with u orthogonal to the start v.
        let mut u: Vec<f64> = (0..n).map(|_| rng.uniform() - 0.5).collect();
        let along = u.iter().zip(&start).map(|(a, b)| a * b).sum::<f64>() / norm;
        u.iter_mut().zip(&start).for_each(|(u, v)| *u -= along * v);
        let length = u.iter().map(|x| x * x).sum::<f64>();
        let w = |i: usize, j: usize| 0.995 * start[i] * start[j] / norm + 1.01 * u[i] * u[j] / length;
        let mut net = Rnn::<f64>::new(n, n, rng).nonlinearity(Nonlinearity::Tanh);
        net.cells[0].w_hh.value = Tensor::from_fn([n, n], |k| w(k / n, k % n));
        let report = at_the_end(&net, &inputs(100, n, 4));
        let sigma = report.samples()[0].time[0].sigma;
        assert!((1.01..1.02).contains(&sigma), "n = {n}: {sigma}");
        assert!(!report.to_string().contains("certain to vanish"), "{report}");
    }
    // Too large to square: the norms of the matrix still bound it.
    let mut net = Rnn::<f32>::new(2, 500, rng);
    net.cells[0].w_hh.value = Tensor::from_fn([500, 500], |k| if k / 500 == k % 500 { 0.5 } else { 0.0 });
    let x: Tensor = Tensor::ones([5, 1, 2]);
    let report = preflight(&net, |r| net.forward(&r.constant(&x)).sum()).unwrap();
    assert!((report.samples()[0].time[0].sigma - 0.5).abs() < 1e-6);
}

/// In a run the bound is known of the first pass, and a verdict needs three.
#[test]
fn a_run_has_its_certificate() {
    let mut net = Rnn::<f64>::new(4, 4, &mut Rng::seed(1));
    net.cells[0].w_hh.value = net.cells[0].w_hh.value.scale(0.5);
    let (x, mut tape, mut monitor) = (inputs(50, 4, 2), Tape::new(), Monitor::new());
    for _ in 0..6 {
        let y = net.forward(&tape.begin().constant(&x)).slice(0, 49..50).square().sum();
        y.backward_with(&net, &mut monitor).unwrap();
    }
    let report = monitor.report();
    assert_eq!(report.kinds(), [Kind::VanishingThroughTime], "{report}");
    assert!(report.to_string().contains("when last measured: below 1, so it was certain to vanish"), "{report}");
}

/// Every twentieth pass: growth at the start is told by the first three samples.
#[test]
fn sparse_samples_have_a_start_up_window() {
    let exploding: Stack = stack(&sizes(64, 9), Phi::Linear, |n| normal(2.0 / (n as f64).sqrt()), &mut Rng::seed(1));
    let (x, y) = batch(16, 64, &mut Rng::seed(2));
    let (mut tape, mut monitor) = (Tape::new(), Monitor::new().sampling(Sampling::Every(20)));
    for _ in 0..50 {
        let loss = exploding.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        loss.backward_with(&exploding, &mut monitor).unwrap();
    }
    assert_eq!(monitor.report().kinds(), [Kind::Exploding]);

    let mut net = Rnn::<f64>::new(1, 1, &mut Rng::seed(1)).nonlinearity(Nonlinearity::Linear);
    net.cells[0].w_hh.value = Tensor::filled([1, 1], 1.2);
    let (x, mut tape, mut monitor) = (inputs(50, 1, 2), Tape::new(), Monitor::new().sampling(Sampling::Every(20)));
    for _ in 0..50 {
        let y = net.forward(&tape.begin().constant(&x)).slice(0, 49..50).square().sum();
        y.backward_with(&net, &mut monitor).unwrap();
    }
    assert_eq!(monitor.report().kinds(), [Kind::ExplodingThroughTime]);
}

// ---- roots ----------------------------------------------------------------------------------------------------------------------

/// A gradient of exactly 0 elsewhere hides nothing.
#[test]
fn a_zero_elsewhere_does_not_hide_what_is_severe() {
    let net: Stack = stack(&sizes(64, 9), Phi::Sigmoid, |n| normal(1.0 / (n as f64).sqrt()), &mut Rng::seed(1));
    let gate = Param::new(Tensor::<f32>::ones([4]));
    let net = Gated { net, gate };
    let (x, y) = batch(32, 64, &mut Rng::seed(2));
    let report = Preflight::new()
        .run(&net, |r| {
            let loss = net.net.forward(&r.constant(&x)).softmax_cross_entropy(&y);
            loss + (r.param(&net.gate) * 0.0).sum()
        })
        .unwrap();
    assert!(report.assert_healthy().is_err(), "{report}");
    let expect = [(Kind::Vanishing, Severity::Severe), (Kind::Disconnected, Severity::Notice)];
    assert_eq!(kinds(&report), expect, "{report}");
}

struct Gated {
    net: Stack,
    gate: Param<f32>,
}
module!(Gated as f32 { net, gate });

// ---- losses and norms -----------------------------------------------------------------------------------------------------------

/// One parameter and a loss of a given value at each pass; steps are of 1e-2 of the parameter if they are told.
fn losses(values: impl Iterator<Item = f64>, told: bool) -> Report {
    let mut net = Dense::<f64>::new(4, 4, &mut Rng::seed(1));
    let x = inputs(1, 4, 2);
    let (mut tape, mut monitor) = (Tape::new(), Monitor::new());
    let mut opt = (ReportUpdates, Sgd::new(0.02));
    for value in values {
        let r = tape.begin();
        let y = net.forward(&r.constant(&x)).sum();
        let loss = y * 0.01 + r.constant(&Tensor::filled(Shape::SCALAR, value - 0.01 * y.item()));
        assert!((loss.item() - value).abs() < 1e-12);
        let g = loss.backward_with(&net, &mut monitor).unwrap();
        let step = opt.step(&mut net, &g).unwrap();
        if told {
            monitor.step(&step);
        }
    }
    monitor.report()
}

#[test]
fn losses_may_be_below_zero() {
    let falls = losses((0..200).map(|k| -2.0 - f64::from(k) / 200.0), false);
    assert_eq!(falls.get(Kind::LossStalled), None, "{falls}");
    let crosses = losses((0..200).map(|k| 1.0 - 0.02 * f64::from(k)), false);
    assert!(crosses.get(Kind::Converged).or(crosses.get(Kind::LossStalled)).is_none(), "{crosses}");
    // One that stands still is told, with its share of the range.
    let stands = losses((0..200).map(|k| -2.0 - 1e-3 * f64::from(k % 2)), false);
    let verdict = stands.get(Kind::LossStalled).unwrap_or_else(|| panic!("{stands}"));
    assert!(verdict.number(Metric::LossFall).unwrap().abs() < 0.05 && verdict.number(Metric::LossRatio).is_none());
    assert!(verdict.to_string().contains("of the range that it has had"), "{verdict}");
}

#[test]
fn a_loss_that_rises_asks_for_smaller_steps() {
    let rate = |report: &Report| match report.get(Kind::LossStalled).map(|v| v.remedies[0].change.clone()) {
        Some(Change::LearningRate(factor)) => factor,
        other => panic!("{other:?}\n{report}"),
    };
    let rises = || (0..200).map(|k| 1.0 + 1e-3 * f64::from(k));
    assert_eq!(rate(&losses(rises(), false)), 0.1);
    let told = losses(rises(), true);
    let update = told.samples().last().unwrap().params[0].update;
    assert!(rate(&told) <= 0.1 && rate(&told) <= 1e-3 / update, "{update}");
    // Without a fall, towards the usual step.
    let level = losses((0..200).map(|_| 1.0), true);
    let update = level.samples().last().unwrap().params[0].update;
    assert!((rate(&level) / (1e-3 / update) - 1.0).abs() < 1e-9 || rate(&level) == 10.0, "{} {update}", rate(&level));
}

/// A lucky batch is no minimum that ten ordinary ones could be twice as high as: later growth stays unjudged.
#[test]
fn one_lucky_batch_is_no_minimum() {
    // A linear stack that grows tenfold only after the start-up window.
    let mut net: Stack<f64> = stack(&sizes(8, 9), Phi::Linear, |_| Init::Identity, &mut Rng::seed(1));
    let x = Tensor::normal_of([16, 8], 0.0, 1.0, &mut Rng::seed(2));
    let (mut tape, mut monitor) = (Tape::new(), Monitor::new());
    for pass in 0..120 {
        if pass == 30 {
            net.hidden.iter_mut().for_each(|layer| layer.weight.value = layer.weight.value.scale(1.5));
        }
        let r = tape.begin();
        let value = if pass == 25 { 0.1 } else { 1.0 };
        let y = net.forward(&r.constant(&x)).sum() * if pass < 30 { 1.0 } else { 1.5f64.powi(-9) };
        let loss = y + r.constant(&Tensor::filled(Shape::SCALAR, value - y.item()));
        loss.backward_with(&net, &mut monitor).unwrap();
    }
    let report = monitor.report();
    assert_eq!(report.get(Kind::Exploding), None, "{report}");
    assert!(report.samples().last().unwrap().total < -1.0 || report.samples().last().unwrap().total > 1.0);
}

/// The passes of norms of a given length that end a spike.
fn spikes(norms: impl Iterator<Item = f64>) -> Vec<u64> {
    spikes_of(Monitor::new().sampling(Sampling::Off), norms).0
}

fn spikes_of(mut monitor: Monitor, norms: impl Iterator<Item = f64>) -> (Vec<u64>, Report) {
    let net = Dense::<f64>::new(2, 2, &mut Rng::seed(1));
    let x = inputs(1, 2, 2);
    let (mut tape, mut seen) = (Tape::new(), vec![]);
    for (pass, norm) in norms.enumerate() {
        let loss = net.forward(&tape.begin().constant(&x)).sum();
        loss.backward_with(&net, &mut monitor).unwrap();
        monitor.judge(1.0, &clipped(norm));
        let standing = monitor.verdicts().into_iter().find(|v| v.kind == Kind::GradientSpike);
        if standing.is_some_and(|v| v.steps.end == pass as u64 + 1) {
            seen.push(pass as u64);
        }
    }
    (seen, monitor.report())
}

/// The second spike stands as long as the first did: ten samples, of every tenth pass.
#[test]
fn a_second_spike_stands_as_long_as_the_first() {
    let norms = |passes: u32| (0..passes).map(|k| if k == 40 || k == 60 { 100.0 } else { 1.0 });
    let stands = |passes| spikes_of(Monitor::new(), norms(passes)).1.get(Kind::GradientSpike).is_some();
    assert!(stands(146) && !stands(170));
}

fn clipped(norm: f64) -> Clipped {
    let mut g = {
        let p = Dense::<f64>::new(1, 1, &mut Rng::seed(1));
        let mut tape = Tape::new();
        let loss = (tape.begin().param(&p.weight) * norm).sum();
        loss.backward(&p).unwrap()
    };
    g.clip_global_norm(1e300).unwrap()
}

#[test]
fn a_new_level_of_norms_is_accepted() {
    let shifted = spikes((0..200).map(|k| if k < 30 { 1.0 } else { 2.0 }));
    assert!(shifted.first() == Some(&30) && *shifted.last().unwrap() < 120, "{shifted:?}");
    assert_eq!(spikes((0..100).map(|k| if k < 30 { 0.0 } else { 1.0 })), [] as [u64; 0]);
}

/// Of very many spikes the first and the last are kept.
#[test]
fn verdicts_of_the_past_are_bounded() {
    let net = Dense::<f64>::new(2, 2, &mut Rng::seed(1));
    let x = inputs(1, 2, 2);
    let (mut tape, mut monitor) = (Tape::new(), Monitor::new().sampling(Sampling::Off));
    let (usual, long) = (clipped(1.0), clipped(1e3));
    for pass in 0..24_100 {
        net.forward(&tape.begin().constant(&x)).sum().backward_with(&net, &mut monitor).unwrap();
        monitor.judge(1.0, if pass >= 30 && pass % 20 == 0 { &long } else { &usual });
    }
    let past = monitor.report().past().to_vec();
    assert_eq!((past.len(), past[0].steps.start), (1000, 40));
    assert!(past.last().unwrap().steps.start > 24_000, "{:?}", past.last());
}

// ---- runs -----------------------------------------------------------------------------------------------------------------------

/// One bad batch that is left out does not end the run for ever; the next one is told again.
#[test]
fn what_is_not_finite_clears_after_healthy_samples() {
    let net: Stack = stack(&sizes(8, 3), Phi::Tanh, |_| Init::xavier(), &mut Rng::seed(1));
    let (x, y) = batch(8, 8, &mut Rng::seed(2));
    let bad = x.scale(f64::NAN);
    let (mut tape, mut monitor, mut stops) = (Tape::new(), Monitor::new().every(1), vec![]);
    for pass in 0..60 {
        let x = if pass == 5 || pass == 40 { &bad } else { &x };
        let loss = net.forward(&tape.begin().constant(x)).softmax_cross_entropy(&y);
        let item = loss.item();
        let Ok(mut g) = loss.backward_with(&net, &mut monitor) else { continue };
        if monitor.judge(item, &g.clip_global_norm(1e9).unwrap()) == Control::Stop {
            stops.push(pass);
        }
    }
    assert!(stops.contains(&6) && !stops.contains(&30) && stops.contains(&41) && !stops.contains(&59), "{stops:?}");
    let report = monitor.report();
    let past: Vec<_> = report.past().iter().map(|v| (v.kind, v.steps.start)).collect();
    assert_eq!(past, [(Kind::NonFinite, 5), (Kind::NonFinite, 40)], "{report}");
    assert_eq!(report.kinds(), [Kind::Healthy], "{report}");
}

/// Steps of a recurrent cell and of an embedding are judged beside the layers.
#[test]
fn steps_of_recurrent_weights_are_judged() {
    let rng = &mut Rng::seed(1);
    let mut net = Gru::<f64>::new(4, 8, rng);
    let x = inputs(10, 4, 2);
    let (mut tape, mut monitor, mut opt) = (Tape::new(), Monitor::new(), (ReportUpdates, Adam::new(1.0)));
    for _ in 0..12 {
        let loss = net.forward(&tape.begin().constant(&x)).square().mean();
        let (g, kept) = (loss.backward_with(&net, &mut monitor).unwrap(), net.clone());
        monitor.step(&opt.step(&mut net, &g).unwrap());
        net = kept;
    }
    let report = monitor.report();
    let large = |v: &&Verdict| v.kind == Kind::UpdateTooLarge;
    let all = || report.verdicts().iter().flat_map(|v| std::iter::once(v).chain(&v.under)).chain(report.past());
    let verdict = all().find(large).unwrap_or_else(|| panic!("{report}"));
    assert!(verdict.severity == Severity::Warn && verdict.paths[0].contains("w_"), "{verdict}");
}

/// A head that starts from 0 moves by 1, 1/2, 1/3, .. of its norm at any rate.
#[test]
fn a_head_that_starts_from_zero_is_no_step_too_large() {
    for seed in 0..5 {
        let mut net: Stack = stack(&sizes(24, 4), Phi::Tanh, |_| Init::xavier(), &mut Rng::seed(seed));
        net.out.weight.value = Tensor::zeros([10, 24]);
        let (x, y) = batch(40, 24, &mut Rng::seed(70 + seed));
        let (mut tape, mut monitor, mut opt) = (Tape::new(), Monitor::new(), (ReportUpdates, Sgd::new(0.01)));
        for _ in 0..150 {
            let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
            let g = loss.backward_with(&net, &mut monitor).unwrap();
            monitor.step(&opt.step(&mut net, &g).unwrap());
        }
        let report = monitor.report();
        assert!(report.past().iter().all(|v| v.kind != Kind::UpdateTooLarge), "seed {seed}\n{report}");
        assert_eq!(report.get(Kind::UpdateTooLarge), None, "seed {seed}\n{report}");
    }
}

/// Large steps of the past are no cause of what comes long after.
#[test]
fn large_steps_are_forgotten() {
    let mut net: Stack = stack(&sizes(24, 4), Phi::Relu, |_| Init::he(), &mut Rng::seed(1));
    let (x, y) = batch(60, 24, &mut Rng::seed(71));
    let (mut tape, mut monitor) = (Tape::new(), Monitor::new().every(1));
    for pass in 0..140 {
        if pass == 80 {
            for layer in &mut net.hidden {
                layer.bias.as_mut().unwrap().value = Tensor::full([24], -30.0);
            }
        }
        let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        let g = loss.backward_with(&net, &mut monitor).unwrap();
        let kept: Vec<Tensor> = net.hidden.iter().map(|layer| layer.weight.value.clone()).collect();
        let mut opt = (ReportUpdates, Sgd::new(if pass < 8 { 5.0 } else { 1e-4 }));
        monitor.step(&opt.step(&mut net, &g).unwrap());
        net.hidden.iter_mut().zip(kept).for_each(|(layer, kept)| layer.weight.value = kept);
        if pass == 7 {
            let told = monitor.verdicts().iter().any(|v| v.kind == Kind::UpdateTooLarge);
            assert!(told, "{:?}", monitor.verdicts());
        }
    }
    let report = monitor.report();
    assert_eq!(report.kinds(), [Kind::DeadUnits], "{report}");
}

/// A sigmoid before a logarithm, and gates, are no hidden activations.
#[test]
fn a_trial_replaces_hidden_activations_only() {
    let net: Stack = stack(&sizes(32, 9), Phi::Sigmoid, |n| normal(1.0 / (n as f64).sqrt()), &mut Rng::seed(1));
    let (x, y) = batch(32, 32, &mut Rng::seed(2));
    let plain = preflight(&net, |r| net.forward(&r.constant(&x)).softmax_cross_entropy(&y)).unwrap();
    let outcome = |r: &Report| {
        r.verdicts()[0].remedies.iter().find_map(|m| match m.change {
            Change::Activation("relu", _) => m.tried,
            _ => None,
        })
    };
    assert_eq!(outcome(&plain).unwrap().left, None, "{plain}");
    let target = Tensor::from_fn([32, 10], |i| f64::from(u8::try_from(i % 2).unwrap()));
    let report = preflight(&net, |r| {
        let p = net.forward(&r.constant(&x)).sigmoid() * 0.98 + 0.01;
        let t = r.constant(&target);
        -(t * p.ln() + (t * -1.0 + 1.0) * (p * -1.0 + 1.0).ln()).mean()
    })
    .unwrap();
    assert_eq!(report.verdicts()[0].kind, Kind::Vanishing, "{report}");
    assert_eq!(outcome(&report).unwrap().left, None, "{report}");
}

/// What a network does not have cannot be changed, and was not tried.
#[test]
fn a_change_of_nothing_was_not_tried() {
    let net = Lstm::<f64>::new(8, 8, &mut Rng::seed(1)).without_bias();
    let x = inputs(100, 8, 2);
    let report = preflight(&net, |r| net.forward(&r.constant(&x)).slice(0, 99..100).square().sum()).unwrap();
    let verdict = report.get(Kind::VanishingThroughTime).unwrap_or_else(|| panic!("{report}"));
    assert!(matches!(verdict.remedies[0].change, Change::ForgetBias(_)), "{report}");
    assert!(verdict.remedies.iter().all(|r| r.tried.is_none()), "{report}");
}

#[test]
fn a_shallow_network_is_not_held_against_a_band() {
    let net: Stack = stack(&sizes(64, 3), Phi::Relu, |_| Init::standard(), &mut Rng::seed(1));
    let report = check(&net, 32, 64, 1.0, 101);
    assert_eq!(report.kinds(), [Kind::Healthy]);
    let text = report.verdicts()[0].to_string();
    assert!(!text.contains("band") && text.contains("from last to first"), "{text}");
    let net: Stack = stack(&sizes(64, 10), Phi::Tanh, |_| Init::xavier(), &mut Rng::seed(1));
    let text = check(&net, 32, 64, 1.0, 101).verdicts()[0].to_string();
    assert!(text.contains("(band 0.80-1.25)"), "{text}");
}
