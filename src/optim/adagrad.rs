use super::{
    Optimizer, Plan, check_positive, check_setting,
    common::{Common, rate},
};
use crate::{core::Module, error::Error, kernel::Adagrad as Rule, tensor::Real};

/// Steps scaled by the sum of all squares of the gradient so far.
///
/// `d = g + decay * w`, `s = s + d^2`, `w = w - rate / (1 + (t - 1) * rate_decay) * d / (sqrt(s) + epsilon)`, with `s` at
/// `start` before the first step: PyTorch's definition. Defaults: `epsilon = 1e-10`, `rate_decay` and `start` 0, no decay.
///
/// # Source
/// Duchi, Hazan, Singer, "Adaptive subgradient methods for online learning and stochastic optimization", 2011.
#[derive(Clone)]
pub struct Adagrad<F: Real = f32> {
    common: Common<F>,
    rate_decay: f64,
    start: f64,
    epsilon: f64,
}

impl<F: Real> Adagrad<F> {
    /// With this learning rate (PyTorch's default is 0.01); a step refuses one that is negative or not finite.
    pub fn new(rate: f64) -> Self {
        Self { common: Common::new(rate), rate_decay: 0.0, start: 0.0, epsilon: 1e-10 }
    }

    /// With a learning rate that falls as `rate / (1 + (t - 1) * decay)`: PyTorch's `lr_decay`.
    pub fn rate_decay(mut self, decay: f64) -> Self {
        self.rate_decay = decay;
        self
    }

    /// With another sum before the first step: PyTorch's `initial_accumulator_value`.
    pub fn start(mut self, start: f64) -> Self {
        self.start = start;
        self
    }

    /// With another number added to the root.
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// With `decay * w` added to each gradient.
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.common.decay = decay;
        self
    }
}

impl<F: Real> Optimizer<F> for Adagrad<F> {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        check_setting::<F>("Adagrad", "rate_decay", self.rate_decay)?;
        check_setting::<F>("Adagrad", "start", self.start)?;
        check_positive::<F>("Adagrad", "epsilon", self.epsilon)?;
        self.common.check("Adagrad", plan)
    }

    fn apply(&mut self, plan: &Plan<'_, F>, net: &mut dyn Module<F>) {
        let Self { common, rate_decay, start, epsilon } = self;
        common.apply(plan, net, 1, *start, |mut turn| {
            let rate = turn.rate / (1.0 + (turn.t - 1.0) * *rate_decay);
            let rule = Rule { rate: F::of(rate), decay: F::of(turn.decay), epsilon: F::of(*epsilon) };
            F::adagrad(rule, turn.step());
        });
    }

    rate!();
}
