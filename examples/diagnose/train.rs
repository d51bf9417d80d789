//! A training run under a monitor.
use crate::{data::Data, patient::Patient};
use chainrule::{
    flow::{Control, Monitor, Report, Verdict},
    optim::Groups,
    prelude::*,
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    Sgd,
    Adam,
}

/// How a network is trained.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    pub method: Method,
    pub rate: f64,
    /// Of the joint norm.
    pub clip: Option<f64>,
    pub batch: usize,
    pub steps: usize,
}

/// What came out.
pub struct Run {
    pub report: Report,
    pub losses: Vec<f64>,
    /// Steps that were made, and those that the monitor left out.
    pub made: usize,
    pub skipped: usize,
    /// Why it ended early.
    pub stopped: Option<Error>,
    /// The share of right answers on examples that it was not trained on.
    pub right: f64,
}

impl Course {
    pub fn name(&self) -> String {
        let clip = self.clip.map_or(String::new(), |c| format!(", clipped at {c}"));
        let method = if self.method == Method::Sgd { "SGD" } else { "Adam" };
        format!("{method} {}{clip}, batch {}, {} steps", self.rate, self.batch, self.steps)
    }

    /// Trains a network; parameters at the paths of `left` stay as they are.
    ///
    /// A number that is not finite ends the run and is part of its outcome. An optimizer that refuses a step is an error.
    pub fn run<P: Patient>(
        &self,
        net: &mut P,
        data: &Data<P::Batch>,
        left: &[String],
        seed: u64,
    ) -> Result<Run, Error> {
        let groups = left.iter().fold(Groups::new(), |all, path| all.freeze(path));
        let method: Box<dyn Optimizer> = match self.method {
            Method::Sgd => Box::new(Sgd::new(self.rate)),
            Method::Adam => Box::new(Adam::new(self.rate)),
        };
        let (mut rng, mut tape, mut monitor) = (Rng::seed(seed), Tape::new(), Monitor::new());
        let mut opt = (groups, monitor.updates(), method);
        let (mut losses, mut made, mut skipped, mut stopped) = (vec![], 0, 0, None);
        for _ in 0..self.steps {
            let batch = data.draw(self.batch, &mut rng)?;
            let loss = net.loss(tape.begin(), &batch);
            let item = loss.item();
            losses.push(item);
            let clipped = loss.backward_with(net, &mut monitor).and_then(|mut g| {
                let clip = g.clip_global_norm(self.clip.unwrap_or(f64::INFINITY))?;
                Ok((g, clip))
            });
            let (g, clip) = match clipped {
                Ok(found) => found,
                Err(e) if e.kind() == ErrorKind::NonFinite => {
                    stopped = Some(e);
                    break;
                }
                Err(e) => return Err(e),
            };
            match monitor.judge(item, &clip) {
                Control::Continue => {}
                Control::SkipUpdate => {
                    skipped += 1;
                    continue;
                }
                _ => break,
            }
            monitor.step(&opt.step(net, &g)?);
            made += 1;
        }
        Ok(Run { report: monitor.report(), losses, made, skipped, stopped, right: net.right(&data.test) })
    }
}

impl Run {
    /// `healed     1000 steps, loss 2.31 -> 0.35, 91.0 % right; at the end: healthy (good)`.
    pub fn line(&self, what: &str) -> String {
        let [from, to] = self.first_and_last();
        let skipped = if self.skipped > 0 { format!(", {} left out", self.skipped) } else { String::new() };
        let named = |v: &Verdict| format!("{} ({})", v.kind.name().to_lowercase(), v.severity);
        let kinds: Vec<_> = self.report.verdicts().iter().map(named).collect();
        let stopped = self.stopped.as_ref().map_or(String::new(), |e| format!("\n  {:10} stopped: {e}", ""));
        format!(
            "{what:10} {:>5} steps{skipped}, loss {from:.2} -> {to:.2}, {:.1} % right; at the end: {}{stopped}",
            self.made,
            100.0 * self.right,
            kinds.join(", ")
        )
    }

    /// The first loss, and the mean of the last ten.
    pub fn first_and_last(&self) -> [f64; 2] {
        let last = &self.losses[self.losses.len().saturating_sub(10)..];
        [self.losses.first().copied().unwrap_or(f64::NAN), last.iter().sum::<f64>() / last.len() as f64]
    }
}
