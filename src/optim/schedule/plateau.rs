use crate::error::{Error, ErrorKind};

/// What is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Less, as of a loss.
    #[default]
    Min,
    /// More, as of an accuracy.
    Max,
}

/// By how much a value must be better than the best one so far to count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// By this part of the best one.
    Relative(f64),
    /// By this much.
    Absolute(f64),
}

/// Lowers the learning rate when a value has not become better for some time: PyTorch's `ReduceLROnPlateau`, with its
/// defaults: what is better is less, by a ten-thousandth; after 10 observations without (`patience`) the rate is divided by
/// 10 at the next one; no `cool_down` and no `floor`. A value that is NaN is not better.
///
/// ```
/// use chainrule::{optim::schedule::Plateau, prelude::*};
/// let mut plateau = Plateau::new(0.1).factor(0.5).patience(2);
/// let mut opt = Sgd::<f32>::new(0.1);
/// for loss in [1.0, 0.9, 0.9, 0.95, 0.9] { // once an epoch
///     opt.set_rate(plateau.observe(loss)?);
/// }
/// assert_eq!(opt.rate(), 0.05);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plateau {
    rate: f64,
    mode: Mode,
    factor: f64,
    patience: u64,
    threshold: Threshold,
    cool_down: u64,
    floor: f64,
    best: Option<f64>,
    bad: u64,
    cooling: u64,
}

impl Plateau {
    /// Begins at this rate.
    pub fn new(rate: f64) -> Self {
        Self {
            rate,
            mode: Mode::Min,
            factor: 0.1,
            patience: 10,
            threshold: Threshold::Relative(1e-4),
            cool_down: 0,
            floor: 0.0,
            best: None,
            bad: 0,
            cooling: 0,
        }
    }

    /// With another idea of what is better.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// With another factor, below 1.
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Lets so many observations in turn go by that are not better.
    pub fn patience(mut self, observations: u64) -> Self {
        self.patience = observations;
        self
    }

    /// With another threshold.
    pub fn threshold(mut self, threshold: Threshold) -> Self {
        self.threshold = threshold;
        self
    }

    /// After the rate was lowered, so many observations do not count as bad.
    pub fn cool_down(mut self, observations: u64) -> Self {
        self.cool_down = observations;
        self
    }

    /// Never below this rate.
    pub fn floor(mut self, rate: f64) -> Self {
        self.floor = rate;
        self
    }

    /// The learning rate now.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Takes a value, and gives the learning rate from here on.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`] for a factor that is not below 1 or settings that are negative or not finite; then the value
    /// has not been taken.
    pub fn observe(&mut self, value: f64) -> Result<f64, Error> {
        self.check()?;
        if self.better(value) {
            self.best = Some(value);
            self.bad = 0;
        } else {
            self.bad += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.bad = 0;
        }
        if self.bad > self.patience {
            let lower = (self.rate * self.factor).max(self.floor);
            // PyTorch's: a change too small to matter is not made.
            if self.rate - lower > 1e-8 {
                self.rate = lower;
            }
            self.cooling = self.cool_down;
            self.bad = 0;
        }
        Ok(self.rate)
    }

    fn better(&self, value: f64) -> bool {
        let Some(best) = self.best else { return !value.is_nan() };
        match (self.mode, self.threshold) {
            (Mode::Min, Threshold::Relative(part)) => value < best * (1.0 - part),
            (Mode::Min, Threshold::Absolute(by)) => value < best - by,
            (Mode::Max, Threshold::Relative(part)) => value > best * (1.0 + part),
            (Mode::Max, Threshold::Absolute(by)) => value > best + by,
        }
    }

    fn check(&self) -> Result<(), Error> {
        let (Threshold::Relative(threshold) | Threshold::Absolute(threshold)) = self.threshold;
        let good = |x: f64| x.is_finite() && x >= 0.0;
        if [self.rate, self.factor, self.floor, threshold].into_iter().all(good) && self.factor < 1.0 {
            return Ok(());
        }
        let message = format!(
            "Plateau: rate, floor and threshold of at least 0 and a factor from 0 to below 1 are needed, got {}, {}, \
             {threshold} and {}",
            self.rate, self.floor, self.factor
        );
        Err(Error::new(ErrorKind::BadData, message))
    }
}
