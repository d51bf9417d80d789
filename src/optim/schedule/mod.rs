//! Learning rates over the steps of a training.
//!
//! A schedule is a pure function: [`rate(step)`](Schedule::rate) with steps from 0. It can be read by hand,
//! `opt.set_rate(schedule.rate(t))`, or be tied to an optimizer, which then counts its own steps:
//!
//! ```
//! use chainrule::{optim::{AdamW, schedule::{Cosine, Schedule, Scheduled}}, prelude::*};
//! let schedule = Cosine::new(1e-3, 1000).floor(1e-5).warm_up(100);
//! let mut opt = (ClipGlobalNorm::new(1.0), Scheduled::new(AdamW::new(1e-3), schedule));
//! # let mut w = Param::new(Tensor::scalar(1.0));
//! # let g = Grads::from_iter([("", Tensor::scalar(1.0))]);
//! opt.step(&mut w, &g)?;
//! assert_eq!(opt.rate(), 1e-5); // one hundredth in the first step
//! # Ok::<(), Error>(())
//! ```
//!
//! Schedules are put together by [`warm_up`](Schedule::warm_up), [`then`](Schedule::then) and [`times`](Schedule::times). A
//! closure is a schedule too. Only [`Plateau`], which listens to the loss, is no pure function.
mod compose;
mod cycle;
mod driver;
mod plateau;
mod shapes;

pub use compose::{Then, Times, WarmUp};
pub use cycle::OneCycle;
pub use driver::Scheduled;
pub use plateau::{Mode, Plateau, Threshold};
pub use shapes::{Constant, Cosine, Exponential, InverseSqrt, Linear, MultiStep, Step};

use crate::error::{Error, ErrorKind};

/// A learning rate for each step.
pub trait Schedule {
    /// The learning rate of a step; the first one is 0.
    fn rate(&self, step: u64) -> f64;

    /// Refuses settings that make no sense; [`Scheduled`] asks before each step.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`] names the schedule and the setting.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Begins with `steps` steps in which the rate grows to this schedule's first one, in equal parts: `rate(0) / steps`
    /// first, `rate(0)` last. Then this schedule begins, with its own step 0.
    fn warm_up(self, steps: u64) -> WarmUp<Self>
    where
        Self: Sized,
    {
        WarmUp::new(self, steps)
    }

    /// Another schedule from step `at` on, where it begins with its own step 0.
    fn then<N: Schedule>(self, at: u64, next: N) -> Then<Self, N>
    where
        Self: Sized,
    {
        Then::new(self, at, next)
    }

    /// The product of two: one of them is a factor, such as `Step::new(1.0, 30, 0.1)`.
    fn times<N: Schedule>(self, other: N) -> Times<Self, N>
    where
        Self: Sized,
    {
        Times::new(self, other)
    }
}

/// A function of the step.
impl<R: Fn(u64) -> f64> Schedule for R {
    fn rate(&self, step: u64) -> f64 {
        self(step)
    }
}

/// One chosen when the program runs.
impl Schedule for Box<dyn Schedule> {
    fn rate(&self, step: u64) -> f64 {
        (**self).rate(step)
    }
    fn check(&self) -> Result<(), Error> {
        (**self).check()
    }
}

/// A rate or a factor must be finite and not negative.
fn check_number(who: &str, what: &str, value: f64) -> Result<(), Error> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::BadData, format!("{who}: {what} must be at least 0 and finite, got {value}")))
}

/// A count must not be 0.
fn check_steps(who: &str, what: &str, steps: u64) -> Result<(), Error> {
    if steps > 0 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::BadData, format!("{who}: {what} must be at least 1, got 0")))
}

/// How far a step is on the way, from 0 to 1; a way of no steps is at its end.
fn progress(step: u64, steps: u64) -> f64 {
    if step >= steps { 1.0 } else { step as f64 / steps as f64 }
}

/// From `from` to `to` on half a cosine; exact at both ends.
fn cosine(from: f64, to: f64, part: f64) -> f64 {
    let weight = 0.5 * (1.0 + (std::f64::consts::PI * part).cos());
    from * weight + to * (1.0 - weight)
}

/// From `from` to `to` on a line; exact at both ends.
fn line(from: f64, to: f64, part: f64) -> f64 {
    from * (1.0 - part) + to * part
}
