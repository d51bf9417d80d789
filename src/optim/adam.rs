use super::{
    Optimizer, Plan, check_fraction, check_positive,
    common::{Common, Turn, mean, rate},
};
use crate::{core::Module, error::Error, kernel::Moments, tensor::Real};

/// How weight decay reaches a parameter.
#[derive(Clone, Copy)]
pub(super) enum Decay {
    /// `decay * w` is added to the gradient.
    Coupled,
    /// The parameter shrinks by `rate * decay` of itself, whatever the gradient.
    Decoupled,
}

impl Decay {
    /// What is added to the gradient, and what is taken from the parameter.
    pub(super) fn parts<F: Real>(self, turn: &Turn<'_, F>) -> (F, F) {
        match self {
            Self::Coupled => (F::of(turn.decay), F::zero()),
            Self::Decoupled => (F::zero(), F::of(turn.rate * turn.decay)),
        }
    }
}

/// What Adam and its kin are set to.
#[derive(Clone, Copy)]
pub(super) struct Betas {
    pub(super) first: f64,
    pub(super) second: f64,
    pub(super) epsilon: f64,
}

impl Betas {
    pub(super) const USUAL: Self = Self { first: 0.9, second: 0.999, epsilon: 1e-8 };

    pub(super) fn check<F: Real>(self, who: &str) -> Result<(), Error> {
        check_positive::<F>(who, "epsilon", self.epsilon)?;
        check_fraction(who, "the first beta", self.first)?;
        check_fraction(who, "the second beta", self.second)
    }
}

/// Methods of a type with the fields `common` and `betas`.
macro_rules! betas {
    () => {
        /// With other decay rates of the two running means.
        pub fn betas(mut self, first: f64, second: f64) -> Self {
            (self.betas.first, self.betas.second) = (first, second);
            self
        }

        /// With another number added to the root.
        pub fn epsilon(mut self, epsilon: f64) -> Self {
            self.betas.epsilon = epsilon;
            self
        }
    };
}
pub(super) use betas;

macro_rules! adam { ($(#[$doc:meta])* $name:ident, $decay:expr, $usual:expr, $(#[$how:meta])*) => {
    $(#[$doc])*
    #[derive(Clone)]
    pub struct $name<F: Real = f32> {
        common: Common<F>,
        betas: Betas,
        amsgrad: bool,
    }

    impl<F: Real> $name<F> {
        /// With this learning rate; a step refuses one that is negative or not finite.
        pub fn new(rate: f64) -> Self {
            let mut common = Common::new(rate);
            common.decay = $usual;
            Self { common, betas: Betas::USUAL, amsgrad: false }
        }

        betas!();

        $(#[$how])*
        pub fn weight_decay(mut self, decay: f64) -> Self {
            self.common.decay = decay;
            self
        }

        /// With the largest `v` so far under the root (Reddi, Kale, Kumar, "On the convergence of Adam and beyond", 2018).
        pub fn amsgrad(mut self) -> Self {
            self.amsgrad = true;
            self
        }
    }

    impl<F: Real> Optimizer<F> for $name<F> {
        fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
            self.betas.check::<F>(stringify!($name))?;
            self.common.check(stringify!($name), plan)
        }

        fn apply(&mut self, plan: &Plan<'_, F>, net: &mut dyn Module<F>) {
            let Self { common, betas, amsgrad } = self;
            apply(common, *betas, *amsgrad, $decay, plan, net);
        }

        rate!();
    }
} }

adam! {
    /// Adam: steps scaled by running means of the gradient and of its square.
    ///
    /// `d = g + decay * w`, `m = b1 m + (1 - b1) d`, `v = b2 v + (1 - b2) d^2`,
    /// `w = w - rate * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)`, with `t` counted for each parameter:
    /// PyTorch's definition. Defaults: `b1 = 0.9`, `b2 = 0.999`, `epsilon = 1e-8`, no decay.
    ///
    /// # Source
    /// Kingma and Ba, "Adam: a method for stochastic optimization", 2015, Algorithm 1.
    Adam, Decay::Coupled, 0.0,
    /// With `decay * w` added to each gradient (not decoupled: that is [`AdamW`]).
}

adam! {
    /// Adam with decoupled weight decay.
    ///
    /// `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`,
    /// `w = w - rate * decay * w - rate * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)`: PyTorch's definition.
    /// Defaults: `b1 = 0.9`, `b2 = 0.999`, `epsilon = 1e-8`, `decay = 0.01`. Biases are often left without decay:
    ///
    /// ```
    /// use chainrule::{optim::{AdamW, Groups}, prelude::*};
    /// let mut opt = (Groups::new().no_decay("*.bias"), ClipGlobalNorm::new(1.0), AdamW::new(1e-3).weight_decay(0.1));
    /// # let mut net = Dense::new(2, 1, &mut Rng::seed(1));
    /// # let mut tape = Tape::new();
    /// # let mut net = (net,);
    /// # let g = net.0.forward(&tape.begin().constant(&Tensor::ones([1, 2]))).sum().backward(&net)?;
    /// opt.step(&mut net, &g)?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Source
    /// Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.
    AdamW, Decay::Decoupled, 0.01,
    /// With `rate * decay * w` taken from each parameter.
}

fn apply<F: Real>(
    common: &mut Common<F>,
    betas: Betas,
    amsgrad: bool,
    decay: Decay,
    plan: &Plan<'_, F>,
    net: &mut dyn Module<F>,
) {
    common.apply(plan, net, if amsgrad { 3 } else { 2 }, 0.0, |mut turn| {
        let (decay, shrink) = decay.parts(&turn);
        let rule = Moments {
            decay,
            shrink,
            beta1: mean(betas.first),
            beta2: mean(betas.second),
            own: F::zero(),
            rate: F::of(turn.rate / (1.0 - betas.first.powf(turn.t))),
            second: F::of(1.0 / (1.0 - betas.second.powf(turn.t)).sqrt()),
            epsilon: F::of(betas.epsilon),
        };
        if amsgrad { F::moments_max(rule, turn.step()) } else { F::moments(rule, turn.step()) }
    });
}
