//! What the layers promise beside right numbers: the same bits, dropout in its place, frozen weights left alone.
use crate::{
    case::{Case, KINDS, Kind, Net},
    oracle::layers,
    programs::{case, run},
};
use chainrule::{
    nn::{Nonlinearity, Recurrent},
    prelude::*,
    with_threads,
};

fn bits<F: Real>(all: &[Tensor<F>]) -> Vec<u64> {
    all.iter().flat_map(|t| t.data()).map(|x| x.f64().to_bits()).collect()
}

fn same_bits<F: Real>(case: &Case) {
    let values = case.values();
    let program = || {
        let (y, g) = run::<F>(case, &values);
        (bits(&y), bits(&g))
    };
    let first = with_threads(1, program).expect("a thread");
    for threads in [1, 2, 4] {
        assert!(with_threads(threads, program).expect("threads") == first, "{threads} threads: {case:?}");
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    for kind in KINDS {
        // Each is large enough for threads.
        for (steps, batch, width) in [(100, 5, 70), (100, 16, 33), (40, 33, 64), (100, 64, 17), (20, 64, 130)] {
            for tokens in [false, true] {
                let case = Case { tokens, ..case(kind, [steps, batch, 10], &[width]) };
                same_bits::<f32>(&case);
                same_bits::<f64>(&case);
            }
        }
    }
}

#[test]
fn sweeps_that_are_repeated_give_the_same_bits() -> Result<(), Error> {
    for kind in KINDS {
        for (batch, width) in [(3, 5), (33, 40)] {
            let case = case(kind, [6, batch, 4], &[width, 7]);
            let values = case.values();
            let net = Net::<f32>::new(&case, &values.params);
            let mut tape = Tape::new();
            let program = layers(tape.begin(), &case, &values, &net);
            let all = |g: Grads| bits(&g.iter().map(|(_, g)| g.clone()).collect::<Vec<_>>());
            let first = all(program.loss.backward_retained(&net)?);
            assert_eq!(first, all(program.loss.backward_retained(&net)?), "{kind:?}");
            assert!(first.iter().any(|g| f64::from_bits(*g) != 0.0));
            let of_leaves = bits(&program.loss.grads_of_retained(&program.wanted())?);
            assert_eq!(of_leaves[..first.len()], first, "{kind:?}");
            // The last one may move what it no longer needs.
            assert_eq!(first, all(program.loss.backward(&net)?), "{kind:?}");
        }
    }
    Ok(())
}

#[test]
fn dropout_is_between_layers() -> Result<(), Error> {
    let rng = &mut Rng::seed(7);
    let mut last = RnnCell::<f64>::new(40, 40, rng).without_bias().nonlinearity(Nonlinearity::Linear);
    last.w_ih.value = Init::Identity.tensor([40, 40], rng);
    last.w_hh.value.data_mut().fill(0.0);
    // The second layer gives what it gets.
    let plain = Recurrent::of(vec![RnnCell::new(3, 40, rng), last])?;
    let net = plain.clone().dropout(0.25);
    let x = Tensor::<f64>::normal_of([20, 5, 3], 0.0, 1.0, rng);
    let (full, full_state) = plain.run(&x, None);
    let mut tape = Tape::new();
    let r = tape.begin_train(&mut Rng::seed(1));
    let (y, state) = net.run(&r.constant(&x), None);
    let mut dropped = 0;
    for (y, full) in y.value().data().iter().zip(full.data()) {
        dropped += usize::from(*y == 0.0);
        assert!(*y == 0.0 || (y - full / 0.75).abs() < 1e-12, "{y} of {full}");
    }
    let n = 20 * 5 * 40;
    let deviation = (n as f64 * 0.25 * 0.75).sqrt();
    assert!((dropped as f64 - 0.25 * n as f64).abs() < 5.0 * deviation, "{dropped} of {n} dropped");
    assert_eq!(state.h[0].value().data(), full_state.h[0].data(), "the state of the first layer is whole");

    drop(state);

    // Neither before the first nor after the last layer.
    let single = Lstm::<f64>::new(3, 6, rng);
    let r = tape.begin_train(&mut Rng::seed(1));
    let y = single.clone().dropout(0.5).forward(&r.constant(&x));
    assert_eq!(y.value().data(), single.forward(&x).data());

    // Not in evaluation.
    assert_eq!(net.forward(&x).data(), full.data());
    let r = tape.begin_eval();
    assert_eq!(net.forward(&r.constant(&x)).value().data(), full.data());
    Ok(())
}

#[test]
fn frozen_weights_get_no_gradient_and_leave_the_others_theirs() -> Result<(), Error> {
    for kind in [Kind::Tanh, Kind::Lstm, Kind::Gru] {
        let case = case(kind, [5, 18, 3], &[20, 4]);
        let values = case.values();
        let gradients = |net: &Net<f64>| {
            let mut tape = Tape::new();
            layers(tape.begin(), &case, &values, net).loss.backward(net)
        };
        let mut net = Net::<f64>::new(&case, &values.params);
        let all = gradients(&net)?;
        for frozen in ["0.w_hh", "0.w_ih", "0.b_ih", "1.b_hh", "0", "1"] {
            let paths = net.freeze(frozen)?;
            let g = gradients(&net)?;
            net.unfreeze(frozen)?;
            assert_eq!(g.iter().count() + paths, 8);
            for (path, g) in g.iter() {
                assert!(!path.starts_with(frozen), "{path} is frozen");
                let error = g.sub(all.get(path).expect("a gradient")).norm();
                assert!(error <= 1e-12 * g.norm(), "{path} with {frozen} frozen: {error}");
            }
        }
    }
    Ok(())
}
