//! What a report says at the end of a training.
use chainrule::flow::{Report, Severity};

/// The verdicts that stand, a little to the right.
pub fn print(report: &Report) {
    for verdict in report.verdicts() {
        verdict.to_string().lines().for_each(|line| println!("  {line}"));
    }
    if report.verdicts().iter().all(|v| v.severity == Severity::Notice) {
        println!("  nothing worse than a notice: healthy");
    }
    println!();
}
