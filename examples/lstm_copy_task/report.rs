//! What came out of the trainings.
use crate::{
    common::{claims::Claims, verdicts},
    options::{Cell, Loss, Start},
    task::{RECALL_BASELINE, standard_baseline},
    train::{Plan, Run},
};
use chainrule::{
    flow::{Change, Figure, Kind, Report},
    prelude::*,
};

/// `LSTM, chrono: copying over T = 100, 128 units`.
pub fn title(plan: &Plan) -> String {
    format!("{}: copying over T = {}, {} units", plan.make.name(), plan.make.t, plan.make.hidden)
}

fn trained(plan: &Plan) -> &'static str {
    match plan.loss {
        Loss::Recall => "recall",
        Loss::All => "all steps",
    }
}

/// A row for each training.
pub fn table(runs: &[Run]) {
    let Some(t) = runs.first().map(|run| run.plan.make.t) else { return };
    println!(
        "  network              trained on   steps   its loss  on a fresh batch: recall  all steps  right        s"
    );
    for run in runs {
        let (last, name) = (&run.last, run.plan.make.name());
        println!(
            "  {name:20} {:10} {:>7}  {:>9.4}  {:>24.4}  {:>9.4}  {:>3.0} %  {:>7.1}",
            trained(&run.plan),
            run.steps.len(),
            run.last_loss(),
            last.recall,
            last.standard,
            100.0 * last.right,
            run.seconds
        );
        let outcome = match (run.solved, &run.stopped) {
            (Some(step), _) => format!("solved at step {step}: every symbol of a fresh batch is right"),
            (None, Some(e)) => format!("stopped: {e}"),
            (None, None) => {
                format!("not solved: its loss is {:.3} of its baseline", run.last_loss() / run.plan.baseline())
            }
        };
        println!("  {:20} {outcome}  ({})", "", run.plan.method());
    }
    println!(
        "  baselines of a network that remembers nothing: recall loss, over the ten steps that repeat, ln 8 = {RECALL_BASELINE:.4};\n  \
         loss over all {} steps {:.4}. Who is trained on one is judged by that one.\n",
        t + 20,
        standard_baseline(t)
    );
}

/// The losses over training, and their baselines.
pub fn figure(runs: &[Run]) -> Figure {
    let title = runs.first().map_or(String::new(), |run| format!("Copying over {} steps", run.plan.make.t));
    let empty = Figure::new(title).x_axis("step").y_axis("the loss that is trained").log_y();
    let figure = runs.iter().fold(empty, |figure, run| {
        let points = run.steps.iter().enumerate().map(|(k, s)| (k as f64, s.loss));
        figure.line(format!("{} ({})", run.plan.make.name(), trained(&run.plan)), points)
    });
    let longest = runs.iter().map(|run| run.steps.len()).max().unwrap_or(0);
    let level = runs.first().map_or(f64::NAN, |run| run.plan.baseline());
    figure.dashed("baseline", [(0.0, level), (longest as f64, level)])
}

/// What must come out with the settings of this program; a quick run ends on the way.
pub fn check(runs: &[Run], sized: bool, quick: bool) -> Result<(), Error> {
    let mut claims = Claims::default();
    let steps = runs.first().map_or(0, |run| run.steps.len());
    claims.add("all were given the same number of steps", runs.iter().all(|run| run.steps.len() == steps));
    for run in runs.iter().filter(|_| !sized) {
        let (name, part) = (run.plan.make.name(), run.last_loss() / run.plan.baseline());
        if run.plan.make.start == Start::Chrono && quick {
            claims.add(format!("{name}: on its way, below 70 % of the baseline"), part < 0.7);
        } else if run.plan.make.start == Start::Chrono {
            claims.add(format!("{name}: solved"), run.solved.is_some());
            claims.add(format!("{name}: more than 90 % of other symbols are right"), run.last.right > 0.9);
        } else {
            let off = if quick { 0.1 } else { 0.05 };
            claims.add(format!("{name}: stays within {:.0} % of the baseline", 100.0 * off), (part - 1.0).abs() < off);
        }
    }
    claims.check()?;
    println!();
    Ok(())
}

/// The LSTM with forget bias 1.
pub fn forgetful(runs: &[Run]) -> Option<&Run> {
    runs.iter().find(|run| run.plan.make.cell == Cell::Lstm && run.plan.make.start == Start::Usual)
}

/// The verdicts of the networks that did not learn, the remedy of one, and the verdict of the network that had it.
pub fn diagnosis(runs: &[Run], sized: bool) -> Result<(), Error> {
    let mut claims = Claims::default();
    for run in runs.iter().filter(|run| run.plan.make.start != Start::Chrono) {
        println!("{}:", run.plan.make.name());
        verdicts::print(&run.report);
        let vanishes = vanished(&run.report);
        claims.add(format!("{}: its gradient vanishes through time", run.plan.make.name()), vanishes);
    }
    let remedies = forgetful(runs).and_then(|run| run.report.get(Kind::VanishingThroughTime)).map(|v| &v.remedies[..]);
    let chrono = remedies.unwrap_or_default().iter().find(|r| matches!(r.change, Change::Chrono(_)));
    let healed = runs.iter().find(|run| run.plan.make.start == Start::Chrono);
    if let (Some(remedy), Some(run)) = (chrono, healed) {
        println!("Applied in (2): {}. {}:", remedy.change, run.plan.make.name());
        verdicts::print(&run.report);
        claims.add(format!("{}: its gradient does not vanish", run.plan.make.name()), !vanished(&run.report));
    }
    if sized { Ok(()) } else { claims.check() }
}

fn vanished(report: &Report) -> bool {
    report.verdicts().iter().chain(report.past()).any(|v| v.kind == Kind::VanishingThroughTime)
}
