use crate::{
    core::{Param, Recording, TensorLike, Var},
    tensor::{Labels, Real, Tensor},
};
use std::marker::PhantomData;

mod sealed {
    pub trait Sealed {}
    impl<F: super::Real> Sealed for &super::Recording<F> {}
    impl<F: super::Real> Sealed for super::Eager<F> {}
}

/// Where new values come from, for code that has no input tensor (embeddings, zero states): a `&Recording`, or [`Eager`].
pub trait Place: Copy + sealed::Sealed {
    /// The element type.
    type Elem: Real;
    /// What lives there: [`Var`] or [`Tensor`].
    type Array: TensorLike<Elem = Self::Elem, Place = Self>;
    /// Data: no gradient flows here.
    #[track_caller]
    fn constant(self, t: &Tensor<Self::Elem>) -> Self::Array;
    /// A parameter; on a recording always the same node.
    #[track_caller]
    fn param(self, p: &Param<Self::Elem>) -> Self::Array;
    /// 1 at the class of each label, else 0, as data: [`Tensor::one_hot`].
    ///
    /// # Panics
    /// If the labels may exceed `classes`, or have six axes already.
    #[track_caller]
    fn one_hot(self, labels: &Labels, classes: usize) -> Self::Array {
        self.constant(&Tensor::one_hot_of(labels, classes))
    }
    /// Whether layers behave as in training.
    fn training(self) -> bool;
    /// A key for random numbers; `None` in evaluation. `who` is named where drawing is refused.
    ///
    /// # Panics
    /// On a recording that may not draw, made by [`Tape::begin`](crate::Tape::begin).
    #[track_caller]
    fn draw(self, who: &str) -> Option<u64>;
    /// Notes `v` as the next value of the buffer `p`; nothing without a recording.
    ///
    /// # Panics
    /// If `p` is not a [buffer](Param::buffer), or `v` has another shape or lives elsewhere.
    #[track_caller]
    fn update(self, p: &Param<Self::Elem>, v: &Self::Array);
    /// Where a checkpoint begins.
    #[doc(hidden)]
    fn open_checkpoint(self) -> usize;
    /// Drops what was recorded since, except these results.
    #[doc(hidden)]
    #[track_caller]
    fn close_checkpoint(self, start: usize, results: &[&Self::Array]);
}

/// Plain tensors: nothing is recorded.
pub struct Eager<F: Real = f32>(PhantomData<F>);

impl<F: Real> Eager<F> {
    /// The only one there is.
    pub const HERE: Self = Self(PhantomData);
}
impl<F: Real> Clone for Eager<F> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<F: Real> Copy for Eager<F> {}

impl<F: Real> Place for Eager<F> {
    type Elem = F;
    type Array = Tensor<F>;
    fn constant(self, t: &Tensor<F>) -> Tensor<F> {
        t.clone()
    }
    fn param(self, p: &Param<F>) -> Tensor<F> {
        p.value.clone()
    }
    fn training(self) -> bool {
        false
    }
    fn draw(self, _: &str) -> Option<u64> {
        None
    }
    fn update(self, _: &Param<F>, _: &Tensor<F>) {}
    fn open_checkpoint(self) -> usize {
        0
    }
    fn close_checkpoint(self, _: usize, _: &[&Tensor<F>]) {}
}

impl<'t, F: Real> Place for &'t Recording<F> {
    type Elem = F;
    type Array = Var<'t, F>;
    #[track_caller]
    fn constant(self, t: &Tensor<F>) -> Var<'t, F> {
        Recording::constant(self, t)
    }
    #[track_caller]
    fn param(self, p: &Param<F>) -> Var<'t, F> {
        Recording::param(self, p)
    }
    fn training(self) -> bool {
        self.is_training()
    }
    #[track_caller]
    fn draw(self, who: &str) -> Option<u64> {
        self.draw_key(who)
    }
    #[track_caller]
    fn update(self, p: &Param<F>, v: &Var<'t, F>) {
        self.note_update(p, *v);
    }
    fn open_checkpoint(self) -> usize {
        self.len()
    }
    #[track_caller]
    fn close_checkpoint(self, start: usize, results: &[&Var<'t, F>]) {
        Recording::close_checkpoint(self, start, results);
    }
}
