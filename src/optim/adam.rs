use super::{check_fraction, check_positive, check_setting, state::State};
use crate::{
    core::Module,
    error::Error,
    kernel::AdamStep,
    optim::{Optimizer, Plan},
    tensor::Real,
};

/// Adam: steps scaled by running means of the gradient and of its square.
///
/// `d = g + decay * w`, `m = b1 m + (1 - b1) d`, `v = b2 v + (1 - b2) d^2`,
/// `w = w - rate * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)`, with `t` counted for each parameter:
/// PyTorch's definition. Defaults: `b1 = 0.9`, `b2 = 0.999`, `epsilon = 1e-8`, no decay.
///
/// # Source
/// Kingma and Ba, "Adam: a method for stochastic optimization", 2015, Algorithm 1.
#[derive(Clone)]
pub struct Adam<F: Real = f32> {
    rate: f64,
    betas: (f64, f64),
    epsilon: f64,
    decay: f64,
    state: State<F, 2>,
}

impl<F: Real> Adam<F> {
    /// With this learning rate; a step refuses one that is negative or not finite.
    pub fn new(rate: f64) -> Self {
        Self { rate, betas: (0.9, 0.999), epsilon: 1e-8, decay: 0.0, state: State::new() }
    }

    /// With other decay rates of the two running means.
    pub fn betas(mut self, first: f64, second: f64) -> Self {
        self.betas = (first, second);
        self
    }

    /// With another number added to the root.
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// With `decay * w` added to each gradient (not decoupled: that is AdamW).
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }
}

impl<F: Real> Optimizer<F> for Adam<F> {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        check_setting::<F>("Adam", "the learning rate", self.rate)?;
        check_setting::<F>("Adam", "weight_decay", self.decay)?;
        check_positive::<F>("Adam", "epsilon", self.epsilon)?;
        check_fraction("Adam", "the first beta", self.betas.0)?;
        check_fraction("Adam", "the second beta", self.betas.1)?;
        self.state.check("Adam", plan.grads())
    }

    fn apply(&mut self, plan: &Plan<'_, F>, net: &mut dyn Module<F>) {
        let (b1, b2) = self.betas;
        let (state, rate, epsilon, decay) = (&mut self.state, self.rate, self.epsilon, self.decay);
        state.begin();
        plan.grads().apply(net, |path, w, g| {
            let entry = state.entry(path, w);
            entry.steps += 1;
            let t = entry.steps as f64;
            let step = AdamStep {
                map: plan.map(),
                rate: F::of(rate / (1.0 - b1.powf(t))),
                decay: F::of(decay),
                beta1: (F::of(b1), F::of(1.0 - b1)),
                beta2: (F::of(b2), F::of(1.0 - b2)),
                second: F::of(1.0 / (1.0 - b2.powf(t)).sqrt()),
                epsilon: F::of(epsilon),
            };
            let [m, v] = &mut entry.tensors;
            F::adam(step, w.data_mut(), g.data(), m.data_mut(), v.data_mut());
        });
    }

    fn rate(&self) -> f64 {
        self.rate
    }

    fn set_rate(&mut self, rate: f64) {
        self.rate = rate;
    }
}
