use super::{Reduction, reduced, setting};
use crate::{
    core::TensorLike,
    error::Error,
    op::{self, LabelTargets, SoftmaxCrossEntropy, same_shape},
    tensor::{Labels, Tensor},
};
use std::{panic::Location, sync::Arc};

/// The cross-entropy of the softmax of logits `[.., classes]` with labels, or with distributions.
///
/// For a row with label `k`, of `C` classes with weights `w` (1 unless set) and smoothing `s` (0 unless set), and
/// `l = -ln softmax(x)`:
///
/// `(1 - s) w[k] l[k] + s / C sum over c of w[c] l[c]`
///
/// The mean divides the sum by the weights `w[k]` of the labels, 0 for those that are ignored; if all are 0, it is NaN. The
/// gradient of a row that counts nothing is 0 even then: its label is ignored, as in PyTorch, or has weight 0 and `s` is 0
/// (PyTorch: NaN). With smoothing, a row whose label has weight 0 still counts, and its gradient is NaN then. A class of
/// weight 0 counts 0 also where its probability is 0.
///
/// ```
/// use chainrule::{nn::CrossEntropy, prelude::*};
/// let loss = CrossEntropy::new().ignore(0).smoothing(0.1)?.weights(&[1.0, 1.0, 5.0])?;
/// let (x, y) = (Tensor::zeros([4, 3]), Labels::new([2, 0, 1, 1], 3)?);
/// assert!((loss.forward(&x, &y).item() - 3f64.ln() * (0.9 + 0.1 / 3.0 * 3.0)).abs() < 0.1);
/// assert_eq!(CrossEntropy::new().forward(&x, &y), x.softmax_cross_entropy(&y));
/// # Ok::<(), Error>(())
/// ```
///
/// # Source
/// Szegedy et al., "Rethinking the Inception architecture", 2016, section 7 (smoothing).
#[derive(Clone, Debug, Default)]
pub struct CrossEntropy {
    settings: Classes,
    smoothing: f64,
}

/// What losses from labels share.
#[derive(Clone, Debug, Default)]
struct Classes {
    weights: Option<Arc<[f64]>>,
    ignore: Option<u32>,
    reduction: Reduction,
}

impl Classes {
    fn weighted(self, loss: &str, weights: &[f64]) -> Result<Self, Error> {
        for (class, w) in weights.iter().enumerate() {
            setting(*w >= 0.0 && w.is_finite(), || {
                format!("{loss}: the weight of class {class} must be at least 0, got {w}")
            })?;
        }
        Ok(Self { weights: Some(weights.into()), ..self })
    }

    fn targets(&self, labels: &Labels, smoothing: f64) -> LabelTargets {
        let Self { weights, ignore, reduction } = self.clone();
        LabelTargets { labels: labels.clone(), weights, ignore, smoothing, reduction }
    }

    /// A label past the last one that [`Labels`] can hold is ignored by having none.
    fn ignoring(self, label: usize) -> Self {
        Self { ignore: u32::try_from(label).ok(), ..self }
    }
}

impl CrossEntropy {
    /// The mean over rows, each of weight 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// Class weights, one for each class.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`](crate::ErrorKind::BadData) if one is negative or not finite.
    pub fn weights(self, weights: &[f64]) -> Result<Self, Error> {
        Ok(Self { settings: self.settings.weighted("CrossEntropy", weights)?, ..self })
    }

    /// Rows with this label count nothing. It may be a class, or a number past the last one: for 10 classes,
    /// `Labels::new(ids, 11)` and `ignore(10)`.
    pub fn ignore(self, label: usize) -> Self {
        Self { settings: self.settings.ignoring(label), ..self }
    }

    /// Spreads this share of each target evenly over all classes.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`](crate::ErrorKind::BadData) unless it is from 0 to 1.
    pub fn smoothing(self, share: f64) -> Result<Self, Error> {
        setting((0.0..=1.0).contains(&share), || {
            format!("CrossEntropy: the smoothing must be from 0 to 1, got {share}")
        })?;
        Ok(Self { smoothing: share, ..self })
    }

    /// The same, otherwise reduced.
    pub fn reduction(self, reduction: Reduction) -> Self {
        Self { settings: Classes { reduction, ..self.settings }, ..self }
    }

    /// The loss of logits `[.., classes]`: one number, or `[..]` for [`Reduction::None`].
    ///
    /// # Panics
    /// If the number of rows differs from that of the labels, or their shape from that of labels of more than one axis; if
    /// the number of classes differs from the labels' or the weights'.
    #[track_caller]
    pub fn forward<T: TensorLike>(&self, logits: &T, labels: &Labels) -> T {
        T::apply(SoftmaxCrossEntropy(self.settings.targets(labels, self.smoothing)), &[logits])
    }

    /// The loss of logits with a distribution for each row, of the same shape: with `t` the smoothed target,
    /// `sum over c of w[c] t[c] l[c]`. The mean divides by the number of rows. Gradients flow to the target, too.
    ///
    /// # Panics
    /// If the shapes differ or have no axis, the number of weights is not that of the classes, or a label is ignored (there
    /// are none here).
    #[track_caller]
    pub fn forward_distributions<T: TensorLike>(&self, logits: &T, target: &T) -> T {
        same_shape("CrossEntropy", logits.shape(), target.shape());
        let Classes { weights, ignore, reduction } = &self.settings;
        let shape = logits.shape();
        let Some((&n, axis)) = shape.last().zip(shape.rank().checked_sub(1)) else {
            panic!("CrossEntropy: logits of shape [] have no classes ({})", Location::caller());
        };
        assert!(ignore.is_none(), "CrossEntropy: distributions have no labels to ignore ({})", Location::caller());
        let smoothed = match self.smoothing {
            0.0 => target.clone(),
            s => target.scale(1.0 - s).add_scalar(s / n as f64),
        };
        let mut terms = smoothed.chain(&logits.log_softmax());
        if let Some(w) = weights {
            assert!(
                w.len() == n,
                "CrossEntropy: {} class weights for logits {shape} ({})",
                w.len(),
                Location::caller()
            );
            terms = terms.chain(&logits.constant(&Tensor::from_fn([n], |class| w[class])));
        }
        reduced(terms.sum_axes(&[axis]).neg(), *reduction)
    }
}

/// The negative log-likelihood `-w[k] x[k]` of each row's label `k`, from log-probabilities `x` of `[.., classes]`.
///
/// On logits, [`CrossEntropy`] does this and the logarithm of the softmax in one pass. The mean divides by the weights of the
/// rows that count, and is NaN, with gradient 0, if there are none.
///
/// ```
/// use chainrule::{nn::Nll, prelude::*};
/// let (x, y) = (Tensor::new([2, 2], vec![1.0, 2.0, 3.0, 4.0]), Labels::new([1, 0], 2)?);
/// assert_eq!(Nll::new().forward(&x, &y).item(), -2.5);
/// assert_eq!(Nll::new().weights(&[3.0, 1.0])?.forward(&x, &y).item(), -(2.0 + 9.0) / 4.0);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Nll {
    settings: Classes,
}

impl Nll {
    /// The mean over rows, each of weight 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// Class weights, one for each class.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`](crate::ErrorKind::BadData) if one is negative or not finite.
    pub fn weights(self, weights: &[f64]) -> Result<Self, Error> {
        Ok(Self { settings: self.settings.weighted("Nll", weights)? })
    }

    /// Rows with this label count nothing, as for [`CrossEntropy::ignore`].
    pub fn ignore(self, label: usize) -> Self {
        Self { settings: self.settings.ignoring(label) }
    }

    /// The same, otherwise reduced.
    pub fn reduction(self, reduction: Reduction) -> Self {
        Self { settings: Classes { reduction, ..self.settings } }
    }

    /// The loss of log-probabilities `[.., classes]`: one number, or `[..]` for [`Reduction::None`].
    ///
    /// # Panics
    /// If the number of rows differs from that of the labels, or their shape from that of labels of more than one axis; if
    /// the number of classes differs from the labels' or the weights'.
    #[track_caller]
    pub fn forward<T: TensorLike>(&self, log_probabilities: &T, labels: &Labels) -> T {
        T::apply(op::Nll(self.settings.targets(labels, 0.0)), &[log_probabilities])
    }
}
