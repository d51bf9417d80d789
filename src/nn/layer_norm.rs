use crate::{
    core::{Layer, Param, TensorLike},
    error::{Error, ErrorKind},
    module,
    tensor::{Real, Shape, Tensor},
};

/// Normalises over the last axes, which have shape `normalized`: `(x - mean) / sqrt(var + eps) * weight + bias`, with the
/// variance of the numbers themselves (dividing by their count).
///
/// Training and evaluation are the same; each row is normalised by itself.
///
/// ```
/// use chainrule::prelude::*;
/// let norm = LayerNorm::new([4]);
/// let y = norm.forward(&Tensor::new([1, 4], vec![1.0, 2.0, 3.0, 4.0]));
/// assert!(y.mean().item().abs() < 1e-6 && (y.square().mean().item() - 1.0).abs() < 1e-4);
/// ```
///
/// # Panics
/// Its forward, if the last axes of `x` have other sizes.
///
/// # Source
/// Ba, Kiros and Hinton, "Layer normalization", 2016.
#[derive(Clone, Debug)]
pub struct LayerNorm<F: Real = f32> {
    /// The gain, of shape `normalized`, 1 at first.
    pub weight: Param<F>,
    /// The shift, of the same shape, 0 at first.
    pub bias: Param<F>,
    eps: f64,
}
module!(LayerNorm<F> { weight, bias; skip eps });

impl<F: Real> LayerNorm<F> {
    /// Over the last axes of this shape, with `eps` 1e-5.
    pub fn new(normalized: impl Into<Shape>) -> Self {
        let shape = normalized.into();
        let (weight, bias) = (Tensor::filled(shape, F::one()), Tensor::filled(shape, F::zero()));
        Self { weight: Param::new(weight), bias: Param::new(bias), eps: 1e-5 }
    }

    /// With another number added to the variance.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`] unless it is a finite number of at least 0.
    pub fn eps(self, eps: f64) -> Result<Self, Error> {
        if eps >= 0.0 && eps.is_finite() {
            return Ok(Self { eps, ..self });
        }
        Err(Error::new(ErrorKind::BadData, format!("LayerNorm: eps must be at least 0, got {eps}")))
    }
}

impl<F: Real> Layer<F> for LayerNorm<F> {
    #[track_caller]
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
        x.layer_norm(&x.param(&self.weight), &x.param(&self.bias), self.eps).tag(&self.weight)
    }
}
