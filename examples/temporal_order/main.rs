//! Temporal order: which of two marks came first, and which second, many steps ago; with clipping and without.
#[path = "../common/mod.rs"]
mod common;

use chainrule::{data::accuracy, flow::probe, prelude::*, with_threads};
use clap::Parser;
use common::{
    claims::Claims,
    cli::{a_few, at_least_one, end, given, positive, read},
    terminal::{Progress, bold},
};
use std::thread;

/// Trains tanh networks on Pascanu's temporal order task, with gradients clipped and as they are.
///
/// A sequence of T steps has a mark, A or B, after a tenth of it and another after four tenths, among four distractors. At
/// the end the network says which marks they were, in order: one of four answers.
#[derive(Parser, Debug)]
#[command(name = "temporal_order", max_term_width = 100)]
struct Options {
    /// Lengths of sequences [default: 50,60; 50 of a quick run]
    #[arg(long, value_delimiter = ',', value_parser = length)]
    t: Option<Vec<usize>>,
    /// Units
    #[arg(long, default_value_t = 50, value_parser = at_least_one)]
    hidden: usize,
    /// Sequences in a step
    #[arg(long, default_value_t = 20, value_parser = at_least_one)]
    batch: usize,
    /// By how much the orthogonal recurrent weights are scaled
    #[arg(long, default_value_t = 1.15, value_parser = positive, allow_negative_numbers = true)]
    gain: f64,
    /// Learning rate of SGD
    #[arg(long, default_value_t = 0.05, value_parser = positive, allow_negative_numbers = true)]
    lr: f64,
    /// The largest joint norm of all gradients
    #[arg(long, default_value_t = 1.0, value_parser = positive, allow_negative_numbers = true)]
    clip: f64,
    /// At most so many steps
    #[arg(long, default_value_t = 4_000, value_parser = at_least_one)]
    steps: usize,
    /// How many networks, with seeds from --seed on [default: 3; 1 of a quick run]
    #[arg(long, value_parser = at_least_one)]
    seeds: Option<usize>,
    /// Where random numbers begin
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Threads [default: one for each processor]
    #[arg(long, value_parser = a_few)]
    threads: Option<usize>,
    /// One length and few networks
    #[arg(long)]
    quick: bool,
}

fn length(text: &str) -> Result<usize, String> {
    match at_least_one(text)? {
        n @ 10..=10_000 => Ok(n),
        _ => Err("must be 10 to 10000".to_owned()),
    }
}

const SYMBOLS: usize = 6;

/// Sequences `[T, B]` and their answers.
fn draw(t: usize, batch: usize, rng: &mut Rng) -> Result<(Labels, Labels), Error> {
    let mut said = vec![0; t * batch];
    said.iter_mut().for_each(|s| *s = 2 + rng.below(SYMBOLS - 2));
    let mut answers = vec![];
    for b in 0..batch {
        let marks = [rng.below(2), rng.below(2)];
        for (mark, tenth) in marks.into_iter().zip([1, 4]) {
            said[(tenth * t / 10 + rng.below(t / 10)) * batch + b] = mark;
        }
        answers.push(2 * marks[0] + marks[1]);
    }
    Ok((Labels::new(said, SYMBOLS)?.reshape([t, batch]), Labels::new(answers, 4)?))
}

#[derive(Clone, Copy)]
struct Plan {
    t: usize,
    seed: u64,
    clip: Option<f64>,
}

struct Run {
    steps: usize,
    /// Of a test set, after training.
    right: f64,
    /// The largest joint norm of gradients before clipping.
    largest: f64,
    /// What one step back changes, when it begins.
    rho: f64,
    stopped: Option<Error>,
}

/// Until 100 batches in a row are right to 99 %, or the steps are used up.
fn train(plan: Plan, options: &Options, progress: &Progress) -> Result<Run, Error> {
    let mut rng = Rng::seed(plan.seed);
    let cell = Rnn::<f32>::new(SYMBOLS, options.hidden, &mut rng).zero_bias();
    let cell = cell.recurrent_init(Init::Orthogonal { gain: options.gain }, &mut rng);
    let mut net = (cell, Dense::new(options.hidden, 4, &mut rng));
    let (said, _) = draw(plan.t, options.batch, &mut rng)?;
    let time = probe(&net, |r| net.0.run_tokens(r, &said, None).1.output().sum())?;
    let rho = time.get("0.0").and_then(|layer| layer.rho()).unwrap_or(f64::NAN);
    let mut opt = Sgd::new(options.lr);
    let (mut tape, mut steps, mut good, mut largest, mut stopped) = (Tape::new(), 0, 0, 0.0, None);
    let name = format!("T = {}, seed {}, {}", plan.t, plan.seed, if plan.clip.is_some() { "clipped" } else { "as is" });
    let bar = progress.bar(&name, options.steps);
    while steps < options.steps && good < 100 {
        let (said, answers) = draw(plan.t, options.batch, &mut rng)?;
        let r = tape.begin();
        let logits = net.1.forward(net.0.run_tokens(r, &said, None).1.output());
        good = if accuracy(&logits.value(), &answers) > 0.99 { good + 1 } else { 0 };
        let loss = logits.softmax_cross_entropy(&answers);
        let mut g = loss.backward(&net)?;
        largest = g.norm().max(largest);
        let clipped = plan.clip.map_or(Ok(()), |most| g.clip_global_norm(most).map(drop));
        if let Err(e) = clipped.and_then(|()| opt.step(&mut net, &g).map(drop)) {
            stopped = Some(e);
            break;
        }
        steps += 1;
        bar.step(|| format!("loss {:.3}", loss.item()));
    }
    bar.done();
    let (said, answers) = draw(plan.t, 1_000, &mut rng)?;
    let logits = net.1.forward(net.0.run_tokens(Eager::HERE, &said, None).1.output());
    Ok(Run { steps, right: accuracy(&logits, &answers), largest, rho, stopped })
}

/// All plans, on so many threads; in their order.
fn all(plans: &[Plan], options: &Options, threads: usize) -> Result<Vec<Run>, Error> {
    let (progress, share) = (&Progress::default(), plans.len().div_ceil(threads));
    thread::scope(|scope| {
        let work =
            |part: &[Plan]| part.iter().map(|plan| train(*plan, options, progress)).collect::<Result<Vec<_>, _>>();
        let begin = |part| scope.spawn(move || with_threads(1, || work(part)).and_then(|runs| runs));
        let running: Vec<_> = plans.chunks(share).map(begin).collect();
        let parts = running.into_iter().map(|part| part.join().expect("a training does not panic"));
        Ok(parts.collect::<Result<Vec<_>, Error>>()?.into_iter().flatten().collect())
    })
}

fn main() {
    let (options, matches) = read::<Options>();
    let own = ["t", "hidden", "batch", "gain", "lr", "clip", "steps", "seeds"];
    end(show(&options, own.into_iter().any(|name| given(&matches, name))));
}

fn show(options: &Options, own: bool) -> Result<(), Error> {
    let threads = options.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, Into::into));
    let lengths = options.t.clone().unwrap_or(if options.quick { vec![50] } else { vec![50, 60] });
    let seeds = options.seeds.unwrap_or(if options.quick { 1 } else { 3 });
    let Options { hidden, gain, lr, clip, batch, steps, .. } = *options;
    let title =
        format!("tanh RNN of {hidden} units, orthogonal x {gain}, SGD {lr}, batch {batch}, up to {steps} steps");
    println!("{}\n", bold(&format!("Temporal order  ({title})")));
    println!("  T    seed  at the start  clip            steps  test right  largest norm");
    let mut claims = Claims::default();
    for t in lengths {
        let plan = |k: usize| [None, Some(clip)].map(|clip| Plan { t, seed: options.seed + k as u64, clip });
        let plans: Vec<Plan> = (0..seeds).flat_map(plan).collect();
        let runs = all(&plans, options, threads)?;
        for (plan, run) in plans.iter().zip(&runs) {
            let clip = plan.clip.map_or("none".to_owned(), |most| format!("joint norm {most}"));
            let ended = run.stopped.as_ref().map_or(String::new(), |e| format!("  stopped: {e}"));
            println!(
                "  {t:<4} {:>4}  x{:.3} a step  {clip:14} {:>6}  {:>8.1} %  {:>12.1e}{ended}",
                plan.seed,
                run.rho,
                run.steps,
                100.0 * run.right,
                run.largest
            );
        }
        let solved = |clipped: bool| {
            let of = plans.iter().zip(&runs).filter(|(plan, _)| plan.clip.is_some() == clipped);
            of.filter(|(_, run)| run.right > 0.99).count()
        };
        let (with, without) = (solved(true), solved(false));
        println!(
            "  {t:<4} solved (more than 99 % of a test set right): clipped {with} of {seeds}, without {without}\n"
        );
        if !own {
            let holds = with == seeds && without == 0;
            claims.add(format!("T = {t}: all clipped networks solve it, and none without clipping"), holds);
        }
    }
    claims.check()
}
