//! One training run, with what reached each layer.
use crate::{
    common::{digits::Digits, terminal::progress},
    net::Mlp,
    options::{Activation, Method, Start},
};
use chainrule::{
    data::accuracy,
    flow::{GradNorms, Monitor, Report},
    prelude::*,
};
use std::time::Instant;

/// What is trained, and how.
#[derive(Clone)]
pub struct Plan {
    pub sizes: Vec<usize>,
    pub activation: Activation,
    pub start: Start,
    pub optimizer: Method,
    pub rate: f64,
    /// The learning rate falls linearly to 0.
    pub decay: bool,
    pub batch: usize,
    pub epochs: usize,
    pub clip: Option<f64>,
    pub seed: u64,
}

/// What came out.
pub struct Run {
    pub norms: GradNorms,
    /// Verdicts, and what they are made of.
    pub report: Report,
    /// Why it ended early.
    pub stopped: Option<Error>,
    pub layers: usize,
    pub losses: Vec<f64>,
    /// By test set.
    pub accuracies: Vec<f64>,
    pub seconds: f64,
}

impl Plan {
    /// `784-128-128-10 ReLU, He`.
    pub fn name(&self) -> String {
        let hidden = &self.sizes[1..self.sizes.len() - 1];
        let same = hidden.len() > 3 && hidden.iter().all(|n| *n == hidden[0]);
        let middle = match same {
            true => format!("({} x {})", hidden[0], hidden.len()),
            false => hidden.iter().map(usize::to_string).collect::<Vec<_>>().join("-"),
        };
        let (first, last) = (self.sizes[0], self.sizes[self.sizes.len() - 1]);
        let sizes = if middle.is_empty() { format!("{first}-{last}") } else { format!("{first}-{middle}-{last}") };
        format!("{sizes} {}, {}", self.activation.name(), self.start.name())
    }

    /// `SGD 0.1, batch 64, 3 epochs`.
    pub fn method(&self) -> String {
        let clip = self.clip.map_or(String::new(), |c| format!(", clipped at {c}"));
        let epochs = if self.epochs == 1 { "epoch" } else { "epochs" };
        let decay = if self.decay { " falling to 0" } else { "" };
        format!("{} {}{decay}{clip}, batch {}, {} {epochs}", self.optimizer.name(), self.rate, self.batch, self.epochs)
    }

    pub fn run(&self, digits: &Digits) -> Result<Run, Error> {
        let begun = Instant::now();
        let mut rng = Rng::seed(self.seed);
        let mut net = Mlp::new(&self.sizes, self.activation, self.start, &mut rng);
        let (mut tape, mut seen, mut losses) = (Tape::new(), (GradNorms::new(), Monitor::new()), vec![]);
        let mut opt = (self.clip.map(ClipGlobalNorm::new), seen.1.updates(), self.optimizer.build(self.rate));
        let mut stopped = None;
        let steps = self.epochs * digits.train.len().div_ceil(self.batch);
        let bar = progress(&self.name(), steps as u64);
        'training: for _ in 0..self.epochs {
            for (x, y) in digits.train.batches(self.batch, &mut rng) {
                let r = tape.begin();
                let loss = net.forward(&r.constant(&x)).softmax_cross_entropy(&y);
                if self.decay {
                    opt.set_rate(self.rate * (1.0 - losses.len() as f64 / steps as f64));
                }
                match loss.backward_with(&net, &mut seen).and_then(|g| opt.step(&mut net, &g)) {
                    Ok(step) => seen.1.step(&step),
                    Err(e) if e.kind() == ErrorKind::NonFinite => {
                        stopped = Some(e);
                        break 'training;
                    }
                    Err(e) => return Err(e),
                }
                losses.push(loss.item());
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        let accuracies = digits.tests.iter().map(|(_, test)| accuracy(&net.forward(test.x()), test.y())).collect();
        let seconds = begun.elapsed().as_secs_f64();
        let (norms, mut monitor) = seen;
        let report = monitor.report();
        Ok(Run { norms, report, stopped, layers: net.layers.len(), losses, accuracies, seconds })
    }
}

impl Run {
    /// The weight gradient of the first hidden layer over that of the last, at the first step; `None` below two.
    pub fn first_over_last(&self) -> Option<f64> {
        let first = |layer: usize| Some(self.norms.gradient(&format!("layers.{layer}.weight"))?.first());
        if self.layers < 3 { None } else { Some(first(0)? / first(self.layers - 2)?) }
    }
}
