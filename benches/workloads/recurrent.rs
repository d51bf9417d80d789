//! Recurrent networks over whole sequences.
use super::{Made, xorshift::Xorshift};
use chainrule::{nn::Recurrent, op::recurrent::Recurrence, prelude::*};

const SYMBOLS: usize = 10;

/// What is said and what is to be said half the sequence later, both `[T, B]`; before that, 0.
fn copying(steps: usize, batch: usize) -> (Labels, Labels) {
    let said = Xorshift::new(7).labels(steps * batch, SYMBOLS);
    let lag = steps / 2;
    let later = said.ids()[..(steps - lag) * batch].iter().map(|&id| id as usize);
    let wanted = Labels::new(std::iter::repeat_n(0, lag * batch).chain(later), SYMBOLS).expect("the same symbols");
    (said.reshape([steps, batch]), wanted.reshape([steps, batch]))
}

/// How symbols enter a network.
#[derive(Clone, Copy)]
pub(super) enum Input {
    /// As a dense tensor, multiplied.
    OneHot,
    /// As numbers, each of which picks a column.
    Tokens,
}

/// A network that repeats symbols later, with a classifier of every step; clipped, by Adam.
pub(super) fn copy<K: Recurrence>(
    net: impl FnOnce(usize, &mut Rng) -> Recurrent<K>,
    input: Input,
    steps: usize,
    batch: usize,
) -> Made {
    let mut rng = Rng::seed(0);
    let net = net(SYMBOLS, &mut rng);
    let out = Dense::new(net.hidden(), SYMBOLS, &mut rng);
    let mut net = (net, out);
    let (said, wanted) = copying(steps, batch);
    let x = Tensor::one_hot(&said, SYMBOLS);
    let mut opt = (ClipGlobalNorm::new(1.0), Adam::new(1e-3));
    let mut tape = Tape::new();
    let step = move || {
        let r = tape.begin();
        let h = match input {
            Input::OneHot => net.0.forward(&r.constant(&x)),
            Input::Tokens => net.0.run_tokens(r, &said, None).0,
        };
        let loss = net.1.forward(&h).softmax_cross_entropy(&wanted);
        let g = loss.backward(&net).expect("the whole net is visited");
        opt.step(&mut net, &g).expect("the gradients are finite");
        loss.item()
    };
    // A fresh classifier knows nothing.
    Made { step: Box::new(step), loss: (SYMBOLS as f64).ln(), within: 0.2 }
}

/// An LSTM on noise, whose outputs are to be 0.
pub(super) fn lstm_large(steps: usize, batch: usize, inputs: usize, hidden: usize) -> Made {
    // PyTorch has no forget bias to speak of.
    let mut net = Lstm::new(inputs, hidden, &mut Rng::seed(0)).forget_bias(0.0);
    let x = Xorshift::new(5).tensor([steps, batch, inputs], -1.0, 1.0);
    let loss = mean_square(&net.cells[0], &x);
    let mut opt = Adam::new(1e-3);
    let mut tape = Tape::new();
    let step = move || {
        let loss = net.forward(&tape.begin().constant(&x)).square().mean();
        let g = loss.backward(&net).expect("the whole net is visited");
        opt.step(&mut net, &g).expect("the gradients are finite");
        loss.item()
    };
    // Sequences differ little from the one that was computed.
    Made { step: Box::new(step), loss, within: 0.05 * loss }
}

/// Of an LSTM's outputs for the first sequence of a batch, by the obvious loops in f64.
fn mean_square(cell: &LstmCell, x: &Tensor) -> f64 {
    let (hidden, inputs) = (cell.hidden(), cell.inputs());
    let (w_ih, w_hh) = (cell.w_ih.value.data(), cell.w_hh.value.data());
    let bias = [&cell.b_ih, &cell.b_hh].map(|b| b.as_ref().expect("biases").value.data());
    let dot = |w: &[f32], x: &[f64]| w.iter().zip(x).map(|(&w, x)| f64::from(w) * x).sum::<f64>();
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let (mut h, mut c, mut sum) = (vec![0.0; hidden], vec![0.0; hidden], 0.0);
    let sequences = x.data().chunks_exact(x.shape()[1] * inputs);
    for x in sequences.map(|step| step[..inputs].iter().map(|&x| f64::from(x)).collect::<Vec<_>>()) {
        let gates: Vec<f64> = (0..4 * hidden)
            .map(|k| {
                let bias = f64::from(bias[0][k]) + f64::from(bias[1][k]);
                dot(&w_ih[k * inputs..][..inputs], &x) + dot(&w_hh[k * hidden..][..hidden], &h) + bias
            })
            .collect();
        for u in 0..hidden {
            let [i, f, g, o] = [0, 1, 2, 3].map(|gate| gates[gate * hidden + u]);
            c[u] = sigmoid(f) * c[u] + sigmoid(i) * g.tanh();
            h[u] = sigmoid(o) * c[u].tanh();
        }
        sum += h.iter().map(|h| h * h).sum::<f64>();
    }
    sum / (x.shape()[0] * hidden) as f64
}
