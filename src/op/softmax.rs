//! Softmax, its logarithm, and its fusion with the cross-entropy loss, along the last axis.
use super::{
    fail,
    targets::{LabelTargets, Reduction, split},
};
use crate::{
    core::{Op, Saved, TensorLike, Vjp},
    tensor::{Real, Tensor},
};

/// Softmax along the last axis.
#[derive(Clone, Copy, Debug)]
pub struct Softmax;
impl<F: Real> Op<F> for Softmax {
    const NAME: &'static str = "softmax";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let (_, n) = x[0].shape().rows();
        Tensor::build(x[0].shape(), |out| F::softmax(n.max(1), x[0].data(), out))
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let y = cx.output(0);
        cx.give(0, || TensorLike::sub(&y_bar, &row_sums(&y_bar.chain(y))).chain(y));
    }
}

/// The logarithm of softmax along the last axis.
#[derive(Clone, Copy, Debug)]
pub struct LogSoftmax;
impl<F: Real> Op<F> for LogSoftmax {
    const NAME: &'static str = "log_softmax";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let (_, n) = x[0].shape().rows();
        Tensor::build(x[0].shape(), |out| F::log_softmax(n.max(1), x[0].data(), out))
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let y = cx.output(0);
        cx.give(0, || TensorLike::sub(&y_bar, &row_sums(&y_bar).chain(&y.exp())));
    }
}

/// Sums along the last axis, which stays.
fn row_sums<T: TensorLike>(x: &T) -> T {
    match x.shape().rank() {
        0 => x.clone(),
        rank => x.sum_keep(&[rank - 1]),
    }
}

/// The cross-entropy of the softmax of each row with the distribution that its label stands for, in one pass: the op
/// behind [`CrossEntropy`](crate::nn::CrossEntropy).
#[derive(Clone, Debug)]
pub struct SoftmaxCrossEntropy(pub LabelTargets);
impl<F: Real> Op<F> for SoftmaxCrossEntropy {
    const NAME: &'static str = "softmax_cross_entropy";
    fn forward(&self, x: &[&Tensor<F>], saved: &mut Saved<'_, F>) -> Tensor<F> {
        let (shape, x) = (x[0].shape(), x[0].data());
        let targets = &self.0;
        if let Err(e) = targets.check("softmax_cross_entropy: logits", shape) {
            fail(e);
        }
        let (n, rows) = split(shape);
        let (mut loss, mut losses) = (0.0, None);
        let p = Tensor::build(shape, |p| match targets.reduction {
            _ if targets.is_plain() => loss = F::softmax_nll(n, x, targets.labels.ids(), p),
            Reduction::None => {
                losses = Some(Tensor::build(rows, |losses| _ = F::cross_entropy(targets.targets(), n, x, p, losses)));
            }
            _ => loss = F::cross_entropy(targets.targets(), n, x, p, &mut []),
        });
        saved.keep(&p);
        losses.unwrap_or_else(|| Tensor::filled([], F::of(loss / targets.divisor())))
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let x = cx.input(0);
        cx.give(0, || {
            let [q, sum] = self.0.distributions(x);
            // Not `mul`: a row that counts nothing gets 0, also if it holds NaN or the divisor is 0.
            self.0.row_bars(&y_bar, x.shape()).chain(&(sum.chain(&x.softmax()) - q))
        });
    }
    /// One pass over the saved softmax, in place.
    fn vjp_tensor(&self, cx: &mut Vjp<'_, Tensor<F>>, y_bar: Tensor<F>) {
        let x = cx.input(0);
        let mut p = cx.take_saved(0, || x.softmax());
        let (targets, (n, _)) = (&self.0, split(x.shape()));
        if targets.is_plain() {
            F::nll_grad(n, p.data_mut(), targets.labels.ids(), F::of(y_bar.item() / targets.divisor()));
        } else {
            F::cross_entropy_grad(targets.targets(), n, p.data_mut(), y_bar.data(), 1.0 / targets.divisor());
        }
        cx.give(0, || p);
    }
}

/// The cross-entropy of log-probabilities with the distribution that each row's label stands for: the op behind
/// [`Nll`](crate::nn::Nll).
#[derive(Clone, Debug)]
pub struct Nll(pub LabelTargets);
impl<F: Real> Op<F> for Nll {
    const NAME: &'static str = "nll";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let (targets, shape, x) = (&self.0, x[0].shape(), x[0].data());
        if let Err(e) = targets.check("nll: log-probabilities", shape) {
            fail(e);
        }
        let (n, rows) = split(shape);
        match targets.reduction {
            Reduction::None => Tensor::build(rows, |losses| _ = F::nll(targets.targets(), n, x, losses)),
            _ => Tensor::filled([], F::of(F::nll(targets.targets(), n, x, &mut []) / targets.divisor())),
        }
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let x = cx.input(0);
        cx.give(0, || {
            let [q, _] = self.0.distributions(x);
            self.0.row_bars(&y_bar, x.shape()).chain(&q.neg())
        });
    }
    /// The cotangent of the logits where the softmax is 0.
    fn vjp_tensor(&self, cx: &mut Vjp<'_, Tensor<F>>, y_bar: Tensor<F>) {
        let (targets, shape) = (&self.0, cx.input(0).shape());
        cx.give(0, || {
            let mut x_bar = Tensor::filled(shape, F::zero());
            let scale = 1.0 / targets.divisor();
            F::cross_entropy_grad(targets.targets(), split(shape).0, x_bar.data_mut(), y_bar.data(), scale);
            x_bar
        });
    }
}
