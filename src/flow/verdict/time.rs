//! Signals that shrink or grow from time step to time step.
use super::{Cause, Change, Kind, Limit, Metric, Severity, Verdict, limits::*};
use crate::flow::Sample;

pub(super) fn judge(now: &Sample, damage: bool) -> Vec<Verdict> {
    let mut found = vec![];
    for layer in now.time.iter().filter(|t| t.steps >= LEAST_STEPS && t.rate().0.is_finite()) {
        let steps = layer.steps as f64;
        let (rho, horizon) = layer.rate();
        let growth = rho.log10() * steps;
        let (kind, severity, decisive, limit) = if horizon < steps * HORIZON {
            let severe = horizon < steps * HORIZON_SEVERE;
            let severity = if severe { Severity::Severe } else { Severity::Warn };
            (Kind::VanishingThroughTime, severity, Metric::Horizon, Limit::AtLeast(steps * HORIZON))
        } else if growth > TIME_EXPLODED && (now.step < START_UP || damage) {
            let severity = if growth > TIME_EXPLODED_SEVERE { Severity::Severe } else { Severity::Warn };
            (Kind::ExplodingThroughTime, severity, Metric::TimeGrowth, Limit::AtMost(TIME_EXPLODED))
        } else {
            continue;
        };
        let gated = layer.op != "rnn";
        let cause = if gated && kind == Kind::VanishingThroughTime { Cause::ForgetGates } else { Cause::Recurrence };
        let value = if decisive == Metric::Horizon { horizon } else { growth };
        let mut verdict = Verdict::new(kind, severity, cause)
            .at(0..0, vec![layer.path.clone()])
            .shows(decisive, value, limit)
            .shows(Metric::Rho, rho, Limit::None)
            .shows(Metric::Steps, steps, Limit::None);
        if !layer.gate.is_nan() {
            verdict = verdict.shows(Metric::ForgetGate, layer.gate, Limit::None).shows(
                Metric::GateProduct,
                layer.gate_product,
                Limit::None,
            );
        }
        if !layer.sigma.is_nan() {
            verdict = verdict.shows(Metric::Sigma, layer.sigma, Limit::None);
        }
        verdict = match (kind, layer.op) {
            (Kind::VanishingThroughTime, "lstm") => {
                verdict.try_this(Change::ForgetBias(keeping_bias(steps))).try_this(Change::Chrono(layer.steps))
            }
            (Kind::VanishingThroughTime, "gru") => {
                verdict.try_this(Change::UpdateBias(keeping_bias(steps))).try_this(Change::Chrono(layer.steps))
            }
            (Kind::VanishingThroughTime, _) => verdict
                .try_this(Change::OrthogonalRecurrence)
                .try_this(Change::GatedCell)
                .try_this(Change::Words("Pascanu's regulariser: flow::omega")),
            (_, op) => scaled(verdict, layer.sigma, rho, op == "rnn")
                .try_this(Change::Words("clip the joint norm of the gradients; clip_advice() says at what")),
        };
        found.push(verdict);
    }
    found
}

/// The bias of a gate that keeps the norm of a state for so many steps.
fn keeping_bias(steps: f64) -> f64 {
    // Gates alone leave sigmoid(b)^T = exp(-T e^-b), e^-1 at b = ln T; the recurrent weights add to it, so that a little less
    // keeps the norm (LSTM, measured at T = 100: 1.9 left at b = 3, 17 at b = 5).
    (steps.ln() - 1.5).round().max(1.0)
}

/// Weights that grow no more: by the rate of this batch, or for certain with a largest singular value of 1 (Pascanu et al. 2013).
fn scaled(verdict: Verdict, sigma: f64, rho: f64, simple: bool) -> Verdict {
    let verdict = verdict.try_this(Change::ScaleRecurrence(1.0 / rho));
    let verdict = if sigma > 1.0 { verdict.try_this(Change::ScaleRecurrence(1.0 / sigma)) } else { verdict };
    if simple { verdict.try_this(Change::OrthogonalRecurrence) } else { verdict }
}
