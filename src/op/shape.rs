//! Ops that rearrange: reshape, permute, broadcast.
use super::{check_axis, fail, shape_error};
use crate::{
    core::{Op, Saved, TensorLike, Vjp},
    error::Error,
    kernel::{Axes, MAX_AXES},
    tensor::{Real, Shape, Tensor},
};

/// The shape to which both broadcast: aligned at the last axis, sizes must agree or be 1.
pub(super) fn common_shape(op: &str, a: Shape, b: Shape) -> Result<Shape, Error> {
    let rank = a.rank().max(b.rank());
    let size = |s: Shape, axis: usize| (axis + s.rank()).checked_sub(rank).map_or(1, |axis| s[axis]);
    let mut shape = if a.rank() == rank { a } else { b };
    for axis in 0..rank {
        let (m, n) = (size(a, axis), size(b, axis));
        if m != n && m != 1 && n != 1 {
            return Err(shape_error(format!(
                "{op}: shapes {a} and {b} do not broadcast: sizes {m} and {n} differ and neither is 1"
            )));
        }
        shape = shape.with(axis, if m == 1 { n } else { m });
    }
    shape.checked_size().map_err(|e| e.context(op))?;
    Ok(shape)
}

/// The steps with which a tensor of shape `from` is read over `to`: 0 along axes that it repeats.
fn broadcast_steps(from: Shape, to: Shape) -> Axes {
    let (steps, lead) = (from.steps(), to.rank() - from.rank());
    let mut wide = [0; MAX_AXES];
    for axis in 0..from.rank() {
        wide[lead + axis] = if from[axis] == 1 { 0 } else { steps[axis] };
    }
    wide
}

/// Merges neighbouring axes that are walked as one, so that kernels have long inner loops: (sizes, steps, axes).
/// `steps` are those of the side that skips; the other side is contiguous.
pub(super) fn merged(shape: Shape, steps: Axes) -> (Axes, Axes, usize) {
    let (mut sizes, mut merged, mut n) = ([0; MAX_AXES], [0; MAX_AXES], 0);
    for axis in 0..shape.rank() {
        let (size, step) = (shape[axis], steps[axis]);
        if size == 1 {
            continue;
        }
        if n > 0 && merged[n - 1] == step * size {
            sizes[n - 1] *= size;
            merged[n - 1] = step;
        } else {
            (sizes[n], merged[n]) = (size, step);
            n += 1;
        }
    }
    (sizes, merged, n)
}

/// `t` repeated to `shape`, to which it must broadcast.
pub(super) fn broadcast<F: Real>(t: &Tensor<F>, shape: Shape) -> Tensor<F> {
    strided(t, shape, broadcast_steps(t.shape(), shape))
}

fn strided<F: Real>(t: &Tensor<F>, shape: Shape, steps: Axes) -> Tensor<F> {
    let (sizes, steps, n) = merged(shape, steps);
    Tensor::build(shape, |out| F::strided(&sizes[..n], &steps[..n], t.data(), out))
}

#[track_caller]
pub(crate) fn same_shape(op: &str, a: Shape, b: Shape) {
    if a != b {
        fail(shape_error(format!("{op}: shapes {a} and {b} differ")));
    }
}

#[track_caller]
pub(crate) fn unsqueezed(shape: Shape, axis: usize) -> Shape {
    if axis > shape.rank() || shape.rank() == Shape::MAX_RANK {
        fail(shape_error(format!("unsqueeze: no new axis {axis} in shape {shape} (at most 6 axes)")));
    }
    Shape::collect(shape[..axis].iter().copied().chain([1]).chain(shape[axis..].iter().copied()))
}

#[track_caller]
pub(crate) fn squeezed(shape: Shape, axis: usize) -> Shape {
    check_axis("squeeze", shape, axis);
    if shape[axis] != 1 {
        fail(shape_error(format!("squeeze: axis {axis} of shape {shape} has size {}, not 1", shape[axis])));
    }
    Shape::collect(shape.iter().enumerate().filter(|(a, _)| *a != axis).map(|(_, &size)| size))
}

/// The same elements in another shape.
#[derive(Clone, Copy, Debug)]
pub struct Reshape {
    /// The new shape.
    pub shape: Shape,
}
impl Reshape {
    pub(crate) fn check(self, from: Shape) -> Result<(), Error> {
        let (n, m) = (from.size(), self.shape.checked_size().map_err(|e| e.context("reshape"))?);
        if n == m {
            return Ok(());
        }
        Err(shape_error(format!("reshape: {from} has {n} elements, {} has {m}", self.shape)))
    }
}
impl<F: Real> Op<F> for Reshape {
    const NAME: &'static str = "reshape";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        if let Err(e) = self.check(x[0].shape()) {
            fail(e);
        }
        x[0].reshaped(self.shape)
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let x = cx.input(0);
        cx.give(0, || y_bar.reshape(x.shape()));
    }
}

/// Axis `k` of the result is axis `axes[k]` of the input.
#[derive(Clone, Copy, Debug)]
pub struct Permute {
    axes: Axes,
}
impl Permute {
    #[track_caller]
    pub(crate) fn new(shape: Shape, axes: &[usize]) -> Self {
        let once = |axis| axes.iter().filter(|a| **a == axis).count() == 1;
        if axes.len() != shape.rank() || !(0..shape.rank()).all(once) {
            fail(shape_error(format!("permute: {axes:?} does not name each axis of shape {shape} once")));
        }
        let mut all = [0; MAX_AXES];
        all[..axes.len()].copy_from_slice(axes);
        Self { axes: all }
    }

    #[track_caller]
    pub(crate) fn exchange(shape: Shape, a: usize, b: usize) -> Self {
        check_axis("transpose", shape, a);
        check_axis("transpose", shape, b);
        let mut axes = std::array::from_fn(|axis| axis);
        axes.swap(a, b);
        Self { axes }
    }

    fn inverse(self, rank: usize) -> Axes {
        let mut inverse = [0; MAX_AXES];
        for k in 0..rank {
            inverse[self.axes[k]] = k;
        }
        inverse
    }
}
impl<F: Real> Op<F> for Permute {
    const NAME: &'static str = "permute";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let (from, steps) = (x[0].shape(), x[0].shape().steps());
        let mut moved = [0; MAX_AXES];
        for k in 0..from.rank() {
            moved[k] = steps[self.axes[k]];
        }
        let shape = Shape::collect(self.axes[..from.rank()].iter().map(|&axis| from[axis]));
        strided(x[0], shape, moved)
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let rank = cx.input(0).shape().rank();
        cx.give(0, || y_bar.permute(&self.inverse(rank)[..rank]));
    }
}

/// Repeats along axes of size 1 and along new leading axes.
#[derive(Clone, Copy, Debug)]
pub struct BroadcastTo {
    /// The new shape.
    pub shape: Shape,
}
impl BroadcastTo {
    pub(crate) fn check(self, from: Shape) -> Result<(), Error> {
        match common_shape("broadcast_to", from, self.shape) {
            Ok(shape) if shape == self.shape => Ok(()),
            Ok(_) => Err(shape_error(format!("broadcast_to: shape {from} does not broadcast to {}", self.shape))),
            Err(e) => Err(e),
        }
    }
}
impl<F: Real> Op<F> for BroadcastTo {
    const NAME: &'static str = "broadcast_to";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        if let Err(e) = self.check(x[0].shape()) {
            fail(e);
        }
        broadcast(x[0], self.shape)
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let x = cx.input(0);
        cx.give(0, || y_bar.sum_to(x.shape()));
    }
}
