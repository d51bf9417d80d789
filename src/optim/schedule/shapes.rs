use super::{Schedule, check_number, check_steps, cosine, line, progress};
use crate::error::{Error, ErrorKind};

/// Always the same rate.
#[derive(Clone, Copy, Debug)]
pub struct Constant {
    rate: f64,
}

impl Constant {
    /// Always this rate.
    pub fn new(rate: f64) -> Self {
        Self { rate }
    }
}

impl Schedule for Constant {
    fn rate(&self, _: u64) -> f64 {
        self.rate
    }
    fn check(&self) -> Result<(), Error> {
        check_number("Constant", "the rate", self.rate)
    }
}

/// `rate * factor^(step / every)`, rounded down: PyTorch's `StepLR`.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    rate: f64,
    every: u64,
    factor: f64,
}

impl Step {
    /// Times `factor` every so many steps, of which there must be at least one.
    pub fn new(rate: f64, every: u64, factor: f64) -> Self {
        Self { rate, every, factor }
    }
}

impl Schedule for Step {
    fn rate(&self, step: u64) -> f64 {
        let times = step.checked_div(self.every);
        times.map_or(f64::NAN, |times| self.rate * self.factor.powf(times as f64))
    }
    fn check(&self) -> Result<(), Error> {
        check_number("Step", "the rate", self.rate)?;
        check_number("Step", "the factor", self.factor)?;
        check_steps("Step", "the number of steps", self.every)
    }
}

/// `rate * factor^k`, where `k` milestones have been reached: PyTorch's `MultiStepLR`.
#[derive(Clone, Debug)]
pub struct MultiStep {
    rate: f64,
    milestones: Vec<u64>,
    factor: f64,
}

impl MultiStep {
    /// Times `factor` at each of these steps.
    pub fn new(rate: f64, milestones: impl Into<Vec<u64>>, factor: f64) -> Self {
        let mut milestones = milestones.into();
        milestones.sort_unstable();
        Self { rate, milestones, factor }
    }
}

impl Schedule for MultiStep {
    fn rate(&self, step: u64) -> f64 {
        let reached = self.milestones.partition_point(|m| *m <= step);
        self.rate * self.factor.powf(reached as f64)
    }
    fn check(&self) -> Result<(), Error> {
        check_number("MultiStep", "the rate", self.rate)?;
        check_number("MultiStep", "the factor", self.factor)
    }
}

/// `rate * factor^step`: PyTorch's `ExponentialLR`.
#[derive(Clone, Copy, Debug)]
pub struct Exponential {
    rate: f64,
    factor: f64,
}

impl Exponential {
    /// Times `factor` in each step.
    pub fn new(rate: f64, factor: f64) -> Self {
        Self { rate, factor }
    }
}

impl Schedule for Exponential {
    fn rate(&self, step: u64) -> f64 {
        self.rate * self.factor.powf(step as f64)
    }
    fn check(&self) -> Result<(), Error> {
        check_number("Exponential", "the rate", self.rate)?;
        check_number("Exponential", "the factor", self.factor)
    }
}

/// On a line from one rate to another, and there it stays: PyTorch's `LinearLR` (which takes factors).
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    from: f64,
    to: f64,
    steps: u64,
}

impl Linear {
    /// From `from` at step 0 to `to` at step `steps`.
    pub fn new(from: f64, to: f64, steps: u64) -> Self {
        Self { from, to, steps }
    }
}

impl Schedule for Linear {
    fn rate(&self, step: u64) -> f64 {
        line(self.from, self.to, progress(step, self.steps))
    }
    fn check(&self) -> Result<(), Error> {
        check_number("Linear", "the first rate", self.from)?;
        check_number("Linear", "the last rate", self.to)
    }
}

/// `floor + (rate - floor) (1 + cos(pi step / steps)) / 2`, and there it stays: PyTorch's `CosineAnnealingLR`, which rises
/// again after its last step.
///
/// # Source
/// Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017, equation 5.
#[derive(Clone, Copy, Debug)]
pub struct Cosine {
    rate: f64,
    steps: u64,
    floor: f64,
}

impl Cosine {
    /// From `rate` at step 0 to 0 at step `steps`.
    pub fn new(rate: f64, steps: u64) -> Self {
        Self { rate, steps, floor: 0.0 }
    }

    /// With another last rate.
    pub fn floor(mut self, rate: f64) -> Self {
        self.floor = rate;
        self
    }
}

impl Schedule for Cosine {
    fn rate(&self, step: u64) -> f64 {
        cosine(self.rate, self.floor, progress(step, self.steps))
    }
    fn check(&self) -> Result<(), Error> {
        check_number("Cosine", "the rate", self.rate)?;
        check_number("Cosine", "the floor", self.floor)
    }
}

/// `rate * min(sqrt(warm_up / t), t / warm_up)` with `t = step + 1`: grows on a line to `rate`, then falls with the root.
///
/// The paper's own is the one with `rate = (size * warm_up)^-0.5`, for a model of this size.
///
/// # Source
/// Vaswani et al., "Attention is all you need", 2017, equation 3.
#[derive(Clone, Copy, Debug)]
pub struct InverseSqrt {
    rate: f64,
    warm_up: u64,
}

impl InverseSqrt {
    /// With its highest rate after `warm_up` steps, of which there must be at least one.
    pub fn new(rate: f64, warm_up: u64) -> Self {
        Self { rate, warm_up }
    }
}

impl Schedule for InverseSqrt {
    fn rate(&self, step: u64) -> f64 {
        let (t, top) = (step as f64 + 1.0, self.warm_up as f64);
        self.rate * (top / t).sqrt().min(t / top)
    }
    fn check(&self) -> Result<(), Error> {
        check_number("InverseSqrt", "the rate", self.rate)?;
        if self.warm_up == 0 {
            let message = "InverseSqrt: at least 1 step of warm-up is needed, got 0";
            return Err(Error::new(ErrorKind::BadData, message));
        }
        Ok(())
    }
}
