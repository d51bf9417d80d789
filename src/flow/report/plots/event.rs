//! What happened at passes of a run: verdicts, and numbers that are not finite.
use crate::flow::{
    Figure, Kind, Report, Severity, Verdict,
    figure::{Lane, Mark, Tone},
};

/// All verdicts of a run, with those that follow from others.
fn all(report: &Report) -> Vec<&Verdict> {
    fn add<'a>(verdicts: &'a [Verdict], to: &mut Vec<&'a Verdict>) {
        for verdict in verdicts {
            to.push(verdict);
            add(&verdict.under, to);
        }
    }
    let mut found = vec![];
    add(&report.past, &mut found);
    add(&report.verdicts, &mut found);
    found
}

fn tone(severity: Severity) -> Option<Tone> {
    match severity {
        Severity::Good | Severity::Note => None,
        Severity::Notice => Some(Tone::Notice),
        Severity::Warn => Some(Tone::Warn),
        Severity::Severe | Severity::Critical => Some(Tone::Severe),
    }
}

/// When verdicts of the kinds that matter to a picture stood: one lane for each kind, in the order of their beginning.
pub(super) fn lanes(report: &Report, matters: impl Fn(Kind) -> bool) -> Vec<Lane> {
    let mut lanes: Vec<(u64, Lane)> = vec![];
    for verdict in all(report).into_iter().filter(|v| matters(v.kind)) {
        let Some(tone) = tone(verdict.severity) else { continue };
        let (start, end) = (verdict.steps.start, verdict.steps.end.max(verdict.steps.start + 1));
        let span = [start as f64 - 0.5, end as f64 - 0.5];
        match lanes.iter_mut().find(|(_, lane)| lane.name == verdict.kind.name()) {
            Some((first, lane)) => {
                (*first, lane.tone) = (start.min(*first), tone.max(lane.tone));
                lane.spans.push(span);
            }
            None => lanes.push((start, Lane { name: verdict.kind.name().to_owned(), tone, spans: vec![span] })),
        }
    }
    lanes.sort_by_key(|(first, _)| *first);
    lanes.into_iter().map(|(_, lane)| lane).collect()
}

/// The passes with a number that is not finite: those that failed, and those whose loss, norm or signal is none.
pub(super) fn broken(report: &Report) -> Vec<f64> {
    let failed = all(report).into_iter().filter(|v| v.kind == Kind::NonFinite).map(|v| v.steps.start);
    let losses = report.losses.iter().filter(|p| !p.1.is_finite()).map(|p| p.0);
    let norms = report.norms.iter().filter(|p| !p.1.is_finite()).map(|p| p.0);
    let bad = |signal: f64| signal.is_nan() || signal == f64::INFINITY;
    let signals = report.samples.iter().filter(|s| s.layers.iter().any(|l| bad(l.signal))).map(|s| s.step);
    let mut passes: Vec<u64> = failed.chain(losses).chain(norms).chain(signals).collect();
    passes.sort_unstable();
    passes.dedup();
    passes.into_iter().map(|pass| pass as f64).collect()
}

/// Adds lanes, crosses and triangles.
pub(super) fn events(figure: Figure, report: &Report, zeros: Vec<f64>, matters: impl Fn(Kind) -> bool) -> Figure {
    let broken = broken(report);
    let mut marks = vec![];
    if !broken.is_empty() {
        marks.push(Mark::Broken { xs: broken, name: "not finite".to_owned() });
    }
    if !zeros.is_empty() {
        marks.push(Mark::Zeros { xs: zeros, name: "exactly 0".to_owned() });
    }
    figure.marks(marks).lanes(lanes(report, matters))
}
