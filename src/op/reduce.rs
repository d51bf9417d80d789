//! Which axes are reduced; sums, maxima and minima over them.
use super::{check_axis, fail, shape::merged, shape_error};
use crate::{
    core::{Op, Saved, TensorLike, Vjp},
    kernel::{Axes, MAX_AXES},
    tensor::{Labels, Real, Shape, Tensor},
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
pub(crate) struct Reduction {
    /// Bit `a`: axis `a` is reduced.
    axes: u8,
    shape: Shape,
}

impl Reduction {
    pub(crate) fn all(from: Shape) -> Self {
        Self { axes: (1 << from.rank()) - 1, shape: Shape::SCALAR }
    }

    #[track_caller]
    pub(crate) fn over(op: &str, from: Shape, axes: &[usize], keep: Keep) -> Self {
        let reduced = Self { axes: axis_set(op, from, axes), shape: Shape::SCALAR };
        let shape = match keep {
            Keep::Yes => reduced.kept(from),
            Keep::No => Shape::collect((0..from.rank()).filter(|&axis| !reduced.reduces(axis)).map(|axis| from[axis])),
        };
        Self { shape, ..reduced }
    }

    /// How many elements of `from` go into one of the result.
    pub(super) fn count(self, from: Shape) -> usize {
        (0..from.rank()).filter(|&axis| self.reduces(axis)).map(|axis| from[axis]).product()
    }

    /// The kept axes, then the reduced ones.
    fn order(self, rank: usize) -> Axes {
        let mut order = [0; MAX_AXES];
        let kept = (0..rank).filter(|&axis| !self.reduces(axis));
        let axes = kept.chain((0..rank).filter(|&axis| self.reduces(axis)));
        order.iter_mut().zip(axes).for_each(|(place, axis)| *place = axis);
        order
    }

    /// What goes into one element of the result as a row: `[elements of the result, count]`.
    pub(super) fn rows<T: TensorLike>(self, x: &T) -> T {
        let (shape, order) = (x.shape(), self.order(x.shape().rank()));
        let rows = [self.shape.size(), self.count(shape)];
        let order = &order[..shape.rank()];
        if order.is_sorted() { x.reshape(rows) } else { x.permute(order).reshape(rows) }
    }

    /// The inverse of [`Self::rows`].
    pub(super) fn unrows<T: TensorLike>(self, rows: &T, shape: Shape) -> T {
        let order = self.order(shape.rank());
        let mut back = [0; MAX_AXES];
        for k in 0..shape.rank() {
            back[order[k]] = k;
        }
        let moved = Shape::collect((0..shape.rank()).map(|k| shape[order[k]]));
        let x = rows.reshape(moved);
        if moved == shape && order[..shape.rank()].is_sorted() { x } else { x.permute(&back[..shape.rank()]) }
    }

    /// One number for each row, by `kernel(count, x, out)`.
    pub(super) fn run_rows<F: Real>(self, x: &Tensor<F>, kernel: impl FnOnce(usize, &[F], &mut [F])) -> Tensor<F> {
        let rows = self.rows(x);
        Tensor::build(self.shape, |out| kernel(self.count(x.shape()), rows.data(), out))
    }

    fn reduces(self, axis: usize) -> bool {
        self.axes >> axis & 1 == 1
    }

    /// The shape in which reduced axes have size 1.
    pub(super) fn kept(self, from: Shape) -> Shape {
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

    /// A result with its reduced axes back, of size 1: it broadcasts to what was reduced.
    pub(super) fn wide<T: TensorLike>(self, y: &T, x: &T) -> T {
        y.reshape(self.kept(x.shape()))
    }

    /// A result repeated over the reduced axes.
    fn spread<T: TensorLike>(self, y: &T, x: &T) -> T {
        self.wide(y, x).broadcast_to(x.shape())
    }
}

/// The axes as bits.
#[track_caller]
pub(crate) fn axis_set(op: &str, shape: Shape, axes: &[usize]) -> u8 {
    let mut mask = 0;
    for &axis in axes {
        check_axis(op, shape, axis);
        if mask >> axis & 1 == 1 {
            fail(shape_error(format!("{op}: axis {axis} is named twice in {axes:?}")));
        }
        mask |= 1 << axis;
    }
    mask
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
        self.0.count(from) as f64
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

macro_rules! extremes { ($($(#[$doc:meta])* $op:ident $name:literal $kernel:ident $reaches:ident $what:literal;)*) => { $(
    $(#[$doc])*
    #[derive(Clone, Copy, Debug)]
    pub struct $op(Reduction);
    impl $op {
        #[track_caller]
        pub(crate) fn all(from: Shape) -> Self {
            Self(Reduction::all(from)).checked(from)
        }

        #[track_caller]
        pub(crate) fn over(from: Shape, axes: &[usize], keep: Keep) -> Self {
            Self(Reduction::over($name, from, axes, keep)).checked(from)
        }

        #[track_caller]
        fn checked(self, from: Shape) -> Self {
            for axis in 0..from.rank() {
                if from[axis] == 0 && self.0.reduces(axis) {
                    let name = $name;
                    fail(shape_error(format!("{name}: axis {axis} of shape {from} is empty, so it has no {} element", $what)));
                }
            }
            self
        }
    }
    impl<F: Real> Op<F> for $op {
        const NAME: &'static str = $name;
        fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
            self.0.run(x[0], F::$kernel)
        }
        fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
            let (x, y) = (cx.input(0), cx.output(0));
            cx.give(0, || {
                let reached = $reaches(x, &self.0.spread(y, x));
                let ties = reached.sum_to(self.0.kept(x.shape())).reshape(self.0.shape);
                // Not `chain` twice: where the outermost is NaN there are no ties, and the gradient is NaN, too.
                TensorLike::mul(&self.0.spread(&y_bar.chain(&ties.recip()), x), &reached)
            });
        }
    }
)* } }
extremes! {
    /// The largest over some axes; ties share the derivative evenly.
    Max "max" max_axes reaches_up "largest";
    /// The smallest over some axes; ties share the derivative evenly.
    Min "min" min_axes reaches_down "smallest";
}

fn reaches_up<T: TensorLike>(x: &T, y: &T) -> T {
    x.ge(y)
}

fn reaches_down<T: TensorLike>(x: &T, y: &T) -> T {
    y.ge(x)
}

/// Where the largest or smallest along an axis is, in the shape of the other axes.
#[track_caller]
pub(crate) fn extreme_at<F: Real>(op: &str, x: &Tensor<F>, axis: usize, largest: bool) -> Labels {
    let shape = x.shape();
    check_axis(op, shape, axis);
    let (_, n, inner) = shape.around(axis);
    if n == 0 || n > u32::MAX as usize {
        let what = if n == 0 { "is empty" } else { "has more than 2^32 - 1 places" };
        fail(shape_error(format!("{op}: axis {axis} of shape {shape} {what}")));
    }
    let others = Shape::collect((0..shape.rank()).filter(|&a| a != axis).map(|a| shape[a]));
    Labels::build(others, n, |ids| F::extreme_at(n, inner, largest, x.data(), ids))
}
