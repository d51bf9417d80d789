//! The product of all elements with those of another tensor, summed.
use super::same_shape;
use crate::{
    core::{Op, Saved, TensorLike, Vjp},
    tensor::{Real, Tensor},
};

/// The sum of `a * b`, in one pass and without the products in memory.
#[derive(Clone, Copy, Debug)]
pub struct Dot;
impl<F: Real> Op<F> for Dot {
    const NAME: &'static str = "dot";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        same_shape("dot", x[0].shape(), x[1].shape());
        Tensor::filled([], F::of(F::dot(x[0].data(), x[1].data())))
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let (a, b) = (cx.input(0), cx.input(1));
        cx.give(0, || b.chain(&y_bar));
        cx.give(1, || a.chain(&y_bar));
    }
    /// A cotangent of 1, which a loss has, is not multiplied: storage is shared.
    fn vjp_tensor(&self, cx: &mut Vjp<'_, Tensor<F>>, y_bar: Tensor<F>) {
        if y_bar.item() != 1.0 {
            return self.vjp(cx, y_bar);
        }
        let (a, b) = (cx.input(0), cx.input(1));
        cx.give(0, || b.clone());
        cx.give(1, || a.clone());
    }
}
