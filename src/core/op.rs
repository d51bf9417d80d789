use crate::{
    core::{TensorLike, Var, Vjp},
    tensor::{Real, Tensor},
};
use smallvec::SmallVec;
use std::any::Any;

/// An operation with one output: its value and its reverse rule, side by side.
///
/// The rule is written once over [`TensorLike`]: on tensors it computes gradients; on variables its own ops are
/// recorded, which gives all higher orders. Apply an op with [`TensorLike::apply`], check it with
/// [`check::gradcheck`](crate::check::gradcheck).
///
/// ```
/// use chainrule::prelude::*;
/// use chainrule::core::{Op, Saved, Vjp};
///
/// /// `x^3`.
/// struct Cube;
/// impl<F: Real> Op<F> for Cube {
///     const NAME: &'static str = "cube";
///     fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
///         x[0] * x[0] * x[0]
///     }
///     fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
///         let x = cx.input(0);
///         cx.give(0, || y_bar * &x.square() * 3.0);
///     }
/// }
/// let report = chainrule::check::gradcheck(&[Tensor::<f64>::of([2], vec![0.5, -2.0])], |x| TensorLike::apply(Cube, &[&x[0]]))?;
/// assert!(report.worst < 1e-6);
/// # Ok::<(), Error>(())
/// ```
pub trait Op<F: Real = f32>: Send + 'static {
    /// Its name in messages, recordings and observers.
    const NAME: &'static str;

    /// Whether each number of the output depends on the number at the same place of each input. An elementwise op of one
    /// input that consumes a layer's output is taken for its activation by observers.
    const ELEMENTWISE: bool = false;

    /// The output. `saved.keep` leaves what the rule would otherwise compute again.
    ///
    /// # Panics
    /// On shapes that do not fit, at the caller's line.
    #[track_caller]
    fn forward(&self, x: &[&Tensor<F>], saved: &mut Saved<'_, F>) -> Tensor<F>;

    /// The reverse rule: gives (or declines by [`Vjp::none`]) each input its share of the cotangent `y_bar`, which has
    /// the output's shape.
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T);

    /// First order, if a fused kernel is faster than the generic rule; test it against that one.
    #[inline]
    fn vjp_tensor(&self, cx: &mut Vjp<'_, Tensor<F>>, y_bar: Tensor<F>) {
        self.vjp(cx, y_bar);
    }
}

/// The outputs of an [`OpMany`].
pub type Outputs<T> = SmallVec<[T; 3]>;

/// An operation with several outputs: consecutive nodes of the recording, one call of the rule. Apply it with
/// [`TensorLike::apply_many`].
pub trait OpMany<F: Real = f32>: Send + 'static {
    /// Its name in messages, recordings and observers.
    const NAME: &'static str;

    /// The outputs, at least one.
    ///
    /// # Panics
    /// On shapes that do not fit, at the caller's line.
    #[track_caller]
    fn forward(&self, x: &[&Tensor<F>], saved: &mut Saved<'_, F>) -> Outputs<Tensor<F>>;

    /// The reverse rule; [`Vjp::y_bar`] is `None` for an output that nothing depends on.
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>);

    /// First order, if a fused kernel is faster than the generic rule; test it against that one.
    fn vjp_tensor(&self, cx: &mut Vjp<'_, Tensor<F>>) {
        self.vjp(cx);
    }
}

/// An op that is a composition of others, with a faster kernel of its own. Its rule is theirs: [`TensorLike::composed_vjp`].
pub trait Composed<F: Real> {
    /// The outputs, by ordinary ops.
    #[track_caller]
    fn compose<T: TensorLike<Elem = F>>(&self, x: &[&T]) -> Outputs<T>;
}

/// Where `forward` leaves results that its rule would otherwise compute again; nowhere if nothing is recorded.
pub struct Saved<'a, F: Real>(pub(crate) Option<&'a mut Vec<Tensor<F>>>);

impl<F: Real> Saved<'_, F> {
    /// Keeps a tensor for [`Vjp::saved`], counted from 0 in the order of the calls.
    pub fn keep(&mut self, t: &Tensor<F>) {
        if let Some(kept) = &mut self.0 {
            kept.push(t.clone());
        }
    }
}

/// An op with its instantiations behind one vtable.
pub(crate) trait ErasedOp<F: Real>: Send {
    fn name(&self) -> &'static str;
    fn is_elementwise(&self) -> bool;
    #[track_caller]
    fn forward(&self, x: &[&Tensor<F>], saved: &mut Saved<'_, F>) -> Outputs<Tensor<F>>;
    fn vjp_tensor(&self, cx: &mut Vjp<'_, Tensor<F>>);
    fn vjp_var<'t>(&self, cx: &mut Vjp<'_, Var<'t, F>>);
    fn as_any(&mut self) -> &mut dyn Any;
}

pub(crate) struct One<O>(pub(crate) O);
pub(crate) struct Many<O>(pub(crate) O);

impl<F: Real, O: Op<F>> ErasedOp<F> for One<O> {
    fn name(&self) -> &'static str {
        O::NAME
    }
    fn is_elementwise(&self) -> bool {
        O::ELEMENTWISE
    }
    fn forward(&self, x: &[&Tensor<F>], saved: &mut Saved<'_, F>) -> Outputs<Tensor<F>> {
        Outputs::from_iter([self.0.forward(x, saved)])
    }
    fn vjp_tensor(&self, cx: &mut Vjp<'_, Tensor<F>>) {
        if let Some(y_bar) = cx.y_bar(0) {
            self.0.vjp_tensor(cx, y_bar);
        }
    }
    fn vjp_var<'t>(&self, cx: &mut Vjp<'_, Var<'t, F>>) {
        if let Some(y_bar) = cx.y_bar(0) {
            self.0.vjp(cx, y_bar);
        }
    }
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

impl<F: Real, O: OpMany<F>> ErasedOp<F> for Many<O> {
    fn name(&self) -> &'static str {
        O::NAME
    }
    fn is_elementwise(&self) -> bool {
        false
    }
    fn forward(&self, x: &[&Tensor<F>], saved: &mut Saved<'_, F>) -> Outputs<Tensor<F>> {
        self.0.forward(x, saved)
    }
    fn vjp_tensor(&self, cx: &mut Vjp<'_, Tensor<F>>) {
        self.0.vjp_tensor(cx);
    }
    fn vjp_var<'t>(&self, cx: &mut Vjp<'_, Var<'t, F>>) {
        self.0.vjp(cx);
    }
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

/// The op of a leaf and of a further output, and a stand-in while an op is out for a recorded sweep.
pub(crate) struct Leaf;
impl<F: Real> Op<F> for Leaf {
    const NAME: &'static str = "leaf";
    fn forward(&self, _: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        unreachable!("leaves are pushed with their value")
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, _: &mut Vjp<'_, T>, _: T) {}
}
