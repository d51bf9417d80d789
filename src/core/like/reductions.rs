//! The part of the vocabulary that reduces axes.

macro_rules! reductions {
    () => {
        /// The sum of all elements.
        #[track_caller]
        fn sum(&self) -> Self {
            Self::apply(Sum::all(self.shape()), &[self])
        }
        /// The sum over some axes, which disappear.
        #[track_caller]
        fn sum_axes(&self, axes: &[usize]) -> Self {
            Self::apply(Sum::over("sum", self.shape(), axes, Keep::No), &[self])
        }
        /// The sum over some axes, which stay with size 1.
        #[track_caller]
        fn sum_keep(&self, axes: &[usize]) -> Self {
            Self::apply(Sum::over("sum", self.shape(), axes, Keep::Yes), &[self])
        }
        /// The mean of all elements; NaN if there are none.
        #[track_caller]
        fn mean(&self) -> Self {
            self.sum().div_scalar(self.shape().size() as f64)
        }
        /// The mean over some axes, which disappear.
        #[track_caller]
        fn mean_axes(&self, axes: &[usize]) -> Self {
            let sum = Sum::over("mean", self.shape(), axes, Keep::No);
            Self::apply(sum, &[self]).div_scalar(sum.count(self.shape()))
        }
        /// The mean over some axes, which stay with size 1.
        #[track_caller]
        fn mean_keep(&self, axes: &[usize]) -> Self {
            let sum = Sum::over("mean", self.shape(), axes, Keep::Yes);
            Self::apply(sum, &[self]).div_scalar(sum.count(self.shape()))
        }
        /// The largest of all elements; NaN if one is. Ties share the derivative evenly.
        ///
        /// # Panics
        /// If there are none.
        #[track_caller]
        fn max(&self) -> Self {
            Self::apply(Max::all(self.shape()), &[self])
        }
        /// The largest over some axes, which disappear. Ties share the derivative evenly.
        ///
        /// # Panics
        /// If one of the axes is empty.
        #[track_caller]
        fn max_axes(&self, axes: &[usize]) -> Self {
            Self::apply(Max::over(self.shape(), axes, Keep::No), &[self])
        }
        /// The largest over some axes, which stay with size 1. Ties share the derivative evenly.
        ///
        /// # Panics
        /// If one of the axes is empty.
        #[track_caller]
        fn max_keep(&self, axes: &[usize]) -> Self {
            Self::apply(Max::over(self.shape(), axes, Keep::Yes), &[self])
        }
        /// Sums what broadcasting repeated, until `shape` is left: the transpose of [`Self::broadcast_to`].
        #[track_caller]
        fn sum_to(&self, shape: Shape) -> Self {
            if self.shape() == shape { self.clone() } else { Self::apply(Sum::to(self.shape(), shape), &[self]) }
        }
    };
}
pub(super) use reductions;
