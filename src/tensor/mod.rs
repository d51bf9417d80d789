//! Contiguous row-major tensors whose storage is recycled.
mod build;
mod labels;
mod pool;
mod print;
mod shape;

pub use labels::Labels;
pub use pool::Real;
pub use shape::Shape;

use crate::kernel::Storage;

/// Numbers in a shape: contiguous, row-major, f32 or f64. A clone shares storage until one of the two is written to.
///
/// Mathematics on tensors is the vocabulary of [`TensorLike`](crate::TensorLike); it records nothing.
///
/// ```
/// use chainrule::prelude::*;
/// let a = Tensor::new([2, 2], vec![1.0, 2.0, 3.0, 4.0]);
/// assert_eq!((&a * &a).sum().item(), 30.0);
/// let b = Tensor::<f64>::of([2], vec![1.0, 2.0]); // other element types by `of`
/// assert_eq!(b.to::<f32>().data(), [1.0, 2.0]);
/// ```
#[derive(Clone)]
pub struct Tensor<F: Real = f32> {
    shape: Shape,
    data: Buffer<F>,
}

/// Shared storage, or a stretch of it, that goes to the pool in the end. `None` only while dropping, or after `release`.
#[derive(Clone)]
struct Buffer<F: Real>(Option<Storage<F>>);

impl<F: Real> Drop for Buffer<F> {
    #[inline]
    fn drop(&mut self) {
        if let Some(data) = self.0.take() {
            F::give(data);
        }
    }
}

pub(crate) const RELEASED: &str = "this value is gone: a parameter's is given up by backward() (backward_retained() keeps it), one inside a checkpoint \
    when the block ends (its result stays)";

impl<F: Real> Tensor<F> {
    /// Takes a recycled buffer and lets `write` fill it; `write` must set every element (it sees stale ones).
    #[inline]
    pub(crate) fn build(shape: impl Into<Shape>, write: impl FnOnce(&mut [F])) -> Self {
        let shape = shape.into();
        let size = shape.size();
        Self { shape, data: Buffer(Some(F::take(size).filled(size, write))) }
    }

    /// [`build`](Self::build) in the shape of another tensor. (A shape that is read number by number, for its size, would
    /// be copied so, too, and what copies it next in vectors would wait for that: 10 ns.)
    #[track_caller]
    #[inline]
    pub(crate) fn build_like(other: &Self, write: impl FnOnce(&mut [F])) -> Self {
        let size = other.data().len();
        Self { shape: other.shape, data: Buffer(Some(F::take(size).filled(size, write))) }
    }

    /// The sizes of its axes.
    #[inline]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Its numbers, row after row.
    #[track_caller]
    #[inline]
    pub fn data(&self) -> &[F] {
        self.data.0.as_ref().expect(RELEASED)
    }

    /// Its numbers, for writing. Copies first if another tensor shares the storage.
    #[track_caller]
    pub fn data_mut(&mut self) -> &mut [F] {
        if self.unique_data().is_none() {
            let shared = self.data();
            *self = Self::build(self.shape, |out| F::copy(shared, out));
        }
        self.unique_data().expect("just made unique")
    }

    /// Its numbers as a vector; copies.
    #[track_caller]
    pub fn into_vec(self) -> Vec<F> {
        self.data().to_vec()
    }

    /// The only number of a tensor of one element, as f64.
    ///
    /// # Panics
    /// If there is not exactly one.
    #[track_caller]
    pub fn item(&self) -> f64 {
        match self.data() {
            [x] => x.f64(),
            _ => panic!("item: shape {:?} has {} elements, not one", self.shape, self.shape.size()),
        }
    }

    /// The number at an index, one for each axis.
    ///
    /// # Panics
    /// If the index has another length than the shape, or lies outside.
    #[track_caller]
    pub fn at<const N: usize>(&self, index: [usize; N]) -> F {
        let fits = N == self.shape.rank() && index.iter().zip(self.shape.iter()).all(|(i, n)| i < n);
        assert!(fits, "at: index {index:?} does not lie in shape {:?}", self.shape);
        let steps = self.shape.steps();
        self.data()[index.iter().zip(&steps).map(|(i, step)| i * step).sum::<usize>()]
    }

    /// The Euclidean norm, in f64: it neither overflows nor underflows where the norm itself is representable.
    /// NaN or infinite if an entry is.
    pub fn norm(&self) -> f64 {
        norm([self].into_iter()).unwrap_or_else(|_| F::sum_squares(self.data()).sqrt())
    }

    /// The other element type (or the same).
    pub fn to<G: Real>(&self) -> Tensor<G> {
        let x = self.data();
        Tensor::build(self.shape, |out| out.iter_mut().zip(x).for_each(|(o, x)| *o = G::of(x.f64())))
    }

    /// For writing, if no other tensor shares the storage.
    #[track_caller]
    #[inline]
    pub(crate) fn unique_data(&mut self) -> Option<&mut [F]> {
        self.data.0.as_mut().expect(RELEASED).unique()
    }

    /// The same storage under another shape of the same size.
    #[inline]
    pub(crate) fn reshaped(&self, shape: Shape) -> Self {
        debug_assert_eq!(shape.size(), self.shape.size());
        Self { shape, data: self.data.clone() }
    }

    /// Rows `start..` of the first axis, as many as `shape` has, sharing storage.
    pub(crate) fn rows(&self, start: usize, shape: Shape) -> Self {
        let step: usize = shape[1..].iter().product();
        let data = self.data.0.as_ref().expect(RELEASED);
        Self { shape, data: Buffer(Some(data.stretch(start * step, shape.size()))) }
    }

    /// Gives up the storage but keeps the shape.
    pub(crate) fn release(&mut self) {
        self.data = Buffer(None);
    }

    /// Moves the tensor out and leaves a released one.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self { shape: Shape::SCALAR, data: Buffer(None) })
    }

    /// What tells its storage from others', and the bytes allocated for it; `None` if it was given up.
    pub(crate) fn storage(&self) -> Option<(usize, usize)> {
        self.data.0.as_ref().map(|data| (data.id(), Storage::<F>::bytes(data.capacity())))
    }

    pub(crate) fn is_released(&self) -> bool {
        self.data.0.is_none()
    }
}

/// The joint norm of finite tensors whose entries are limited to `-limit..=limit` first; `Err` as in [`norm`].
pub(crate) fn norm_limited<'a, F: Real>(
    all: impl Iterator<Item = &'a Tensor<F>> + Clone,
    limit: f64,
) -> Result<f64, usize> {
    if limit == f64::INFINITY {
        return norm(all);
    }
    let unit = largest(all.clone())?.min(limit);
    let total: f64 = if unit == 0.0 { 0.0 } else { all.map(|t| F::sum_squares_scaled(t.data(), unit, limit)).sum() };
    Ok(unit * total.sqrt())
}

/// The largest absolute value of finite tensors; `Err` is the index of the first one with an entry that is not finite.
pub(crate) fn largest<'a, F: Real>(all: impl Iterator<Item = &'a Tensor<F>>) -> Result<f64, usize> {
    let mut largest = 0.0;
    for (i, t) in all.enumerate() {
        let max = F::max_abs(t.data());
        if !max.is_finite() {
            return Err(i);
        }
        largest = f64::max(largest, max);
    }
    Ok(largest)
}

/// The joint norm of finite tensors: one fast pass; a scaled one where the sum of squares overflows or underflows.
/// `Err` is the index of the first tensor with an entry that is not finite.
pub(crate) fn norm<'a, F: Real>(all: impl Iterator<Item = &'a Tensor<F>> + Clone) -> Result<f64, usize> {
    if let Some(norm) = root(all.clone().map(|t| F::sum_squares(t.data())).sum()) {
        return Ok(norm);
    }
    let unit = largest(all.clone())?;
    let total: f64 =
        if unit == 0.0 { 0.0 } else { all.map(|t| F::sum_squares_scaled(t.data(), unit, f64::INFINITY)).sum() };
    Ok(unit * total.sqrt())
}

/// The root of a sum of squares, unless that has left the range of f64.
pub(crate) fn root(squares: f64) -> Option<f64> {
    (squares.is_finite() && squares > 1e-280).then(|| squares.sqrt())
}
