use super::{
    change::{Joint, change, check_map, is_whole, unit_norm},
    report::{StepReport, Updates},
};
use crate::{
    core::{Grads, Module, Path, non_finite},
    error::Error,
    kernel::{GradientMap, Moved},
    tensor::{Real, Tensor, largest, norm_limited},
};
use std::cell::RefCell;

/// What a step will do: the gradients, and how the links so far change them.
///
/// Links only ever scale gradients or limit their entries, and any sequence of the two is one of each, so an optimizer
/// applies them in the pass that it makes anyway: one scale and limit for all parameters, or one for each unit of each.
pub struct Plan<'a, F: Real> {
    pub(super) grads: &'a Grads<F>,
    /// The module, while planning.
    pub(super) net: Option<&'a dyn Module<F>>,
    pub(super) planned: Planned<F>,
}

/// The part of a plan that outlives planning.
pub(super) struct Planned<F: Real> {
    /// Gradients with zeros for what was not finite, if a link asked for them.
    pub(super) cleaned: Option<Grads<F>>,
    /// Gradients as the links leave them, where an optimizer's loop cannot change them itself.
    changed: Option<Grads<F>>,
    /// The change for all parameters, as long as it is the same.
    pub(super) all: GradientMap,
    pub(super) lists: Lists,
    finite: bool,
    /// Whether the next values of running statistics are known to be finite.
    sound: bool,
    /// Whether a link has read all gradients.
    measured: bool,
    pub(super) report: StepReport,
    /// The norms of updates, where a link asks for them.
    pub(super) updates: Option<RefCell<Updates>>,
}

/// What groups say of a parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// The factor of its learning rate.
    pub(super) rate: f64,
    /// Its weight decay, if not the optimizer's.
    pub(super) decay: Option<f64>,
    pub(super) frozen: bool,
}

impl Group {
    pub(super) const NONE: Self = Self { rate: 1.0, decay: None, frozen: false };
}

/// Lists by slot, empty if all slots are alike. They are pooled: a warm step allocates none.
#[derive(Default)]
pub(super) struct Lists {
    /// The stretch of `maps` that belongs to each slot.
    units: Vec<(usize, usize)>,
    maps: Vec<GradientMap>,
    pub(super) groups: Vec<Group>,
}

thread_local! { static LISTS: RefCell<Vec<Lists>> = const { RefCell::new(Vec::new()) } }

impl Lists {
    fn take() -> Self {
        LISTS.try_with(|free| free.borrow_mut().pop()).ok().flatten().unwrap_or_default()
    }
}

impl Drop for Lists {
    fn drop(&mut self) {
        let Self { units, maps, groups } = self;
        units.clear();
        maps.clear();
        groups.clear();
        let lists = (std::mem::take(units), std::mem::take(maps), std::mem::take(groups));
        let _ = LISTS.try_with(|free| {
            if free.borrow().len() < 4 {
                let (units, maps, groups) = lists;
                free.borrow_mut().push(Self { units, maps, groups });
            }
        });
    }
}

impl<'a, F: Real> Plan<'a, F> {
    pub(super) fn new(grads: &'a Grads<F>, net: &'a dyn Module<F>) -> Self {
        let planned = Planned {
            cleaned: None,
            changed: None,
            all: GradientMap::IDENTITY,
            lists: Lists::take(),
            finite: grads.known_finite(),
            sound: false,
            measured: false,
            report: StepReport::default(),
            updates: None,
        };
        Self { grads, net: Some(net), planned }
    }

    /// The gradients as they came; with 0 for entries that are not finite, if a link treats them so.
    pub fn grads(&self) -> &Grads<F> {
        self.planned.cleaned.as_ref().unwrap_or(self.grads)
    }

    /// Slot, path and gradient of what the step will write.
    fn written(&self) -> impl Iterator<Item = (usize, &str, &Tensor<F>)> + Clone {
        self.grads().trained_slots().filter(|(slot, ..)| !self.group(*slot).frozen)
    }

    pub(super) fn group(&self, slot: usize) -> Group {
        self.planned.lists.groups.get(slot).copied().unwrap_or(Group::NONE)
    }

    /// The changes of each unit of a slot.
    pub(super) fn maps(&self, slot: usize) -> &[GradientMap] {
        let Planned { lists: Lists { units, maps, .. }, all, .. } = &self.planned;
        match units.get(slot) {
            Some(&(start, count)) => &maps[start..start + count],
            None => std::slice::from_ref(all),
        }
    }

    fn non_finite(&self, who: &str, i: usize) -> Error {
        let (_, path, g) = self.written().nth(i).expect("an index of the same walk");
        non_finite(who, "the gradient of", path, g)
    }

    /// All gradients were found to be finite; the next values of running statistics must be too.
    fn found_finite(&mut self, who: &str) -> Result<(), Error> {
        (self.planned.finite, self.planned.measured) = (true, true);
        if !self.planned.sound {
            if let Some((path, v)) = self.grads().statistics().find(|(_, v)| !F::all_finite(v.data())) {
                return Err(non_finite(who, "the running statistic", path, v));
            }
            self.planned.sound = true;
        }
        Ok(())
    }

    /// The joint norm of the gradients as the links so far leave them, without those of frozen groups.
    ///
    /// # Errors
    /// [`ErrorKind::NonFinite`](crate::ErrorKind::NonFinite) names `who` and the first path with an entry that is NaN or
    /// infinite, of a gradient or of the next value of a running statistic.
    pub fn norm(&mut self, who: &str) -> Result<f64, Error> {
        let all = self.planned.all;
        let norm = if self.planned.lists.units.is_empty() {
            let norm = norm_limited(self.written().map(|(.., g)| g), all.limit / all.scale);
            norm.map_err(|i| self.non_finite(who, i))? * all.scale
        } else {
            self.check_finite(who)?;
            let mut joint = Joint::default();
            self.each_unit(|x, map| {
                joint.add(unit_norm(x, map.limit / map.scale).map_or(f64::NAN, |norm| norm * map.scale));
            });
            joint.norm()
        };
        self.found_finite(who)?;
        Ok(norm)
    }

    /// Calls `f` for each unit of what the step writes, with its entries and its change.
    fn each_unit<'s>(&'s self, mut f: impl FnMut(&'s [F], GradientMap)) {
        for (slot, _, g) in self.written() {
            let maps = self.maps(slot);
            let size = g.shape().size() / maps.len().max(1);
            maps.iter().enumerate().for_each(|(unit, map)| f(&g.data()[unit * size..][..size], *map));
        }
    }

    /// How many places there are in the table.
    pub(super) fn slots(&self) -> usize {
        self.grads().table().entries().len()
    }

    /// The gradient of a slot that the step writes.
    fn gradient(&self, slot: usize) -> Option<&Tensor<F>> {
        self.grads().trained_slot(slot).filter(|_| !self.group(slot).frozen)
    }

    pub(super) fn writes(&self, slot: usize) -> bool {
        self.gradient(slot).is_some()
    }

    /// The norm of a unit's finite gradient as the links so far leave it.
    pub(super) fn unit_norm(&self, slot: usize, unit: usize) -> f64 {
        let (Some(g), maps) = (self.gradient(slot), self.maps(slot)) else { return 0.0 };
        let (size, map) = (g.shape().size() / maps.len(), maps[unit]);
        unit_norm(&g.data()[unit * size..][..size], map.limit / map.scale).map_or(f64::NAN, |norm| norm * map.scale)
    }

    /// The norm of a slot's finite gradient, as the links so far leave it; 0 if the step does not write it.
    pub(super) fn slot_norm(&self, slot: usize) -> f64 {
        let mut joint = Joint::default();
        (0..self.maps(slot).len()).for_each(|unit| joint.add(self.unit_norm(slot, unit)));
        joint.norm()
    }

    /// The largest absolute value of an entry of the gradients as the links so far leave them.
    ///
    /// # Errors
    /// As [`norm`](Self::norm).
    pub fn largest(&mut self, who: &str) -> Result<f64, Error> {
        let all = self.planned.all;
        let mapped = |x: f64, map: GradientMap| (x * map.scale).min(map.limit);
        let max = if self.planned.lists.units.is_empty() {
            let raw = largest(self.written().map(|(.., g)| g)).map_err(|i| self.non_finite(who, i))?;
            mapped(raw, all)
        } else {
            self.check_finite(who)?;
            let mut max = 0.0;
            self.each_unit(|x, map| max = f64::max(max, mapped(F::max_abs(x), map)));
            max
        };
        self.found_finite(who)?;
        Ok(max)
    }

    /// Refuses gradients and running statistics that are not finite.
    pub(super) fn check_finite(&mut self, who: &str) -> Result<(), Error> {
        self.planned.measured = true;
        if !self.planned.finite
            && let Some(i) = self.written().position(|(.., g)| !F::all_finite(g.data()))
        {
            return Err(self.non_finite(who, i));
        }
        self.found_finite(who)
    }

    /// Whether a link has read all gradients.
    pub(super) fn measured(&self) -> bool {
        self.planned.measured
    }

    /// The module, with the values before the step.
    pub(super) fn net(&self) -> &'a dyn Module<F> {
        self.net.expect("links plan before the step is made")
    }

    /// Scales all gradients.
    pub fn scale(&mut self, coef: f64) {
        self.planned.all = self.planned.all.scaled(coef);
        self.planned.lists.maps.iter_mut().for_each(|map| *map = map.scaled(coef));
    }

    /// Limits every entry to `-limit..=limit`.
    pub fn limit(&mut self, limit: f64) {
        self.planned.all = self.planned.all.limited(limit);
        self.planned.lists.maps.iter_mut().for_each(|map| *map = map.limited(limit));
    }

    /// Gives each slot changes of its own from here on.
    fn split(&mut self) {
        let slots = self.grads().table().entries().len();
        let Planned { lists: Lists { units, maps, .. }, all, .. } = &mut self.planned;
        if units.is_empty() {
            units.extend((0..slots).map(|slot| (slot, 1)));
            maps.resize(slots, *all);
        }
    }

    /// Cuts a slot into units with a change each, if it has only one.
    pub(super) fn cut(&mut self, slot: usize, count: usize) {
        self.split();
        let Lists { units, maps, .. } = &mut self.planned.lists;
        let (start, one) = units[slot];
        if one != count && one == 1 {
            units[slot] = (maps.len(), count);
            maps.resize(maps.len() + count, maps[start]);
        }
    }

    /// Scales one unit of a slot.
    pub(super) fn scale_unit(&mut self, slot: usize, unit: usize, coef: f64) {
        self.split();
        let Lists { units, maps, .. } = &mut self.planned.lists;
        let map = &mut maps[units[slot].0 + unit];
        *map = map.scaled(coef);
    }

    /// Scales all units of a slot.
    pub(super) fn scale_slot(&mut self, slot: usize, coef: f64) {
        (0..self.maps(slot).len()).for_each(|unit| self.scale_unit(slot, unit, coef));
    }

    /// Skips the whole step: nothing is written, no state advances, running statistics stay.
    pub fn skip(&mut self) {
        self.planned.report.skipped = true;
    }

    /// Whether a link skips the step.
    pub fn skipped(&self) -> bool {
        self.planned.report.skipped
    }

    /// Takes every gradient entry that is NaN or infinite for 0; running statistics with such an entry stay as they are.
    pub fn zero_non_finite(&mut self) {
        let mut cleaned = self.grads().clone();
        let count = cleaned.zero_non_finite(|slot| self.group(slot).frozen);
        self.planned.report.zeroed += count;
        self.planned.finite = true;
        self.planned.cleaned = Some(cleaned);
    }

    /// Puts the joint norm that a link measured, and the factor by which it scales, into the report.
    pub fn report_norm(&mut self, norm: f64, coef: f64) {
        let report = &mut self.planned.report;
        (report.norm, report.coef) = (Some(norm), Some(coef));
        report.clipped |= coef != 1.0;
    }

    /// Puts into the report that a link changed the gradients.
    pub fn report_clipped(&mut self) {
        self.planned.report.clipped = true;
    }

    /// Puts how many units a link scaled down into the report.
    pub(super) fn report_units(&mut self, clipped: usize) {
        self.planned.report.units += clipped;
        self.planned.report.clipped |= clipped > 0;
    }

    /// Asks for the norm of what the step changes, by path, in the report.
    pub fn report_updates(&mut self) {
        let updates = Updates::new(self.grads().table().clone());
        self.planned.updates.get_or_insert(RefCell::new(updates));
    }

    /// What is left to check when all links and the optimizer have planned.
    pub(super) fn check(&mut self, missing: bool) -> Result<(), Error> {
        if missing {
            self.grads().check_missing(|slot| self.group(slot).frozen)?;
        }
        if self.planned.report.skipped {
            return Ok(());
        }
        let Planned { lists: Lists { maps, .. }, all, .. } = &self.planned;
        let maps = if maps.is_empty() { std::slice::from_ref(all) } else { maps };
        maps.iter().try_for_each(|map| check_map::<F>(*map))?;
        let whole = maps.iter().all(|map| is_whole::<F>(*map));
        self.check_finite("step")?;
        if !whole {
            self.change_now();
        }
        Ok(())
    }

    /// Changes the gradients before the step, where the change has factors that the element type cannot hold: the loops of
    /// optimizers multiply by one factor.
    #[cold]
    fn change_now(&mut self) {
        let mut changed = self.grads().clone();
        for slot in (0..self.slots()).filter(|slot| self.writes(*slot)) {
            changed.trained_slot_mut(slot).into_iter().for_each(|g| change(g, self.maps(slot)));
        }
        let Planned { lists: Lists { units, maps, .. }, all, .. } = &mut self.planned;
        *all = GradientMap::IDENTITY;
        units.clear();
        maps.clear();
        self.planned.changed = Some(changed);
    }

    /// Calls `write` for each trained parameter of `net` that is not in a frozen group, and commits running statistics:
    /// what [`Optimizer::apply`](super::Optimizer::apply) is made of.
    pub fn apply(&self, net: &mut dyn Module<F>, mut write: impl FnMut(Update<'_, F>)) {
        self.write(net, |slot, update| {
            let copied = |value: &Tensor<F>| Tensor::build(value.shape(), |out| F::copy(value.data(), out));
            let before = self.planned.updates.as_ref().map(|_| copied(update.value));
            let value = &mut *update.value;
            write(Update { value, ..update });
            if let (Some(before), Some(updates)) = (before, &self.planned.updates) {
                updates.borrow_mut().put(slot, F::moved(before.data(), value.data()));
            }
        });
    }

    /// [`Self::apply`] for loops that measure themselves how far they go: `write` passes [`Update::moved`] on to them.
    pub(super) fn apply_here(&self, net: &mut dyn Module<F>, mut write: impl FnMut(Update<'_, F>)) {
        self.write(net, |slot, update| {
            let mut moved = Moved::default();
            let asked = self.planned.updates.as_ref();
            write(Update { moved: asked.map(|_| &mut moved), ..update });
            if let Some(updates) = asked {
                updates.borrow_mut().put(slot, moved);
            }
        });
    }

    fn write(&self, net: &mut dyn Module<F>, mut write: impl FnMut(usize, Update<'_, F>)) {
        self.planned.changed.as_ref().unwrap_or(self.grads()).apply(net, |slot, path, value, raw| {
            let group = self.group(slot);
            if !group.frozen {
                write(slot, Update { path, value, raw, maps: self.maps(slot), group, moved: None });
            }
        });
    }
}

/// One parameter to be written, with its gradient as the links leave it.
pub struct Update<'a, F: Real> {
    path: &'a Path<'a>,
    /// The parameter.
    pub value: &'a mut Tensor<F>,
    pub(super) raw: &'a Tensor<F>,
    pub(super) maps: &'a [GradientMap],
    group: Group,
    /// Where the loop of an optimizer adds how far it goes.
    pub(super) moved: Option<&'a mut Moved>,
}

impl<F: Real> Update<'_, F> {
    /// Its path.
    pub fn path(&self) -> &Path<'_> {
        self.path
    }

    /// Its gradient, with what the links do to it.
    pub fn gradient(&self) -> Tensor<F> {
        let mut g = self.raw.clone();
        change(&mut g, self.maps);
        g
    }

    /// Its learning rate, where the optimizer's is `rate`.
    pub fn rate(&self, rate: f64) -> f64 {
        rate * self.group.rate
    }

    /// Its weight decay, where the optimizer's is `decay`.
    pub fn decay(&self, decay: f64) -> f64 {
        self.group.decay.unwrap_or(decay)
    }
}
