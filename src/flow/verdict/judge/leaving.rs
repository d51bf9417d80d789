//! Parameters that start from 0: their first steps are large beside them at any learning rate.
use crate::flow::{Sample, verdict::limits::UPDATE_NOTICE};
use std::{collections::HashMap, sync::Arc};

/// Layers and parameters that were 0 at the first sample and still grow by their steps alone, with the last pass and norm.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaving {
    layers: Option<Known>,
    params: Option<Known>,
}

type Known = HashMap<Arc<str>, Norm>;

#[derive(Clone, Copy, Debug)]
struct Norm {
    /// The last pass at which it was 0, and the last measured one.
    zero: u64,
    pass: u64,
    norm: f64,
}

impl Leaving {
    /// Takes their update ratios out of a sample.
    pub(super) fn mask(&mut self, now: &mut Sample) {
        let layers = now.layers.iter_mut().map(|l| (&l.path, l.weight, &mut l.update));
        pass(&mut self.layers, now.step, layers);
        let params = now.params.iter_mut().map(|p| (&p.path, p.value, &mut p.update));
        pass(&mut self.params, now.step, params);
    }
}

fn pass<'a>(known: &mut Option<Known>, step: u64, all: impl Iterator<Item = (&'a Arc<str>, f64, &'a mut f64)>) {
    let first = known.is_none();
    let known = known.get_or_insert_default();
    for (path, norm, update) in all {
        if first && norm == 0.0 {
            known.insert(path.clone(), Norm { zero: step, pass: step, norm });
        }
        let Some(before) = known.get_mut(path) else { continue };
        if before.grows_to(norm, step) {
            *update = f64::NAN;
        } else {
            known.remove(path);
        }
    }
}

impl Norm {
    /// Equal steps from 0 give ratios of 1, 1/2, 1/3, ..: until these are small, they and the growth are the same.
    fn grows_to(&mut self, norm: f64, step: u64) -> bool {
        if norm == 0.0 {
            (self.zero, self.pass, self.norm) = (step, step, norm);
            return true;
        }
        let passes = step.saturating_sub(self.pass).max(1) as f64;
        let growth = (norm / self.norm).powf(1.0 / passes) - 1.0;
        (self.pass, self.norm) = (step, norm);
        growth > UPDATE_NOTICE && (step - self.zero) as f64 <= 1.0 / UPDATE_NOTICE
    }
}
