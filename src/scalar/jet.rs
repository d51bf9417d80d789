//! Truncated Taylor series: derivatives of any order in one direction.
use super::{
    Scalar,
    series::{self, Solver},
};
use crate::formula::Formula;
use std::fmt;

/// A Taylor series up to order `N`: a value and `N` coefficients, `c[0] + c[1] t + .. + c[N] t^N`.
///
/// `N` counts the order, as in mathematics (an N-jet): there are `N + 1` coefficients, and `c[k]` is the `k`th derivative over `k!`. It has
/// everything that [`Var`](super::Var) has, and nests with it and with [`Dual`](super::Dual). An operation takes time in `N^2` or, for powers
/// and for digamma, `N^3`; duals inside duals would take `2^N`.
///
/// ```
/// use chainrule::scalar::Jet;
/// let x = Jet::<4>::variable(0.0);
/// assert_eq!(x.exp().derivatives(), [1.0, 1.0, 1.0, 1.0, 1.0]);
/// assert_eq!((1.0 / (1.0 - x)).coefficients(), [1.0, 1.0, 1.0, 1.0, 1.0]);
///
/// // Along a curve: the series of sin(s) for s = 2 t + t^2.
/// let s = Jet::new(0.0, [2.0, 1.0, 0.0]);
/// assert_eq!(s.sin().coefficients(), [0.0, 2.0, 1.0, -8.0 / 6.0]);
/// ```
/// The gradient of a coefficient, with jets over variables:
/// ```
/// use chainrule::scalar::{self, Jet};
/// // d/dp of the third derivative of exp(p x) at x = 0, p^3
/// let g: Vec<f64> = scalar::grad(|p| (Jet::<3, _>::variable(0.0.into()) * Jet::constant(p[0])).exp().derivative(3), &[2.0]);
/// assert!((g[0] - 12.0).abs() < 1e-14);
/// ```
#[derive(Clone, Copy)]
pub struct Jet<const N: usize, S: Scalar = f64> {
    pub(super) v: S,
    /// The coefficients from the first order on.
    pub(super) c: [S; N],
}

impl<const N: usize, S: Scalar> Jet<N, S> {
    /// A value, and the coefficients of orders 1 to `N`.
    #[inline]
    pub fn new(value: S, coefficients: [S; N]) -> Self {
        Self { v: value, c: coefficients }
    }

    /// The series of a number that stays: all coefficients are 0.
    #[inline]
    pub fn constant(x: S) -> Self {
        Self { v: x, c: [S::zero(); N] }
    }

    /// The series `x + t`, of which functions have their own Taylor series at `x`.
    #[inline]
    pub fn variable(x: S) -> Self {
        let mut jet = Self::constant(x);
        if let Some(slope) = jet.c.first_mut() {
            *slope = S::one();
        }
        jet
    }

    /// The number itself, the coefficient of order 0.
    #[inline]
    pub fn value(self) -> S {
        self.v
    }

    /// The coefficient of `t^k`.
    ///
    /// # Panics
    /// If `k` is larger than `N`.
    #[track_caller]
    pub fn coefficient(self, k: usize) -> S {
        assert!(k <= N, "scalar::Jet: order {k} of a series up to order {N}");
        if k == 0 { self.v } else { self.c[k - 1] }
    }

    /// The `k`th derivative, `k!` times the coefficient of `t^k`.
    ///
    /// # Panics
    /// If `k` is larger than `N`.
    #[track_caller]
    pub fn derivative(self, k: usize) -> S {
        (1..=k).fold(self.coefficient(k), |c, i| c * S::lit(i as f64))
    }

    /// All coefficients, from order 0 to order `N`.
    pub fn coefficients(self) -> Vec<S> {
        (0..=N).map(|k| self.coefficient(k)).collect()
    }

    /// All derivatives, from order 0 (the value) to order `N`.
    pub fn derivatives(self) -> Vec<S> {
        (0..=N).map(|k| self.derivative(k)).collect()
    }

    /// How many coefficients there are before all that are left are 0.
    pub(super) fn end(&self) -> usize {
        self.c.iter().rposition(|c| !c.nothing()).map_or(1, |last| last + 2)
    }

    fn given(v: S, coefficient: impl Fn(usize) -> S) -> Self {
        Self { v, c: std::array::from_fn(|k| coefficient(k + 1)) }
    }

    /// f(self).
    #[inline]
    pub(super) fn unary<O: Formula<1>>(self, op: O) -> Self {
        if series::is::<O, crate::formula::Neg>() {
            return Self::given(-self.v, |k| -self.c[k - 1]);
        }
        self.solved([self], op)
    }

    /// f(self, b).
    #[inline]
    pub(super) fn binary<O: Formula<2>>(self, b: Self, op: O) -> Self {
        match series::arithmetic::<O>() {
            Some(arithmetic) => {
                let mut y = Self::constant(arithmetic.value(self.v, b.v));
                let (a_end, b_end) = (self.end(), b.end());
                for k in 1..=N {
                    let c = arithmetic.coefficient(k, (a_end, b_end), |k| self.at(k), |k| b.at(k), |k| y.at(k));
                    y.c[k - 1] = c;
                }
                y
            }
            None => self.solved([self, b], op),
        }
    }

    #[inline]
    fn at(&self, k: usize) -> S {
        if k == 0 { self.v } else { self.c[k - 1] }
    }

    /// f(x), from its derivative.
    fn solved<O: Formula<M>, const M: usize>(self, x: [Self; M], op: O) -> Self {
        if x.iter().all(|x| x.end() == 1) {
            return Self::constant(S::of(op.value(x.map(|x| x.v.number()))));
        }
        let mut y = Self::constant(S::zero());
        Solver::solve(op, N + 1, x.map(|x| (x.end(), move |k| x.at(k))), |k, c| match k {
            0 => y.v = c,
            _ => y.c[k - 1] = c,
        });
        y
    }
}

/// The Taylor series of a function at `x`, up to the order of the jet that it takes: the `k`th derivative over `k!`, for `k` from 0.
///
/// ```
/// use chainrule::scalar::{self, Jet};
/// let c = scalar::taylor(|x: Jet<5>| x.ln_1p(), 0.0);
/// assert_eq!(c, [0.0, 1.0, -1.0 / 2.0, 1.0 / 3.0, -1.0 / 4.0, 1.0 / 5.0]);
/// ```
///
/// # Panics
/// As `f`.
pub fn taylor<const N: usize, S: Scalar>(f: impl FnOnce(Jet<N, S>) -> Jet<N, S>, x: S) -> Vec<S> {
    f(Jet::variable(x)).coefficients()
}

/// The derivatives of a function at `x`, up to the order of the jet that it takes: the value, the first one, the second one, ..
///
/// ```
/// use chainrule::scalar::{self, Jet};
/// assert_eq!(scalar::derivatives(|x: Jet<4>| x.powi(3), 2.0), [8.0, 12.0, 12.0, 6.0, 0.0]);
/// ```
///
/// # Panics
/// As `f`.
pub fn derivatives<const N: usize, S: Scalar>(f: impl FnOnce(Jet<N, S>) -> Jet<N, S>, x: S) -> Vec<S> {
    f(Jet::variable(x)).derivatives()
}

impl<const N: usize, S: Scalar> fmt::Debug for Jet<N, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jet({:?}, {:?})", self.v, self.c)
    }
}
