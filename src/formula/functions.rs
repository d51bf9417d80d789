//! The rest of the functions of single numbers, with their derivatives: what [`num_traits::Float`] has and the vocabulary
//! of tensors has not. A row that tensors need, too, moves to the table of [`Elementwise`] and becomes an op.
use super::{Elementwise, Neg, Number, Plain, gamma};
use crate::real::Base;
use std::any::TypeId;

/// What formulas of single numbers may use beside [`Number`].
pub trait Functions: Number {
    /// `2^x`.
    fn exp2(self) -> Self;
    /// The logarithm to base 2.
    fn log2(self) -> Self;
    /// The logarithm to base 10.
    fn log10(self) -> Self;
    /// The cube root.
    fn cbrt(self) -> Self;
    /// The angle in -pi/2..=pi/2 whose sine is x.
    fn asin(self) -> Self;
    /// The angle in 0..=pi whose cosine is x.
    fn acos(self) -> Self;
    /// The angle in -pi/2..=pi/2 whose tangent is x.
    fn atan(self) -> Self;
    /// The hyperbolic sine.
    fn sinh(self) -> Self;
    /// The hyperbolic cosine.
    fn cosh(self) -> Self;
    /// The inverse of sinh.
    fn asinh(self) -> Self;
    /// The inverse of cosh on its right branch.
    fn acosh(self) -> Self;
    /// The inverse of tanh.
    fn atanh(self) -> Self;
    /// `ln |gamma(x)|`.
    fn ln_gamma(self) -> Self;
    /// The `n`th derivative of digamma, the logarithmic derivative of gamma.
    fn polygamma(self, n: u32) -> Self;
    /// A power with a variable exponent.
    fn pow(self, b: Self) -> Self;
    /// `sqrt(a^2 + b^2)`, without overflow on the way.
    fn hypot(self, b: Self) -> Self;
    /// The angle of the point `(x, y)`, with `y` as self.
    fn atan2(self, x: Self) -> Self;
    /// What division towards 0 leaves, with the sign of self.
    fn remainder(self, b: Self) -> Self;
    /// The nearest whole number, halves away from 0. Derivative 0.
    fn round(self) -> Self;
}

macro_rules! plain { ($($method:ident($($x:ident),*) = $f:expr;)*) => {
    impl<F: Base> Functions for Plain<F>
    where
        Self: Number,
    {
        $(
            #[inline]
            fn $method(self, $($x: Self),*) -> Self {
                let f: fn(f64 $(, plain!(@f64 $x))*) -> f64 = $f;
                Self(F::of(f(self.0.f64() $(, $x.0.f64())*)))
            }
        )*
        #[inline]
        fn polygamma(self, n: u32) -> Self {
            Self(F::of(gamma::polygamma(n, self.0.f64())))
        }
    }
}; (@f64 $x:ident) => { f64 } }
// f32 goes by f64.
plain! {
    exp2() = f64::exp2;
    log2() = f64::log2;
    log10() = f64::log10;
    cbrt() = f64::cbrt;
    asin() = f64::asin;
    acos() = f64::acos;
    atan() = f64::atan;
    sinh() = f64::sinh;
    cosh() = f64::cosh;
    // The standard library's lose digits near 0 and near 1.
    asinh() = libm::asinh;
    acosh() = libm::acosh;
    atanh() = libm::atanh;
    ln_gamma() = libm::lgamma;
    pow(b) = f64::powf;
    hypot(b) = f64::hypot;
    atan2(x) = f64::atan2;
    remainder(b) = |a, b| a % b;
    round() = f64::round;
}

/// A formula and its partial derivatives, for single numbers. Every [`Elementwise`] formula is one.
pub trait Formula<const N: usize>: Copy + Send + Sync + 'static {
    /// f(x).
    fn value<S: Functions>(self, x: [S; N]) -> S;
    /// The partial derivative for each input, at `x` with `y = f(x)`.
    fn partials<S: Functions>(self, x: [S; N], y: S) -> [S; N];
}
impl<O: Elementwise<N>, const N: usize> Formula<N> for O {
    #[inline(always)]
    fn value<S: Functions>(self, x: [S; N]) -> S {
        Elementwise::value(self, x)
    }
    #[inline(always)]
    fn partials<S: Functions>(self, x: [S; N], y: S) -> [S; N] {
        Elementwise::partials(self, x, y)
    }
}

/// Whether the partial derivatives of a formula are 1 or -1 everywhere.
#[inline(always)]
pub fn moves_only<O: 'static>() -> bool {
    let op = TypeId::of::<O>();
    op == TypeId::of::<Plus>() || op == TypeId::of::<Minus>() || op == TypeId::of::<Neg>()
}

/// Rows as those of the table of [`Elementwise`].
macro_rules! rows { ($($(#[$doc:meta])* $op:ident { $($attr:ident: $ty:ty),* }, ($($x:ident),+) = $v:expr; $y:ident => $d:expr;)*) => { $(
    $(#[$doc])*
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct $op {
        $(#[doc = "An attribute of the formula."] pub $attr: $ty),*
    }
    #[allow(unused_variables)]
    impl Formula<{ [$(stringify!($x)),+].len() }> for $op {
        #[inline(always)]
        fn value<S: Functions>(self, [$($x),+]: [S; [$(stringify!($x)),+].len()]) -> S {
            let Self { $($attr),* } = self;
            $v
        }
        #[inline(always)]
        fn partials<S: Functions>(self, [$($x),+]: [S; [$(stringify!($x)),+].len()], $y: S) -> [S; [$(stringify!($x)),+].len()] {
            let Self { $($attr),* } = self;
            $d
        }
    }
)* } }
rows! {
    /// `a + b`.
    Plus {}, (a, b) = a + b; y => [a.lit(1.0), b.lit(1.0)];
    /// `a - b`.
    Minus {}, (a, b) = a - b; y => [a.lit(1.0), b.lit(-1.0)];
    /// `a % b`, with the sign of `a`; between its jumps `a - q b` for a whole `q`.
    Remainder {}, (a, b) = a.remainder(b); y => [a.lit(1.0), -((a - y) / b).round()];
    /// `2^x`.
    Exp2 {}, (x) = x.exp2(); y => [y * y.lit(LN_2)];
    /// The logarithm to base 2.
    Log2 {}, (x) = x.log2(); y => [x.recip() * x.lit(LOG2_E)];
    /// The logarithm to base 10.
    Log10 {}, (x) = x.log10(); y => [x.recip() * x.lit(LOG10_E)];
    /// The cube root. Derivative `1/(3 y^2)`, infinite at 0.
    Cbrt {}, (x) = x.cbrt(); y => [(y * y * y.lit(3.0)).recip()];
    /// The inverse of sine. Derivative `1/sqrt(1 - x^2)`, infinite at -1 and 1.
    Asin {}, (x) = x.asin(); y => [one_minus_square(x).sqrt().recip()];
    /// The inverse of cosine. Derivative `-1/sqrt(1 - x^2)`, infinite at -1 and 1.
    Acos {}, (x) = x.acos(); y => [-one_minus_square(x).sqrt().recip()];
    /// The inverse of tangent. Derivative `1/(1 + x^2)`.
    Atan {}, (x) = x.atan(); y => [(x * x + x.lit(1.0)).recip()];
    /// The hyperbolic sine.
    Sinh {}, (x) = x.sinh(); y => [x.cosh()];
    /// The hyperbolic cosine.
    Cosh {}, (x) = x.cosh(); y => [x.sinh()];
    /// The inverse of sinh. Derivative `1/sqrt(x^2 + 1)`, without overflow on the way.
    Asinh {}, (x) = x.asinh(); y => [x.hypot(x.lit(1.0)).recip()];
    /// The inverse of cosh: NaN below 1. Derivative `1/sqrt(x^2 - 1)`, infinite at 1.
    Acosh {}, (x) = x.acosh(); y => [((x - x.lit(1.0)).sqrt() * (x + x.lit(1.0)).sqrt()).recip()];
    /// The inverse of tanh: NaN outside -1..=1. Derivative `1/(1 - x^2)`.
    Atanh {}, (x) = x.atanh(); y => [one_minus_square(x).recip()];
    /// `ln |gamma(x)|`: infinite at 0 and at negative whole numbers. Derivative [`Polygamma`] of order 0.
    LnGamma {}, (x) = x.ln_gamma(); y => [x.polygamma(0)];
    /// Digamma for `n = 0`, else its `n`th derivative; NaN at negative whole numbers.
    Polygamma { n: u32 }, (x) = x.polygamma(n); y => [x.polygamma(n + 1)];
    /// `a^b`. `a^0 = 1` everywhere, with derivative 0 for `a`; `0^b` has derivative 0 for a `b` that is not negative.
    /// Derivative for `b`: NaN for a negative `a`.
    Pow {}, (a, b) = a.pow(b); y => [
        b.chain(a.pow(b - b.lit(1.0))), // a chosen 0 would have no derivative for b
        a.where_cond(y * a.ln(), b.ge(b.lit(0.0)).where_cond(b.lit(0.0), y * a.ln())),
    ];
    /// `sqrt(a^2 + b^2)`, without overflow on the way. At 0, 0 the derivatives are taken as 0, as those of a norm.
    Hypot {}, (a, b) = a.hypot(b); y => [y.where_cond(a / y, y.lit(0.0)), y.where_cond(b / y, y.lit(0.0))];
    /// `x` where it is infinite and has no derivative: NaN.
    Edge {}, (x) = x; y => [x * x.lit(0.0)];
    /// The angle of the point `(x, y)`, in -pi..=pi, for the inputs `y, x`. At 0, 0 the derivatives are taken as 0.
    Atan2 {}, (a, b) = a.atan2(b); y => [over_square(b, a.hypot(b)), -over_square(a, a.hypot(b))];
}

const LN_2: f64 = std::f64::consts::LN_2;
const LOG2_E: f64 = std::f64::consts::LOG2_E;
const LOG10_E: f64 = std::f64::consts::LOG10_E;

/// `1 - x^2` with its digits near -1 and 1, and those of its derivative near 0.
#[inline(always)]
fn one_minus_square<S: Number>(x: S) -> S {
    x.lit(0.5).gt(x.abs()).where_cond(x.lit(1.0) - x * x, (x.lit(1.0) - x) * (x.lit(1.0) + x))
}

/// `x / r^2` where `r^2` may overflow or underflow; 0 for `r = 0`.
#[inline(always)]
fn over_square<S: Number>(x: S, r: S) -> S {
    r.where_cond(x / r / r, r.lit(0.0))
}
