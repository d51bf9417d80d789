//! The vanishing gradient on handwritten digits, measured layer by layer, and the remedies.
#[path = "../common/mod.rs"]
mod common;
mod net;
mod options;
mod report;
mod train;

use chainrule::{
    flow::{Change, Kind, Severity},
    prelude::*,
    with_threads,
};
use common::{
    claims::Claims,
    cli::end,
    digits::{Digits, repository},
    picture::Picture,
    terminal::bold,
};
use options::{Activation, Method, Options, Start, sizes};
use std::path::PathBuf;
use train::{Plan, Run};

fn main() {
    let (options, described) = Options::read();
    let run = || if described { one(&options) } else { show(&options) };
    let done = options.threads.map_or_else(|| Ok(run()), |n| with_threads(n, run)).and_then(|done| done);
    end(done);
}

/// Where the picture and the report go, if they are wanted: known before anything is trained.
fn files(options: &Options) -> Result<[Option<Picture>; 2], Error> {
    let open = |file: &Option<PathBuf>| file.as_deref().map(Picture::open).transpose();
    Ok([open(&options.svg)?, open(&options.report)?])
}

/// The digits, of which a quick run takes a part.
fn digits(options: &Options) -> Result<Digits, Error> {
    let digits = Digits::load(&options.data.clone().unwrap_or_else(repository))?;
    if options.quick { digits.part(1_000, 500) } else { Ok(digits) }
}

/// Which digits, and how many.
fn introduce(digits: &Digits, seed: u64) {
    let tests = digits.tests.iter().map(|(name, test)| format!("{} {name}", test.len())).collect::<Vec<_>>().join(", ");
    let (folder, train) = (digits.folder.display(), digits.train.len());
    println!("Digits of {folder}: {train} to train on, {tests}; seed {seed}\n");
}

/// The network that the options describe.
fn one(options: &Options) -> Result<(), Error> {
    let ([picture, page], digits) = (files(options)?, digits(options)?);
    let plan = Plan {
        sizes: options.sizes(digits.pixels())?,
        activation: options.activation,
        start: options.init,
        optimizer: options.optimizer,
        rate: options.lr.unwrap_or_else(|| options.optimizer.default_rate()),
        decay: options.decay,
        batch: options.batch,
        epochs: options.epochs.unwrap_or(if options.quick { 1 } else { 10 }),
        clip: options.clip,
        seed: options.seed,
    };
    introduce(&digits, options.seed);
    let run = plan.run(&digits)?;
    if run.stopped.is_none() {
        report::table(&plan, &run, &digits);
    }
    common::verdicts::print(&run.report);
    if let Some(page) = page {
        page.write_report(&run.report)?;
    }
    match run.stopped {
        Some(e) => Err(e),
        None => picture.map_or(Ok(()), |picture| picture.write(&report::figure(&plan, &run))),
    }
}

const DEPTH: usize = 8;
const WIDTH: usize = 128;

/// The article's story.
fn show(options: &Options) -> Result<(), Error> {
    let ([picture, page], digits) = (files(options)?, digits(options)?);
    introduce(&digits, options.seed);
    let plan = |depth, activation, start, epochs| Plan {
        sizes: sizes(digits.pixels(), WIDTH, depth),
        activation,
        start,
        optimizer: Method::Sgd,
        rate: 0.1,
        decay: false,
        batch: 64,
        epochs: if options.quick { 1 } else { epochs },
        clip: None,
        seed: options.seed,
    };

    println!("{}\n", bold("(a) Sigmoid networks: the deeper, the less of the gradient reaches the first layer"));
    let mut runs = vec![];
    for depth in [2, 4, DEPTH] {
        runs.push(shown(plan(depth, Activation::Sigmoid, Start::Standard, 3), &digits)?);
    }
    if let (Some(picture), Some((plan, run))) = (picture, runs.last()) {
        picture.write(&report::figure(plan, run))?;
    }

    println!("{}\n", bold("(b) The same depth with other activations and initialisations"));
    for activation in [Activation::Tanh, Activation::Relu] {
        for start in [Start::Xavier, Start::He] {
            runs.push(shown(plan(DEPTH, activation, start, 10), &digits)?);
        }
    }
    report::summary(&runs, &digits);

    println!("{}\n", bold("(c) To its accuracy"));
    let adam =
        Plan { optimizer: Method::Adam, rate: 3e-3, decay: true, ..plan(2, Activation::Relu, Start::Standard, 10) };
    let last = shown(adam, &digits)?;
    if options.data.is_none() {
        check(&runs, &last, options.quick)?;
        println!();
    }

    println!("{}\n", bold("(d) What the monitor says"));
    verdicts(&runs, options.data.is_none())?;
    page.zip(find(&runs, Activation::Sigmoid, Start::Standard))
        .map_or(Ok(()), |(page, run)| page.write_report(&run.1.report))
}

fn shown(plan: Plan, digits: &Digits) -> Result<(Plan, Run), Error> {
    let mut run = plan.run(digits)?;
    if let Some(e) = run.stopped.take() {
        return Err(e);
    }
    report::table(&plan, &run, digits);
    Ok((plan, run))
}

/// One of the deepest networks.
fn find(runs: &[(Plan, Run)], activation: Activation, start: Start) -> Option<&(Plan, Run)> {
    let deep = runs.iter().filter(|(plan, _)| plan.sizes.len() == DEPTH + 2);
    deep.into_iter().find(|(plan, _)| plan.activation == activation && plan.start == start)
}

/// The verdict of the sick network, its first remedy, and the verdict of the network in (b) that has it.
fn verdicts(runs: &[(Plan, Run)], claim: bool) -> Result<(), Error> {
    let Some((plan, sick)) = find(runs, Activation::Sigmoid, Start::Standard) else { return Ok(()) };
    println!("{}:", plan.name());
    common::verdicts::print(&sick.report);
    let vanishing = sick.report.get(Kind::Vanishing);
    let Some(remedy) = vanishing.and_then(|verdict| verdict.remedies.first()) else { return Ok(()) };
    let healed = match remedy.change {
        Change::Activation("relu", "He") => find(runs, Activation::Relu, Start::He),
        Change::Activation("tanh", "Xavier") => find(runs, Activation::Tanh, Start::Xavier),
        _ => None,
    };
    let Some((plan, healed)) = healed else { return Ok(()) };
    println!("Applied in (b): {}. {}:", remedy.change, plan.name());
    common::verdicts::print(&healed.report);
    let mut claims = Claims::default();
    claims.add(
        "the sigmoid network's signal vanishes, severely",
        vanishing.is_some_and(|v| v.severity == Severity::Severe),
    );
    claims.add(format!("{}: healthy to the end", plan.name()), healed.report.assert_healthy().is_ok());
    if claim { claims.check() } else { Ok(()) }
}

/// What must come out on the repository's digits. A quick run is too short for accuracies.
fn check(runs: &[(Plan, Run)], last: &(Plan, Run), quick: bool) -> Result<(), Error> {
    let mut claims = Claims::default();
    for (plan, run) in runs.iter().filter(|(plan, _)| plan.sizes.len() == DEPTH + 2) {
        let (name, ratio) = (plan.name(), run.first_over_last().unwrap_or(f64::NAN));
        let sigmoid = plan.activation == Activation::Sigmoid;
        let (what, holds) = match sigmoid {
            true => ("first/last |dL/dW| between 1e-7 and 1e-5", (1e-7..=1e-5).contains(&ratio)),
            false => ("first/last |dL/dW| above 0.1", ratio > 0.1),
        };
        claims.add(format!("{name}: {what}"), holds);
        let (what, holds) = match sigmoid {
            true => ("stays near 10 %", run.accuracies[0] < 0.15),
            false => ("above 92 %", run.accuracies[0] > 0.92),
        };
        if !quick {
            claims.add(format!("{name}: {what}"), holds);
        }
    }
    let least = last.1.accuracies.iter().copied().fold(f64::INFINITY, f64::min);
    if !quick {
        claims.add(format!("{} with Adam: at least 93 % on each test set", last.0.name()), least >= 0.93);
    }
    claims.check()
}
