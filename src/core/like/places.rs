//! The part of the vocabulary that moves elements: shapes, slices, indices.

macro_rules! places {
    () => {
        /// The same elements, row after row, in another shape; shares storage.
        ///
        /// # Panics
        /// If the sizes differ; [`Self::try_reshape`] returns an error instead.
        #[track_caller]
        fn reshape(&self, shape: impl Into<Shape>) -> Self {
            Self::apply(Reshape { shape: shape.into() }, &[self])
        }
        /// [`Self::reshape`] with an error instead of a panic.
        #[track_caller]
        fn try_reshape(&self, shape: impl Into<Shape>) -> Result<Self, Error> {
            let shape = shape.into();
            Reshape { shape }.check(self.shape())?;
            Ok(self.reshape(shape))
        }
        /// A new axis of size 1 before `axis`.
        #[track_caller]
        fn unsqueeze(&self, axis: usize) -> Self {
            self.reshape(unsqueezed(self.shape(), axis))
        }
        /// Without `axis`, which has size 1.
        #[track_caller]
        fn squeeze(&self, axis: usize) -> Self {
            self.reshape(squeezed(self.shape(), axis))
        }
        /// Two axes exchanged; copies. (A matrix product needs no transposed copy: [`Self::matmul_nt`], [`Self::matmul_tn`].)
        #[track_caller]
        fn transpose(&self, a: usize, b: usize) -> Self {
            Self::apply(Permute::exchange(self.shape(), a, b), &[self])
        }
        /// Axis `k` of the result is axis `axes[k]` of `self`; copies.
        #[track_caller]
        fn permute(&self, axes: &[usize]) -> Self {
            Self::apply(Permute::new(self.shape(), axes), &[self])
        }
        /// Repeated to `shape`, as elementwise ops do by themselves.
        ///
        /// # Panics
        /// If it does not broadcast to `shape`; [`Self::try_broadcast_to`] returns an error instead.
        #[track_caller]
        fn broadcast_to(&self, shape: impl Into<Shape>) -> Self {
            let shape = shape.into();
            if self.shape() == shape { self.clone() } else { Self::apply(BroadcastTo { shape }, &[self]) }
        }
        /// [`Self::broadcast_to`] with an error instead of a panic.
        #[track_caller]
        fn try_broadcast_to(&self, shape: impl Into<Shape>) -> Result<Self, Error> {
            let shape = shape.into();
            BroadcastTo { shape }.check(self.shape())?;
            Ok(self.broadcast_to(shape))
        }
        /// One after the other along `axis`; all other sizes agree.
        ///
        /// # Panics
        /// If there are none, or shapes do not fit; [`Self::try_concat`] returns an error instead.
        #[track_caller]
        fn concat(parts: &[&Self], axis: usize) -> Self {
            Self::apply(Concat { axis }, parts)
        }
        /// [`Self::concat`] with an error instead of a panic.
        #[track_caller]
        fn try_concat(parts: &[&Self], axis: usize) -> Result<Self, Error> {
            Concat { axis }.check(parts.iter().map(|part| part.shape()))?;
            Ok(Self::concat(parts, axis))
        }
        /// One after the other along a new axis before `axis`; all have the same shape.
        ///
        /// # Panics
        /// If there are none, shapes differ, or there is no such new axis; [`Self::try_stack`] returns an error instead.
        ///
        /// ```
        /// use chainrule::prelude::*;
        /// let (a, b) = (Tensor::zeros([3]), Tensor::ones([3]));
        /// assert_eq!(*TensorLike::stack(&[&a, &b], 1).shape(), [3, 2]);
        /// ```
        #[track_caller]
        fn stack(parts: &[&Self], axis: usize) -> Self {
            Self::apply(Stack { axis }, parts)
        }
        /// [`Self::stack`] with an error instead of a panic.
        #[track_caller]
        fn try_stack(parts: &[&Self], axis: usize) -> Result<Self, Error> {
            Stack { axis }.check(parts.iter().map(|part| part.shape()))?;
            Ok(Self::stack(parts, axis))
        }
        /// Parts of `size` places along `axis`; the last one may be smaller. An empty axis is one empty part.
        ///
        /// # Panics
        /// If the axis does not exist, or `size` is 0.
        ///
        /// ```
        /// use chainrule::prelude::*;
        /// let parts = Tensor::zeros([2, 7]).split(1, 3);
        /// assert_eq!(parts.iter().map(|p| p.shape()[1]).collect::<Vec<_>>(), [3, 3, 1]);
        /// ```
        #[track_caller]
        fn split(&self, axis: usize, size: usize) -> Outputs<Self> {
            let n = split_axis(self.shape(), axis, size);
            let mut parts = Outputs::new();
            for start in (0..n.max(1)).step_by(size) {
                parts.push(self.slice(axis, start..n.min(start.saturating_add(size))));
            }
            parts
        }
        /// Parts of these sizes along `axis`, which add up to it.
        ///
        /// # Panics
        /// If the axis does not exist, or the sizes do not add up to it.
        #[track_caller]
        fn split_sizes(&self, axis: usize, sizes: &[usize]) -> Outputs<Self> {
            check_split(self.shape(), axis, sizes);
            let (mut parts, mut start) = (Outputs::new(), 0);
            for size in sizes {
                parts.push(self.slice(axis, start..start + size));
                start += size;
            }
            parts
        }
        /// These axes backwards; copies.
        ///
        /// # Panics
        /// If an axis does not exist or is named twice.
        #[track_caller]
        fn flip(&self, axes: &[usize]) -> Self {
            axis_set("flip", self.shape(), axes);
            let mut flipped = self.clone();
            for &axis in axes {
                flipped = Self::apply(Flip { axis }, &[&flipped]);
            }
            flipped
        }
        /// `value` around it: for each axis, how many places before and after.
        ///
        /// # Panics
        /// If there is not one pair for each axis.
        ///
        /// ```
        /// use chainrule::prelude::*;
        /// let x = Tensor::new([1, 2], vec![1.0, 2.0]);
        /// assert_eq!(x.pad(&[(0, 1), (1, 0)], 9.0).data(), [9.0, 1.0, 2.0, 9.0, 9.0, 9.0]);
        /// ```
        #[track_caller]
        fn pad(&self, widths: &[(usize, usize)], value: f64) -> Self {
            Self::apply(Pad::new(self.shape(), widths, value), &[self])
        }
        /// The places `range` of `axis`; along axis 0 it shares storage.
        ///
        /// # Panics
        /// If the axis does not exist or the range leaves it.
        #[track_caller]
        fn slice(&self, axis: usize, range: ops::Range<usize>) -> Self {
            Self::apply(Slice { axis, start: range.start, end: range.end }, &[self])
        }
        /// Zeros of size `size` along `axis`, with `self` from place `start`: the transpose of [`Self::slice`].
        #[track_caller]
        fn pad_axis(&self, axis: usize, start: usize, size: usize) -> Self {
            Self::apply(PadAxis { axis, start, size }, &[self])
        }
        /// The places `ids` of `axis`, in that order, repeated as often as asked.
        ///
        /// # Panics
        /// If the axis does not exist, or `ids` may exceed it; [`Self::try_index_select`] returns an error instead.
        #[track_caller]
        fn index_select(&self, axis: usize, ids: &Labels) -> Self {
            Self::apply(IndexSelect { axis, ids: ids.clone() }, &[self])
        }
        /// [`Self::index_select`] with an error instead of a panic.
        #[track_caller]
        fn try_index_select(&self, axis: usize, ids: &Labels) -> Result<Self, Error> {
            IndexSelect { axis, ids: ids.clone() }.check(self.shape())?;
            Ok(self.index_select(axis, ids))
        }
        /// For each element of `index` the element at the same place, but along `axis` at that id: with two axes and axis 1,
        /// `y[i][j] = x[i][index[i][j]]`. The index has as many axes; along the others it may be shorter.
        ///
        /// # Panics
        /// If the axis does not exist, `index` has another rank, is longer along another axis, or may exceed the axis;
        /// [`Self::try_gather`] returns an error instead.
        ///
        /// ```
        /// use chainrule::prelude::*;
        /// let x = Tensor::new([2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        /// let index = Labels::new([2, 0, 1, 1], 3)?.reshape([2, 2]);
        /// assert_eq!(x.gather(1, &index).data(), [2.0, 0.0, 4.0, 4.0]);
        /// # Ok::<(), Error>(())
        /// ```
        #[track_caller]
        fn gather(&self, axis: usize, index: &Labels) -> Self {
            Self::apply(Gather { axis, index: index.clone() }, &[self])
        }
        /// [`Self::gather`] with an error instead of a panic.
        #[track_caller]
        fn try_gather(&self, axis: usize, index: &Labels) -> Result<Self, Error> {
            Gather { axis, index: index.clone() }.check(self.shape())?;
            Ok(self.gather(axis, index))
        }
        /// `self`, to which for each element of `index` the element of `src` at the same place is added, along `axis` at that
        /// id: with two axes and axis 1, `y[i][index[i][j]] += src[i][j]`. Repeated ids add, in order. `index` may be shorter
        /// than `src` along any axis, and than `self` along all but `axis`.
        ///
        /// # Panics
        /// If the axis does not exist, ranks differ, `index` is longer, or may exceed the axis; [`Self::try_scatter_add`]
        /// returns an error instead.
        #[track_caller]
        fn scatter_add(&self, axis: usize, index: &Labels, src: &Self) -> Self {
            Self::apply(ScatterAdd { axis, index: index.clone() }, &[self, src])
        }
        /// [`Self::scatter_add`] with an error instead of a panic.
        #[track_caller]
        fn try_scatter_add(&self, axis: usize, index: &Labels, src: &Self) -> Result<Self, Error> {
            ScatterAdd { axis, index: index.clone() }.check(self.shape(), src.shape())?;
            Ok(self.scatter_add(axis, index, src))
        }
    };
}
pub(super) use places;
