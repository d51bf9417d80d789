use crate::{
    core::{
        Module, Param, ParamId, Path, Role,
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
    table: Arc<Table>,
    /// One per entry of the table; the list itself is pooled.
    slots: Vec<Option<Tensor<F>>>,
    /// How many recordings with updates of running statistics it averages.
    replicas: u32,
    /// Whether every entry is known to be finite.
    finite: bool,
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

/// What [`Grads::clip_global_norm`] did.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Clipped {
    /// The joint norm before clipping.
    pub norm: f64,
    /// By which every gradient was multiplied.
    pub coef: f64,
    /// Whether anything changed.
    pub clipped: bool,
}

impl Clipped {
    /// What clipping a joint norm to `limit` does. A norm that overflows is refused: its coefficient would be 0.
    pub(crate) fn of(who: &str, norm: f64, limit: f64) -> Result<Self, Error> {
        if norm == f64::INFINITY {
            let message =
                format!("{who}: the joint norm of the gradients is too large for f64, though every entry is finite");
            return Err(Error::new(ErrorKind::NonFinite, message));
        }
        let clipped = norm > limit;
        Ok(Self { norm, coef: if clipped { limit / norm } else { 1.0 }, clipped })
    }
}

/// What [`Grads::clip_value`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClippedValues {
    /// How many entries were outside the limits.
    pub clipped: usize,
    /// How many entries there are.
    pub entries: usize,
}

/// A limit of clipping must be a positive number, also in the element type.
pub(crate) fn check_limit<F: Real>(who: &str, limit: f64) -> Result<(), Error> {
    if F::of(limit) > F::zero() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::BadData, format!("{who}: the limit must be greater than 0 in {}, got {limit}", F::NAME)))
}

impl<F: Real> Grads<F> {
    pub(super) fn new(table: Arc<Table>) -> Self {
        let mut slots = F::take_list();
        slots.resize(table.entries().len(), None);
        Self { table, slots, replicas: 0, finite: false }
    }

    pub(super) fn count_updates(&mut self, any: bool) {
        self.replicas = u32::from(any);
    }

    #[inline]
    pub(super) fn put(&mut self, id: ParamId, t: Tensor<F>) {
        if let Some(slot) = self.table.slot(id) {
            self.slots[slot] = Some(t);
        }
    }

    pub(crate) fn trained(&self) -> impl Iterator<Item = (&str, &Tensor<F>)> + Clone {
        self.trained_slots().map(|(_, path, g)| (path, g))
    }

    /// With the place of each in the table.
    pub(crate) fn trained_slots(&self) -> impl Iterator<Item = (usize, &str, &Tensor<F>)> + Clone {
        let all = self.table.entries().iter().zip(&self.slots).enumerate();
        all.filter(|(_, (e, _))| e.role == Role::Trained).filter_map(|(i, (e, g))| Some((i, &*e.path, g.as_ref()?)))
    }

    pub(crate) fn trained_slot(&self, slot: usize) -> Option<&Tensor<F>> {
        self.slots[slot].as_ref().filter(|_| self.table.entries()[slot].role == Role::Trained)
    }

    pub(crate) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Whether every entry was found to be finite before.
    pub(crate) fn known_finite(&self) -> bool {
        self.finite
    }

    /// Makes every entry that is NaN or infinite 0, except in the slots that `skip` names; how many there were.
    pub(crate) fn zero_non_finite(&mut self, skip: impl Fn(usize) -> bool) -> usize {
        let (mut count, table) = (0, self.table.clone());
        for (slot, g) in self.slots.iter_mut().enumerate() {
            let Some(g) = g.as_mut().filter(|_| table.entries()[slot].role == Role::Trained && !skip(slot)) else {
                continue;
            };
            if !F::all_finite(g.data()) {
                for x in g.data_mut().iter_mut().filter(|x| !x.is_finite()) {
                    *x = F::zero();
                    count += 1;
                }
            }
        }
        count
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
        // A factor that the element type cannot hold with all its digits is applied in two.
        let whole = c == 0.0 || F::of(c).is_normal();
        let parts = if whole { [c, 1.0] } else { [c.abs().sqrt().copysign(c), c.abs().sqrt()] };
        for (_, g) in self.iter_mut() {
            for part in &parts[..if whole { 1 } else { 2 }] {
                F::scale_by(F::of(*part), g.data_mut());
            }
        }
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

    /// Scales all gradients by one factor so that their joint norm is at most `limit`.
    ///
    /// `n = sqrt(sum of g_i^2 over all parameters)`; each `g` becomes `g * min(1, limit / n)`, exactly (without the 1e-6
    /// that PyTorch adds to `n`). Unlike clipping each tensor by itself, this keeps the direction of the step.
    ///
    /// # Errors
    /// [`ErrorKind::NonFinite`] names the first parameter with a NaN or infinite gradient, [`ErrorKind::BadData`] a limit
    /// that is not greater than 0; then nothing has changed.
    ///
    /// # Source
    /// Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", 2013, Algorithm 1.
    pub fn clip_global_norm(&mut self, limit: f64) -> Result<Clipped, Error> {
        check_limit::<F>("clip_global_norm", limit)?;
        let norm = match norm(self.trained().map(|(_, g)| g)) {
            Ok(norm) => norm,
            Err(i) => return Err(self.non_finite("clip_global_norm", i)),
        };
        let clip = Clipped::of("clip_global_norm", norm, limit)?;
        if clip.clipped {
            self.scale(clip.coef);
        }
        self.finite = true;
        Ok(clip)
    }

    /// Limits every entry to `-limit..=limit`.
    ///
    /// # Errors
    /// [`ErrorKind::NonFinite`] names the first parameter with a NaN or infinite gradient, [`ErrorKind::BadData`] a limit
    /// that is not greater than 0; then nothing has changed.
    ///
    /// # Source
    /// Mikolov, "Statistical language models based on neural networks", 2012.
    pub fn clip_value(&mut self, limit: f64) -> Result<ClippedValues, Error> {
        check_limit::<F>("clip_value", limit)?;
        self.check_finite("clip_value")?;
        let mut done = ClippedValues { clipped: 0, entries: 0 };
        for (_, g) in self.iter_mut() {
            done.entries += g.shape().size();
            done.clipped += F::clamp_abs(g.data_mut(), F::of(limit));
        }
        self.finite = true;
        Ok(done)
    }

    /// An error that names the first path with a NaN or infinite entry.
    pub(crate) fn check_finite(&self, who: &str) -> Result<(), Error> {
        if self.finite {
            return Ok(());
        }
        match self.trained().position(|(_, g)| !F::all_finite(g.data())) {
            None => Ok(()),
            Some(i) => Err(self.non_finite(who, i)),
        }
    }

    #[cold]
    pub(crate) fn non_finite(&self, who: &str, i: usize) -> Error {
        let (path, g) = self.trained().nth(i).expect("an index of the same walk");
        let bad = g.data().iter().position(|x| !x.is_finite()).unwrap_or(0);
        let message = format!(
            "{who}: the gradient of \"{path}\" is not finite: entry {bad} of {} is {}",
            g.shape().size(),
            g.data()[bad]
        );
        Error::new(ErrorKind::NonFinite, message)
    }

    /// What a step needs before it may change anything: the module's own paths and shapes. Whether a trained parameter has
    /// no gradient is the answer: [`check_missing`](Self::check_missing) makes an error of it.
    pub(crate) fn check(&self, net: &dyn Module<F>) -> Result<bool, Error> {
        let entries = self.table.entries();
        let (mut i, mut missing, mut mismatch) = (0, false, None);
        net.visit_at(&Path::ROOT, &mut |path, p| {
            match entries.get(i) {
                Some(e) if path.is(&e.path) && e.role != p.role() => {
                    let (was, is) = (e.role, p.role());
                    mismatch.get_or_insert_with(|| format!("\"{path}\" was {was:?} in backward and is {is:?} now"));
                }
                Some(e) if path.is(&e.path) => match &self.slots[i] {
                    Some(g) if g.shape() != p.value.shape() => {
                        let (g, p) = (g.shape(), p.value.shape());
                        mismatch.get_or_insert_with(|| format!("\"{path}\" has shape {p}, its gradient {g}"));
                    }
                    None => missing |= p.role() == Role::Trained,
                    _ => {}
                },
                _ => _ = mismatch.get_or_insert_with(|| format!("these gradients have no place for \"{path}\"")),
            }
            i += 1;
        });
        if i < entries.len() {
            mismatch.get_or_insert_with(|| format!("the module has no parameter \"{}\"", entries[i].path));
        }
        match mismatch {
            Some(what) => Err(Error::new(ErrorKind::Mismatch, format!("step: {what}"))),
            None => Ok(missing),
        }
    }

    /// An error that names every trained parameter without a gradient, except in the slots that `skip` names.
    pub(crate) fn check_missing(&self, skip: impl Fn(usize) -> bool) -> Result<(), Error> {
        let all = self.table.entries().iter().zip(&self.slots).enumerate();
        let missing = all.filter(|(i, (e, g))| e.role == Role::Trained && g.is_none() && !skip(*i));
        let paths: Vec<_> = missing.map(|(_, (e, _))| format!("\"{}\"", e.path)).collect();
        if paths.is_empty() {
            return Ok(());
        }
        let paths = paths.join(", ");
        let message =
            format!("step: no gradient for {paths}: not on the path from the loss; freeze it if that is meant");
        Err(Error::new(ErrorKind::NoGradient, message))
    }

    /// Runs `write` on each trained parameter with its slot, path and gradient, and commits running statistics; after `check`.
    pub(crate) fn apply(
        &self,
        net: &mut dyn Module<F>,
        mut write: impl FnMut(usize, &Path<'_>, &mut Tensor<F>, &Tensor<F>),
    ) {
        let mut slots = self.slots.iter().enumerate();
        net.visit_mut_at(&Path::ROOT, &mut |path, p| {
            let Some((i, slot)) = slots.next() else { return };
            match (p.role(), slot) {
                (Role::Trained, Some(g)) => write(i, path, &mut p.value, g),
                (Role::Buffer, Some(v)) => p.value = v.clone(),
                _ => {}
            }
        });
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
