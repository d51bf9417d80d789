//! Networks of known gradient flow.
#![allow(dead_code, reason = "each test binary uses a part")]
use chainrule::{
    flow::{Kind, Preflight, Report, Severity},
    prelude::*,
};

/// Layers with one activation, and an output layer.
pub(crate) struct Stack<F: Real = f32> {
    pub(crate) hidden: Vec<Dense<F>>,
    pub(crate) out: Dense<F>,
    pub(crate) phi: Phi,
}
module!(impl[F: Real] Stack<F> as F { hidden, out; skip phi });

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Phi {
    Linear,
    Sigmoid,
    Tanh,
    Relu,
}

impl<F: Real> Layer<F> for Stack<F> {
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
        let mut h = x.clone();
        for layer in &self.hidden {
            let z = layer.forward(&h);
            h = match self.phi {
                Phi::Linear => z,
                Phi::Sigmoid => z.sigmoid(),
                Phi::Tanh => z.tanh(),
                Phi::Relu => z.relu(),
            };
        }
        self.out.forward(&h)
    }
}

/// Standard deviation of weights for so many inputs.
pub(crate) type Std = fn(f64) -> f64;

pub(crate) fn stack<F: Real>(sizes: &[usize], phi: Phi, init: impl Fn(usize) -> Init, rng: &mut Rng) -> Stack<F> {
    let layers: Vec<Dense<F>> = sizes.windows(2).map(|w| Dense::with_init(w[0], w[1], init(w[0]), rng)).collect();
    let out = Dense::with_init(sizes[sizes.len() - 1], 10, Init::lecun(), rng);
    Stack { hidden: layers, out, phi }
}

pub(crate) fn normal(std: f64) -> Init {
    Init::Normal { mean: 0.0, std }
}

/// `layers` hidden layers of `width`, from `width` inputs.
pub(crate) fn sizes(width: usize, layers: usize) -> Vec<usize> {
    vec![width; layers + 1]
}

pub(crate) fn batch<F: Real>(rows: usize, width: usize, rng: &mut Rng) -> (Tensor<F>, Labels) {
    let x = Tensor::normal_of([rows, width], 0.0, 1.0, rng);
    (x, Labels::new((0..rows).map(|i| i % 10), 10).expect("below 10"))
}

/// A pre-flight check on a batch of its own, with the loss multiplied.
pub(crate) fn check<F: Real, N: Layer<F>>(net: &N, rows: usize, width: usize, scale: f64, seed: u64) -> Report {
    let (x, y) = batch::<F>(rows, width, &mut Rng::seed(seed));
    let run = Preflight::new().without_trials();
    run.run(net, |r| net.forward(&r.constant(&x)).softmax_cross_entropy(&y) * scale).expect("a pass")
}

pub(crate) fn kinds(report: &Report) -> Vec<(Kind, Severity)> {
    report.verdicts().iter().map(|v| (v.kind, v.severity)).collect()
}

/// The mean gain of the hidden layers.
pub(crate) fn rate(report: &Report) -> f64 {
    report.samples().last().expect("a sample").rate
}

/// The mean part of the activations in it.
pub(crate) fn slopes(report: &Report) -> f64 {
    let s = report.samples().last().expect("a sample");
    let logs = s.layers[..s.hidden() - 1].iter().map(|l| l.f_factor.ln());
    (logs.sum::<f64>() / (s.hidden() - 1) as f64).exp()
}

/// `gain = f' x w` at every layer, and their product is the whole.
pub(crate) fn factors_multiply(report: &Report, tolerance: f64) {
    let s = report.samples().last().expect("a sample");
    let inner = &s.layers[..s.hidden() - 1];
    let product: f64 = inner.iter().map(|l| (l.f_factor * l.w_factor).log10()).sum();
    assert!((product - s.total).abs() < tolerance, "{product} and {}", s.total);
    for l in inner {
        assert!((l.f_factor * l.w_factor / l.gain - 1.0).abs() < tolerance, "{l:?}");
    }
}
