//! The cotangents of a recorded program, from that of a result to those of its variables.
use crate::real::Base;

/// What a step of a sweep does. `y`, `i` and `j` are bars, `d` and `e` the slots of partial derivatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `[y, i, j, d, e]`: `i += y d`, `j += y e`, and `y` becomes 0: free for another.
    Give,
    /// The same, and `y` stays: it is the bar of another number now.
    Fan,
    /// `[y, j, e]`: `j += y e`, and `y` stays.
    Keep,
    /// `[y, j, d, e]`: `j += y e`, and `y` becomes `y d`.
    Turn,
}

impl Kind {
    /// How many numbers stand for its operands.
    #[inline(always)]
    pub fn width(self) -> usize {
        match self {
            Self::Give | Self::Fan => 5,
            Self::Keep => 3,
            Self::Turn => 4,
        }
    }
}

/// A sweep from one result. Bars are used again as soon as they are free, so that they stay in the cache; the first ones belong to
/// the variables. All are 0 between sweeps.
#[derive(Debug)]
pub struct Sweep {
    /// The bar where it starts and the slot of the result's derivative; nothing for a result that no variable is in.
    pub seed: Option<[u32; 2]>,
    /// A kind, and how many steps of it follow.
    pub runs: Vec<(Kind, u32)>,
    /// What the steps read.
    pub operands: Vec<u32>,
    /// How many variables there are.
    pub inputs: usize,
    /// How many bars there are.
    pub bars: usize,
}

impl Sweep {
    #[inline(always)]
    pub(super) fn run<F: Base, const L: usize>(
        &self,
        v: &[[F; L]],
        bars: &mut [[F; L]],
        product: impl Fn(F, F) -> F + Copy,
    ) {
        let Some([at, d]) = self.seed else { return };
        bars[at as usize] = v[d as usize];
        let mut operands = &self.operands[..];
        for &(kind, n) in &self.runs {
            let (these, rest) = operands.split_at(n as usize * kind.width());
            operands = rest;
            match kind {
                Kind::Give => {
                    for &[y, i, j, d, e] in these.as_chunks().0 {
                        let y_bar = std::mem::replace(&mut bars[y as usize], [F::zero(); L]);
                        add(&mut bars[i as usize], &y_bar, &v[d as usize], product);
                        add(&mut bars[j as usize], &y_bar, &v[e as usize], product);
                    }
                }
                Kind::Fan => {
                    for &[y, i, j, d, e] in these.as_chunks().0 {
                        let y_bar = bars[y as usize];
                        add(&mut bars[i as usize], &y_bar, &v[d as usize], product);
                        add(&mut bars[j as usize], &y_bar, &v[e as usize], product);
                    }
                }
                Kind::Keep => {
                    for &[y, j, e] in these.as_chunks().0 {
                        let y_bar = bars[y as usize];
                        add(&mut bars[j as usize], &y_bar, &v[e as usize], product);
                    }
                }
                Kind::Turn => {
                    for &[y, j, d, e] in these.as_chunks().0 {
                        let y_bar = bars[y as usize];
                        let d = &v[d as usize];
                        bars[y as usize] = std::array::from_fn(|q| product(y_bar[q], d[q]));
                        add(&mut bars[j as usize], &y_bar, &v[e as usize], product);
                    }
                }
            }
        }
    }
}

/// Add, never assign: a value used twice receives one cotangent per use.
#[inline(always)]
fn add<F: Base, const L: usize>(bar: &mut [F; L], y_bar: &[F; L], d: &[F; L], product: impl Fn(F, F) -> F) {
    for q in 0..L {
        bar[q] += product(y_bar[q], d[q]);
    }
}
