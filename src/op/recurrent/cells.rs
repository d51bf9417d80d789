//! One step of each cell, from ordinary ops.
use crate::{core::TensorLike, kernel::recurrent::Cells, tensor::Labels};
use std::fmt;

/// A recurrent cell: the recurrence that [`Sequence`](super::Sequence) runs. Implemented by [`Rnn`], [`Lstm`] and
/// [`Gru`].
pub trait Recurrence: Copy + fmt::Debug + Send + Sync + sealed::Sealed + 'static {
    /// Its name in messages, recordings and observers.
    const NAME: &'static str;
    /// How many blocks of `H` rows its weights have.
    const GATES: usize;
    /// Whether it has a cell state beside `h`.
    const CELL_STATE: bool;

    /// Its fused kernel.
    #[doc(hidden)]
    fn kernel(self) -> Cells;

    /// The next `h` and cell state, from `W_ih x + b_ih` and `W_hh h + b_hh`, both of `[B, gates * H]`.
    #[track_caller]
    fn step<T: TensorLike>(self, input: &T, before: &T, h: &T, c: Option<&T>) -> (T, Option<T>);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Rnn {}
    impl Sealed for super::Lstm {}
    impl Sealed for super::Gru {}
}

/// What an [`Rnn`] does to its sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Nonlinearity {
    /// `tanh`.
    #[default]
    Tanh,
    /// `max(x, 0)`.
    Relu,
    /// Nothing.
    Linear,
}

/// `h = phi(W_ih x + b_ih + W_hh h + b_hh)`.
///
/// Source: Elman, "Finding structure in time", 1990.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rnn(pub Nonlinearity);

/// Gates `i, f, g, o`: `c = f c + i g`, `h = o tanh(c)`.
///
/// Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997; with the forget gate of Gers et al., 2000.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lstm;

/// Gates `r, z, n`: `n = tanh(W_in x + b_in + r (W_hn h + b_hn))`, `h = (1 - z) n + z h`.
///
/// Source: Cho et al., 2014, with the reset gate after the product, as in cuDNN and PyTorch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gru;

/// `x w^T + b`.
#[track_caller]
pub(super) fn project<T: TensorLike>(x: &T, w: &T, b: Option<&T>) -> T {
    b.map_or_else(|| x.matmul_nt(w), |b| x.linear(w, b))
}

/// The same for rows that are 1 at a token and 0 elsewhere.
#[track_caller]
pub(super) fn pick<T: TensorLike>(tokens: &Labels, w: &T, b: Option<&T>) -> T {
    let columns = w.index_select(1, tokens).transpose(0, 1);
    b.map_or_else(|| columns.clone(), |b| TensorLike::add(&columns, b))
}

#[track_caller]
fn gate<T: TensorLike>(z: &T, k: usize, of: usize) -> T {
    let h = z.shape()[1] / of;
    z.slice(1, k * h..(k + 1) * h)
}

impl Recurrence for Rnn {
    const NAME: &'static str = "rnn";
    const GATES: usize = 1;
    const CELL_STATE: bool = false;
    fn kernel(self) -> Cells {
        match self.0 {
            Nonlinearity::Tanh => Cells::Tanh,
            Nonlinearity::Relu => Cells::Relu,
            Nonlinearity::Linear => Cells::Linear,
        }
    }
    #[track_caller]
    fn step<T: TensorLike>(self, input: &T, before: &T, _: &T, _: Option<&T>) -> (T, Option<T>) {
        let z = TensorLike::add(input, before);
        let h = match self.0 {
            Nonlinearity::Tanh => z.tanh(),
            Nonlinearity::Relu => z.relu(),
            Nonlinearity::Linear => z,
        };
        (h, None)
    }
}

impl Recurrence for Lstm {
    const NAME: &'static str = "lstm";
    const GATES: usize = 4;
    const CELL_STATE: bool = true;
    fn kernel(self) -> Cells {
        Cells::Lstm
    }
    #[track_caller]
    fn step<T: TensorLike>(self, input: &T, before: &T, _: &T, c: Option<&T>) -> (T, Option<T>) {
        let z = TensorLike::add(input, before);
        let [i, f, g, o] =
            [gate(&z, 0, 4).sigmoid(), gate(&z, 1, 4).sigmoid(), gate(&z, 2, 4).tanh(), gate(&z, 3, 4).sigmoid()];
        let kept = c.map(|c| TensorLike::mul(&f, c));
        let new = TensorLike::mul(&i, &g);
        let c = kept.map_or(new.clone(), |kept| kept + new);
        (o * c.tanh(), Some(c))
    }
}

impl Recurrence for Gru {
    const NAME: &'static str = "gru";
    const GATES: usize = 3;
    const CELL_STATE: bool = false;
    fn kernel(self) -> Cells {
        Cells::Gru
    }
    #[track_caller]
    fn step<T: TensorLike>(self, input: &T, before: &T, h: &T, _: Option<&T>) -> (T, Option<T>) {
        let r = (gate(input, 0, 3) + gate(before, 0, 3)).sigmoid();
        let z = (gate(input, 1, 3) + gate(before, 1, 3)).sigmoid();
        let n = (gate(input, 2, 3) + r * gate(before, 2, 3)).tanh();
        let change = TensorLike::sub(h, &n);
        (n + z * change, None)
    }
}
