//! Signals that shrink or grow from layer to layer.
use super::{Cause, Change, Kind, Limit, Metric, Severity, Verdict, limits::*, units::underflow};
use crate::flow::Sample;

const RELU_LIKE: [&str; 7] = ["relu", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "silu"];

/// What is tolerated by widths alone: `log10` around 1, and the share that tapering takes or gives.
struct Band {
    noise: f64,
    taper: f64,
}

impl Band {
    fn of(sample: &Sample) -> Self {
        let hidden = &sample.layers[..sample.hidden()];
        let relu = hidden.iter().any(|l| l.activation.is_some_and(|a| RELU_LIKE.contains(&a)));
        let sum: f64 = hidden.iter().map(|l| 1.0 / l.width[0].max(1) as f64).sum();
        let noise = if relu { WIDTH_BAND * 0.5 * (5.0 * sum).sqrt() / std::f64::consts::LN_10 } else { 0.0 };
        let (first, last) = (hidden[0].width[0].max(1) as f64, hidden[hidden.len() - 1].width[0].max(1) as f64);
        Self { noise, taper: 0.5 * (last / first).log10() }
    }
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.retain(|x| !x.is_nan());
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The geometric mean.
fn mean(factors: impl Iterator<Item = f64>) -> f64 {
    let logs: Vec<f64> = factors.map(f64::ln).filter(|x| x.is_finite()).collect();
    (logs.iter().sum::<f64>() / logs.len() as f64).exp()
}

/// The weight factor that keeps a signal's norm beside an activation: `1 / sqrt(E[phi'(z)^2])` for `z` from `N(0, 1)`, and the
/// inverse of the largest slope for those that are steepest at 0.
fn needed(activation: Option<&str>) -> f64 {
    match activation {
        Some("sigmoid") => 4.0,
        Some("relu" | "leaky_relu") => 2f64.sqrt(),
        Some("gelu" | "gelu_tanh") => 1.48,
        Some("silu") => 1.62,
        Some("elu") => 1.22,
        Some("softplus" | "log_sigmoid") => 1.85,
        _ => 1.0,
    }
}

/// The usual way of drawing weights for an activation.
fn draw(activation: Option<&str>) -> Change {
    let one_sided = activation.is_some_and(|a| RELU_LIKE.contains(&a) || ["softplus", "log_sigmoid"].contains(&a));
    Change::Redraw(if one_sided { "He" } else { "Xavier" })
}

/// The gain of a layer where all signals are known. Of one that ends in the element type, that of the part that is left; none for
/// signals that are 0 for other reasons.
fn left_of(now: &Sample) -> Option<f64> {
    let hidden = &now.layers[..now.hidden()];
    if now.total.is_finite() {
        return Some(now.rate);
    }
    let first = hidden.iter().position(|l| l.signal.is_finite())?;
    let gains = hidden.len() - 1 - first;
    let known = gains > 0 && hidden[first..].iter().all(|l| l.signal.is_finite()) && underflow(now).is_some();
    known.then(|| 10f64.powf((hidden[first].signal - hidden[hidden.len() - 1].signal) / gains as f64))
}

pub(super) fn judge(window: &[Sample], growth_counts: bool) -> Option<Verdict> {
    let now = window.last()?;
    if now.hidden() < LEAST_HIDDEN {
        return None;
    }
    let left = left_of(now)?;
    let same = window.iter().rev().take(MEDIAN).filter(|s| s.hidden() == now.hidden());
    let total = median(same.map(|s| s.total).collect());
    let (band, gains) = (Band::of(now), (now.hidden() - 1) as f64);
    let (down, up) = (total - band.taper.min(0.0), total - band.taper.max(0.0));
    let rate = |total: f64| if total.is_finite() { 10f64.powf(total / gains) } else { left };
    let beyond = |total: f64, usual: f64| total.abs() > usual.abs().max(band.noise);
    let (shrinks, grows) = (down < 0.0 && beyond(down, VANISHED), up > 0.0 && beyond(up, EXPLODED));
    let severe = if shrinks { beyond(down, VANISHED_SEVERE) } else { beyond(up, EXPLODED_SEVERE) };
    let severity = if severe { Severity::Severe } else { Severity::Warn };
    let inner = &now.layers[..now.hidden() - 1];
    let (f, w) = (mean(inner.iter().map(|l| l.f_factor)), mean(inner.iter().map(|l| l.w_factor)));
    let activation = inner[0].activation;
    let finish = |verdict: Verdict, total_limit, rate_limit| {
        verdict
            .at(0..now.hidden(), now.layers[..now.hidden()].iter().map(|l| l.path.clone()).collect())
            .shows(Metric::Total, 10f64.powf(total), total_limit)
            .shows(Metric::Rate, rate(total), rate_limit)
            .shows(Metric::FFactor, f, Limit::None)
            .shows(Metric::WFactor, w, Limit::None)
            .shows(Metric::WExpected, mean(inner.iter().map(|l| l.w_expected)), Limit::None)
            .shows(Metric::Hidden, now.hidden() as f64, Limit::None)
    };
    if shrinks && (rate(down) < VANISHING_RATE || severe) {
        let cause = match activation {
            Some(op) if f < SMALL_SLOPE => Cause::Activation(op),
            _ if w < SMALL_WEIGHTS * needed(activation) => Cause::SmallWeights,
            _ => Cause::Unknown,
        };
        let verdict = finish(
            Verdict::new(Kind::Vanishing, severity, cause.clone()),
            Limit::AtLeast(10f64.powf(VANISHED.min(-band.noise))),
            Limit::AtLeast(VANISHING_RATE),
        );
        let verdict = match (&cause, activation) {
            (Cause::Activation(_), _) => verdict.try_this(Change::Activation("relu", "He")),
            _ => verdict.try_this(draw(activation)),
        };
        let scale = (needed(activation) / w).min(1.0 / rate(total)).max(1.0);
        let fewer = (gains - (VANISHED / rate(total).log10()).floor()).max(1.0) as usize;
        let verdict = if scale > 1.05 { verdict.try_this(Change::ScaleWeights(round(scale))) } else { verdict };
        return Some(if fewer < now.hidden() { verdict.try_this(Change::FewerLayers(fewer)) } else { verdict });
    }
    if grows && (rate(up) > EXPLODING_RATE || severe) && growth_counts {
        let verdict = finish(
            Verdict::new(Kind::Exploding, severity, Cause::LargeWeights),
            Limit::AtMost(10f64.powf(EXPLODED.max(band.noise))),
            Limit::AtMost(EXPLODING_RATE),
        );
        let verdict = verdict.try_this(draw(activation)).try_this(Change::ScaleWeights(round(1.0 / rate(total))));
        return Some(
            verdict.try_this(Change::Words("clip the joint norm of the gradients; clip_advice() says at what")),
        );
    }
    None
}

/// Two digits.
fn round(x: f64) -> f64 {
    let unit = 10f64.powf(x.abs().log10().floor() - 1.0);
    if unit.is_normal() { (x / unit).round() * unit } else { x }
}
