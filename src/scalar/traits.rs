//! The traits of numbers: `num_traits`, and those that formulas are generic over, which makes every order of derivative.
use super::{Dual, Jet, Scalar, Trace, Var, number::sealed};
use crate::{
    formula::*,
    kernel::{Programs, Relation},
};
use num_traits::{Bounded, Float, FloatConst, FromPrimitive, Num, NumCast, One, Signed, ToPrimitive, Zero};
use std::{cmp::Ordering, fmt, num::FpCategory};

/// Methods of a trait that are inherent methods, too.
macro_rules! same { ($($method:ident($($x:ident: $ty:ty),*);)*) => { $(
    #[inline(always)]
    fn $method(self, $($x: $ty),*) -> Self {
        Self::$method(self, $($x),*)
    }
)* } }
/// Methods that are a row.
macro_rules! row { ($($method:ident $row:ident;)*) => { $(
    #[inline(always)]
    fn $method(self) -> Self {
        self.unary($row {})
    }
)* } }
/// Constants.
macro_rules! constants { ($of:path: $($name:ident)*) => { $(
    #[inline]
    fn $name() -> Self {
        Self::constant(<S as $of>::$name())
    }
)* } }
/// What only the value decides.
macro_rules! questions { ($($name:ident -> $ty:ty;)*) => { $(
    #[inline]
    fn $name(self) -> $ty {
        self.asks(S::$name)
    }
)* } }

macro_rules! numbers { ([$($g:tt)*] $t:ty, $depth:expr) => {
    impl<$($g)*> PartialEq for $t {
        #[inline(always)]
        fn eq(&self, b: &Self) -> bool {
            self.compares(*b, Relation::Equal, |a, b| a == b)
        }
    }
    impl<$($g)*> PartialOrd for $t {
        #[inline(always)]
        fn partial_cmp(&self, b: &Self) -> Option<Ordering> {
            self.ordering(*b)
        }
        #[inline(always)]
        fn lt(&self, b: &Self) -> bool {
            self.compares(*b, Relation::Less, |a, b| a < b)
        }
        #[inline(always)]
        fn le(&self, b: &Self) -> bool {
            self.compares(*b, Relation::LessEqual, |a, b| a <= b)
        }
        #[inline(always)]
        fn gt(&self, b: &Self) -> bool {
            self.compares(*b, Relation::Greater, |a, b| a > b)
        }
        #[inline(always)]
        fn ge(&self, b: &Self) -> bool {
            self.compares(*b, Relation::GreaterEqual, |a, b| a >= b)
        }
    }
    impl<$($g)*> PartialEq<f64> for $t {
        #[inline(always)]
        fn eq(&self, b: &f64) -> bool {
            *self == <Self as Scalar>::lit(*b)
        }
    }
    impl<$($g)*> PartialOrd<f64> for $t {
        #[inline(always)]
        fn partial_cmp(&self, b: &f64) -> Option<Ordering> {
            self.partial_cmp(&<Self as Scalar>::lit(*b))
        }
        #[inline(always)]
        fn lt(&self, b: &f64) -> bool {
            *self < <Self as Scalar>::lit(*b)
        }
        #[inline(always)]
        fn le(&self, b: &f64) -> bool {
            *self <= <Self as Scalar>::lit(*b)
        }
        #[inline(always)]
        fn gt(&self, b: &f64) -> bool {
            *self > <Self as Scalar>::lit(*b)
        }
        #[inline(always)]
        fn ge(&self, b: &f64) -> bool {
            *self >= <Self as Scalar>::lit(*b)
        }
    }
    impl<$($g)*> fmt::Display for $t {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            fmt::Display::fmt(&self.v, f)
        }
    }
    impl<$($g)*> Zero for $t {
        #[inline(always)]
        fn zero() -> Self {
            Self::constant(S::zero())
        }
        #[inline]
        fn is_zero(&self) -> bool {
            self.asks(|v| v.is_zero())
        }
    }
    impl<$($g)*> One for $t {
        #[inline(always)]
        fn one() -> Self {
            Self::constant(S::one())
        }
    }
    impl<$($g)*> Bounded for $t {
        constants! { Float: min_value max_value }
    }
    impl<$($g)*> Num for $t {
        type FromStrRadixErr = S::FromStrRadixErr;
        fn from_str_radix(text: &str, radix: u32) -> Result<Self, Self::FromStrRadixErr> {
            S::from_str_radix(text, radix).map(Self::constant)
        }
    }
    impl<$($g)*> ToPrimitive for $t {
        fn to_i64(&self) -> Option<i64> {
            self.asks(|v| v.to_i64())
        }
        fn to_u64(&self) -> Option<u64> {
            self.asks(|v| v.to_u64())
        }
        fn to_i128(&self) -> Option<i128> {
            self.asks(|v| v.to_i128())
        }
        fn to_u128(&self) -> Option<u128> {
            self.asks(|v| v.to_u128())
        }
        fn to_f32(&self) -> Option<f32> {
            self.asks(|v| v.to_f32().map(f32::to_bits)).map(f32::from_bits)
        }
        fn to_f64(&self) -> Option<f64> {
            self.asks(|v| v.to_f64().map(f64::to_bits)).map(f64::from_bits)
        }
    }
    impl<$($g)*> NumCast for $t {
        #[inline]
        fn from<T: ToPrimitive>(n: T) -> Option<Self> {
            <S as NumCast>::from(n).map(Self::constant)
        }
    }
    impl<$($g)*> FromPrimitive for $t {
        fn from_i64(n: i64) -> Option<Self> {
            S::from_i64(n).map(Self::constant)
        }
        fn from_u64(n: u64) -> Option<Self> {
            S::from_u64(n).map(Self::constant)
        }
        fn from_f64(n: f64) -> Option<Self> {
            S::from_f64(n).map(Self::constant)
        }
    }
    impl<$($g)*> FloatConst for $t {
        constants! { FloatConst:
            E FRAC_1_PI FRAC_1_SQRT_2 FRAC_2_PI FRAC_2_SQRT_PI FRAC_PI_2 FRAC_PI_3 FRAC_PI_4 FRAC_PI_6 FRAC_PI_8
            LN_10 LN_2 LOG10_E LOG2_E PI SQRT_2
        }
    }
    impl<$($g)*> Signed for $t {
        fn abs(&self) -> Self {
            Self::abs(*self)
        }
        fn abs_sub(&self, b: &Self) -> Self {
            Float::abs_sub(*self, *b)
        }
        fn signum(&self) -> Self {
            Self::signum(*self)
        }
        fn is_positive(&self) -> bool {
            self.asks(|v| v > S::zero())
        }
        fn is_negative(&self) -> bool {
            self.asks(|v| v < S::zero())
        }
    }
    impl<$($g)*> Float for $t {
        constants! { Float: nan infinity neg_infinity neg_zero min_value min_positive_value max_value epsilon }
        questions! {
            is_nan -> bool; is_infinite -> bool; is_finite -> bool; is_normal -> bool; is_subnormal -> bool;
            classify -> FpCategory; is_sign_positive -> bool; is_sign_negative -> bool; integer_decode -> (u64, i16, i8);
        }
        same! {
            floor(); ceil(); round(); trunc(); fract(); abs(); signum(); recip(); sqrt(); cbrt();
            exp(); exp2(); exp_m1(); ln(); ln_1p(); log2(); log10();
            sin(); cos(); tan(); asin(); acos(); atan(); sinh(); cosh(); tanh(); asinh(); acosh(); atanh();
            powi(n: i32); powf(p: Self); log(base: Self); hypot(b: Self); atan2(x: Self); mul_add(a: Self, b: Self);
            max(b: Self); min(b: Self); clamp(lo: Self, hi: Self); copysign(sign: Self); to_degrees(); to_radians();
        }
        fn abs_sub(self, b: Self) -> Self {
            if self <= b { Self::zero() } else { self - b }
        }
        fn sin_cos(self) -> (Self, Self) {
            Self::sin_cos(self)
        }
    }
    impl<$($g)*> Number for $t {
        #[inline(always)]
        fn lit(self, c: f64) -> Self {
            c.into()
        }
        row! { sign Sign; step Step; sech2 Sech2; sigmoid_slope SigmoidSlope; gauss Gauss; }
        same! {
            abs(); exp(); ln(); exp_m1(); ln_1p(); sin(); cos(); tan(); sqrt(); recip(); powi(n: i32); powf(p: f64); tanh();
            sigmoid(); softplus(); relu(); erf(); erfc(); normal_cdf(); normal_pdf(); maximum(b: Self); minimum(b: Self);
        }
        #[inline]
        fn gt(self, b: Self) -> Self {
            if self > b { Self::one() } else { Self::zero() }
        }
        #[inline]
        fn ge(self, b: Self) -> Self {
            if self >= b { Self::one() } else { Self::zero() }
        }
        #[inline]
        fn where_cond(self, a: Self, b: Self) -> Self {
            if self.is_zero() { b } else { a }
        }
        #[inline]
        fn chain(self, slope: Self) -> Self {
            self.binary(slope, Chain {})
        }
    }
    impl<$($g)*> Functions for $t {
        same! {
            exp2(); log2(); log10(); cbrt(); asin(); acos(); atan(); sinh(); cosh(); asinh(); acosh(); atanh(); ln_gamma();
            hypot(b: Self); atan2(x: Self); round();
        }
        #[inline]
        fn polygamma(self, n: u32) -> Self {
            self.unary(Polygamma { n })
        }
        #[inline]
        fn pow(self, b: Self) -> Self {
            self.binary(b, Pow {})
        }
        #[inline]
        fn remainder(self, b: Self) -> Self {
            self.binary(b, Remainder {})
        }
    }
    impl<$($g)*> sealed::Sealed for $t {}
    impl<$($g)*> Scalar for $t {
        type Number = Self;
        const DEPTH: usize = $depth;
        #[inline(always)]
        fn number(self) -> Self {
            self
        }
        #[inline(always)]
        fn of(number: Self) -> Self {
            number
        }
        #[inline(always)]
        fn lit(c: f64) -> Self {
            c.into()
        }
        #[inline]
        fn chain(self, slope: Self) -> Self {
            self.binary(slope, Chain {})
        }
        #[inline]
        fn nothing(self) -> bool {
            self.is_nothing()
        }
        fn edge(self) -> Self {
            self.unary(Edge {})
        }
        same! { detach(); ln_gamma(); digamma(); }
        #[inline(always)]
        fn apply<O: Elementwise<1>>(self, formula: O) -> Self {
            self.unary(formula)
        }
        #[inline(always)]
        fn apply2<O: Elementwise<2>>(self, b: Self, formula: O) -> Self {
            self.binary(b, formula)
        }
    }
} }
numbers! { ['t, S: Scalar] Var<'t, S>, S::DEPTH + 1 }
numbers! { ['t, S: Scalar + Programs] Trace<'t, S>, 0 }
numbers! { [S: Scalar, const N: usize] Dual<S, N>, S::DEPTH }
numbers! { [S: Scalar, const N: usize] Jet<N, S>, S::DEPTH }

impl<S: Scalar> Var<'_, S> {
    fn is_nothing(self) -> bool {
        self.v.nothing() && self.d.nothing()
    }
}
impl<S: Scalar, const N: usize> Dual<S, N> {
    fn is_nothing(self) -> bool {
        self.v.nothing() && self.d.iter().all(|d| d.nothing())
    }
}
impl<const N: usize, S: Scalar> Jet<N, S> {
    fn is_nothing(self) -> bool {
        self.v.nothing() && self.end() == 1
    }
}
