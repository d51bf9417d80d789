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

/// Whether a cause explains what follows from its kind: nothing worse than it, or that would be hidden, and nothing elsewhere. What is
/// not finite, or explodes, gets everywhere, and saturates layers beyond its own measure.
fn explains(cause: &Verdict, v: &Verdict) -> bool {
    matches!(cause.kind, Kind::NonFinite | Kind::Exploding) || v.severity <= cause.severity && reaches(cause, v)
}

/// On its way back a signal reaches the layers before; what is about no layer follows from any.
fn reaches(cause: &Verdict, v: &Verdict) -> bool {
    if !cause.layers.is_empty() && !v.layers.is_empty() {
        return v.layers.start < cause.layers.end;
    }
    let joins = |b: &str, rest: &str| b.is_empty() || rest.is_empty() || rest.starts_with('.');
    let inside = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| joins(b, rest));
    let same = |a: &str, b: &str| inside(a, b) || inside(b, a);
    let either = cause.paths.is_empty() || v.paths.is_empty();
    either || cause.paths.iter().any(|a| v.paths.iter().any(|b| same(a, b)))
}

/// Puts below each root what follows from it.
pub(super) fn nest(mut all: Vec<Verdict>) -> Vec<Verdict> {
    for (kind, follow) in FOLLOWS {
        // Of recurrent layers there are several of a kind.
        for root in all.iter().filter(|v| v.kind == kind).cloned().collect::<Vec<_>>() {
            let follows = |v: &Verdict| follow.contains(&v.kind) && may_follow(v) && explains(&root, v);
            let (under, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(follows);
            all = rest;
            let stays = all.iter_mut().find(|v| v.kind == kind && v.paths == root.paths);
            stays.expect("no kind follows from itself").under.extend(under);
        }
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
        let by = |(root, follow): &(Kind, &[Kind])| {
            let from = |d: &Verdict| d.kind == *root && explains(d, v);
            follow.contains(&v.kind) && damage.iter().any(from)
        };
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
