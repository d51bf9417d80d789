//! What an objective asks of a number.
use chainrule::scalar::{self, Dual, Scalar, Trace, Var};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// The least that every library has. What a library does better than by these bodies, its implementation says.
pub(crate) trait Number:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    fn constant(c: f64) -> Self;
    fn value(self) -> f64;
    /// `self + c`
    fn plus(self, c: f64) -> Self;
    /// `self * c`
    fn times(self, c: f64) -> Self;
    /// `c - self`
    fn sub_from(self, c: f64) -> Self;
    /// `c / self`
    fn div_from(self, c: f64) -> Self;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn sqrt(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn tanh(self) -> Self;
    fn relu(self) -> Self {
        if self.value() > 0.0 { self } else { Self::constant(0.0) }
    }
    /// Whether `self < c`.
    fn below(self, c: f64) -> bool {
        self.value() < c
    }
    /// `self * b + c`, as one operation where a library has it.
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        c + self * b
    }
    /// `ln(sum of e^x)`, without overflow.
    #[inline(always)]
    fn logsumexp(x: &[Self]) -> Self {
        let largest = x.iter().map(|x| x.value()).fold(f64::NEG_INFINITY, f64::max);
        let sum = x[1..].iter().fold(x[0].plus(-largest).exp(), |sum, &x| sum + x.plus(-largest).exp());
        sum.ln().plus(largest)
    }
    /// The sum of `term` over `0..n`; libraries that can sweep a part at once do so for each.
    fn scoped_sum(x: &[Self], n: usize, term: &impl Term) -> Self {
        plain_sum(x, n, term)
    }
}

/// A term of a sum, of inputs `x`.
pub(crate) trait Term {
    fn at<T: Number>(&self, x: &[T], i: usize) -> T;
}

#[inline(always)]
pub(super) fn plain_sum<T: Number>(x: &[T], n: usize, term: &impl Term) -> T {
    (1..n).fold(term.at(x, 0), |sum, i| sum + term.at(x, i))
}

macro_rules! inherent { ($t:ty: $($f:ident)*) => { $(
    #[inline(always)]
    fn $f(self) -> Self {
        <$t>::$f(self)
    }
)* } }
pub(crate) use inherent;

/// What operators with f64 on either side give.
macro_rules! with_f64 {
    () => {
        #[inline(always)]
        fn plus(self, c: f64) -> Self {
            self + c
        }
        #[inline(always)]
        fn times(self, c: f64) -> Self {
            self * c
        }
        #[inline(always)]
        fn sub_from(self, c: f64) -> Self {
            c - self
        }
        #[inline(always)]
        fn div_from(self, c: f64) -> Self {
            c / self
        }
    };
}
pub(crate) use with_f64;

impl Number for f64 {
    #[inline(always)]
    fn constant(c: f64) -> f64 {
        c
    }
    #[inline(always)]
    fn value(self) -> f64 {
        self
    }
    with_f64!();
    inherent!(f64: exp ln sqrt sin cos tanh);
}

impl<'t> Number for Var<'t, f64> {
    #[inline(always)]
    fn constant(c: f64) -> Self {
        Var::constant(c)
    }
    #[inline(always)]
    fn value(self) -> f64 {
        Var::value(self)
    }
    with_f64!();
    inherent!(Var<'t>: exp ln sqrt sin cos tanh relu);
    #[inline(always)]
    fn logsumexp(x: &[Self]) -> Self {
        scalar::logsumexp(x)
    }
    fn scoped_sum(x: &[Self], n: usize, term: &impl Term) -> Self {
        scalar::sum_over(x, 0..n, |x, i| term.at(x, i))
    }
}

impl<'t> Number for Trace<'t, f64> {
    #[inline(always)]
    fn constant(c: f64) -> Self {
        Scalar::lit(c)
    }
    #[inline(always)]
    fn value(self) -> f64 {
        num_traits::ToPrimitive::to_f64(&self).expect("a number")
    }
    with_f64!();
    inherent!(Trace<'t>: exp ln sqrt sin cos tanh relu);
    #[inline(always)]
    fn below(self, c: f64) -> bool {
        self < c
    }
    #[inline(always)]
    fn logsumexp(x: &[Self]) -> Self {
        scalar::logsumexp(x)
    }
}

impl<const N: usize> Number for Dual<f64, N> {
    #[inline(always)]
    fn constant(c: f64) -> Self {
        Dual::constant(c)
    }
    #[inline(always)]
    fn value(self) -> f64 {
        Dual::value(self)
    }
    with_f64!();
    inherent!(Dual<f64, N>: exp ln sqrt sin cos tanh relu);
    #[inline(always)]
    fn logsumexp(x: &[Self]) -> Self {
        scalar::logsumexp(x)
    }
}
