//! What watching a training costs: `cargo bench --bench monitor`.
//!
//! Runs without a monitor, with the usual one (every tenth pass), and with one that measures every pass take turns of ten steps; a
//! row has the median over the turns of their times' ratio. The step is forward, loss, backward, optimizer step, and the loss read.
#![allow(clippy::print_stdout, reason = "prints a table")]
#[path = "workloads/xorshift.rs"]
#[allow(dead_code, reason = "the other benches use all of it")]
mod xorshift;

use chainrule::{
    flow::{Monitor, Sampling},
    optim::Optimizer,
    prelude::*,
    with_threads,
};
use clap::Parser;
use std::{hint::black_box, time::Instant};
use xorshift::Xorshift;

/// Percent of a step that watching costs
#[derive(Parser)]
struct Options {
    /// Seconds for each row.
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Numbers of threads.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    threads: Vec<usize>,
    /// This network alone: 0, 1 or 2.
    #[arg(long)]
    only: Option<usize>,
    /// A single turn of each, without times.
    #[arg(long)]
    test: bool,
    #[arg(long, hide = true)]
    bench: bool,
}

/// Steps of a turn: the usual monitor measures one of them.
const TURN: u32 = 10;

/// What is trained, and the bars in percent: the usual monitor, and that of every pass.
struct Case {
    name: &'static str,
    sizes: &'static [usize],
    relu: bool,
    usual: f64,
    every: Option<f64>,
}

const CASES: [Case; 3] = [
    Case {
        name: "784-100-100-100-10, sigmoid",
        sizes: &[784, 100, 100, 100, 10],
        relu: false,
        usual: 3.0,
        every: None,
    },
    Case {
        name: "784-(256 x 8)-10, ReLU",
        sizes: &[784, 256, 256, 256, 256, 256, 256, 256, 256, 10],
        relu: true,
        usual: 1.0,
        every: Some(5.0),
    },
    Case {
        name: "784-(512 x 8)-10, ReLU",
        sizes: &[784, 512, 512, 512, 512, 512, 512, 512, 512, 10],
        relu: true,
        usual: 1.0,
        every: Some(5.0),
    },
];
const BATCH: usize = 64;

/// A training that goes on.
struct Arm {
    net: (Vec<AnyLayer>, Dense),
    tape: Tape,
    monitor: Option<Monitor>,
    x: Tensor,
    y: Labels,
}

impl Arm {
    fn new(case: &Case, monitor: Option<Monitor>) -> Self {
        let (rng, mut r) = (&mut Rng::seed(0), Xorshift::new(1));
        let [widths @ .., classes] = case.sizes else { unreachable!("at least two sizes") };
        let layer = |w: &[usize], rng: &mut Rng| match case.relu {
            true => AnyLayer::new((Dense::with_init(w[0], w[1], Init::he(), rng), Relu)),
            false => AnyLayer::new((Dense::new(w[0], w[1], rng), Sigmoid)),
        };
        let hidden = widths.windows(2).map(|w| layer(w, rng)).collect();
        let net = (hidden, Dense::new(widths[widths.len() - 1], *classes, rng));
        let (x, y) = (r.tensor([BATCH, case.sizes[0]], 0.0, 1.0), r.labels(BATCH, *classes));
        Self { net, tape: Tape::new(), monitor, x, y }
    }

    /// Microseconds of a step.
    fn turn(&mut self) -> f64 {
        let start = Instant::now();
        for _ in 0..TURN {
            black_box(self.step().expect("all is finite"));
        }
        start.elapsed().as_secs_f64() * 1e6 / f64::from(TURN)
    }

    fn step(&mut self) -> Result<f64, Error> {
        let mut opt = Sgd::new(1e-3);
        let loss = self.net.forward(&self.tape.begin().constant(&self.x)).softmax_cross_entropy(&self.y);
        let g = loss.backward_with(&self.net, &mut self.monitor)?;
        let item = loss.item();
        match &mut self.monitor {
            Some(monitor) => {
                let report = (monitor.updates(), opt).step(&mut self.net, &g)?;
                monitor.step(&report);
            }
            None => drop(opt.step(&mut self.net, &g)?),
        }
        Ok(item)
    }
}

fn median(all: &mut [f64]) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all[all.len() / 2]
}

fn row(case: &Case, threads: usize, seconds: f64) {
    let monitors = [None, Some(Monitor::new()), Some(Monitor::new().sampling(Sampling::Every(1)))];
    let mut arms = monitors.map(|m| Arm::new(case, m));
    // The usual monitor's first twenty passes are over.
    for _ in 0..3 {
        let _ = arms.each_mut().map(Arm::turn);
    }
    let (start, mut turns) = (Instant::now(), vec![]);
    while turns.len() < 5 || start.elapsed().as_secs_f64() < seconds {
        // Another one begins each time.
        let mut turn = [0.0; 3];
        (0..3).map(|k| (k + turns.len()) % 3).for_each(|k| turn[k] = arms[k].turn());
        turns.push(turn);
    }
    let mut bare: Vec<f64> = turns.iter().map(|t| t[0]).collect();
    let percent = |k: usize| 100.0 * (median(&mut turns.iter().map(|t| t[k] / t[0]).collect::<Vec<_>>()) - 1.0);
    let (usual, every) = (percent(1), percent(2));
    let bar = case.every.map_or(String::new(), |bar| format!(" (bar {bar})"));
    let (name, us) = (case.name, median(&mut bare));
    println!("| {name} | {threads} | {us:.0} | {usual:.1} (bar {}) | {every:.1}{bar} |", case.usual);
}

fn main() {
    let options = Options::parse();
    if options.test || !options.bench {
        CASES.iter().for_each(|case| row(case, 1, 0.0));
        return;
    }
    println!("| network, batch {BATCH}, SGD | threads | step, us | usual monitor, % | every pass, % |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for (_, case) in CASES.iter().enumerate().filter(|(k, _)| options.only.is_none_or(|only| only == *k)) {
        for &threads in &options.threads {
            with_threads(threads, || row(case, threads, options.seconds)).expect("threads can be started");
        }
    }
}
