//! Elementwise ops over slices: one compiled loop per row of the table, element type and processor.
use super::{
    dispatch::{Loop, vectorised},
    threads::{PIECE, both},
};
use crate::{
    formula::{self, Elementwise, Lane, Lanes, arity, elementwise},
    real::Base,
};

/// One pass of an elementwise op over slices of equal length.
pub enum Pass<'a, F, const N: usize> {
    /// `out[e] = f(x[0][e], ..)`
    Value {
        /// The inputs.
        x: [&'a [F]; N],
        /// The result.
        out: &'a mut [F],
    },
    /// `out[e] = y_bar[e] * partial_i(x[e], y[e])`; without `y_bar`, `out` holds it.
    Partial {
        /// Which input's partial derivative.
        i: usize,
        /// The inputs.
        x: [&'a [F]; N],
        /// The output.
        y: &'a [F],
        /// The cotangent of the output.
        y_bar: Option<&'a [F]>,
        /// The cotangent of input `i`.
        out: &'a mut [F],
    },
}

impl<F, const N: usize> Pass<'_, F, N> {
    fn len(&self) -> usize {
        match self {
            Self::Value { out, .. } | Self::Partial { out, .. } => out.len(),
        }
    }

    fn split(self, at: usize) -> (Self, Self) {
        match self {
            Self::Value { x, out } => {
                let (low, high) = out.split_at_mut(at);
                (Self::Value { x: x.map(|x| &x[..at]), out: low }, Self::Value { x: x.map(|x| &x[at..]), out: high })
            }
            Self::Partial { i, x, y, y_bar, out } => {
                let (low, high) = out.split_at_mut(at);
                (
                    Self::Partial {
                        i,
                        x: x.map(|x| &x[..at]),
                        y: &y[..at],
                        y_bar: y_bar.map(|y_bar| &y_bar[..at]),
                        out: low,
                    },
                    Self::Partial {
                        i,
                        x: x.map(|x| &x[at..]),
                        y: &y[at..],
                        y_bar: y_bar.map(|y_bar| &y_bar[at..]),
                        out: high,
                    },
                )
            }
        }
    }
}

/// An elementwise op that knows its kernels. A row of the table uses the ones compiled in this crate; a user's own
/// op gets the default, compiled in the user's crate.
pub trait MapOp<const N: usize>: Elementwise<N> {
    /// Runs one pass.
    #[inline]
    fn pass<F: Maps>(self, pass: Pass<'_, F, N>) {
        run(self, pass);
    }
}

/// The pass on this thread, or cut in pieces for several.
pub fn run<F: Lanes, O: Elementwise<N>, const N: usize>(op: O, pass: Pass<'_, F, N>) {
    const { assert!(0 < N && N <= 3) }
    if pass.len() <= PIECE {
        return vectorised(Run(op, pass));
    }
    let half = (pass.len() / 2).next_multiple_of(64);
    let (low, high) = pass.split(half);
    both(|| run(op, low), || run(op, high));
}

struct Run<'a, F, O, const N: usize>(O, Pass<'a, F, N>);

impl<F: Base, O: Elementwise<N>, const N: usize> Loop<F> for Run<'_, F, O, N> {
    type Out = ();
    #[inline(always)]
    fn run<L: Lane<F>>(self) {
        match self.1 {
            Pass::Value { x, out } => value::<F, L, O, N>(self.0, x, out),
            // The index is a constant in each copy, so that the compiler drops the other partials.
            Pass::Partial { i: 0, x, y, y_bar, out } => partial::<F, L, O, N, 0>(self.0, x, y, y_bar, out),
            Pass::Partial { i: 1, x, y, y_bar, out } => partial::<F, L, O, N, 1>(self.0, x, y, y_bar, out),
            Pass::Partial { x, y, y_bar, out, .. } => partial::<F, L, O, N, 2>(self.0, x, y, y_bar, out),
        }
    }
}

#[inline(always)]
fn lanes<F: Base, L: Lane<F>, const N: usize>(x: &[&[F]; N], e: usize) -> [L; N] {
    let mut v = [L::load(x[0][e]); N];
    for k in 1..N {
        v[k] = L::load(x[k][e]);
    }
    v
}

#[inline(always)]
fn trim<F, const N: usize>(mut x: [&[F]; N], n: usize) -> [&[F]; N] {
    for x in &mut x {
        *x = &x[..n];
    }
    x
}

#[inline(always)]
fn value<F: Base, L: Lane<F>, O: Elementwise<N>, const N: usize>(op: O, x: [&[F]; N], out: &mut [F]) {
    let x = trim(x, out.len());
    for e in 0..out.len() {
        out[e] = op.value(lanes::<F, L, N>(&x, e)).store();
    }
}

#[inline(always)]
fn partial<F: Base, L: Lane<F>, O: Elementwise<N>, const N: usize, const I: usize>(
    op: O,
    x: [&[F]; N],
    y: &[F],
    y_bar: Option<&[F]>,
    out: &mut [F],
) {
    if I >= N {
        return;
    }
    let n = out.len();
    let (x, y) = (trim(x, n), &y[..n]);
    // A piece stays in the cache, and one loop instead of two halves what must be compiled.
    if let Some(y_bar) = y_bar {
        out.copy_from_slice(y_bar);
    }
    for e in 0..n {
        let slope = op.partials(lanes::<F, L, N>(&x, e), L::load(y[e]))[I % N];
        out[e] = L::load(out[e]).chain(slope).store();
    }
}

macro_rules! maps { ($($(#[$doc:meta])* $op:ident { $($attr:ident: $ty:ty),* }, $method:ident, ($($x:ident),+) = $v:expr; $y:ident => $d:expr;)*) => {
    /// One concrete function per row of the table.
    pub trait Maps: Lanes {
        $(
            #[doc = concat!("The kernel of [`", stringify!($op), "`](formula::", stringify!($op), ").")]
            fn $method(op: formula::$op, pass: Pass<'_, Self, { arity!($($x),+) }>);
        )*
    }
    macro_rules! instantiate { ($f:ident) => {
        impl Maps for $f {
            $( fn $method(op: formula::$op, pass: Pass<'_, Self, { arity!($($x),+) }>) { run(op, pass) } )*
        }
    } }
    $(
        impl MapOp<{ arity!($($x),+) }> for formula::$op {
            #[inline]
            fn pass<F: Maps>(self, pass: Pass<'_, F, { arity!($($x),+) }>) {
                <F as Maps>::$method(self, pass);
            }
        }
    )*
} }
elementwise!(maps);
instantiate! { f32 }
instantiate! { f64 }
