//! Softmax, its logarithm, and its fusion with the cross-entropy loss, along the last axis.
use super::{fail, shape_error};
use crate::{
    core::{Op, Saved, TensorLike, Vjp},
    tensor::{Labels, Real, Tensor},
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
        cx.give(0, || TensorLike::mul(y, &TensorLike::sub(&y_bar, &row_sums(&TensorLike::mul(&y_bar, y)))));
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
        cx.give(0, || TensorLike::sub(&y_bar, &TensorLike::mul(&y.exp(), &row_sums(&y_bar))));
    }
}

/// Sums along the last axis, which stays.
fn row_sums<T: TensorLike>(x: &T) -> T {
    match x.shape().rank() {
        0 => x.clone(),
        rank => x.sum_keep(&[rank - 1]),
    }
}

/// The mean over rows of `-ln softmax(x)[label]`.
#[derive(Clone, Debug)]
pub struct SoftmaxCrossEntropy {
    /// One class for each row.
    pub labels: Labels,
}
impl SoftmaxCrossEntropy {
    fn one_hot<T: TensorLike>(&self, x: &T) -> T {
        let (ids, n) = (self.labels.ids(), self.labels.classes());
        x.constant(&Tensor::from_fn(x.shape(), |e| f64::from(ids[e / n] as usize == e % n)))
    }
}
impl<F: Real> Op<F> for SoftmaxCrossEntropy {
    const NAME: &'static str = "softmax_cross_entropy";
    fn forward(&self, x: &[&Tensor<F>], saved: &mut Saved<'_, F>) -> Tensor<F> {
        let (shape, labels) = (x[0].shape(), &self.labels);
        let (rows, n) = shape.rows();
        if (rows, n) != (labels.len(), labels.classes()) || shape.rank() == 0 {
            fail(shape_error(format!(
                "softmax_cross_entropy: logits {shape} with {} labels of {} classes: a row for each label and a column for \
                 each class are needed",
                labels.len(),
                labels.classes()
            )));
        }
        let mut loss = 0.0;
        let p = Tensor::build(shape, |out| loss = F::softmax_nll(n.max(1), x[0].data(), labels.ids(), out));
        saved.keep(&p);
        Tensor::filled([], F::of(loss / rows as f64))
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let x = cx.input(0);
        cx.give(0, || TensorLike::mul(&(x.softmax() - self.one_hot(x)), &y_bar.div_scalar(self.labels.len() as f64)));
    }
    /// One pass over the saved softmax, in place.
    fn vjp_tensor(&self, cx: &mut Vjp<'_, Tensor<F>>, y_bar: Tensor<F>) {
        let x = cx.input(0);
        let mut p = cx.take_saved(0, || x.softmax());
        let c = F::of(y_bar.item() / self.labels.len() as f64);
        F::nll_grad(self.labels.classes().max(1), p.data_mut(), self.labels.ids(), c);
        cx.give(0, || p);
    }
}
