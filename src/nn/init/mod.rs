mod orthogonal;
mod truncated;

pub use truncated::TruncatedNormal;

use crate::{
    error::Error,
    rng::Rng,
    tensor::{Real, Shape, Tensor},
};
use std::panic::Location;

/// How a weight begins.
///
/// ```
/// use chainrule::{nn::Init, prelude::*};
/// let mut rng = Rng::seed(1);
/// let w: Tensor = Init::xavier().tensor([200, 100], &mut rng);
/// let bound = (6.0f64 / 300.0).sqrt();
/// assert!(w.data().iter().all(|w| (*w as f64).abs() <= bound));
/// let w: Tensor = Init::he().tensor([200, 100], &mut rng);
/// let std = w.norm() / (20_000f64).sqrt();
/// assert!((std - (2.0f64 / 100.0).sqrt()).abs() < 0.01);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// 0 everywhere.
    Zeros,
    /// One number everywhere.
    Constant(f64),
    /// Uniform in `lo..hi`.
    Uniform {
        /// The lower end.
        lo: f64,
        /// The upper end.
        hi: f64,
    },
    /// Normal.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        std: f64,
    },
    /// Mean 0 and variance `gain^2 / fan`.
    Scaled {
        /// The gain.
        gain: f64,
        /// By which fan the variance is divided.
        fan: Fan,
        /// Normal, or uniform with the same variance.
        draw: Draw,
    },
    /// Normal within bounds: [`Init::truncated_normal`].
    Truncated(TruncatedNormal),
    /// `gain` times an orthogonal matrix: [`Init::orthogonal`].
    Orthogonal {
        /// The gain.
        gain: f64,
    },
    /// 1 on the diagonal of a matrix, 0 elsewhere.
    Identity,
    /// `gain` times rotations by random angles of pairs of units: an orthogonal matrix of blocks of two by two. A last unit without
    /// a partner keeps its value. For recurrent weights.
    Rotations {
        /// The gain.
        gain: f64,
    },
}

/// The number of connections by which a variance is divided. A weight `[out, in, ..]` has fan-in `in` and fan-out `out`,
/// each times the product of the axes behind them (a kernel's size).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fan {
    /// Fan-in: keeps the variance of the forward pass.
    In,
    /// Fan-out: keeps the variance of the backward pass.
    Out,
    /// The mean of the two.
    Average,
}

/// How numbers are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// From a normal distribution.
    Normal,
    /// Uniformly.
    Uniform,
}

impl Init {
    /// `U(+-sqrt(6 / (in + out)))`: Xavier, also called Glorot or normalised. For tanh.
    ///
    /// # Source
    /// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, eq. 16.
    pub fn xavier() -> Self {
        Self::Scaled { gain: 1.0, fan: Fan::Average, draw: Draw::Uniform }
    }

    /// `N(0, 2 / in)`: He, also called Kaiming. For ReLU.
    ///
    /// # Source
    /// He et al., "Delving deep into rectifiers", 2015, eq. 10.
    pub fn he() -> Self {
        Self::Scaled { gain: std::f64::consts::SQRT_2, fan: Fan::In, draw: Draw::Normal }
    }

    /// `U(+-1/sqrt(in))`: the standard initialisation of Glorot and Bengio's eq. 1, and PyTorch's default.
    pub fn standard() -> Self {
        Self::Scaled { gain: (1.0f64 / 3.0).sqrt(), fan: Fan::In, draw: Draw::Uniform }
    }

    /// `N(0, 1 / in)`: LeCun. For SELU, and for units that are linear near 0. `Init::lecun().draw(Draw::Uniform)` is
    /// `U(+-sqrt(3 / in))`.
    ///
    /// # Source
    /// LeCun et al., "Efficient backprop", 1998, section 4.6.
    pub fn lecun() -> Self {
        Self::Scaled { gain: 1.0, fan: Fan::In, draw: Draw::Normal }
    }

    /// A random orthogonal matrix: `[out, in, ..]` is seen as `[out, rest]`, whose rows are orthonormal if there are at most
    /// as many as columns, else its columns. It keeps the norm of what passes through; for recurrent weights.
    ///
    /// # Source
    /// Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    /// 2014.
    pub fn orthogonal() -> Self {
        Self::Orthogonal { gain: 1.0 }
    }

    /// Rotations by random angles of pairs of units: a sparse orthogonal matrix, for recurrent weights.
    ///
    /// # Source
    /// Helfrich, Willmott and Ye, "Orthogonal recurrent neural networks with scaled Cayley transform", 2018, start from such blocks.
    pub fn rotations() -> Self {
        Self::Rotations { gain: 1.0 }
    }

    /// Normal, drawn again where it is more than two standard deviations from the mean.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`](crate::ErrorKind::BadData) unless the mean is finite and the standard deviation greater than 0.
    pub fn truncated_normal(mean: f64, std: f64) -> Result<Self, Error> {
        Self::truncated_normal_within(mean, std, mean - 2.0 * std, mean + 2.0 * std)
    }

    /// Normal with this mean and standard deviation before it is cut off at `lo` and `hi`, which are values, not multiples
    /// of `std` (as in PyTorch's `trunc_normal_`).
    ///
    /// # Errors
    /// [`ErrorKind::BadData`](crate::ErrorKind::BadData) unless the mean is finite, the standard deviation greater than 0, and
    /// `lo < hi`.
    pub fn truncated_normal_within(mean: f64, std: f64, lo: f64, hi: f64) -> Result<Self, Error> {
        TruncatedNormal::new(mean, std, lo, hi).map(Self::Truncated)
    }

    /// The same with another gain; only [`Init::Scaled`], [`Init::Orthogonal`] and [`Init::Rotations`] have one.
    pub fn gain(self, gain: f64) -> Self {
        match self {
            Self::Orthogonal { .. } => Self::Orthogonal { gain },
            Self::Rotations { .. } => Self::Rotations { gain },
            Self::Scaled { fan, draw, .. } => Self::Scaled { gain, fan, draw },
            other => other,
        }
    }

    /// The same with another fan; only [`Init::Scaled`] has one.
    pub fn fan(self, fan: Fan) -> Self {
        match self {
            Self::Scaled { gain, draw, .. } => Self::Scaled { gain, fan, draw },
            other => other,
        }
    }

    /// The same drawn otherwise; only [`Init::Scaled`] has a choice.
    pub fn draw(self, draw: Draw) -> Self {
        match self {
            Self::Scaled { gain, fan, .. } => Self::Scaled { gain, fan, draw },
            other => other,
        }
    }

    /// A tensor that begins so.
    ///
    /// # Panics
    /// If memory cannot hold the shape; if it has fewer than two axes and should be orthogonal, or is not a matrix and should
    /// be the identity, or not a square matrix of rotations.
    #[track_caller]
    pub fn tensor<F: Real>(self, shape: impl Into<Shape>, rng: &mut Rng) -> Tensor<F> {
        let shape = shape.into();
        match self {
            Self::Zeros => Tensor::filled(shape, F::zero()),
            Self::Constant(c) => Tensor::filled(shape, F::of(c)),
            Self::Uniform { lo, hi } => Tensor::uniform_of(shape, lo, hi, rng),
            Self::Normal { mean, std } => Tensor::normal_of(shape, mean, std, rng),
            Self::Scaled { gain, fan, draw } => {
                let std = gain / fan.of(shape).sqrt();
                match draw {
                    Draw::Normal => Tensor::normal_of(shape, 0.0, std, rng),
                    Draw::Uniform => Tensor::uniform_of(shape, -std * 3f64.sqrt(), std * 3f64.sqrt(), rng),
                }
            }
            Self::Truncated(normal) => Tensor::from_fn(shape, |_| normal.draw(rng)),
            Self::Orthogonal { gain } => orthogonal::orthogonal(shape, gain, rng),
            Self::Identity => match *shape {
                [_, n] => Tensor::from_fn(shape, |e| f64::from(e / n == e % n)),
                _ => panic!("Init::Identity: shape {shape}: a matrix has 2 axes ({})", Location::caller()),
            },
            Self::Rotations { gain } => match *shape {
                [m, n] if m == n => orthogonal::rotations(n, gain, rng),
                _ => panic!("Init::Rotations: shape {shape}: a square matrix is needed ({})", Location::caller()),
            },
        }
    }
}

impl Fan {
    fn of(self, shape: Shape) -> f64 {
        let kernel: usize = shape.iter().skip(2).product();
        let (out, inn) = match *shape {
            [] => (1, 1),
            [n] => (n, n),
            [out, inn, ..] => (out * kernel, inn * kernel),
        };
        let fan = match self {
            Self::In => inn as f64,
            Self::Out => out as f64,
            Self::Average => (inn + out) as f64 / 2.0,
        };
        fan.max(1.0)
    }
}
