use crate::{
    core::{Layer, TensorLike},
    module,
    tensor::Real,
};

/// A layer of sequences for batches that come first: takes `[B, T, I]` and gives `[B, T, H]`. Two transposed copies; time-first data
/// needs none.
///
/// ```
/// use chainrule::{nn::BatchFirst, prelude::*};
/// let net = BatchFirst::new(Gru::new(3, 5, &mut Rng::seed(1)));
/// assert_eq!(*net.forward(&Tensor::zeros([2, 7, 3])).shape(), [2, 7, 5]);
/// ```
#[derive(Clone, Debug)]
pub struct BatchFirst<L> {
    /// The layer inside, whose sequences are time first.
    pub inner: L,
}
module!(impl[F: Real, L: crate::core::Module<F>] BatchFirst<L> as F { inner });

impl<L> BatchFirst<L> {
    /// Around a layer of time-first sequences.
    pub fn new(inner: L) -> Self {
        Self { inner }
    }
}

impl<F: Real, L: Layer<F>> Layer<F> for BatchFirst<L> {
    #[track_caller]
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
        self.inner.forward(&x.transpose(0, 1)).transpose(0, 1)
    }
}
