//! Recurrent cells over whole sequences.
mod cells;
mod check;
mod fused;

pub use cells::{Gru, Lstm, Nonlinearity, Recurrence, Rnn};

use crate::{
    core::{Composed, OpMany, Outputs, Place, Saved, TensorLike, Vjp},
    tensor::{Labels, Real, Tensor},
};

/// What a cell is made of: `w_ih` of `[gates * H, I]`, `w_hh` of `[gates * H, H]`, and the biases `b_ih` and `b_hh`, each of
/// `[gates * H]`, or none. Gates lie in PyTorch's order.
#[derive(Debug)]
pub struct Weights<'a, T> {
    /// For the input.
    pub w_ih: &'a T,
    /// For the state before.
    pub w_hh: &'a T,
    /// `b_ih` and `b_hh`.
    pub bias: Option<(&'a T, &'a T)>,
}

/// A state of `[B, H]`, with a cell state for an LSTM.
#[derive(Debug)]
pub struct StateRef<'a, T> {
    /// The hidden state.
    pub h: &'a T,
    /// The cell state of an LSTM.
    pub c: Option<&'a T>,
}

// Not derived: references are `Copy` whatever they point to.
impl<T> Clone for Weights<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Weights<'_, T> {}
impl<T> Clone for StateRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for StateRef<'_, T> {}

/// A cell over a whole sequence `[T, B, I]`, or over tokens `[T, B]`: its first output is every `h`, `[T, B, H]`; an LSTM's second
/// is the last `c`. Inputs are `x` (unless there are tokens), `w_ih`, `w_hh`, `b_ih` and `b_hh` if `bias`, `h0` (and an
/// LSTM's `c0`) if `state`.
#[derive(Clone, Debug)]
pub struct Sequence<C> {
    /// Which cell.
    pub cell: C,
    /// Class numbers instead of a tensor: each picks a column of `w_ih`.
    pub tokens: Option<Labels>,
    /// Whether there are biases.
    pub bias: bool,
    /// Whether a first state is given; otherwise it is zero.
    pub state: bool,
}

/// The inputs by name.
struct Named<'a, T> {
    x: Option<&'a T>,
    w: Weights<'a, T>,
    state: Option<StateRef<'a, T>>,
}

impl<C: Recurrence> Sequence<C> {
    /// Runs it; gives every `h`, and the last `c` of an LSTM.
    #[track_caller]
    pub(crate) fn run<T: TensorLike>(
        cell: C,
        x: Result<&T, &Labels>,
        w: Weights<'_, T>,
        state: Option<StateRef<'_, T>>,
    ) -> (T, Option<T>) {
        let op = Self { cell, tokens: x.err().cloned(), bias: w.bias.is_some(), state: state.is_some() };
        let bias = w.bias.into_iter().flat_map(|(ih, hh)| [ih, hh]);
        let state = state.into_iter().flat_map(|s| [s.h].into_iter().chain(s.c));
        let inputs: smallvec::SmallVec<[&T; 8]> =
            x.ok().into_iter().chain([w.w_ih, w.w_hh]).chain(bias).chain(state).collect();
        let mut outputs = T::apply_many(op, &inputs).into_iter();
        (outputs.next().expect("an output"), outputs.next())
    }

    fn named<'a, T>(&self, inputs: &[&'a T]) -> Named<'a, T> {
        let mut rest = inputs.iter().copied();
        let mut next = || rest.next().expect("the inputs that `run` lists");
        let x = self.tokens.is_none().then(&mut next);
        let (w_ih, w_hh) = (next(), next());
        let bias = self.bias.then(|| (next(), next()));
        let state = self.state.then(|| StateRef { h: next(), c: C::CELL_STATE.then(&mut next) });
        Named { x, w: Weights { w_ih, w_hh, bias }, state }
    }
}

impl<F: Real, C: Recurrence> Composed<F> for Sequence<C> {
    /// Step by step with ordinary ops: what the fused kernel is judged by, and what higher orders differentiate.
    #[track_caller]
    fn compose<T: TensorLike<Elem = F>>(&self, inputs: &[&T]) -> Outputs<T> {
        let Named { x, w, state } = self.named(inputs);
        let place = w.w_hh.place();
        let dims = check::sequence::<C>(x.map(T::shape), self.tokens.as_ref(), &w, state.as_ref());
        let zero = || place.constant(&Tensor::filled([dims.batch, dims.hidden], F::zero()));
        let mut h = state.as_ref().map_or_else(zero, |s| s.h.clone());
        let mut c = state.and_then(|s| s.c).cloned().or_else(|| C::CELL_STATE.then(zero));
        let mut all = Vec::with_capacity(dims.steps);
        for t in 0..dims.steps {
            let input = match (x, &self.tokens) {
                (Some(x), _) => cells::project(&x.slice(0, t..t + 1).squeeze(0), w.w_ih, w.bias.map(|b| b.0)),
                (None, Some(tokens)) => cells::pick(&check::step(tokens, t), w.w_ih, w.bias.map(|b| b.0)),
                (None, None) => unreachable!("either a tensor or tokens"),
            };
            let before = cells::project(&h, w.w_hh, w.bias.map(|b| b.1));
            (h, c) = self.cell.step(&input, &before, &h, c.as_ref());
            all.push(h.clone());
        }
        let y = if all.is_empty() {
            place.constant(&Tensor::filled([0, dims.batch, dims.hidden], F::zero()))
        } else {
            T::stack(&all.iter().collect::<Vec<_>>(), 0)
        };
        // A first state that is also the last is an output of its own.
        let last = c.map(|c| c.reshape(c.shape()));
        [y].into_iter().chain(last).collect()
    }
}

impl<F: Real, C: Recurrence> OpMany<F> for Sequence<C> {
    const NAME: &'static str = C::NAME;
    fn forward(&self, x: &[&Tensor<F>], saved: &mut Saved<'_, F>) -> Outputs<Tensor<F>> {
        let named = self.named(x);
        let dims =
            check::sequence::<C>(named.x.map(|x| x.shape()), self.tokens.as_ref(), &named.w, named.state.as_ref());
        // A single step that nobody will sweep: packing the weights would cost as much as multiplying with them.
        if dims.steps == 1 && saved.0.is_none() {
            return self.compose(x);
        }
        fused::forward(self, &named, dims, saved)
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>) {
        T::composed_vjp(self, cx);
    }
    fn vjp_tensor(&self, cx: &mut Vjp<'_, Tensor<F>>) {
        fused::vjp(self, cx);
    }
}
