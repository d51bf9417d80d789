//! Sums and maxima over axes.
use super::{check_axis, fail, shape::merged, shape_error};
use crate::{
    core::{Op, Saved, TensorLike, Vjp},
    kernel::{Axes, MAX_AXES},
    tensor::{Real, Shape, Tensor},
};

/// Whether reduced axes stay, with size 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// They stay.
    Yes,
    /// They disappear.
    No,
}

/// Which axes are reduced, and the shape of the result.
#[derive(Clone, Copy, Debug)]
struct Reduction {
    /// Bit `a`: axis `a` is reduced.
    axes: u8,
    shape: Shape,
}

impl Reduction {
    fn all(from: Shape) -> Self {
        Self { axes: (1 << from.rank()) - 1, shape: Shape::SCALAR }
    }

    #[track_caller]
    fn over(op: &str, from: Shape, axes: &[usize], keep: Keep) -> Self {
        let mut mask = 0;
        for &axis in axes {
            check_axis(op, from, axis);
            if mask >> axis & 1 == 1 {
                fail(shape_error(format!("{op}: axis {axis} is named twice in {axes:?}")));
            }
            mask |= 1 << axis;
        }
        let reduced = Self { axes: mask, shape: Shape::SCALAR };
        let shape = match keep {
            Keep::Yes => reduced.kept(from),
            Keep::No => Shape::collect((0..from.rank()).filter(|&axis| !reduced.reduces(axis)).map(|axis| from[axis])),
        };
        Self { shape, ..reduced }
    }

    fn reduces(self, axis: usize) -> bool {
        self.axes >> axis & 1 == 1
    }

    /// The shape in which reduced axes have size 1.
    fn kept(self, from: Shape) -> Shape {
        Shape::collect((0..from.rank()).map(|axis| if self.reduces(axis) { 1 } else { from[axis] }))
    }

    fn run<F: Real>(self, x: &Tensor<F>, kernel: impl FnOnce(&[usize], &[usize], &[F], &mut [F])) -> Tensor<F> {
        let kept = self.kept(x.shape());
        let mut steps: Axes = kept.steps();
        for axis in (0..MAX_AXES).filter(|&axis| self.reduces(axis)) {
            steps[axis] = 0;
        }
        let (sizes, steps, n) = merged(x.shape(), steps);
        Tensor::build(self.shape, |out| kernel(&sizes[..n], &steps[..n], x.data(), out))
    }

    /// A result repeated over the reduced axes.
    fn spread<T: TensorLike>(self, y: &T, x: &T) -> T {
        y.reshape(self.kept(x.shape())).broadcast_to(x.shape())
    }
}

/// `x - mean(x)`, twice: the second mean is what rounding the first one left, which counts for numbers far from 0.
pub(super) fn centred<T: TensorLike>(x: &T, mean: impl Fn(&T) -> T) -> T {
    let d = TensorLike::sub(x, &mean(x));
    TensorLike::sub(&d, &mean(&d))
}

/// The sum over some axes.
#[derive(Clone, Copy, Debug)]
pub struct Sum(Reduction);
impl Sum {
    pub(crate) fn all(from: Shape) -> Self {
        Self(Reduction::all(from))
    }

    #[track_caller]
    pub(crate) fn over(op: &str, from: Shape, axes: &[usize], keep: Keep) -> Self {
        Self(Reduction::over(op, from, axes, keep))
    }

    /// Over the axes along which `to` broadcasts to `from`.
    #[track_caller]
    pub(crate) fn to(from: Shape, to: Shape) -> Self {
        let Some(lead) = from.rank().checked_sub(to.rank()) else {
            fail(shape_error(format!("sum_to: shape {to} does not broadcast to {from}")));
        };
        let mut axes = 0;
        for axis in 0..from.rank() {
            let size = if axis < lead { 1 } else { to[axis - lead] };
            if axis < lead || (size == 1 && from[axis] != 1) {
                axes |= 1 << axis;
            } else if size != from[axis] {
                fail(shape_error(format!("sum_to: shape {to} does not broadcast to {from}")));
            }
        }
        Self(Reduction { axes, shape: to })
    }

    /// How many elements of `from` go into one of the result.
    pub(crate) fn count(self, from: Shape) -> f64 {
        (0..from.rank()).filter(|&axis| self.0.reduces(axis)).map(|axis| from[axis] as f64).product()
    }
}
impl<F: Real> Op<F> for Sum {
    const NAME: &'static str = "sum";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        self.0.run(x[0], F::sum_axes)
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let x = cx.input(0);
        cx.give(0, || self.0.spread(&y_bar, x));
    }
}

/// The largest over some axes; ties share the derivative evenly.
#[derive(Clone, Copy, Debug)]
pub struct Max(Reduction);
impl Max {
    #[track_caller]
    pub(crate) fn all(from: Shape) -> Self {
        Self(Reduction::all(from)).checked(from)
    }

    #[track_caller]
    pub(crate) fn over(from: Shape, axes: &[usize], keep: Keep) -> Self {
        Self(Reduction::over("max", from, axes, keep)).checked(from)
    }

    #[track_caller]
    fn checked(self, from: Shape) -> Self {
        for axis in 0..from.rank() {
            if from[axis] == 0 && self.0.reduces(axis) {
                fail(shape_error(format!("max: axis {axis} of shape {from} is empty, so it has no largest element")));
            }
        }
        self
    }
}
impl<F: Real> Op<F> for Max {
    const NAME: &'static str = "max";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        self.0.run(x[0], F::max_axes)
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let (x, y) = (cx.input(0), cx.output(0));
        cx.give(0, || {
            let largest = x.ge(&self.0.spread(y, x));
            let ties = largest.sum_to(self.0.kept(x.shape())).reshape(self.0.shape);
            // Not `chain`: where the largest is NaN there are no ties, and the gradient is NaN, too.
            TensorLike::mul(&self.0.spread(&TensorLike::div(&y_bar, &ties), x), &largest)
        });
    }
}
