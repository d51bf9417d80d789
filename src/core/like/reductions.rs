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
        /// The smallest of all elements; NaN if one is. Ties share the derivative evenly.
        ///
        /// # Panics
        /// If there are none.
        #[track_caller]
        fn min(&self) -> Self {
            Self::apply(Min::all(self.shape()), &[self])
        }
        /// The smallest over some axes, which disappear. Ties share the derivative evenly.
        ///
        /// # Panics
        /// If one of the axes is empty.
        #[track_caller]
        fn min_axes(&self, axes: &[usize]) -> Self {
            Self::apply(Min::over(self.shape(), axes, Keep::No), &[self])
        }
        /// The smallest over some axes, which stay with size 1. Ties share the derivative evenly.
        ///
        /// # Panics
        /// If one of the axes is empty.
        #[track_caller]
        fn min_keep(&self, axes: &[usize]) -> Self {
            Self::apply(Min::over(self.shape(), axes, Keep::Yes), &[self])
        }

        /// Where the largest along `axis` is: places of that axis, in the shape of the other axes. The first of several; a
        /// NaN counts as the largest. Not differentiable.
        ///
        /// ```
        /// use chainrule::prelude::*;
        /// let logits = Tensor::new([2, 3], vec![0.1, 0.7, 0.2, 5.0, 4.0, 5.0]);
        /// assert_eq!(logits.argmax(1).ids(), [1, 0]);
        /// ```
        ///
        /// # Panics
        /// If the axis does not exist, is empty, or has more than 2^32 - 1 places.
        #[track_caller]
        fn argmax(&self, axis: usize) -> Labels {
            extreme_at("argmax", &self.value(), axis, true)
        }
        /// Where the smallest along `axis` is, as [`Self::argmax`].
        ///
        /// # Panics
        /// If the axis does not exist, is empty, or has more than 2^32 - 1 places.
        #[track_caller]
        fn argmin(&self, axis: usize) -> Labels {
            extreme_at("argmin", &self.value(), axis, false)
        }

        /// The variance of all elements: the squared deviations from the mean, added up and divided by `n - ddof`. `ddof` is 1
        /// for that of a sample (PyTorch's default correction) and 0 for that of the elements themselves (NumPy's default).
        ///
        /// NaN if `n <= ddof`. Taken in two passes, so that numbers far from 0 keep their digits.
        /// ```
        /// use chainrule::prelude::*;
        /// let x = Tensor::<f64>::of([2, 2], vec![1e8 + 1.0, 1e8 + 3.0, 5.0, 5.0]);
        /// assert_eq!(x.var_axes(&[1], 1).data(), [2.0, 0.0]);
        /// ```
        ///
        /// # Source
        /// Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983.
        #[track_caller]
        fn var(&self, ddof: usize) -> Self {
            Self::apply(Variance { over: Reduction::all(self.shape()), ddof }, &[self])
        }
        /// [`Self::var`] over some axes, which disappear.
        #[track_caller]
        fn var_axes(&self, axes: &[usize], ddof: usize) -> Self {
            Self::apply(Variance { over: Reduction::over("var", self.shape(), axes, Keep::No), ddof }, &[self])
        }
        /// [`Self::var`] over some axes, which stay with size 1.
        #[track_caller]
        fn var_keep(&self, axes: &[usize], ddof: usize) -> Self {
            Self::apply(Variance { over: Reduction::over("var", self.shape(), axes, Keep::Yes), ddof }, &[self])
        }

        /// The standard deviation of all elements: the root of the [variance](TensorLike::var), with the same `ddof`. NaN if
        /// `n <= ddof`. It neither overflows nor underflows where only the variance would; its derivative is NaN where the sum of
        /// the elements, or a difference from their mean, overflows. At 0 the derivative is taken as 0.
        #[track_caller]
        fn std(&self, ddof: usize) -> Self {
            Self::apply(Deviation { over: Reduction::all(self.shape()), ddof }, &[self])
        }
        /// [`Self::std`] over some axes, which disappear.
        #[track_caller]
        fn std_axes(&self, axes: &[usize], ddof: usize) -> Self {
            Self::apply(Deviation { over: Reduction::over("std", self.shape(), axes, Keep::No), ddof }, &[self])
        }
        /// [`Self::std`] over some axes, which stay with size 1.
        #[track_caller]
        fn std_keep(&self, axes: &[usize], ddof: usize) -> Self {
            Self::apply(Deviation { over: Reduction::over("std", self.shape(), axes, Keep::Yes), ddof }, &[self])
        }

        /// The Euclidean norm of all elements: the root of the sum of squares, without overflow or underflow on the way. At 0 the
        /// derivative is taken as 0. (The 1-norm is `x.abs().sum()`, the maximum norm `x.abs().max()`.)
        ///
        /// On a `Tensor` itself `t.norm()` is [the number in f64](Tensor::norm); this method is `TensorLike::norm(&t)` there.
        /// ```
        /// use chainrule::prelude::*;
        /// let x = Tensor::<f64>::of([2, 2], vec![3e200, 4e200, 0.0, 0.0]);
        /// let norm = x.norm_axes(&[1]);
        /// assert!((norm.data()[0] / 5e200 - 1.0).abs() < 1e-15 && norm.data()[1] == 0.0);
        /// ```
        #[track_caller]
        fn norm(&self) -> Self {
            Self::apply(Norm { over: Reduction::all(self.shape()) }, &[self])
        }
        /// [`Self::norm`] over some axes, which disappear.
        #[track_caller]
        fn norm_axes(&self, axes: &[usize]) -> Self {
            Self::apply(Norm { over: Reduction::over("norm", self.shape(), axes, Keep::No) }, &[self])
        }
        /// [`Self::norm`] over some axes, which stay with size 1.
        #[track_caller]
        fn norm_keep(&self, axes: &[usize]) -> Self {
            Self::apply(Norm { over: Reduction::over("norm", self.shape(), axes, Keep::Yes) }, &[self])
        }

        /// `ln(sum(e^x))` over all elements, without overflow or underflow. Of nothing it is -inf. Where all elements are -inf the
        /// derivative is taken as 0.
        #[track_caller]
        fn logsumexp(&self) -> Self {
            Self::apply(LogSumExp { over: Reduction::all(self.shape()) }, &[self])
        }
        /// [`Self::logsumexp`] over some axes, which disappear.
        #[track_caller]
        fn logsumexp_axes(&self, axes: &[usize]) -> Self {
            Self::apply(LogSumExp { over: Reduction::over("logsumexp", self.shape(), axes, Keep::No) }, &[self])
        }
        /// [`Self::logsumexp`] over some axes, which stay with size 1.
        #[track_caller]
        fn logsumexp_keep(&self, axes: &[usize]) -> Self {
            Self::apply(LogSumExp { over: Reduction::over("logsumexp", self.shape(), axes, Keep::Yes) }, &[self])
        }

        /// The product of all elements; 1 if there are none. The derivative is the product of all others, right with any number
        /// of zeros.
        #[track_caller]
        fn prod(&self) -> Self {
            Self::apply(Product { over: Reduction::all(self.shape()) }, &[self])
        }
        /// [`Self::prod`] over some axes, which disappear.
        #[track_caller]
        fn prod_axes(&self, axes: &[usize]) -> Self {
            Self::apply(Product { over: Reduction::over("prod", self.shape(), axes, Keep::No) }, &[self])
        }
        /// [`Self::prod`] over some axes, which stay with size 1.
        #[track_caller]
        fn prod_keep(&self, axes: &[usize]) -> Self {
            Self::apply(Product { over: Reduction::over("prod", self.shape(), axes, Keep::Yes) }, &[self])
        }

        /// Sums what broadcasting repeated, until `shape` is left: the transpose of [`Self::broadcast_to`].
        #[track_caller]
        fn sum_to(&self, shape: Shape) -> Self {
            if self.shape() == shape { self.clone() } else { Self::apply(Sum::to(self.shape(), shape), &[self]) }
        }
    };
}
pub(super) use reductions;
