//! Normalisation of rows, scaled and shifted.
use super::{fail, reduce::centred, shape_error};
use crate::{
    core::{Op, Saved, TensorLike, Vjp},
    kernel::STATS,
    tensor::{Real, Shape, Tensor},
};

/// `(x - mean) / sqrt(var + eps) * weight + bias` for each row of `x`: inputs are `x`, the weight and the bias.
///
/// Source: Ba, Kiros and Hinton, "Layer normalization", 2016.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm {
    /// Added to the variance.
    pub eps: f64,
}

impl LayerNorm {
    #[track_caller]
    fn check(self, x: Shape, weight: Shape, bias: Shape) {
        if weight.rank() == 0 || !x.ends_with(&weight) {
            fail(shape_error(format!(
                "layer_norm: weight {weight} for x {x}: the weight needs the sizes of the last axes of x"
            )));
        }
        if bias != weight {
            fail(shape_error(format!("layer_norm: bias {bias} with weight {weight}: both need the same shape")));
        }
        if self.eps < 0.0 || self.eps.is_nan() {
            fail(shape_error(format!("layer_norm: eps must be at least 0, got {}", self.eps)));
        }
    }

    /// The result and the statistics of its rows.
    fn run<F: Real>(self, x: &Tensor<F>, weight: &Tensor<F>, bias: &Tensor<F>) -> (Tensor<F>, Tensor<F>) {
        let mut stats = Tensor::build([rows(x.shape(), weight.shape()) * STATS], |_| ());
        let kept = stats.data_mut();
        let y = Tensor::build(x.shape(), |out| {
            F::layer_norm(self.eps, x.data(), weight.data(), bias.data(), out, kept);
        });
        (y, stats)
    }

    /// The cotangents of weight and bias.
    fn parameters<F: Real>(x: &Tensor<F>, w: Shape, stats: &Tensor<F>, y_bar: &Tensor<F>) -> [Tensor<F>; 2] {
        let mut w_bar = Tensor::build(w, |_| ());
        let scaled = w_bar.data_mut();
        let b_bar = Tensor::build(w, |shifted| {
            F::layer_norm_parameters(x.data(), stats.data(), y_bar.data(), scaled, shifted);
        });
        [w_bar, b_bar]
    }
}

/// How many rows of shape `weight` there are in `x`; none if they are empty.
fn rows(x: Shape, weight: Shape) -> usize {
    if weight.size() == 0 { 0 } else { x[..x.rank() - weight.rank()].iter().product() }
}

impl<F: Real> Op<F> for LayerNorm {
    const NAME: &'static str = "layer_norm";
    fn forward(&self, x: &[&Tensor<F>], saved: &mut Saved<'_, F>) -> Tensor<F> {
        self.check(x[0].shape(), x[1].shape(), x[2].shape());
        let (y, stats) = self.run(x[0], x[1], x[2]);
        saved.keep(&stats);
        y
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let (x, w, b) = (cx.input(0), cx.input(1), cx.input(2));
        let (shape, n) = (x.shape(), w.shape().size());
        let by_row = |t: &T| t.reshape([rows(shape, w.shape()), n]);
        let d = centred(&by_row(x), |x| x.mean_keep(&[1]));
        let over_std = d.square().mean_keep(&[1]).add_scalar(self.eps).sqrt().recip();
        let normal = TensorLike::mul(&d, &over_std);
        cx.give(1, || by_row(&y_bar).chain(&normal).sum_axes(&[0]).reshape(w.shape()));
        cx.give(2, || y_bar.sum_to(b.shape()));
        cx.give(0, || {
            let g = by_row(&y_bar.chain(w));
            let along = g.chain(&normal).mean_keep(&[1]).chain(&normal);
            let across = TensorLike::sub(&TensorLike::sub(&g, &g.mean_keep(&[1])), &along);
            across.chain(&over_std).reshape(shape)
        });
    }
    /// By the saved statistics: two passes over a row, the second in place.
    fn vjp_tensor(&self, cx: &mut Vjp<'_, Tensor<F>>, mut y_bar: Tensor<F>) {
        let (x, w, b) = (cx.input(0), cx.input(1), cx.input(2));
        let stats = cx.saved(0, || self.run(x, w, b).1);
        if cx.wants(1) || cx.wants(2) {
            let [w_bar, b_bar] = Self::parameters(x, w.shape(), &stats, &y_bar);
            cx.give(1, || w_bar);
            cx.give(2, || b_bar);
        }
        cx.give(0, || {
            F::layer_norm_input(x.data(), w.data(), stats.data(), y_bar.data_mut());
            y_bar
        });
    }
}
