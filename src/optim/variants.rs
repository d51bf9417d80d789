//! Adam's kin, which share its kernel: NAdam and RAdam.
use super::{
    Optimizer, Plan,
    adam::{Betas, Decay, betas},
    check_setting,
    common::{Common, mean, rate},
};
use crate::{core::Module, error::Error, kernel::Moments, tensor::Real};

/// Adam with Nesterov's momentum.
///
/// `d = g + decay * w`, `m` and `v` as in [`Adam`](super::Adam); with `u_t = b1 (1 - 0.5 * 0.96^(t * momentum_decay))` and
/// `U_t` the product of `u_1 ..= u_t`,
/// `w = w - rate * ((1 - u_t) / (1 - U_t) * d + u_{t+1} / (1 - U_{t+1}) * m) / (sqrt(v / (1 - b2^t)) + epsilon)`: PyTorch's
/// definition. Defaults: `b1 = 0.9`, `b2 = 0.999`, `epsilon = 1e-8`, `momentum_decay = 4e-3`, no decay.
///
/// # Source
/// Dozat, "Incorporating Nesterov momentum into Adam", 2016.
#[derive(Clone)]
pub struct NAdam<F: Real = f32> {
    common: Common<F>,
    betas: Betas,
    momentum_decay: f64,
    decay: Decay,
}

impl<F: Real> NAdam<F> {
    /// With this learning rate (PyTorch's default is 2e-3); a step refuses one that is negative or not finite.
    pub fn new(rate: f64) -> Self {
        Self { common: Common::new(rate), betas: Betas::USUAL, momentum_decay: 4e-3, decay: Decay::Coupled }
    }

    betas!();

    /// With another schedule of the momentum.
    pub fn momentum_decay(mut self, decay: f64) -> Self {
        self.momentum_decay = decay;
        self
    }

    /// With `decay * w` added to each gradient.
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.common.decay = decay;
        self
    }

    /// With weight decay as in [`AdamW`](super::AdamW): `rate * decay * w` is taken from each parameter instead.
    pub fn decoupled(mut self) -> Self {
        self.decay = Decay::Decoupled;
        self
    }
}

impl<F: Real> Optimizer<F> for NAdam<F> {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        self.betas.check::<F>("NAdam")?;
        check_setting::<f64>("NAdam", "momentum_decay", self.momentum_decay)?;
        self.common.check("NAdam", plan)
    }

    fn apply(&mut self, plan: &Plan<'_, F>, net: &mut dyn Module<F>) {
        let Self { common, betas, momentum_decay, decay } = self;
        let momentum = |t: f64| betas.first * (1.0 - 0.5 * 0.96f64.powf(t * *momentum_decay));
        common.apply(plan, net, 2, 0.0, |mut turn| {
            let (now, next) = (momentum(turn.t), momentum(turn.t + 1.0));
            *turn.product *= now;
            let product = *turn.product;
            let (decay, shrink) = decay.parts(&turn);
            let rule = Moments {
                decay,
                shrink,
                beta1: mean(betas.first),
                beta2: mean(betas.second),
                own: F::of(turn.rate * (1.0 - now) / (1.0 - product)),
                rate: F::of(turn.rate * next / (1.0 - product * next)),
                second: F::of(1.0 / (1.0 - betas.second.powf(turn.t)).sqrt()),
                epsilon: F::of(betas.epsilon),
            };
            F::moments(rule, turn.step());
        });
    }

    rate!();
}

/// Adam whose first steps, while the second moment is known badly, are plain momentum.
///
/// `d = g + decay * w`, `m` and `v` as in [`Adam`](super::Adam), `M = m / (1 - b1^t)`; with `R = 2 / (1 - b2) - 1` and
/// `r = R - 2 t b2^t / (1 - b2^t)`: while `r <= 5`, `w = w - rate * M`, then
/// `w = w - rate * M * sqrt(1 - b2^t) / (sqrt(v) + epsilon) * sqrt((r - 4)(r - 2) R / ((R - 4)(R - 2) r))`: PyTorch's
/// definition. Defaults: `b1 = 0.9`, `b2 = 0.999`, `epsilon = 1e-8`, no decay.
///
/// # Source
/// Liu et al., "On the variance of the adaptive learning rate and beyond", 2020, Algorithm 2.
#[derive(Clone)]
pub struct RAdam<F: Real = f32> {
    common: Common<F>,
    betas: Betas,
    decay: Decay,
}

impl<F: Real> RAdam<F> {
    /// With this learning rate; a step refuses one that is negative or not finite.
    pub fn new(rate: f64) -> Self {
        Self { common: Common::new(rate), betas: Betas::USUAL, decay: Decay::Coupled }
    }

    betas!();

    /// With `decay * w` added to each gradient.
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.common.decay = decay;
        self
    }

    /// With weight decay as in [`AdamW`](super::AdamW): `rate * decay * w` is taken from each parameter instead.
    pub fn decoupled(mut self) -> Self {
        self.decay = Decay::Decoupled;
        self
    }
}

impl<F: Real> Optimizer<F> for RAdam<F> {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        self.betas.check::<F>("RAdam")?;
        self.common.check("RAdam", plan)
    }

    fn apply(&mut self, plan: &Plan<'_, F>, net: &mut dyn Module<F>) {
        let Self { common, betas, decay } = self;
        common.apply(plan, net, 2, 0.0, |mut turn| {
            let (decay, shrink) = decay.parts(&turn);
            let rate = turn.rate / (1.0 - betas.first.powf(turn.t));
            let rectified = rectification(betas.second, turn.t);
            let rule = Moments {
                decay,
                shrink,
                beta1: mean(betas.first),
                beta2: mean(betas.second),
                own: F::zero(),
                rate: F::of(rate * rectified.unwrap_or(1.0)),
                // Without the second moment the denominator is 1.
                second: F::of(if rectified.is_some() { 1.0 } else { 0.0 }),
                epsilon: F::of(if rectified.is_some() { betas.epsilon } else { 1.0 }),
            };
            F::moments(rule, turn.step());
        });
    }

    rate!();
}

/// The factor of `1 / (sqrt(v) + epsilon)`, once the second moment is known well enough.
fn rectification(beta2: f64, t: f64) -> Option<f64> {
    let power = beta2.powf(t);
    let last = 2.0 / (1.0 - beta2) - 1.0;
    let now = last - 2.0 * t * power / (1.0 - power);
    let ratio = (now - 4.0) * (now - 2.0) * last / ((last - 4.0) * (last - 2.0) * now);
    (now > 5.0).then(|| (ratio * (1.0 - power)).sqrt())
}
