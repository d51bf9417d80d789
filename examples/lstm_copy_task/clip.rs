//! The exploding network, with and without clipping.
use crate::{
    common::{
        claims::Claims,
        terminal::{Progress, bold},
    },
    net::Make,
    options::{Cell, Loss, Method, Start},
    task::RECALL_BASELINE,
    train::{Plan, Run, Step, side_by_side},
};
use chainrule::prelude::*;

/// Clips the joint norm at this.
const LIMIT: f64 = 1.0;

pub fn show(t: usize, hidden: usize, steps: usize, seed: u64, threads: usize, own: bool) -> Result<(), Error> {
    let plan = |clip| Plan {
        make: Make { cell: Cell::Rnn, start: Start::Scaled, hidden, t },
        batch: 32,
        optimizer: Method::Sgd,
        rate: 0.1,
        clip,
        loss: Loss::Recall,
        steps,
        seed,
    };
    let name = format!("{}, T = {t}, {hidden} units, SGD 0.1, {steps} steps, seed {seed}", plan(None).make.name());
    println!("{}\n", bold(&format!("(3) Clipping the exploding one  ({name})")));
    let progress = Progress::default();
    // The one that may end early follows.
    let mut runs = side_by_side(&[plan(Some(LIMIT)), plan(None)], threads, &progress)?;
    runs.reverse();
    println!("  {:16}norm of all gradients before clipping  and after it", "");
    println!("  {:16}   first   median  largest    first   median  largest  recurrent weights  recall loss", "clip");
    for run in &runs {
        let clip = run.plan.clip.map_or("none".to_owned(), |most| format!("joint norm {most}"));
        let (before, after) = (norms(run, |s| s.before), norms(run, |s| s.after));
        let ([begun, ended], last) = (run.weights, run.last_loss());
        println!("  {clip:16}{before}  {after}  {begun:>6.1} -> {ended:<7.1e}  {last:>11.3}");
        if let Some(e) = &run.stopped {
            println!("    stopped at step {}: {e}", run.steps.len());
        }
    }
    println!("  a network that remembers nothing has a recall loss of {RECALL_BASELINE:.4}\n");
    let [without, with] = &runs[..] else { return Ok(()) };
    let mut claims = Claims::default();
    let within = with.steps.iter().all(|s| s.after <= LIMIT * (1.0 + 1e-6));
    claims.add(format!("clipped, no step is larger than {LIMIT}"), within);
    if !own {
        let large = without.steps.iter().any(|s| s.after > 1e3 * LIMIT);
        claims.add(format!("without clipping the optimizer follows a gradient of more than {:.0}", 1e3 * LIMIT), large);
        let grown = |run: &Run| run.weights[1] / run.weights[0];
        let thrown = without.stopped.is_some() || grown(without) > 10.0;
        claims.add("without clipping the recurrent weights are thrown to more than 10 times their size", thrown);
        claims.add("with clipping they stay within a fifth", with.stopped.is_none() && (grown(with) - 1.0).abs() < 0.2);
    }
    claims.check()
}

/// Of the first step, in the middle, and the largest.
fn norms(run: &Run, of: fn(&Step) -> f64) -> String {
    let mut norms: Vec<f64> = run.steps.iter().map(of).collect();
    let first = norms.first().copied().unwrap_or(f64::NAN);
    norms.sort_by(f64::total_cmp);
    let at = |k: usize| norms.get(k).copied().unwrap_or(f64::NAN);
    format!("{first:>8.1e} {:>8.1e} {:>8.1e}", at(norms.len() / 2), at(norms.len().saturating_sub(1)))
}
