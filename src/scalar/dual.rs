//! Forward mode: a number with its derivatives in some directions.
use super::Scalar;
use crate::formula::{Formula, moves_only};
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
        self.fold(S::of(y), S::of(slope), moves_only::<O>())
    }

    /// f(self, b).
    #[inline(always)]
    pub(super) fn binary<O: Formula<2>>(self, b: Self, op: O) -> Self {
        let x = [self.v.number(), b.v.number()];
        let y = op.value(x);
        let [p, q] = op.partials(x, y).map(S::of);
        let v = S::of(y);
        if moves_only::<O>() || plain(p * q) {
            return Self { v, d: from_fn(|k| self.d[k] * p + b.d[k] * q) };
        }
        Self { v, d: guarded(self.d, p, b.d, q) }
    }

    #[inline(always)]
    pub(super) fn fold(self, v: S, slope: S, moves: bool) -> Self {
        if moves || plain(slope) {
            return Self { v, d: self.d.map(|d| d * slope) };
        }
        Self { v, d: guarded(self.d, slope, [S::zero(); N], S::zero()) }
    }
}

/// Whether products with a slope are those of the chain rule, in which zero wins: a slope that is neither 0 nor infinite makes no
/// other number of a zero or of an infinite derivative. (Neither are two, if their product is not.)
#[inline(always)]
fn plain<S: Scalar>(slope: S) -> bool {
    S::PLAIN && slope.abs() < S::infinity() && slope != S::zero()
}

/// The derivatives by products in which zero wins. Out of line: where two ways to them meet, vectors would go through memory.
#[inline(never)]
fn guarded<S: Scalar, const N: usize>(d: [S; N], p: S, e: [S; N], q: S) -> [S; N] {
    from_fn(|k| d[k].chain(p) + e[k].chain(q))
}

impl<S: Scalar, const N: usize> fmt::Debug for Dual<S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dual({:?}, {:?})", self.v, self.d)
    }
}
