//! The workloads that are timed: sizes, data and optimizers are fixed, so that other libraries can be timed on the same.
//! f32; a training step is forward, loss, backward, clip where named, optimizer step, and the loss read at the end.
#[path = "../../examples/common/digits.rs"]
#[allow(dead_code, reason = "the examples use all of it")]
mod digits;
mod gradients;
mod recurrent;
mod training;
mod worker;
mod xorshift;

use chainrule::prelude::*;
use gradients::{matmul, softmax_ce, tiny_chain};
use recurrent::{Input::OneHot, Input::Tokens, copy, lstm_large};
use training::{adam, digits_training, mlp};
pub(crate) use worker::Worker;

/// One step; returns its loss.
pub(crate) type Step = Box<dyn FnMut() -> f64>;

/// What a step cannot be faster than.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    /// Floating-point operations of its matrix products.
    Flop(f64),
    /// Bytes: inputs read once, gradients written once.
    Bytes(f64),
    /// Bytes of an Adam step: four arrays read and three of them written.
    Streams(f64),
    /// None; the time is given for each of so many ops.
    Ops(f64),
}

#[derive(Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) bound: Bound,
    /// Whether an optimizer is part of the step, so that libraries with several forms of it are timed with each.
    pub(crate) optimizer: bool,
    make: fn() -> Made,
}

/// A step and what its first loss must be.
pub(crate) struct Made {
    pub(crate) step: Step,
    pub(crate) loss: f64,
    pub(crate) within: f64,
}

impl Workload {
    /// The step, after one that gave the right loss.
    pub(crate) fn ready(&self) -> Made {
        let mut made = (self.make)();
        let loss = (made.step)();
        let (name, expected, within) = (self.name, made.loss, made.within);
        assert!((loss - expected).abs() <= within, "{name}: the first loss is {loss}, not {expected} +- {within}");
        made
    }

    /// Why it cannot run here.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        (self.name == "digits" && !digits::repository().is_dir())
            .then_some("data/mnist is not here (the published package leaves it out)")
    }
}

const SMALL: &[usize] = &[784, 128, 128, 10];
const DEEP: &[usize] = &[784, 256, 256, 256, 256, 256, 256, 256, 256, 10];
const LARGE: &[usize] = &[784, 2048, 2048, 10];
const MILLION: usize = 1_000_000;
const TRAIN: usize = 8_000;
const EPOCHS: usize = 8;

const fn trained(name: &'static str, bound: Bound, make: fn() -> Made) -> Workload {
    Workload { name, bound, optimizer: true, make }
}

const fn derived(name: &'static str, bound: Bound, make: fn() -> Made) -> Workload {
    Workload { name, bound, optimizer: false, make }
}

macro_rules! map {
    ($name:ident $method:ident $formula:expr) => {
        derived(stringify!($name), Bound::Bytes(3.0 * 4.0 * MILLION as f64), || {
            gradients::map($formula, |x| x.$method())
        })
    };
}

pub(crate) const ALL: &[Workload] = &[
    trained("mlp_small", Bound::Flop(flop(SMALL, 64)), || mlp(SMALL, Sigmoid, 64, Sgd::new(0.1))),
    trained("mlp_deep", Bound::Flop(flop(DEEP, 128)), || {
        mlp(DEEP, Relu, 128, (ClipGlobalNorm::new(1.0), Sgd::new(0.01).momentum(0.9)))
    }),
    trained("mlp_large", Bound::Flop(flop(LARGE, 512)), || mlp(LARGE, Relu, 512, Adam::new(1e-3))),
    trained("adam_5m", Bound::Streams(7.0 * 4.0 * count(LARGE)), || adam(LARGE)),
    trained("digits", Bound::Flop(EPOCHS as f64 * flop(SMALL, TRAIN)), || digits_training(SMALL, 128, EPOCHS)),
    trained("rnn_copy", Bound::Flop(recurrent_flop(1, 10, 128, 10, 50 * 32)), || {
        copy(|inputs, rng| Rnn::new(inputs, 128, rng), OneHot, 50, 32)
    }),
    trained("lstm_copy", Bound::Flop(recurrent_flop(4, 10, 128, 10, 120 * 32)), || {
        copy(|inputs, rng| Lstm::new(inputs, 128, rng), OneHot, 120, 32)
    }),
    // A token picks a column without a product.
    trained("lstm_tokens", Bound::Flop(recurrent_flop(4, 0, 128, 10, 120 * 32)), || {
        copy(|inputs, rng| Lstm::new(inputs, 128, rng), Tokens, 120, 32)
    }),
    trained("gru_copy", Bound::Flop(recurrent_flop(3, 10, 128, 10, 120 * 32)), || {
        copy(|inputs, rng| Gru::new(inputs, 128, rng), OneHot, 120, 32)
    }),
    trained("lstm_large", Bound::Flop(recurrent_flop(4, 256, 512, 0, 64 * 64)), || lstm_large(64, 64, 256, 512)),
    derived("matmul_1024", Bound::Flop(6.0 * (1u64 << 30) as f64), || matmul(1024)),
    derived("matmul_64", Bound::Flop(6.0 * (1u64 << 18) as f64), || matmul(64)),
    derived("tiny_chain", Bound::Ops(1000.0), tiny_chain),
    map! { tanh_1m tanh f64::tanh },
    map! { sigmoid_1m sigmoid |x| 1.0 / (1.0 + (-x).exp()) },
    map! { exp_1m exp f64::exp },
    map! { gelu_1m gelu_tanh |x| 0.5 * x * (1.0 + (0.797_884_560_802_865_4 * (x + 0.044_715 * x.powi(3))).tanh()) },
    map! { gelu_erf_1m gelu |x| 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2) },
    derived("softmax_ce", Bound::Bytes(2.0 * 4.0 * 1024.0 * 10_000.0), softmax_ce),
];

/// Three products for each layer, without the gradient of the data.
const fn flop(sizes: &[usize], batch: usize) -> f64 {
    let (mut products, mut i) = (0, 0);
    while i + 1 < sizes.len() {
        products += if i == 0 { 2 } else { 3 } * sizes[i] * sizes[i + 1];
        i += 1;
    }
    (2 * batch * products) as f64
}

/// Products of `[gates * H, I]` and `[gates * H, H]` for each step of each sequence, and of a classifier if there are
/// classes: forward, the weights' gradients, and those of the states, not of the data.
const fn recurrent_flop(gates: usize, inputs: usize, hidden: usize, classes: usize, steps: usize) -> f64 {
    let cell = gates * hidden * (2 * inputs + 3 * hidden);
    (2 * steps * (cell + 3 * hidden * classes)) as f64
}

/// Weights and biases.
const fn count(sizes: &[usize]) -> f64 {
    let (mut count, mut i) = (0, 0);
    while i + 1 < sizes.len() {
        count += (sizes[i] + 1) * sizes[i + 1];
        i += 1;
    }
    count as f64
}
