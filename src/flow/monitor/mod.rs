//! The observer that watches a training run.
mod history;
mod sampling;
mod seen;
mod updates;

pub(super) use history::{History, Track};
pub use sampling::Sampling;
pub use updates::AskUpdates;

use seen::{Seen, Waiting};

use super::{
    Kind, Report, Severity, ThroughTime, Verdict,
    measure::{Chain, Direction, Looks, Origin, Pass, Silence},
    report::{Cost, jsonl},
    verdict::Judge,
};
use crate::{
    core::{Clipped, Cotangent, Gradient, Observer, Phase, Recorded, Signal, TimeStep},
    error::{Error, ErrorKind},
    optim::StepReport,
    tensor::Real,
};
use std::{
    collections::HashMap,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// What to do with a step that has been computed and not yet made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// Make it.
    Continue,
    /// Leave it out: its gradient is more than ten times as long as any of the last hundred, or not finite.
    SkipUpdate,
    /// End the run: a critical verdict stands.
    Stop,
}

/// An observer that says what is wrong with a training run, why, and what to do.
///
/// It measures the signal `dL/dz` of every layer, its gain from layer to layer split into the activation's and the weights'
/// part (`gain = f' x w`, exactly), gradients, steps, saturation, dead units and, of recurrent layers, what is left
/// from step to step ([`ThroughTime`]). Layers stand in the order of the recording. [`Self::report`] has the numbers,
/// the [verdicts](Verdict), and pictures.
///
/// Ratios do not change when the loss is scaled, so verdicts do not, either. Norms are f64, gradients those before clipping.
/// A monitor is for one network: two that take turns have one each. Passes that are only looked at (an evaluation with a sweep of
/// its own) do not belong to it, either. Several passes whose gradients are added up for one step may.
/// Weights after an observed run are those of an unobserved one, bit for bit. Memory is bounded, however long the run.
///
/// ```
/// use chainrule::{flow::{Control, Kind, Monitor}, prelude::*};
/// let mut rng = Rng::seed(1);
/// let layers: Vec<_> = (0..4).map(|_| AnyLayer::new((Dense::with_init(16, 16, Init::he(), &mut rng), Relu))).collect();
/// let mut net = (layers, Dense::new(16, 2, &mut rng));
/// let (x, y) = (Tensor::normal([32, 16], 0.0, 1.0, &mut rng), Labels::new((0..32).map(|i| i % 2), 2)?);
/// let (mut tape, mut mon) = (Tape::new(), Monitor::new());
/// let mut opt = (mon.updates(), Sgd::new(0.005)); // steps tell how far they went
/// for _ in 0..30 {
///     let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
///     let item = loss.item();
///     let mut g = loss.backward_with(&net, &mut mon)?; // Err names the first op, layer and line with a NaN or Inf
///     let clip = g.clip_global_norm(5.0)?;
///     if mon.judge(item, &clip) == Control::SkipUpdate {
///         continue;
///     }
///     mon.step(&opt.step(&mut net, &g)?);
/// }
/// let report = mon.report();
/// assert!(report.kinds().contains(&Kind::Healthy));
/// println!("{report}");
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// From `backward_with`: [`ErrorKind::NonFinite`] names the first op, its line and layer, and the first entry, of a NaN or an
/// infinity; [`ErrorKind::Io`] if a line of [`Self::jsonl`] cannot be written.
///
/// # Source
/// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010; Pascanu, Mikolov and
/// Bengio, "On the difficulty of training recurrent neural networks", 2013.
pub struct Monitor {
    sampling: Sampling,
    strict: bool,
    passes: u64,
    measured: u64,
    /// The sweep under way, if it is measured.
    pass: Option<Pass>,
    /// The last measured pass, until its step has come.
    waiting: Option<Waiting>,
    /// Whether a step or `judge` was ever told of: then norms are theirs.
    steps: bool,
    /// Whether this pass's norm is known.
    noted: bool,
    /// Whether the last sweep was measured and all of its numbers were finite.
    sound: bool,
    /// Whether the last measured pass learnt the parameters' norms from its step, as the next one will.
    told: bool,
    /// Whether the next step is to tell how far it goes.
    asks: Arc<AtomicBool>,
    /// The structure of the last measured pass.
    chain: Option<Arc<Chain>>,
    time: ThroughTime,
    silences: HashMap<Arc<str>, Silence>,
    seen: Seen,
    lines: Option<BufWriter<File>>,
    spent: Duration,
    since: Option<Instant>,
    until: Option<Instant>,
}

/// Of so many measured passes, one keeps the distribution of its signals.
const MAGNITUDES: u64 = 16;

impl Default for Monitor {
    fn default() -> Self {
        Self::new()
    }
}

impl Monitor {
    /// Measures passes 0 to 19, then every tenth.
    pub fn new() -> Self {
        Self {
            sampling: Sampling::default(),
            strict: true,
            passes: 0,
            measured: 0,
            pass: None,
            waiting: None,
            steps: false,
            noted: true,
            sound: false,
            told: false,
            asks: Arc::default(),
            chain: None,
            time: ThroughTime::new(),
            silences: HashMap::new(),
            seen: Seen::new(Judge::default()),
            lines: None,
            spent: Duration::ZERO,
            since: None,
            until: None,
        }
    }

    /// One that gives its verdicts after a single pass.
    pub(super) fn preflight() -> Self {
        Self { seen: Seen::new(Judge::preflight()), ..Self::new() }
    }

    /// Measures passes 0 to 19, then every `n`-th.
    pub fn every(self, n: u64) -> Self {
        self.sampling(Sampling::Usual(n))
    }

    /// Measures other passes.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// A number that is not finite is a verdict and no error, so that the pass goes on: for links that skip such steps or take such
    /// entries for 0.
    pub fn lenient(self) -> Self {
        Self { strict: false, ..self }
    }

    /// Also writes what it measures to a file: one JSON object a line for each layer, recurrent layer and parameter of a measured pass, as
    /// [`Report::jsonl`] has them.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be made.
    pub fn jsonl(mut self, path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = File::create(path).map_err(|e| Error::io(format!("jsonl: {}", path.display()), e))?;
        self.lines = Some(BufWriter::new(file));
        Ok(self)
    }

    /// A link for an optimizer, by which steps tell how far they went: those of measured passes alone, so that it costs nothing in
    /// the others. [`ReportUpdates`](crate::optim::ReportUpdates) asks for it in every step.
    pub fn updates(&self) -> AskUpdates {
        AskUpdates { asks: self.asks.clone() }
    }

    /// How many passes it saw.
    pub fn passes(&self) -> u64 {
        self.passes
    }

    /// What was done to the gradients of the pass, and what to do with the step. The loss is that of this pass.
    pub fn judge(&mut self, loss: f64, clip: &Clipped) -> Control {
        self.note(clip.norm, clip.coef);
        let severe = self.seen.running.spike.is_some_and(|s| s.severe);
        let control = if self.seen.judge.stands(|v| v.severity == Severity::Critical) {
            Control::Stop
        } else if severe || !loss.is_finite() || !clip.norm.is_finite() {
            Control::SkipUpdate
        } else {
            Control::Continue
        };
        if let Some(waiting) = self.waiting.as_mut().filter(|_| control != Control::Continue) {
            waiting.over = true;
        }
        control
    }

    /// What a step did: the norms of its changes (with [`Self::updates`]), and what links clipped, unless [`Self::judge`]
    /// knows of it. After several passes whose gradients were added up, it is told once.
    pub fn step(&mut self, report: &StepReport) {
        self.steps = true;
        if let Some(norm) = report.norm {
            self.note(norm, report.coef.unwrap_or(1.0));
        }
        self.asks.store(false, Ordering::Relaxed);
        if let Some(waiting) = self.waiting.as_mut().filter(|w| !w.over) {
            waiting.updates.clone_from(&report.updates);
            waiting.over = true;
        }
    }

    /// The verdicts that stand, without those of the pass under way.
    pub fn verdicts(&self) -> Vec<Verdict> {
        self.seen.judge.verdicts()
    }

    /// Whether a verdict of this kind stands.
    pub fn has(&self, kind: Kind) -> bool {
        self.verdicts().iter().any(|v| v.kind == kind)
    }

    /// All that is known, the last pass included.
    pub fn report(&mut self) -> Report {
        // Its step may still come.
        let pending = self.waiting.clone().filter(|w| self.steps && !w.over);
        let failed = if pending.is_none() { self.finish().err() } else { None };
        let mut seen = self.seen.clone();
        pending.into_iter().for_each(|waiting| seen.settle(waiting));
        let spent = self.spent.as_secs_f64();
        let whole = self.since.zip(self.until).map_or(0.0, |(a, b)| (b - a).as_secs_f64());
        let cost =
            Cost { share: if whole > 0.0 { spent / whole } else { f64::NAN }, seconds: spent, passes: self.measured };
        Report {
            verdicts: seen.judge.verdicts(),
            past: seen.judge.past().to_vec(),
            losses: seen.losses.points().to_vec(),
            norms: seen.norms.points().to_vec(),
            norm_mean: seen.running.norm_mean(),
            clip_rate: seen.running.clip_rate(),
            advice: seen.running.clip_advice(),
            samples: seen.history.into_samples(),
            cost,
            passes: self.passes,
            failed: failed.map(|e| e.to_string()),
        }
    }

    /// The norm of this pass, once.
    fn note(&mut self, norm: f64, coef: f64) {
        self.steps = true;
        if !std::mem::replace(&mut self.noted, true) {
            self.seen.note(self.passes.saturating_sub(1), norm, coef);
            if let Some(waiting) = self.waiting.as_mut().filter(|w| !w.over) {
                waiting.coef = Some(coef);
            }
        }
    }

    /// Ends the last measured pass: all that belongs to it has come.
    fn finish(&mut self) -> Result<(), Error> {
        let Some(waiting) = self.waiting.take() else { return Ok(()) };
        let clock = Instant::now();
        // One of several whose gradients were added up: the norm of the sum counts.
        let part = self.steps && !waiting.over;
        if !part && waiting.coef.is_none() {
            self.seen.note(waiting.passed.sample.step, 10f64.powf(waiting.passed.sample.norm), 1.0);
        }
        self.told = waiting.updates.is_some();
        self.seen.settle(waiting);
        if let (Some(lines), Some(sample)) = (&mut self.lines, self.seen.history.last()) {
            let mut text = String::new();
            jsonl(sample, &mut text);
            lines
                .write_all(text.as_bytes())
                .and_then(|()| lines.flush())
                .map_err(|e| Error::io("monitor: jsonl", e))?;
        }
        self.spent += clock.elapsed();
        Ok(())
    }

    /// The error, or none if it is lenient.
    fn fail(&mut self, origin: Origin) -> Result<(), Error> {
        let step = self.passes.saturating_sub(1);
        let message = format!("monitor: pass {step}: {origin}");
        self.seen.judge.non_finite(step, origin);
        if !self.strict {
            return Ok(());
        }
        (self.pass, self.noted) = (None, true);
        Err(Error::new(ErrorKind::NonFinite, message))
    }
}

impl<F: Real> Observer<F> for Monitor {
    fn recording(&mut self, recorded: &Recorded<'_, F>) -> Result<(), Error> {
        let clock = Instant::now();
        self.since.get_or_insert(clock);
        self.until = Some(clock);
        let spent = self.spent;
        self.pass = None; // a sweep that was ended by others shows nothing
        let (step, loss) = (self.passes, recorded.loss());
        let takes = self.sampling.takes(step) || !loss.is_finite();
        // A measured pass waits for its step, unless there are none.
        if takes || !self.steps || self.waiting.as_ref().is_some_and(|w| w.over) {
            self.finish()?;
        }
        (self.passes, self.noted) = (step + 1, false);
        self.seen.running.loss(loss);
        self.seen.losses.push(step, loss, loss);
        if takes {
            self.asks.store(true, Ordering::Relaxed);
            let looks = Looks {
                magnitudes: self.measured.is_multiple_of(MAGNITUDES),
                params: !self.told,
                start: self.measured == 0 || self.seen.judge.stands(|v| v.kind == Kind::Symmetric),
                strict: self.strict,
            };
            match Pass::begin(recorded, step, &mut self.silences, looks, &mut self.chain) {
                Ok(pass) => self.pass = Some(pass),
                Err(origin) => return self.fail(*origin),
            }
            self.time.recording(recorded)?;
        }
        self.spent = spent + clock.elapsed();
        Ok(())
    }

    fn cotangent(&mut self, event: &Cotangent<'_, F>) -> Result<(), Error> {
        let Some(pass) = &mut self.pass else { return Ok(()) };
        let clock = Instant::now();
        let cut = pass.cotangent(event);
        self.spent += clock.elapsed();
        cut.or_else(|origin| self.fail(*origin))
    }

    fn signal(&mut self, event: &Signal<'_, F>) -> Result<(), Error> {
        // A bias tells the same of its layer.
        let biased = || self.chain.as_ref().is_some_and(|chain| chain.biased.contains(event.path));
        if self.pass.is_some() || event.phase != Phase::Pre || biased() || F::all_finite(event.bar.data()) {
            return Ok(());
        }
        self.fail(Origin::at(Direction::Signal, event.op, event.at, Some(event.path.into()), event.bar))
    }

    fn wants_time_steps(&self) -> bool {
        self.pass.is_some()
    }

    fn time_step(&mut self, event: &TimeStep<'_>) -> Result<(), Error> {
        if self.pass.is_some() { Observer::<F>::time_step(&mut self.time, event) } else { Ok(()) }
    }

    fn gradient(&mut self, event: &Gradient<'_, F>) -> Result<(), Error> {
        if let Some(pass) = &mut self.pass {
            let clock = Instant::now();
            let cut = pass.gradient(event);
            self.spent += clock.elapsed();
            return cut.or_else(|origin| self.fail(*origin));
        }
        if event.bar.shape().rank() > 1 || F::all_finite(event.bar.data()) {
            return Ok(());
        }
        self.fail(Origin::at(Direction::Gradient, "leaf", event.at, Some(event.path.into()), event.bar))
    }

    fn swept(&mut self) -> Result<(), Error> {
        self.sound = false;
        let Some(pass) = self.pass.take() else { return Ok(()) };
        let clock = Instant::now();
        let mut passed = pass.end(&self.time);
        self.measured += 1;
        let origin = passed.origin.take();
        self.sound = origin.is_none();
        self.waiting = Some(Waiting { passed, coef: None, updates: None, over: false });
        self.spent += clock.elapsed();
        origin.map_or(Ok(()), |origin| self.fail(*origin))
    }

    fn checks_gradients(&self) -> bool {
        self.sound
    }
}
