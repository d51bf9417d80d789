//! One training run, and several side by side.
use crate::{
    common::terminal::Progress,
    net::{Make, Net, Work},
    options::{Cell, Loss, Method, Options, Start},
    task::{Copying, RECALL_BASELINE, SAID, solved, standard_baseline},
};
use chainrule::{
    data::accuracy,
    flow::{Monitor, Report},
    op::recurrent,
    prelude::*,
    with_threads,
};
use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Instant,
};

/// What is trained, and how.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub make: Make,
    pub batch: usize,
    pub optimizer: Method,
    pub rate: f64,
    /// Of the joint norm; `None` is off.
    pub clip: Option<f64>,
    pub loss: Loss,
    pub steps: usize,
    pub seed: u64,
}

/// One step: the loss that is trained, and the joint norm of the gradients before and after clipping.
#[derive(Clone, Copy)]
pub struct Step {
    pub loss: f64,
    pub before: f64,
    pub after: f64,
}

/// What came out.
pub struct Run {
    pub plan: Plan,
    pub steps: Vec<Step>,
    /// Verdicts, and what they are made of.
    pub report: Report,
    /// The step at which a fresh batch was solved.
    pub solved: Option<usize>,
    /// Why it ended early.
    pub stopped: Option<Error>,
    pub last: Outcome,
    /// The norm of the recurrent weights before and after.
    pub weights: [f64; 2],
    pub seconds: f64,
}

/// On a fresh batch after training.
pub struct Outcome {
    pub recall: f64,
    pub standard: f64,
    /// The share of the symbols that are right.
    pub right: f64,
}

/// Trainings that make as many steps as a first one needs: a message for each step that they may make.
pub enum Pace {
    Free,
    Leads(Vec<Sender<()>>),
    Follows(Receiver<()>),
}

impl Pace {
    /// Whether one more step may be made.
    fn more(&self) -> bool {
        match self {
            Self::Follows(leader) => leader.recv().is_ok(),
            _ => true,
        }
    }

    fn made(&self) {
        if let Self::Leads(followers) = self {
            // One that has failed hears nothing any more.
            followers.iter().for_each(|follower| _ = follower.send(()));
        }
    }
}

impl Plan {
    /// What the options describe, with the recipe of the cell for what they leave open.
    pub fn of(options: &Options, cell: Cell, start: Option<Start>) -> Self {
        let t = options.t.unwrap_or(if options.quick { 10 } else { 100 });
        let hidden = options.hidden.unwrap_or(if options.quick { 64 } else { 128 });
        let gates = matches!(cell, Cell::Lstm | Cell::Gru);
        let start = start.unwrap_or(match cell {
            Cell::Lstm | Cell::Gru => Start::Chrono,
            Cell::Orthogonal => Start::Orthogonal,
            Cell::Rnn => Start::Usual,
        });
        let orthogonal = cell == Cell::Orthogonal;
        let optimizer = options.optimizer.unwrap_or(if orthogonal { Method::Rmsprop } else { Method::Adam });
        let rate = match optimizer {
            Method::Sgd => 0.1,
            Method::Adam if gates => 1e-2,
            _ => 1e-3,
        };
        Self {
            make: Make { cell, start, hidden, t },
            batch: options.batch.unwrap_or(16),
            optimizer,
            rate: options.lr.unwrap_or(rate),
            clip: Some(options.clip).filter(|clip| *clip > 0.0),
            loss: options.loss.unwrap_or(if orthogonal { Loss::All } else { Loss::Recall }),
            steps: options.steps.unwrap_or(if options.quick { 700 } else { 6_000 }),
            seed: options.seed,
        }
    }

    /// `Adam 0.01, clipped at 1, batch 32`.
    pub fn method(&self) -> String {
        let clip = self.clip.map_or("no clipping".to_owned(), |clip| format!("clipped at {clip}"));
        let slow = if self.make.cell == Cell::Orthogonal { " (recurrent weights a tenth)" } else { "" };
        format!("{} {}{slow}, {clip}, batch {}", self.optimizer.name(), self.rate, self.batch)
    }

    /// The loss of a network that remembers nothing.
    pub fn baseline(&self) -> f64 {
        match self.loss {
            Loss::Recall => RECALL_BASELINE,
            Loss::All => standard_baseline(self.make.t),
        }
    }

    pub fn run(self, pace: Pace, progress: &Progress) -> Result<Run, Error> {
        let mut rng = Rng::seed(self.seed);
        self.make.make(&mut rng.clone(), Training { plan: self, pace, progress, rng: &mut rng })
    }
}

/// Runs the first plan until it is solved, and the others for as many steps. On several threads side by side; the
/// result is the same on one.
pub fn side_by_side(plans: &[Plan], threads: usize, progress: &Progress) -> Result<Vec<Run>, Error> {
    let Some((first, others)) = plans.split_first() else { return Ok(vec![]) };
    if threads == 1 {
        let first = with_threads(1, || first.run(Pace::Free, progress))??;
        let steps = first.steps.len();
        let other = |plan: &Plan| with_threads(1, || Plan { steps, ..*plan }.run(Pace::Free, progress))?;
        let others = others.iter().filter(|_| steps > 0).map(other).collect::<Result<Vec<_>, _>>()?;
        return Ok([first].into_iter().chain(others).collect());
    }
    let (senders, receivers): (Vec<_>, Vec<_>) = others.iter().map(|_| channel()).unzip();
    let paces = [Pace::Leads(senders)].into_iter().chain(receivers.into_iter().map(Pace::Follows));
    thread::scope(|scope| {
        // A tape and the kernels of one thread each.
        let begin = |(plan, pace): (&Plan, Pace)| {
            let plan = *plan;
            scope.spawn(move || with_threads(1, || plan.run(pace, progress)).and_then(|run| run))
        };
        let running: Vec<_> = plans.iter().zip(paces).map(begin).collect();
        running.into_iter().map(|run| run.join().expect("a training does not panic")).collect()
    })
}

struct Training<'a> {
    plan: Plan,
    pace: Pace,
    progress: &'a Progress,
    rng: &'a mut Rng,
}

impl Work<f32> for Training<'_> {
    type Out = Run;
    fn with<K: recurrent::Recurrence>(self, mut net: Net<K>) -> Result<Run, Error> {
        let Self { plan, pace, progress, rng } = self;
        let (t, batch) = (plan.make.t, plan.batch);
        let weights = |net: &Net<K>| net.cell.cells[0].w_hh.value.norm();
        let before = weights(&net);
        // Data differ from the draws of the weights.
        let mut data = Rng::seed(rng.bits());
        let slow = (plan.make.cell == Cell::Orthogonal)
            .then(|| chainrule::optim::Groups::new().rate_factor("cell.0.w_hh", 0.1));
        let (mut tape, mut monitor, mut steps) = (Tape::new(), Monitor::new(), vec![]);
        let mut opt = (slow, monitor.updates(), plan.optimizer.build(plan.rate));
        let (mut done, mut stopped) = (None, None);
        let begun = Instant::now();
        let bar = progress.bar(&plan.make.name(), plan.steps);
        while steps.len() < plan.steps && pace.more() {
            let copying = Copying::draw(t, batch, &mut data)?;
            let r = tape.begin();
            let (y, _) = net.cell.run_tokens(r, &copying.said, None);
            let (loss, recall, right) = match plan.loss {
                Loss::Recall => {
                    let logits = net.out.forward(&y.slice(0, t + SAID..t + 2 * SAID));
                    let loss = logits.softmax_cross_entropy(&copying.recall);
                    (loss, loss.item(), right(&logits.value(), &copying))
                }
                Loss::All => {
                    let logits = net.out.forward(&y);
                    let last = logits.value().slice(0, t + SAID..t + 2 * SAID);
                    let recall = last.softmax_cross_entropy(&copying.recall).item();
                    (logits.softmax_cross_entropy(&copying.wanted), recall, right(&last, &copying))
                }
            };
            if matches!(pace, Pace::Free | Pace::Leads(_)) && solved(recall, right) {
                done = Some(steps.len());
                break;
            }
            let clipped = loss.backward_with(&net, &mut monitor).and_then(|mut g| {
                // Without a limit, what is not finite is an error all the same.
                let clip = g.clip_global_norm(plan.clip.unwrap_or(f64::INFINITY))?;
                Ok((g, clip))
            });
            let made = clipped.and_then(|(g, clip)| {
                // What it says of single steps is left aside: these trainings are compared step by step.
                _ = monitor.judge(loss.item(), &clip);
                monitor.step(&opt.step(&mut net, &g)?);
                Ok(Step { loss: loss.item(), before: clip.norm, after: clip.norm * clip.coef })
            });
            match made {
                Ok(step) => steps.push(step),
                // A setting that no step takes; later errors are of the numbers that training made.
                Err(e) if steps.is_empty() && e.kind() != ErrorKind::NonFinite => return Err(e),
                Err(e) => {
                    stopped = Some(e);
                    break;
                }
            }
            pace.made();
            bar.step(|| format!("loss {:.3}", loss.item()));
        }
        bar.done();
        let seconds = begun.elapsed().as_secs_f64();
        drop(pace);
        let last = outcome(&net, t, &mut data)?;
        let report = monitor.report();
        Ok(Run { plan, steps, report, solved: done, stopped, last, weights: [before, weights(&net)], seconds })
    }
}

/// The share of the symbols that are right, by logits `[10, B, 9]`.
fn right(logits: &Tensor, copying: &Copying) -> f64 {
    let rows = copying.recall.len();
    accuracy(&logits.reshape([rows, logits.shape().size() / rows]), &copying.recall)
}

fn outcome<K: recurrent::Recurrence>(net: &Net<K>, t: usize, data: &mut Rng) -> Result<Outcome, Error> {
    let copying = Copying::draw(t, 64, data)?;
    let logits = net.out.forward(&net.cell.run_tokens(Eager::HERE, &copying.said, None).0);
    let last = logits.slice(0, t + SAID..t + 2 * SAID);
    Ok(Outcome {
        recall: last.softmax_cross_entropy(&copying.recall).item(),
        standard: logits.softmax_cross_entropy(&copying.wanted).item(),
        right: right(&last, &copying),
    })
}

impl Run {
    /// The mean loss of the last 100 steps, or of the second half of fewer.
    pub fn last_loss(&self) -> f64 {
        let n = (self.steps.len() / 2).clamp(1, 100);
        self.steps.iter().rev().take(n).map(|s| s.loss).sum::<f64>() / n as f64
    }
}
