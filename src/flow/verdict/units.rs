//! Units, weights and parameters at fault.
use super::{Cause, Change, Kind, Limit, Metric, Severity, Verdict, limits::*};
use crate::flow::{LayerSample, Sample};
use std::{ops::Range, sync::Arc};

/// From the first to the last layer of which something holds.
fn range(now: &Sample, holds: impl Fn(&LayerSample) -> bool) -> Option<(Range<usize>, Vec<Arc<str>>)> {
    let first = now.layers.iter().position(&holds)?;
    let last = now.layers.iter().rposition(&holds)?;
    let paths = now.layers[first..=last].iter().filter(|l| holds(l)).map(|l| l.path.clone()).collect();
    Some((first..last + 1, paths))
}

fn most(now: &Sample, share: impl Fn(&LayerSample) -> f64) -> f64 {
    now.layers.iter().map(share).filter(|x| !x.is_nan()).fold(0.0, f64::max)
}

pub(super) fn saturated(now: &Sample) -> Option<Verdict> {
    let hidden = |l: &LayerSample| l.saturated > SATURATED && !std::ptr::eq(l, &now.layers[now.layers.len() - 1]);
    let (layers, paths) = range(now, hidden)?;
    let share = now.layers[layers.clone()].iter().map(|l| l.saturated).fold(0.0, f64::max);
    let severity = if share > SATURATED_SEVERE { Severity::Severe } else { Severity::Warn };
    let op = now.layers[layers.start].activation.unwrap_or("");
    let verdict = Verdict::new(Kind::Saturated, severity, Cause::LargeWeights).at(layers, paths).shows(
        Metric::Saturated,
        share,
        Limit::AtMost(SATURATED),
    );
    let verdict = if op == "sigmoid" { verdict.try_this(Change::Activation("relu", "He")) } else { verdict };
    let redraw = if op == "tanh" { "Xavier" } else { "LeCun" };
    let words = Change::Words("normalise the inputs to mean 0 and variance 1");
    Some(verdict.try_this(Change::Redraw(redraw)).try_this(words))
}

pub(super) fn dead(now: &Sample, preflight: bool) -> Option<Verdict> {
    let passes = if preflight { 1 } else { DEAD_PASSES };
    let dead = |l: &LayerSample| l.dead > DEAD && l.silent_for.0 >= DEAD_SAMPLES && l.silent_for.1 >= passes;
    let (layers, paths) = range(now, dead)?;
    let share = now.layers[layers.clone()].iter().filter(|l| dead(l)).map(|l| l.dead).fold(0.0, f64::max);
    let severity = if share > DEAD_SEVERE { Severity::Severe } else { Severity::Warn };
    let verdict = Verdict::new(Kind::DeadUnits, severity, Cause::ShutUnits).at(layers, paths).shows(
        Metric::Dead,
        share,
        Limit::AtMost(DEAD),
    );
    let verdict = verdict.try_this(Change::Redraw("He")).try_this(Change::Activation("leaky_relu", "He"));
    Some(verdict.try_this(Change::Words("biases of 0 and a lower learning rate")))
}

/// Whether nothing is left of a signal that was tiny a layer later.
fn gone(now: &Sample, k: usize) -> bool {
    let next = now.layers.get(k + 1).is_some_and(|n| n.signal > f64::NEG_INFINITY && n.signal < TINY);
    now.layers[k].signal == f64::NEG_INFINITY && next
}

pub(super) fn underflow(now: &Sample) -> Option<Verdict> {
    let smooth = |l: &LayerSample| l.activation != Some("relu");
    let share = |l: &LayerSample| (l.counts.zero + l.counts.subnormal) as f64 / l.counts.all.max(1) as f64;
    // Zeros have other causes, too (a ReLU, examples that are right beyond doubt), but then the rest is not next to nothing.
    let tiny = |k: usize| now.layers[k].signal < TINY;
    let at = |k: usize| share(&now.layers[k]) > UNDERFLOWN && (now.layers[k].counts.subnormal > 0 || gone(now, k));
    let told = |k: usize| smooth(&now.layers[k]) || gone(now, k);
    let last = (0..now.layers.len()).rev().find(|k| told(*k) && tiny(*k) && at(*k))?;
    let paths = now.layers[..=last].iter().map(|l| l.path.clone()).collect();
    let verdict = Verdict::new(Kind::Underflow, Severity::Warn, Cause::Unknown).at(0..last + 1, paths).shows(
        Metric::Underflown,
        most(now, share),
        Limit::AtMost(UNDERFLOWN),
    );
    Some(verdict.try_this(Change::Words("scale the loss up and the gradients down by the same factor")))
}

pub(super) fn symmetric(now: &Sample) -> Option<Verdict> {
    // Of one that stays 0, the norm says so at every pass.
    let zero = range(now, |l| l.start.0 || (!l.matrices.is_empty() && l.weight == 0.0));
    let cause = if zero.is_some() { Cause::ZeroWeights } else { Cause::EqualRows };
    let (layers, paths) = zero.or_else(|| range(now, |l| l.start.1 > 0))?;
    let rows: usize = now.layers[layers.clone()].iter().map(|l| l.start.1).sum();
    let verdict = Verdict::new(Kind::Symmetric, Severity::Severe, cause).at(layers, paths).shows(
        Metric::EqualRows,
        rows as f64,
        Limit::AtMost(0.0),
    );
    Some(verdict.try_this(Change::Redraw("random")))
}

/// Parameters from which no way leads to the loss.
pub(super) fn cut_off(now: &Sample) -> Option<Verdict> {
    let lost: Vec<_> = now.params.iter().filter(|p| !p.connected).collect();
    let first = lost.first()?;
    let cause = match first.ends {
        Some((op, at)) => Cause::WayEnds { op, at: at.to_string() },
        None => Cause::Unknown,
    };
    let verdict = Verdict::new(Kind::Disconnected, Severity::Severe, cause)
        .at(0..0, lost.iter().map(|p| p.path.clone()).collect())
        .shows(Metric::Count, lost.len() as f64, Limit::AtMost(0.0));
    Some(
        verdict.try_this(Change::Words(
            "put it on the way to the loss (is a value detached?), or freeze it if that is meant",
        )),
    )
}

/// Parameters whose gradient is exactly 0.
pub(super) fn zero(now: &Sample) -> Option<Verdict> {
    let zero: Vec<_> = now.params.iter().filter(|p| p.connected && p.gradient == f64::NEG_INFINITY).collect();
    if zero.is_empty() {
        return None;
    }
    let verdict = Verdict::new(Kind::Disconnected, Severity::Notice, Cause::Unknown)
        .at(0..0, zero.iter().map(|p| p.path.clone()).collect())
        .shows(Metric::Count, zero.len() as f64, Limit::AtMost(0.0));
    Some(verdict.try_this(Change::Words("look for a factor of 0 between it and the loss")))
}
