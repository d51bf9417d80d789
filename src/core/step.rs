//! What an optimizer needs of gradients: places, checks, and the walk that writes.
use crate::{
    core::{Grads, Module, Path, Role, Table},
    error::{Error, ErrorKind},
    tensor::{Real, Tensor},
};
use std::sync::Arc;

impl<F: Real> Grads<F> {
    /// With the place of each in the table.
    pub(crate) fn trained_slots(&self) -> impl Iterator<Item = (usize, &str, &Tensor<F>)> + Clone {
        let all = self.table.entries().iter().zip(&self.slots).enumerate();
        all.filter(|(_, (e, _))| e.role == Role::Trained).filter_map(|(i, (e, g))| Some((i, &*e.path, g.as_ref()?)))
    }

    pub(crate) fn trained_slot(&self, slot: usize) -> Option<&Tensor<F>> {
        self.slots[slot].as_ref().filter(|_| self.table.entries()[slot].role == Role::Trained)
    }

    pub(crate) fn trained_slot_mut(&mut self, slot: usize) -> Option<&mut Tensor<F>> {
        self.slots[slot].as_mut().filter(|_| self.table.entries()[slot].role == Role::Trained)
    }

    pub(crate) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Path and next value of every running statistic.
    pub(crate) fn statistics(&self) -> impl Iterator<Item = (&str, &Tensor<F>)> {
        let all = self.table.entries().iter().zip(&self.slots).filter(|(e, _)| e.role == Role::Buffer);
        all.filter_map(|(e, v)| Some((&*e.path, v.as_ref()?)))
    }

    /// Whether every entry of a gradient was found to be finite before.
    pub(crate) fn known_finite(&self) -> bool {
        self.finite
    }

    /// Makes every gradient entry that is NaN or infinite 0, except in the slots that `skip` names; how many there were.
    /// Running statistics with such an entry get no next value.
    pub(crate) fn zero_non_finite(&mut self, skip: impl Fn(usize) -> bool) -> usize {
        let (mut count, table) = (0, self.table.clone());
        for (slot, g) in self.slots.iter_mut().enumerate() {
            if table.entries()[slot].role == Role::Buffer {
                g.take_if(|v| !F::all_finite(v.data()));
            }
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
