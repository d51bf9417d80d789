//! Signals that shrink or grow from time step to time step.
use super::{Cause, Change, Kind, Limit, Metric, Severity, Verdict, limits::*};
use crate::flow::{Sample, TimeSample};
use std::{collections::HashMap, sync::Arc};

/// The layers whose way through time could not be measured: all their runs are too short, or no gradient came.
pub(super) fn unjudged(now: &Sample) -> Vec<&TimeSample> {
    let mut found: Vec<&TimeSample> = vec![];
    for layer in &now.time {
        let judged = now.time.iter().any(|t| t.path == layer.path && measured(t));
        if !judged && found.iter().all(|t| t.path != layer.path) {
            found.push(layer);
        }
    }
    found
}

fn measured(layer: &TimeSample) -> bool {
    layer.steps >= LEAST_STEPS && layer.rate().0.is_finite()
}

/// One verdict for each layer that has one: on its worst run, if it ran in several windows.
pub(super) fn judge(now: &Sample, growth_counts: bool, sigmas: &HashMap<Arc<str>, f64>) -> Vec<Verdict> {
    let mut found: Vec<(Verdict, f64)> = vec![];
    for layer in now.time.iter().filter(|t| measured(t)) {
        let sigma = sigmas.get(&layer.path).copied();
        let Some((verdict, excess)) = judge_run(layer, growth_counts, sigma) else { continue };
        match found.iter_mut().find(|(known, _)| known.paths == verdict.paths) {
            Some(known) if (known.0.severity, known.1) < (verdict.severity, excess) => *known = (verdict, excess),
            Some(_) => {}
            None => found.push((verdict, excess)),
        }
    }
    found.into_iter().map(|(verdict, _)| verdict).collect()
}

/// The verdict on one run, and by how much it is beyond its limit, as `log10`.
fn judge_run(layer: &TimeSample, growth_counts: bool, sigma: Option<f64>) -> Option<(Verdict, f64)> {
    let steps = layer.steps as f64;
    let (rho, horizon) = layer.rate();
    let growth = rho.log10() * steps;
    let (kind, severe, excess) = if horizon < steps * HORIZON {
        let severe = horizon < steps * HORIZON_SEVERE || rho == 0.0;
        (Kind::VanishingThroughTime, severe, (steps * HORIZON / horizon).log10())
    } else if growth > TIME_EXPLODED && growth_counts {
        (Kind::ExplodingThroughTime, growth > TIME_EXPLODED_SEVERE, growth - TIME_EXPLODED)
    } else {
        return None;
    };
    let severity = if severe { Severity::Severe } else { Severity::Warn };
    let vanishes = kind == Kind::VanishingThroughTime;
    let cause = if vanishes && layer.op != "rnn" { Cause::ForgetGates } else { Cause::Recurrence };
    let mut verdict = Verdict::new(kind, severity, cause).at(0..0, vec![layer.path.clone()]);
    verdict = if vanishes {
        verdict.shows(Metric::Horizon, horizon, Limit::AtLeast(steps * HORIZON))
    } else {
        verdict.shows(Metric::TimeGrowth, growth, Limit::AtMost(TIME_EXPLODED))
    };
    verdict = verdict.shows(Metric::Rho, rho, Limit::None).shows(Metric::Steps, steps, Limit::None);
    if !layer.gate.is_nan() {
        verdict = verdict.shows(Metric::ForgetGate, layer.gate, Limit::None);
        verdict = verdict.shows(Metric::GateProduct, layer.gate_product, Limit::None);
    }
    if let Some(sigma) = sigma {
        verdict = verdict.shows(Metric::Sigma, sigma, Limit::None);
    }
    Some((remedies(verdict, layer, rho, sigma), excess))
}

fn remedies(verdict: Verdict, layer: &TimeSample, rho: f64, sigma: Option<f64>) -> Verdict {
    let keeping = keeping_bias(layer.steps as f64);
    match (verdict.kind, layer.op) {
        (Kind::VanishingThroughTime, "lstm") => {
            verdict.try_this(Change::ForgetBias(keeping)).try_this(Change::Chrono(layer.steps))
        }
        (Kind::VanishingThroughTime, "gru") => {
            verdict.try_this(Change::UpdateBias(keeping)).try_this(Change::Chrono(layer.steps))
        }
        (Kind::VanishingThroughTime, _) => verdict
            .try_this(Change::OrthogonalRecurrence)
            .try_this(Change::GatedCell)
            .try_this(Change::Words("Pascanu's regulariser: flow::omega")),
        (_, op) => scaled(verdict, sigma, rho, op == "rnn")
            .try_this(Change::Words("clip the joint norm of the gradients; clip_advice() says at what")),
    }
}

/// The bias of a gate that keeps the norm of a state for so many steps.
fn keeping_bias(steps: f64) -> f64 {
    // Gates alone leave sigmoid(b)^T = exp(-T e^-b), e^-1 at b = ln T; the recurrent weights add to it, so that a little less
    // keeps the norm (LSTM, measured at T = 100: 1.9 left at b = 3, 17 at b = 5).
    (steps.ln() - 1.5).round().max(1.0)
}

/// Weights that grow no more: by the rate of this batch, or for certain with a largest singular value of 1 (Pascanu et al. 2013).
fn scaled(verdict: Verdict, sigma: Option<f64>, rho: f64, simple: bool) -> Verdict {
    let verdict = verdict.try_this(Change::ScaleRecurrence(1.0 / rho));
    let verdict = match sigma.filter(|sigma| *sigma > 1.0) {
        Some(sigma) => verdict.try_this(Change::ScaleRecurrence(1.0 / sigma)),
        None => verdict,
    };
    if simple { verdict.try_this(Change::OrthogonalRecurrence) } else { verdict }
}
