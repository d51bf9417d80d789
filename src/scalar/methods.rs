//! The functions as inherent methods, so that a closure needs no import.
use super::{Dual, Jet, Scalar, Trace, Var};
use crate::{formula::*, kernel::Programs};
use num_traits::Float;

macro_rules! rows { ([$($g:tt)*] $t:ty) => {
    rows! { @methods [$($g)*] $t:
        /// The absolute value. At 0 the derivative is taken as 0.
        abs Abs;
        /// `1/x`.
        recip Recip;
        /// `x^2`.
        square Square;
        /// The square root. Derivative infinite at 0.
        sqrt Sqrt;
        /// The cube root. Derivative infinite at 0.
        cbrt Cbrt;
        /// `e^x`.
        exp Exp;
        /// `2^x`.
        exp2 Exp2;
        /// `e^x - 1`, exact near 0.
        exp_m1 ExpM1;
        /// The natural logarithm.
        ln Ln;
        /// `ln(1 + x)`, exact near 0.
        ln_1p Ln1p;
        /// The logarithm to base 2.
        log2 Log2;
        /// The logarithm to base 10.
        log10 Log10;
        /// Sine, of an angle in radians.
        sin Sin;
        /// Cosine, of an angle in radians.
        cos Cos;
        /// Tangent, of an angle in radians.
        tan Tan;
        /// The inverse of sine.
        asin Asin;
        /// The inverse of cosine.
        acos Acos;
        /// The inverse of tangent.
        atan Atan;
        /// The hyperbolic sine.
        sinh Sinh;
        /// The hyperbolic cosine.
        cosh Cosh;
        /// The hyperbolic tangent; its derivative is exact in both tails.
        tanh Tanh;
        /// The inverse of sinh.
        asinh Asinh;
        /// The inverse of cosh.
        acosh Acosh;
        /// The inverse of tanh.
        atanh Atanh;
        /// The error function.
        erf Erf;
        /// `1 - erf(x)`, exact on the right.
        erfc Erfc;
        /// The normal distribution function, exact in the left tail.
        normal_cdf NormalCdf;
        /// The normal density `e^(-x^2/2) / sqrt(2 pi)`.
        normal_pdf NormalPdf;
        /// The logistic function `1/(1 + e^-x)`, exact in both tails.
        sigmoid Sigmoid;
        /// `ln(sigmoid(x))`, exact in both tails.
        log_sigmoid LogSigmoid;
        /// `ln(1 + e^x)`, without overflow.
        softplus Softplus;
        /// `max(x, 0)`, NaN at NaN. At 0 the derivative is taken as 0.
        relu Relu;
        /// `ln |gamma(x)|`.
        ln_gamma LnGamma;
    }
    rows! { @constants [$($g)*] $t:
        /// The largest whole number that is not larger; its derivative is 0.
        floor;
        /// The smallest whole number that is not smaller; its derivative is 0.
        ceil;
        /// The nearest whole number, halves away from 0; its derivative is 0.
        round;
        /// The whole part; its derivative is 0.
        trunc;
        /// 1 or -1 by the sign, also of 0, NaN at NaN; its derivative is 0.
        signum;
    }
};
(@methods [$($g:tt)*] $t:ty: $($(#[$doc:meta])* $method:ident $row:ident;)*) => {
    impl<$($g)*> $t {
        $(
            $(#[$doc])*
            #[inline(always)]
            pub fn $method(self) -> Self {
                self.unary($row {})
            }
        )*
    }
};
(@constants [$($g:tt)*] $t:ty: $($(#[$doc:meta])* $method:ident;)*) => {
    impl<$($g)*> $t {
        $(
            $(#[$doc])*
            #[inline]
            pub fn $method(self) -> Self {
                self.piecewise(S::$method)
            }
        )*
    }
} }

macro_rules! methods { ([$($g:tt)*] $t:ty) => {
    impl<$($g)*> $t {
        /// The derivative of [`ln_gamma`](Self::ln_gamma).
        #[inline]
        pub fn digamma(self) -> Self {
            self.unary(Polygamma { n: 0 })
        }
        /// A whole power. `x^0 = 1` everywhere, with derivative 0.
        #[inline(always)]
        pub fn powi(self, n: i32) -> Self {
            self.unary(Powi { n })
        }
        /// A real power. `x^0 = 1` everywhere, with derivative 0 for x; `0^p` has derivative 0 for a `p` that is not negative.
        #[inline(always)]
        pub fn powf(self, p: impl Into<Self>) -> Self {
            self.binary(p.into(), Pow {})
        }
        /// The logarithm to any base.
        #[inline]
        pub fn log(self, base: impl Into<Self>) -> Self {
            self.ln() / base.into().ln()
        }
        /// `sqrt(x^2 + b^2)`, without overflow on the way. At 0, 0 the derivatives are taken as 0.
        #[inline]
        pub fn hypot(self, b: impl Into<Self>) -> Self {
            self.binary(b.into(), Hypot {})
        }
        /// The angle of the point `(x, y)`, with `y` as self. At 0, 0 the derivatives are taken as 0.
        #[inline]
        pub fn atan2(self, x: impl Into<Self>) -> Self {
            self.binary(x.into(), Atan2 {})
        }
        /// Sine and cosine.
        #[inline(always)]
        pub fn sin_cos(self) -> (Self, Self) {
            (self.sin(), self.cos())
        }
        /// `self * a + b`; the value is rounded once.
        #[inline]
        pub fn mul_add(self, a: impl Into<Self>, b: impl Into<Self>) -> Self {
            self.fused(a.into(), b.into())
        }
        /// The larger one; the other one if one is NaN. At ties each gets half the derivative.
        #[inline]
        pub fn max(self, b: impl Into<Self>) -> Self {
            let b = b.into();
            match () {
                () if self > b || b.is_nan() => self,
                () if b > self || self.is_nan() => b,
                () => self.binary(b, Maximum {}),
            }
        }
        /// The smaller one; the other one if one is NaN. At ties each gets half the derivative.
        #[inline]
        pub fn min(self, b: impl Into<Self>) -> Self {
            let b = b.into();
            match () {
                () if self < b || b.is_nan() => self,
                () if b < self || self.is_nan() => b,
                () => self.binary(b, Minimum {}),
            }
        }
        /// The larger one, NaN if either is NaN. At ties each gets half the derivative.
        #[inline]
        pub fn maximum(self, b: impl Into<Self>) -> Self {
            self.binary(b.into(), Maximum {})
        }
        /// The smaller one, NaN if either is NaN. At ties each gets half the derivative.
        #[inline]
        pub fn minimum(self, b: impl Into<Self>) -> Self {
            self.binary(b.into(), Minimum {})
        }
        /// Limited to `lo..=hi`, NaN at NaN. The derivative is 1 from `lo` to `hi`, both included, else that of the bound.
        #[inline]
        pub fn clamp(self, lo: impl Into<Self>, hi: impl Into<Self>) -> Self {
            let (lo, hi) = (lo.into(), hi.into());
            let x = if self < lo { lo } else { self };
            if x > hi { hi } else { x }
        }
        /// What is left of the whole part.
        #[inline]
        pub fn fract(self) -> Self {
            self - self.trunc()
        }
        /// From radians.
        #[inline]
        pub fn to_degrees(self) -> Self {
            self * (180.0 / std::f64::consts::PI)
        }
        /// To radians.
        #[inline]
        pub fn to_radians(self) -> Self {
            self * (std::f64::consts::PI / 180.0)
        }
        /// The magnitude of self with the sign of `sign`, which gets no derivative.
        #[inline]
        pub fn copysign(self, sign: impl Into<Self>) -> Self {
            if Float::is_sign_negative(self) == Float::is_sign_negative(sign.into()) { self } else { -self }
        }
        /// Whether the value is NaN.
        #[inline(always)]
        pub fn is_nan(self) -> bool {
            self.asks(S::is_nan)
        }
        /// Whether the value is neither infinite nor NaN.
        #[inline(always)]
        pub fn is_finite(self) -> bool {
            self.asks(S::is_finite)
        }
        /// Whether the value is infinite.
        #[inline(always)]
        pub fn is_infinite(self) -> bool {
            self.asks(S::is_infinite)
        }
        /// The value as a constant, at every level: no derivative passes.
        #[inline]
        pub fn detach(self) -> Self {
            self.without_derivative()
        }
        /// A formula of one's own, with its own derivative: see [`Scalar::apply`].
        #[inline]
        pub fn apply<O: Elementwise<1>>(self, formula: O) -> Self {
            self.unary(formula)
        }
        /// A formula of one's own of two numbers.
        #[inline]
        pub fn apply2<O: Elementwise<2>>(self, b: impl Into<Self>, formula: O) -> Self {
            self.binary(b.into(), formula)
        }
    }
} }
rows! { ['t, S: Scalar] Var<'t, S> }
rows! { ['t, S: Scalar + Programs] Trace<'t, S> }
rows! { [S: Scalar, const N: usize] Dual<S, N> }
rows! { [S: Scalar, const N: usize] Jet<N, S> }
methods! { ['t, S: Scalar] Var<'t, S> }
methods! { ['t, S: Scalar + Programs] Trace<'t, S> }
methods! { [S: Scalar, const N: usize] Dual<S, N> }
methods! { [S: Scalar, const N: usize] Jet<N, S> }
