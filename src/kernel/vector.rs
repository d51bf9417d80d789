//! Plain loops over vectors: sums, updates, masks, optimizer steps.
use super::dispatch::loops;
use crate::{
    real::Base,
    rng::{mix, unit},
};

loops! {
    fn add<F>(a: &'a [F], b: &'a [F], out: &'a mut [F]) {
        zip(a, b, out, |a, b| a + b);
    }
    fn sub<F>(a: &'a [F], b: &'a [F], out: &'a mut [F]) {
        zip(a, b, out, |a, b| a - b);
    }
    fn add_into<F>(out: &'a mut [F], x: &'a [F]) {
        out.iter_mut().zip(x).for_each(|(o, &x)| *o += x);
    }
    /// out += c * x
    fn axpy<F>(c: F, x: &'a [F], out: &'a mut [F]) {
        out.iter_mut().zip(x).for_each(|(o, &x)| *o += c * x);
    }
    /// out += c * (x - out): in this form rounding has no drift.
    fn lerp_into<F>(c: F, x: &'a [F], out: &'a mut [F]) {
        out.iter_mut().zip(x).for_each(|(o, &x)| *o += c * (x - *o));
    }
    fn scale_by<F>(c: F, out: &'a mut [F]) {
        out.iter_mut().for_each(|o| *o = *o * c);
    }

    /// The mask depends on the key and the element alone: a replay draws the same.
    fn dropout<F>(key: u64, p: f64, x: &'a [F], out: &'a mut [F]) {
        let keep = F::of(1.0 / (1.0 - p));
        for (e, (out, &x)) in out.iter_mut().zip(x).enumerate() {
            *out = if unit(mix(key.wrapping_add(e as u64))) < p { F::zero() } else { x * keep };
        }
    }

    /// How many entries were outside `-limit..=limit`.
    fn clamp_abs<F>(x: &'a mut [F], limit: F) -> usize {
        let mut clipped = 0;
        for x in x {
            clipped += usize::from(x.abs() > limit);
            *x = x.min(limit).max(-limit);
        }
        clipped
    }

    /// One step of stochastic gradient descent.
    fn sgd<F>(s: SgdStep<F>, w: &'a mut [F], g: &'a [F], velocity: Option<&'a mut [F]>) {
        let n = w.len();
        let g = &g[..n];
        match velocity {
            None => {
                for e in 0..n {
                    w[e] = w[e] - s.rate * (s.map.apply(g[e]) + s.decay * w[e]);
                }
            }
            Some(velocity) => {
                let velocity = &mut velocity[..n];
                for e in 0..n {
                    let d = s.map.apply(g[e]) + s.decay * w[e];
                    velocity[e] = s.momentum * velocity[e] + d;
                    w[e] = w[e] - s.rate * velocity[e];
                }
            }
        }
    }

    /// One step of Adam.
    fn adam<F>(s: AdamStep<F>, w: &'a mut [F], g: &'a [F], m: &'a mut [F], v: &'a mut [F]) {
        let n = w.len();
        let (g, m, v) = (&g[..n], &mut m[..n], &mut v[..n]);
        for e in 0..n {
            let d = s.map.apply(g[e]) + s.decay * w[e];
            m[e] = s.beta1.0 * m[e] + s.beta1.1 * d;
            v[e] = s.beta2.0 * v[e] + s.beta2.1 * d * d;
            w[e] = w[e] - s.rate * m[e] / (v[e].sqrt() * s.second + s.epsilon);
        }
    }
}

#[inline(always)]
fn zip<F: Base>(a: &[F], b: &[F], out: &mut [F], f: impl Fn(F, F) -> F) {
    let n = out.len();
    let (a, b) = (&a[..n], &b[..n]);
    for e in 0..n {
        out[e] = f(a[e], b[e]);
    }
}

/// What an optimizer does to a gradient before it uses it: `g` becomes `scale * g`, then limited to `-limit..=limit`.
#[derive(Clone, Copy, Debug)]
pub struct GradientMap<F> {
    /// The factor.
    pub scale: F,
    /// The bound, infinite for none.
    pub limit: F,
}

impl<F: Base> GradientMap<F> {
    #[inline(always)]
    fn apply(self, g: F) -> F {
        (g * self.scale).min(self.limit).max(-self.limit)
    }
}

/// One step of stochastic gradient descent.
#[derive(Clone, Copy, Debug)]
pub struct SgdStep<F> {
    /// What happens to the gradient first.
    pub map: GradientMap<F>,
    /// The learning rate.
    pub rate: F,
    /// The decay added to the gradient.
    pub decay: F,
    /// The momentum.
    pub momentum: F,
}

/// One step of Adam, with its bias corrections already taken into the rates.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep<F> {
    /// What happens to the gradient first.
    pub map: GradientMap<F>,
    /// `rate / (1 - beta1^t)`.
    pub rate: F,
    /// The decay added to the gradient.
    pub decay: F,
    /// Of the first moment: what stays, and what the gradient adds (1 - beta, taken in f64).
    pub beta1: (F, F),
    /// Of the second moment.
    pub beta2: (F, F),
    /// `1 / sqrt(1 - beta2^t)`.
    pub second: F,
    /// Added to the root of the second moment.
    pub epsilon: F,
}
