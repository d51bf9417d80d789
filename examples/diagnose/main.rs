//! Sick networks: what a look at their gradients says, the remedy, and the proof that they train after it.
mod cases;
#[path = "../common/mod.rs"]
mod common;
mod data;
mod patient;
mod study;
mod train;

use chainrule::{flow::Plot, prelude::*, with_threads};
use clap::{Parser, builder::PossibleValuesParser};
use common::{
    claims::Claims,
    cli::{a_few, end, read},
    digits::{Digits, repository},
    picture::Picture,
    terminal::bold,
};
use std::{path::PathBuf, rc::Rc};
use study::{Row, study};

/// Looks at sick networks and healthy ones. For each sick one: the verdict, the remedy that is applied, and training with
/// it and without. The healthy ones raise no alarm.
///
/// Six networks read the repository's digits: the article's stack of sigmoids, one with over-scaled weights, one that is
/// saturated, one whose ReLUs are dead, one whose layers are cut off by a detached value, and one that takes the logarithm
/// of 0. An LSTM forgets what came first.
#[derive(Parser, Debug)]
#[command(name = "diagnose", max_term_width = 100)]
struct Options {
    /// One network alone
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(cases::NAMES))]
    only: Option<String>,
    /// Writes the report of the training as one HTML page: of the network of --only as it was, else of the first
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Writes the picture of the gains and their factors of the same training as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Where random numbers begin
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Threads of the kernels [default: one for each processor]
    #[arg(long, value_parser = a_few)]
    threads: Option<usize>,
    /// Fewer steps
    #[arg(long)]
    quick: bool,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == name)
    }
}

fn main() {
    let (options, _) = read::<Options>();
    let done = options.threads.map_or_else(|| Ok(show(&options)), |n| with_threads(n, || show(&options)));
    end(done.and_then(|done| done));
}

fn show(options: &Options) -> Result<(), Error> {
    let (quick, seed) = (options.quick, options.seed);
    let page = options.report.as_deref().map(Picture::open).transpose()?;
    let picture = options.svg.as_deref().map(Picture::open).transpose()?;
    let digits = Rc::new(Digits::load(&repository())?);
    let (mut rows, mut claims) = (vec![], Claims::default());
    let (sick, healthy): (Vec<_>, Vec<_>) =
        cases::deep(&digits, quick, seed).into_iter().partition(|c| c.wrong.is_some());
    for case in sick.iter().filter(|case| options.wants(case.name)) {
        rows.push(study(case, seed, &mut claims)?);
    }
    if options.wants("forgetful") {
        rows.push(study(&cases::forgetful(seed)?, seed, &mut claims)?);
    }
    for case in healthy.iter().filter(|case| options.wants(case.name)) {
        rows.push(study(case, seed, &mut claims)?);
    }
    if options.wants("rows") {
        rows.push(study(&cases::rows(&digits, seed), seed, &mut claims)?);
    }
    table(&rows);
    if let Some(report) = rows.first().map(|row| &row.sick.as_ref().unwrap_or(&row.well).report) {
        page.map_or(Ok(()), |page| page.write_report(report))?;
        let nothing =
            || Error::new(ErrorKind::BadData, "--svg: this network has no gains to draw; --only names another");
        picture.map_or(Ok(()), |picture| picture.write(&report.figure(Plot::Gains).ok_or_else(nothing)?))?;
    }
    claims.check()
}

/// A line for each network.
fn table(rows: &[Row]) {
    println!("{}", bold("What the remedies gave: examples that are right, in percent"));
    println!("  {:12} {:32} {:>9} {:>9}  remedy", "network", "verdict", "as it was", "healed");
    for row in rows {
        let [sick, well] = match &row.sick {
            Some(sick) => [sick, &row.well].map(|run| format!("{:.1}", 100.0 * run.right)),
            None => [format!("{:.1}", 100.0 * row.well.right), "-".to_owned()],
        };
        println!("  {:12} {:32} {sick:>9} {well:>9}  {}", row.name, row.verdict, row.remedy);
    }
    println!();
}
