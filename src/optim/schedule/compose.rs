use super::{Schedule, check_number, line, progress};
use crate::error::Error;

/// Made by [`Schedule::warm_up`].
#[derive(Clone, Copy, Debug)]
pub struct WarmUp<S> {
    then: S,
    steps: u64,
    /// The first factor; `None` for one part of `steps`.
    from: Option<f64>,
}

impl<S: Schedule> WarmUp<S> {
    pub(super) fn new(then: S, steps: u64) -> Self {
        Self { then, steps, from: None }
    }

    /// Begins at `factor` times the first rate, and reaches it in the step after the warm-up: PyTorch's `LinearLR` in a
    /// `SequentialLR`.
    pub fn from(mut self, factor: f64) -> Self {
        self.from = Some(factor);
        self
    }
}

impl<S: Schedule> Schedule for WarmUp<S> {
    fn rate(&self, step: u64) -> f64 {
        match (step.checked_sub(self.steps), self.from) {
            (Some(step), _) => self.then.rate(step),
            (None, Some(from)) => self.then.rate(0) * line(from, 1.0, progress(step, self.steps)),
            (None, None) => self.then.rate(0) * ((step + 1) as f64 / self.steps as f64),
        }
    }
    fn check(&self) -> Result<(), Error> {
        check_number("WarmUp", "the first factor", self.from.unwrap_or(0.0))?;
        self.then.check()
    }
}

/// Made by [`Schedule::then`].
#[derive(Clone, Copy, Debug)]
pub struct Then<S, N> {
    first: S,
    at: u64,
    next: N,
}

impl<S: Schedule, N: Schedule> Then<S, N> {
    pub(super) fn new(first: S, at: u64, next: N) -> Self {
        Self { first, at, next }
    }
}

impl<S: Schedule, N: Schedule> Schedule for Then<S, N> {
    fn rate(&self, step: u64) -> f64 {
        step.checked_sub(self.at).map_or_else(|| self.first.rate(step), |step| self.next.rate(step))
    }
    fn check(&self) -> Result<(), Error> {
        self.first.check()?;
        self.next.check()
    }
}

/// Made by [`Schedule::times`].
#[derive(Clone, Copy, Debug)]
pub struct Times<S, N> {
    first: S,
    other: N,
}

impl<S: Schedule, N: Schedule> Times<S, N> {
    pub(super) fn new(first: S, other: N) -> Self {
        Self { first, other }
    }
}

impl<S: Schedule, N: Schedule> Schedule for Times<S, N> {
    fn rate(&self, step: u64) -> f64 {
        self.first.rate(step) * self.other.rate(step)
    }
    fn check(&self) -> Result<(), Error> {
        self.first.check()?;
        self.other.check()
    }
}
