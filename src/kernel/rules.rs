//! What each optimizer does to one element. What is the same for all elements of a step is a constant here, taken in f64.
use super::update::Rule;
use crate::real::Base;

/// `d = g + decay w`, `w - rate d`.
#[derive(Clone, Copy, Debug)]
pub struct Descent<F> {
    /// The learning rate.
    pub rate: F,
    /// Added to the gradient.
    pub decay: F,
}

impl<F: Base> Rule<F, 0> for Descent<F> {
    #[inline(always)]
    fn step(self, w: F, g: F, _: [F; 0]) -> (F, [F; 0]) {
        (w - self.rate * (g + self.decay * w), [])
    }
}

/// `v = momentum v + keep d`, `w - rate (own d + ahead v)`.
#[derive(Clone, Copy, Debug)]
pub struct Momentum<F> {
    /// The learning rate.
    pub rate: F,
    /// Added to the gradient.
    pub decay: F,
    /// What stays of the velocity.
    pub momentum: F,
    /// What the velocity takes of the gradient.
    pub keep: F,
    /// What the step takes of the gradient itself.
    pub own: F,
    /// What the step takes of the velocity.
    pub ahead: F,
}

impl<F: Base> Rule<F, 1> for Momentum<F> {
    #[inline(always)]
    fn step(self, w: F, g: F, [v]: [F; 1]) -> (F, [F; 1]) {
        let d = g + self.decay * w;
        let v = self.momentum * v + self.keep * d;
        (w - self.rate * (self.own * d + self.ahead * v), [v])
    }
}

/// `m = b1 m + (1 - b1) d`, `v = b2 v + (1 - b2) d^2`, `w - (shrink w + (own d + rate m) / (second sqrt(v) + epsilon))`.
///
/// With a third tensor of state, the largest `v` so far stands under the root. Where `second` is 0 there is no root, even if
/// `v` is infinite.
#[derive(Clone, Copy, Debug)]
pub struct Moments<F> {
    /// Added to the gradient.
    pub decay: F,
    /// By which the parameter shrinks, apart from the gradient.
    pub shrink: F,
    /// Of the first moment: what stays, and what the gradient adds.
    pub beta1: (F, F),
    /// Of the second moment.
    pub beta2: (F, F),
    /// What the step takes of the gradient itself.
    pub own: F,
    /// What the step takes of the first moment.
    pub rate: F,
    /// The factor of the root.
    pub second: F,
    /// Added to the root.
    pub epsilon: F,
}

impl<F: Base> Moments<F> {
    #[inline(always)]
    fn moments(self, w: F, g: F, m: F, v: F) -> (F, F, F) {
        let d = g + self.decay * w;
        (d, self.beta1.0 * m + self.beta1.1 * d, self.beta2.0 * v + self.beta2.1 * d * d)
    }

    #[inline(always)]
    fn value(self, w: F, d: F, m: F, v: F) -> F {
        // The same for all elements, so the loop itself does not branch.
        let root = if self.second == F::zero() { F::zero() } else { v.sqrt() * self.second };
        let step = (self.own * d + self.rate * m) / (root + self.epsilon);
        w - (self.shrink * w + step)
    }
}

impl<F: Base> Rule<F, 2> for Moments<F> {
    #[inline(always)]
    fn step(self, w: F, g: F, [m, v]: [F; 2]) -> (F, [F; 2]) {
        let (d, m, v) = self.moments(w, g, m, v);
        (self.value(w, d, m, v), [m, v])
    }
}

impl<F: Base> Rule<F, 3> for Moments<F> {
    #[inline(always)]
    fn step(self, w: F, g: F, [m, v, max]: [F; 3]) -> (F, [F; 3]) {
        let (d, m, v) = self.moments(w, g, m, v);
        let max = if v > max { v } else { max };
        (self.value(w, d, m, max), [m, v, max])
    }
}

/// `s = alpha s + (1 - alpha) d^2`, `u = d / (sqrt(s) + epsilon)`, `w - rate u`; with momentum `b = momentum b + u`, `w - rate b`.
///
/// Centred: `c = alpha c + (1 - alpha) d`, and `s - c^2` under the root, where rounding may make it negative: then 0. Where
/// `s` overflows, the difference is infinite too.
#[derive(Clone, Copy, Debug)]
pub struct RmsProp<F, const CENTERED: bool> {
    /// The learning rate.
    pub rate: F,
    /// Added to the gradient.
    pub decay: F,
    /// Of the running means: what stays, and what the gradient adds.
    pub alpha: (F, F),
    /// Added to the root.
    pub epsilon: F,
    /// What stays of the velocity.
    pub momentum: F,
}

/// The order of state: `s`, then `c` if centred, then `b` if there is momentum.
impl<F: Base, const CENTERED: bool, const N: usize> Rule<F, N> for RmsProp<F, CENTERED> {
    #[inline(always)]
    fn step(self, w: F, g: F, mut state: [F; N]) -> (F, [F; N]) {
        let d = g + self.decay * w;
        state[0] = self.alpha.0 * state[0] + self.alpha.1 * d * d;
        let mut variance = state[0];
        if CENTERED {
            state[1] = self.alpha.0 * state[1] + self.alpha.1 * d;
            let about = variance - (state[1] * state[1]).min(F::max_value());
            variance = if about < F::zero() { F::zero() } else { about };
        }
        let mut step = d / (variance.sqrt() + self.epsilon);
        if N == 2 + usize::from(CENTERED) {
            state[N - 1] = self.momentum * state[N - 1] + step;
            step = state[N - 1];
        }
        (w - self.rate * step, state)
    }
}

/// `s = s + d^2`, `w - rate d / (sqrt(s) + epsilon)`.
#[derive(Clone, Copy, Debug)]
pub struct Adagrad<F> {
    /// The learning rate of this step.
    pub rate: F,
    /// Added to the gradient.
    pub decay: F,
    /// Added to the root.
    pub epsilon: F,
}

impl<F: Base> Rule<F, 1> for Adagrad<F> {
    #[inline(always)]
    fn step(self, w: F, g: F, [s]: [F; 1]) -> (F, [F; 1]) {
        let d = g + self.decay * w;
        let s = s + d * d;
        (w - self.rate * d / (s.sqrt() + self.epsilon), [s])
    }
}

/// `c = b1 m + (1 - b1) g`, `w - (shrink w + rate sign(c))`, `m = b2 m + (1 - b2) g`.
#[derive(Clone, Copy, Debug)]
pub struct Lion<F> {
    /// The learning rate.
    pub rate: F,
    /// By which the parameter shrinks, apart from the gradient.
    pub shrink: F,
    /// For the direction: what it takes of the momentum and of the gradient.
    pub beta1: (F, F),
    /// Of the momentum: what stays, and what the gradient adds.
    pub beta2: (F, F),
}

impl<F: Base> Rule<F, 1> for Lion<F> {
    #[inline(always)]
    fn step(self, w: F, g: F, [m]: [F; 1]) -> (F, [F; 1]) {
        let c = self.beta1.0 * m + self.beta1.1 * g;
        let up = if c > F::zero() { self.rate } else { F::zero() };
        let signed = if c < F::zero() { -self.rate } else { up };
        (w - (self.shrink * w + signed), [self.beta2.0 * m + self.beta2.1 * g])
    }
}
