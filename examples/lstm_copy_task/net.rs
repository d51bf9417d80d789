//! The networks: recurrent layers of every kind and start, and a classifier of their outputs.
use crate::{
    options::{Cell, Start},
    task::{INPUTS, OUTPUTS},
};
use chainrule::{
    nn::{Nonlinearity, Recurrent},
    op::recurrent,
    prelude::*,
};

pub struct Net<K, F: Real = f32> {
    pub cell: Recurrent<K, F>,
    pub out: Dense<F>,
}
module!(impl[F: Real, K: recurrent::Recurrence] Net<K, F> as F { cell, out });

/// How the standard initialisation of recurrent weights is scaled by [`Start::Scaled`].
pub const SCALE: f64 = 3.0;

/// A cell, how it begins, and for how long a silence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Make {
    pub cell: Cell,
    pub start: Start,
    pub hidden: usize,
    pub t: usize,
}

/// What works with any network.
pub trait Work<F: Real> {
    type Out;
    fn with<K: recurrent::Recurrence>(self, net: Net<K, F>) -> Result<Self::Out, Error>;
}

impl Make {
    /// `tanh RNN, orthogonal`.
    pub fn name(&self) -> String {
        format!("{}, {}", self.cell.name(), self.start.describe(self.cell))
    }

    /// Draws the network and works with it.
    pub fn make<F: Real, W: Work<F>>(&self, rng: &mut Rng, work: W) -> Result<W::Out, Error> {
        let Self { cell, start, hidden, t } = *self;
        match cell {
            Cell::Rnn => work.with(finish(rnn(start, hidden, rng)?, rng)),
            Cell::Orthogonal => {
                let net = Rnn::new(INPUTS, hidden, rng).nonlinearity(Nonlinearity::Linear).without_bias();
                let net = net.recurrent_init(Init::Rotations { gain: 1.0 }, rng);
                work.with(finish(net.input_init(Init::Normal { mean: 0.0, std: 0.447 }, rng), rng))
            }
            Cell::Lstm => work.with(finish(lstm(start, hidden, t, rng)?, rng)),
            Cell::Gru => work.with(finish(gru(start, hidden, t, rng)?, rng)),
        }
    }
}

fn finish<K: recurrent::Recurrence, F: Real>(cell: Recurrent<K, F>, rng: &mut Rng) -> Net<K, F> {
    let out = Dense::new(cell.hidden(), OUTPUTS, rng);
    Net { cell, out }
}

fn rnn<F: Real>(start: Start, hidden: usize, rng: &mut Rng) -> Result<Rnn<F>, Error> {
    let mut net = Rnn::<F>::new(INPUTS, hidden, rng);
    match start {
        Start::Scaled => net.cells[0].w_hh.value.data_mut().iter_mut().for_each(|w| *w = F::of(SCALE * w.f64())),
        Start::Orthogonal => net = net.recurrent_init(Init::orthogonal(), rng),
        _ => {}
    }
    Ok(net)
}

/// Times for which a chrono network is made: one and a half silences.
fn longest(t: usize) -> f64 {
    (1.5 * t as f64).max(2.0)
}

fn lstm<F: Real>(start: Start, hidden: usize, t: usize, rng: &mut Rng) -> Result<Lstm<F>, Error> {
    let net = Lstm::new(INPUTS, hidden, rng);
    match start {
        Start::Bias0 => Ok(net.forget_bias(0.0)),
        Start::Chrono => net.chrono(longest(t), rng),
        Start::Orthogonal => Ok(net.recurrent_init(Init::orthogonal(), rng)),
        _ => Ok(net),
    }
}

fn gru<F: Real>(start: Start, hidden: usize, t: usize, rng: &mut Rng) -> Result<Gru<F>, Error> {
    let net = Gru::new(INPUTS, hidden, rng);
    match start {
        Start::Chrono => net.chrono(longest(t), rng),
        Start::Orthogonal => Ok(net.recurrent_init(Init::orthogonal(), rng)),
        _ => Ok(net),
    }
}
