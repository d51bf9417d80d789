use super::{
    Optimizer, Plan, check_fraction, check_positive,
    common::{Common, mean, rate},
};
use crate::{core::Module, error::Error, kernel::RmsProp as Rule, tensor::Real};

/// Steps scaled by a running mean of the gradient's square.
///
/// `d = g + decay * w`, `s = alpha s + (1 - alpha) d^2`, `u = d / (sqrt(s) + epsilon)`, `w = w - rate * u`; with momentum
/// `b = momentum * b + u`, `w = w - rate * b`; centred, `c = alpha c + (1 - alpha) d` and `s - c^2` stands under the root:
/// PyTorch's definition, but for a difference that rounding makes negative, which counts as 0 and not as NaN. Defaults:
/// `alpha = 0.99`, `epsilon = 1e-8`, no momentum, no decay.
///
/// # Source
/// Tieleman and Hinton, "Lecture 6.5: RMSProp", 2012; centred: Graves, "Generating sequences with recurrent neural
/// networks", 2013, equations 38 to 45.
#[derive(Clone)]
pub struct RmsProp<F: Real = f32> {
    common: Common<F>,
    alpha: f64,
    epsilon: f64,
    momentum: f64,
    centered: bool,
}

impl<F: Real> RmsProp<F> {
    /// With this learning rate (PyTorch's default is 0.01); a step refuses one that is negative or not finite.
    pub fn new(rate: f64) -> Self {
        Self { common: Common::new(rate), alpha: 0.99, epsilon: 1e-8, momentum: 0.0, centered: false }
    }

    /// With another decay rate of the running means.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// With another number added to the root.
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// With momentum, 0 or more and below 1.
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// With an estimate of the gradient's variance under the root.
    pub fn centered(mut self) -> Self {
        self.centered = true;
        self
    }

    /// With `decay * w` added to each gradient.
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.common.decay = decay;
        self
    }
}

impl<F: Real> Optimizer<F> for RmsProp<F> {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        check_fraction("RmsProp", "alpha", self.alpha)?;
        check_positive::<F>("RmsProp", "epsilon", self.epsilon)?;
        check_fraction("RmsProp", "momentum", self.momentum)?;
        self.common.check("RmsProp", plan)
    }

    fn apply(&mut self, plan: &Plan<'_, F>, net: &mut dyn Module<F>) {
        let Self { common, alpha, epsilon, momentum, centered } = self;
        let (alpha, epsilon, factor) = (mean(*alpha), F::of(*epsilon), F::of(*momentum));
        let (centered, moving) = (*centered, *momentum != 0.0);
        common.apply(plan, net, 1 + usize::from(centered) + usize::from(moving), 0.0, |mut turn| {
            let (rate, decay) = (F::of(turn.rate), F::of(turn.decay));
            let plain = Rule::<F, false> { rate, decay, alpha, epsilon, momentum: factor };
            let about = Rule::<F, true> { rate, decay, alpha, epsilon, momentum: factor };
            match (centered, moving) {
                (false, false) => F::rms_prop(plain, turn.step()),
                (false, true) => F::rms_prop_momentum(plain, turn.step()),
                (true, false) => F::rms_prop_centered(about, turn.step()),
                (true, true) => F::rms_prop_centered_momentum(about, turn.step()),
            }
        });
    }

    rate!();
}
