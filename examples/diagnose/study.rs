//! One network: its verdict, the remedy, and whether it trains after it.
use crate::{
    cases::Case,
    common::{claims::Claims, terminal::bold},
    patient::Patient,
    train::{Course, Run},
};
use chainrule::{
    flow::{Change, Kind, Report, Severity, Verdict, preflight},
    prelude::*,
};

/// What is told of a network at the end.
pub struct Row {
    pub name: &'static str,
    /// `VANISHING (severe)`, or `healthy`.
    pub verdict: String,
    pub remedy: String,
    pub sick: Option<Run>,
    pub well: Run,
}

fn look<P: Patient>(net: &P, case: &Case<P>, seed: u64) -> Result<Report, Error> {
    // Other examples than the first of the training.
    let batch = case.data.draw(case.look, &mut Rng::seed(seed ^ 0x100c))?;
    preflight(net, |r| net.loss(r, &batch))
}

fn alarms(report: &Report) -> impl Iterator<Item = &Verdict> {
    report.verdicts().iter().chain(report.past()).filter(|v| v.severity >= Severity::Warn)
}

fn print_verdicts<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) {
    for line in verdicts.into_iter().flat_map(|v| v.to_string().lines().map(str::to_owned).collect::<Vec<_>>()) {
        println!("  {line}");
    }
}

/// Looks at a network, trains it, and if it is sick heals it and trains it again.
pub fn study<P: Patient>(case: &Case<P>, seed: u64, claims: &mut Claims) -> Result<Row, Error> {
    println!("{}  {}  ({})\n", bold(case.name), case.says, case.course.name());
    let check = look(&case.net, case, seed)?;
    print_verdicts(check.verdicts());
    match case.wrong {
        Some(wrong) => sick(case, wrong, &check, seed, claims),
        None => healthy(case, &check, seed, claims),
    }
}

fn healthy<P: Patient>(case: &Case<P>, check: &Report, seed: u64, claims: &mut Claims) -> Result<Row, Error> {
    check.assert_healthy()?;
    let well = case.course.run(&mut case.net.clone(), &case.data, &[], seed)?;
    println!("\n  {}\n", well.line("trained"));
    let alarms: Vec<_> = alarms(&well.report).map(|v| v.kind.name()).collect();
    let raised = if alarms.is_empty() { String::new() } else { format!(" ({})", alarms.join(", ")) };
    let claim = format!("{}: no alarm before training and in {} steps of it{raised}", case.name, well.made);
    claims.add(claim, alarms.is_empty());
    learns(case, &well, claims);
    Ok(Row { name: case.name, verdict: "healthy".into(), remedy: "-".into(), sick: None, well })
}

fn sick<P: Patient>(case: &Case<P>, wrong: Kind, check: &Report, seed: u64, claims: &mut Claims) -> Result<Row, Error> {
    let run = untreated(case, check, seed)?;
    let shown = alarms(check).next();
    let Some(verdict) = shown.or_else(|| alarms(&run.report).next()).cloned() else {
        return Err(Error::new(ErrorKind::Observer, format!("{}: nothing was found wrong", case.name)));
    };
    if shown.is_none() {
        println!("  Nothing to see before training; while it trains:");
        print_verdicts([&verdict]);
    }
    claims.add(format!("{}: the verdict is {}", case.name, wrong.name()), verdict.kind == wrong);

    let (mut net, mut course) = (case.net.clone(), case.course);
    let applied = heal(case, &mut net, &mut course, &verdict, seed)?;
    println!("\n  Applied: {applied}");
    let after = look(&net, case, seed)?;
    print_verdicts(after.verdicts());
    claims.add(format!("{}: healthy after \"{applied}\"", case.name), after.assert_healthy().is_ok());

    let well = course.run(&mut net, &case.data, &[], seed)?;
    println!("\n  {}\n  {}\n", run.line("as it was"), well.line("healed"));
    learns(case, &well, claims);
    let worse = run.right < case.learnt && run.right < well.right - 0.1;
    let (claim, holds) = match run.stopped {
        Some(_) => ("without the remedy the training ends early", run.made < course.steps),
        None => ("not so without the remedy", worse),
    };
    claims.add(format!("{}: {claim}", case.name), holds);
    let critical = alarms(&well.report).any(|v| v.kind == wrong);
    claims.add(format!("{}: the verdict does not come back while it trains", case.name), !critical);
    let verdict = format!("{} ({})", verdict.kind.name(), verdict.severity);
    Ok(Row { name: case.name, verdict, remedy: applied, sick: Some(run), well })
}

/// The network as it is, with what its optimizer refuses to train left alone.
fn untreated<P: Patient>(case: &Case<P>, check: &Report, seed: u64) -> Result<Run, Error> {
    match case.course.run(&mut case.net.clone(), &case.data, &[], seed) {
        Err(e) if e.kind() == ErrorKind::NoGradient => {
            let all = check.verdicts().iter().filter(|v| v.kind == Kind::Disconnected).flat_map(|v| &v.paths);
            let left: Vec<String> = all.map(|path| path.to_string()).collect();
            let why: String = e.to_string().chars().take(70).collect();
            println!("\n  The optimizer refuses: {why} ...");
            println!("  To compare, all {} of them are left as they are.", left.len());
            case.course.run(&mut case.net.clone(), &case.data, &left, seed)
        }
        run => run,
    }
}

fn learns<P: Patient>(case: &Case<P>, run: &Run, claims: &mut Claims) {
    let percent = 100.0 * case.learnt;
    claims.add(format!("{}: more than {percent:.0} % right after training", case.name), run.right > case.learnt);
}

/// Makes the first change of the verdict that can be made here, and says which.
fn heal<P: Patient>(
    case: &Case<P>,
    net: &mut P,
    course: &mut Course,
    verdict: &Verdict,
    seed: u64,
) -> Result<String, Error> {
    for remedy in &verdict.remedies {
        match (&remedy.change, case.by_hand) {
            (Change::LearningRate(factor), _) => course.rate *= factor,
            (Change::Clip(limit), _) => course.clip = Some(*limit),
            (Change::Words(_), Some((how, by_hand))) => {
                by_hand(net);
                return Ok(how.to_owned());
            }
            (change, _) if net.change(change, &mut fresh(case.name, seed))? => {}
            _ => continue,
        }
        return Ok(remedy.change.to_string());
    }
    Err(Error::new(ErrorKind::Observer, format!("{}: none of the remedies can be applied here", case.name)))
}

/// Where the draws of a remedy begin: elsewhere for each network.
fn fresh(name: &str, seed: u64) -> Rng {
    Rng::seed(name.bytes().fold(seed, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into())))
}
