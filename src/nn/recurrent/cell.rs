use super::State;
use crate::{
    core::{Param, Place, TensorLike},
    error::{Error, ErrorKind},
    module,
    nn::Init,
    op::recurrent::{Recurrence, Sequence, StateRef, Weights},
    rng::Rng,
    tensor::{Labels, Real, Tensor},
};
use std::panic::Location;

/// One layer of a recurrent network: [`RnnCell`](super::RnnCell), [`LstmCell`](super::LstmCell) or [`GruCell`](super::GruCell).
///
/// ```
/// use chainrule::prelude::*;
/// let cell = LstmCell::<f32>::new(3, 5, &mut Rng::seed(1));
/// assert_eq!(*cell.w_ih.value.shape(), [4 * 5, 3]); // gates i, f, g, o, as PyTorch's
/// ```
#[derive(Clone, Debug)]
pub struct RecurrentCell<K, F: Real = f32> {
    /// `[gates * H, I]`.
    pub w_ih: Param<F>,
    /// `[gates * H, H]`.
    pub w_hh: Param<F>,
    /// `[gates * H]`, or none.
    pub b_ih: Option<Param<F>>,
    /// `[gates * H]`, or none.
    pub b_hh: Option<Param<F>>,
    pub(super) kind: K,
}
module!(impl[F: Real, K] RecurrentCell<K, F> as F { w_ih, w_hh, b_ih, b_hh; skip kind });

impl<F: Real, K: Recurrence + Default> RecurrentCell<K, F> {
    /// Everything uniform in `+-1/sqrt(H)`, PyTorch's default.
    pub(super) fn standard(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        let bound = 1.0 / (hidden.max(1) as f64).sqrt();
        let (init, rows) = (Init::Uniform { lo: -bound, hi: bound }, K::GATES * hidden);
        let (w_ih, w_hh) = (init.tensor([rows, inputs], rng), init.tensor([rows, hidden], rng));
        let [b_ih, b_hh] = [init.tensor([rows], rng), init.tensor([rows], rng)].map(|b| Some(Param::new(b)));
        Self { w_ih: Param::new(w_ih), w_hh: Param::new(w_hh), b_ih, b_hh, kind: K::default() }
    }
}

impl<F: Real, K: Recurrence> RecurrentCell<K, F> {
    /// How many inputs it takes.
    pub fn inputs(&self) -> usize {
        self.w_ih.value.shape()[1]
    }

    /// How many units it has.
    pub fn hidden(&self) -> usize {
        self.w_hh.value.shape()[1]
    }

    /// The same cell without biases.
    pub fn without_bias(self) -> Self {
        Self { b_ih: None, b_hh: None, ..self }
    }

    /// Writes one gate's part (counted in the order of the gates) of the two biases: `b` into `b_ih`, 0 into `b_hh`.
    pub(super) fn set_bias(&mut self, gate: usize, b: &[f64]) -> Result<(), Error> {
        let range = gate * b.len()..(gate + 1) * b.len();
        let Some(ih) = &mut self.b_ih else {
            return Err(Error::new(ErrorKind::BadData, format!("{}: there is no bias to set: b_ih is none", K::NAME)));
        };
        ih.value.data_mut()[range.clone()].iter_mut().zip(b).for_each(|(x, &b)| *x = F::of(b));
        if let Some(hh) = &mut self.b_hh {
            hh.value.data_mut()[range].fill(F::zero());
        }
        Ok(())
    }

    /// One step of `[B, I]` from a state or zeros: the state after it.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let cell = LstmCell::new(3, 5, &mut Rng::seed(1));
    /// let state = cell.step(&Tensor::ones([2, 3]), None);
    /// let state = cell.step(&Tensor::zeros([2, 3]), Some(&state));
    /// assert_eq!(*state.output().shape(), [2, 5]);
    /// ```
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn step<T: TensorLike<Elem = F>>(&self, x: &T, state: Option<&State<T>>) -> State<T> {
        self.one_step(x.place(), Ok(&x.unsqueeze(0)), state)
    }

    /// The same for a token for each sequence of a batch: `tokens` of `[B]`.
    ///
    /// # Panics
    /// If shapes do not fit, or the tokens may exceed the inputs.
    #[track_caller]
    pub fn step_tokens<P: Place<Elem = F>>(
        &self,
        place: P,
        tokens: &Labels,
        state: Option<&State<P::Array>>,
    ) -> State<P::Array> {
        self.one_step(place, Err(&one_step(K::NAME, tokens)), state)
    }

    #[track_caller]
    fn one_step<P: Place<Elem = F>>(
        &self,
        place: P,
        x: Result<&P::Array, &Labels>,
        state: Option<&State<P::Array>>,
    ) -> State<P::Array> {
        if let Some(state) = state {
            state.check(K::NAME, 1, K::CELL_STATE); // not in a closure, which would lose the line of the caller
        }
        let first = state.map(|s| StateRef { h: &s.h[0], c: s.c.first() });
        let (y, c) = self.sequence(place, x, first);
        State { h: [y.squeeze(0)].into_iter().collect(), c: c.into_iter().collect() }
    }

    /// Every `h` of a sequence, then the last `c`.
    #[track_caller]
    pub(super) fn sequence<P: Place<Elem = F>>(
        &self,
        place: P,
        x: Result<&P::Array, &Labels>,
        state: Option<StateRef<'_, P::Array>>,
    ) -> (P::Array, Option<P::Array>) {
        let (w_ih, w_hh) = (place.param(&self.w_ih), place.param(&self.w_hh));
        let param = |b: &Option<Param<F>>| match b {
            Some(b) => place.param(b),
            None => place.constant(&Tensor::filled([self.w_hh.value.shape()[0]], F::zero())),
        };
        let some = self.b_ih.is_some() || self.b_hh.is_some();
        let bias = some.then(|| (param(&self.b_ih), param(&self.b_hh)));
        let w = Weights { w_ih: &w_ih, w_hh: &w_hh, bias: bias.as_ref().map(|(ih, hh)| (ih, hh)) };
        let (y, c) = Sequence::run(self.kind, x, w, state);
        (y.tag(&self.w_hh), c)
    }
}

/// Tokens of one step as a sequence.
#[track_caller]
pub(super) fn one_step(name: &str, tokens: &Labels) -> Labels {
    let shape = tokens.shape();
    assert!(
        shape.rank() == 1,
        "{name}: tokens of one step have shape [B], not {shape}; run_tokens takes [T, B] ({})",
        Location::caller()
    );
    tokens.reshape([1, tokens.len()])
}

/// A matrix `gain * Q` for each gate, one below the other, `Q` drawn by `init`.
pub(super) fn by_gate<F: Real>(gates: usize, hidden: usize, init: Init, rng: &mut Rng) -> Tensor<F> {
    let blocks: Vec<Tensor<F>> = (0..gates).map(|_| init.tensor([hidden, hidden], rng)).collect();
    Tensor::concat(&blocks.iter().collect::<Vec<_>>(), 0)
}
