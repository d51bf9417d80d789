//! The observer that watches a training run.
mod history;
mod sampling;
mod updates;

pub(super) use history::{History, Track};
pub use sampling::Sampling;
pub use updates::AskUpdates;

use super::{
    Kind, Report, Severity, ThroughTime, Verdict,
    measure::{Chain, Direction, Looks, Origin, Pass, Passed, Silence, TimeSample},
    report::{Cost, jsonl},
    verdict::{Judge, Running},
};
use crate::{
    core::{Clipped, Cotangent, Gradient, Observer, Phase, Recorded, Signal, TimeStep},
    error::{Error, ErrorKind},
    optim::{StepReport, Updates},
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
    passes: u64,
    /// The pass under way, if it is measured.
    pass: Option<Pass>,
    /// The structure of the last measured pass.
    chain: Option<Arc<Chain>>,
    time: ThroughTime,
    noted: bool,
    coef: f64,
    updates: Option<Updates>,
    /// Whether the last measured pass learnt the parameters' norms from its step, as the next one will.
    told: bool,
    /// Whether the step of the pass under way is to tell how far it goes.
    asks: Arc<AtomicBool>,
    silences: HashMap<Arc<str>, Silence>,
    running: Running,
    judge: Judge,
    history: History,
    losses: Track,
    norms: Track,
    lines: Option<BufWriter<File>>,
    spent: Duration,
    since: Option<Instant>,
    until: Option<Instant>,
    measured: u64,
}

/// Rows that are kept: one for each layer and measured pass.
const ROWS: usize = 10_000;
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
            passes: 0,
            pass: None,
            chain: None,
            time: ThroughTime::new(),
            noted: true,
            coef: 1.0,
            updates: None,
            told: false,
            asks: Arc::default(),
            silences: HashMap::new(),
            running: Running::default(),
            judge: Judge::default(),
            history: History::new(ROWS),
            losses: Track::default(),
            norms: Track::default(),
            lines: None,
            spent: Duration::ZERO,
            since: None,
            until: None,
            measured: 0,
        }
    }

    /// One that gives its verdicts after a single pass.
    pub(super) fn preflight() -> Self {
        Self { judge: Judge::preflight(), ..Self::new() }
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

    /// Also writes what it measures to a file: one JSON object a line for each layer and measured pass, as
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
        let severe = self.running.spike.is_some_and(|s| s.severe);
        if self.verdicts().iter().any(|v| v.severity == Severity::Critical) {
            Control::Stop
        } else if severe || !loss.is_finite() || !clip.norm.is_finite() {
            Control::SkipUpdate
        } else {
            Control::Continue
        }
    }

    /// What a step did: the norms of its changes (with [`Self::updates`]), and what links clipped, unless [`Self::judge`]
    /// knows of it.
    pub fn step(&mut self, report: &StepReport) {
        if let Some(norm) = report.norm {
            self.note(norm, report.coef.unwrap_or(1.0));
        }
        if self.pass.is_some() {
            self.updates.clone_from(&report.updates);
        }
    }

    /// The verdicts that stand, without those of the pass under way.
    pub fn verdicts(&self) -> Vec<Verdict> {
        self.judge.verdicts()
    }

    /// Whether a verdict of this kind stands.
    pub fn has(&self, kind: Kind) -> bool {
        self.verdicts().iter().any(|v| v.kind == kind)
    }

    /// All that is known, the last pass included.
    pub fn report(&mut self) -> Report {
        let failed = self.finish().err();
        let spent = self.spent.as_secs_f64();
        let whole = self.since.zip(self.until).map_or(0.0, |(a, b)| (b - a).as_secs_f64());
        let cost =
            Cost { share: if whole > 0.0 { spent / whole } else { f64::NAN }, seconds: spent, passes: self.measured };
        Report {
            samples: self.history.samples().to_vec(),
            verdicts: self.judge.verdicts(),
            past: self.judge.past().to_vec(),
            losses: self.losses.points().to_vec(),
            norms: self.norms.points().to_vec(),
            norm_mean: self.running.norm_mean(),
            clip_rate: self.running.clip_rate(),
            advice: self.running.clip_advice(),
            cost,
            passes: self.passes,
            failed: failed.map(|e| e.to_string()),
        }
    }

    /// The norm of this pass, once.
    fn note(&mut self, norm: f64, coef: f64) {
        if std::mem::replace(&mut self.noted, true) {
            return;
        }
        self.coef = coef;
        let step = self.passes.saturating_sub(1);
        self.running.norm(norm, coef);
        self.norms.push(step, norm, coef);
        self.judge.spike(step, &self.running);
    }

    /// Ends the pass before: all that belongs to it has come.
    fn finish(&mut self) -> Result<(), Error> {
        let Some(pass) = self.pass.take() else { return Ok(()) };
        let clock = Instant::now();
        let Passed { mut sample, sigmas, chain } = pass.end();
        self.note(10f64.powf(sample.norm), 1.0);
        sample.coef = self.coef;
        sample.time = self
            .time
            .layers()
            .map(|layer| TimeSample::of(layer, sigmas.get(layer.path.as_str()).copied().unwrap_or(f64::NAN)))
            .collect();
        let updates = self.updates.take();
        self.told = updates.is_some();
        if let Some(updates) = updates {
            sample.moved(updates.moves(), &chain.by_path);
        }
        sample.weigh();
        self.judge.sample(&sample, &self.running);
        if let Some(lines) = &mut self.lines {
            let mut text = String::new();
            jsonl(&sample, &mut text);
            lines
                .write_all(text.as_bytes())
                .and_then(|()| lines.flush())
                .map_err(|e| Error::io("monitor: jsonl", e))?;
        }
        self.history.push(sample);
        self.measured += 1;
        self.spent += clock.elapsed();
        Ok(())
    }

    fn fail(&mut self, origin: Origin) -> Error {
        let step = self.passes.saturating_sub(1);
        self.pass = None;
        self.noted = true;
        let message = format!("monitor: pass {step}: {origin}");
        self.judge.non_finite(step, origin);
        Error::new(ErrorKind::NonFinite, message)
    }
}

impl<F: Real> Observer<F> for Monitor {
    fn recording(&mut self, recorded: &Recorded<'_, F>) -> Result<(), Error> {
        let clock = Instant::now();
        self.since.get_or_insert(clock);
        self.until = Some(clock);
        let spent = self.spent;
        self.finish()?;
        let step = self.passes;
        self.passes += 1;
        (self.noted, self.coef, self.updates) = (false, 1.0, None);
        self.asks.store(self.sampling.takes(step), Ordering::Relaxed);
        let loss = recorded.loss();
        self.running.loss(loss);
        self.losses.push(step, loss, loss);
        if self.sampling.takes(step) || !loss.is_finite() {
            let looks = Looks { magnitudes: self.measured.is_multiple_of(MAGNITUDES), params: !self.told };
            match Pass::begin(recorded, step, &mut self.silences, looks, &mut self.chain) {
                Ok(pass) => self.pass = Some(pass),
                Err(origin) => return Err(self.fail(*origin)),
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
        cut.map_err(|origin| self.fail(*origin))
    }

    fn signal(&mut self, event: &Signal<'_, F>) -> Result<(), Error> {
        // A bias tells the same of its layer.
        let biased = || self.chain.as_ref().is_some_and(|chain| chain.biased.contains(event.path));
        if self.pass.is_some() || event.phase != Phase::Pre || biased() || F::all_finite(event.bar.data()) {
            return Ok(());
        }
        Err(self.fail(Origin::at(Direction::Signal, event.op, event.at, Some(event.path.into()), event.bar)))
    }

    fn time_step(&mut self, event: &TimeStep<'_>) -> Result<(), Error> {
        if self.pass.is_some() { Observer::<F>::time_step(&mut self.time, event) } else { Ok(()) }
    }

    fn gradient(&mut self, event: &Gradient<'_, F>) -> Result<(), Error> {
        if let Some(pass) = &mut self.pass {
            let clock = Instant::now();
            let cut = pass.gradient(event);
            self.spent += clock.elapsed();
            return cut.map_err(|origin| self.fail(*origin));
        }
        if event.bar.shape().rank() > 1 || F::all_finite(event.bar.data()) {
            return Ok(());
        }
        Err(self.fail(Origin::at(Direction::Gradient, "leaf", event.at, Some(event.path.into()), event.bar)))
    }

    fn checks_gradients(&self) -> bool {
        self.pass.is_some()
    }
}
