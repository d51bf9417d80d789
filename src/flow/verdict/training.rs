//! What shows only while a network trains: steps, norms, losses.
use super::{Cause, Change, Kind, Limit, Metric, Running, Severity, Verdict, depth::median, limits::*};
use crate::flow::Sample;

/// With the samples running that it needs.
pub(super) fn updates(now: &Sample) -> Option<Verdict> {
    let largest = now.layers.iter().enumerate().filter(|(_, l)| !l.update.is_nan());
    let (at, layer) = largest.max_by(|a, b| a.1.update.total_cmp(&b.1.update))?;
    let (severity, limit) = match layer.update {
        u if u > UPDATE_LARGE => (Severity::Warn, UPDATE_LARGE),
        u if u > UPDATE_NOTICE => (Severity::Notice, UPDATE_NOTICE),
        _ => return None,
    };
    let verdict = Verdict::new(Kind::UpdateTooLarge, severity, Cause::LearningRate)
        .at(at..at + 1, vec![layer.path.clone()])
        .shows(Metric::Update, layer.update, Limit::AtMost(limit));
    Some(verdict.try_this(Change::LearningRate(UPDATE_USUAL / layer.update)))
}

pub(super) fn frozen(now: &Sample, running: &Running) -> Option<Verdict> {
    let usual = median(now.layers.iter().map(|l| l.update).collect());
    let learnt = running.loss_ratio() < CONVERGED;
    if learnt || usual.is_nan() || usual <= FROZEN_LEAST {
        return None;
    }
    let frozen: Vec<usize> = (0..now.layers.len()).filter(|k| now.layers[*k].update < FROZEN * usual).collect();
    let (first, last) = (*frozen.first()?, *frozen.last()?);
    let lowest = frozen.iter().map(|k| now.layers[*k].update).fold(f64::INFINITY, f64::min);
    let verdict = Verdict::new(Kind::FrozenLayer, Severity::Warn, Cause::Unknown)
        .at(first..last + 1, frozen.iter().map(|k| now.layers[*k].path.clone()).collect())
        .shows(Metric::Update, lowest, Limit::AtLeast(FROZEN * usual));
    Some(
        verdict
            .try_this(Change::Words("look at the signal of the layers above it; Adam gives each layer its own scale")),
    )
}

pub(super) fn clipping(running: &Running) -> Option<Verdict> {
    let (rate, coef) = running.clip_rate()?;
    (rate > CLIP_RATE && coef < CLIP_COEF).then(|| {
        let verdict = Verdict::new(Kind::AlwaysClipping, Severity::Warn, Cause::ClipLimit)
            .shows(Metric::ClipRate, rate, Limit::AtMost(CLIP_RATE))
            .shows(Metric::ClipCoef, coef, Limit::AtLeast(CLIP_COEF));
        let verdict = match running.clip_advice() {
            Some(advice) => verdict.try_this(Change::Clip(advice.limit)),
            None => verdict,
        };
        verdict.try_this(Change::LearningRate(coef))
    })
}

pub(super) fn spike(running: &Running) -> Option<Verdict> {
    let spike = running.spike?;
    let severity = if spike.severe { Severity::Warn } else { Severity::Notice };
    let verdict = Verdict::new(Kind::GradientSpike, severity, Cause::Batch)
        .shows(Metric::Norm, spike.norm, Limit::None)
        .shows(Metric::Score, spike.z, Limit::AtMost(SPIKE_Z));
    let advice = running.clip_advice().map_or(Change::Words("clip the joint norm"), |a| Change::Clip(a.limit));
    Some(
        verdict.try_this(advice).try_this(Change::Words("skip the step (judge says SkipUpdate) and look at the batch")),
    )
}

/// A loss that stands still above where it should be.
pub(super) fn stalled(running: &Running) -> Option<Verdict> {
    let fall = running.loss_over_window()?;
    let whole = running.loss_ratio();
    (fall > 1.0 - LOSS_FALL && whole > LOSS_FALLEN).then(|| {
        let verdict = Verdict::new(Kind::LossStalled, Severity::Warn, Cause::LearningRate)
            .shows(Metric::LossRatio, fall, Limit::AtMost(1.0 - LOSS_FALL))
            .shows(Metric::Loss, running.loss_now(), Limit::None);
        verdict.try_this(Change::LearningRate(10.0))
    })
}

pub(super) fn converged(running: &Running) -> Option<Verdict> {
    let (whole, norm) = (running.loss_ratio(), running.norm_ratio());
    (whole < CONVERGED && norm < CONVERGED_NORM).then(|| {
        Verdict::new(Kind::Converged, Severity::Good, Cause::Unknown)
            .shows(Metric::LossRatio, whole, Limit::None)
            .shows(Metric::Loss, running.loss_now(), Limit::None)
    })
}
