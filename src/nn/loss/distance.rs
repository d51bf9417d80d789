use super::{Reduction, reduced, setting};
use crate::{core::TensorLike, error::Error, op::same_shape};

/// `x - target`, of one shape.
#[track_caller]
fn difference<T: TensorLike>(loss: &str, x: &T, target: &T) -> T {
    same_shape(loss, x.shape(), target.shape());
    TensorLike::sub(x, target)
}

/// The squared error `(x - target)^2`.
///
/// ```
/// use chainrule::{nn::Mse, prelude::*};
/// let (y, target) = (Tensor::new([2], vec![1.0, 5.0]), Tensor::new([2], vec![2.0, 2.0]));
/// assert_eq!(Mse::new().forward(&y, &target).item(), 5.0);
/// assert_eq!(Mse::new().reduction(Reduction::None).forward(&y, &target).data(), [1.0, 9.0]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Mse {
    reduction: Reduction,
}

impl Mse {
    /// The mean over all elements.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, otherwise reduced.
    pub fn reduction(self, reduction: Reduction) -> Self {
        Self { reduction }
    }

    /// The loss: one number, or the shape of `x` for [`Reduction::None`].
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn forward<T: TensorLike>(&self, x: &T, target: &T) -> T {
        reduced(difference("Mse", x, target).square(), self.reduction)
    }
}

/// The absolute error `|x - target|`. At 0 the derivative is taken as 0.
///
/// ```
/// use chainrule::{nn::L1, prelude::*};
/// let (y, target) = (Tensor::new([2], vec![1.0, 5.0]), Tensor::new([2], vec![2.0, 2.0]));
/// assert_eq!(L1::new().forward(&y, &target).item(), 2.0);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct L1 {
    reduction: Reduction,
}

impl L1 {
    /// The mean over all elements.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, otherwise reduced.
    pub fn reduction(self, reduction: Reduction) -> Self {
        Self { reduction }
    }

    /// The loss: one number, or the shape of `x` for [`Reduction::None`].
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn forward<T: TensorLike>(&self, x: &T, target: &T) -> T {
        reduced(difference("L1", x, target).abs(), self.reduction)
    }
}

/// Half the squared error up to an error `delta`, linear beyond: with `d = x - target`, `d^2 / 2` where `|d| <= delta`,
/// else `delta (|d| - delta / 2)`.
///
/// ```
/// use chainrule::{nn::Huber, prelude::*};
/// let (y, target) = (Tensor::new([2], vec![1.5, 5.0]), Tensor::new([2], vec![2.0, 2.0]));
/// assert_eq!(Huber::new(1.0)?.reduction(Reduction::None).forward(&y, &target).data(), [0.125, 2.5]);
/// # Ok::<(), Error>(())
/// ```
///
/// # Source
/// Huber, "Robust estimation of a location parameter", 1964.
#[derive(Clone, Copy, Debug)]
pub struct Huber {
    delta: f64,
    reduction: Reduction,
}

impl Huber {
    /// The mean over all elements.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`](crate::ErrorKind::BadData) unless `delta` is a number greater than 0.
    pub fn new(delta: f64) -> Result<Self, Error> {
        setting(delta > 0.0 && delta.is_finite(), || format!("Huber: delta must be greater than 0, got {delta}"))?;
        Ok(Self { delta, reduction: Reduction::Mean })
    }

    /// The same, otherwise reduced.
    pub fn reduction(self, reduction: Reduction) -> Self {
        Self { reduction, ..self }
    }

    /// The loss: one number, or the shape of `x` for [`Reduction::None`].
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn forward<T: TensorLike>(&self, x: &T, target: &T) -> T {
        reduced(bent(&difference("Huber", x, target), self.delta), self.reduction)
    }
}

/// `c (d - c / 2)` with `c` the error `d` limited to `-delta..=delta`: both branches of Huber's loss in one formula, also
/// in its derivatives.
#[track_caller]
fn bent<T: TensorLike>(d: &T, delta: f64) -> T {
    let c = d.clamp(-delta, delta);
    TensorLike::mul(&c, &TensorLike::sub(d, &c.scale(0.5)))
}

/// [`Huber`] divided by its `delta`, here called `beta`: near 0 a parabola, beyond `|x - target| - beta / 2`. For `beta = 0`
/// it is [`L1`].
///
/// ```
/// use chainrule::{nn::SmoothL1, prelude::*};
/// let (y, target) = (Tensor::new([2], vec![2.5, 5.0]), Tensor::new([2], vec![2.0, 2.0]));
/// assert_eq!(SmoothL1::new(2.0)?.reduction(Reduction::None).forward(&y, &target).data(), [0.0625, 2.0]);
/// # Ok::<(), Error>(())
/// ```
///
/// # Source
/// Girshick, "Fast R-CNN", 2015, eq. 3.
#[derive(Clone, Copy, Debug)]
pub struct SmoothL1 {
    beta: f64,
    reduction: Reduction,
}

impl SmoothL1 {
    /// The mean over all elements.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`](crate::ErrorKind::BadData) unless `beta` is a number of at least 0.
    pub fn new(beta: f64) -> Result<Self, Error> {
        setting(beta >= 0.0 && beta.is_finite(), || format!("SmoothL1: beta must be at least 0, got {beta}"))?;
        Ok(Self { beta, reduction: Reduction::Mean })
    }

    /// The same, otherwise reduced.
    pub fn reduction(self, reduction: Reduction) -> Self {
        Self { reduction, ..self }
    }

    /// The loss: one number, or the shape of `x` for [`Reduction::None`].
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn forward<T: TensorLike>(&self, x: &T, target: &T) -> T {
        let d = difference("SmoothL1", x, target);
        let losses = if self.beta == 0.0 { d.abs() } else { bent(&d, self.beta).div_scalar(self.beta) };
        reduced(losses, self.reduction)
    }
}
