use super::{Link, Plan};
use crate::{core::Table, error::Error, kernel::Moved, tensor::Real};
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

/// How far a step moved each parameter that it wrote, and from where.
///
/// The norm of the change over that of the parameter is the update ratio, of which about 1e-3 is usual. Norms have about six
/// digits; in f32 a change of a number below 1e-25 counts as 0, and one above 1e13 makes the norm infinite.
pub struct Updates {
    table: Arc<Table>,
    /// By slot; NaN where nothing was written. The list is pooled.
    moves: Vec<Moved>,
}

thread_local! { static FREE: RefCell<Vec<Vec<Moved>>> = const { RefCell::new(Vec::new()) } }

const NOTHING: Moved = Moved { change: f64::NAN, squares: f64::NAN, sum: f64::NAN };

impl Updates {
    pub(super) fn new(table: Arc<Table>) -> Self {
        let mut moves = FREE.try_with(|free| free.borrow_mut().pop()).ok().flatten().unwrap_or_default();
        moves.clear();
        moves.resize(table.entries().len(), NOTHING);
        Self { table, moves }
    }

    pub(super) fn put(&mut self, slot: usize, moved: Moved) {
        self.moves[slot] = moved;
    }

    /// Path and move of every parameter that was written.
    pub(crate) fn moves(&self) -> impl Iterator<Item = (&str, Moved)> {
        let all = self.table.entries().iter().zip(&self.moves);
        all.filter(|(_, m)| !m.change.is_nan()).map(|(e, m)| (&*e.path, *m))
    }

    /// Path and norm of the change of every parameter that was written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.moves().map(|(path, m)| (path, m.change.sqrt()))
    }

    /// The norm of the change at a path; `None` where nothing was written.
    pub fn get(&self, path: &str) -> Option<f64> {
        self.iter().find(|(p, _)| *p == path).map(|(_, norm)| norm)
    }

    /// The norm of the parameter at a path before the step; `None` where nothing was written.
    pub fn norm_before(&self, path: &str) -> Option<f64> {
        self.moves().find(|(p, _)| *p == path).map(|(_, m)| m.squares.sqrt())
    }
}

impl Drop for Updates {
    fn drop(&mut self) {
        let moves = std::mem::take(&mut self.moves);
        let _ = FREE.try_with(|free| {
            if free.borrow().len() < 4 {
                free.borrow_mut().push(moves);
            }
        });
    }
}

impl Clone for Updates {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.table.clone());
        copy.moves.copy_from_slice(&self.moves);
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
