//! The one loop of all optimizers: a rule, applied to each element of a parameter in a single pass over its memory.
use super::{
    dispatch::{Loop, loops, vectorised},
    threads::{PIECE, both},
    watch::across,
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
    /// Where the step adds how far it goes, if that is wanted.
    pub moved: Option<&'a mut Moved>,
}

/// How far a step goes, and from where.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moved {
    /// The sum of squares of the changes; in f32 changes below 1e-25 count as 0, and above 1e13 it is infinite.
    pub change: f64,
    /// The sum of squares of the parameter before.
    pub squares: f64,
    /// The sum of the parameter before.
    pub sum: f64,
}

impl Moved {
    fn add(&mut self, other: Self) {
        self.change += other.change;
        self.squares += other.squares;
        self.sum += other.sum;
    }
}

/// So that squares of tiny changes are none for f32: those from 1e-25 to 1e13 are.
const UP: f64 = (1u64 << 20) as f64;
const LANES: usize = 16;
/// Elements that are added up in the element type before they are added in f64.
const BLOCK: usize = LANES * 128;

/// What 16 lanes have moved.
struct Far<F>([F; LANES], [F; LANES], [F; LANES]);

impl<F: Base> Far<F> {
    #[inline(always)]
    fn new() -> Self {
        let zeros = [F::zero(); LANES];
        Self(zeros, zeros, zeros)
    }

    #[inline(always)]
    fn note(&mut self, lane: usize, before: F, after: F) {
        let change = (after - before) * F::of(UP);
        self.0[lane] += change * change;
        self.1[lane] += before * before;
        self.2[lane] += before;
    }

    #[inline(always)]
    fn with(mut self, other: Self) -> Self {
        for l in 0..LANES {
            self.0[l] += other.0[l];
            self.1[l] += other.1[l];
            self.2[l] += other.2[l];
        }
        self
    }

    #[inline(always)]
    fn end(self) -> Moved {
        Moved { change: across(self.0) / (UP * UP), squares: across(self.1), sum: across(self.2) }
    }
}

/// What an optimizer does to one element: new values of the parameter and of its state. `#[inline(always)]`, no branches.
pub(super) trait Rule<F, const N: usize>: Copy + Send + Sync {
    fn step(self, w: F, g: F, state: [F; N]) -> (F, [F; N]);
}

/// The step on this thread, or cut in pieces for several: between units, or inside the only one.
pub(super) fn run<F: Lanes, R: Rule<F, N>, const N: usize>(rule: R, mut step: Step<'_, F, N>) {
    if step.w.len() <= PIECE {
        return vectorised(Run(rule, step));
    }
    let moved = step.moved.take();
    let (mut low, mut high) = step.split();
    let mut parts = [Moved::default(); 2];
    if moved.is_some() {
        let [first, second] = &mut parts;
        (low.moved, high.moved) = (Some(first), Some(second));
    }
    both(|| run(rule, low), || run(rule, high));
    if let Some(moved) = moved {
        parts.into_iter().for_each(|part| moved.add(part));
    }
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
        (
            Self { maps: first, w, g, state: low, moved: None },
            Self { maps: second, w: w_high, g: g_high, state: high, moved: None },
        )
    }
}

struct Run<'a, F, R, const N: usize>(R, Step<'a, F, N>);

impl<F: Base, R: Rule<F, N>, const N: usize> Loop<F> for Run<'_, F, R, N> {
    type Out = ();
    #[inline(always)]
    fn run<L: Lane<F>>(self) {
        let Self(rule, Step { maps, w, g, mut state, mut moved }) = self;
        if w.is_empty() {
            return;
        }
        let unit = w.len() / maps.len();
        for ((i, w), map) in w.chunks_exact_mut(unit).enumerate().zip(maps) {
            let at = i * unit..(i + 1) * unit;
            let mut part = state.each_mut().map(|s| &mut s[at.clone()]);
            match &mut moved {
                None => stretch(rule, *map, w, &g[at], &mut part),
                Some(moved) => moved.add(measured(rule, *map, w, &g[at], &mut part)),
            }
        }
    }
}

loops! {
    fn moved<F>(before: &'a [F], after: &'a [F]) -> Moved {
        let mut moved = Moved::default();
        for (before, after) in before.chunks(BLOCK).zip(after.chunks(BLOCK)) {
            let (mut far, exact) = (Far::new(), before.len().min(after.len()) / LANES * LANES);
            for (before, after) in before.chunks_exact(LANES).zip(after.chunks_exact(LANES)) {
                for l in 0..LANES {
                    far.note(l, before[l], after[l]);
                }
            }
            for (l, (before, after)) in before[exact..].iter().zip(&after[exact..]).enumerate() {
                far.note(l, *before, *after);
            }
            moved.add(far.end());
        }
        moved
    }
}

/// What [`stretch`] does, and how far it goes.
#[inline(always)]
fn measured<F: Base, R: Rule<F, N>, const N: usize>(
    rule: R,
    map: GradientMap,
    w: &mut [F],
    g: &[F],
    state: &mut [&mut [F]; N],
) -> Moved {
    let mut moved = Moved::default();
    for from in (0..w.len()).step_by(BLOCK) {
        let to = w.len().min(from + BLOCK);
        // Two sets of lanes, so that additions do not wait for each other.
        let (mut low, mut high, mut start) = (Far::new(), Far::new(), from);
        while start + 2 * LANES <= to {
            lanes(rule, map, w, g, state, start, &mut low);
            lanes(rule, map, w, g, state, start + LANES, &mut high);
            start += 2 * LANES;
        }
        let before: [F; 2 * LANES] = std::array::from_fn(|l| if start + l < to { w[start + l] } else { F::zero() });
        let mut rest = state.each_mut().map(|s| &mut s[start..to]);
        stretch(rule, map, &mut w[start..to], &g[start..to], &mut rest);
        for (l, after) in w[start..to].iter().enumerate() {
            low.note(l % LANES, before[l], *after);
        }
        moved.add(low.with(high).end());
    }
    moved
}

/// 16 elements, in arrays of their own: of those the compiler knows that they do not overlap.
#[inline(always)]
fn lanes<F: Base, R: Rule<F, N>, const N: usize>(
    rule: R,
    map: GradientMap,
    w: &mut [F],
    g: &[F],
    state: &mut [&mut [F]; N],
    start: usize,
    far: &mut Far<F>,
) {
    let at = start..start + LANES;
    let zeros = [F::zero(); LANES];
    let (mut before, mut grad, mut part) = (zeros, zeros, [zeros; N]);
    before.copy_from_slice(&w[at.clone()]);
    grad.copy_from_slice(&g[at.clone()]);
    for k in 0..N {
        part[k].copy_from_slice(&state[k][at.clone()]);
    }
    let mut after = before;
    stretch(rule, map, &mut after, &grad, &mut part.each_mut().map(|s| &mut s[..]));
    for l in 0..LANES {
        far.note(l, before[l], after[l]);
    }
    w[at.clone()].copy_from_slice(&after);
    for k in 0..N {
        state[k][at.clone()].copy_from_slice(&part[k]);
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
