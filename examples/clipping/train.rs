//! One training run of an over-scaled network, with the norms that went into and came out of its clip.
use crate::{Options, common::digits::Digits, common::terminal::progress};
use chainrule::{
    core::Phase,
    data::accuracy,
    flow::GradNorms,
    nn::{Draw, Fan, Init},
    optim::{Agc, ReportUpdates},
    prelude::*,
};

/// Dense layers with ReLU between them.
pub struct Net {
    pub layers: Vec<Dense>,
}
module!(Net { layers });

impl Net {
    /// With weights of `gain` times the deviation that would keep a ReLU network's signals as they are.
    fn new(options: &Options, pixels: usize) -> Self {
        let mut rng = Rng::seed(options.seed);
        let init = Init::Scaled { gain: options.gain * 2f64.sqrt(), fan: Fan::In, draw: Draw::Normal };
        let hidden = std::iter::repeat_n(options.width, options.depth);
        let sizes: Vec<usize> = [pixels].into_iter().chain(hidden).chain([10]).collect();
        Self { layers: sizes.windows(2).map(|pair| Dense::with_init(pair[0], pair[1], init, &mut rng)).collect() }
    }
}

impl Layer for Net {
    fn forward<T: TensorLike<Elem = f32>>(&self, x: &T) -> T {
        let (last, hidden) = self.layers.split_last().expect("a network has a layer");
        last.forward(&hidden.iter().fold(x.clone(), |h, layer| layer.forward(&h).relu()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    No,
    GlobalNorm,
    Value,
    Agc,
}

pub const ALL: [Clip; 4] = [Clip::No, Clip::GlobalNorm, Clip::Value, Clip::Agc];

impl Clip {
    pub fn name(self, options: &Options) -> String {
        match self {
            Self::No => "no clipping".to_owned(),
            Self::GlobalNorm => format!("global norm {}", options.norm),
            Self::Value => format!("value {}", options.value),
            Self::Agc => format!("AGC {}", options.agc),
        }
    }

    fn optimizer(self, options: &Options) -> Box<dyn Optimizer> {
        let last = (ReportUpdates, Sgd::new(options.lr));
        match self {
            Self::No => Box::new(last),
            Self::GlobalNorm => Box::new((ClipGlobalNorm::new(options.norm), last)),
            Self::Value => Box::new((ClipValue::new(options.value), last)),
            Self::Agc => Box::new((Agc::new(options.agc), last)),
        }
    }
}

/// One step: the loss before it, and the joint norm of the gradients before and after the clip.
pub struct Step {
    pub loss: f64,
    pub before: f64,
    /// Of what the optimizer used: the norm of its update over the learning rate. NaN if it made no step.
    pub after: f64,
    /// The largest `after` that the clip allows.
    pub most: f64,
}

pub struct Run {
    pub steps: Vec<Step>,
    /// Why it ended early.
    pub stopped: Option<Error>,
    /// By test set.
    pub accuracies: Vec<f64>,
    /// The signals dL/dz at the first step, from the first layer to the last.
    pub signals: Vec<f64>,
}

pub fn run(clip: Clip, options: &Options, digits: &Digits) -> Result<Run, Error> {
    let mut net = Net::new(options, digits.pixels());
    let mut opt = clip.optimizer(options);
    let (mut rng, mut tape, mut norms) = (Rng::seed(options.seed), Tape::new(), GradNorms::new());
    let (mut steps, mut stopped) = (vec![], None);
    let epochs = options.epochs();
    let bar = progress(&clip.name(options), (epochs * digits.train.len().div_ceil(options.batch)) as u64);
    'training: for _ in 0..epochs {
        for (x, y) in digits.train.batches(options.batch, &mut rng) {
            let r = tape.begin();
            let loss = net.forward(&r.constant(&x)).softmax_cross_entropy(&y);
            let mut first = steps.is_empty().then_some(&mut norms);
            let g = loss.backward_with(&net, &mut first)?;
            let most = bound(clip, options, &net, &g);
            let mut step = Step { loss: loss.item(), before: g.norm(), after: f64::NAN, most };
            match opt.step(&mut net, &g) {
                Ok(report) => {
                    let updates = report.updates.as_ref().expect("asked for");
                    step.after = updates.iter().map(|(_, norm)| norm).fold(0.0, f64::hypot) / options.lr;
                    steps.push(step);
                }
                // A setting that no step takes; later errors are of the numbers that training made.
                Err(e) if steps.is_empty() && e.kind() != ErrorKind::NonFinite => return Err(e),
                Err(e) => {
                    steps.push(step);
                    stopped = Some(e);
                    break 'training;
                }
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let accuracies = digits.tests.iter().map(|(_, test)| accuracy(&net.forward(test.x()), test.y())).collect();
    let signal = |k: usize| norms.signal(&format!("layers.{k}"), Phase::Pre).map_or(f64::NAN, |s| s.first());
    Ok(Run { steps, stopped, accuracies, signals: (0..net.layers.len()).map(signal).collect() })
}

/// How large the joint norm may be after the clip.
fn bound(clip: Clip, options: &Options, net: &Net, g: &Grads) -> f64 {
    match clip {
        Clip::No => g.norm(),
        Clip::GlobalNorm => options.norm,
        Clip::Value => options.value * (g.iter().map(|(_, g)| g.shape().size()).sum::<usize>() as f64).sqrt(),
        // Every unit at most `agc` times its weights, of which each counts as 1e-3 at least.
        Clip::Agc => {
            let (mut squares, mut units) = (0.0, 0);
            net.visit(|_, p: &Param| {
                squares += p.value.norm().powi(2);
                units += if p.value.shape().len() == 2 { p.value.shape()[0] } else { 1 };
            });
            options.agc * (squares + units as f64 * 1e-6).sqrt()
        }
    }
}

impl Run {
    /// The mean loss of the last 50 steps, or of the second half of fewer.
    pub fn last_loss(&self) -> f64 {
        let n = (self.steps.len() / 2).clamp(1, 50);
        self.steps.iter().rev().take(n).map(|s| s.loss).sum::<f64>() / n as f64
    }

    /// By how much the signal of the first hidden layer exceeds that of the last at the first step; `None` where that is
    /// no number, and below two hidden layers.
    pub fn growth(&self) -> Option<f64> {
        let hidden = self.signals.len() - 1;
        let growth = if hidden >= 2 { self.signals[0] / self.signals[hidden - 1] } else { f64::NAN };
        (growth.is_finite() && growth > 0.0).then_some(growth)
    }
}
