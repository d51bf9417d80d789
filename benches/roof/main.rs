//! The workloads against the roof of this machine and against other libraries, measured in one run:
//! `cargo bench --bench roof -- --python PYTHON --threads 1,2 --seconds 4 --only mlp_small,tiny_chain --write docs/performance.md`.
//!
//! The roof of a step is its floating-point operations at the rate of the crate gemm on a product of 1024^3, called
//! directly, or its bytes at the rate of a copy of 64 MB, both with the same number of threads.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "prints a table")]
mod allocations;
mod bars;
mod document;
mod machine;
mod measure;
mod memory;
mod peers;
mod roof;
mod row;
mod table;
#[path = "../workloads/mod.rs"]
mod workloads;

use clap::Parser;
use document::Document;
use measure::Notes;
use peers::{KINDS, Peer};
use roof::Roof;
use row::Row;
use std::{path::PathBuf, process::ExitCode};
use workloads::{ALL, Workload};

/// Times of the workloads as ratios to the roof of this machine and to other libraries.
#[derive(Parser)]
struct Options {
    /// Numbers of threads; speed-ups are over 1.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2], value_parser = at_least_one)]
    threads: Vec<usize>,
    /// How long each party is measured with each workload.
    #[arg(long, default_value_t = 4.0, value_parser = positive)]
    seconds: f64,
    /// These workloads alone.
    #[arg(long, value_delimiter = ',', value_parser = workload)]
    only: Vec<&'static Workload>,
    /// A Python that has torch and jax: they are measured too.
    #[arg(long)]
    python: Option<PathBuf>,
    /// Put the results between the markers of this file.
    #[arg(long)]
    write: Option<PathBuf>,
    /// The peak memory of mlp_large alone.
    #[arg(long)]
    memory: bool,
    /// One step of each, without times.
    #[arg(long)]
    test: bool,
    #[arg(long, hide = true, value_parser = workload)]
    alone: Option<&'static Workload>,
    #[arg(long, hide = true)]
    bench: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or("at least 1 thread is needed".to_owned())
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x: &f64| x.is_finite() && *x > 0.0).ok_or("must be above 0".to_owned())
}

fn workload(name: &str) -> Result<&'static Workload, String> {
    let known = || ALL.iter().map(|w| w.name).collect::<Vec<_>>().join(", ");
    ALL.iter().find(|w| w.name == name).ok_or_else(|| format!("no workload of this name; there are {}", known()))
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    options.threads.sort_unstable();
    options.threads.dedup();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    if let Some(w) = options.alone {
        println!("{}", memory::alone(w, options.threads[0])?);
        return Ok(());
    }
    if options.memory {
        for &threads in &options.threads {
            println!(
                "mlp_large, {threads} thread(s): {:.0} MB at most",
                memory::of_child(workload("mlp_large")?, threads)?
            );
        }
        return Ok(());
    }
    let (missing, chosen): (Vec<&Workload>, Vec<_>) = chosen(options).into_iter().partition(|w| w.missing().is_some());
    let mut notes = Notes::default();
    notes.troubles.extend(missing.iter().filter_map(|w| Some(format!("{}: not measured: {}", w.name, w.missing()?))));
    if options.test || !options.bench {
        for w in chosen {
            drop(w.ready());
            println!("{}: ok", w.name);
        }
        notes.troubles.iter().for_each(|note| println!("{note}"));
        return Ok(());
    }
    let document = options.write.as_deref().map(Document::open).transpose()?;
    let text = report(options, &chosen, notes)?;
    document.map_or(Ok(()), |document| document.write(&text))
}

fn chosen(options: &Options) -> Vec<&'static Workload> {
    if options.only.is_empty() { ALL.iter().collect() } else { options.only.clone() }
}

/// Measures; prints rows as they come, and the rest at the end.
fn report(options: &Options, chosen: &[&'static Workload], mut notes: Notes) -> Result<String, String> {
    let (mut peers, absent) = match &options.python {
        Some(python) => peers::start(python, &options.threads)?,
        None => (vec![], vec!["other libraries: not measured (no --python)".to_owned()]),
    };
    notes.troubles.extend(absent);
    let mut roofs: Vec<_> = options.threads.iter().map(|&t| (t, Roof::new(t))).collect();
    let mut rows: Vec<Row> = vec![];
    println!("{}", table::HEAD);
    for w in chosen {
        for row in measure::measure(w, options.seconds, &mut roofs, &mut peers, &mut notes) {
            println!("{}", table::line(&row));
            rows.push(row);
        }
    }
    let large = chosen.iter().find(|w| w.name == "mlp_large");
    let megabytes = large.and_then(|w| match memory::of_child(w, options.threads[0]) {
        Ok(megabytes) => Some(megabytes),
        Err(e) => {
            notes.troubles.push(format!("mlp_large: peak memory: not measured: {e}"));
            None
        }
    });
    let lines: Vec<_> = rows.iter().map(table::line).collect();
    let table = format!("{}\n{}", table::HEAD, lines.join("\n"));
    let rest = [rates(&roofs), table::bars(&bars::bars(&rows, megabytes)), table::losses(&rows), notes.text()];
    let rest = rest.join("\n\n");
    let rest = rest.trim_end();
    println!("\n{rest}");
    Ok(format!("{}\n\n{table}\n\n{rest}", introduction(&peers)))
}

/// Where, when and with what.
fn introduction(peers: &[Peer]) -> String {
    let mut versions = vec![machine::rustc(), machine::gemm()];
    for kind in KINDS {
        versions.extend(peers.iter().find(|peer| peer.kind == kind).map(|peer| peer.version.clone()));
    }
    versions.dedup();
    let (processor, versions, date, command) =
        (machine::processor(), versions.join(", "), machine::date(), machine::command());
    format!("{processor}; {versions}; {date};  \n`{command}`")
}

fn rates(roofs: &[(usize, Roof)]) -> String {
    let line = |(threads, roof): &(usize, Roof)| {
        let (flop, copied, streamed) = (roof.flop / 1e9, roof.copied / 1e9, roof.streamed / 1e9);
        format!(
            "- {threads} thread(s): gemm 1024^3 {flop:.0} GFLOP/s, copy {copied:.1} GB/s, \
             update of three arrays by a fourth {streamed:.1} GB/s (read and written)"
        )
    };
    let lines: Vec<_> = roofs.iter().map(line).collect();
    format!("The roof, the best of the run:\n\n{}", lines.join("\n"))
}
