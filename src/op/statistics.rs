//! Variance, standard deviation, norm and the logarithm of a sum of exponentials, over some axes.
use super::reduce::{Reduction, centred};
use crate::{
    core::{Op, Saved, TensorLike, Vjp},
    tensor::{Real, Shape, Tensor},
};

/// `count - ddof`; NaN if nothing is left, and so is everything made of it.
fn divisor(over: Reduction, from: Shape, ddof: usize) -> f64 {
    match over.count(from).checked_sub(ddof) {
        Some(n) if n > 0 => n as f64,
        _ => f64::NAN,
    }
}

/// `x - mean` over the reduced axes.
fn deviations<T: TensorLike>(over: Reduction, x: &T) -> T {
    let n = over.count(x.shape()) as f64;
    centred(x, |x| x.sum_to(over.kept(x.shape())).div_scalar(n))
}

/// `a / y` where `y`, a reduced result, is not 0, else 0.
fn over_or_0<T: TensorLike>(a: &T, y: &T) -> T {
    y.where_cond(&TensorLike::div(a, y), &y.scale(0.0))
}

/// The squared deviations from the mean, added up and divided by `count - ddof`.
#[derive(Clone, Copy, Debug)]
pub struct Variance {
    pub(crate) over: Reduction,
    pub(crate) ddof: usize,
}
impl<F: Real> Op<F> for Variance {
    const NAME: &'static str = "var";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let divisor = divisor(self.over, x[0].shape(), self.ddof);
        self.over.run_rows(x[0], |n, x, out| F::variance(n, divisor, x, out))
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let x = cx.input(0);
        cx.give(0, || {
            let slope = deviations(self.over, x).scale(2.0 / divisor(self.over, x.shape(), self.ddof));
            TensorLike::chain(&self.over.wide(&y_bar, x), &slope)
        });
    }
}

/// The root of the variance.
#[derive(Clone, Copy, Debug)]
pub struct Deviation {
    pub(crate) over: Reduction,
    pub(crate) ddof: usize,
}
impl<F: Real> Op<F> for Deviation {
    const NAME: &'static str = "std";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let divisor = divisor(self.over, x[0].shape(), self.ddof);
        self.over.run_rows(x[0], |n, x, out| F::deviation(n, divisor, x, out))
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let (x, y) = (cx.input(0), cx.output(0));
        cx.give(0, || {
            let y = self.over.wide(y, x);
            let direction = over_or_0(&deviations(self.over, x), &y);
            let direction = direction.div_scalar(divisor(self.over, x.shape(), self.ddof));
            TensorLike::chain(&self.over.wide(&y_bar, x), &direction)
        });
    }
}

/// The Euclidean norm.
#[derive(Clone, Copy, Debug)]
pub struct Norm {
    pub(crate) over: Reduction,
}
impl<F: Real> Op<F> for Norm {
    const NAME: &'static str = "norm";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        self.over.run_rows(x[0], F::norms)
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let (x, y) = (cx.input(0), cx.output(0));
        cx.give(0, || {
            let direction = over_or_0(x, &self.over.wide(y, x));
            TensorLike::chain(&self.over.wide(&y_bar, x), &direction)
        });
    }
}

/// `ln(sum(e^x))`.
#[derive(Clone, Copy, Debug)]
pub struct LogSumExp {
    pub(crate) over: Reduction,
}
impl<F: Real> Op<F> for LogSumExp {
    const NAME: &'static str = "logsumexp";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        self.over.run_rows(x[0], F::logsumexp)
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let (x, y) = (cx.input(0), cx.output(0));
        cx.give(0, || {
            // Where nothing but -inf went in, each share is 0: an impossible state must not spoil the possible ones.
            let lit = |c| x.constant(&Tensor::filled([], c));
            let y = lit(F::neg_infinity()).ge(y).where_cond(&lit(F::zero()), y);
            let share = TensorLike::sub(x, &self.over.wide(&y, x)).exp();
            TensorLike::chain(&self.over.wide(&y_bar, x), &share)
        });
    }
}
