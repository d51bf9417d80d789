//! Gradients through time, against what is known of them in closed form.
use approx::{assert_abs_diff_eq, assert_relative_eq};
use chainrule::{
    flow::{InTime, ThroughTime, probe},
    nn::Init,
    op::recurrent::Nonlinearity,
    prelude::*,
};

fn linear<F: Real>(w: f64, hidden: usize) -> Rnn<F> {
    let mut rng = Rng::seed(1);
    let net = Rnn::<F>::new(2, hidden, &mut rng).nonlinearity(Nonlinearity::Linear);
    let mut net = net.recurrent_init(Init::Identity, &mut rng);
    net.cells[0].w_hh.value.data_mut().iter_mut().for_each(|x| *x = F::of(x.f64() * w));
    net
}

fn inputs<F: Real>(steps: usize) -> Tensor<F> {
    Tensor::normal_of([steps, 3, 2], 0.0, 1.0, &mut Rng::seed(7))
}

/// A loss on the last step alone.
fn at_the_end<F: Real>(net: &Rnn<F>, steps: usize) -> Result<InTime, Error> {
    let x = inputs(steps);
    let time = probe(net, |r| net.run(&r.constant(&x), None).1.output().sum())?;
    Ok(time.get("0").expect("the layer").clone())
}

/// A loss at every step.
fn at_every_step<F: Real>(net: &Rnn<F>, steps: usize) -> Result<InTime, Error> {
    let x = inputs(steps);
    let time = probe(net, |r| net.run(&r.constant(&x), None).0.sum())?;
    Ok(time.get("0").expect("the layer").clone())
}

#[test]
fn the_rate_of_a_linear_network_is_its_weight() -> Result<(), Error> {
    for w in [0.9, 1.0, 1.1] {
        for hidden in [1, 5] {
            let net = linear::<f64>(w, hidden);
            for (time, every) in [(at_the_end(&net, 101)?, false), (at_every_step(&net, 101)?, true)] {
                assert_relative_eq!(time.rho().unwrap(), w, max_relative = 1e-9);
                assert_eq!((time.ended_at(), time.last(), time.steps()), (None, Some(100), 101));
                let horizon = time.horizon().unwrap();
                match w {
                    0.9 => assert_relative_eq!(horizon, 0.01f64.ln() / 0.9f64.ln(), max_relative = 1e-6),
                    1.1 => assert_eq!(horizon, f64::INFINITY),
                    _ => assert!(horizon > 1e8),
                }
                // With a loss at every step the norm is that of a geometric sum, and says nothing of what is
                // transported.
                let sum: f64 = (0..=60).map(|k| w.powi(k)).sum();
                let expected = if every { sum.log10() } else { 60.0 * w.log10() };
                assert_abs_diff_eq!(time.ratio(60).unwrap(), expected, epsilon = 1e-9);
                assert_eq!((time.ratio(0), time.ratio(101)), (Some(0.0), None));
            }
        }
    }
    Ok(())
}

#[test]
fn norms_are_those_of_the_gradients_of_the_states() -> Result<(), Error> {
    let (net, steps) = (Lstm::<f64>::new(2, 6, &mut Rng::seed(3)), 9);
    let x = inputs::<f64>(steps);
    let whole = probe(&net, |r| net.run(&r.constant(&x), None).0.square().sum())?;
    let seen = whole.get("0").expect("the layer");
    assert_eq!((seen.op, seen.state, seen.steps()), ("lstm", "c", steps));
    for t in 0..steps - 1 {
        // The state after step t becomes a variable, from which the rest is run again.
        let (_, first) = net.run(&x.slice(0, 0..t + 1), None);
        let mut tape = Tape::new();
        let r = tape.begin();
        let (h, c) = (r.variable(&first.h[0]), r.variable(&first.c[0]));
        let state = chainrule::nn::State { h: [h].into_iter().collect(), c: [c].into_iter().collect() };
        let later = net.run(&r.constant(&x.slice(0, t + 1..steps)), Some(&state)).0.square().sum();
        let g = later.grads_of(&[h, c])?;
        // c_t is also part of h_t = o tanh(c_t), whose output gate the run that led here knows.
        let o = first.h[0].div(&first.c[0].tanh());
        let slope = |h_bar: &Tensor<f64>| h_bar.mul(&o).mul(&first.c[0].tanh().square().neg().add_scalar(1.0));
        let transported = g[1].add(&slope(&g[0]));
        let total = transported.add(&slope(&first.h[0].scale(2.0)));
        assert_abs_diff_eq!(seen.transported[t], transported.norm().log10(), epsilon = 1e-10);
        assert_abs_diff_eq!(seen.total[t], total.norm().log10(), epsilon = 1e-10);
        assert_abs_diff_eq!(seen.ratios()[t], seen.transported[t] - seen.total[t + 1], epsilon = 1e-15);
    }
    assert!(seen.ratios()[steps - 1].is_nan() && seen.transported[steps - 1] == f64::NEG_INFINITY);
    Ok(())
}

#[test]
fn forget_gates_multiply() -> Result<(), Error> {
    for b in [-1.0, 0.0, 1.0, 3.0] {
        let mut net = Lstm::<f64>::new(2, 4, &mut Rng::seed(1)).zero_bias().forget_bias(b);
        for w in net.cells.iter_mut().flat_map(|cell| [&mut cell.w_ih, &mut cell.w_hh]) {
            w.value.data_mut().fill(0.0);
        }
        let x = inputs(120);
        let time = probe(&net, |r| net.run(&r.constant(&x), None).1.c[0].sum())?;
        let (layer, sigma) = (time.get("0").expect("the layer"), 1.0 / (1.0 + (-b).exp()));
        assert_relative_eq!(layer.gate_product("f").unwrap(), 120.0 * sigma.log10(), max_relative = 1e-12);
        assert_relative_eq!(layer.mean_gate("f").unwrap(), sigma, max_relative = 1e-12);
        assert_relative_eq!(layer.rho().unwrap(), sigma, max_relative = 1e-12);
        assert_abs_diff_eq!(layer.ratio(119).unwrap(), 119.0 * sigma.log10(), epsilon = 1e-10);
        assert_eq!((layer.mean_gate("i"), layer.mean_gate("o"), layer.mean_gate("z")), (Some(0.5), Some(0.5), None));
    }
    Ok(())
}

#[test]
fn f32_says_where_it_ended() -> Result<(), Error> {
    let (short, long) = (at_the_end(&linear::<f32>(0.5, 3), 201)?, at_the_end(&linear::<f64>(0.5, 3), 201)?);
    // sqrt(9) 2^-k is below 1.18e-34 from k = 115 on: steps are counted from 0.
    assert_eq!((short.ended_at(), long.ended_at()), (Some(200 - 115), None));
    assert_relative_eq!(short.rho().unwrap(), 0.5, max_relative = 1e-6);
    assert_relative_eq!(long.rho().unwrap(), 0.5, max_relative = 1e-12);
    assert_eq!((short.ratio(115), short.ratio(114).is_some()), (None, true));
    assert_abs_diff_eq!(long.ratio(200).unwrap(), 200.0 * 0.5f64.log10(), epsilon = 1e-9);
    assert_eq!(short.total[0], f64::NEG_INFINITY);
    // A gradient that overflows ends, too.
    let (short, long) = (at_the_end(&linear::<f32>(3.0, 3), 101)?, at_the_end(&linear::<f64>(3.0, 3), 101)?);
    assert!(short.ended_at().is_some_and(|t| (100 - t) > 75 && (100 - t) < 85), "{:?}", short.ended_at());
    assert_relative_eq!(short.rho().unwrap(), 3.0, max_relative = 1e-5);
    assert_eq!(long.ended_at(), None);
    // Nothing passes through a weight of 0.
    let dead = at_the_end(&linear::<f64>(0.0, 3), 5)?;
    assert_eq!((dead.ended_at(), dead.rho(), dead.horizon(), dead.last()), (Some(3), None, None, Some(4)));
    Ok(())
}

/// FLOW.md's warning: norms of total cotangents look healthy where nothing is transported.
#[test]
fn a_loss_at_every_step_hides_nothing() -> Result<(), Error> {
    let net = Rnn::<f64>::new(2, 64, &mut Rng::seed(2));
    let (exact, every) = (at_the_end(&net, 101)?, at_every_step(&net, 101)?);
    assert!(exact.ratio(100).unwrap() < -15.0, "{:?}", exact.ratio(100));
    assert!(every.ratio(100).unwrap() > -0.5, "{:?}", every.ratio(100));
    // The transported part knows: single steps start from other directions, so it is near and not equal.
    assert_relative_eq!(every.rho().unwrap(), exact.rho().unwrap(), max_relative = 0.15);
    let slope = 10f64.powf(exact.ratio(100).unwrap() / 100.0);
    assert_relative_eq!(exact.rho().unwrap(), slope, max_relative = 1e-9);
    Ok(())
}

/// The signal begins where the loss looks, wherever that is.
#[test]
fn a_loss_in_the_middle() -> Result<(), Error> {
    let (net, x) = (linear::<f64>(0.9, 2), inputs(20));
    let time = probe(&net, |r| net.run(&r.constant(&x), None).0.slice(0, 12..13).sum())?;
    let layer = time.get("0").expect("the layer");
    assert_eq!((layer.last(), layer.ended_at()), (Some(12), None));
    assert_relative_eq!(layer.rho().unwrap(), 0.9, max_relative = 1e-9);
    assert_abs_diff_eq!(layer.ratio(12).unwrap(), 12.0 * 0.9f64.log10(), epsilon = 1e-12);
    Ok(())
}

#[test]
fn every_layer_and_every_run_and_only_the_last_sweep() -> Result<(), Error> {
    let mut rng = Rng::seed(5);
    let net = (Gru::new(2, 4, &mut rng), Lstm::stacked(4, 3, 2, &mut rng));
    let (x, mut tape, mut time) = (inputs::<f32>(7), Tape::new(), ThroughTime::new());
    for sweep in 1..=3 {
        net.forward(&tape.begin().constant(&x)).square().mean().backward_with(&net, &mut time)?;
        let seen: Vec<_> = time.layers().map(|l| (l.path.as_str(), l.op, l.state, l.steps())).collect();
        assert_eq!(seen, [("0.0", "gru", "h", 7), ("1.0", "lstm", "c", 7), ("1.1", "lstm", "c", 7)]);
        assert_eq!(time.sweeps(), sweep);
    }
    let gru = time.get("0.0").expect("the layer");
    assert!(gru.gate("r").is_some_and(|r| r.len() == 7 && r.iter().all(|r| (0.2..0.8).contains(r))));
    assert!(gru.mean_gate("z").is_some() && gru.gate_product("z").is_some_and(|log| log < 0.0));
    // Windows of a truncated pass are runs of their own: nothing is transported from one to another.
    let net = linear::<f64>(0.9, 2);
    let x = inputs(10);
    let time = probe(&net, |r| net.run_truncated(&r.constant(&x), 4, None).0.sum())?;
    let seen: Vec<_> = time.layers().map(|l| (l.path.as_str(), l.steps())).collect();
    assert_eq!(seen, [("0", 4), ("0", 4), ("0", 2)]);
    assert!(time.layers().all(|l| l.transported[l.steps() - 1] == f64::NEG_INFINITY));
    assert!(time.get("no such").is_none());
    Ok(())
}

#[test]
fn an_observed_pass_gives_the_same_bits() -> Result<(), Error> {
    fn compare<F: Real, L: Layer<F>>(net: &L) -> Result<(), Error> {
        let (x, mut tape, mut time) = (inputs::<F>(13), Tape::new(), ThroughTime::new());
        let plain = net.forward(&tape.begin().constant(&x)).square().mean().backward(net)?;
        let seen = net.forward(&tape.begin().constant(&x)).square().mean().backward_with(net, &mut time)?;
        assert_eq!(time.layers().count(), 1);
        assert!(
            plain.iter().count() == 4 && plain.iter().zip(seen.iter()).all(|((_, a), (_, b))| a.data() == b.data())
        );
        // A pass without it tells it nothing.
        assert_eq!(time.sweeps(), 1);
        net.forward(&tape.begin().constant(&x)).square().mean().backward(net)?;
        assert_eq!(time.sweeps(), 1);
        Ok(())
    }
    let rng = &mut Rng::seed(4);
    compare::<f32, _>(&Rnn::new(2, 19, rng))?;
    compare::<f32, _>(&Lstm::new(2, 19, rng))?;
    compare::<f32, _>(&Gru::new(2, 19, rng))?;
    compare::<f64, _>(&Rnn::new(2, 5, rng))?;
    compare::<f64, _>(&Lstm::new(2, 5, rng))?;
    compare::<f64, _>(&Gru::new(2, 5, rng))
}

#[test]
fn a_table_says_it() -> Result<(), Error> {
    assert_eq!(ThroughTime::new().to_string(), "no steps of a recurrent layer in 0 passes\n");
    let (net, x) = (linear::<f32>(0.5, 3), inputs(201));
    let time = probe(&net, |r| net.run(&r.constant(&x), None).1.output().sum())?;
    let text = time.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("layer  steps  per step  1 % after  |dL/dstate|, first to last"), "{text}");
    assert!(lines[1].starts_with("0 rnn    201    x0.500          7  000000000▁"), "{text}");
    assert!(lines[1].contains("██  ") && lines[1].ends_with("1e-38 to 1e0"), "{text}");
    assert_eq!(lines[2], "       at step 85 and before the norm is beyond the element type");
    let net = Lstm::<f64>::new(2, 4, &mut Rng::seed(1));
    let time = probe(&net, |r| net.run(&r.constant(&inputs(30)), None).0.sum())?.to_string();
    assert!(time.lines().count() == 2 && time.contains("0 lstm") && time.contains(" f 0."), "{time}");
    Ok(())
}

#[test]
fn a_probe_of_nothing_is_an_error() {
    let net = Dense::new(2, 3, &mut Rng::seed(1));
    let e = probe(&net, |r| net.forward(&r.constant(&Tensor::ones([4, 2]))).sum()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::BadData);
    assert!(e.to_string().starts_with("probe: no recurrent layer is on the path of the loss"), "{e}");
    let net = linear::<f32>(0.5, 2);
    let other = linear::<f32>(0.5, 2);
    let e = probe(&net, |r| other.run(&r.constant(&inputs(3)), None).0.sum()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotVisited);
}

/// Dropout lets everything through, so that a probe draws nothing.
#[test]
fn a_probe_is_evaluation() -> Result<(), Error> {
    let net = Lstm::<f64>::stacked(2, 4, 2, &mut Rng::seed(1)).dropout(0.5);
    let x = inputs(6);
    let time = |net: &Lstm<f64>| probe(net, |r| net.run(&r.constant(&x), None).1.output().sum());
    let (with, without) = (time(&net)?, time(&net.clone().dropout(0.0))?);
    assert!(with.layers().zip(without.layers()).all(|(a, b)| a == b));
    assert_eq!(with.layers().count(), 2);
    Ok(())
}
