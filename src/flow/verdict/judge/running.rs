//! Statistics of losses and gradient norms over steps; numbers that are not finite never enter them.
use crate::flow::verdict::limits::*;
use std::collections::VecDeque;

/// A norm far above those before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spike {
    pub(crate) norm: f64,
    pub(crate) z: f64,
    pub(crate) severe: bool,
}

/// A limit for the joint norm of the gradients, from the norms of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClipAdvice {
    /// The limit: nine of ten of the recent norms are below it.
    pub limit: f64,
    /// Half the mean norm and ten times the mean norm, between which Pascanu et al. found limits that work.
    pub range: (f64, f64),
    /// How many norms it was made of.
    pub norms: usize,
}

/// Losses and norms so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running {
    losses: VecDeque<f64>,
    first: VecDeque<f64>,
    /// Whether one was below 0.
    negative: bool,
    /// The least and the largest mean of ten losses.
    range: Option<(f64, f64)>,
    norms: VecDeque<f64>,
    most: f64,
    recent: VecDeque<f64>,
    clips: VecDeque<f64>,
    mean: f64,
    variance: f64,
    counted: u64,
    pub(crate) spike: Option<Spike>,
    since_spike: u64,
}

fn push(all: &mut VecDeque<f64>, x: f64, kept: usize) {
    all.push_back(x);
    if all.len() > kept {
        all.pop_front();
    }
}

fn average<'a>(all: impl ExactSizeIterator<Item = &'a f64>) -> f64 {
    let n = all.len() as f64;
    all.sum::<f64>() / n
}

impl Running {
    /// A loss.
    pub(crate) fn loss(&mut self, loss: f64) {
        if !loss.is_finite() {
            return;
        }
        if self.first.len() < 3 {
            self.first.push_back(loss);
        }
        self.negative |= loss < 0.0;
        push(&mut self.losses, loss, LOSS_WINDOW);
        if self.losses.len() >= LOSS_MEAN {
            let mean = self.loss_now();
            let (least, most) = self.range.unwrap_or((mean, mean));
            self.range = Some((least.min(mean), most.max(mean)));
        }
    }

    /// A joint norm before clipping, and the factor of clipping.
    pub(crate) fn norm(&mut self, norm: f64, coef: f64) {
        self.spike = None;
        self.since_spike += 1;
        if !norm.is_finite() {
            return;
        }
        // Norms of the same batch again differ by next to nothing, and that is no spread to judge by.
        let deviation = self.variance.sqrt().max(0.01 * self.mean);
        let z = (norm - self.mean) / deviation;
        let highest = self.recent.iter().copied().fold(0.0, f64::max);
        let begins = self.mean == 0.0;
        if self.counted >= SPIKE_WARM_UP && z > SPIKE_Z && !begins {
            let severe = norm > SPIKE_MAX * highest;
            self.spike = Some(Spike { norm, z, severe });
            self.since_spike = if severe { 0 } else { self.since_spike };
        }
        // What is clipped by ZClip's rule is how a spike enters the mean, or it would hide the next one.
        let kept = if self.spike.is_some() { self.mean + SPIKE_Z * deviation } else { norm };
        let change = kept - self.mean;
        let part = if begins { 1.0 } else { (1.0 - SPIKE_DECAY).max(1.0 / (self.counted + 1) as f64) };
        self.mean += part * change;
        self.variance = if begins { 0.0 } else { (1.0 - part) * (self.variance + part * change * change) };
        self.counted += 1;
        self.most = self.most.max(norm);
        push(&mut self.recent, norm, CLIP_WINDOW);
        push(&mut self.clips, coef, CLIP_WINDOW);
        push(&mut self.norms, norm, 2 * CLIP_WINDOW);
    }

    /// The exponential mean of norms, and their standard deviation.
    pub(crate) fn norm_mean(&self) -> (f64, f64) {
        (self.mean, self.variance.sqrt())
    }

    /// Share of clipped steps and mean factor, once there are enough steps.
    pub(crate) fn clip_rate(&self) -> Option<(f64, f64)> {
        let clipped = self.clips.iter().filter(|c| **c < 1.0).count() as f64;
        (self.clips.len() >= CLIP_WINDOW).then(|| (clipped / self.clips.len() as f64, average(self.clips.iter())))
    }

    /// The 90th percentile of the last 200 norms.
    pub(crate) fn clip_advice(&self) -> Option<ClipAdvice> {
        let mut sorted: Vec<f64> = self.norms.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let limit = *sorted.get((n * 9).div_ceil(10).checked_sub(1)?)?;
        let mean = average(sorted.iter());
        Some(ClipAdvice { limit, range: (0.5 * mean, 10.0 * mean), norms: n })
    }

    /// The mean of the last losses.
    pub(crate) fn loss_now(&self) -> f64 {
        let tail = self.losses.len().min(LOSS_MEAN);
        average(self.losses.iter().rev().take(tail))
    }

    /// Whether no loss was below 0, so that 0 is where it falls to.
    pub(crate) fn positive(&self) -> bool {
        !self.negative
    }

    /// By which share the loss has fallen from another: a share of that, or, of losses that may be below 0, of their range.
    fn fall(&self, from: f64) -> f64 {
        let range = self.range.map_or(0.0, |(least, most)| most - least);
        let whole = if self.negative { range } else { from };
        if self.negative && whole == 0.0 { 0.0 } else { (from - self.loss_now()) / whole }
    }

    /// By which share it has fallen from the first losses.
    pub(crate) fn fall_so_far(&self) -> f64 {
        self.fall(average(self.first.iter()))
    }

    /// By which share it has fallen over a whole window.
    pub(crate) fn fall_over_window(&self) -> Option<f64> {
        let start = average(self.losses.iter().take(LOSS_MEAN));
        (self.losses.len() >= LOSS_WINDOW).then(|| self.fall(start))
    }

    /// The loss now over the first losses, if it has converged to 0.
    pub(crate) fn converged(&self) -> Option<f64> {
        let ratio = self.loss_now() / average(self.first.iter());
        (self.positive() && ratio < CONVERGED).then_some(ratio)
    }

    /// The newest norm over the largest.
    pub(crate) fn norm_ratio(&self) -> f64 {
        self.norms.back().copied().unwrap_or(f64::NAN) / self.most
    }

    /// A recent spike of ten times the largest norm (lesser ones are usual in healthy runs), or a loss that has risen a lot from its minimum.
    pub(crate) fn damage(&self) -> bool {
        let spiked = self.counted > 0 && self.since_spike < 10 && self.counted > SPIKE_WARM_UP;
        let risen = |(least, _): (f64, f64)| least > 0.0 && self.loss_now() > DAMAGE * least;
        spiked || (self.positive() && self.range.is_some_and(risen))
    }
}
