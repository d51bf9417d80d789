use super::{
    Optimizer, Plan, check_fraction,
    common::{Common, mean, rate},
};
use crate::{core::Module, error::Error, kernel::Lion as Rule, tensor::Real};

/// Steps of one size in every entry, in the direction of the sign of a running mean.
///
/// `c = b1 m + (1 - b1) g`, `w = w - rate * (sign(c) + decay * w)`, `m = b2 m + (1 - b2) g`; the sign of 0 is 0. Defaults:
/// `b1 = 0.9`, `b2 = 0.99`, no decay. Its learning rate is usually three to ten times smaller than that of AdamW, its
/// decay as many times larger.
///
/// # Source
/// Chen et al., "Symbolic discovery of optimization algorithms", 2023, Program 1.
#[derive(Clone)]
pub struct Lion<F: Real = f32> {
    common: Common<F>,
    betas: (f64, f64),
}

impl<F: Real> Lion<F> {
    /// With this learning rate (the paper's default is 1e-4); a step refuses one that is negative or not finite.
    pub fn new(rate: f64) -> Self {
        Self { common: Common::new(rate), betas: (0.9, 0.99) }
    }

    /// With other decay rates, of the direction and of the running mean.
    pub fn betas(mut self, first: f64, second: f64) -> Self {
        self.betas = (first, second);
        self
    }

    /// With `rate * decay * w` taken from each parameter (decoupled).
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.common.decay = decay;
        self
    }
}

impl<F: Real> Optimizer<F> for Lion<F> {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        check_fraction("Lion", "the first beta", self.betas.0)?;
        check_fraction("Lion", "the second beta", self.betas.1)?;
        self.common.check("Lion", plan)
    }

    fn apply(&mut self, plan: &Plan<'_, F>, net: &mut dyn Module<F>) {
        let Self { common, betas } = self;
        common.apply(plan, net, 1, 0.0, |mut turn| {
            let (beta1, beta2) = (mean(betas.0), mean(betas.1));
            let rule = Rule { rate: F::of(turn.rate), shrink: F::of(turn.rate * turn.decay), beta1, beta2 };
            F::lion(rule, turn.step());
        });
    }

    rate!();
}
