//! What shows only while a network trains: steps, norms, losses.
use super::{Cause, Change, Kind, Limit, Metric, Running, Severity, Verdict, depth::median, limits::*};
use crate::flow::Sample;
use std::{ops::Range, sync::Arc};

/// What moves by steps: a layer's matrices, or one that is in none (of a recurrent cell, an embedding, a second tower).
pub(super) struct Moving {
    path: Arc<str>,
    /// Which layers, if it is one.
    layer: Range<usize>,
    pub(super) update: f64,
}

/// All of which a step told how far they went.
pub(super) fn moving(now: &Sample) -> impl Iterator<Item = Moving> {
    let layers = now.layers.iter().enumerate();
    let layers = layers.map(|(k, l)| Moving { path: l.path.clone(), layer: k..k + 1, update: l.update });
    let in_layer = |at: &usize| now.layers.iter().any(|l| l.matrices.contains(at));
    let beside = now.params.iter().enumerate().filter(move |(at, p)| p.size[1] > p.size[0] && !in_layer(at));
    let beside = beside.map(|(_, p)| Moving { path: p.path.clone(), layer: 0..0, update: p.update });
    layers.chain(beside).filter(|m| !m.update.is_nan())
}

/// With the samples running that it needs.
pub(super) fn updates(now: &Sample) -> Option<Verdict> {
    let largest = moving(now).max_by(|a, b| a.update.total_cmp(&b.update))?;
    let (severity, limit) = match largest.update {
        u if u > UPDATE_LARGE => (Severity::Warn, UPDATE_LARGE),
        u if u > UPDATE_NOTICE => (Severity::Notice, UPDATE_NOTICE),
        _ => return None,
    };
    let verdict = Verdict::new(Kind::UpdateTooLarge, severity, Cause::LearningRate)
        .at(largest.layer, vec![largest.path])
        .shows(Metric::Update, largest.update, Limit::AtMost(limit));
    Some(verdict.try_this(Change::LearningRate(UPDATE_USUAL / largest.update)))
}

pub(super) fn frozen(now: &Sample, running: &Running) -> Option<Verdict> {
    let usual = median(moving(now).map(|m| m.update).collect());
    let learnt = running.converged().is_some();
    if learnt || usual.is_nan() || usual <= FROZEN_LEAST {
        return None;
    }
    let frozen: Vec<Moving> = moving(now).filter(|m| m.update < FROZEN * usual).collect();
    let lowest = frozen.iter().map(|m| m.update).reduce(f64::min)?;
    let layers = frozen.iter().map(|m| m.layer.clone()).filter(|layer| !layer.is_empty());
    let layers = layers.reduce(|a, b| a.start..b.end).unwrap_or(0..0);
    let verdict = Verdict::new(Kind::FrozenLayer, Severity::Warn, Cause::Unknown)
        .at(layers, frozen.into_iter().map(|m| m.path).collect())
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
pub(super) fn stalled(now: &Sample, running: &Running) -> Option<Verdict> {
    let (fall, whole) = (running.fall_over_window()?, running.fall_so_far());
    (fall < LOSS_FALL && whole < 1.0 - LOSS_FALLEN).then(|| {
        let verdict = Verdict::new(Kind::LossStalled, Severity::Warn, Cause::LearningRate);
        let verdict = if running.positive() {
            verdict.shows(Metric::LossRatio, 1.0 - fall, Limit::AtMost(1.0 - LOSS_FALL))
        } else {
            verdict.shows(Metric::LossFall, fall, Limit::AtLeast(LOSS_FALL))
        };
        let update = median(moving(now).map(|m| m.update).collect());
        verdict
            .shows(Metric::Loss, running.loss_now(), Limit::None)
            .try_this(Change::LearningRate(other_rate(fall < -LOSS_FALL, update)))
    })
}

/// By what to multiply the rate of steps that get nowhere: towards the usual step, but down if the loss rises.
fn other_rate(rises: bool, update: f64) -> f64 {
    let factor = UPDATE_USUAL / update;
    match (rises, factor.is_nan()) {
        (true, true) => LOSS_RISEN,
        (true, false) => factor.min(LOSS_RISEN),
        (false, true) => 10.0,
        (false, false) => factor.min(10.0),
    }
}

pub(super) fn converged(running: &Running) -> Option<Verdict> {
    let whole = running.converged()?;
    (running.norm_ratio() < CONVERGED_NORM).then(|| {
        Verdict::new(Kind::Converged, Severity::Good, Cause::Unknown)
            .shows(Metric::LossRatio, whole, Limit::None)
            .shows(Metric::Loss, running.loss_now(), Limit::None)
    })
}
