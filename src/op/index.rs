//! Ops that pick and place: slice, pad, concat, index_select.
use super::{check_axis, fail, shape_error};
use crate::{
    core::{Op, Saved, TensorLike, Vjp},
    error::Error,
    kernel::Blocks,
    tensor::{Labels, Real, Shape, Tensor},
};

/// The places `start..end` of an axis.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// Which axis.
    pub axis: usize,
    /// The first place.
    pub start: usize,
    /// Past the last place.
    pub end: usize,
}
impl<F: Real> Op<F> for Slice {
    const NAME: &'static str = "slice";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let (Self { axis, start, end }, shape) = (*self, x[0].shape());
        check_axis("slice", shape, axis);
        if start > end || end > shape[axis] {
            fail(shape_error(format!(
                "slice: {start}..{end} does not lie in axis {axis} of shape {shape}, which has {} places",
                shape[axis]
            )));
        }
        let part = shape.with(axis, end - start);
        if axis == 0 {
            return x[0].rows(start, part);
        }
        let (count, n, inner) = shape.around(axis);
        let len = (end - start) * inner;
        let blocks = Blocks { count, len, from: start * inner, from_step: n * inner, to: 0, to_step: len };
        Tensor::build(part, |out| F::copy_blocks(blocks, x[0].data(), out))
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        cx.give_at(0, self.axis, self.start..self.end, || y_bar);
    }
}

/// Zeros along an axis, with the input from place `start`: the transpose of [`Slice`].
#[derive(Clone, Copy, Debug)]
pub struct PadAxis {
    /// Which axis.
    pub axis: usize,
    /// Where the input begins.
    pub start: usize,
    /// The size of the axis in the result.
    pub size: usize,
}
impl PadAxis {
    /// How a part of size `part` along `axis` lies in `shape`.
    pub(crate) fn blocks(shape: Shape, axis: usize, start: usize, part: usize) -> Blocks {
        let (count, n, inner) = shape.around(axis);
        let len = part * inner;
        Blocks { count, len, from: 0, from_step: len, to: start * inner, to_step: n * inner }
    }
}
impl<F: Real> Op<F> for PadAxis {
    const NAME: &'static str = "pad_axis";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let (Self { axis, start, size }, from) = (*self, x[0].shape());
        check_axis("pad_axis", from, axis);
        if start.checked_add(from[axis]).is_none_or(|end| end > size) {
            fail(shape_error(format!("pad_axis: axis {axis} of shape {from} from place {start} exceeds size {size}")));
        }
        let shape = from.with(axis, size);
        if let Err(e) = shape.checked_size() {
            fail(e.context("pad_axis"));
        }
        Tensor::build(shape, |out| {
            F::fill(F::zero(), out);
            F::copy_blocks(Self::blocks(shape, axis, start, from[axis]), x[0].data(), out);
        })
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let n = cx.input(0).shape()[self.axis];
        cx.give(0, || y_bar.slice(self.axis, self.start..self.start + n));
    }
}

/// One after the other along an axis.
#[derive(Clone, Copy, Debug)]
pub struct Concat {
    /// Which axis.
    pub axis: usize,
}
impl Concat {
    pub(crate) fn check(self, mut parts: impl Iterator<Item = Shape>) -> Result<Shape, Error> {
        let axis = self.axis;
        let Some(first) = parts.next() else { return Err(shape_error("concat: nothing to join".into())) };
        if axis >= first.rank() {
            return Err(shape_error(format!("concat: axis {axis} of shape {first}, which has {} axes", first.rank())));
        }
        let mut size = first[axis];
        for (i, part) in parts.enumerate() {
            if part.rank() != first.rank() || part.with(axis, first[axis]) != first {
                let message =
                    format!("concat: part {} has shape {part}, part 0 {first}; only axis {axis} may differ", i + 1);
                return Err(shape_error(message));
            }
            size += part[axis];
        }
        let shape = first.with(axis, size);
        shape.checked_size().map_err(|e| e.context("concat"))?;
        Ok(shape)
    }
}
impl<F: Real> Op<F> for Concat {
    const NAME: &'static str = "concat";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let shape = match self.check(x.iter().map(|part| part.shape())) {
            Ok(shape) => shape,
            Err(e) => fail(e),
        };
        Tensor::build(shape, |out| {
            let mut start = 0;
            for part in x {
                let n = part.shape()[self.axis];
                F::copy_blocks(PadAxis::blocks(shape, self.axis, start, n), part.data(), out);
                start += n;
            }
        })
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let mut start = 0;
        for i in 0..cx.inputs() {
            let n = cx.input(i).shape()[self.axis];
            cx.give(i, || y_bar.slice(self.axis, start..start + n));
            start += n;
        }
    }
}

/// The places `ids` of an axis.
#[derive(Clone, Debug)]
pub struct IndexSelect {
    /// Which axis.
    pub axis: usize,
    /// The places, in the order of the result.
    pub ids: Labels,
}
impl IndexSelect {
    pub(crate) fn check(&self, from: Shape) -> Result<(), Error> {
        if self.axis >= from.rank() {
            let message = format!("index_select: axis {} of shape {from}, which has {} axes", self.axis, from.rank());
            return Err(shape_error(message));
        }
        if self.ids.classes() > from[self.axis] {
            return Err(shape_error(format!(
                "index_select: ids below {} for axis {} of shape {from}, which has {} places",
                self.ids.classes(),
                self.axis,
                from[self.axis]
            )));
        }
        from.with(self.axis, self.ids.len()).checked_size().map_err(|e| e.context("index_select"))?;
        Ok(())
    }
}
impl<F: Real> Op<F> for IndexSelect {
    const NAME: &'static str = "index_select";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let shape = x[0].shape();
        if let Err(e) = self.check(shape) {
            fail(e);
        }
        let (_, n, inner) = shape.around(self.axis);
        let picked = shape.with(self.axis, self.ids.len());
        Tensor::build(picked, |out| F::index_select(n, inner, x[0].data(), self.ids.ids(), out))
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let size = cx.input(0).shape()[self.axis];
        cx.give(0, || T::apply(IndexAdd { axis: self.axis, ids: self.ids.clone(), size }, &[&y_bar]));
    }
}

/// Zeros of `size` along an axis, to whose places `ids` the input is added, in order: the transpose of [`IndexSelect`].
#[derive(Clone, Debug)]
pub struct IndexAdd {
    /// Which axis.
    pub axis: usize,
    /// The places, in the order of the input.
    pub ids: Labels,
    /// The size of the axis in the result.
    pub size: usize,
}
impl<F: Real> Op<F> for IndexAdd {
    const NAME: &'static str = "index_add";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let (Self { axis, ids, size }, from) = (self, x[0].shape());
        check_axis("index_add", from, *axis);
        if ids.len() != from[*axis] {
            fail(shape_error(format!("index_add: {} ids for axis {axis} of shape {from}", ids.len())));
        }
        if ids.classes() > *size {
            fail(shape_error(format!("index_add: ids below {} into {size} places", ids.classes())));
        }
        if let Err(e) = from.with(*axis, *size).checked_size() {
            fail(e.context("index_add"));
        }
        let (_, _, inner) = from.around(*axis);
        Tensor::build(from.with(*axis, *size), |out| {
            F::fill(F::zero(), out);
            F::index_add(*size, inner, x[0].data(), ids.ids(), out);
        })
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        cx.give(0, || y_bar.index_select(self.axis, &self.ids));
    }
}
