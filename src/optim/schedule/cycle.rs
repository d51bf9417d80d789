use super::{Schedule, check_number, cosine, line};
use crate::error::{Error, ErrorKind};

/// Up to a highest rate and down again, to a far lower one than the first: PyTorch's `OneCycleLR`, for the rate alone.
///
/// From `highest / 25` to `highest` in the first 30 % of the steps, and to `highest / 25 / 10,000` in the last one, on half
/// cosines; then it stays. With three phases it returns to the first rate in as many steps as it rose, and only then
/// falls to the last. Momentum stays what the optimizer has: PyTorch moves it against the rate, if not told otherwise.
///
/// # Source
/// Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018.
#[derive(Clone, Copy, Debug)]
pub struct OneCycle {
    highest: f64,
    steps: u64,
    rising: f64,
    first: f64,
    last: f64,
    linear: bool,
    three_phases: bool,
}

impl OneCycle {
    /// With this highest rate, over so many steps, of which there must be at least two.
    pub fn new(highest: f64, steps: u64) -> Self {
        Self { highest, steps, rising: 0.3, first: 25.0, last: 1e4, linear: false, three_phases: false }
    }

    /// With another part of the steps in which the rate rises: PyTorch's `pct_start`.
    pub fn rising(mut self, part: f64) -> Self {
        self.rising = part;
        self
    }

    /// Begins at `highest / divisor`: PyTorch's `div_factor`.
    pub fn first(mut self, divisor: f64) -> Self {
        self.first = divisor;
        self
    }

    /// Ends at the first rate over `divisor`: PyTorch's `final_div_factor`.
    pub fn last(mut self, divisor: f64) -> Self {
        self.last = divisor;
        self
    }

    /// On lines instead of cosines.
    pub fn linear(mut self) -> Self {
        self.linear = true;
        self
    }

    /// Back to the first rate before it falls to the last one.
    pub fn three_phases(mut self) -> Self {
        self.three_phases = true;
        self
    }
}

impl Schedule for OneCycle {
    fn rate(&self, step: u64) -> f64 {
        let first = self.highest / self.first;
        let lowest = first / self.last;
        let end = self.steps as f64 - 1.0;
        let top = self.rising * self.steps as f64 - 1.0;
        let back = if self.three_phases { 2.0 * self.rising * self.steps as f64 - 2.0 } else { top };
        let step = (step as f64).min(end);
        let (from, to, start, stop) = match step {
            t if t <= top => (first, self.highest, 0.0, top),
            t if t <= back => (self.highest, first, top, back),
            _ => (if self.three_phases { first } else { self.highest }, lowest, back, end),
        };
        let part = if stop > start { (step - start) / (stop - start) } else { 1.0 };
        if self.linear { line(from, to, part) } else { cosine(from, to, part) }
    }

    fn check(&self) -> Result<(), Error> {
        check_number("OneCycle", "the highest rate", self.highest)?;
        let divisor = |x: f64| x.is_finite() && x > 0.0;
        let most = if self.three_phases { 0.5 } else { 1.0 };
        if self.steps < 2 || !(0.0..=most).contains(&self.rising) || !divisor(self.first) || !divisor(self.last) {
            let message = format!(
                "OneCycle: at least 2 steps, a rising part from 0 to {most} and divisors above 0 are needed, got {}, {}, {} \
                 and {}",
                self.steps, self.rising, self.first, self.last
            );
            return Err(Error::new(ErrorKind::BadData, message));
        }
        Ok(())
    }
}
