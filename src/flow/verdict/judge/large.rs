//! Steps that were too large, and the damage that they did.
use super::{
    Held, Judge,
    causes::{DAMAGE, may_follow},
};
use crate::flow::verdict::{Kind, Metric, Severity, Verdict, limits::*};

/// Steps that were too large, from the first to the last.
#[derive(Clone, Debug)]
pub(super) struct Large {
    /// The worst of them.
    pub(super) verdict: Verdict,
    given: bool,
    /// Samples since the last one.
    calm: u32,
}

impl Judge {
    pub(super) fn note_large_steps(&mut self, step: u64) {
        let size = |v: &Verdict| v.number(Metric::Update).filter(|u| u.is_finite());
        let warns = |v: &Verdict| v.kind == Kind::UpdateTooLarge && v.severity >= Severity::Warn && size(v).is_some();
        let now = self.held.iter().find(|h| h.shown > 0 && warns(&h.verdict));
        let Some(large) = &mut self.large else {
            self.large = now.map(|h| Large { verdict: h.verdict.clone(), given: h.given, calm: 0 });
            return;
        };
        let Some(now) = now else {
            large.calm = large.calm.saturating_add(1);
            // Units that died of them are told so much later.
            let over = large.calm > CLEAR + DEAD_PASSES as u32;
            if over && !self.held.iter().any(|h| self.follows_large_steps(h)) {
                self.large = None;
            }
            return;
        };
        let start = large.verdict.steps.start;
        if size(&now.verdict) > size(&large.verdict) {
            large.verdict = now.verdict.clone();
        }
        large.verdict.steps = start..step + 1;
        (large.given, large.calm) = (large.given || now.given, 0);
    }

    /// Samples since the last step that was too large.
    pub(super) fn calm(&self) -> u32 {
        self.large.as_ref().map_or(u32::MAX, |large| large.calm)
    }

    /// Whether large steps did it: it began after them, and soon; units that died were not silent at the start.
    pub(super) fn follows_large_steps(&self, held: &Held) -> bool {
        let Some(large) = self.large.as_ref().filter(|large| large.given) else { return false };
        let soon = match held.verdict.kind {
            Kind::DeadUnits => self.silent == Some(false),
            _ => held.calm <= CLEAR,
        };
        soon && may_follow(&held.verdict)
            && DAMAGE.contains(&held.verdict.kind)
            && held.verdict.steps.start > large.verdict.steps.start
    }

    /// What grew too large before the first of the large steps, or with it.
    pub(super) fn exploded(&self, large: &Verdict) -> Option<Verdict> {
        let given = self.held.iter().filter(|h| h.given).map(|h| &h.verdict).chain(&self.past);
        let kind = |v: &&Verdict| matches!(v.kind, Kind::Exploding | Kind::ExplodingThroughTime);
        given.filter(kind).find(|v| v.steps.start <= large.steps.start).cloned()
    }
}
