//! The seven pictures of a report.
mod event;
mod map;
mod profile;
mod run;

use super::Report;
use crate::flow::{Figure, LayerSample};

/// A picture of a [`Report`].
///
/// Norms stand on logarithmic axes. Over the passes of a run, the stretches in which verdicts stood are shaded and named, passes
/// with numbers that are not finite have a red cross, zeros a triangle at the lower edge. Layers run from the first (dark) to
/// the last (light). A report of a single pass, such as a pre-flight check's, has no pictures over passes; [`Self::Layers`]
/// and [`Self::Time`] are lines then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Plot {
    /// The signal of each layer over the run: a line for each.
    Signals,
    /// The gain of each layer and its two factors at the last measured pass: bars from 1, with the tolerance of 0.80 to 1.25 and
    /// the weights' factor that their initialisation lets expect.
    Gains,
    /// The signal by layer and pass: a map of colours.
    Layers,
    /// The signal of the first recurrent layer by time step and pass: a map of colours, with the horizon at which 1 % is left.
    Time,
    /// Norm of a step over norm of the weights, by layer, over the run.
    Updates,
    /// The joint norm of the gradients, what clipping left of it and when, and the limit that would be advised.
    Norms,
    /// How the sizes of the signal's numbers are spread: a ridge for each layer.
    Magnitudes,
}

impl Plot {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 7] =
        [Self::Signals, Self::Gains, Self::Layers, Self::Time, Self::Updates, Self::Norms, Self::Magnitudes];
}

pub(super) fn figure(report: &Report, plot: Plot) -> Option<Figure> {
    match plot {
        Plot::Signals => run::signals(report),
        Plot::Gains => profile::gains(report),
        Plot::Layers => map::layers(report).or_else(|| profile::layers(report)),
        Plot::Time => map::time(report).or_else(|| profile::time(report)),
        Plot::Updates => run::updates(report),
        Plot::Norms => run::norms(report),
        Plot::Magnitudes => profile::magnitudes(report),
    }
}

fn power(log: f64) -> f64 {
    10f64.powf(log)
}

/// A layer's path and activation.
fn label(layer: &LayerSample) -> String {
    layer.activation.map_or_else(|| layer.path.to_string(), |op| format!("{} {op}", layer.path))
}
