//! What the layers refuse, word for word.
use crate::{engine::caught, refused::refused};
use chainrule::{
    nn::{Recurrent, State},
    prelude::*,
};

const LSTM: &str = "lstm (w_ih [20, 3], w_hh [20, 5]):";

fn lstm() -> Lstm {
    Lstm::new(3, 5, &mut Rng::seed(1))
}

#[test]
fn inputs_that_do_not_fit() {
    let net = lstm();
    let x = |shape: &[usize]| Tensor::zeros(Shape::try_new(shape).expect("a shape"));
    let [wide, flat, high] = [x(&[7, 2, 4]), x(&[7, 3]), x(&[1, 7, 2, 3])];
    let text = format!("{LSTM} x of shape [7, 2, 4] has 4 inputs, not 3");
    refused(&text, || _ = net.forward(&wide));
    refused(&text, || _ = net.run(&wide, None));
    refused(&text, || _ = net.run_truncated(&wide, 9, None));
    let mut tape = Tape::new();
    let r = tape.begin();
    let v = r.constant(&wide);
    refused(&text, || _ = net.forward(&v));
    refused(&text, || _ = net.run(&v, None));
    // The first window does not fit.
    let text = format!("{LSTM} x of shape [3, 2, 4] has 4 inputs, not 3");
    refused(&text, || _ = net.run_truncated(&v, 3, None));
    let text = format!("{LSTM} x of shape [7, 3] is not [T, B, 3], time first");
    refused(&text, || _ = net.forward(&flat));
    let text = format!("{LSTM} x of shape [1, 7, 2, 3] is not [T, B, 3], time first");
    refused(&text, || _ = net.forward(&high));
    let text = format!("{LSTM} x of shape [1, 2, 4] has 4 inputs, not 3");
    refused(&text, || _ = net.step(&x(&[2, 4]), None));

    let gru = Gru::<f32>::new(3, 5, &mut Rng::seed(1));
    refused("gru (w_ih [15, 3], w_hh [15, 5]): x of shape [7, 2, 4] has 4 inputs, not 3", || _ = gru.forward(&wide));
    let rnn = Rnn::<f32>::new(3, 5, &mut Rng::seed(1));
    refused("rnn (w_ih [5, 3], w_hh [5, 5]): x of shape [7, 2, 4] has 4 inputs, not 3", || _ = rnn.forward(&wide));
}

#[test]
fn tokens_that_do_not_fit() -> Result<(), Error> {
    let net = lstm();
    let many = Labels::new([0, 1, 2, 3], 4)?;
    let text = format!("{LSTM} tokens of 4 classes, but there are 3 inputs");
    refused(&text, || _ = net.run_tokens(Eager::HERE, &many.reshape([2, 2]), None));
    refused(&text, || _ = net.step_tokens(Eager::HERE, &many, None));
    let flat = Labels::new([0, 1, 2], 3)?;
    refused(&format!("{LSTM} tokens of shape [3] are not [T, B], time first"), || {
        _ = net.run_tokens(Eager::HERE, &flat, None);
    });
    let mut tape = Tape::new();
    let r = tape.begin();
    refused(&text, || _ = net.run_tokens(r, &many.reshape([2, 2]), None));
    Ok(())
}

#[test]
fn states_that_do_not_fit() {
    let net = lstm();
    let x = Tensor::zeros([7, 2, 3]);
    let state = |h: &[&[usize]], c: &[&[usize]]| {
        let all = |shapes: &[&[usize]]| {
            shapes.iter().map(|s| Tensor::<f32>::zeros(Shape::try_new(s).expect("a shape"))).collect()
        };
        State { h: all(h), c: all(c) }
    };
    let bad = |h: State<Tensor>, text: &str| {
        refused(&format!("{LSTM} the first state {text}, not [B, H] = [2, 5]"), || _ = net.run(&x, Some(&h)));
    };
    bad(state(&[&[3, 5]], &[&[2, 5]]), "h0 has shape [3, 5]");
    bad(state(&[&[2, 5]], &[&[2, 4]]), "c0 has shape [2, 4]");
    bad(state(&[&[5]], &[&[2, 5]]), "h0 has shape [5]");
    let none = state(&[&[2, 5]], &[]);
    refused("lstm: a state of 1 hidden and 0 cell states for a network of 1 layers", || {
        _ = net.run(&x, Some(&none));
    });
    let gru = Gru::stacked(3, 5, 2, &mut Rng::seed(1));
    let lone = state(&[&[2, 5]], &[]);
    refused("gru: a state of 1 hidden and 0 cell states for a network of 2 layers", || _ = gru.run(&x, Some(&lone)));
}

#[test]
fn weights_that_do_not_fit() {
    let x = Tensor::zeros([7, 2, 3]);
    let mut net = lstm();
    net.cells[0].b_ih.as_mut().expect("a bias").value = Tensor::zeros([19]);
    refused(&format!("{LSTM} b_ih has shape [19], not [20]"), || _ = net.forward(&x));
    let mut net = lstm();
    net.cells[0].b_hh.as_mut().expect("a bias").value = Tensor::zeros([5, 4]);
    refused(&format!("{LSTM} b_hh has shape [5, 4], not [20]"), || _ = net.forward(&x));
    let mut net = lstm();
    net.cells[0].w_ih.value = Tensor::zeros([15, 3]);
    let rule = "w_ih needs 4 * H rows and w_hh the shape [4 * H, H]";
    refused(&format!("lstm (w_ih [15, 3], w_hh [20, 5]): {rule}"), || _ = net.forward(&x));
    let mut net = lstm();
    net.cells[0].w_hh.value = Tensor::zeros([20, 4]);
    refused(&format!("lstm (w_ih [20, 3], w_hh [20, 4]): {rule}"), || _ = net.forward(&x));
    net.cells[0].w_hh.value = Tensor::zeros([20]);
    refused("lstm (w_ih [20, 3], w_hh [20]): weights need 2 axes", || _ = net.forward(&x));
}

#[test]
fn settings_that_make_no_sense() {
    let rng = &mut Rng::seed(1);
    refused("lstm: a network needs at least one layer", || _ = Lstm::<f32>::stacked(3, 5, 0, &mut Rng::seed(1)));
    refused("gru: a network needs at least one layer", || _ = Gru::<f32>::stacked(3, 5, 0, &mut Rng::seed(1)));
    refused("dropout: p must be in 0..1, got 1", || _ = lstm().dropout(1.0));
    refused("dropout: p must be in 0..1, got NaN", || _ = lstm().dropout(f64::NAN));
    refused("run_truncated: a window has at least 1 step", || {
        _ = lstm().run_truncated(&Tensor::zeros([7, 2, 3]), 0, None);
    });
    let error = |cells: Vec<GruCell>| {
        let e = Recurrent::of(cells).expect_err("they do not fit");
        (e.kind(), e.to_string())
    };
    let text = "gru: layer 1 takes 4 inputs, but layer 0 has 5 units";
    let cells = vec![GruCell::new(3, 5, rng), GruCell::new(4, 5, rng)];
    assert_eq!(error(cells), (ErrorKind::Shape, text.to_owned()));
    assert_eq!(error(vec![]), (ErrorKind::Shape, "gru: a network needs at least one layer".to_owned()));
    for t_max in [1.9, f64::NAN, f64::INFINITY, -3.0] {
        let text = format!("chrono: t_max must be at least 2 steps, got {t_max}");
        let e = lstm().chrono(t_max, rng).expect_err("no time");
        assert_eq!((e.kind(), e.to_string()), (ErrorKind::BadData, text.clone()));
        let e = Gru::<f32>::new(3, 5, rng).chrono(t_max, rng).expect_err("no time");
        assert_eq!((e.kind(), e.to_string()), (ErrorKind::BadData, text));
    }
}

/// Where drawing is not asked for, a network with dropout says so.
#[test]
fn dropout_needs_a_recording_that_draws() {
    let net = Lstm::<f32>::stacked(3, 5, 2, &mut Rng::seed(1)).dropout(0.5);
    let mut tape = Tape::new();
    let r = tape.begin();
    let x = r.constant(&Tensor::zeros([4, 2, 3]));
    let text = caught(|| _ = net.forward(&x)).text;
    assert!(text.contains("begin_train") && text.contains("begin_eval"), "{text}");
}
