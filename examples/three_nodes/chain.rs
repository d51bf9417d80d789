//! A chain of single nodes: the factors f'(z) w by hand, and the gradients of the tapes of tensors and of numbers.
use chainrule::{
    prelude::*,
    scalar::{self, Scalar},
};
use std::f64::consts::LN_10;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    Sigmoid,
    Tanh,
    Relu,
}

pub const ALL: [Activation; 3] = [Activation::Sigmoid, Activation::Tanh, Activation::Relu];

/// Written here by hand, apart from the crate's own table of derivatives.
impl Activation {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Relu => "ReLU",
        }
    }

    pub fn value(self, z: f64) -> f64 {
        match self {
            Self::Sigmoid if z < 0.0 => z.exp() / (1.0 + z.exp()),
            Self::Sigmoid => 1.0 / (1.0 + (-z).exp()),
            Self::Tanh => z.tanh(),
            Self::Relu => z.max(0.0),
        }
    }

    /// The derivative. That of ReLU at 0 is taken as 0.
    pub fn slope(self, z: f64) -> f64 {
        let tail = |z: f64| (-z.abs()).exp() / (1.0 + (-z.abs()).exp()).powi(2);
        match self {
            Self::Sigmoid => tail(z),
            Self::Tanh => 4.0 * tail(2.0 * z),
            Self::Relu => f64::from(z > 0.0),
        }
    }

    /// Its decimal logarithm, also where f64 has no such small number.
    fn log_slope(self, z: f64) -> f64 {
        let tail = |z: f64| -(z.abs() + 2.0 * (-z.abs()).exp().ln_1p()) / LN_10;
        match self {
            Self::Sigmoid => tail(z),
            Self::Tanh => 4f64.log10() + tail(2.0 * z),
            Self::Relu => f64::from(z > 0.0).log10(),
        }
    }

    /// What no derivative exceeds.
    pub fn steepest(self) -> f64 {
        if self == Self::Sigmoid { 0.25 } else { 1.0 }
    }

    fn record<'t>(self, z: Var<'t, f64>) -> Var<'t, f64> {
        match self {
            Self::Sigmoid => z.sigmoid(),
            Self::Tanh => z.tanh(),
            Self::Relu => z.relu(),
        }
    }

    fn of<X: Scalar>(self, z: X) -> X {
        match self {
            Self::Sigmoid => z.sigmoid(),
            Self::Tanh => z.tanh(),
            Self::Relu => z.relu(),
        }
    }
}

/// One node of the chain, and dy/dw of its weight.
pub struct Node {
    pub z: f64,
    pub h: f64,
    pub slope: f64,
    pub factor: f64,
    pub gradient: Compared,
}

/// A gradient three times: the product of factors, and what the tapes gave.
pub struct Compared {
    pub product: f64,
    /// By the tape of tensors.
    pub tape: f64,
    /// By the tape of numbers.
    pub scalar: f64,
    /// The decimal logarithm of the product's size, which neither under- nor overflows.
    pub log: f64,
    /// Some number on the way to the product was out of reach of f64's digits.
    pub beyond: bool,
}

pub struct Chain {
    /// From the input to the output.
    pub nodes: Vec<Node>,
    /// dy/dx: the product of all factors f'(z) w.
    pub input: Compared,
}

/// A product of factors, and whether f64 could follow it.
#[derive(Clone, Copy)]
struct Product {
    value: f64,
    log: f64,
    beyond: bool,
}

impl Product {
    fn times(self, factor: f64, log: f64) -> Self {
        // In a product of finite numbers a zero wins, also where another factor is too large for f64.
        let value = if self.value == 0.0 || factor == 0.0 { 0.0 } else { self.value * factor };
        let log = self.log + log;
        // A product that is exactly zero is as good as any; one far out has lost digits.
        let lost = |log: f64| log.is_nan() || log.abs() > 290.0 && log != f64::NEG_INFINITY;
        Self { value, log, beyond: self.beyond || lost(log) || !factor.is_finite() }
    }

    fn with(self, tape: f64, scalar: f64) -> Compared {
        Compared { product: self.value, tape, scalar, log: self.log, beyond: self.beyond }
    }
}

impl Compared {
    /// Their relative difference; `None` where f64 cannot hold one of the products on the way.
    pub fn difference(&self) -> Option<f64> {
        let same = self.product == self.tape;
        let off = if same { 0.0 } else { (self.product - self.tape).abs() / self.product.abs() };
        (!self.beyond).then_some(off)
    }

    /// The relative difference of the two tapes, where f64 has digits for it.
    pub fn between_tapes(&self) -> Option<f64> {
        let off = (self.tape - self.scalar).abs() / self.tape.abs();
        (!self.beyond).then_some(if self.tape == self.scalar { 0.0 } else { off })
    }
}

impl Chain {
    pub fn new(f: Activation, depth: usize, x: f64, w: f64, b: f64) -> Result<Self, Error> {
        let number = |v: f64| Tensor::<f64>::filled([], v);
        let mut tape = Tape::new();
        let r = tape.begin();
        let (input, bias) = (r.variable(&number(x)), r.constant(&number(b)));
        let (mut h, mut wrt, mut passed) = (input, vec![input], vec![]);
        for _ in 0..depth {
            let weight = r.variable(&number(w));
            let z = weight * h + bias;
            passed.push((h.item(), z.item()));
            h = f.record(z);
            wrt.push(weight);
        }
        let output = h.item();
        let gradients: Vec<f64> = h.grads_of(&wrt)?.iter().map(Tensor::item).collect();
        // The same program on numbers: dy/dx, and dy/dw of every layer.
        let point: Vec<f64> = std::iter::once(x).chain(std::iter::repeat_n(w, depth)).collect();
        let numbers = scalar::grad(|x| x[1..].iter().fold(x[0], |h, w| f.of(*w * h + b)), &point);

        // The chain rule by hand, from the output to the input.
        let mut product = Product { value: 1.0, log: 0.0, beyond: false };
        let (mut nodes, mut after) = (vec![], output);
        for (k, (before, z)) in passed.into_iter().enumerate().rev() {
            let (slope, log) = (f.slope(z), f.log_slope(z));
            let at_weight = product.times(slope, log).times(before, before.abs().log10());
            nodes.push(Node {
                z,
                h: after,
                slope,
                factor: slope * w,
                gradient: at_weight.with(gradients[k + 1], numbers[k + 1]),
            });
            product = product.times(slope, log).times(w, w.abs().log10());
            after = before;
        }
        nodes.reverse();
        Ok(Self { nodes, input: product.with(gradients[0], numbers[0]) })
    }

    /// Every gradient, dy/dx first.
    pub fn compared(&self) -> impl Iterator<Item = &Compared> {
        std::iter::once(&self.input).chain(self.nodes.iter().map(|node| &node.gradient))
    }
}
