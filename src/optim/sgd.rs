use super::{
    Optimizer, Plan, check_fraction, check_setting,
    common::{Common, rate},
};
use crate::{
    core::Module,
    error::{Error, ErrorKind},
    kernel::{Descent, Momentum},
    tensor::Real,
};

/// Stochastic gradient descent, with momentum and weight decay.
///
/// `d = g + decay * w`; with momentum `v = momentum * v + (1 - dampening) * d` (the first `v` is `d`) and
/// `w = w - rate * v`, or `w = w - rate * (d + momentum * v)` as Nesterov has it; else `w = w - rate * d`: PyTorch's
/// definition.
///
/// ```
/// use chainrule::prelude::*;
/// let mut opt = Sgd::new(0.1).momentum(0.9).nesterov().weight_decay(1e-4);
/// # let mut p = Param::new(Tensor::scalar(1.0));
/// # let g = Grads::from_iter([("", Tensor::scalar(1.0))]);
/// opt.step(&mut p, &g)?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Source
/// Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013 (the rate outside the
/// velocity, as PyTorch has it).
#[derive(Clone)]
pub struct Sgd<F: Real = f32> {
    common: Common<F>,
    momentum: f64,
    dampening: f64,
    nesterov: bool,
}

impl<F: Real> Sgd<F> {
    /// Plain descent with this learning rate; a step refuses one that is negative or not finite.
    pub fn new(rate: f64) -> Self {
        Self { common: Common::new(rate), momentum: 0.0, dampening: 0.0, nesterov: false }
    }

    /// With momentum, 0 or more and below 1.
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// With a velocity that takes only `1 - dampening` of each gradient after the first.
    pub fn dampening(mut self, dampening: f64) -> Self {
        self.dampening = dampening;
        self
    }

    /// With Nesterov's look ahead; a step refuses it without momentum, and with dampening.
    pub fn nesterov(mut self) -> Self {
        self.nesterov = true;
        self
    }

    /// With `decay * w` added to each gradient.
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.common.decay = decay;
        self
    }
}

impl<F: Real> Optimizer<F> for Sgd<F> {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        check_fraction("Sgd", "momentum", self.momentum)?;
        check_setting::<F>("Sgd", "dampening", self.dampening)?;
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            let message = "Sgd: nesterov needs momentum above 0 and no dampening";
            return Err(Error::new(ErrorKind::BadData, message));
        }
        self.common.check("Sgd", plan)
    }

    fn apply(&mut self, plan: &Plan<'_, F>, net: &mut dyn Module<F>) {
        let Self { common, momentum, dampening, nesterov } = self;
        let (momentum, keep) = (*momentum, 1.0 - *dampening);
        if momentum == 0.0 {
            return common.apply(plan, net, 0, 0.0, |mut turn| {
                F::descent(Descent { rate: F::of(turn.rate), decay: F::of(turn.decay) }, turn.step());
            });
        }
        let (own, ahead) = if *nesterov { (1.0, momentum) } else { (0.0, 1.0) };
        common.apply(plan, net, 1, 0.0, |mut turn| {
            let rule = Momentum {
                rate: F::of(turn.rate),
                decay: F::of(turn.decay),
                momentum: F::of(momentum),
                keep: F::of(if turn.t == 1.0 { 1.0 } else { keep }),
                own: F::of(own),
                ahead: F::of(ahead),
            };
            F::momentum(rule, turn.step());
        });
    }

    rate!();
}
