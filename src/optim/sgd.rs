use super::{check_fraction, check_setting, state::State};
use crate::{
    core::Module,
    error::Error,
    kernel::SgdStep,
    optim::{Optimizer, Plan},
    tensor::Real,
};

/// Stochastic gradient descent, with momentum and weight decay.
///
/// `d = g + decay * w`; with momentum `v = momentum * v + d` (the first `v` is `d`) and `w = w - rate * v`, else
/// `w = w - rate * d`: PyTorch's definition.
///
/// ```
/// use chainrule::prelude::*;
/// let mut opt = Sgd::new(0.1).momentum(0.9).weight_decay(1e-4);
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
    rate: f64,
    momentum: f64,
    decay: f64,
    state: State<F, 1>,
}

impl<F: Real> Sgd<F> {
    /// Plain descent with this learning rate; a step refuses one that is negative or not finite.
    pub fn new(rate: f64) -> Self {
        Self { rate, momentum: 0.0, decay: 0.0, state: State::new() }
    }

    /// With momentum, 0 or more and below 1.
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// With `decay * w` added to each gradient.
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }
}

impl<F: Real> Optimizer<F> for Sgd<F> {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        check_setting::<F>("Sgd", "the learning rate", self.rate)?;
        check_setting::<F>("Sgd", "weight_decay", self.decay)?;
        check_fraction("Sgd", "momentum", self.momentum)?;
        self.state.check("Sgd", plan.grads())
    }

    fn apply(&mut self, plan: &Plan<'_, F>, net: &mut dyn Module<F>) {
        let step = SgdStep {
            map: plan.map(),
            rate: F::of(self.rate),
            decay: F::of(self.decay),
            momentum: F::of(self.momentum),
        };
        let state = &mut self.state;
        state.begin();
        plan.grads().apply(net, |path, w, g| {
            if self.momentum == 0.0 {
                return F::sgd(step, w.data_mut(), g.data(), None);
            }
            let [velocity] = &mut state.entry(path, w).tensors;
            F::sgd(step, w.data_mut(), g.data(), Some(velocity.data_mut()));
        });
    }

    fn rate(&self) -> f64 {
        self.rate
    }

    fn set_rate(&mut self, rate: f64) {
        self.rate = rate;
    }
}
