use super::Schedule;
use crate::{
    core::Module,
    error::Error,
    optim::{Optimizer, Plan},
    tensor::Real,
};

/// An optimizer whose learning rate follows a schedule, by the number of steps that were made. A step that fails or is
/// skipped does not count.
///
/// Its `rate` is that of the step made last, before the first one the optimizer's own, and after `set_rate` the one that was
/// set. `set_rate` keeps the shape of the schedule and changes its height: the next step has this rate, and all later ones
/// change in proportion (where the schedule is at 0, it has no effect). Rates of [`Groups`](crate::optim::Groups) are
/// factors, so they follow too.
#[derive(Clone, Debug)]
pub struct Scheduled<O, S> {
    opt: O,
    schedule: S,
    step: u64,
    factor: f64,
}

impl<O, S: Schedule> Scheduled<O, S> {
    /// From step 0; the optimizer's own rate is replaced in the first step.
    pub fn new(opt: O, schedule: S) -> Self {
        Self { opt, schedule, step: 0, factor: 1.0 }
    }

    /// How many steps were made.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Goes on from another step, for a training that is resumed.
    pub fn at(mut self, step: u64) -> Self {
        self.step = step;
        self
    }

    /// The rate of the next step.
    fn next(&self) -> f64 {
        self.schedule.rate(self.step) * self.factor
    }

    /// The optimizer.
    pub fn into_inner(self) -> O {
        self.opt
    }
}

impl<F: Real, O: Optimizer<F>, S: Schedule> Optimizer<F> for Scheduled<O, S> {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        self.schedule.check()?;
        // A step that is planned may still fail or be skipped.
        let before = self.opt.rate();
        self.opt.set_rate(self.next());
        let planned = self.opt.plan(plan);
        self.opt.set_rate(before);
        planned
    }

    fn apply(&mut self, plan: &Plan<'_, F>, net: &mut dyn Module<F>) {
        self.opt.set_rate(self.next());
        self.opt.apply(plan, net);
        self.step += 1;
    }

    fn rate(&self) -> f64 {
        self.opt.rate()
    }

    fn set_rate(&mut self, rate: f64) {
        let here = self.schedule.rate(self.step);
        if here != 0.0 {
            self.factor = rate / here;
            self.opt.set_rate(rate);
        }
    }
}
