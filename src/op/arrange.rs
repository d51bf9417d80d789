//! Ops that arrange whole tensors: stack, flip, pad.
use super::{check_axis, fail, index::PadAxis, shape_error};
use crate::{
    core::{Op, Saved, TensorLike, Vjp},
    error::Error,
    kernel::{Axes, MAX_AXES},
    tensor::{Real, Shape, Tensor},
};

/// The size of an axis that is to be split.
#[track_caller]
pub(crate) fn split_axis(shape: Shape, axis: usize, size: usize) -> usize {
    check_axis("split", shape, axis);
    if size == 0 {
        fail(shape_error(format!("split: parts of size 0 of axis {axis} of shape {shape}; at least 1 is needed")));
    }
    shape[axis]
}

#[track_caller]
pub(crate) fn check_split(shape: Shape, axis: usize, sizes: &[usize]) {
    check_axis("split_sizes", shape, axis);
    let sum = sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size));
    if sum != Some(shape[axis]) {
        fail(shape_error(format!(
            "split_sizes: {sizes:?} does not add up to axis {axis} of shape {shape}, which has {} places",
            shape[axis]
        )));
    }
}

/// Tensors of one shape along a new axis.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    /// The new axis.
    pub axis: usize,
}
impl Stack {
    pub(crate) fn check(self, mut parts: impl ExactSizeIterator<Item = Shape>) -> Result<Shape, Error> {
        let (axis, n) = (self.axis, parts.len());
        let Some(first) = parts.next() else { return Err(shape_error("stack: nothing to join".into())) };
        if axis > first.rank() || first.rank() == Shape::MAX_RANK {
            return Err(shape_error(format!("stack: no new axis {axis} in shape {first} (at most 6 axes)")));
        }
        for (i, part) in parts.enumerate() {
            if part != first {
                return Err(shape_error(format!("stack: part {} has shape {part}, part 0 {first}", i + 1)));
            }
        }
        let shape = Shape::collect(first[..axis].iter().copied().chain([n]).chain(first[axis..].iter().copied()));
        shape.checked_size().map_err(|e| e.context("stack"))?;
        Ok(shape)
    }
}
impl<F: Real> Op<F> for Stack {
    const NAME: &'static str = "stack";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let shape = match self.check(x.iter().map(|part| part.shape())) {
            Ok(shape) => shape,
            Err(e) => fail(e),
        };
        Tensor::build(shape, |out| {
            for (i, part) in x.iter().enumerate() {
                F::copy_blocks(PadAxis::blocks(shape, self.axis, i, 1), part.data(), out);
            }
        })
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        for i in 0..cx.inputs() {
            let shape = cx.input(i).shape();
            cx.give(i, || y_bar.slice(self.axis, i..i + 1).reshape(shape));
        }
    }
}

/// One axis backwards: its own transpose.
#[derive(Clone, Copy, Debug)]
pub struct Flip {
    /// Which axis.
    pub axis: usize,
}
impl<F: Real> Op<F> for Flip {
    const NAME: &'static str = "flip";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        check_axis("flip", x[0].shape(), self.axis);
        let (_, n, inner) = x[0].shape().around(self.axis);
        Tensor::build(x[0].shape(), |out| F::reverse(n, inner, x[0].data(), out))
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        cx.give(0, || T::apply(*self, &[&y_bar]));
    }
}

/// The input inside a larger tensor that holds `value` elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Pad {
    before: Axes,
    after: Axes,
    value: f64,
}
impl Pad {
    #[track_caller]
    pub(crate) fn new(from: Shape, widths: &[(usize, usize)], value: f64) -> Self {
        if widths.len() != from.rank() {
            fail(shape_error(format!(
                "pad: {} widths for shape {from}: each axis needs a (before, after) of its own",
                widths.len()
            )));
        }
        let (mut before, mut after) = ([0; MAX_AXES], [0; MAX_AXES]);
        for (axis, width) in widths.iter().enumerate() {
            (before[axis], after[axis]) = *width;
        }
        Self { before, after, value }
    }

    fn shape(&self, from: Shape) -> Result<Shape, Error> {
        let size = |axis: usize| self.before[axis].saturating_add(from[axis]).saturating_add(self.after[axis]);
        let shape = Shape::collect((0..from.rank()).map(size));
        shape.checked_size().map_err(|e| e.context("pad"))?;
        Ok(shape)
    }
}
impl<F: Real> Op<F> for Pad {
    const NAME: &'static str = "pad";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let from = x[0].shape();
        let shape = match self.shape(from) {
            Ok(shape) => shape,
            Err(e) => fail(e),
        };
        let steps = shape.steps();
        let start = steps.iter().zip(&self.before).map(|(step, before)| step * before).sum();
        Tensor::build(shape, |out| {
            F::fill(F::of(self.value), out);
            F::place(&from, &steps[..from.rank()], start, x[0].data(), out);
        })
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let from = cx.input(0).shape();
        let padded = |axis: &usize| self.before[*axis] + self.after[*axis] > 0;
        cx.give(0, || {
            let inside = |axis: usize| self.before[axis]..self.before[axis] + from[axis];
            (0..from.rank()).filter(padded).fold(y_bar, |g, axis| g.slice(axis, inside(axis)))
        });
    }
}
