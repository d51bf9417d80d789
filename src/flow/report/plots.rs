//! The seven pictures of a report.
use super::Report;
use crate::flow::{Figure, Sample, measure::Magnitudes};

/// A picture of a [`Report`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Plot {
    /// The signal of each layer over the run.
    Signals,
    /// The gain of each layer and its two factors, at the last measured pass.
    Gains,
    /// The signal from layer to layer, at passes from the first to the last.
    Layers,
    /// The signal from time step to time step of a recurrent layer, at passes from the first to the last.
    Time,
    /// Norm of a step over norm of the weights, by layer, over the run.
    Updates,
    /// The joint norm of the gradients, and what clipping left of it.
    Norms,
    /// How the sizes of the signal's numbers are spread, by layer.
    Magnitudes,
}

impl Plot {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 7] =
        [Self::Signals, Self::Gains, Self::Layers, Self::Time, Self::Updates, Self::Norms, Self::Magnitudes];
}

/// Passes of which a picture shows one line each.
const PASSES: usize = 8;

fn spread(samples: &[Sample]) -> Vec<&Sample> {
    let n = samples.len().min(PASSES);
    (0..n).map(|k| &samples[k * (samples.len() - 1) / (n - 1).max(1)]).collect()
}

fn power(log: f64) -> f64 {
    10f64.powf(log)
}

pub(super) fn figure(report: &Report, plot: Plot) -> Option<Figure> {
    let samples = &report.samples;
    let last = samples.last()?;
    let deep = !last.layers.is_empty();
    match plot {
        Plot::Signals => deep.then(|| {
            let new = Figure::new("The signal of each layer")
                .subtitle("|dL/dz|, from the first layer (dark) to the last (light)");
            let new = new.x_axis("pass").y_axis("|dL/dz|").log_y().ordered();
            over_run(new, samples, |l| power(l.signal))
        }),
        Plot::Gains => (last.layers.len() > 1).then(|| {
            let new = Figure::new("Gain of each layer and its factors");
            let new = new.subtitle(format!("pass {}: gain = f' x w; at 1 the signal keeps its size", last.step));
            let new = new.x_axis("layer").y_axis("factor").log_y();
            let line = |f: fn(&crate::flow::LayerSample) -> f64| {
                let inner = &last.layers[..last.layers.len() - 1];
                inner.iter().enumerate().map(move |(k, l)| ((k + 1) as f64, f(l))).collect::<Vec<_>>()
            };
            let new = new.line("gain", line(|l| l.gain)).dashed("1", line(|_| 1.0));
            new.line("f', the activation", line(|l| l.f_factor))
                .line("w, the weights", line(|l| l.w_factor))
                .dashed("w by init", line(|l| l.w_expected))
        }),
        Plot::Layers => (last.layers.len() > 1).then(|| {
            let new = Figure::new("The signal from layer to layer")
                .subtitle("from the first pass (dark) to the last (light)");
            let new = new.x_axis("layer").y_axis("|dL/dz|").log_y().ordered();
            spread(samples).into_iter().fold(new, |f, s| {
                let points = s.layers.iter().enumerate().map(|(k, l)| ((k + 1) as f64, power(l.signal)));
                f.line(format!("pass {}", s.step), points.collect::<Vec<_>>())
            })
        }),
        Plot::Time => {
            let layer = last.time.first()?;
            let new = Figure::new(format!("The signal through time: {} {}", layer.path, layer.op));
            let new = new.subtitle(format!(
                "1 % is left after {:.0} of {} steps; from the first pass (dark) to the last (light)",
                layer.horizon, layer.steps
            ));
            let new = new.x_axis("time step").y_axis("|dL/dstate|").log_y().ordered();
            Some(spread(samples).into_iter().filter(|s| !s.time.is_empty()).fold(new, |f, s| {
                let (t, n) = (&s.time[0], s.time[0].profile.len());
                let at = |k: usize| (k * t.steps.saturating_sub(1)) as f64 / n.saturating_sub(1).max(1) as f64;
                let points = t.profile.iter().enumerate().map(|(k, log)| (at(k), power(*log)));
                f.line(format!("pass {}", s.step), points.collect::<Vec<_>>())
            }))
        }
        Plot::Updates => {
            let known = samples.iter().any(|s| s.layers.iter().any(|l| !l.update.is_nan()));
            (deep && known).then(|| {
                let new = Figure::new("Size of a step")
                    .subtitle("norm of the change over norm of the weights; about 1e-3 is usual (dashed)");
                let new = new.x_axis("pass").y_axis("|change| / |W|").log_y().ordered();
                let new = over_run(new, samples, |l| l.update);
                new.dashed("1e-3", samples.iter().map(|s| (s.step as f64, 1e-3)).collect::<Vec<_>>())
            })
        }
        Plot::Norms => (!report.norms.is_empty()).then(|| {
            let new = Figure::new("The joint norm of the gradients").subtitle("before clipping, and after it (dashed)");
            let new = new.x_axis("pass").y_axis("norm").log_y();
            let points = |f: fn(&(u64, f64, f64)) -> f64| {
                report.norms.iter().map(move |p| (p.0 as f64, f(p))).collect::<Vec<_>>()
            };
            let new = new.line("norm", points(|p| p.1));
            if report.norms.iter().any(|p| p.2 < 1.0) {
                new.dashed("after clipping", points(|p| p.1 * p.2))
            } else {
                new
            }
        }),
        Plot::Magnitudes => {
            let sample = samples.iter().rev().find(|s| s.layers.iter().any(|l| l.magnitudes.is_some()))?;
            let new = Figure::new("How large the signal's numbers are")
                .subtitle(format!("pass {}: share of numbers by size, each bin a factor of 2", sample.step));
            let new = new.x_axis("|number|").y_axis("share").log_x().ordered();
            Some(sample.layers.iter().fold(new, |f, l| {
                let Some(bins) = &l.magnitudes else { return f };
                let all: u32 = bins.0.iter().sum();
                let (first, end) = (bins.0.iter().position(|n| *n > 0), bins.0.iter().rposition(|n| *n > 0));
                let range = first.zip(end).map_or(0..0, |(a, b)| a..b + 1);
                let size = |k: usize| 2f64.powi(k as i32 - Magnitudes::OFFSET);
                let points = range.map(|k| (size(k), f64::from(bins.0[k]) / f64::from(all.max(1))));
                f.line(l.path.to_string(), points.collect::<Vec<_>>())
            }))
        }
    }
}

/// A line for each layer over the passes.
fn over_run(new: Figure, samples: &[Sample], value: impl Fn(&crate::flow::LayerSample) -> f64) -> Figure {
    let last = &samples[samples.len() - 1];
    last.layers.iter().enumerate().fold(new, |f, (k, layer)| {
        let points = samples.iter().filter_map(|s| Some((s.step as f64, value(s.layers.get(k)?))));
        f.line(layer.path.to_string(), points.collect::<Vec<_>>())
    })
}
