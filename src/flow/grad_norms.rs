use crate::{
    core::{Gradient, Observer, Phase, Recorded, Signal},
    error::Error,
    tensor::Real,
};
use std::fmt;

/// An observer that keeps, for each backward pass that it sees, the norm of every parameter's gradient and of every
/// signal; printed, it is a table with a sparkline on a log axis.
///
/// Norms are f64, of gradients before any clipping. It keeps one number for each path and pass (a layer that is used
/// twice in a pass has two signals: their joint norm); see [`Self::every`].
///
/// ```
/// use chainrule::{flow::GradNorms, prelude::*};
/// let mut rng = Rng::seed(1);
/// let mut net = (Dense::new(4, 8, &mut rng), Sigmoid, Dense::new(8, 2, &mut rng));
/// let (mut tape, mut opt, mut norms) = (Tape::new(), Sgd::new(0.1), GradNorms::new());
/// let (x, y) = (Tensor::ones([3, 4]), Labels::new([0, 1, 1], 2)?);
/// for _ in 0..5 {
///     let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
///     let g = loss.backward_with(&net, &mut norms)?;
///     opt.step(&mut net, &g)?;
/// }
/// assert_eq!(norms.gradient("0.weight").unwrap().norms.len(), 5);
/// assert!(norms.signal("0", chainrule::core::Phase::Pre).unwrap().first() > 0.0);
/// println!("{norms}");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GradNorms {
    every: usize,
    passes: usize,
    gradients: Vec<Series>,
    signals: Vec<(Phase, Series)>,
}

/// The norms of one path over passes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Series {
    /// The parameter's path, the layer's path, or the name given to `watch`.
    pub path: String,
    /// The pass, counted from 0, of each norm.
    pub passes: Vec<usize>,
    /// The norms.
    pub norms: Vec<f64>,
}

impl Series {
    /// The norm at the first pass.
    pub fn first(&self) -> f64 {
        self.norms.first().copied().unwrap_or(f64::NAN)
    }

    /// The norm at the last pass.
    pub fn last(&self) -> f64 {
        self.norms.last().copied().unwrap_or(f64::NAN)
    }

    fn new(path: &str) -> Self {
        Self { path: path.to_owned(), passes: vec![], norms: vec![] }
    }

    fn push(&mut self, pass: usize, norm: f64) {
        match (self.passes.last(), self.norms.last_mut()) {
            (Some(last), Some(joint)) if *last == pass => *joint = joint.hypot(norm),
            _ => {
                self.passes.push(pass);
                self.norms.push(norm);
            }
        }
    }
}

impl Default for GradNorms {
    fn default() -> Self {
        Self::new()
    }
}

impl GradNorms {
    /// Keeps the norms of every pass.
    pub fn new() -> Self {
        Self { every: 1, passes: 0, gradients: vec![], signals: vec![] }
    }

    /// Keeps those of every `n`-th pass, from the first (`n` of 0 counts as 1).
    pub fn every(mut self, n: usize) -> Self {
        self.every = n.max(1);
        self
    }

    /// How many backward passes it saw.
    pub fn passes(&self) -> usize {
        self.passes
    }

    /// The gradient norms by parameter, in the order of the module.
    pub fn gradients(&self) -> impl Iterator<Item = &Series> {
        self.gradients.iter().filter(|s| !s.norms.is_empty())
    }

    /// The gradient norms of one parameter.
    pub fn gradient(&self, path: &str) -> Option<&Series> {
        self.gradients().find(|s| s.path == path)
    }

    /// The signal norms (dL/dz, dL/dh, and watched nodes) from the first layer to the last.
    pub fn signals(&self) -> impl Iterator<Item = (Phase, &Series)> {
        self.signals.iter().rev().map(|(phase, s)| (*phase, s))
    }

    /// The signal norms of one layer, or of one watched node.
    pub fn signal(&self, path: &str, phase: Phase) -> Option<&Series> {
        self.signals.iter().find(|(p, s)| *p == phase && s.path == path).map(|(_, s)| s)
    }

    fn keeps(&self) -> bool {
        (self.passes - 1).is_multiple_of(self.every)
    }
}

impl<F: Real> Observer<F> for GradNorms {
    fn wants_time_steps(&self) -> bool {
        false
    }
    fn recording(&mut self, recorded: &Recorded<'_, F>) -> Result<(), Error> {
        self.passes += 1;
        // A sweep reaches the last parameter first; the lines stand in the order of the module.
        for (i, path) in recorded.trained().enumerate() {
            if self.gradients.get(i).is_none_or(|s| s.path != path) && self.gradients.iter().all(|s| s.path != path) {
                self.gradients.push(Series::new(path));
            }
        }
        Ok(())
    }

    fn signal(&mut self, signal: &Signal<'_, F>) -> Result<(), Error> {
        if !self.keeps() {
            return Ok(());
        }
        let (pass, norm) = (self.passes - 1, signal.bar.norm());
        let known = self.signals.iter().position(|(p, s)| *p == signal.phase && s.path == signal.path);
        let at = known.unwrap_or_else(|| {
            self.signals.push((signal.phase, Series::new(signal.path)));
            self.signals.len() - 1
        });
        self.signals[at].1.push(pass, norm);
        Ok(())
    }

    fn gradient(&mut self, gradient: &Gradient<'_, F>) -> Result<(), Error> {
        if !self.keeps() {
            return Ok(());
        }
        let (pass, norm) = (self.passes - 1, gradient.bar.norm());
        if let Some(series) = self.gradients.iter_mut().find(|s| s.path == gradient.path) {
            series.push(pass, norm);
        }
        Ok(())
    }
}

/// A line for each parameter: its path, the norm at the first and the last pass, and a sparkline; the lines share one
/// log axis.
impl fmt::Display for GradNorms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.gradients().next().is_none() {
            return writeln!(f, "no gradients in {} passes", self.passes);
        }
        let width = self.gradients.iter().map(|s| s.path.len()).max().unwrap_or(0).max("parameter".len());
        let all = || self.gradients.iter().flat_map(|s| s.norms.iter().copied()).filter(|n| *n > 0.0 && n.is_finite());
        let (lo, hi) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
        write!(f, "{:width$}  {:>9}  {:>9}  over {} passes", "parameter", "first", "last", self.passes)?;
        if lo <= hi {
            write!(f, ", log axis {lo:.0e} to {hi:.0e}")?;
        }
        writeln!(f)?;
        for s in self.gradients() {
            writeln!(
                f,
                "{:width$}  {:>9.2e}  {:>9.2e}  {}",
                s.path,
                s.first(),
                s.last(),
                sparkline(&s.norms, lo, hi, 32)
            )?;
        }
        Ok(())
    }
}

/// At most `width` bars for a series, on a log axis from `lo` to `hi`: each bar is the median of its stretch. `0` stands
/// for a norm of 0, `!` for one that is not finite.
pub fn sparkline(series: &[f64], lo: f64, hi: f64, width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bars = series.len().min(width);
    let bar = |k: usize| {
        let mut part = series[k * series.len() / bars..(k + 1) * series.len() / bars].to_vec();
        part.sort_by(f64::total_cmp);
        match part[part.len() / 2] {
            x if !x.is_finite() => '!',
            x if x <= 0.0 => '0',
            x if hi <= lo => BARS[if x > hi { 7 } else { 0 }],
            x => {
                let place = (x.ln() - lo.ln()) / (hi.ln() - lo.ln());
                BARS[(place * 8.0).clamp(0.0, 7.0) as usize]
            }
        }
    };
    (0..bars).map(bar).collect()
}
