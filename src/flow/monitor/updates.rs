//! How steps are asked how far they went.
use crate::{
    error::Error,
    optim::{Link, Plan},
    tensor::Real,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A link that asks a step how far it goes if its pass is measured, see [`Monitor::updates`](super::Monitor::updates).
#[derive(Clone, Debug)]
pub struct AskUpdates {
    pub(super) asks: Arc<AtomicBool>,
}

impl<F: Real> Link<F> for AskUpdates {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        if self.asks.load(Ordering::Relaxed) {
            plan.report_updates();
        }
        Ok(())
    }
}
