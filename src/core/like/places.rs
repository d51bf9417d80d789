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
    };
}
pub(super) use places;
