//! How networks begin.
use crate::refused::refused;
use chainrule::{
    nn::{Nonlinearity, RecurrentCell},
    op::recurrent,
    prelude::*,
};

/// Mean and variance.
fn moments(x: &[f64]) -> (f64, f64) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    (mean, x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64)
}

/// Uniform within `+-bound`, as far as so many numbers can tell; `what` is at fault otherwise.
fn uniform(what: &str, x: &[f64], bound: f64) {
    let n = x.len() as f64;
    assert!(x.iter().all(|x| x.abs() <= bound), "{what} passes {bound}");
    let (mean, variance) = moments(x);
    // Of the mean: bound / sqrt(3 n). Of the variance, bound^2 / 3: the fourth moment is bound^4 / 5.
    assert!(mean.abs() < 5.0 * bound / (3.0 * n).sqrt(), "{what}: mean {mean}");
    let (expected, deviation) = (bound * bound / 3.0, bound * bound * (4.0 / 45.0 / n).sqrt());
    assert!((variance - expected).abs() < 5.0 * deviation, "{what}: variance {variance}, not {expected}");
    let largest = x.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    assert!(largest > bound * (1.0 - 20.0 / n), "{what}: at most {largest} of {bound}");
}

/// One gate's part of a parameter.
fn gate(p: &Param<f64>, k: usize, hidden: usize) -> &[f64] {
    let row = p.value.data().len() / p.value.shape()[0];
    &p.value.data()[k * hidden * row..(k + 1) * hidden * row]
}

fn standard<K>(cell: &RecurrentCell<K, f64>, gates: usize, hidden: usize, set: Option<usize>) {
    let bound = 1.0 / (hidden as f64).sqrt();
    let biases = [&cell.b_ih, &cell.b_hh].map(|b| b.as_ref().expect("biases"));
    assert!([&cell.w_ih, &cell.w_hh].into_iter().chain(biases).all(|p| p.value.shape()[0] == gates * hidden));
    for k in 0..gates {
        uniform("w_ih", gate(&cell.w_ih, k, hidden), bound);
        uniform("w_hh", gate(&cell.w_hh, k, hidden), bound);
        for b in biases.into_iter().filter(|_| set != Some(k)) {
            uniform("a bias", gate(b, k, hidden), bound);
        }
    }
}

#[test]
fn the_standard_is_pytorchs() {
    let (inputs, hidden, rng) = (40, 200, &mut Rng::seed(1));
    for cell in &Rnn::stacked(inputs, hidden, 2, rng).cells {
        standard(cell, 1, hidden, None);
    }
    for cell in &Gru::stacked(inputs, hidden, 2, rng).cells {
        standard(cell, 3, hidden, None);
    }
    for cell in &Lstm::stacked(inputs, hidden, 2, rng).cells {
        standard(cell, 4, hidden, Some(1));
        let [ih, hh] = [&cell.b_ih, &cell.b_hh].map(|b| gate(b.as_ref().expect("biases"), 1, hidden));
        assert!(ih.iter().all(|b| *b == 1.0) && hh.iter().all(|b| *b == 0.0), "a forget bias of 1");
    }
}

#[test]
fn the_forget_bias_is_in_the_first_bias_alone() {
    let net = Lstm::<f64>::stacked(3, 5, 2, &mut Rng::seed(1));
    let set = net.clone().forget_bias(-2.5);
    for (before, after) in net.cells.iter().zip(&set.cells) {
        let biases = |c: &LstmCell<f64>| [&c.b_ih, &c.b_hh].map(|b| b.as_ref().expect("biases").value.data().to_vec());
        let ([ih, hh], [new_ih, new_hh]) = (biases(before), biases(after));
        for k in 0..20 {
            let forget = (5..10).contains(&k);
            assert_eq!(new_ih[k], if forget { -2.5 } else { ih[k] }, "b_ih {k}");
            assert_eq!(new_hh[k], if forget { 0.0 } else { hh[k] }, "b_hh {k}");
        }
        assert_eq!(before.w_hh.value.data(), after.w_hh.value.data());
    }
    // Without biases there is none to set.
    let bare = net.without_bias();
    let text = "lstm: there is no bias to set: b_ih is none";
    refused(&format!("forget_bias: {text}"), || _ = bare.clone().forget_bias(2.0));
    assert_eq!(bare.chrono(10.0, &mut Rng::seed(1)).unwrap_err().to_string(), text);
}

/// `W W^T = I` for each gate's matrix.
fn orthogonal<K: recurrent::Recurrence>(cell: &RecurrentCell<K, f64>) {
    let hidden = cell.hidden();
    for k in 0..K::GATES {
        let w = cell.w_hh.value.slice(0, k * hidden..(k + 1) * hidden);
        let one = w.matmul_nt(&w);
        for (row, column) in (0..hidden).flat_map(|i| (0..hidden).map(move |j| (i, j))) {
            let error = one.at([row, column]) - f64::from(row == column);
            assert!(error.abs() < 1e-12, "{}, gate {k}: {row}, {column}: {error}", K::NAME);
        }
    }
}

#[test]
fn orthogonal_gates() {
    let rng = &mut Rng::seed(3);
    for hidden in [1, 2, 7, 64] {
        Rnn::stacked(3, hidden, 2, rng).recurrent_init(Init::orthogonal(), rng).cells.iter().for_each(orthogonal);
        Lstm::stacked(3, hidden, 2, rng).recurrent_init(Init::orthogonal(), rng).cells.iter().for_each(orthogonal);
        Gru::stacked(3, hidden, 2, rng).recurrent_init(Init::orthogonal(), rng).cells.iter().for_each(orthogonal);
    }
    // Each gate has a matrix of its own.
    let net = Lstm::<f64>::new(3, 7, rng).recurrent_init(Init::orthogonal(), rng);
    let w = &net.cells[0].w_hh;
    assert!((1..4).all(|k| gate(w, 0, 7) != gate(w, k, 7)));
}

#[test]
fn rotations_are_blocks_of_two() {
    let rng = &mut Rng::seed(4);
    let mut angles = vec![];
    for hidden in [1, 2, 9, 200] {
        let net = Rnn::<f64>::new(3, hidden, rng).recurrent_init(Init::rotations(), rng);
        orthogonal(&net.cells[0]);
        let w = &net.cells[0].w_hh.value;
        for (row, column) in (0..hidden).flat_map(|i| (0..hidden).map(move |j| (i, j))) {
            assert!(row / 2 == column / 2 || w.at([row, column]) == 0.0, "{row}, {column} is outside of its block");
        }
        for at in (0..hidden - hidden % 2).step_by(2) {
            let [cos, sin] = [w.at([at, at]), w.at([at + 1, at])];
            assert!(w.at([at + 1, at + 1]) == cos && w.at([at, at + 1]) == -sin, "block {at}");
            angles.push(sin.atan2(cos));
        }
    }
    uniform("an angle", &angles, std::f64::consts::PI);
}

/// `e^b` is uniform in `1..t_max - 1`.
fn times(b: &[f64], t_max: f64) {
    let middle = t_max / 2.0;
    let centred: Vec<f64> = b.iter().map(|b| b.exp() - middle).collect();
    uniform("a time", &centred, (t_max - 2.0) / 2.0 + 1e-9);
}

#[test]
fn chrono_biases() -> Result<(), Error> {
    let (hidden, rng) = (4_000, &mut Rng::seed(5));
    for t_max in [3.0, 150.0] {
        let cell = LstmCell::<f64>::new(1, hidden, &mut Rng::seed(1));
        let before = cell.b_ih.as_ref().expect("biases").value.clone();
        let cell = cell.chrono(t_max, rng)?;
        let [ih, hh] = [&cell.b_ih, &cell.b_hh].map(|b| b.as_ref().expect("biases"));
        let (input, forget) = (gate(ih, 0, hidden), gate(ih, 1, hidden));
        times(forget, t_max);
        assert!(input.iter().zip(forget).all(|(i, f)| *i == -f), "input biases are the forget biases, negated");
        assert!((0..2).all(|k| gate(hh, k, hidden).iter().all(|b| *b == 0.0)), "b_ih holds the sum");
        assert_eq!(ih.value.data()[2 * hidden..], before.data()[2 * hidden..], "the other gates stay");
    }
    let net = Gru::<f64>::stacked(1, hidden, 1, rng).chrono(150.0, rng)?;
    let [ih, hh] = [&net.cells[0].b_ih, &net.cells[0].b_hh].map(|b| b.as_ref().expect("biases"));
    times(gate(ih, 1, hidden), 150.0);
    assert!(gate(hh, 1, hidden).iter().all(|b| *b == 0.0));
    uniform("another gate's", gate(ih, 0, hidden), 1.0 / (hidden as f64).sqrt());
    // The shortest memory is that of one step.
    let one = LstmCell::<f64>::new(1, 3, rng).chrono(2.0, rng)?;
    assert_eq!(gate(one.b_ih.as_ref().expect("biases"), 1, 3), [0.0; 3]);
    Ok(())
}

#[test]
fn an_irnn_begins_by_keeping_its_state() {
    let rng = &mut Rng::seed(6);
    let net = Rnn::<f64>::identity(50, 40, rng);
    let cell = &net.cells[0];
    assert_eq!(cell.w_hh.value.data(), Tensor::<f64>::from_fn([40, 40], |k| f64::from(k / 40 == k % 40)).data());
    for b in [&cell.b_ih, &cell.b_hh] {
        assert!(b.as_ref().expect("biases").value.data().iter().all(|b| *b == 0.0));
    }
    let (mean, variance) = moments(cell.w_ih.value.data());
    let n = 2_000f64;
    assert!(mean.abs() < 5.0 * 0.001 / n.sqrt(), "mean {mean}");
    assert!((variance / 1e-6 - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "variance {variance}");
    // ReLU: what is positive stays, what is negative does not.
    let step = |h: f64| {
        let h = [Tensor::<f64>::filled([1, 40], h)].into_iter().collect();
        let state = chainrule::nn::State { h, c: [].into_iter().collect() };
        net.run(&Tensor::filled([5, 1, 50], 0.0), Some(&state)).0.at([4, 0, 7])
    };
    assert_eq!((step(2.5), step(-2.5)), (2.5, 0.0));
}

#[test]
fn weights_are_drawn_by_whatever_init() {
    let rng = &mut Rng::seed(7);
    let net = Gru::<f64>::stacked(30, 40, 2, rng).input_init(Init::Uniform { lo: -3.0, hi: 3.0 }, rng).zero_bias();
    for cell in &net.cells {
        uniform("an input weight", cell.w_ih.value.data(), 3.0);
        uniform("a recurrent weight", cell.w_hh.value.data(), 1.0 / 40f64.sqrt());
        assert!([&cell.b_ih, &cell.b_hh].iter().all(|b| b.as_ref().expect("b").value.data().iter().all(|b| *b == 0.0)));
    }
    let net = Rnn::<f64>::new(2, 2, rng).nonlinearity(Nonlinearity::Linear);
    let y = net.clone().recurrent_init(Init::Identity, rng).zero_bias().forward(&Tensor::filled([3, 1, 2], 1.0));
    let each = net.cells[0].w_ih.value.sum_axes(&[1]);
    assert!((y.at([2, 0, 1]) - 3.0 * each.at([1])).abs() < 1e-14, "a sum over time");
    assert_eq!(net.clone().without_bias().count() + 4, net.count());
}
