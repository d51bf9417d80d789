//! What follows from what: one root for each cause.
use crate::flow::verdict::{Kind, Severity, Verdict};

/// What the first explains, if both stand.
const FOLLOWS: [(Kind, &[Kind]); 11] = {
    use Kind::*;
    [
        (
            NonFinite,
            &[Vanishing, Exploding, Saturated, GradientSpike, UpdateTooLarge, LossStalled, ExplodingThroughTime],
        ),
        (Symmetric, &[Disconnected, Vanishing, Underflow, FrozenLayer, LossStalled]),
        (DeadUnits, &[Disconnected, Vanishing, Underflow, FrozenLayer, LossStalled]),
        (Underflow, &[Disconnected]),
        (Disconnected, &[Vanishing, FrozenLayer, LossStalled]),
        (Vanishing, &[FrozenLayer, Underflow, LossStalled]),
        (Saturated, &[FrozenLayer, LossStalled]),
        // Weights that are too large do both.
        (Exploding, &[Saturated, GradientSpike, UpdateTooLarge, AlwaysClipping, LossStalled]),
        (VanishingThroughTime, &[FrozenLayer, Underflow, LossStalled]),
        (ExplodingThroughTime, &[GradientSpike, UpdateTooLarge, AlwaysClipping, LossStalled]),
        (AlwaysClipping, &[FrozenLayer, LossStalled]),
    ]
};

/// What large steps do to a network that was well before them.
pub(super) const DAMAGE: [Kind; 11] = {
    use Kind::*;
    [
        DeadUnits,
        Disconnected,
        Saturated,
        Vanishing,
        Exploding,
        VanishingThroughTime,
        ExplodingThroughTime,
        Underflow,
        GradientSpike,
        FrozenLayer,
        LossStalled,
    ]
};

/// Whether it can follow from another: a parameter without a way to the loss is the recording's fault, one whose gradient is 0 may
/// be that of what lies above it.
pub(super) fn may_follow(v: &Verdict) -> bool {
    v.kind != Kind::Disconnected || v.severity < Severity::Severe
}

/// Puts below each root what follows from it.
pub(super) fn nest(mut all: Vec<Verdict>) -> Vec<Verdict> {
    for (root, follow) in FOLLOWS {
        let Some(at) = all.iter().position(|v| v.kind == root) else { continue };
        let (under, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|v| follow.contains(&v.kind) && may_follow(v));
        all = rest;
        let at = all.iter().position(|v| v.kind == root).unwrap_or(at.min(all.len().saturating_sub(1)));
        all[at].under.extend(under);
    }
    // A large step explains a stalled loss only if nothing else does.
    let stalled = all.iter().position(|v| v.kind == Kind::LossStalled);
    let large = all.iter().any(|v| v.kind == Kind::UpdateTooLarge && v.severity >= Severity::Warn);
    if let Some(at) = stalled.filter(|_| large) {
        let verdict = all.remove(at);
        if let Some(root) = all.iter_mut().find(|v| v.kind == Kind::UpdateTooLarge) {
            root.under.push(verdict);
        }
    }
    all
}

/// The same after steps that were too large: the damage that they did stands below them, with what follows from it; they
/// themselves below what had `exploded`, if that made them large.
pub(super) fn nest_below(
    large: Verdict,
    exploded: Option<Verdict>,
    damage: Vec<Verdict>,
    all: Vec<Verdict>,
) -> Vec<Verdict> {
    let explained = |v: &Verdict| {
        let by = |(root, follow): &(Kind, &[Kind])| follow.contains(&v.kind) && damage.iter().any(|d| d.kind == *root);
        may_follow(v) && FOLLOWS.iter().any(by)
    };
    let known = |v: &Verdict| v.kind == large.kind || exploded.as_ref().is_some_and(|e| e.kind == v.kind);
    let (below, rest): (Vec<_>, Vec<_>) = all.into_iter().filter(|v| !known(v)).partition(explained);
    let below = damage.into_iter().chain(below);
    let root = match exploded {
        Some(root) => Verdict { under: [large].into_iter().chain(below).collect(), ..root },
        None => Verdict { under: below.collect(), ..large },
    };
    let mut roots = nest(rest);
    roots.push(root);
    roots.sort_by_key(|v| (std::cmp::Reverse(v.severity), v.kind));
    roots
}
