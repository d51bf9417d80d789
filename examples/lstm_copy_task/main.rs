//! Gradients that vanish and explode through time, and an LSTM that remembers over it.
mod clip;
#[path = "../common/mod.rs"]
mod common;
mod flow;
mod net;
mod options;
mod report;
mod task;
mod train;

use chainrule::{prelude::*, with_threads};
use common::{
    cli::end,
    picture::Picture,
    terminal::{Progress, bold},
};
use options::{Cell, Options, Start};
use std::path::{Path, PathBuf};
use train::{Pace, Plan, side_by_side};

fn main() {
    let (options, described, sized) = Options::read();
    end(if described { one(&options) } else { show(&options, sized) });
}

/// Where the two pictures go: known before anything is trained.
fn pictures(options: &Options) -> Result<Option<[Picture; 2]>, Error> {
    let open = |file: &Path| Ok([Picture::open(file)?, Picture::open(&beside(file))?]);
    options.svg.as_deref().map(open).transpose()
}

/// Where the report goes, if one is wanted.
fn page(options: &Options) -> Result<Option<Picture>, Error> {
    options.report.as_deref().map(Picture::open).transpose()
}

/// `out.svg` -> `out-loss.svg`.
fn beside(file: &Path) -> PathBuf {
    let part = |part: Option<&std::ffi::OsStr>| part.map(|p| p.to_string_lossy().into_owned());
    let end = part(file.extension()).map_or(String::new(), |e| format!(".{e}"));
    file.with_file_name(format!("{}-loss{end}", part(file.file_stem()).unwrap_or_default()))
}

/// The network that the options describe.
fn one(options: &Options) -> Result<(), Error> {
    let (pictures, page) = (pictures(options)?, page(options)?);
    let plan = Plan::of(options, options.cell, options.init);
    println!("{}  ({}, seed {})\n", bold(&report::title(&plan)), plan.method(), plan.seed);
    let (time, run) = with_threads(options.threads(), || {
        let time = flow::measure(plan.make, plan.batch, plan.seed)?;
        flow::table([(None, plan.make, &time)].into_iter());
        Ok::<_, Error>((time, plan.run(Pace::Free, &Progress::default())?))
    })??;
    let runs = [run];
    report::table(&runs);
    common::verdicts::print(&runs[0].report);
    if let Some(page) = page {
        page.write_report(&runs[0].report)?;
    }
    if let Some([gradient, loss]) = pictures {
        gradient.write(&flow::figure(report::title(&plan), [(plan.make.name(), flow::line(&time))].into_iter()))?;
        loss.write(&report::figure(&runs))?;
    }
    match &runs[0].stopped {
        Some(e) => Err(Error::new(e.kind(), e.to_string()).context(format!("step {}", runs[0].steps.len()))),
        None => Ok(()),
    }
}

/// Vanishing and exploding, remembering, and clipping.
fn show(options: &Options, sized: bool) -> Result<(), Error> {
    let (pictures, page) = (pictures(options)?, page(options)?);
    let (quick, seed, threads) = (options.quick, options.seed, options.threads());
    let hidden = options.hidden.unwrap_or(if quick { 32 } else { 128 });
    let t = options.t.unwrap_or(if quick { 100 } else { 500 });
    let figure = with_threads(threads, || flow::show(t, hidden, options.batch.unwrap_or(32), seed, sized))??;

    let plans = [(Cell::Lstm, Start::Chrono), (Cell::Lstm, Start::Usual), (Cell::Rnn, Start::Usual)];
    let plans = plans.map(|(cell, start)| Plan::of(options, cell, Some(start)));
    println!(
        "{}\n",
        bold(&format!("(2) The copying task  (T = {}, {} units, seed {seed})", plans[0].make.t, plans[0].make.hidden))
    );
    let runs = side_by_side(&plans, threads, &Progress::default())?;
    report::table(&runs);
    report::check(&runs, sized, quick)?;
    if let Some([gradient, loss]) = pictures {
        gradient.write(&figure)?;
        loss.write(&report::figure(&runs))?;
    }
    let (t, hidden) = (options.t.unwrap_or(100), options.hidden.unwrap_or(128));
    clip::show(t, hidden, if quick { 50 } else { 300 }, seed, threads, sized)?;

    println!("\n{}\n", bold("(4) What the monitor says of the trainings of (2)"));
    report::diagnosis(&runs, sized || quick)?;
    page.zip(report::forgetful(&runs)).map_or(Ok(()), |(page, run)| page.write_report(&run.report))
}
