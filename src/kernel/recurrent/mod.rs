//! Recurrent cells over whole sequences: weights packed once a call, products and cells in one pass.
//!
//! `docs/recurrent-kernel.md` explains the design.
mod backward;
mod cell;
mod cells;
mod forward;
mod layout;
mod pack;
mod product;
mod rows;
mod threads;
mod weights;
mod wide;

pub use backward::Backward;
pub use cells::{Squares, Sums};
pub use forward::Forward;
pub use layout::Dims;
pub use wide::Tiles;

use crate::formula::Lanes;
use cell::{Cell, Gru, Linear, Lstm, Relu, Tanh};

/// The cells there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cells {
    /// `tanh`.
    Tanh,
    /// `max(x, 0)`.
    Relu,
    /// No nonlinearity.
    Linear,
    /// `i, f, g, o`.
    Lstm,
    /// `r, z, n`.
    Gru,
}

/// What a sequence reads: `[T, B, I]`, or class numbers `[T, B]` below `I`.
#[derive(Clone, Copy)]
pub enum Input<'a, F> {
    /// Numbers.
    Dense(&'a [F]),
    /// Class numbers.
    Tokens(&'a [u32]),
}

macro_rules! by_cell {
    ($cell:expr, $c:ident => $e:expr) => {
        match $cell {
            Cells::Tanh => {
                type $c = Tanh;
                $e
            }
            Cells::Relu => {
                type $c = Relu;
                $e
            }
            Cells::Linear => {
                type $c = Linear;
                $e
            }
            Cells::Lstm => {
                type $c = Lstm;
                $e
            }
            Cells::Gru => {
                type $c = Gru;
                $e
            }
        }
    };
}

impl Cells {
    /// How many numbers forward keeps of the gates.
    pub fn gates(self, dims: Dims, keep: bool) -> usize {
        forward::slots(dims, keep) * dims.step(dims.batch, by_cell!(self, C => C::X.of))
    }
    /// How many of the states that are not outputs.
    pub fn states(self, dims: Dims, keep: bool) -> usize {
        if self == Self::Lstm { forward::slots(dims, keep) * dims.step(dims.batch, 1) } else { 0 }
    }
    /// How many numbers of scratch forward takes.
    pub fn forward_scratch<F: Tiles>(self, dims: Dims, tokens: bool) -> usize {
        by_cell!(self, C => forward::scratch::<F, C>(dims, tokens))
    }
    /// How many the reverse takes.
    pub fn backward_scratch<F: Tiles>(self, dims: Dims, tokens: bool, wants_x: bool) -> usize {
        by_cell!(self, C => backward::scratch::<F, C>(dims, tokens, wants_x))
    }
    /// How many sums an observer is told.
    pub fn sums(self, dims: Dims) -> usize {
        dims.parts() * dims.steps
    }
    /// The sums of step `t`, of all parts of the batch.
    pub fn heard(self, dims: Dims, sums: &[Sums], t: usize) -> Sums {
        let mut all = Sums::default();
        (0..dims.parts()).for_each(|k| all.add(&sums[k * dims.steps + t]));
        all
    }
    /// The names of the gates whose means are reported.
    pub fn reported(self) -> impl Iterator<Item = &'static str> {
        by_cell!(self, C => C::REPORTED).iter().map(|(name, _)| *name)
    }
}

/// Buffers cut from one.
struct Scratch<'a, F>(&'a mut [F]);

impl<'a, F> Scratch<'a, F> {
    /// The next `n` numbers; what they hold is what was there.
    fn take(&mut self, n: usize) -> &'a mut [F] {
        let (own, rest) = std::mem::take(&mut self.0).split_at_mut(n);
        self.0 = rest;
        own
    }
}

pub(super) fn forward<F: Tiles + Lanes>(job: Forward<'_, F>) {
    by_cell!(job.cell, C => forward::run::<F, C>(job));
}

pub(super) fn backward<F: Tiles + Lanes>(job: Backward<'_, F>) {
    by_cell!(job.cell, C => backward::run::<F, C>(job));
}
