//! What is known of a run, and how a pass enters it.
use super::{History, Track};
use crate::{
    flow::{
        measure::Passed,
        verdict::{Judge, Running},
    },
    optim::Updates,
};
use std::{collections::HashMap, sync::Arc};

/// A measured pass whose step is to come.
#[derive(Clone)]
pub(super) struct Waiting {
    pub(super) passed: Passed,
    /// The factor of clipping, if a step or `judge` told of it, with the norm.
    pub(super) coef: Option<f64>,
    pub(super) updates: Option<Updates>,
    /// Whether its step has come, or will not.
    pub(super) over: bool,
}

/// What is known of the run.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) running: Running,
    pub(super) judge: Judge,
    pub(super) history: History,
    pub(super) losses: Track,
    pub(super) norms: Track,
    /// The last known norm and sum of each parameter.
    pub(super) params: HashMap<Arc<str>, (f64, f64)>,
}

/// Rows that are kept: one for each layer, recurrent layer and parameter of a measured pass.
const ROWS: usize = 30_000;
impl Seen {
    pub(super) fn new(judge: Judge) -> Self {
        Self {
            running: Running::default(),
            judge,
            history: History::new(ROWS),
            losses: Track::default(),
            norms: Track::default(),
            params: HashMap::new(),
        }
    }

    pub(super) fn note(&mut self, step: u64, norm: f64, coef: f64) {
        self.running.norm(norm, coef);
        self.norms.push(step, norm, coef);
        self.judge.spike(step, &self.running);
    }

    /// What a pass showed, with its step.
    pub(super) fn settle(&mut self, waiting: Waiting) {
        let Waiting { passed: Passed { mut sample, chain, .. }, coef, updates, .. } = waiting;
        sample.coef = coef.unwrap_or(1.0);
        if let Some(updates) = updates {
            sample.moved(updates.moves(), &chain.by_path);
        }
        sample.remember(&mut self.params);
        sample.weigh();
        self.judge.sample(&sample, &self.running);
        self.history.push(sample);
    }
}
