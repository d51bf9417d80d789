//! Memory for time: blocks whose inner values are dropped after the forward pass and computed again in the sweep.
use crate::{
    core::{Recording, Saved, Var, record::Record},
    tensor::{Real, Tensor},
};
use smallvec::SmallVec;
use std::{mem, panic::Location};

/// A stretch of the recording that keeps its ops, but of its values only leaves and a few results.
pub(super) struct Checkpoint {
    pub(super) start: u32,
    pub(super) end: u32,
    /// Sorted: results of the block, and next values of running statistics.
    kept: SmallVec<[u32; 4]>,
}

impl Checkpoint {
    pub(super) fn range(&self) -> (usize, usize) {
        (self.start as usize, self.end as usize)
    }
}

impl<F: Real> Recording<F> {
    /// Computes the inner values of a checkpoint and of those inside it, while nobody reads the recording and unless
    /// a sweep has ended it: then parameters may be gone.
    pub(super) fn show_checkpoint(&self, which: usize) -> bool {
        let Ok(mut r) = self.record.try_borrow_mut() else { return false };
        if r.ended {
            return false;
        }
        let mut saved = mem::take(&mut r.saved);
        for k in (r.first_inside(which)..=which).rev() {
            r.compute_inner(k, &mut saved);
        }
        r.saved = saved;
        true
    }

    /// Makes every value readable, for good: for those who know nodes by their places.
    pub(crate) fn keep_checkpoints(&self) {
        self.record.borrow_mut().keep_checkpoints();
    }

    /// Drops the inner values of what was recorded since node `start`, except these results.
    #[track_caller]
    pub(super) fn close_checkpoint(&self, start: usize, results: &[&Var<'_, F>]) {
        let r = &mut *self.writable("checkpoint");
        r.drop_leftovers();
        let end = r.nodes.len();
        for y in results {
            let at = Location::caller();
            assert!(std::ptr::eq(y.rec, self), "checkpoint: the result lives on another recording ({at})");
        }
        let updates = r.updates.iter().map(|(_, node)| *node);
        let inner = results.iter().map(|y| y.id).chain(updates).filter(|id| (start..end).contains(&(*id as usize)));
        let mut kept: SmallVec<[u32; 4]> = inner.collect();
        kept.sort_unstable();
        if start == end {
            return;
        }
        r.checkpoints.push(Checkpoint { start: start as u32, end: end as u32, kept });
        r.hide_checkpoint(r.checkpoints.len() - 1);
    }
}

impl<F: Real> Record<F> {
    /// Drops the values of a checkpoint, except leaves and results, and all that its ops saved.
    fn drop_inner(&mut self, which: usize, saved: &mut [Tensor<F>]) {
        let (start, end) = (self.checkpoints[which].start, self.checkpoints[which].end);
        for i in start..end {
            saved[self.saved_range(i as usize)].iter_mut().for_each(Tensor::release);
            if !self.is_leaf(i as usize) && self.checkpoints[which].kept.binary_search(&i).is_err() {
                self.values[i as usize].release();
            }
        }
    }

    /// Computes what a checkpoint dropped, from outside values that are there. Of checkpoints inside, their results.
    fn compute_inner(&mut self, which: usize, saved: &mut [Tensor<F>]) {
        let (start, end) = (self.checkpoints[which].start, self.checkpoints[which].end);
        let mut inner = self.first_inside(which);
        let mut fresh = mem::take(&mut self.fresh);
        for i in start as usize..end as usize {
            self.compute_dropped(i, saved, &mut fresh);
            while inner < which && self.checkpoints[inner].end as usize == i + 1 {
                self.drop_inner(inner, saved);
                inner += 1;
            }
        }
        self.fresh = fresh;
    }

    /// Runs the op of a node again if one of its outputs or what it saved is missing.
    fn compute_dropped(&mut self, i: usize, saved: &mut [Tensor<F>], fresh: &mut Vec<Tensor<F>>) {
        let (outputs, kept) = (i..i + self.nodes[i].outputs as usize, self.saved_range(i));
        let dropped = |all: &[Tensor<F>]| all.iter().any(Tensor::is_released);
        if self.inputs(i).is_empty() || !(dropped(&self.values[outputs]) || dropped(&saved[kept.clone()])) {
            return;
        }
        let x: SmallVec<[&Tensor<F>; 4]> = self.inputs(i).iter().map(|&k| &self.values[k as usize]).collect();
        let outputs = self.ops[i].forward(&x, &mut Saved(Some(fresh)));
        drop(x);
        for (k, y) in outputs.into_iter().enumerate() {
            if self.values[i + k].is_released() {
                self.values[i + k] = y;
            }
        }
        saved[kept].iter_mut().zip(fresh.drain(..)).for_each(|(place, t)| *place = t);
    }

    pub(super) fn hide_checkpoint(&mut self, which: usize) {
        let mut saved = mem::take(&mut self.saved);
        self.drop_inner(which, &mut saved);
        self.saved = saved;
    }

    /// Where those inside a checkpoint begin in the list.
    fn first_inside(&self, which: usize) -> usize {
        self.checkpoints[..which].partition_point(|c| c.end <= self.checkpoints[which].start)
    }

    /// Those that are inside no other, from the first.
    pub(super) fn outer_checkpoints(&self) -> Vec<usize> {
        let (mut outer, mut rest) = (vec![], self.checkpoints.len());
        while rest > 0 {
            outer.push(rest - 1);
            rest = self.first_inside(rest - 1);
        }
        outer.reverse();
        outer
    }

    /// Undoes all checkpoints: the values are there again, and stay.
    pub(super) fn keep_checkpoints(&mut self) {
        let mut saved = mem::take(&mut self.saved);
        // The last ones of each nest come after those inside them, and compute their results first.
        for which in (0..self.checkpoints.len()).rev() {
            self.compute_inner(which, &mut saved);
        }
        self.saved = saved;
        self.checkpoints.clear();
    }

    /// In a replay, when all up to node `i` has been computed: drops what the checkpoints that end there drop.
    pub(super) fn drop_behind(&mut self, i: usize, next: &mut usize) {
        while self.checkpoints.get(*next).is_some_and(|c| c.end as usize == i + 1) {
            self.hide_checkpoint(*next);
            *next += 1;
        }
    }
}

/// A way down through the recording, from border to border of its checkpoints.
pub(super) struct Descent {
    /// How many checkpoints lie ahead.
    ahead: usize,
    /// Those that were entered, outer ones first.
    open: SmallVec<[usize; 4]>,
}

impl Descent {
    pub(super) fn new<F: Real>(r: &Record<F>) -> Self {
        Self { ahead: r.checkpoints.len(), open: SmallVec::new() }
    }

    /// Computes the inner values of each checkpoint that begins, seen from above, at node `hi`; returns where the
    /// next border is. A checkpoint that no cotangent reaches stays as it is.
    pub(super) fn enter<F: Real>(
        &mut self,
        r: &mut Record<F>,
        hi: usize,
        cotangents: &[Option<Tensor<F>>],
        saved: &mut [Tensor<F>],
    ) -> usize {
        while let Some(c) = r.checkpoints[..self.ahead].last() {
            let (start, end) = (c.start as usize, c.end as usize);
            if end < hi {
                break;
            }
            self.ahead -= 1;
            if start < hi {
                self.open.push(self.ahead);
                if cotangents[start..end].iter().any(Option::is_some) {
                    r.compute_inner(self.ahead, saved);
                }
            }
        }
        let below = r.checkpoints[..self.ahead].last().map_or(0, |c| c.end as usize);
        let around = self.open.last().map_or(0, |&k| r.checkpoints[k].start as usize);
        below.max(around)
    }

    /// Drops the inner values of each checkpoint that is passed at node `lo`.
    pub(super) fn leave<F: Real>(&mut self, r: &mut Record<F>, lo: usize, saved: &mut [Tensor<F>]) {
        while let Some(&which) = self.open.last()
            && r.checkpoints[which].start as usize == lo
        {
            r.drop_inner(which, saved);
            self.open.pop();
        }
    }
}
