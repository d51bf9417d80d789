use crate::{
    core::{Recording, record::Record},
    tensor::{Real, Tensor},
};
use std::collections::HashSet;

/// How large a recording is: bytes as they are allocated, storage that several values share counted once, where it comes
/// first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How many nodes.
    pub nodes: usize,
    /// Bytes of data, variables and results.
    pub values: usize,
    /// Bytes that ops keep beside that for their reverse rules.
    pub saved: usize,
    /// Bytes of parameters: shared with the module until a step writes to one of the two.
    pub parameters: usize,
    /// How many values are not held: those inside checkpoints, and those of parameters after `backward`.
    pub dropped: usize,
}

impl Stats {
    /// Values, saved and parameters together.
    pub fn bytes(&self) -> usize {
        self.values + self.saved + self.parameters
    }
}

/// What was counted already.
#[derive(Default)]
pub(super) struct Seen(HashSet<usize>);

impl Seen {
    /// The bytes of a tensor's storage if it comes for the first time; `None` for a tensor without storage.
    pub(super) fn bytes<F: Real>(&mut self, t: &Tensor<F>) -> Option<usize> {
        let (id, bytes) = t.storage()?;
        Some(if self.0.insert(id) { bytes } else { 0 })
    }
}

impl<F: Real> Record<F> {
    /// Adds a node: the bytes of its value (`None` if it is dropped) and of what its op saved.
    pub(super) fn count(&self, i: usize, seen: &mut Seen, stats: &mut Stats) -> (Option<usize>, usize) {
        let value = seen.bytes(&self.values[i]);
        let saved = self.saved.get(self.saved_range(i)).unwrap_or(&[]).iter().filter_map(|t| seen.bytes(t)).sum();
        let is_parameter = self.is_leaf(i) && self.nodes[i].param.is_some();
        stats.nodes += 1;
        *(if is_parameter { &mut stats.parameters } else { &mut stats.values }) += value.unwrap_or(0);
        stats.saved += saved;
        stats.dropped += usize::from(value.is_none());
        (value, saved)
    }
}

impl<F: Real> Recording<F> {
    /// How many nodes and bytes it holds now: asked after the forward pass, what the sweep will find. The peak of a whole
    /// step: [`Tape::peak_bytes`](crate::Tape::peak_bytes).
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let mut tape = Tape::new();
    /// let r = tape.begin();
    /// let x = r.variable(&Tensor::ones([8, 8]));
    /// let y = x.tanh().reshape([64]); // shares storage
    /// assert_eq!((r.stats().nodes, r.stats().values), (3, 2 * (4 * 64 + 64)));
    /// ```
    pub fn stats(&self) -> Stats {
        let (r, mut seen, mut stats) = (self.record.borrow(), Seen::default(), Stats::default());
        for i in 0..r.nodes.len() {
            r.count(i, &mut seen, &mut stats);
        }
        stats
    }
}
