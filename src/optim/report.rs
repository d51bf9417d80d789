use super::{Link, Plan};
use crate::{core::Table, error::Error, tensor::Real};
use std::{cell::RefCell, fmt, sync::Arc};

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct StepReport {
    /// The joint norm of the gradients that a link measured, before that link scaled them.
    pub norm: Option<f64>,
    /// The factor by which that link scaled them.
    pub coef: Option<f64>,
    /// Whether a link changed the gradients.
    pub clipped: bool,
    /// How many tensors (of `ClipNorm`) and units (of `Agc`) were scaled down.
    pub units: usize,
    /// Whether the step was skipped, because of gradients that were not finite: then nothing has changed.
    pub skipped: bool,
    /// How many gradient entries were not finite and taken for 0.
    pub zeroed: usize,
    /// By how much the parameters changed, if [`ReportUpdates`](super::ReportUpdates) asks for it.
    pub updates: Option<Updates>,
}

/// The norm of the change of each parameter that a step wrote.
///
/// Its norm over that of the parameter itself is the update ratio, of which about 1e-3 is usual.
pub struct Updates {
    table: Arc<Table>,
    /// By slot; NaN where nothing was written. The list is pooled.
    norms: Vec<f64>,
}

thread_local! { static FREE: RefCell<Vec<Vec<f64>>> = const { RefCell::new(Vec::new()) } }

impl Updates {
    pub(super) fn new(table: Arc<Table>) -> Self {
        let mut norms = FREE.try_with(|free| free.borrow_mut().pop()).ok().flatten().unwrap_or_default();
        norms.clear();
        norms.resize(table.entries().len(), f64::NAN);
        Self { table, norms }
    }

    pub(super) fn put(&mut self, slot: usize, norm: f64) {
        self.norms[slot] = norm;
    }

    /// Path and norm of every parameter that was written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        let all = self.table.entries().iter().zip(&self.norms);
        all.filter(|(_, norm)| !norm.is_nan()).map(|(e, norm)| (&*e.path, *norm))
    }

    /// The norm of the change at a path; `None` where nothing was written.
    pub fn get(&self, path: &str) -> Option<f64> {
        self.iter().find(|(p, _)| *p == path).map(|(_, norm)| norm)
    }
}

impl Drop for Updates {
    fn drop(&mut self) {
        let norms = std::mem::take(&mut self.norms);
        let _ = FREE.try_with(|free| {
            if free.borrow().len() < 4 {
                free.borrow_mut().push(norms);
            }
        });
    }
}

impl Clone for Updates {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.table.clone());
        copy.norms.copy_from_slice(&self.norms);
        copy
    }
}

/// The same paths with the same norms.
impl PartialEq for Updates {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A link that asks for the norm of what a step changes, by path, in its report; it changes nothing.
///
/// ```
/// use chainrule::{optim::ReportUpdates, prelude::*};
/// let mut net = Dense::new(3, 2, &mut Rng::seed(1));
/// let mut tape = Tape::new();
/// let loss = net.forward(&tape.begin().constant(&Tensor::ones([1, 3]))).sum();
/// let g = loss.backward(&net)?;
/// let report = (ReportUpdates, Sgd::new(0.5)).step(&mut net, &g)?;
/// let updates = report.updates.unwrap();
/// assert!((updates.get("bias").unwrap() - 0.5 * 2f64.sqrt()).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ReportUpdates;

impl<F: Real> Link<F> for ReportUpdates {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        plan.report_updates();
        Ok(())
    }
}
