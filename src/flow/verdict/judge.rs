//! From findings in one sample to verdicts over time: when they are given, taken back, and what follows from what.
mod causes;
mod large;
mod leaving;
mod running;

pub use running::ClipAdvice;
pub(crate) use running::Running;

use super::{Cause, Kind, Limit, Metric, Severity, Verdict, depth, limits::*, time, training, units};
use crate::flow::{Origin, Sample};
use causes::{nest, nest_below};
use large::Large;
use leaving::Leaving;
use std::{collections::HashMap, sync::Arc};

/// A verdict, given or on its way.
#[derive(Clone, Debug)]
struct Held {
    verdict: Verdict,
    /// Samples running that showed it, and that did not.
    shown: u32,
    absent: u32,
    given: bool,
    /// Samples from the last one with a step that was too large to the first one that showed it.
    calm: u32,
}

impl Held {
    fn new(verdict: Verdict, given: bool, calm: u32) -> Self {
        Self { verdict, shown: 1, absent: 0, given, calm }
    }
}

/// Samples and steps that a finding must last.
#[derive(Clone, Copy)]
struct Needs(u32, u64);

/// Gives verdicts and takes them back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judge {
    held: Vec<Held>,
    past: Vec<Verdict>,
    preflight: bool,
    recent: Vec<Sample>,
    /// Samples so far.
    seen: u32,
    leaving: Leaving,
    /// The last known bounds for the largest singular values of recurrent weights.
    sigmas: HashMap<Arc<str>, f64>,
    large: Option<Large>,
    /// Whether most units of a layer were silent at the first sample.
    silent: Option<bool>,
}

impl Judge {
    /// One that gives a verdict at the first sample.
    pub(crate) fn preflight() -> Self {
        Self { preflight: true, ..Self::default() }
    }

    /// A measured pass.
    pub(crate) fn sample(&mut self, now: &Sample, running: &Running) {
        let mut now = now.clone();
        self.leaving.mask(&mut now);
        self.seen = self.seen.saturating_add(1);
        let known = now.time.iter().filter(|t| !t.sigma.is_nan());
        self.sigmas.extend(known.map(|t| (t.path.clone(), t.sigma)));
        let step = now.step;
        self.recent.push(now);
        if self.recent.len() > MEDIAN {
            self.recent.remove(0);
        }
        let recent = std::mem::take(&mut self.recent);
        let found = self.find(&recent, running);
        self.recent = recent;
        self.take(step, found);
    }

    /// What the last sample shows, and what each finding needs.
    fn find(&mut self, recent: &[Sample], running: &Running) -> Vec<(Verdict, Needs)> {
        let Some(now) = recent.last() else { return vec![] };
        self.silent.get_or_insert_with(|| now.layers.iter().any(|l| l.silent > DEAD));
        let start_up = now.step < START_UP || self.seen <= FIRE;
        let growth_counts = start_up || running.damage() || training::moving(now).any(|m| m.update > UPDATE_LARGE);
        let usual = Needs(FIRE, 0);
        let mut found: Vec<(Verdict, Needs)> = vec![];
        let mut add = |verdict: Option<Verdict>, needs| found.extend(verdict.map(|v| (v, needs)));
        add(units::cut_off(now), usual);
        let symmetric = units::symmetric(now);
        let silent_by_zeros = symmetric.as_ref().is_some_and(|v| v.cause == Cause::ZeroWeights);
        add(symmetric, Needs(1, 0));
        add(units::dead(now, self.preflight), Needs(1, 0));
        add(units::saturated(now), usual);
        add(depth::judge(recent, growth_counts), usual);
        add(units::underflow(now), usual);
        // A layer before a matrix of zeros gets exactly 0: the zeros say so themselves.
        let zero = units::zero(now).filter(|_| !silent_by_zeros).map(|mut v| {
            if !self.preflight {
                v.severity = Severity::Warn;
            }
            v
        });
        let structural = found.iter().any(|(v, _)| v.kind == Kind::Disconnected);
        let mut add = |verdict: Option<Verdict>, needs| found.extend(verdict.map(|v| (v, needs)));
        add(zero.filter(|_| !structural), Needs(ZERO_SAMPLES, 0));
        time::judge(now, growth_counts, &self.sigmas).into_iter().for_each(|v| add(Some(v), usual));
        if !self.preflight {
            add(training::updates(now), Needs(UPDATE_SAMPLES, 0));
            add(training::frozen(now, running), Needs(FIRE, FROZEN_STEPS));
            add(training::clipping(running), usual);
            add(training::stalled(now, running), usual);
            add(training::converged(running), usual);
        }
        found
    }

    fn take(&mut self, step: u64, mut found: Vec<(Verdict, Needs)>) {
        for held in &mut self.held {
            let again = found.iter().position(|(v, _)| same(v, &held.verdict));
            let Some(at) = again else {
                (held.shown, held.absent) = (0, held.absent + 1);
                continue;
            };
            let (mut verdict, needs) = found.swap_remove(at);
            // What was absent for a while begins anew, unless the verdict still stands.
            let since = if held.shown == 0 && !held.given { step } else { held.verdict.steps.start };
            verdict.steps = since..step + 1;
            (held.verdict, held.shown, held.absent) = (verdict, held.shown + 1, 0);
            held.given |= held.shown >= needs.0 && step - since >= needs.1;
        }
        let calm = self.calm();
        for (mut verdict, needs) in found {
            verdict.steps = step..step + 1;
            let given = self.preflight || (needs.0 <= 1 && needs.1 == 0);
            self.held.push(Held::new(verdict, given, calm));
        }
        self.note_large_steps(step);
        let over = |h: &mut Held| h.absent >= if h.given { CLEAR } else { 1 };
        for held in self.held.extract_if(.., over).filter(|h| h.given) {
            retire(&mut self.past, held.verdict);
        }
    }

    /// A norm, at any step: spikes are events.
    pub(crate) fn spike(&mut self, step: u64, running: &Running) {
        let calm = self.calm();
        let Some(mut verdict) = training::spike(running) else { return };
        verdict.steps = step..step + 1;
        match self.held.iter_mut().find(|h| h.verdict.kind == Kind::GradientSpike) {
            // One after the other is one; a stronger one is kept.
            Some(held) if step <= held.verdict.steps.end + u64::from(CLEAR) => {
                let start = held.verdict.steps.start;
                if verdict.number(Metric::Norm) > held.verdict.number(Metric::Norm) {
                    held.verdict = verdict;
                }
                held.verdict.steps = start..step + 1;
                held.absent = 0;
            }
            Some(held) => retire(&mut self.past, std::mem::replace(held, Held::new(verdict, true, calm)).verdict),
            None => self.held.push(Held::new(verdict, true, calm)),
        }
    }

    /// A number that is not finite.
    pub(crate) fn non_finite(&mut self, step: u64, origin: Origin) {
        if let Some(held) = self.held.iter_mut().find(|h| h.verdict.kind == Kind::NonFinite) {
            held.absent = 0;
            return; // the first is the one to know
        }
        let paths = origin.layer.iter().cloned().collect();
        let count = origin.count.0 as f64;
        let change = super::text::for_op(&origin);
        let mut verdict = Verdict::new(Kind::NonFinite, Severity::Critical, Cause::Op(Box::new(origin)))
            .at(0..0, paths)
            .shows(Metric::Count, count, Limit::AtMost(0.0));
        verdict.remedies = change.into_iter().map(Into::into).collect();
        verdict.steps = step..step + 1;
        self.held.push(Held::new(verdict, true, u32::MAX));
    }

    /// Whether one stands, as a root or below another.
    pub(crate) fn stands(&self, which: impl Fn(&Verdict) -> bool) -> bool {
        self.held.iter().any(|h| h.given && which(&h.verdict))
    }

    /// What stands now: roots, the worst first, with what follows from them below them; else that it is healthy.
    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
        let mut given: Vec<&Held> = self.held.iter().filter(|h| h.given).collect();
        given.sort_by_key(|h| (std::cmp::Reverse(h.verdict.severity), h.verdict.kind));
        let (damage, rest): (Vec<&Held>, Vec<&Held>) = given.into_iter().partition(|h| self.follows_large_steps(h));
        let list = |held: Vec<&Held>| held.into_iter().map(|h| h.verdict.clone()).collect::<Vec<_>>();
        let mut roots = match &self.large {
            Some(large) if !damage.is_empty() => {
                nest_below(large.verdict.clone(), self.exploded(&large.verdict), list(damage), list(rest))
            }
            _ => nest(list(rest)),
        };
        if roots.iter().any(|v| v.worst().severity >= Severity::Warn) {
            roots.retain(|v| v.kind != Kind::Converged);
        } else if let Some(now) = self.recent.last().filter(|_| roots.is_empty()) {
            roots.push(nothing_wrong(now));
        }
        roots
    }

    /// Verdicts that were taken back.
    pub(crate) fn past(&self) -> &[Verdict] {
        &self.past
    }
}

/// Keeps a verdict that stands no more: of very many the first and the last.
fn retire(past: &mut Vec<Verdict>, verdict: Verdict) {
    if past.len() >= PAST {
        past.remove(PAST / 2);
    }
    past.push(verdict);
}

/// That nothing is wrong, as far as depth and time could be judged.
fn nothing_wrong(now: &Sample) -> Verdict {
    let unjudged = time::unjudged(now);
    let shallow = !unjudged.is_empty() || (now.hidden() < LEAST_HIDDEN && now.time.is_empty());
    let (kind, severity) = if shallow { (Kind::TooShallow, Severity::Note) } else { (Kind::Healthy, Severity::Good) };
    let most = |all: &mut dyn Iterator<Item = f64>| all.fold(f64::NAN, f64::max);
    let update = most(&mut training::moving(now).map(|m| m.update));
    let saturated = most(&mut now.layers.iter().map(|l| l.saturated));
    let mut verdict = Verdict::new(kind, severity, Cause::Unknown)
        .shows(Metric::Hidden, now.hidden() as f64, Limit::AtLeast(LEAST_HIDDEN as f64))
        .shows(Metric::Rate, now.rate, Limit::None)
        .shows(Metric::Total, 10f64.powf(now.total), Limit::None)
        .shows(Metric::Update, update, Limit::AtMost(UPDATE_NOTICE))
        .shows(Metric::Saturated, saturated, Limit::AtMost(SATURATED));
    if let Some(layer) = now.time.first() {
        verdict = verdict.shows(Metric::Rho, layer.rho, Limit::None);
    }
    if let Some(most) = unjudged.iter().map(|t| t.steps).max() {
        verdict.paths = unjudged.iter().map(|t| t.path.clone()).collect();
        verdict = verdict.shows(Metric::Steps, most as f64, Limit::AtLeast(LEAST_STEPS as f64));
    }
    verdict.steps = 0..now.step + 1;
    verdict
}

/// The verdicts on one pass.
pub(crate) fn judge_once(sample: &Sample) -> Vec<Verdict> {
    let mut judge = Judge::preflight();
    judge.sample(sample, &Running::default());
    judge.verdicts()
}

/// Whether two findings are about the same.
fn same(a: &Verdict, b: &Verdict) -> bool {
    let by_path = matches!(a.kind, Kind::VanishingThroughTime | Kind::ExplodingThroughTime);
    a.kind == b.kind && (!by_path || a.paths == b.paths)
}
