//! The one loop of all optimizers: a rule, applied to each element of a parameter in a single pass over its memory.
use super::{
    dispatch::{Loop, vectorised},
    threads::{PIECE, both},
};
use crate::{
    formula::{Lane, Lanes},
    real::Base,
};

/// What links do to a gradient before an optimizer uses it: `g` becomes `scale * g`, then limited to `-limit..=limit`.
///
/// Any sequence of scales and limits is one of each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientMap {
    /// The factor.
    pub scale: f64,
    /// The bound, infinite for none.
    pub limit: f64,
}

impl GradientMap {
    /// Leaves gradients as they are.
    pub const IDENTITY: Self = Self { scale: 1.0, limit: f64::INFINITY };

    /// The same map, and then a factor.
    #[must_use]
    pub fn scaled(self, coef: f64) -> Self {
        let scale = self.scale * coef;
        // What is 0 needs no bound.
        let free = self.limit == f64::INFINITY || scale == 0.0;
        Self { scale, limit: if free { f64::INFINITY } else { self.limit * coef } }
    }

    /// The same map, and then a bound.
    #[must_use]
    pub fn limited(self, limit: f64) -> Self {
        Self { limit: self.limit.min(limit), ..self }
    }
}

/// A parameter, its gradient and `N` tensors of state, all of one length.
pub struct Step<'a, F, const N: usize> {
    /// One for each unit: the parameter is cut in as many stretches of equal length.
    pub maps: &'a [GradientMap],
    /// The parameter.
    pub w: &'a mut [F],
    /// Its gradient, as it came.
    pub g: &'a [F],
    /// What the optimizer remembers of it.
    pub state: [&'a mut [F]; N],
}

/// What an optimizer does to one element: new values of the parameter and of its state. `#[inline(always)]`, no branches.
pub(super) trait Rule<F, const N: usize>: Copy + Send + Sync {
    fn step(self, w: F, g: F, state: [F; N]) -> (F, [F; N]);
}

/// The step on this thread, or cut in pieces for several: between units, or inside the only one.
pub(super) fn run<F: Lanes, R: Rule<F, N>, const N: usize>(rule: R, step: Step<'_, F, N>) {
    if step.w.len() <= PIECE {
        return vectorised(Run(rule, step));
    }
    let (low, high) = step.split();
    both(|| run(rule, low), || run(rule, high));
}

impl<'a, F, const N: usize> Step<'a, F, N> {
    fn split(self) -> (Self, Self) {
        let (len, units) = (self.w.len(), self.maps.len());
        let at = if units == 1 { (len / 2).next_multiple_of(64) } else { len / units * (units / 2) };
        let (first, second) = if units == 1 { (self.maps, self.maps) } else { self.maps.split_at(units / 2) };
        let (w, w_high) = self.w.split_at_mut(at);
        let (g, g_high) = self.g.split_at(at);
        let mut low = self.state;
        let high = std::array::from_fn(|k| {
            let (head, tail) = std::mem::take(&mut low[k]).split_at_mut(at);
            low[k] = head;
            tail
        });
        (Self { maps: first, w, g, state: low }, Self { maps: second, w: w_high, g: g_high, state: high })
    }
}

struct Run<'a, F, R, const N: usize>(R, Step<'a, F, N>);

impl<F: Base, R: Rule<F, N>, const N: usize> Loop<F> for Run<'_, F, R, N> {
    type Out = ();
    #[inline(always)]
    fn run<L: Lane<F>>(self) {
        let Self(rule, Step { maps, w, g, mut state }) = self;
        if w.is_empty() {
            return;
        }
        let unit = w.len() / maps.len();
        for ((i, w), map) in w.chunks_exact_mut(unit).enumerate().zip(maps) {
            let at = i * unit..(i + 1) * unit;
            let mut part = state.each_mut().map(|s| &mut s[at.clone()]);
            stretch(rule, *map, w, &g[at.clone()], &mut part);
        }
    }
}

#[inline(always)]
fn stretch<F: Base, R: Rule<F, N>, const N: usize>(
    rule: R,
    map: GradientMap,
    w: &mut [F],
    g: &[F],
    state: &mut [&mut [F]; N],
) {
    let n = w.len();
    let (scale, limit) = (F::of(map.scale), F::of(map.limit));
    let g = &g[..n];
    for s in &state[..] {
        assert_eq!(s.len(), n);
    }
    for e in 0..n {
        let mut s = [F::zero(); N];
        for k in 0..N {
            s[k] = state[k][e];
        }
        let (new, s) = rule.step(w[e], (g[e] * scale).min(limit).max(-limit), s);
        w[e] = new;
        for k in 0..N {
            state[k][e] = s[k];
        }
    }
}
