//! Handwritten digits read row by row by an LSTM.
#[path = "../common/mod.rs"]
mod common;

use chainrule::{
    data::{Dataset, accuracy},
    optim::schedule::{Cosine, Scheduled},
    prelude::*,
    with_threads,
};
use clap::Parser;
use common::{
    claims::Claims,
    cli::{a_few, at_least_one, end, given, positive, read},
    digits::{Digits, repository},
    terminal::{Progress, bold},
};
use std::{path::PathBuf, thread, time::Instant};

/// Trains an LSTM that reads a digit row by row, from the top, and says what it was after the last row.
#[derive(Parser, Debug)]
#[command(name = "mnist_rows", max_term_width = 100)]
struct Options {
    /// Units of the LSTM
    #[arg(long, default_value_t = 128, value_parser = at_least_one)]
    hidden: usize,
    /// Digits in a step
    #[arg(long, default_value_t = 64, value_parser = at_least_one)]
    batch: usize,
    /// Passes over the digits [default: 15; 2 of a quick run]
    #[arg(long, value_parser = at_least_one)]
    epochs: Option<usize>,
    /// Learning rate of Adam, which falls to 0 as a cosine
    #[arg(long, default_value_t = 2e-3, value_parser = positive, allow_negative_numbers = true)]
    lr: f64,
    /// How many networks, with seeds from --seed on [default: 3; 1 of a quick run]
    #[arg(long, value_parser = at_least_one)]
    seeds: Option<usize>,
    /// Where random numbers begin
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Threads [default: one for each processor]
    #[arg(long, value_parser = a_few)]
    threads: Option<usize>,
    /// A folder with IDX files, plain or gz [default: the repository's digits]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A short run on a part of the digits
    #[arg(long)]
    quick: bool,
}

/// How wide a row is.
const WIDTH: usize = 28;

struct Net {
    rows: Lstm,
    out: Dense,
}
module!(Net { rows, out });

impl Layer for Net {
    /// Of images `[B, rows * WIDTH]`.
    fn forward<T: TensorLike<Elem = f32>>(&self, x: &T) -> T {
        let [batch, pixels] = *x.shape() else { panic!("images of shape {} are not [B, pixels]", x.shape()) };
        let rows = x.reshape([batch, pixels / WIDTH, WIDTH]).transpose(0, 1);
        self.out.forward(self.rows.run(&rows, None).1.output())
    }
}

struct Run {
    seed: u64,
    loss: f64,
    /// By test set.
    accuracies: Vec<f64>,
}

fn train(seed: u64, options: &Options, digits: &Digits, progress: &Progress) -> Result<Run, Error> {
    let mut rng = Rng::seed(seed);
    let mut net =
        Net { rows: Lstm::new(WIDTH, options.hidden, &mut rng), out: Dense::new(options.hidden, 10, &mut rng) };
    let epochs = options.epochs();
    let steps = epochs * digits.train.len().div_ceil(options.batch);
    let cosine = Cosine::new(options.lr, steps as u64);
    let mut opt = (ClipGlobalNorm::new(1.0), Scheduled::new(Adam::new(options.lr), cosine));
    let (mut tape, mut loss) = (Tape::new(), f64::NAN);
    let bar = progress.bar(&format!("seed {seed}"), steps);
    for _ in 0..epochs {
        for (x, y) in digits.train.batches(options.batch, &mut rng) {
            let now = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
            let g = now.backward(&net)?;
            opt.step(&mut net, &g)?;
            loss = now.item();
            bar.step(|| format!("loss {loss:.3}"));
        }
    }
    bar.done();
    let right = |test: &Dataset| accuracy(&net.forward(test.x()), test.y());
    Ok(Run { seed, loss, accuracies: digits.tests.iter().map(|(_, test)| right(test)).collect() })
}

/// The median of the accuracies on one test set.
fn median(runs: &[Run], test: usize) -> f64 {
    let mut all: Vec<f64> = runs.iter().map(|run| run.accuracies[test]).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

impl Options {
    fn epochs(&self) -> usize {
        self.epochs.unwrap_or(if self.quick { 2 } else { 15 })
    }
}

fn main() {
    let (options, matches) = read::<Options>();
    let own = ["hidden", "batch", "epochs", "lr", "data"];
    end(show(&options, own.into_iter().any(|name| given(&matches, name))));
}

fn show(options: &Options, own: bool) -> Result<(), Error> {
    let digits = Digits::load(&options.data.clone().unwrap_or_else(repository))?;
    let digits = if options.quick { digits.part(4_000, 1_000)? } else { digits };
    if !digits.pixels().is_multiple_of(WIDTH) {
        let message =
            format!("{}: images of {} pixels have no rows of {WIDTH}", digits.folder.display(), digits.pixels());
        return Err(Error::new(ErrorKind::BadData, message));
    }
    let threads = options.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, Into::into));
    let seeds: Vec<u64> =
        (0..options.seeds.unwrap_or(if options.quick { 1 } else { 3 }) as u64).map(|k| options.seed + k).collect();
    let (rows, epochs) = (digits.pixels() / WIDTH, options.epochs());
    println!(
        "{}\n",
        bold(&format!(
            "{rows} rows of {WIDTH} pixels, LSTM of {} units  (Adam {}, cosine, clipped at 1, batch {}, {epochs} epochs of {})",
            options.hidden,
            options.lr,
            options.batch,
            digits.train.len()
        ))
    );
    let begun = Instant::now();
    let progress = Progress::default();
    let runs = with_threads(threads, || {
        seeds.iter().map(|seed| train(*seed, options, &digits, &progress)).collect::<Result<Vec<_>, Error>>()
    })??;
    let tests = |of: &dyn Fn(usize) -> f64| {
        let parts = digits.tests.iter().enumerate().map(|(k, (name, _))| format!("{name} {:.1} %", 100.0 * of(k)));
        parts.collect::<Vec<_>>().join(", ")
    };
    for run in &runs {
        println!("  seed {:<6} loss {:.3}, {}", run.seed, run.loss, tests(&|k| run.accuracies[k]));
    }
    let seconds = begun.elapsed().as_secs_f64() / runs.len() as f64;
    println!("  median      {}, {seconds:.1} s a network\n", tests(&|k| median(&runs, k)));
    let mut claims = Claims::default();
    if !own {
        let least = if options.quick { 0.7 } else { 0.96 };
        let claim = format!("at least {:.1} % of the held-out digits are right", 100.0 * least);
        claims.add(claim, median(&runs, 0) >= least);
    }
    claims.check()
}
