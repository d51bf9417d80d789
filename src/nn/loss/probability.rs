use super::{Reduction, reduced};
use crate::{
    core::TensorLike,
    op::same_shape,
    tensor::{Real, Tensor},
};

/// Binary cross-entropy of `sigmoid(x)` with a target `t` between 0 and 1, from the logits `x`:
/// `w (p t softplus(-x) + (1 - t) softplus(x))`.
///
/// `w` and `p` are 1 unless set. Each side keeps its digits in its own tail, and nothing overflows.
///
/// ```
/// use chainrule::{nn::BceWithLogits, prelude::*};
/// let (x, t) = (Tensor::new([2], vec![0.0, 1e4]), Tensor::new([2], vec![1.0, 1.0]));
/// let losses = BceWithLogits::new().reduction(Reduction::None).forward(&x, &t);
/// assert_eq!(losses.data(), [2f32.ln(), 0.0]);
/// let rare = BceWithLogits::new().pos_weight(Tensor::scalar(10.0)); // a positive counts ten times
/// assert!((rare.forward(&x, &t).item() - 5.0 * 2f64.ln()).abs() < 1e-6);
/// ```
#[derive(Clone, Debug, Default)]
pub struct BceWithLogits<F: Real = f32> {
    weight: Option<Tensor<F>>,
    pos_weight: Option<Tensor<F>>,
    reduction: Reduction,
}

impl<F: Real> BceWithLogits<F> {
    /// The mean over all elements.
    pub fn new() -> Self {
        Self { weight: None, pos_weight: None, reduction: Reduction::Mean }
    }

    /// Multiplies the losses by a tensor that broadcasts to them. (The mean still divides by the number of elements.)
    pub fn weight(self, w: Tensor<F>) -> Self {
        Self { weight: Some(w), ..self }
    }

    /// Multiplies the share of the positive class by a tensor that broadcasts, for instance one number for each column: the
    /// number of negatives for each positive evens out the two.
    pub fn pos_weight(self, p: Tensor<F>) -> Self {
        Self { pos_weight: Some(p), ..self }
    }

    /// The same, otherwise reduced.
    pub fn reduction(self, reduction: Reduction) -> Self {
        Self { reduction, ..self }
    }

    /// The loss: one number, or the shape of `x` for [`Reduction::None`].
    ///
    /// # Panics
    /// If the shapes of `x` and `target` differ, or a weight does not broadcast to them.
    #[track_caller]
    pub fn forward<T: TensorLike<Elem = F>>(&self, x: &T, target: &T) -> T {
        same_shape("BceWithLogits", x.shape(), target.shape());
        // `chain`: a side that does not count is 0, also where the other one is infinite.
        let mut positive = target.chain(&x.neg().softplus());
        if let Some(p) = &self.pos_weight {
            positive = positive.chain(&x.constant(p));
            same_shape("BceWithLogits, pos_weight", x.shape(), positive.shape());
        }
        let negative = target.neg().add_scalar(1.0).chain(&x.softplus());
        let mut losses = TensorLike::add(&positive, &negative);
        if let Some(w) = &self.weight {
            losses = losses.chain(&x.constant(w));
            same_shape("BceWithLogits, weight", x.shape(), losses.shape());
        }
        reduced(losses, self.reduction)
    }
}

/// The Kullback-Leibler divergence `t (ln t - x)` of a distribution `t` from one whose logarithm is `x`, with `0 ln 0 = 0`.
///
/// [`Reduction::Mean`] divides by the number of elements, as PyTorch's default does. The divergence itself, averaged over
/// rows (PyTorch's `batchmean`), is `KlDiv::new().reduction(Reduction::Sum).forward(&x, &t) / rows`.
///
/// ```
/// use chainrule::{nn::KlDiv, prelude::*};
/// let x = Tensor::new([1, 2], vec![0.0, 0.0]).log_softmax();
/// let t = Tensor::new([1, 2], vec![1.0, 0.0]);
/// let rows = 1.0;
/// let divergence = KlDiv::new().reduction(Reduction::Sum).forward(&x, &t) / rows;
/// assert!((divergence.item() - 2f64.ln()).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct KlDiv {
    log_target: bool,
    reduction: Reduction,
}

impl KlDiv {
    /// The mean over all elements, for a target of probabilities.
    pub fn new() -> Self {
        Self::default()
    }

    /// For a target of logarithms: `e^t (t - x)`.
    pub fn log_target(self) -> Self {
        Self { log_target: true, ..self }
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
        same_shape("KlDiv", x.shape(), target.shape());
        // `chain`: what has probability 0 counts 0, whatever its logarithm.
        let losses = match self.log_target {
            true => target.exp().chain(&TensorLike::sub(target, x)),
            false => TensorLike::sub(&target.chain(&target.ln()), &target.chain(x)),
        };
        reduced(losses, self.reduction)
    }
}
