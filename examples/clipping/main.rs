//! Exploding gradients in a deep network with too large weights, and what three ways of clipping make of them.
#[path = "../common/mod.rs"]
mod common;
mod train;

use chainrule::{flow::Figure, prelude::*};
use clap::Parser;
use common::{
    claims::Claims,
    cli::{any_number, at_least_one, end, given, positive, read},
    digits::{Digits, repository},
    picture::Picture,
    terminal::bold,
};
use std::path::PathBuf;
use train::{ALL, Clip, Run, Step, run};

/// Trains a deep ReLU network whose weights begin too large: without clipping, and with clipping by global norm, by value,
/// and in proportion to each unit's weights (AGC).
#[derive(Parser, Debug)]
#[command(name = "clipping", max_term_width = 100)]
struct Options {
    /// How many hidden layers
    #[arg(long, default_value_t = 10, value_parser = any_number)]
    depth: usize,
    /// Units of each hidden layer
    #[arg(long, default_value_t = 128, value_parser = at_least_one)]
    width: usize,
    /// By how much the weights are larger than He's
    #[arg(long, default_value_t = 2.0, value_parser = positive, allow_negative_numbers = true)]
    gain: f64,
    /// Learning rate of SGD
    #[arg(long, default_value_t = 0.1, value_parser = positive, allow_negative_numbers = true)]
    lr: f64,
    /// The largest joint norm of all gradients
    #[arg(long, default_value_t = 2.0, value_parser = positive, allow_negative_numbers = true)]
    norm: f64,
    /// The largest entry of a gradient
    #[arg(long, default_value_t = 0.005, value_parser = positive, allow_negative_numbers = true)]
    value: f64,
    /// The largest gradient of a unit, as a part of its weights
    #[arg(long, default_value_t = 0.02, value_parser = positive, allow_negative_numbers = true)]
    agc: f64,
    /// Digits in a step
    #[arg(long, default_value_t = 64, value_parser = at_least_one)]
    batch: usize,
    /// Passes over the digits [default: 10]
    #[arg(long, value_parser = at_least_one)]
    epochs: Option<usize>,
    /// Where random numbers begin
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// A folder with IDX files, plain or gz [default: the repository's digits]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Draws the losses over training
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// A short run on a part of the digits
    #[arg(long)]
    quick: bool,
}

impl Options {
    fn epochs(&self) -> usize {
        self.epochs.unwrap_or(if self.quick { 1 } else { 10 })
    }
}

fn main() {
    let (options, matches) = read::<Options>();
    let own = ["depth", "width", "gain", "lr", "norm", "value", "agc", "batch", "epochs", "data"];
    end(show(&options, own.into_iter().any(|name| given(&matches, name))));
}

/// All four runs; whether one learns is claimed of the settings of this program alone.
fn show(options: &Options, own: bool) -> Result<(), Error> {
    let picture = options.svg.as_deref().map(Picture::open).transpose()?;
    let digits = Digits::load(&options.data.clone().unwrap_or_else(repository))?;
    let digits = if options.quick { digits.part(4_000, 500)? } else { digits };
    let (epochs, batch, lr) = (options.epochs(), options.batch, options.lr);
    let epochs = if epochs == 1 { "1 epoch".to_owned() } else { format!("{epochs} epochs") };
    let method = format!("SGD {lr}, batch {batch}, {epochs} of {} digits, seed {}", digits.train.len(), options.seed);
    println!("{}  ({method})\n", bold(&name(options, digits.pixels())));

    let mut runs = vec![];
    for clip in ALL {
        let run = run(clip, options, &digits)?;
        if clip == Clip::No {
            introduce(&run);
        }
        row(&clip.name(options), &run, &digits);
        runs.push((clip, run));
    }
    println!();
    if let Some(picture) = picture {
        picture.write(&figure(options, &runs, &digits).subtitle(method))?;
    }
    let mut claims = Claims::default();
    within_limits(&runs, options, &mut claims);
    if !own {
        outcomes(&runs, options, &mut claims);
    }
    claims.check()
}

/// `784-(128 x 10)-10 ReLU, weights 2 times He's`.
fn name(options: &Options, pixels: usize) -> String {
    let hidden = format!("({} x {})", options.width, options.depth);
    format!("{pixels}-{hidden}-10 ReLU, weights {} times He's", options.gain)
}

/// How the gradient grows on its way to the first layer, and the head of the table.
fn introduce(run: &Run) {
    let signals: Vec<_> = run.signals.iter().map(|s| format!("{s:.1e}")).collect();
    println!("  |dL/dz| at the first step, from the first layer to the last: {}", signals.join(" "));
    if let Some(growth) = run.growth() {
        let each = growth.powf(1.0 / (run.signals.len() - 2) as f64);
        println!("  on its way back through the hidden layers it changes x{growth:.1e}: x{each:.2} a layer");
    }
    println!("\n  {:47}norm of all gradients before clipping  and after it", "");
    println!("  clip                 steps  loss                 first   median  largest    first   median  largest");
}

fn row(name: &str, run: &Run, digits: &Digits) {
    let norms = |of: fn(&Step) -> f64| {
        let mut norms: Vec<f64> = run.steps.iter().map(of).filter(|n| !n.is_nan()).collect();
        let first = norms.first().copied().unwrap_or(f64::NAN);
        norms.sort_by(f64::total_cmp);
        let at = |k: usize| norms.get(k).copied().unwrap_or(f64::NAN);
        format!("{first:>8.1e} {:>8.1e} {:>8.1e}", at(norms.len() / 2), at(norms.len().saturating_sub(1)))
    };
    let losses = format!("{:.2e} -> {:.2e}", run.steps[0].loss, run.last_loss());
    println!("  {name:20} {:>5}  {losses:18} {} {}", run.steps.len(), norms(|s| s.before), norms(|s| s.after));
    match &run.stopped {
        Some(e) => println!("    stopped at step {}: {e}", run.steps.len()),
        None => {
            let named = digits.tests.iter().zip(&run.accuracies);
            let parts: Vec<_> = named.map(|((name, _), a)| format!("{name} {:.1} %", 100.0 * a)).collect();
            println!("    accuracy: {}", parts.join(", "));
        }
    }
}

/// The losses over training.
fn figure(options: &Options, runs: &[(Clip, Run)], digits: &Digits) -> Figure {
    let empty = Figure::new(name(options, digits.pixels())).x_axis("step").y_axis("loss").log_y();
    runs.iter().fold(empty, |figure, (clip, run)| {
        figure.line(clip.name(options), run.steps.iter().enumerate().map(|(k, s)| (k as f64, s.loss)))
    })
}

/// True of any network: what a clip let through.
fn within_limits(runs: &[(Clip, Run)], options: &Options, claims: &mut Claims) {
    for (clip, run) in runs.iter().filter(|(clip, _)| *clip != Clip::No) {
        let mut made = run.steps.iter().filter(|s| !s.after.is_nan());
        // Weights are f32: what they changed by has seven digits.
        let holds = made.all(|s| s.after <= s.most * (1.0 + 1e-3) && s.after <= s.before * (1.0 + 1e-3));
        claims.add(format!("{}: no step was larger than the clip allows", clip.name(options)), holds);
    }
}

/// True of this network on these digits, for any seed.
fn outcomes(runs: &[(Clip, Run)], options: &Options, claims: &mut Claims) {
    for (clip, run) in runs {
        let (name, first) = (clip.name(options), run.steps[0].loss);
        match clip {
            Clip::No => {
                let growth = run.growth().unwrap_or(f64::NAN);
                claims.add("dL/dz grows more than 50-fold from the last hidden layer to the first", growth > 50.0);
                let ended = run.stopped.is_some() && run.steps.len() <= 20;
                claims.add(format!("{name}: not a finite number any more within 20 steps"), ended);
            }
            _ => {
                let part = if options.quick { 5.0 } else { 100.0 };
                let fallen = run.stopped.is_none() && run.last_loss() < first / part;
                claims.add(format!("{name}: the loss falls to less than a {part}th"), fallen);
                let least = run.accuracies.iter().copied().fold(1.0, f64::min);
                if !options.quick {
                    claims.add(format!("{name}: above 70 % on each test set"), least > 0.7);
                }
            }
        }
    }
}
