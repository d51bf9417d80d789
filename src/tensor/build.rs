//! Making tensors.
use super::{Labels, Real, Shape, Tensor};
use crate::{
    error::{Error, ErrorKind},
    rng::Rng,
};

/// The short constructors are f32, as literals alone would mean f64.
impl Tensor<f32> {
    /// From data, row after row. Other element types: [`Tensor::of`].
    ///
    /// # Panics
    /// If the data does not have as many numbers as the shape; [`Tensor::try_new`] returns an error instead.
    #[track_caller]
    pub fn new(shape: impl Into<Shape>, data: Vec<f32>) -> Self {
        Self::of(shape, data)
    }

    /// [`Tensor::new`] with an error instead of a panic.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if the data does not have as many numbers as the shape.
    pub fn try_new(shape: impl Into<Shape>, data: Vec<f32>) -> Result<Self, Error> {
        Self::try_of(shape, data)
    }

    /// One number. Other element types: [`Tensor::filled`] with shape `[]`.
    pub fn scalar(x: f32) -> Self {
        Self::filled(Shape::SCALAR, x)
    }

    /// `x` everywhere. Other element types: [`Tensor::filled`].
    ///
    /// # Panics
    /// If memory cannot hold the shape.
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, x: f32) -> Self {
        Self::filled(shape, x)
    }

    /// Zeros. Other element types: [`Tensor::filled`].
    ///
    /// # Panics
    /// If memory cannot hold the shape; [`Tensor::try_filled`] returns an error instead.
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        Self::filled(shape, 0.0)
    }

    /// Ones. Other element types: [`Tensor::filled`].
    ///
    /// # Panics
    /// If memory cannot hold the shape.
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>) -> Self {
        Self::filled(shape, 1.0)
    }

    /// Uniform in `lo..hi`. Other element types: [`Tensor::uniform_of`].
    ///
    /// # Panics
    /// If memory cannot hold the shape.
    #[track_caller]
    pub fn uniform(shape: impl Into<Shape>, lo: f64, hi: f64, rng: &mut Rng) -> Self {
        Self::uniform_of(shape, lo, hi, rng)
    }

    /// Normal with this mean and standard deviation. Other element types: [`Tensor::normal_of`].
    ///
    /// # Panics
    /// If memory cannot hold the shape.
    #[track_caller]
    pub fn normal(shape: impl Into<Shape>, mean: f64, std: f64, rng: &mut Rng) -> Self {
        Self::normal_of(shape, mean, std, rng)
    }

    /// 1 at the class of each label, else 0: `[labels.., classes]`. Other element types: [`Tensor::one_hot_of`].
    ///
    /// # Panics
    /// If the labels may exceed `classes`, or have six axes already; [`Tensor::try_one_hot_of`] returns an error instead.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let y = Labels::new([2, 0], 3)?;
    /// assert_eq!(Tensor::one_hot(&y, 3).data(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn one_hot(labels: &Labels, classes: usize) -> Self {
        Self::one_hot_of(labels, classes)
    }

    /// The identity matrix. Other element types: `Tensor::eye(n).to::<f64>()`.
    ///
    /// # Panics
    /// If memory cannot hold the shape.
    #[track_caller]
    pub fn eye(n: usize) -> Self {
        Self::from_fn([n, n], |e| f64::from(e / n == e % n))
    }
}

impl<F: Real> Tensor<F> {
    /// From data, row after row, of any element type: `Tensor::<f64>::of([2], vec![1.0, 2.0])`.
    ///
    /// # Panics
    /// If the data does not have as many numbers as the shape; [`Tensor::try_of`] returns an error instead.
    #[track_caller]
    pub fn of(shape: impl Into<Shape>, data: Vec<F>) -> Self {
        match Self::try_of(shape, data) {
            Ok(tensor) => tensor,
            Err(e) => panic!("{e}"),
        }
    }

    /// [`Tensor::of`] with an error instead of a panic.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if the data does not have as many numbers as the shape.
    pub fn try_of(shape: impl Into<Shape>, data: Vec<F>) -> Result<Self, Error> {
        let shape = shape.into();
        let size = shape.checked_size().map_err(|e| e.context("Tensor::new"))?;
        if size != data.len() {
            let message = format!("Tensor::new: shape {shape} has {size} elements, but the data has {}", data.len());
            return Err(Error::new(ErrorKind::Shape, message));
        }
        Ok(Self::build(shape, |out| F::copy(&data, out)))
    }

    /// `x` everywhere.
    ///
    /// # Panics
    /// If memory cannot hold the shape; [`Tensor::try_filled`] returns an error instead.
    #[track_caller]
    pub fn filled(shape: impl Into<Shape>, x: F) -> Self {
        match Self::try_filled(shape, x) {
            Ok(tensor) => tensor,
            Err(e) => panic!("{e}"),
        }
    }

    /// [`Tensor::filled`] with an error instead of a panic.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if memory cannot hold the shape; then nothing was allocated.
    pub fn try_filled(shape: impl Into<Shape>, x: F) -> Result<Self, Error> {
        let shape = shape.into();
        let size = shape.checked_size().map_err(|e| e.context("Tensor::filled"))?;
        // What no machine has must be an error, not the end of the process.
        if size > 1 << 28 && Vec::<F>::new().try_reserve_exact(size).is_err() {
            let message = format!("Tensor::filled: no memory for the {size} elements of shape {shape}");
            return Err(Error::new(ErrorKind::Shape, message));
        }
        Ok(Self::build(shape, |out| F::fill(x, out)))
    }

    /// `f(e)` for each element `e`, counted row after row, of any element type: `Tensor::<f32>::from_fn([3], |e| e as f64)`.
    ///
    /// # Panics
    /// If memory cannot hold the shape.
    #[track_caller]
    pub fn from_fn(shape: impl Into<Shape>, mut f: impl FnMut(usize) -> f64) -> Self {
        let shape = shape.into();
        if let Err(e) = shape.checked_size() {
            panic!("Tensor::from_fn: {e}");
        }
        Self::build(shape, |out| out.iter_mut().enumerate().for_each(|(i, x)| *x = F::of(f(i))))
    }

    /// Uniform in `lo..hi`, of any element type.
    ///
    /// # Panics
    /// If memory cannot hold the shape.
    #[track_caller]
    pub fn uniform_of(shape: impl Into<Shape>, lo: f64, hi: f64, rng: &mut Rng) -> Self {
        Self::from_fn(shape, |_| lo + (hi - lo) * rng.uniform())
    }

    /// Normal with this mean and standard deviation, of any element type.
    ///
    /// # Panics
    /// If memory cannot hold the shape.
    #[track_caller]
    pub fn normal_of(shape: impl Into<Shape>, mean: f64, std: f64, rng: &mut Rng) -> Self {
        Self::from_fn(shape, |_| mean + std * rng.normal())
    }

    /// [`Tensor::one_hot`] of any element type.
    ///
    /// # Panics
    /// If the labels may exceed `classes`, or have six axes already; [`Tensor::try_one_hot_of`] returns an error instead.
    #[track_caller]
    pub fn one_hot_of(labels: &Labels, classes: usize) -> Self {
        match Self::try_one_hot_of(labels, classes) {
            Ok(tensor) => tensor,
            Err(e) => panic!("{e} ({})", std::panic::Location::caller()),
        }
    }

    /// [`Tensor::one_hot_of`] with an error instead of a panic.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if the labels may exceed `classes`, or memory cannot hold the shape.
    pub fn try_one_hot_of(labels: &Labels, classes: usize) -> Result<Self, Error> {
        let shape = labels.shape();
        if labels.classes() > classes {
            let message = format!("one_hot: labels below {} into {classes} classes", labels.classes());
            return Err(Error::new(ErrorKind::Shape, message));
        }
        if shape.rank() == Shape::MAX_RANK {
            let message = format!("one_hot: no new axis after shape {shape} (at most 6 axes)");
            return Err(Error::new(ErrorKind::Shape, message));
        }
        let shape = Shape::collect(shape.iter().copied().chain([classes]));
        shape.checked_size().map_err(|e| e.context("one_hot"))?;
        Ok(Self::build(shape, |out| {
            F::fill(F::zero(), out);
            labels.ids().iter().enumerate().for_each(|(row, &id)| out[row * classes + id as usize] = F::one());
        }))
    }
}
