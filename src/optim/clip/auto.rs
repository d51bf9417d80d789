use super::{NonFinite, norm::scale_to, policy, under};
use crate::{
    core::Clipped,
    error::{Error, ErrorKind},
    optim::{Link, Plan, check_fraction, check_positive},
    tensor::Real,
};
use std::collections::VecDeque;

/// A link that scales all gradients so that their joint norm is at most a percentile of the norms seen so far.
///
/// `n` joins the history of norms; all gradients are multiplied by `min(1, p / n)`, where `p` is the percentile of the
/// history, between two norms by linear interpolation. The first step is never clipped. The history is of norms *before*
/// clipping, of the steps that were made: a step that fails or is skipped leaves no trace. Where the percentile is 0 (after
/// gradients of 0), nothing is clipped: a limit of 0 would stop training.
///
/// The paper keeps the whole history, which takes 8 bytes a step; [`window`](Self::window) keeps the last ones only, and
/// then nothing is allocated once it is full. The paper's percentile is 10: most steps are clipped, and the size of a step
/// is then the learning rate's business.
///
/// ```
/// use chainrule::{optim::AutoClip, prelude::*};
/// let mut opt = (AutoClip::new(10.0).window(1000), Adam::new(1e-3));
/// # let mut w = Param::new(Tensor::scalar(1.0));
/// # let g = Grads::from_iter([("", Tensor::scalar(1.0))]);
/// let report = opt.step(&mut w, &g)?;
/// assert_eq!((report.norm, report.coef), (Some(1.0), Some(1.0)));
/// # Ok::<(), Error>(())
/// ```
///
/// # Source
/// Seetharaman, Wichern, Pardo, Le Roux, "AutoClip: adaptive gradient clipping for source separation networks", 2020.
#[derive(Clone, Debug)]
pub struct AutoClip {
    percentile: f64,
    window: usize,
    /// In the order of steps; only with a window.
    history: VecDeque<f64>,
    /// The same norms in the order of their size.
    sorted: Vec<f64>,
    seen: Option<f64>,
    policy: NonFinite,
}

impl Default for AutoClip {
    fn default() -> Self {
        Self::new(10.0)
    }
}

impl AutoClip {
    /// Clips at this percentile, from 0 to 100; a step refuses another one.
    pub fn new(percentile: f64) -> Self {
        let (history, sorted) = (VecDeque::new(), vec![]);
        Self { percentile, window: usize::MAX, history, sorted, seen: None, policy: NonFinite::Error }
    }

    /// Remembers so many norms, that of the step itself included; a step refuses 0.
    pub fn window(mut self, steps: usize) -> Self {
        self.window = steps;
        self
    }

    policy!();

    /// The norm that leaves the history when another one comes, by its place in the order of sizes.
    fn leaves(&self) -> Option<usize> {
        let oldest = self.history.front().filter(|_| self.history.len() >= self.window)?;
        Some(self.sorted.partition_point(|n| n < oldest))
    }

    /// The percentile of the history with `norm` in it.
    fn limit(&self, norm: f64) -> f64 {
        let leaves = self.leaves().unwrap_or(usize::MAX);
        let kept = |k: usize| self.sorted[k + usize::from(k >= leaves)];
        let count = self.sorted.len() - usize::from(leaves != usize::MAX);
        let place = self.sorted.partition_point(|n| *n < norm);
        let place = place - usize::from(place > leaves);
        let at = |k: usize| match k.cmp(&place) {
            std::cmp::Ordering::Less => kept(k),
            std::cmp::Ordering::Equal => norm,
            std::cmp::Ordering::Greater => kept(k - 1),
        };
        let index = self.percentile / 100.0 * count as f64;
        let (low, part) = (index.floor() as usize, index.fract());
        let limit = if part == 0.0 { at(low) } else { at(low) * (1.0 - part) + at(low + 1) * part };
        if limit == 0.0 { f64::INFINITY } else { limit }
    }
}

impl<F: Real> Link<F> for AutoClip {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        self.seen = None;
        if !(0.0..=100.0).contains(&self.percentile) || self.window == 0 {
            let (percentile, window) = (self.percentile, self.window);
            let message = format!(
                "AutoClip: a percentile from 0 to 100 and a window of at least 1 are needed, got {percentile} and {window}"
            );
            return Err(Error::new(ErrorKind::BadData, message));
        }
        let measure = |plan: &mut Plan<'_, F>| Clipped::of("AutoClip", plan.norm("AutoClip")?, f64::INFINITY);
        let Some(Clipped { norm, .. }) = under(self.policy, plan, measure)? else { return Ok(()) };
        let limit = self.limit(norm);
        scale_to(plan, Clipped::of("AutoClip", norm, limit)?);
        self.seen = Some(norm);
        Ok(())
    }

    fn commit(&mut self) {
        let Some(norm) = self.seen.take() else { return };
        if let Some(leaves) = self.leaves() {
            self.history.pop_front();
            self.sorted.remove(leaves);
        }
        if self.window < usize::MAX {
            self.history.push_back(norm);
        }
        self.sorted.insert(self.sorted.partition_point(|n| *n < norm), norm);
    }
}

/// A link that clips spikes: a joint norm that lies far above its running mean, in running standard deviations.
///
/// With `m` and `s` the running mean and standard deviation, `z = (n - m) / (s + 1e-6)`; where `z > threshold`, all
/// gradients are scaled to the norm `m + threshold^2 / z * s`: the greater the spike, the nearer to the mean. Then
/// `m = alpha m + (1 - alpha) n` and `s^2 = alpha s^2 + (1 - alpha) (n - m)^2` with the clipped norm. In the first steps
/// (`warm_up`) nothing is clipped, and `m` and `s` start from their norms. A step that fails or is skipped leaves no trace.
/// Defaults: `threshold = 2.5`, `alpha = 0.97`, 25 steps of warm-up. The published code also clips at a fixed norm: put
/// [`ClipGlobalNorm`](super::ClipGlobalNorm) after it.
///
/// # Source
/// Kumar, Owen, Chowdhury, Güra, "ZClip: adaptive spike mitigation for LLM pre-training", 2025.
#[derive(Clone, Debug)]
pub struct ZClip {
    threshold: f64,
    alpha: f64,
    warm_up: usize,
    statistics: Statistics,
    seen: Option<f64>,
    policy: NonFinite,
}

#[derive(Clone, Copy, Debug, Default)]
struct Statistics {
    /// How many norms they are of.
    count: usize,
    mean: f64,
    /// While warming up, the sum of squared distances from the mean; then the variance.
    variance: f64,
}

impl Default for ZClip {
    fn default() -> Self {
        Self::new(2.5)
    }
}

impl ZClip {
    /// Clips norms more than `threshold` standard deviations above the mean; a step refuses one that is not above 0.
    pub fn new(threshold: f64) -> Self {
        let statistics = Statistics::default();
        Self { threshold, alpha: 0.97, warm_up: 25, statistics, seen: None, policy: NonFinite::Error }
    }

    /// With another decay rate of the running mean and variance.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// With another number of first steps that are only measured; a step refuses 0.
    pub fn warm_up(mut self, steps: usize) -> Self {
        self.warm_up = steps;
        self
    }

    policy!();

    fn limit(&self, norm: f64) -> f64 {
        let Statistics { count, mean, variance } = self.statistics;
        let deviation = variance.sqrt();
        let z = (norm - mean) / (deviation + 1e-6);
        // After norms of 0 alone there is nothing to compare with, and a limit of 0 would hold for ever.
        if count < self.warm_up || z <= self.threshold || mean == 0.0 {
            return f64::INFINITY;
        }
        mean + self.threshold / z * self.threshold * deviation
    }
}

impl<F: Real> Link<F> for ZClip {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        self.seen = None;
        check_positive::<f64>("ZClip", "the threshold", self.threshold)?;
        check_fraction("ZClip", "alpha", self.alpha)?;
        if self.warm_up == 0 {
            return Err(Error::new(ErrorKind::BadData, "ZClip: at least 1 step of warm-up is needed, got 0"));
        }
        let measure = |plan: &mut Plan<'_, F>| Clipped::of("ZClip", plan.norm("ZClip")?, f64::INFINITY);
        let Some(Clipped { norm, .. }) = under(self.policy, plan, measure)? else { return Ok(()) };
        let limit = self.limit(norm);
        scale_to(plan, Clipped::of("ZClip", norm, limit)?);
        self.seen = Some(norm.min(limit));
        Ok(())
    }

    fn commit(&mut self) {
        let Some(norm) = self.seen.take() else { return };
        let s = &mut self.statistics;
        if s.count < self.warm_up {
            // Welford's sums, so that no list is kept.
            s.count += 1;
            let before = norm - s.mean;
            s.mean += before / s.count as f64;
            s.variance += before * (norm - s.mean);
            if s.count == self.warm_up {
                s.variance /= s.count as f64;
            }
            return;
        }
        s.mean = self.alpha * s.mean + (1.0 - self.alpha) * norm;
        s.variance = self.alpha * s.variance + (1.0 - self.alpha) * (norm - s.mean).powi(2);
    }
}
