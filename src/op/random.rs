use super::{fail, shape_error};
use crate::{
    core::{Op, Saved, TensorLike, Vjp},
    tensor::{Real, Tensor},
};

/// Zero with probability `p`, else divided by `1 - p`. Linear once its key is drawn: its rule is itself.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// The probability of zero.
    pub p: f64,
    /// What the mask is a function of.
    pub key: u64,
}
impl Dropout {
    #[track_caller]
    pub(crate) fn check(p: f64) {
        if !(0.0..1.0).contains(&p) {
            fail(shape_error(format!("dropout: the probability must be in 0..1, got {p}")));
        }
    }
}
impl<F: Real> Op<F> for Dropout {
    const NAME: &'static str = "dropout";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        Tensor::build(x[0].shape(), |out| F::dropout(self.key, self.p, x[0].data(), out))
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        cx.give(0, || T::apply(*self, &[&y_bar]));
    }
}
