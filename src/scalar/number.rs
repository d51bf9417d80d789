//! What derivatives are taken of: f32, f64, and the numbers of this room over them.
use crate::formula::*;
use num_traits::{Float, FloatConst, FromPrimitive, NumAssign};
use std::{
    fmt::{Debug, Display},
    iter::{Product, Sum},
};

pub(super) mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A number: f32, f64, or a [`Var`](super::Var), [`Dual`](super::Dual) or [`Jet`](super::Jet) over one, to any depth.
///
/// A function over `T: Scalar` has all of [`num_traits::Float`], the constants, and the special functions below; one over
/// `T: Float` works as well.
///
/// ```
/// use chainrule::scalar::{self, Scalar};
/// /// The price of a European call by Black and Scholes: spot, strike, rate, volatility, time.
/// fn call<T: Scalar>(s: T, k: T, r: T, v: T, t: T) -> T {
///     let d1 = ((s / k).ln() + (r + v * v * T::lit(0.5)) * t) / (v * t.sqrt());
///     s * d1.normal_cdf() - k * (-r * t).exp() * (d1 - v * t.sqrt()).normal_cdf()
/// }
/// let delta: f64 = scalar::grad(|x| call(x[0], x[1], x[2], x[3], x[4]), &[100.0, 95.0, 0.02, 0.2, 0.5])[0];
/// assert!((delta - 0.692_9).abs() < 1e-4);
/// ```
pub trait Scalar:
    Float + FloatConst + FromPrimitive + NumAssign + Sum + Product + Debug + Display + sealed::Sealed
{
    /// How the formulas see it.
    #[doc(hidden)]
    type Number: Functions;
    #[doc(hidden)]
    fn number(self) -> Self::Number;
    #[doc(hidden)]
    fn of(number: Self::Number) -> Self;
    /// The constant `c`, rounded to the type.
    fn lit(c: f64) -> Self;
    /// Whether it has no derivative inside.
    #[doc(hidden)]
    const PLAIN: bool = false;
    /// How many tapes are nested in it.
    #[doc(hidden)]
    const DEPTH: usize = 0;
    /// Two products of the chain rule.
    #[doc(hidden)]
    #[inline(always)]
    fn chain2(self, slope: Self, other: Self, other_slope: Self) -> (Self, Self) {
        (self.chain(slope), other.chain(other_slope))
    }
    /// The product of the chain rule: 0 where either is exactly 0.
    #[doc(hidden)]
    fn chain(self, slope: Self) -> Self;
    /// Whether it is 0 with all its derivatives, so that nothing flows.
    #[doc(hidden)]
    fn nothing(self) -> bool;

    /// An infinite number as itself, with a derivative of NaN.
    #[doc(hidden)]
    fn edge(self) -> Self;

    /// The value as a constant, at every level: no derivative passes.
    fn detach(self) -> Self;
    /// A formula of one's own, with its own derivative.
    ///
    /// ```
    /// use chainrule::{formula::{Elementwise, Number}, scalar::{self, Scalar}};
    /// #[derive(Clone, Copy)]
    /// struct Softsign;
    /// impl Elementwise<1> for Softsign {
    ///     const NAME: &'static str = "softsign";
    ///     fn value<S: Number>(self, [x]: [S; 1]) -> S {
    ///         x / (x.abs() + x.lit(1.0))
    ///     }
    ///     fn partials<S: Number>(self, [x]: [S; 1], _: S) -> [S; 1] {
    ///         [(x.abs() + x.lit(1.0)).powi(-2)]
    ///     }
    /// }
    /// assert_eq!(scalar::grad(|x| x[0].apply(Softsign), &[3.0]), [0.0625]);
    /// ```
    fn apply<O: Elementwise<1>>(self, formula: O) -> Self;
    /// A formula of one's own of two numbers.
    fn apply2<O: Elementwise<2>>(self, b: Self, formula: O) -> Self;
    /// `ln |gamma(x)|`: infinite at 0 and at negative whole numbers.
    fn ln_gamma(self) -> Self;
    /// The derivative of [`ln_gamma`](Scalar::ln_gamma): NaN at negative whole numbers.
    fn digamma(self) -> Self;
    /// The larger one, NaN if either is NaN. At ties each gets half the derivative.
    ///
    /// [`Float::max`] is the same for numbers, and the other one if one is NaN.
    fn maximum(self, b: Self) -> Self {
        self.apply2(b, Maximum {})
    }
    /// The smaller one, NaN if either is NaN. At ties each gets half the derivative.
    fn minimum(self, b: Self) -> Self {
        self.apply2(b, Minimum {})
    }
    /// The error function.
    fn erf(self) -> Self {
        self.apply(Erf {})
    }
    /// `1 - erf(x)`, exact on the right.
    fn erfc(self) -> Self {
        self.apply(Erfc {})
    }
    /// The normal distribution function, exact in the left tail.
    fn normal_cdf(self) -> Self {
        self.apply(NormalCdf {})
    }
    /// The normal density `e^(-x^2/2) / sqrt(2 pi)`.
    fn normal_pdf(self) -> Self {
        self.apply(NormalPdf {})
    }
    /// The logistic function `1/(1 + e^-x)`, exact in both tails.
    fn sigmoid(self) -> Self {
        self.apply(Sigmoid {})
    }
    /// `ln(sigmoid(x))`, exact in both tails.
    fn log_sigmoid(self) -> Self {
        self.apply(LogSigmoid {})
    }
    /// `ln(1 + e^x)`, without overflow.
    fn softplus(self) -> Self {
        self.apply(Softplus {})
    }
    /// `max(x, 0)`, NaN at NaN. At 0 the derivative is taken as 0.
    fn relu(self) -> Self {
        self.apply(Relu {})
    }
    /// `x^2`.
    fn square(self) -> Self {
        self.apply(Square {})
    }
}

macro_rules! plain { ($($f:ident)*) => { $(
    impl Scalar for $f {
        type Number = Plain<$f>;
        const PLAIN: bool = true;
        #[inline(always)]
        fn chain2(self, slope: $f, other: $f, other_slope: $f) -> ($f, $f) {
            // A zero changes a product only where that is NaN: one branch that is never taken.
            let (a, b) = (self * slope, other * other_slope);
            if (a + b).is_nan() { (self.chain(slope), other.chain(other_slope)) } else { (a, b) }
        }
        #[inline(always)]
        fn number(self) -> Plain<$f> {
            Plain(self)
        }
        #[inline(always)]
        fn of(number: Plain<$f>) -> $f {
            number.0
        }
        #[inline(always)]
        fn lit(c: f64) -> $f {
            c as $f
        }
        #[inline(always)]
        fn chain(self, slope: $f) -> $f {
            let product = self * slope;
            if product.is_nan() && (self == 0.0 || slope == 0.0) { 0.0 } else { product }
        }
        #[inline(always)]
        fn nothing(self) -> bool {
            self == 0.0
        }
        #[inline(always)]
        fn edge(self) -> $f {
            self
        }
        #[inline(always)]
        fn detach(self) -> $f {
            self
        }
        #[inline(always)]
        fn apply<O: Elementwise<1>>(self, formula: O) -> $f {
            Elementwise::value(formula, [Plain(self)]).0
        }
        #[inline(always)]
        fn apply2<O: Elementwise<2>>(self, b: $f, formula: O) -> $f {
            Elementwise::value(formula, [Plain(self), Plain(b)]).0
        }
        #[inline]
        fn ln_gamma(self) -> $f {
            Functions::ln_gamma(Plain(self)).0
        }
        #[inline]
        fn digamma(self) -> $f {
            Plain(self).polygamma(0).0
        }
    }
)* } }
plain! { f32 f64 }

/// `ln(e^x0 + e^x1 + ..)`, without overflow: the largest is taken off first. The derivatives are the softmax of `x`.
///
/// -inf of nothing and of entries that are all -inf, then with derivatives 0.
///
/// ```
/// use chainrule::scalar;
/// let g = scalar::grad(|x| scalar::logsumexp(x), &[1000.0, 1000.0, -1000.0]);
/// assert_eq!(g, [0.5, 0.5, 0.0]);
/// ```
pub fn logsumexp<S: Scalar>(x: &[S]) -> S {
    let Some(first) = x.first() else { return S::neg_infinity() };
    let largest = *x.iter().fold(first, |m, x| if *x > *m || x.is_nan() { x } else { m });
    if largest.is_infinite() {
        // -inf: nothing flows. inf: the entries that are infinite have no derivative, the others have none of it.
        let infinite = x.iter().filter(|&&x| x > S::zero() && x.is_infinite());
        return if largest > S::zero() { infinite.map(|x| x.edge()).sum() } else { S::neg_infinity() };
    }
    let shift = largest.detach();
    let sum = x[1..].iter().fold((*first - shift).exp(), |sum, &x| sum + (x - shift).exp());
    sum.ln() + shift
}
