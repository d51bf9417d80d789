//! The cells of some blocks of units at one step, with the gates still in the cache.
use super::{
    cell::{Cell, Kind},
    layout::UNITS,
};
use crate::{formula::Lane, kernel::dispatch::Loop, real::Base};
use std::marker::PhantomData;

/// The state before a step: `c` in blocks, `h` in rows of `[rows, H]`, or zeros.
#[derive(Clone, Copy)]
pub(super) enum Before<'a, F> {
    Zero,
    Blocks(&'a [F]),
    Rows(&'a [F]),
}

/// Which cells: `rows` rows of the batch; the blocks of units from `first` on, of `hidden` units.
#[derive(Clone, Copy)]
pub(super) struct Where {
    pub(super) rows: usize,
    pub(super) first: usize,
    pub(super) hidden: usize,
}

impl Where {
    /// How many units of block `u` there are.
    #[inline(always)]
    fn units(&self, u: usize) -> usize {
        (self.hidden - (self.first + u) * UNITS).min(UNITS)
    }
    /// To the next row, and after the last one to the next block.
    #[inline(always)]
    fn advance(&self, u: &mut usize, r: &mut usize) {
        *r += 1;
        if *r == self.rows {
            (*u, *r) = (*u + 1, 0);
        }
    }
    /// Where the units of block `u` begin in a matrix `[rows, H]`.
    #[inline(always)]
    fn row(&self, u: usize, r: usize) -> usize {
        r * self.hidden + (self.first + u) * UNITS
    }
}

#[inline(always)]
fn read<F: Base>(x: &[F]) -> [F; UNITS] {
    *x.first_chunk().expect("a block of units")
}

/// The first `n` numbers, then zeros.
#[inline(always)]
fn read_part<F: Base>(x: &[F], n: usize) -> [F; UNITS] {
    if n == UNITS {
        return read(x);
    }
    let mut part = [F::zero(); UNITS];
    part[..n].copy_from_slice(&x[..n]);
    part
}

#[inline(always)]
fn write_part<F: Base>(x: &mut [F], n: usize, v: &[F; UNITS]) {
    if n == UNITS {
        x[..UNITS].copy_from_slice(v);
    } else {
        x[..n].copy_from_slice(&v[..n]);
    }
}

#[inline(always)]
fn before<F: Base>(b: Before<'_, F>, w: Where, u: usize, r: usize) -> [F; UNITS] {
    match b {
        Before::Zero => [F::zero(); UNITS],
        Before::Blocks(c) => read(&c[(u * w.rows + r) * UNITS..]),
        Before::Rows(h) => read_part(&h[w.row(u, r)..], w.units(u)),
    }
}

/// From sums to gates and states.
pub(super) struct Forward<'a, F, C> {
    pub(super) at: Where,
    /// `[blocks][rows][planes][UNITS]`: the sums; overwritten.
    pub(super) sums: &'a mut [F],
    /// The same: what the reverse needs.
    pub(super) gates: &'a mut [F],
    pub(super) before: Before<'a, F>,
    /// `[blocks][rows][UNITS]`, of an LSTM.
    pub(super) c: &'a mut [F],
    /// `[rows, H]`.
    pub(super) h: &'a mut [F],
    pub(super) cell: PhantomData<C>,
}

impl<F: Base, C: Cell> Loop<F> for Forward<'_, F, C> {
    type Out = ();
    #[inline(always)]
    fn run<L: Lane<F>>(self) {
        let (w, planes) = (self.at, C::X.of);
        for p in 0..planes {
            for z in self.sums.chunks_exact_mut(planes * UNITS) {
                let z = &mut z[p * UNITS..][..UNITS];
                let mut gate = read(z);
                for l in 0..UNITS {
                    gate[l] = C::gate(p, L::load(gate[l])).store();
                }
                z.copy_from_slice(&gate);
            }
        }
        let (mut u, mut r) = (0, 0);
        let sums = self.sums.chunks_exact(planes * UNITS);
        for (cell, (z, gates)) in sums.zip(self.gates.chunks_exact_mut(planes * UNITS)).enumerate() {
            let past = before(self.before, w, u, r);
            let mut keep = if planes == 4 { read_gates::<F, 4>(z) } else { read_gates::<F, 1>(z) };
            let (mut c, mut h) = ([F::zero(); UNITS], [F::zero(); UNITS]);
            for l in 0..UNITS {
                let gate = [L::load(keep[0][l]), L::load(keep[1][l]), L::load(keep[2][l]), L::load(keep[3][l])];
                let step = C::forward(gate, L::load(past[l]));
                for p in 0..planes {
                    keep[p][l] = step.keep[p].store();
                }
                (c[l], h[l]) = (step.c.store(), step.h.store());
            }
            for p in 0..planes {
                gates[p * UNITS..][..UNITS].copy_from_slice(&keep[p]);
            }
            if C::KIND == Kind::Lstm {
                self.c[cell * UNITS..][..UNITS].copy_from_slice(&c);
            }
            write_part(&mut self.h[w.row(u, r)..], w.units(u), &h);
            w.advance(&mut u, &mut r);
        }
    }
}

/// What arrives at the cells of a step in the sweep.
#[derive(Clone, Copy)]
pub(super) struct Arriving<'a, F> {
    pub(super) at: Where,
    pub(super) before: Before<'a, F>,
    /// `[blocks][rows][UNITS]`, of an LSTM.
    pub(super) c: &'a [F],
    /// The cotangent of `h` by the step after, `[blocks][rows][UNITS]`; empty at the last step.
    pub(super) h_bar: &'a [F],
    /// The cotangent of the output, `[rows, H]`; empty if nobody uses it.
    pub(super) y_bar: &'a [F],
}

/// The cotangents that one vector of cells sees.
struct Seen<F> {
    past: [F; UNITS],
    c: [F; UNITS],
    /// Of `h`, with and without what the loss says of this step itself.
    total: [F; UNITS],
    transported: [F; UNITS],
}

impl<F: Base> Arriving<'_, F> {
    #[inline(always)]
    fn seen<C: Cell>(&self, u: usize, r: usize, carry: &[F; UNITS]) -> Seen<F> {
        let (w, cell) = (self.at, u * self.at.rows + r);
        let zero = [F::zero(); UNITS];
        let past = if C::NEEDS_BEFORE { before(self.before, w, u, r) } else { zero };
        let c = if C::KIND == Kind::Lstm { read(&self.c[cell * UNITS..]) } else { zero };
        let mut transported = if self.h_bar.is_empty() { zero } else { read(&self.h_bar[cell * UNITS..]) };
        if C::KIND == Kind::Gru {
            for l in 0..UNITS {
                transported[l] += carry[l];
            }
        }
        let mut total = transported;
        if !self.y_bar.is_empty() {
            let y_bar = read_part(&self.y_bar[w.row(u, r)..], w.units(u));
            for l in 0..UNITS {
                total[l] += y_bar[l];
            }
        }
        Seen { past, c, total, transported }
    }
}

#[inline(always)]
fn read_gates<F: Base, const PLANES: usize>(z: &[F]) -> [[F; UNITS]; 4] {
    let mut keep = [[F::zero(); UNITS]; 4];
    for p in 0..PLANES {
        keep[p] = read(&z[p * UNITS..]);
    }
    keep
}

/// From cotangents of states to those of gates, which are written over them.
pub(super) struct Backward<'a, F, C> {
    pub(super) arriving: Arriving<'a, F>,
    pub(super) gates: &'a mut [F],
    /// `[blocks][rows][UNITS]`: from the step after, then for the step before.
    pub(super) carry: &'a mut [F],
    pub(super) cell: PhantomData<C>,
}

/// Vanished cotangents become 0: subnormal numbers are the slow path of a processor, whose modes are not ours to change.
#[inline(always)]
fn normal<F: Base>(x: F) -> F {
    if x.abs() < F::min_positive_value() { F::zero() } else { x }
}

impl<F: Base, C: Cell> Loop<F> for Backward<'_, F, C> {
    type Out = ();
    #[inline(always)]
    fn run<L: Lane<F>>(self) {
        let (w, planes) = (self.arriving.at, C::X.of);
        let (mut u, mut r) = (0, 0);
        for (cell, z) in self.gates.chunks_exact_mut(planes * UNITS).enumerate() {
            let mut carry = [F::zero(); UNITS];
            if C::CARRIES {
                carry = read(&self.carry[cell * UNITS..]);
            }
            let seen = self.arriving.seen::<C>(u, r, &carry);
            let mut keep = if planes == 4 { read_gates::<F, 4>(z) } else { read_gates::<F, 1>(z) };
            for l in 0..UNITS {
                let kept = [L::load(keep[0][l]), L::load(keep[1][l]), L::load(keep[2][l]), L::load(keep[3][l])];
                let (past, c) = (L::load(seen.past[l]), L::load(seen.c[l]));
                let back = C::backward(kept, past, c, L::load(seen.total[l]), L::load(carry[l]));
                for p in 0..planes {
                    keep[p][l] = normal(back.z_bar[p].store());
                }
                carry[l] = normal(back.carry.store());
            }
            for p in 0..planes {
                z[p * UNITS..][..UNITS].copy_from_slice(&keep[p]);
            }
            if C::CARRIES {
                self.carry[cell * UNITS..][..UNITS].copy_from_slice(&carry);
            }
            w.advance(&mut u, &mut r);
        }
    }
}

/// A sum of squares that neither overflows nor underflows: small, ordinary and large numbers apart, the first and last scaled
/// by `2^+-600`.
///
/// Source: Blue, "A portable Fortran program to find the Euclidean norm of a vector", 1978.
#[derive(Clone, Copy, Debug, Default)]
pub struct Squares([f64; 3]);

impl Squares {
    /// Beyond this, and below its inverse, squares are scaled.
    const LARGE: f64 = 1e140;
    const UP: f64 = f64::from_bits((1023 + 600) << 52);
    const DOWN: f64 = f64::from_bits((1023 - 600) << 52);

    fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(a, b)| *a += b);
    }

    /// `log10` of the norm; minus infinity for 0.
    pub fn log10_norm(&self) -> f64 {
        let Self([small, middle, large]) = *self;
        if large > 0.0 {
            return 0.5 * (large + middle * Self::DOWN * Self::DOWN).log10() + 600.0 * 2f64.log10();
        }
        if middle > 0.0 {
            return 0.5 * (middle + small * Self::DOWN * Self::DOWN).log10();
        }
        0.5 * small.log10() - 600.0 * 2f64.log10()
    }
}

/// Squares of each lane.
#[derive(Clone, Copy)]
struct Lanes([[f64; UNITS]; 3]);

impl Lanes {
    #[inline(always)]
    fn add<F: Base>(&mut self, x: &[F; UNITS]) {
        for l in 0..UNITS {
            let x = x[l].f64();
            if size_of::<F>() < size_of::<f64>() {
                self.0[1][l] += x * x; // always representable
                continue;
            }
            let (small, large) = (x.abs() < 1.0 / Squares::LARGE, x.abs() > Squares::LARGE);
            let middle = if small | large { 0.0 } else { x };
            let (up, down) = (x * Squares::UP, x * Squares::DOWN);
            self.0[0][l] += if small { up * up } else { 0.0 };
            self.0[1][l] += middle * middle;
            self.0[2][l] += if large { down * down } else { 0.0 };
        }
    }
    fn sum(&self) -> Squares {
        Squares(self.0.map(|lanes| lanes.iter().sum()))
    }
}

/// What is told of a step: sums over cells.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// Of the cotangent of `h`, and of its part that came from the step after.
    pub h: [Squares; 2],
    /// The same for the cell state of an LSTM.
    pub c: [Squares; 2],
    /// Gates, in the order in which they are reported.
    pub gates: [f64; 3],
}

impl Sums {
    pub(super) fn add(&mut self, other: &Self) {
        for k in 0..2 {
            self.h[k].add(&other.h[k]);
            self.c[k].add(&other.c[k]);
        }
        self.gates.iter_mut().zip(other.gates).for_each(|(a, b)| *a += b);
    }
}

/// Reads what [`Backward`] will read, for an observer.
pub(super) struct Listen<'a, F, C> {
    pub(super) arriving: Arriving<'a, F>,
    pub(super) gates: &'a [F],
    pub(super) carry: &'a [F],
    pub(super) cell: PhantomData<C>,
}

impl<F: Base, C: Cell> Loop<F> for Listen<'_, F, C> {
    type Out = Sums;
    #[inline(always)]
    fn run<L: Lane<F>>(self) -> Sums {
        let (w, planes) = (self.arriving.at, C::X.of);
        let none = Lanes([[0.0; UNITS]; 3]);
        let (mut h, mut c, mut means) = ([none; 2], [none; 2], [[0.0; UNITS]; 3]);
        for (cell, z) in self.gates.chunks_exact(planes * UNITS).enumerate() {
            let mut carry = [F::zero(); UNITS];
            if C::CARRIES {
                carry = read(&self.carry[cell * UNITS..]);
            }
            let seen = self.arriving.seen::<C>(cell / w.rows, cell % w.rows, &carry);
            let keep = if planes == 4 { read_gates::<F, 4>(z) } else { read_gates::<F, 1>(z) };
            for (k, bar) in [&seen.total, &seen.transported].into_iter().enumerate() {
                h[k].add(bar);
                if C::KIND == Kind::Lstm {
                    let mut c_bar = [F::zero(); UNITS];
                    for l in 0..UNITS {
                        let kept = [L::load(keep[0][l]), L::load(keep[1][l]), L::load(keep[2][l]), L::load(keep[3][l])];
                        let (past, now) = (L::load(seen.past[l]), L::load(seen.c[l]));
                        let back = C::backward(kept, past, now, L::load(bar[l]), L::load(carry[l]));
                        c_bar[l] = back.state_bar.store();
                    }
                    c[k].add(&c_bar);
                }
            }
            for (sum, (_, p)) in means.iter_mut().zip(C::REPORTED) {
                for l in 0..w.units(cell / w.rows) {
                    sum[l] += keep[*p][l].f64();
                }
            }
        }
        let gates = means.map(|lanes| lanes.iter().sum::<f64>());
        Sums { h: h.map(|lanes| lanes.sum()), c: c.map(|lanes| lanes.sum()), gates }
    }
}
