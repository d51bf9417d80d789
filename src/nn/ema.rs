use crate::{
    core::{Module, Role},
    error::{Error, ErrorKind},
    tensor::{Real, Tensor},
};

/// An exponential moving average of a module's weights, which often does better on new data than the last weights.
///
/// After each step of the optimizer, `average += (1 - decay) (weights - average)`, for trained parameters; buffers and frozen
/// parameters are taken as they are. It begins with the first weights it sees.
///
/// ```
/// use chainrule::prelude::*;
/// let mut net = Dense::new(2, 1, &mut Rng::seed(1));
/// let mut ema = Ema::new(0.5)?;
/// for x in [1.0, 2.0, 4.0] {
///     net.set("bias", Tensor::full([1], x))?;   // in earnest: opt.step(&mut net, &g)?
///     ema.update(&net)?;
/// }
/// ema.swap(&mut net)?;                          // the average is in the network: evaluate it
/// assert_eq!(net.param("bias")?.value.data(), [2.75]);
/// ema.swap(&mut net)?;                          // and back to training
/// assert_eq!(net.param("bias")?.value.data(), [4.0]);
/// # Ok::<(), Error>(())
/// ```
///
/// # Source
/// Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
#[derive(Clone, Debug)]
pub struct Ema<F: Real = f32> {
    decay: f64,
    corrected: bool,
    steps: u64,
    /// By path, in the module's order.
    values: Vec<(Box<str>, Tensor<F>)>,
    swapped: bool,
}

impl<F: Real> Ema<F> {
    /// An average that keeps the share `decay` of itself at each update; common values are 0.99 to 0.9999.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`] unless it is at least 0 and below 1.
    pub fn new(decay: f64) -> Result<Self, Error> {
        if (0.0..1.0).contains(&decay) {
            return Ok(Self { decay, corrected: false, steps: 0, values: vec![], swapped: false });
        }
        Err(Error::new(ErrorKind::BadData, format!("Ema: the decay must be at least 0 and below 1, got {decay}")))
    }

    /// Without the bias towards the first weights: update `t` has rate `(1 - decay) / (1 - decay^t)`, so that the average is
    /// that of all weights seen, each with its share `decay^age`, as in Adam.
    pub fn bias_corrected(self) -> Self {
        Self { corrected: true, ..self }
    }

    /// How many updates there were.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Takes in the weights of `net`.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if paths or shapes are not those of the first update, [`ErrorKind::NonFinite`] names the first
    /// path with a NaN or infinite weight, [`ErrorKind::BadData`] if the average is swapped into a network. Then nothing has
    /// changed.
    pub fn update(&mut self, net: &impl Module<F>) -> Result<(), Error> {
        if self.swapped {
            return Err(Error::new(
                ErrorKind::BadData,
                "Ema::update: the average is in the network; swap it back first",
            ));
        }
        let mut bad = None;
        net.visit(|path, p| {
            if bad.is_none() && !F::all_finite(p.value.data()) {
                bad = Some(format!("Ema::update: \"{path}\" is not finite"));
            }
        });
        if let Some(message) = bad {
            return Err(Error::new(ErrorKind::NonFinite, message));
        }
        if self.steps == 0 {
            self.values.clear();
            net.visit(|path, p| self.values.push((path.to_string().into(), p.value.clone())));
        }
        self.check("Ema::update", net)?;
        self.steps += 1;
        let rate = 1.0 - self.decay;
        let rate = if self.corrected { rate / (1.0 - self.decay.powf(self.steps as f64)) } else { rate };
        let mut values = self.values.iter_mut();
        net.visit(|_, p| match values.next() {
            Some((_, average)) if p.role() == Role::Trained => {
                F::lerp_into(F::of(rate), p.value.data(), average.data_mut());
            }
            Some((_, copy)) => *copy = p.value.clone(),
            None => {}
        });
        Ok(())
    }

    /// Writes the average into a network of the same paths and shapes, for instance a clone.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if paths or shapes differ, [`ErrorKind::BadData`] before the first update and while the average
    /// is swapped into a network. Then nothing has changed.
    pub fn store_into(&self, net: &mut impl Module<F>) -> Result<(), Error> {
        self.ready("Ema::store_into")?;
        self.check("Ema::store_into", net)?;
        if self.swapped {
            return Err(Error::new(
                ErrorKind::BadData,
                "Ema::store_into: the average is in a network; swap it back first",
            ));
        }
        let mut values = self.values.iter();
        net.visit_mut(|_, p| {
            if let Some((_, average)) = values.next() {
                p.value = average.clone();
            }
        });
        Ok(())
    }

    /// Exchanges the average and the weights of the network: before an evaluation, and again after it.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if paths or shapes differ, [`ErrorKind::BadData`] before the first update. Then nothing has
    /// changed.
    pub fn swap(&mut self, net: &mut impl Module<F>) -> Result<(), Error> {
        self.ready("Ema::swap")?;
        self.check("Ema::swap", net)?;
        let mut values = self.values.iter_mut();
        net.visit_mut(|_, p| {
            if let Some((_, average)) = values.next() {
                std::mem::swap(&mut p.value, average);
            }
        });
        self.swapped = !self.swapped;
        Ok(())
    }

    fn ready(&self, who: &str) -> Result<(), Error> {
        if self.steps > 0 {
            return Ok(());
        }
        Err(Error::new(ErrorKind::BadData, format!("{who}: there is no average yet; update it first")))
    }

    fn check(&self, who: &str, net: &impl Module<F>) -> Result<(), Error> {
        let (mut i, mut differs) = (0, None);
        net.visit(|path, p| {
            let what = match self.values.get(i) {
                Some((known, average)) if path.is(known) => {
                    let (is, was) = (p.value.shape(), average.shape());
                    (is != was).then(|| format!("\"{path}\" has shape {is}, the average {was}"))
                }
                Some((known, _)) => Some(format!("\"{path}\" where the average has \"{known}\"")),
                None => Some(format!("the average has no \"{path}\"")),
            };
            differs = differs.take().or(what);
            i += 1;
        });
        if i < self.values.len() {
            differs = differs.or_else(|| Some(format!("the network has no \"{}\"", self.values[i].0)));
        }
        match differs {
            None => Ok(()),
            Some(what) => Err(Error::new(ErrorKind::Mismatch, format!("{who}: {what}"))),
        }
    }
}
