//! Programs whose results are known: by formula, or because another way must lead to the same.
use crate::{
    case::{Case, KINDS, Kind, Net, Values},
    dual::Dual,
    oracle::{layers, outputs, scalar},
};
use chainrule::{
    nn::{BatchFirst, Nonlinearity, Recurrent, State},
    op::recurrent::Recurrence,
    prelude::*,
};

pub fn close(a: &Tensor<f64>, b: &Tensor<f64>, within: f64) {
    assert_eq!(a.shape(), b.shape());
    let size = b.norm().max(1.0);
    assert!(a.sub(b).norm() <= within * size, "{} of {size}", a.sub(b).norm());
}

/// All outputs are seen and all leaves wanted.
pub fn case(kind: Kind, [steps, batch, inputs]: [usize; 3], widths: &[usize]) -> Case {
    let (seen, wanted, widths) = ([true; 3], [true; 7], widths.to_vec());
    Case { kind, steps, batch, inputs, widths, bias: true, state: true, tokens: false, seen, wanted, seed: 11 }
}

/// Outputs, and the gradients of all leaves.
pub fn run<F: Real>(case: &Case, values: &Values) -> (Vec<Tensor<F>>, Vec<Tensor<F>>) {
    let net = Net::<F>::new(case, &values.params);
    let mut tape = Tape::new();
    let program = layers(tape.begin(), case, values, &net);
    let outputs = program.outputs.iter().map(|y| y.value()).collect();
    (outputs, program.loss.grads_of(&program.wanted()).expect("a complete rule"))
}

#[test]
fn empty_sequences_batches_inputs_and_layers() {
    for kind in KINDS {
        for (sizes, width) in [([0, 2, 3], 4), ([3, 0, 4], 5), ([3, 2, 0], 4), ([3, 2, 4], 0), ([1, 1, 1], 1)] {
            let case = case(kind, sizes, &[width, width]);
            let values = case.values();
            let (y, g) = run::<f64>(&case, &values);
            assert_eq!(*y[0].shape(), [sizes[0], sizes[1], width]);
            for (g, leaf) in g.iter().zip(values.leaves()) {
                assert_eq!(g.shape(), leaf.shape());
            }
            if sizes[0] == 0 {
                // The last state is the first one, also for gradients.
                for (k, first) in values.h.iter().chain(&values.c).enumerate() {
                    assert_eq!(y[1 + k].data(), first.data());
                    assert_eq!(g[values.params.len() + 1 + k].data(), values.upstream[1 + k].data());
                }
            }
        }
    }
}

/// Long sequences need no stack; and are right.
#[test]
fn two_thousand_steps_on_a_small_stack() {
    let run = || {
        for kind in [Kind::Tanh, Kind::Lstm, Kind::Gru] {
            let case = case(kind, [2_000, 2, 3], &[4]);
            let values = case.values();
            let (y, g) = run::<f64>(&case, &values);
            let numbers: Vec<Vec<f64>> = values.leaves().map(|t| t.data().to_vec()).collect();
            for (y, expected) in y.iter().zip(outputs(&case, &numbers)) {
                close(y, &Tensor::<f64>::of(y.shape(), expected), 1e-11);
            }
            // Along the first state and the recurrent weights, by forward mode.
            for leaf in [1, values.params.len() + 1] {
                let rng = &mut Rng::seed(5);
                let along = Tensor::<f64>::uniform_of(g[leaf].shape(), -1.0, 1.0, rng);
                let mut k = 0;
                let duals = values.leaves().map(|t| {
                    let moves = k == leaf;
                    k += 1;
                    let part = |e: usize| if moves { along.data()[e] } else { 0.0 };
                    t.data().iter().enumerate().map(|(e, &v)| Dual { v, d: part(e) }).collect::<Vec<_>>()
                });
                let forward = scalar(&case, &values, &duals.collect::<Vec<_>>()).d;
                let reverse: f64 = g[leaf].data().iter().zip(along.data()).map(|(g, v)| g * v).sum();
                assert!((reverse - forward).abs() <= 1e-9 * forward.abs().max(1.0), "{reverse} against {forward}");
            }
        }
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).expect("a thread").join().expect("no overflow");
}

/// The gradient of the first state of `h = W h`, with `W = factor * I`, for a loss on the last `h`.
fn linear(factor: f64, steps: usize, batch: usize, units: usize) -> Result<(), Error> {
    let rng = &mut Rng::seed(2);
    let mut net = Rnn::<f64>::new(2, units, rng).nonlinearity(Nonlinearity::Linear);
    net.cells[0].w_hh.value = TensorLike::scale(&Init::Identity.tensor([units, units], rng), factor);
    let mut tape = Tape::new();
    let r = tape.begin();
    let h = r.variable(&Tensor::normal_of([batch, units], 0.0, 1.0, rng));
    let state = State { h: [h].into_iter().collect(), c: [].into_iter().collect() };
    let (_, last) = net.run(&r.constant(&Tensor::normal_of([steps, batch, 2], 0.0, 1.0, rng)), Some(&state));
    let upstream = Tensor::normal_of([batch, units], 0.0, 1.0, rng);
    let g = last.h[0].dot(&r.constant(&upstream)).grads_of(&[h])?;
    let power = factor.powi(steps as i32);
    for (g, up) in g[0].data().iter().zip(upstream.data()) {
        assert!((g - power * up).abs() <= 1e-9 * (power * up).abs(), "W = {factor}, T = {steps}: {g}, {}", power * up);
    }
    Ok(())
}

#[test]
fn a_linear_network_multiplies_by_powers_of_its_weight() -> Result<(), Error> {
    for factor in [0.9, 1.0, 1.1] {
        for steps in [1, 10, 100, 500] {
            linear(factor, steps, 1, 1)?;
        }
        linear(factor, 60, 3, 17)?;
        linear(factor, 60, 33, 64)?;
    }
    Ok(())
}

#[test]
fn an_lstm_forgets_by_its_forget_gate() -> Result<(), Error> {
    let sigmoid = |b: f64| 1.0 / (1.0 + (-b).exp());
    for b in [-2.0, 0.0, 1.0, 3.0] {
        for (steps, batch, units) in [(1, 1, 1), (20, 2, 3), (100, 17, 33)] {
            let rng = &mut Rng::seed(2);
            let mut net = Lstm::<f64>::new(2, units, rng).zero_bias().forget_bias(b);
            net.cells[0].w_ih.value.data_mut().fill(0.0);
            net.cells[0].w_hh.value.data_mut().fill(0.0);
            let mut tape = Tape::new();
            let r = tape.begin();
            let [h, c] = [0, 0].map(|_| r.variable(&Tensor::normal_of([batch, units], 0.0, 1.0, rng)));
            let state = State { h: [h].into_iter().collect(), c: [c].into_iter().collect() };
            let (_, last) = net.run(&r.constant(&Tensor::normal_of([steps, batch, 2], 0.0, 1.0, rng)), Some(&state));
            let upstream = Tensor::normal_of([batch, units], 0.0, 1.0, rng);
            let g = last.c[0].dot(&r.constant(&upstream)).grads_of(&[c, h])?;
            let power = sigmoid(b).powi(steps as i32);
            for (g, up) in g[0].data().iter().zip(upstream.data()) {
                assert!((g - power * up).abs() <= 1e-12 * (power * up).abs(), "b = {b}, T = {steps}: {g}");
            }
            assert!(g[1].data().iter().all(|g| *g == 0.0), "no weight leads from h");
        }
    }
    Ok(())
}

/// The loss of some outputs.
fn contracted<'t>(y: Var<'t, f64>, upstream: &Tensor<f64>) -> Var<'t, f64> {
    y.dot(&y.constant(upstream))
}

fn truncated<K: Recurrence>(net: &Recurrent<K, f64>) -> Result<(), Error> {
    let rng = &mut Rng::seed(4);
    let (steps, batch) = (11, 3);
    let x = Tensor::<f64>::normal_of([steps, batch, net.inputs()], 0.0, 1.0, rng);
    let upstream = Tensor::<f64>::normal_of([steps, batch, net.hidden()], 0.0, 1.0, rng);
    let start = net.run(&Tensor::normal_of([2, batch, net.inputs()], 0.0, 1.0, rng), None).1;
    let mut tape = Tape::new();

    // A window over everything is no truncation.
    let r = tape.begin();
    let full = contracted(net.run(&r.constant(&x), Some(&start.on(r))).0, &upstream).backward(net)?;
    for window in [steps, steps + 5, usize::MAX] {
        let r = tape.begin();
        let (y, _) = net.run_truncated(&r.constant(&x), window, Some(&start.on(r)));
        let g = contracted(y, &upstream).backward(net)?;
        for (path, g) in g.iter() {
            assert_eq!(g.data(), full.get(path).expect("the same paths").data(), "{path}, window {window}");
        }
    }

    // Windows on recordings of their own, with values carried over.
    let window = 4;
    let (mut state, mut sum, mut values) = (start.clone(), None::<Grads<f64>>, vec![]);
    for from in (0..steps).step_by(window) {
        let to = steps.min(from + window);
        let r = tape.begin();
        let (y, last) = net.run(&r.constant(&x.slice(0, from..to)), Some(&state.on(r)));
        state = last.values();
        values.push(y.value());
        let g = contracted(y, &upstream.slice(0, from..to)).backward(net)?;
        match &mut sum {
            Some(sum) => sum.add(&g)?,
            None => sum = Some(g),
        }
    }
    let sum = sum.expect("windows");
    let r = tape.begin();
    let (y, last) = net.run_truncated(&r.constant(&x), window, Some(&start.on(r)));
    close(&y.value(), &Tensor::concat(&values.iter().collect::<Vec<_>>(), 0), 1e-14);
    close(&last.values().h[0], &state.h[0], 1e-14);
    let g = contracted(y, &upstream).backward(net)?;
    let mut differs = 0;
    for (path, g) in g.iter() {
        close(g, sum.get(path).expect("the same paths"), 1e-12);
        differs += usize::from(g.sub(full.get(path).expect("the same paths")).norm() > 1e-6);
    }
    assert!(differs >= 3, "what was cut off was part of {differs} gradients");
    Ok(())
}

#[test]
fn truncation() -> Result<(), Error> {
    let rng = &mut Rng::seed(8);
    truncated(&Rnn::stacked(3, 5, 2, rng))?;
    truncated(&Lstm::stacked(3, 5, 2, rng))?;
    truncated(&Gru::stacked(3, 5, 2, rng))
}

#[test]
fn tokens_are_one_hot_inputs() {
    for kind in KINDS {
        for (sizes, widths) in [([4, 3, 6], vec![5, 2]), ([9, 17, 10], vec![33]), ([3, 1, 1], vec![4])] {
            let dense = case(kind, sizes, &widths);
            let tokens = Case { tokens: true, ..dense.clone() };
            // The twin's `x`, which is of no interest, wants no gradient either.
            let dense = Case { wanted: [true, true, true, true, false, true, true], ..dense };
            let values = tokens.values();
            let ((y, g), (z, other)) = (run::<f64>(&tokens, &values), run::<f64>(&dense, &values));
            assert!(y.len() == z.len() && g.len() == other.len());
            for (a, b) in y.iter().zip(&z).chain(g.iter().zip(&other)) {
                close(a, b, 1e-13);
            }
        }
    }
}

#[test]
fn tokens_may_have_fewer_classes_than_inputs() -> Result<(), Error> {
    let net = Gru::<f64>::new(6, 5, &mut Rng::seed(2));
    let tokens = Labels::new([0, 2, 1, 2], 3)?.reshape([2, 2]);
    let (y, _) = net.run_tokens(Eager::HERE, &tokens, None);
    close(&y, &net.forward(&Tensor::one_hot_of(&tokens, 6)), 1e-14);
    let mut tape = Tape::new();
    let r = tape.begin();
    let g = net.run_tokens(r, &tokens, None).0.sum().backward(&net)?;
    let columns = g.get("0.w_ih").expect("a gradient");
    assert!((0..15).all(|row| (3..6).all(|class| columns.at([row, class]) == 0.0)), "nobody said these");
    assert!((0..3).all(|class| columns.at([0, class]) != 0.0));
    Ok(())
}

fn stepwise<K: Recurrence>(net: &Recurrent<K, f64>) -> Result<(), Error> {
    let rng = &mut Rng::seed(6);
    let tokens = Labels::new((0..15).map(|k| k * k % 3), 3)?.reshape([5, 3]);
    let x = Tensor::<f64>::normal_of([5, 3, 3], 0.0, 1.0, rng);
    let (dense, spoken) = (net.run(&x, None), net.run_tokens(Eager::HERE, &tokens, None));
    let zero = net.zero_state(Eager::HERE, 3);
    assert_eq!(net.run(&x, Some(&zero)).0.data(), dense.0.data(), "no state is zeros");
    let (mut a, mut b) = (zero.clone(), zero);
    for t in 0..5 {
        a = net.step(&x.slice(0, t..t + 1).squeeze(0), Some(&a));
        close(a.output(), &dense.0.slice(0, t..t + 1).squeeze(0), 1e-14);
        let now = Labels::new(tokens.ids()[3 * t..3 * t + 3].iter().map(|id| *id as usize), 3)?;
        b = net.step_tokens(Eager::HERE, &now, Some(&b));
        close(b.output(), &spoken.0.slice(0, t..t + 1).squeeze(0), 1e-14);
    }
    for (a, b) in a.h.iter().chain(&a.c).zip(dense.1.h.iter().chain(&dense.1.c)) {
        close(a, b, 1e-14);
    }
    let batch_first = BatchFirst::new(net.clone()).forward(&x.transpose(0, 1));
    assert_eq!(batch_first.transpose(0, 1).data(), dense.0.data());
    Ok(())
}

#[test]
fn step_by_step_is_the_whole_sequence() -> Result<(), Error> {
    let rng = &mut Rng::seed(9);
    stepwise(&Rnn::stacked(3, 4, 2, rng))?;
    stepwise(&Lstm::stacked(3, 4, 2, rng))?;
    stepwise(&Gru::stacked(3, 4, 2, rng))
}

#[test]
fn weights_used_twice_get_the_sum() -> Result<(), Error> {
    let rng = &mut Rng::seed(5);
    let net = Lstm::<f64>::stacked(3, 5, 2, rng);
    let x = [Tensor::<f64>::normal_of([4, 2, 3], 0.0, 1.0, rng), Tensor::normal_of([7, 3, 3], 0.0, 1.0, rng)];
    let mut tape = Tape::new();
    let mut sum = None::<Grads<f64>>;
    for x in &x {
        let g = net.forward(&tape.begin().constant(x)).square().sum().backward(&net)?;
        match &mut sum {
            Some(sum) => sum.add(&g)?,
            None => sum = Some(g),
        }
    }
    let r = tape.begin();
    let losses = x.each_ref().map(|x| net.forward(&r.constant(x)).square().sum());
    let g = (losses[0] + losses[1]).backward(&net)?;
    for (path, g) in g.iter() {
        close(g, sum.as_ref().expect("two").get(path).expect("the same paths"), 1e-13);
    }
    Ok(())
}
