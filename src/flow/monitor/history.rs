//! What is kept of a run: bounded, however long it is.
use crate::flow::Sample;

/// The measured passes: all of them until there are many rows, then every second, every fourth, ...
#[derive(Clone, Debug)]
pub(crate) struct History {
    samples: Vec<Sample>,
    rows: usize,
    limit: usize,
    stride: u64,
    seen: u64,
}

impl History {
    /// At most this many rows: one for each layer and measured pass.
    pub(crate) fn new(limit: usize) -> Self {
        Self { samples: vec![], rows: 0, limit, stride: 1, seen: 0 }
    }

    pub(crate) fn push(&mut self, sample: Sample) {
        // The newest is always there; the one before it goes if it is not on the grid.
        if self.samples.len() > 1 && !(self.seen - 1).is_multiple_of(self.stride) {
            self.rows -= rows(&self.samples.pop().expect("more than one"));
        } else if let Some(before) = self.samples.last_mut() {
            bare_unless(before, (self.seen - 1) / self.stride);
        }
        self.seen += 1;
        self.rows += rows(&sample);
        self.samples.push(sample);
        while self.rows > self.limit && self.samples.len() > 2 {
            let last = self.samples.len() - 1;
            let mut at = 0;
            self.samples.retain(|_| {
                at += 1;
                (at - 1) % 2 == 0 || at - 1 == last
            });
            self.stride *= 2;
            self.samples[..last / 2].iter_mut().zip(0..).for_each(|(sample, at)| bare_unless(sample, at));
            self.rows = self.samples.iter().map(rows).sum();
        }
    }

    pub(crate) fn last(&self) -> Option<&Sample> {
        self.samples.last()
    }

    pub(crate) fn into_samples(self) -> Vec<Sample> {
        self.samples
    }
}

/// Of the samples that stay, one in sixteen keeps the distribution of its signals: it is larger than all the rest.
fn bare_unless(sample: &mut Sample, at: u64) {
    if !at.is_multiple_of(16) {
        sample.layers.iter_mut().for_each(|layer| layer.magnitudes = None);
    }
}

fn rows(sample: &Sample) -> usize {
    (sample.layers.len() + sample.time.len() + sample.params.len()).max(1)
}

/// A number of each pass, and another one beside it: neighbours are joined when there are many, and the larger stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    points: Vec<(u64, f64, f64)>,
    stride: u64,
}

impl Track {
    const LIMIT: usize = 2000;

    pub(crate) fn push(&mut self, step: u64, value: f64, beside: f64) {
        let stride = self.stride.max(1);
        match self.points.last_mut() {
            Some(last) if step < last.0 + stride && last.0 / stride == step / stride => {
                if value.is_nan() || value > last.1 {
                    last.1 = value;
                }
                last.2 = last.2.min(beside);
            }
            _ => self.points.push((step, value, beside)),
        }
        if self.points.len() > Self::LIMIT {
            self.stride = stride * 2;
            let points = std::mem::take(&mut self.points);
            points.into_iter().for_each(|(s, v, b)| self.push(s, v, b));
        }
    }

    pub(crate) fn points(&self) -> &[(u64, f64, f64)] {
        &self.points
    }
}
