//! Forward mode: a number with its derivatives in some directions.
use super::Scalar;
use crate::formula::Formula;
use std::{array::from_fn, fmt};

/// A number with its derivatives in `N` directions, carried along.
///
/// It has everything that [`Var`](super::Var) has. Duals nest (second derivatives), and stand inside variables (`Var<Dual<f64>>`:
/// forward over reverse).
///
/// ```
/// use chainrule::scalar::Dual;
/// let x = Dual::new(3.0, [1.0]);
/// let y = x * x + 2.0 * x;
/// assert_eq!((y.value(), y.tangent()), (15.0, [8.0]));
///
/// let (x, y) = (Dual::new(3.0, [1.0, 0.0]), Dual::new(4.0, [0.0, 1.0])); // a gradient in one pass
/// assert_eq!(x.hypot(y).tangent(), [0.6, 0.8]);
///
/// let x = Dual::new(Dual::new(2.0, [1.0]), [Dual::new(1.0, [0.0])]);
/// assert_eq!(x.powi(3).tangent()[0].tangent(), [12.0]); // the second derivative
/// ```
#[derive(Clone, Copy)]
pub struct Dual<S: Scalar = f64, const N: usize = 1> {
    pub(super) v: S,
    pub(super) d: [S; N],
}

impl<S: Scalar, const N: usize> Dual<S, N> {
    /// A number and its derivatives.
    #[inline(always)]
    pub fn new(value: S, tangent: [S; N]) -> Self {
        Self { v: value, d: tangent }
    }

    /// A number with derivatives 0.
    #[inline(always)]
    pub fn constant(x: S) -> Self {
        Self { v: x, d: [S::zero(); N] }
    }

    /// The number itself.
    #[inline(always)]
    pub fn value(self) -> S {
        self.v
    }

    /// Its derivatives.
    #[inline(always)]
    pub fn tangent(self) -> [S; N] {
        self.d
    }

    /// f(self).
    #[inline(always)]
    pub(super) fn unary<O: Formula<1>>(self, op: O) -> Self {
        let x = self.v.number();
        let y = op.value([x]);
        let [slope] = op.partials([x], y);
        self.fold(S::of(y), S::of(slope))
    }

    /// f(self, b).
    #[inline(always)]
    pub(super) fn binary<O: Formula<2>>(self, b: Self, op: O) -> Self {
        let x = [self.v.number(), b.v.number()];
        let y = op.value(x);
        let [p, q] = op.partials(x, y).map(S::of);
        let v = S::of(y);
        let d = from_fn(|k| self.d[k] * p + b.d[k] * q);
        if plain(&d) { Self { v, d } } else { Self { v, d: from_fn(|k| self.d[k].chain(p) + b.d[k].chain(q)) } }
    }

    /// `f(self, c)` for a plain number.
    #[inline(always)]
    pub(super) fn with_right<O: Formula<2>>(self, c: f64, op: O) -> Self {
        let x = [self.v.number(), <S as Scalar>::lit(c).number()];
        let y = op.value(x);
        let [p, _] = op.partials(x, y);
        self.fold(S::of(y), S::of(p))
    }

    /// `f(c, self)` for a plain number.
    #[inline(always)]
    pub(super) fn with_left<O: Formula<2>>(self, c: f64, op: O) -> Self {
        let x = [<S as Scalar>::lit(c).number(), self.v.number()];
        let y = op.value(x);
        let [_, q] = op.partials(x, y);
        self.fold(S::of(y), S::of(q))
    }

    #[inline(always)]
    fn fold(self, v: S, slope: S) -> Self {
        let d = self.d.map(|d| d * slope);
        if plain(&d) { Self { v, d } } else { Self { v, d: self.d.map(|d| d.chain(slope)) } }
    }
}

/// Whether plain products are those of the chain rule, in which zero wins: they differ only where they are NaN.
#[inline(always)]
fn plain<S: Scalar>(d: &[S]) -> bool {
    S::PLAIN && !d.iter().fold(false, |nan, d| nan | d.is_nan())
}

impl<S: Scalar, const N: usize> fmt::Debug for Dual<S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dual({:?}, {:?})", self.v, self.d)
    }
}
