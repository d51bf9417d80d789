//! Pictures of one pass: from layer to layer, and from step to step.
use super::{
    label,
    map::{horizon, left, steps},
    power,
};
use crate::flow::{
    Figure, LayerSample, Report,
    figure::{Bar, Mark},
    measure::{Counts, Magnitudes},
    verdict::limits::{EXPLODING_RATE, VANISHING_RATE},
};

/// The gain of each layer and its two factors.
pub(super) fn gains(report: &Report) -> Option<Figure> {
    let last = report.samples.last().filter(|s| s.layers.len() > 1)?;
    let inner = &last.layers[..last.layers.len() - 1];
    let bars = |name: &str, color: usize, value: fn(&LayerSample) -> f64| {
        let place = |k: usize| [0, 1].map(|end| k as f64 + 0.12 + 0.76 * (color + end) as f64 / 3.0);
        let bars = inner.iter().enumerate().map(|(k, l)| Bar { x: value(l), y: place(k) }).collect();
        Mark::Bars { name: name.to_owned(), color, from: 1.0, bars }
    };
    let expected = inner.iter().enumerate().map(|(k, l)| (l.w_expected, [k as f64 + 0.62, k as f64 + 0.88])).collect();
    let factors = || inner.iter().flat_map(|l| [l.gain, l.f_factor, l.w_factor]);
    let unknown = if factors().any(f64::is_nan) { "; cross: 0 / 0" } else { "" };
    let pale = if factors().any(|x| x == 0.0 || x == f64::INFINITY) { "; pale bar: 0 or infinite" } else { "" };
    let band = format!("{VANISHING_RATE:.2} to {EXPLODING_RATE:.2}");
    let new = Figure::new("The gain of each layer and its two factors")
        .subtitle(format!("pass {}: gain = f' x w; at 1 the signal keeps its size{unknown}{pale}", last.step))
        .x_axis("factor (logarithmic)")
        .log_x()
        .rows(inner.iter().map(label))
        .mark(Mark::Band { from: VANISHING_RATE, to: EXPLODING_RATE, name: band })
        .mark(bars("gain", 0, |l| l.gain))
        .mark(bars("f', the activation", 1, |l| l.f_factor))
        .mark(bars("w, the weights", 2, |l| l.w_factor))
        .mark(Mark::Ticks { name: "w by init".to_owned(), at: expected })
        .mark(Mark::Upright { x: 1.0, name: "unit gain".to_owned() });
    Some(new)
}

/// The signal from layer to layer, at a single pass.
pub(super) fn layers(report: &Report) -> Option<Figure> {
    let [only] = &report.samples[..] else { return None };
    (only.layers.len() > 1).then(|| {
        let points: Vec<_> = only.layers.iter().enumerate().map(|(k, l)| (power(l.signal), k as f64 + 0.5)).collect();
        let note = |&(signal, y): &(f64, f64)| {
            let text = if signal == 0.0 { "exactly 0" } else { "not finite" };
            (signal == 0.0 || !signal.is_finite()).then(|| Mark::Note { y, text: text.to_owned() })
        };
        let odd: Vec<Mark> = points.iter().filter_map(note).collect();
        Figure::new("The signal from layer to layer")
            .subtitle(format!("pass {}: |dL/dz|; it comes from below, where the loss is", only.step))
            .x_axis("|dL/dz|")
            .log_x()
            .rows(only.layers.iter().map(label))
            .decades(1.0)
            .line("", points.clone())
            .marks(odd.into_iter().chain([Mark::Dots { color: 0, points }]))
    })
}

/// The signal from time step to time step, at a single pass.
pub(super) fn time(report: &Report) -> Option<Figure> {
    let with: Vec<_> = report.samples.iter().filter(|s| !s.time.is_empty()).collect();
    let [only] = with[..] else { return None };
    let t = &only.time[0];
    let new = Figure::new(format!("The signal through time: {} {}", t.path, t.op))
        .subtitle(format!("pass {}: {}", only.step, left(t, only.time.len())))
        .x_axis("time step")
        .y_axis("|dL/dstate|")
        .log_y()
        .line("", steps(t).into_iter().zip(t.profile.iter().map(|log| power(*log))).collect::<Vec<_>>());
    let mark =
        |x| Mark::Upright { x, name: "horizon: before it, less than 1 % of the last step's signal is left".to_owned() };
    Some(new.marks(horizon(t).map(mark)))
}

/// Ridges: one for each layer, of the share of numbers by size.
pub(super) fn magnitudes(report: &Report) -> Option<Figure> {
    let sample = report.samples.iter().rev().find(|s| s.layers.iter().any(|l| l.magnitudes.is_some()))?;
    let ridges: Vec<_> = sample.layers.iter().map(ridge).collect();
    let new = Figure::new("How large the signal's numbers are")
        .subtitle(format!(
            "pass {}: how many entries of dL/dz have which size; each ridge is scaled to its own peak",
            sample.step
        ))
        .x_axis("|entry of dL/dz|")
        .log_x()
        .ordered()
        .rows(sample.layers.iter().map(label));
    let ridges = sample.layers.iter().zip(ridges).enumerate().map(|(k, (layer, points))| Mark::Ridge {
        name: layer.path.to_string(),
        color: k,
        base: k as f64 + 1.0,
        points,
    });
    let note = |(k, l): (usize, &LayerSample)| Some(Mark::Note { y: k as f64 + 0.5, text: odd(&l.counts)? });
    Some(new.marks(ridges).marks(sample.layers.iter().enumerate().filter_map(note)))
}

/// How many rows the highest ridge rises.
const RISE: f64 = 1.5;

/// How many of a layer's numbers have which size: heights, with nothing at both ends.
fn ridge(layer: &LayerSample) -> Vec<(f64, f64)> {
    let Some(bins) = &layer.magnitudes else { return vec![] };
    let bin = |k: i32| usize::try_from(k).ok().and_then(|k| bins.0.get(k)).map_or(0, |n| *n);
    let (first, last) = (bins.0.iter().position(|n| *n > 0), bins.0.iter().rposition(|n| *n > 0));
    let Some((first, last)) = first.zip(last) else { return vec![] };
    let center = |k: i32| 2f64.powf(f64::from(k - Magnitudes::OFFSET) + 0.5);
    let highest = bins.0.iter().max().map_or(1.0, |n| f64::from(*n));
    (first as i32 - 1..=last as i32 + 1).map(|k| (center(k), RISE * f64::from(bin(k)) / highest)).collect()
}

/// What has no place on the axis, or hardly one.
fn odd(counts: &Counts) -> Option<String> {
    let kinds = [(counts.zero, "zero"), (counts.subnormal, "subnormal"), (counts.nan + counts.infinite, "not finite")];
    let share = |n: usize| match 100.0 * n as f64 / counts.all.max(1) as f64 {
        s if s < 1.0 => "< 1 %".to_owned(),
        s => format!("{s:.0} %"),
    };
    let texts: Vec<String> =
        kinds.iter().filter(|k| k.0 > 0).map(|(n, what)| format!("{} {what}", share(*n))).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}
