//! What one pass shows: the order of the layers, and the numbers of each.
mod chain;
mod numbers;
mod origin;
mod pass;
mod sample;
mod sigma;

pub(super) use chain::{ACTIVATIONS, Chain, Stage};
pub use numbers::Counts;
pub(super) use numbers::Magnitudes;
pub use origin::{Direction, Origin};
pub(super) use pass::{Looks, Pass, Passed, Silence};
pub use sample::{LayerSample, ParamSample, Sample, TimeSample};
