//! Lines over the passes of a run.
use super::{
    event::{broken, events},
    power,
};
use crate::flow::{
    Figure, Kind, LayerSample, Report,
    figure::Mark,
    verdict::{
        limits::{UPDATE_LARGE, UPDATE_NOTICE, UPDATE_USUAL},
        number,
    },
};

/// The signal of each layer.
pub(super) fn signals(report: &Report) -> Option<Figure> {
    let deep = report.samples.last().is_some_and(|s| !s.layers.is_empty());
    (deep && report.samples.len() > 1).then(|| {
        let new = Figure::new("The signal of each layer over the run")
            .subtitle("|dL/dz| from the first layer (dark) to the last (light)")
            .x_axis("pass")
            .y_axis("|dL/dz|")
            .log_y()
            .decades(1.0)
            .ordered();
        let value = |l: &LayerSample| power(l.signal);
        events(lines(new, report, value), report, zeros(report, value), |_| true)
    })
}

/// Norm of a step over norm of the weights.
pub(super) fn updates(report: &Report) -> Option<Figure> {
    let known = report.samples.iter().any(|s| s.layers.iter().any(|l| !l.update.is_nan()));
    (known && report.samples.len() > 1).then(|| {
        let new = Figure::new("How large the steps are")
            .subtitle("norm of the change over norm of the weights, from the first layer (dark) to the last (light)")
            .x_axis("pass")
            .y_axis("|change of W| / |W|")
            .log_y()
            .ordered();
        let level = |y: f64, what: &str| Mark::Level { y, name: format!("{y:e} {what}") };
        let limits = [level(UPDATE_USUAL, "usual"), level(UPDATE_NOTICE, "large"), level(UPDATE_LARGE, "too large")];
        let matters =
            |kind| matches!(kind, Kind::UpdateTooLarge | Kind::FrozenLayer | Kind::LossStalled | Kind::NonFinite);
        let value = |l: &LayerSample| l.update;
        events(lines(new, report, value).marks(limits), report, zeros(report, value), matters)
    })
}

/// The joint norm of the gradients, before and after clipping.
pub(super) fn norms(report: &Report) -> Option<Figure> {
    let broken = broken(report);
    (report.norms.len() > 1).then(|| {
        let new = Figure::new("The joint norm of the gradients").x_axis("pass").y_axis("norm").log_y();
        let clipped: Vec<f64> = report.norms.iter().filter(|p| p.2 < 1.0).map(|p| p.0 as f64).collect();
        let new = new.subtitle(if clipped.is_empty() {
            "never clipped"
        } else {
            "before clipping, and after it where it acted"
        });
        let before = report.norms.iter().map(|p| (p.0 as f64, p.1));
        let mut new = new.line("norm", with_gaps(before, &broken));
        if !clipped.is_empty() {
            let after = report.norms.iter().map(|p| (p.0 as f64, if p.2 < 1.0 { p.1 * p.2 } else { f64::NAN }));
            let rug = Mark::Rug { xs: clipped, name: "clipped".to_owned() };
            new = new.line("after clipping", with_gaps(after, &broken)).mark(rug);
        }
        if let Some(advice) = report.advice.filter(|a| a.norms >= 20 && a.limit > 0.0) {
            new = new.mark(Mark::Level { y: advice.limit, name: format!("advised limit {}", number(advice.limit)) });
        }
        let zeros = report.norms.iter().filter(|p| p.1 == 0.0).map(|p| p.0 as f64).collect();
        let matters = |kind| {
            matches!(
                kind,
                Kind::GradientSpike
                    | Kind::AlwaysClipping
                    | Kind::Exploding
                    | Kind::ExplodingThroughTime
                    | Kind::NonFinite
            )
        };
        events(new, report, zeros, matters)
    })
}

/// A line for each layer.
fn lines(new: Figure, report: &Report, value: impl Fn(&LayerSample) -> f64) -> Figure {
    let (samples, broken) = (&report.samples, broken(report));
    let layers = samples.last().map_or(&[][..], |last| &last.layers);
    layers.iter().enumerate().fold(new, |f, (k, layer)| {
        let points = samples.iter().filter_map(|s| Some((s.step as f64, value(s.layers.get(k)?))));
        f.line(layer.path.to_string(), with_gaps(points, &broken))
    })
}

/// The passes at which a layer's number is exactly 0.
fn zeros(report: &Report, value: impl Fn(&LayerSample) -> f64) -> Vec<f64> {
    let any = report.samples.iter().filter(|s| s.layers.iter().any(|l| value(l) == 0.0));
    any.map(|s| s.step as f64).collect()
}

/// A line must not lead across a pass that failed.
fn with_gaps(points: impl Iterator<Item = (f64, f64)>, broken: &[f64]) -> Vec<(f64, f64)> {
    let mut all: Vec<_> = points.chain(broken.iter().map(|x| (*x, f64::NAN))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all
}
