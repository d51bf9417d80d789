//! Gradients of eight functions by this crate, by prototypes that check nothing, and by the other libraries, taking turns.
//! One thread. The tables are written as docs/performance.md has them.
mod contestants;
mod libraries;
#[path = "../../../workloads/objectives/mod.rs"]
mod objectives;
mod prototypes;

use clap::Parser;
use contestants::{Contestant, Kind, contestants};
use objectives::{BlackScholes, Bundle, LogSumExp, Lorenz, Lstm, Mixture, Mlp, Objective, Rosenbrock};
use std::{collections::BTreeMap, hint::black_box, time::Instant};

/// Times of gradients of single numbers, beside other libraries
#[derive(Parser)]
struct Options {
    /// These objectives alone.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Without the other libraries.
    #[arg(long)]
    ours: bool,
    /// Only check that all gradients agree, and print a sum of each objective's, to compare with other programs.
    #[arg(long)]
    sums: bool,
    /// Turns that each contestant gets.
    #[arg(long, default_value_t = 15)]
    turns: usize,
    /// Milliseconds of a turn.
    #[arg(long, default_value_t = 8.0)]
    milliseconds: f64,
}

/// An objective's times, in microseconds.
struct Row {
    name: &'static str,
    plain: f64,
    times: Vec<(Kind, &'static str, f64)>,
}

fn main() {
    let options = Options::parse();
    let mut rows = vec![];
    measure(&Mixture::new(), &options, &mut rows);
    measure(&Bundle, &options, &mut rows);
    measure(&BlackScholes, &options, &mut rows);
    measure(&Rosenbrock, &options, &mut rows);
    measure(&Lorenz, &options, &mut rows);
    measure(&Lstm::new(), &options, &mut rows);
    measure(&Mlp::new(), &options, &mut rows);
    measure(&LogSumExp, &options, &mut rows);
    if !options.sums {
        print_table(&rows);
        print_all(&rows);
    }
}

fn measure<O: Objective>(f: &O, options: &Options, rows: &mut Vec<Row>) {
    if !options.only.is_empty() && !options.only.iter().any(|name| O::NAME.contains(name.as_str())) {
        return;
    }
    eprintln!("{} ..", O::NAME);
    let points = f.points();
    let plain = || {
        let mut y = vec![0.0; points.m];
        for x in points.x.chunks_exact(points.n) {
            f.eval(black_box(x), &mut y, false);
        }
        black_box(&y);
    };
    let mut all = contestants(f);
    all.retain(|c| !options.ours || !matches!(c.kind, Kind::Peer | Kind::ForwardPeer));
    let mut gradients = vec![0.0; points.count * points.n * points.m];
    agree(&mut all, &mut gradients, O::NAME);
    if options.sums {
        (all[0].run)(&mut gradients);
        // Weights, so that derivatives at wrong places change it.
        let sum: f64 = gradients.iter().enumerate().map(|(i, g)| g * (1.0 + 0.37 * (i % 11) as f64)).sum();
        println!("{} {sum:.12e}", O::NAME);
        return;
    }
    let gradients = std::cell::RefCell::new(gradients);
    let mut runs: Vec<Box<dyn FnMut() + '_>> = vec![Box::new(plain)];
    for contestant in &mut all {
        let gradients = &gradients;
        runs.push(Box::new(move || {
            (contestant.run)(&mut gradients.borrow_mut());
            black_box(gradients);
        }));
    }
    let times = medians(&mut runs, options);
    drop(runs);
    let times_of = all.iter().zip(&times[1..]).map(|(c, &us)| (c.kind, c.name, us)).collect();
    rows.push(Row { name: O::NAME, plain: times[0], times: times_of });
}

/// Refuses contestants whose gradients differ from the first one's.
fn agree(all: &mut [Contestant<'_>], gradients: &mut [f64], objective: &str) {
    let mut wanted = vec![];
    for contestant in all {
        gradients.fill(f64::NAN);
        (contestant.run)(gradients);
        if wanted.is_empty() {
            wanted = gradients.to_vec();
        }
        let largest = wanted.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
        let differ =
            wanted.iter().zip(&*gradients).position(|(w, g)| !((w - g).abs() <= 1e-9 * (w.abs() + 1e-6 * largest)));
        if let Some(i) = differ {
            panic!("{objective}: {} has {} for derivative {i}, not {}", contestant.name, gradients[i], wanted[i]);
        }
    }
}

/// Median times of turns, in microseconds a call.
fn medians(runs: &mut [Box<dyn FnMut() + '_>], options: &Options) -> Vec<f64> {
    let calls: Vec<usize> = runs
        .iter_mut()
        .map(|run| {
            let once = time(run, 1).min(time(run, 1));
            ((1e3 * options.milliseconds / once) as usize).max(1)
        })
        .collect();
    let mut times = vec![vec![]; runs.len()];
    for _ in 0..options.turns {
        for ((run, &calls), times) in runs.iter_mut().zip(&calls).zip(&mut times) {
            run(); // its memory back into the caches
            times.push(time(run, calls));
        }
    }
    times
        .iter_mut()
        .map(|times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        })
        .collect()
}

fn time(run: &mut dyn FnMut(), calls: usize) -> f64 {
    let start = Instant::now();
    (0..calls).for_each(|_| run());
    start.elapsed().as_secs_f64() * 1e6 / calls as f64
}

impl Row {
    fn best(&self, kinds: &[Kind]) -> Option<(&'static str, f64)> {
        let mine = self.times.iter().filter(|(kind, ..)| kinds.contains(kind));
        mine.map(|&(_, name, us)| (name, us)).min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

fn print_table(rows: &[Row]) {
    println!(
        "| µs | plain | recording | best prototype | | best library | | replay | best prototype | | forward | num-dual | |"
    );
    println!("|{}", " --- |".repeat(13));
    for row in rows {
        let own = |kind| row.best(&[kind]).map(|(_, us)| us);
        let beside = |mine: Kind, other: Kind| match (own(mine), row.best(&[other])) {
            (Some(us), Some((name, best))) => format!("{us:.1} | {best:.1} ({name}) | {:.2}", us / best),
            (us, _) => format!("{} | | ", us.map_or(String::new(), |us| format!("{us:.1}"))),
        };
        let recording = own(Kind::Recording).expect("measured");
        let peer = row.best(&[Kind::Peer]).map(|(name, best)| format!("{best:.1} ({name}) | {:.2}", recording / best));
        println!(
            "| {} | {:.1} | {} | {} | {} | {} |",
            row.name,
            row.plain,
            beside(Kind::Recording, Kind::ProtoRecording),
            peer.unwrap_or_else(|| "| ".to_owned()),
            beside(Kind::Replaying, Kind::ProtoReplaying),
            beside(Kind::Forward, Kind::ForwardPeer),
        );
    }
}

/// Everybody's times.
fn print_all(rows: &[Row]) {
    let mut names = vec![];
    for &(_, name, _) in rows.iter().flat_map(|row| &row.times) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    println!("\n| µs | {} |", rows.iter().map(|row| row.name).collect::<Vec<_>>().join(" | "));
    println!("| --- |{}", " --- |".repeat(rows.len()));
    for name in names {
        let times = rows.iter().map(|row| {
            let times: BTreeMap<_, _> = row.times.iter().map(|&(_, name, us)| (name, us)).collect();
            times.get(name).map_or(String::new(), |us| format!("{us:.1}"))
        });
        println!("| {name} | {} |", times.collect::<Vec<_>>().join(" | "));
    }
}
