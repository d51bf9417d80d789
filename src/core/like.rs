//! The vocabulary shared by plain tensors and recorded variables.
use crate::{
    core::{Composed, DynLayer, Op, OpMany, Outputs, Param, Place, Var, Vjp},
    error::Error,
    formula::*,
    kernel::MapOp,
    op::*,
    tensor::{Labels, Real, Shape, Tensor},
};
use std::{borrow::Cow, ops};

// The trait is one; its text is in three files. (A supertrait would have to be imported, too.)
mod places;
mod reductions;
use places::places;
use reductions::reductions;

mod sealed {
    pub trait Sealed {}
    impl<F: super::Real> Sealed for super::Tensor<F> {}
    impl<F: super::Real> Sealed for super::Var<'_, F> {}
}

macro_rules! methods { ($($(#[$doc:meta])* $op:ident { $($attr:ident: $ty:ty),* }, $method:ident, ($a:ident $(, $b:ident)*) = $v:expr; $y:ident => $d:expr;)*) => { $(
    $(#[$doc])*
    #[track_caller]
    #[inline]
    fn $method(&self $(, $b: &Self)* $(, $attr: $ty)*) -> Self {
        Self::apply($op { $($attr),* }, &[self $(, $b)*])
    }
)* } }

/// The vocabulary of mathematics, implemented by [`Tensor`] (computes) and [`Var`] (computes and records) alone.
///
/// Code that is generic over it runs on both: one forward pass serves training and inference. Shapes that do not fit
/// are a panic that names the op, the shapes and the caller's line; the `try_` twins return an error instead.
/// Elementwise ops of several inputs broadcast as NumPy does. Where a derivative does not exist, `docs/conventions.md`
/// says what is taken.
///
/// Operators take numbers as f64, whatever the element type, on either side: `2.0 * x`, `1.0 - &x`, `x / f64::from(c)`.
/// (In generic code on the right.)
///
/// In generic code an owned `x.mul(&y)` is the operator and moves `x`; through a reference it is the method here.
///
/// ```
/// use chainrule::prelude::*;
/// fn rms<T: TensorLike>(x: &T) -> T {
///     x.square().mean().sqrt()
/// }
/// let x = Tensor::new([2], vec![3.0, 4.0]);
/// assert_eq!(rms(&x).item(), 12.5f32.sqrt() as f64);
/// let mut tape = Tape::new();
/// let v = tape.begin().variable(&x);
/// let g = rms(&v).grads_of(&[v])?;
/// assert!((g[0].data()[0] - 3.0 / (2.0 * 12.5f32.sqrt())).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
pub trait TensorLike:
    Clone
    + sealed::Sealed
    + ops::Add<Output = Self>
    + ops::Sub<Output = Self>
    + ops::Mul<Output = Self>
    + ops::Div<Output = Self>
    + ops::Neg<Output = Self>
    + ops::Add<f64, Output = Self>
    + ops::Sub<f64, Output = Self>
    + ops::Mul<f64, Output = Self>
    + ops::Div<f64, Output = Self>
    + for<'a> ops::Add<&'a Self, Output = Self>
    + for<'a> ops::Sub<&'a Self, Output = Self>
    + for<'a> ops::Mul<&'a Self, Output = Self>
    + for<'a> ops::Div<&'a Self, Output = Self>
{
    /// The element type.
    type Elem: Real;
    /// Where it lives.
    type Place: Place<Elem = Self::Elem, Array = Self>;

    /// Applies an op of one output, for instance a user's own.
    #[track_caller]
    fn apply<O: Op<Self::Elem>>(op: O, inputs: &[&Self]) -> Self;
    /// Applies an op of several outputs.
    #[track_caller]
    fn apply_many<O: OpMany<Self::Elem>>(op: O, inputs: &[&Self]) -> Outputs<Self>;
    /// Where it lives: the recording, or [`Eager`](crate::Eager).
    fn place(&self) -> Self::Place;
    /// The value; shares storage.
    ///
    /// # Panics
    /// If it was given up: of the inside of a [checkpoint](Self::checkpoint), or of a parameter after `backward`.
    #[track_caller]
    fn value(&self) -> Tensor<Self::Elem>;
    /// The sizes of its axes.
    fn shape(&self) -> Shape;
    /// Makes it the output of the layer that owns `p`: observers see its cotangent (dL/dz), and that after its
    /// activation (dL/dh), under the layer's path.
    fn tag(self, p: &Param<Self::Elem>) -> Self;
    /// Shows its cotangent to observers under this name.
    ///
    /// ```
    /// # use chainrule::prelude::*;
    /// # fn f<T: TensorLike>(x: &T) -> T {
    /// let h = x.tanh().watch("encoder.h");
    /// # h }
    /// # f(&Tensor::zeros([2]));
    /// ```
    fn watch(self, name: impl Into<Cow<'static, str>>) -> Self;
    #[doc(hidden)]
    #[track_caller]
    fn through_dyn(&self, layer: &dyn DynLayer<Self::Elem>) -> Self;
    /// self += g, in place where that is possible.
    #[doc(hidden)]
    fn accumulate(&mut self, g: Self);
    #[doc(hidden)]
    fn accumulate_at(slot: &mut Option<Self>, shape: Shape, axis: usize, start: usize, g: Self);
    /// The reverse rule of every elementwise op: fused on tensors, recorded on variables.
    #[doc(hidden)]
    #[track_caller]
    fn composed_vjp<C: Composed<Self::Elem>>(op: &C, cx: &mut Vjp<'_, Self>);
    #[doc(hidden)]
    fn map_vjp<O: MapOp<N>, const N: usize>(op: O, cx: &mut Vjp<'_, Self>, y_bar: Self);

    /// `t` as a constant that lives where `self` lives.
    #[track_caller]
    fn constant(&self, t: &Tensor<Self::Elem>) -> Self {
        self.place().constant(t)
    }
    /// A parameter, where `self` lives.
    #[track_caller]
    fn param(&self, p: &Param<Self::Elem>) -> Self {
        self.place().param(p)
    }
    /// `f(self)` without keeping its inner values: they are dropped after the forward pass and computed again in the
    /// sweep, block by block. Memory for time; the gradients have the same bits. On plain tensors it is `f(self)`.
    ///
    /// What may be used afterwards of what `f` records is its result ([`Self::checkpoint_many`]: its results); another
    /// value of the inside panics where it is read. Parameters, random masks, running statistics, watches, layers seen
    /// by observers and checkpoints inside checkpoints work as without. [`Var::grads_recorded`] undoes the checkpoints
    /// of its recording, at their price in memory.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let mut tape = Tape::new();
    /// let x = tape.begin().variable(&Tensor::new([2], vec![0.5, 1.0]));
    /// let y = x.checkpoint(|x| (x.square().exp() * 0.1).tanh());
    /// let g = y.sum().grads_of(&[x])?;
    /// let x = tape.begin().variable(&Tensor::new([2], vec![0.5, 1.0]));
    /// assert_eq!(g, (x.square().exp() * 0.1).tanh().sum().grads_of(&[x])?);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Panics
    /// As `f`.
    ///
    /// # Source
    /// Chen et al., "Training deep nets with sublinear memory cost", 2016.
    #[track_caller]
    fn checkpoint(&self, f: impl FnOnce(&Self) -> Self) -> Self {
        let start = self.place().open_checkpoint();
        let y = f(self);
        self.place().close_checkpoint(start, &[&y]);
        y
    }
    /// [`Self::checkpoint`] of a block with several results.
    ///
    /// # Panics
    /// As `f`.
    #[track_caller]
    fn checkpoint_many(&self, f: impl FnOnce(&Self) -> Outputs<Self>) -> Outputs<Self> {
        let start = self.place().open_checkpoint();
        let y = f(self);
        self.place().close_checkpoint(start, &y.iter().collect::<Outputs<_>>());
        y
    }
    /// `v` becomes the value of the buffer `p` when an optimizer commits the step; nothing in evaluation.
    ///
    /// # Panics
    /// If `p` is not a [buffer](Param::buffer), or `v` has another shape.
    #[track_caller]
    fn update(&self, p: &Param<Self::Elem>, v: &Self) {
        self.place().update(p, v);
    }
    /// The same value as a constant: no gradient flows back through it.
    #[track_caller]
    fn detach(&self) -> Self {
        self.constant(&self.value())
    }

    elementwise!(methods);

    /// `a + b`, with broadcasting.
    #[track_caller]
    #[inline]
    fn add(&self, b: &Self) -> Self {
        Self::apply(Add, &[self, b])
    }
    /// `a - b`, with broadcasting.
    #[track_caller]
    #[inline]
    fn sub(&self, b: &Self) -> Self {
        Self::apply(Sub, &[self, b])
    }

    /// The product of matrices `[.., m, k]` and `[.., k, n]`: `[.., m, n]`. Axes before the last two are a batch and
    /// broadcast.
    ///
    /// # Panics
    /// If an operand has fewer than two axes, inner sizes differ, or batches do not broadcast; [`Self::try_matmul`]
    /// returns an error instead.
    #[track_caller]
    fn matmul(&self, b: &Self) -> Self {
        self.matmul_with(b, false, false)
    }
    /// `a^T b`, without a transposed copy.
    #[track_caller]
    fn matmul_tn(&self, b: &Self) -> Self {
        self.matmul_with(b, true, false)
    }
    /// `a b^T`, without a transposed copy.
    #[track_caller]
    fn matmul_nt(&self, b: &Self) -> Self {
        self.matmul_with(b, false, true)
    }
    /// `op(a) op(b)`, each transposed (its last two axes) if asked, without copies.
    #[track_caller]
    fn matmul_with(&self, b: &Self, ta: bool, tb: bool) -> Self {
        Self::apply(MatMul { ta, tb }, &[self, b])
    }
    /// [`Self::matmul`] with an error instead of a panic.
    #[track_caller]
    fn try_matmul(&self, b: &Self) -> Result<Self, Error> {
        MatMul::check(self.shape(), b.shape(), false, false)?;
        Ok(self.matmul(b))
    }
    /// The sum of the products of all elements: the inner product, of tensors of any one shape.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    fn dot(&self, b: &Self) -> Self {
        Self::apply(Dot, &[self, b])
    }
    /// `x w^T + b` for `x` of `[.., in]`, `w` of `[out, in]` and `b` of `[out]`: the arithmetic of a dense layer.
    #[track_caller]
    fn linear(&self, w: &Self, b: &Self) -> Self {
        Self::apply(Linear, &[self, w, b])
    }

    reductions!();

    places!();

    /// `e^x / sum(e^x)` along the last axis, without overflow. (Another axis: [`Self::transpose`] before and after.)
    #[track_caller]
    fn softmax(&self) -> Self {
        Self::apply(Softmax, &[self])
    }
    /// `ln(softmax(x))` along the last axis, also where softmax underflows.
    #[track_caller]
    fn log_softmax(&self) -> Self {
        Self::apply(LogSoftmax, &[self])
    }
    /// The mean over rows of `-ln softmax(x)[label]`: `x` holds logits `[.., classes]`, one row for each label.
    ///
    /// # Panics
    /// If the number of rows or classes differs from the labels', or the shape of the rows from that of labels of more than
    /// one axis.
    #[track_caller]
    fn softmax_cross_entropy(&self, labels: &Labels) -> Self {
        Self::apply(SoftmaxCrossEntropy(LabelTargets::new(labels.clone())), &[self])
    }
    /// The mean of `(x - target)^2`.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    fn mse(&self, target: &Self) -> Self {
        same_shape("mse", self.shape(), target.shape());
        TensorLike::sub(self, target).square().mean()
    }

    /// Each row normalised, then scaled and shifted: `(x - mean) / sqrt(var + eps) * weight + bias`, where a row is the last
    /// axes of `self`, as many as `weight` and `bias` have, and `var` is the mean of `(x - mean)^2` over a row.
    ///
    /// Rows far from 0 keep their digits: mean and variance are taken in two passes.
    /// ```
    /// use chainrule::prelude::*;
    /// let x = Tensor::new([2, 3], vec![1.0, 2.0, 3.0, 10.0, 10.0, 10.0]);
    /// let y = x.layer_norm(&Tensor::ones([3]), &Tensor::zeros([3]), 1e-5);
    /// assert!((y.at([0, 2]) - 1.5f32.sqrt()).abs() < 1e-4 && y.at([1, 0]) == 0.0);
    /// ```
    ///
    /// # Panics
    /// If `weight` has no axis or not the sizes of the last axes of `self`, `bias` another shape than `weight`, or `eps` is
    /// negative or NaN.
    ///
    /// # Source
    /// Ba, Kiros and Hinton, "Layer normalization", 2016.
    #[track_caller]
    fn layer_norm(&self, weight: &Self, bias: &Self, eps: f64) -> Self {
        Self::apply(LayerNorm { eps }, &[self, weight, bias])
    }

    /// In training each element is 0 with probability `p`, else divided by `1 - p`; the identity in evaluation.
    ///
    /// # Panics
    /// On a recording made by [`Tape::begin`](crate::Tape::begin), which may not draw; if `p` is not in `0..1`.
    ///
    /// # Source
    /// Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014 (in the inverted form).
    #[track_caller]
    fn dropout(&self, p: f64) -> Self {
        Dropout::check(p);
        match self.place().draw("dropout") {
            Some(key) => Self::apply(Dropout { p, key }, &[self]),
            None => self.clone(),
        }
    }
}
