//! What losses from labels share.
use super::shape_error;
use crate::{
    core::TensorLike,
    error::Error,
    kernel::Targets,
    tensor::{Labels, Shape, Tensor},
};
use std::sync::Arc;

/// What becomes of the losses of single rows or elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Their mean; weighted, where there are class weights.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// They stay as they are.
    None,
}

/// The distribution that each row should have, from its label, and what becomes of the losses of the rows.
/// [`CrossEntropy`](crate::nn::CrossEntropy) says what the settings mean.
#[derive(Clone, Debug)]
pub struct LabelTargets {
    /// One class for each row.
    pub labels: Labels,
    /// One for each class; none: all 1.
    pub weights: Option<Arc<[f64]>>,
    /// A label whose rows count nothing; it may lie past the last class.
    pub ignore: Option<u32>,
    /// The share of the distribution that is spread over all classes.
    pub smoothing: f64,
    /// What becomes of the losses of the rows.
    pub reduction: Reduction,
}

impl LabelTargets {
    /// The mean over rows that all count the same.
    pub fn new(labels: Labels) -> Self {
        Self { labels, weights: None, ignore: None, smoothing: 0.0, reduction: Reduction::Mean }
    }

    /// Whether nothing was set.
    pub(super) fn is_plain(&self) -> bool {
        self.weights.is_none() && self.ignore.is_none() && self.smoothing == 0.0 && self.reduction == Reduction::Mean
    }

    pub(super) fn targets(&self) -> Targets<'_> {
        let (labels, weights) = (self.labels.ids(), self.weights.as_deref());
        Targets { labels, weights, ignore: self.ignore, smoothing: self.smoothing }
    }

    /// By what the sum of the losses is divided; NaN for a mean of rows whose weights sum to 0.
    pub(super) fn divisor(&self) -> f64 {
        match self.reduction {
            Reduction::Mean if self.is_plain() => self.labels.len() as f64,
            Reduction::Mean => {
                let targets = self.targets();
                let sum: f64 = targets.labels.iter().map(|label| targets.weight(*label)).sum();
                if sum == 0.0 { f64::NAN } else { sum }
            }
            Reduction::Sum | Reduction::None => 1.0,
        }
    }

    /// `what` is the op with its input, as in `nll: log-probabilities`.
    pub(super) fn check(&self, what: &str, shape: Shape) -> Result<(), Error> {
        let ((rows, n), labels) = (shape.rows(), &self.labels);
        let past = self.ignore.filter(|id| *id as usize >= n);
        let classes = past.map_or(labels.classes() == n, |id| labels.classes() <= id as usize + 1);
        if shape.rank() == 0 || rows != labels.len() || !classes {
            return Err(shape_error(format!(
                "{what} {shape} with {} labels of {} classes: a row for each label and a column for \
                 each class are needed",
                labels.len(),
                labels.classes()
            )));
        }
        if labels.shape().rank() > 1 && labels.shape()[..] != shape[..shape.rank() - 1] {
            let (own, rows) = (labels.shape(), split(shape).1);
            let message =
                format!("{what} {shape} with labels of shape {own}: they need one for each row, in the shape {rows}");
            return Err(shape_error(message));
        }
        let strange = |id: &u32| *id as usize >= n && Some(*id) != past;
        if let Some(row) = past.and_then(|_| labels.ids().iter().position(strange)) {
            let message = format!(
                "{what} {shape}: label {row} is {}, but there are {n} classes and {} is ignored",
                labels.ids()[row],
                self.ignore.unwrap_or_default()
            );
            return Err(shape_error(message));
        }
        match &self.weights {
            Some(weights) if weights.len() != n => {
                let message = format!("{what} {shape} with {} class weights", weights.len());
                Err(shape_error(message))
            }
            _ => Ok(()),
        }
    }

    /// The distribution of each row, and its sum.
    pub(super) fn distributions<T: TensorLike>(&self, x: &T) -> [T; 2] {
        let (shape, targets) = (x.shape(), self.targets());
        let n = shape[shape.rank() - 1].max(1);
        let weights: f64 = (0..n).map(|class| targets.weighted(class, 1.0)).sum();
        let share = |row: usize, class: usize| {
            let (own, each) = targets.shares(targets.labels[row], n);
            targets.weighted(class, each) + if targets.labels[row] as usize == class { own } else { 0.0 }
        };
        let sum = |row: usize| {
            let (own, each) = targets.shares(targets.labels[row], n);
            own + each * weights
        };
        let rows = shape.with(shape.rank() - 1, 1);
        [x.constant(&Tensor::from_fn(shape, |e| share(e / n, e % n))), x.constant(&Tensor::from_fn(rows, sum))]
    }

    /// The cotangent of each row's loss, with a last axis of size 1.
    pub(super) fn row_bars<T: TensorLike>(&self, y_bar: &T, x: Shape) -> T {
        match self.reduction {
            Reduction::None => y_bar.reshape(x.with(x.rank() - 1, 1)),
            _ => y_bar.chain(&y_bar.constant(&Tensor::from_fn([], |_| 1.0 / self.divisor()))),
        }
    }
}

/// The last axis of logits that were checked, at least 1, and the shape without it.
pub(super) fn split(x: Shape) -> (usize, Shape) {
    let last = x.rank() - 1;
    (x[last].max(1), Shape::collect(x[..last].iter().copied()))
}
