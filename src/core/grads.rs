use crate::{
    core::{
        Param, ParamId, Path, Role,
        clip::scale,
        param::fresh,
        table::{Entry, Table},
    },
    error::{Error, ErrorKind},
    tensor::{Real, Tensor, norm},
};
use std::{fmt, sync::Arc};

/// Gradients by path, independent of the tape; and the next values of running statistics.
///
/// They are plain owned values: sum them ([`add`](Self::add)), send them to another thread, clip them, hand them to an
/// optimizer. What is listed, normed and clipped are the trained parameters on the way to the loss.
///
/// ```
/// use chainrule::prelude::*;
/// let mut g = Grads::from_iter([("w", Tensor::new([2], vec![3.0, 4.0]))]);
/// let clip = g.clip_global_norm(1.0)?;
/// assert_eq!((clip.norm, clip.coef, clip.clipped), (5.0, 0.2, true));
/// assert_eq!(g.get("w").unwrap().data(), [0.6, 0.8]);
/// # Ok::<(), Error>(())
/// ```
pub struct Grads<F: Real = f32> {
    pub(super) table: Arc<Table>,
    /// One per entry of the table; the list itself is pooled.
    pub(super) slots: Vec<Option<Tensor<F>>>,
    /// How many recordings with updates of running statistics it averages.
    replicas: u32,
    /// Whether every entry is known to be finite.
    pub(super) finite: bool,
}

impl<F: Real> Drop for Grads<F> {
    fn drop(&mut self) {
        F::give_list(std::mem::take(&mut self.slots));
    }
}

/// Shares storage until one of the two is written to.
impl<F: Real> Clone for Grads<F> {
    fn clone(&self) -> Self {
        let mut slots = F::take_list();
        slots.extend(self.slots.iter().cloned());
        Self { table: self.table.clone(), slots, ..*self }
    }
}

/// What finds a gradient: a path or a parameter.
pub trait Key<F: Real> {
    #[doc(hidden)]
    fn slot(&self, grads: &Grads<F>) -> Option<usize>;
}
impl<F: Real> Key<F> for &str {
    fn slot(&self, grads: &Grads<F>) -> Option<usize> {
        grads.table.entries().iter().position(|e| *e.path == **self)
    }
}
impl<F: Real> Key<F> for &String {
    fn slot(&self, grads: &Grads<F>) -> Option<usize> {
        self.as_str().slot(grads)
    }
}
impl<F: Real> Key<F> for &Path<'_> {
    fn slot(&self, grads: &Grads<F>) -> Option<usize> {
        grads.table.entries().iter().position(|e| self.is(&e.path))
    }
}
impl<F: Real> Key<F> for &Param<F> {
    fn slot(&self, grads: &Grads<F>) -> Option<usize> {
        grads.table.slot(self.id)
    }
}

impl<F: Real> Grads<F> {
    pub(crate) fn new(table: Arc<Table>) -> Self {
        let mut slots = F::take_list();
        slots.resize(table.entries().len(), None);
        Self { table, slots, replicas: 0, finite: false }
    }

    pub(super) fn count_updates(&mut self, any: bool) {
        self.replicas = u32::from(any);
    }

    #[inline]
    pub(crate) fn put(&mut self, id: ParamId, t: Tensor<F>) {
        if let Some(slot) = self.table.slot(id) {
            self.slots[slot] = Some(t);
        }
    }

    pub(crate) fn trained(&self) -> impl Iterator<Item = (&str, &Tensor<F>)> + Clone {
        self.trained_slots().map(|(_, path, g)| (path, g))
    }

    /// Path and gradient of every trained parameter on the way to the loss, in the module's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor<F>)> {
        self.trained()
    }

    /// The same, for writing.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Tensor<F>)> {
        self.finite = false;
        let all = self.table.entries().iter().zip(&mut self.slots).filter(|(e, _)| e.role == Role::Trained);
        all.filter_map(|(e, g)| Some((&*e.path, g.as_mut()?)))
    }

    /// The gradient at a path (`g.get("hidden.weight")`) or of a parameter (`g.get(&net.hidden.weight)`), or the next
    /// value of a running statistic; `None` where there is none.
    pub fn get(&self, key: impl Key<F>) -> Option<&Tensor<F>> {
        self.slots[key.slot(self)?].as_ref()
    }

    /// The joint Euclidean norm in f64: it neither overflows nor underflows where the norm itself is representable.
    /// NaN if an entry is not finite.
    pub fn norm(&self) -> f64 {
        norm(self.trained().map(|(_, g)| g)).unwrap_or(f64::NAN)
    }

    /// Multiplies every gradient by `c`.
    pub fn scale(&mut self, c: f64) {
        self.iter_mut().for_each(|(_, g)| scale(g.data_mut(), c));
    }

    /// Adds the gradients of another recording of the same module (or a copy of it): gradients are summed by path,
    /// updates of running statistics averaged. For gradient accumulation, follow with `scale(1.0 / parts)`.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if paths, roles or shapes differ; then nothing has changed.
    pub fn add(&mut self, other: &Self) -> Result<(), Error> {
        self.check_addable(other)?;
        let (n, m) = (f64::from(self.replicas), f64::from(other.replicas));
        for ((e, a), b) in self.table.entries().iter().zip(&mut self.slots).zip(&other.slots) {
            match (a, b) {
                (Some(a), Some(b)) if e.role == Role::Trained => F::add_into(a.data_mut(), b.data()),
                (Some(a), Some(b)) => {
                    F::scale_by(F::of(n / (n + m)), a.data_mut());
                    F::axpy(F::of(m / (n + m)), b.data(), a.data_mut());
                }
                (a @ None, Some(b)) => *a = Some(b.clone()),
                (_, None) => {}
            }
        }
        self.replicas += other.replicas;
        self.finite = false;
        Ok(())
    }

    fn check_addable(&self, other: &Self) -> Result<(), Error> {
        let mismatch = |what| Err(Error::new(ErrorKind::Mismatch, format!("add: {what}")));
        let (a, b) = (self.table.entries(), other.table.entries());
        if !Arc::ptr_eq(&self.table, &other.table) {
            if a.len() != b.len() {
                return mismatch(format!(
                    "gradients of a module with {} parameters and of one with {}",
                    a.len(),
                    b.len()
                ));
            }
            if let Some((a, b)) = a.iter().zip(b).find(|(a, b)| a.path != b.path || a.role != b.role) {
                return mismatch(format!("\"{}\" ({:?}) here, \"{}\" ({:?}) there", a.path, a.role, b.path, b.role));
            }
        }
        for ((e, a), b) in a.iter().zip(&self.slots).zip(&other.slots) {
            if let (Some(a), Some(b)) = (a, b)
                && a.shape() != b.shape()
            {
                return mismatch(format!("\"{}\" has shape {} here and {} there", e.path, a.shape(), b.shape()));
            }
        }
        Ok(())
    }
}

/// For tests and gradients made by hand.
impl<F: Real, S: Into<Box<str>>> FromIterator<(S, Tensor<F>)> for Grads<F> {
    fn from_iter<I: IntoIterator<Item = (S, Tensor<F>)>>(all: I) -> Self {
        let (mut entries, mut slots) = (vec![], F::take_list());
        for (path, t) in all {
            entries.push(Entry { path: path.into(), id: fresh(), role: Role::Trained });
            slots.push(Some(t));
        }
        Self { table: Table::new(entries), slots, replicas: 0, finite: false }
    }
}

/// Paths, shapes and norms.
impl<F: Real> fmt::Debug for Grads<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.trained().map(|(path, g)| (path, (g.shape(), g.norm())))).finish()
    }
}
