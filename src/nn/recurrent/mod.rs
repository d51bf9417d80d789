//! Recurrent networks over whole sequences, time first.
mod batch_first;
mod cell;
mod init;
mod state;

pub use batch_first::BatchFirst;
pub use cell::RecurrentCell;
pub use state::{PerLayer, State};

use crate::{
    core::{Layer, Module, Param, Path, Place, TensorLike},
    error::{Error, ErrorKind},
    op::recurrent as op,
    rng::Rng,
    tensor::{Labels, Real, Tensor},
};
use op::StateRef;
use std::panic::Location;

/// One layer of a simple recurrent network.
pub type RnnCell<F = f32> = RecurrentCell<op::Rnn, F>;
/// One layer of an LSTM.
pub type LstmCell<F = f32> = RecurrentCell<op::Lstm, F>;
/// One layer of gated recurrent units.
pub type GruCell<F = f32> = RecurrentCell<op::Gru, F>;

/// A simple recurrent network: `h = phi(W_ih x + b_ih + W_hh h + b_hh)` with tanh, ReLU or nothing for `phi`.
///
/// # Source
/// Elman, "Finding structure in time", 1990.
pub type Rnn<F = f32> = Recurrent<op::Rnn, F>;

/// A long short-term memory: gates `i, f, g, o`; `c = f c + i g`; `h = o tanh(c)`.
///
/// ```
/// use chainrule::prelude::*;
/// let mut rng = Rng::seed(1);
/// let net = (Lstm::new(10, 32, &mut rng), Dense::new(32, 9, &mut rng));
/// let mut tape = Tape::new();
/// let x = Tensor::normal([20, 4, 10], 0.0, 1.0, &mut rng); // 20 steps, batch of 4, 10 inputs
/// let y = net.forward(&tape.begin().constant(&x));
/// assert_eq!(*y.shape(), [20, 4, 9]);
/// let g = y.square().mean().backward(&net)?;
/// assert!(g.get("0.0.w_hh").is_some()); // element 0, layer 0
/// # Ok::<(), Error>(())
/// ```
///
/// # Source
/// Hochreiter and Schmidhuber, "Long short-term memory", 1997; with the forget gate of Gers et al., 2000.
pub type Lstm<F = f32> = Recurrent<op::Lstm, F>;

/// Gated recurrent units: `r, z` gates, `n = tanh(W_in x + b_in + r (W_hn h + b_hn))`, `h = (1 - z) n + z h`.
///
/// # Source
/// Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, with the reset gate after the product, as in
/// cuDNN and PyTorch.
pub type Gru<F = f32> = Recurrent<op::Gru, F>;

/// Layers of recurrent cells over whole sequences `[T, B, I]`: [`Rnn`], [`Lstm`] or [`Gru`].
///
/// Each layer is one node of a recording, with one fused kernel for all steps. As a [`Layer`] it gives the outputs of all
/// steps, `[T, B, H]`, from a state of zeros; [`Recurrent::run`] takes a state and gives the last one. The paths of its parameters
/// are `0.w_ih`, `0.w_hh`, `0.b_ih`, `0.b_hh`, `1.w_ih`, ...: PyTorch's `weight_ih_l0` and so on, in the same shapes and order of
/// gates.
///
/// # Panics
/// Its forward, if `x` is not `[T, B, I]` or the state does not fit, naming the cell, its weights' shapes and the caller's line.
#[derive(Clone, Debug)]
pub struct Recurrent<K, F: Real = f32> {
    /// The layers, the first one first.
    pub cells: Vec<RecurrentCell<K, F>>,
    dropout: f64,
}

impl<K, F: Real> Module<F> for Recurrent<K, F> {
    fn visit_at<'a>(&'a self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a Param<F>)) {
        self.cells.visit_at(path, f);
    }
    fn visit_mut_at<'a>(&'a mut self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a mut Param<F>)) {
        self.cells.visit_mut_at(path, f);
    }
}

impl<F: Real, K: op::Recurrence> Layer<F> for Recurrent<K, F> {
    #[track_caller]
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
        self.layers(x.place(), Ok(x), None).0
    }
}

impl<F: Real, K: op::Recurrence> Recurrent<K, F> {
    /// Of these layers, each as wide as the next one's inputs.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if there is none or they do not fit.
    pub fn of(cells: Vec<RecurrentCell<K, F>>) -> Result<Self, Error> {
        let fail = |what: String| Err(Error::new(ErrorKind::Shape, format!("{}: {what}", K::NAME)));
        if cells.is_empty() {
            return fail("a network needs at least one layer".into());
        }
        for (k, pair) in cells.windows(2).enumerate() {
            if pair[0].hidden() != pair[1].inputs() {
                return fail(format!(
                    "layer {} takes {} inputs, but layer {k} has {} units",
                    k + 1,
                    pair[1].inputs(),
                    pair[0].hidden()
                ));
            }
        }
        Ok(Self { cells, dropout: 0.0 })
    }

    /// With dropout between its layers (not after the last): in training each output of a layer is 0 with probability `p`, else
    /// divided by `1 - p`.
    ///
    /// # Panics
    /// If `p` is not in `0..1`.
    #[track_caller]
    pub fn dropout(self, p: f64) -> Self {
        assert!((0.0..1.0).contains(&p), "dropout: p must be in 0..1, got {p} ({})", Location::caller());
        Self { dropout: p, ..self }
    }

    /// Without biases.
    pub fn without_bias(self) -> Self {
        Self { cells: self.cells.into_iter().map(RecurrentCell::without_bias).collect(), ..self }
    }

    /// How many inputs it takes.
    pub fn inputs(&self) -> usize {
        self.cells[0].inputs()
    }

    /// How many units its last layer has: the size of its outputs.
    pub fn hidden(&self) -> usize {
        self.cells[self.cells.len() - 1].hidden()
    }

    /// Zeros for a batch of `batch` sequences.
    pub fn zero_state<P: Place<Elem = F>>(&self, place: P, batch: usize) -> State<P::Array> {
        let zeros = |cell: &RecurrentCell<K, F>| place.constant(&Tensor::filled([batch, cell.hidden()], F::zero()));
        let all = || self.cells.iter().map(zeros).collect::<PerLayer<_>>();
        State { h: all(), c: if K::CELL_STATE { all() } else { PerLayer::new() } }
    }

    /// The outputs `[T, B, H]` of a sequence `[T, B, I]` and the state after it, from `state` or zeros.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn run<T: TensorLike<Elem = F>>(&self, x: &T, state: Option<&State<T>>) -> (T, State<T>) {
        self.layers(x.place(), Ok(x), state)
    }

    /// The same for tokens `[T, B]`: each picks a column of the first layer's `w_ih`, which is what a one-hot input would do, without
    /// multiplying.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let net = Lstm::new(10, 32, &mut Rng::seed(1));
    /// let tokens = Labels::new([3, 1, 4, 1, 5, 9], 10)?.reshape([3, 2]);
    /// let (y, _) = net.run_tokens(Eager::HERE, &tokens, None);
    /// let dense = net.run(&Tensor::one_hot(&tokens, 10), None).0;
    /// assert!(y.sub(&dense).norm() < 1e-5);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// On a recording the tokens belong to the node, so a replay has the same ones.
    ///
    /// # Panics
    /// If shapes do not fit, or the tokens may exceed the inputs.
    #[track_caller]
    pub fn run_tokens<P: Place<Elem = F>>(
        &self,
        place: P,
        tokens: &Labels,
        state: Option<&State<P::Array>>,
    ) -> (P::Array, State<P::Array>) {
        self.layers(place, Err(tokens), state)
    }

    /// [`Self::run`] in windows of `window` steps, between which the state is detached: backpropagation through time truncated to a
    /// window. Values are the same; gradients stop at the border of a window.
    ///
    /// To also update the weights after each window, run each one on a recording of its own and carry
    /// [`State::values`] over with [`State::on`].
    ///
    /// # Panics
    /// If `window` is 0, or shapes do not fit.
    #[track_caller]
    pub fn run_truncated<T: TensorLike<Elem = F>>(
        &self,
        x: &T,
        window: usize,
        state: Option<&State<T>>,
    ) -> (T, State<T>) {
        assert!(window > 0, "run_truncated: a window has at least 1 step ({})", Location::caller());
        let steps = x.shape().first().copied().unwrap_or(0);
        if steps <= window {
            return self.run(x, state);
        }
        let (mut parts, mut state) = (vec![], state.cloned());
        for start in (0..steps).step_by(window) {
            let part = x.slice(0, start..steps.min(start + window));
            let (y, last) = self.run(&part, state.map(|s| if start == 0 { s } else { s.detach() }).as_ref());
            parts.push(y);
            state = Some(last);
        }
        (T::concat(&parts.iter().collect::<Vec<_>>(), 0), state.expect("at least one window"))
    }

    /// One step of `[B, I]`, for decoding: the state after it, whose [`State::output`] is the output. On plain tensors it is computed with
    /// ordinary ops, so it may differ from [`Self::run`] in the last bits.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn step<T: TensorLike<Elem = F>>(&self, x: &T, state: Option<&State<T>>) -> State<T> {
        self.run(&x.unsqueeze(0), state).1
    }

    /// One step of a token for each sequence of a batch: `tokens` of `[B]`.
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
        self.run_tokens(place, &cell::one_step(K::NAME, tokens), state).1
    }

    #[track_caller]
    fn layers<P: Place<Elem = F>>(
        &self,
        place: P,
        x: Result<&P::Array, &Labels>,
        state: Option<&State<P::Array>>,
    ) -> (P::Array, State<P::Array>) {
        let n = self.cells.len();
        if let Some(state) = state {
            state.check(K::NAME, n, K::CELL_STATE); // not in a closure, which would lose the line of the caller
        }
        let (mut output, mut last) = (None, State { h: PerLayer::new(), c: PerLayer::new() });
        for (k, cell) in self.cells.iter().enumerate() {
            let first = state.map(|s| StateRef { h: &s.h[k], c: s.c.get(k) });
            let input = output.map(|y: P::Array| if self.dropout > 0.0 { y.dropout(self.dropout) } else { y });
            let (y, c) = cell.sequence(place, input.as_ref().map_or(x, Ok), first);
            last.h.push(last_of(&y, first.map(|s| s.h)));
            last.c.extend(c);
            output = Some(y);
        }
        (output.expect("a network of at least one layer"), last)
    }
}

/// The last `h` of a sequence; of an empty one the first state.
#[track_caller]
fn last_of<T: TensorLike>(y: &T, first: Option<&T>) -> T {
    let shape = y.shape();
    match (shape[0], first) {
        (0, Some(first)) => first.clone(),
        (0, None) => y.constant(&Tensor::filled([shape[1], shape[2]], num_traits::Zero::zero())),
        (steps, _) => y.slice(0, steps - 1..steps).squeeze(0),
    }
}

impl<F: Real, K: op::Recurrence + Default> Recurrent<K, F> {
    /// Layers, each of `hidden` units, with PyTorch's initialisation.
    ///
    /// # Panics
    /// If there are no layers.
    #[track_caller]
    fn standard(inputs: usize, hidden: usize, layers: usize, rng: &mut Rng) -> Self {
        assert!(layers > 0, "{}: a network needs at least one layer ({})", K::NAME, Location::caller());
        let cells =
            (0..layers).map(|k| RecurrentCell::standard(if k == 0 { inputs } else { hidden }, hidden, rng)).collect();
        Self { cells, dropout: 0.0 }
    }
}
