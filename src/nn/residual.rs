use crate::{
    core::{Layer, TensorLike},
    module,
    tensor::{Real, Shape},
};
use std::panic::Location;

/// `x + f(x)` for a layer `f` that keeps the shape. Its parameters are those of `f`, under `inner`.
///
/// ```
/// use chainrule::prelude::*;
/// let mut rng = Rng::seed(1);
/// let block = Residual::new((Dense::new(8, 32, &mut rng), Relu, Dense::new(32, 8, &mut rng)));
/// assert_eq!(*block.forward(&Tensor::zeros([5, 8])).shape(), [5, 8]);
/// ```
///
/// # Panics
/// Its forward, if `f` changes the shape.
///
/// # Source
/// He et al., "Deep residual learning for image recognition", 2016.
#[derive(Clone, Copy, Debug, Default)]
pub struct Residual<L> {
    /// `f`.
    pub inner: L,
}
module!(impl[F: Real, L: Layer<F>] Residual<L> as F { inner });

impl<L> Residual<L> {
    /// `x + inner(x)`.
    pub fn new(inner: L) -> Self {
        Self { inner }
    }
}

#[cold]
#[track_caller]
fn changed(from: Shape, to: Shape) -> ! {
    panic!(
        "Residual: the inner layer makes {to} of {from}: x + f(x) needs one shape; change the layer's sizes ({})",
        Location::caller()
    )
}

impl<F: Real, L: Layer<F>> Layer<F> for Residual<L> {
    #[track_caller]
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
        let y = self.inner.forward(x);
        if y.shape() != x.shape() {
            changed(x.shape(), y.shape());
        }
        TensorLike::add(x, &y)
    }
}
