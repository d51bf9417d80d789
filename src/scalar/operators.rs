//! Operators, between numbers, with references, and with plain numbers on either side.
use super::{Dual, Jet, Scalar, Trace, Var};
use crate::{
    formula::{self, Div, Minus, Mul, Plus, Remainder},
    kernel::Programs,
};
use std::{
    iter::{Product, Sum},
    ops,
};

macro_rules! operator { ($op:ident $method:ident $assign:ident $assign_method:ident $row:ident, [$($g:tt)*] $t:ty) => {
    impl<$($g)*> ops::$op for $t {
        type Output = Self;
        #[inline(always)]
        fn $method(self, b: Self) -> Self {
            self.binary(b, $row {})
        }
    }
    impl<$($g)*> ops::$op<&$t> for $t {
        type Output = Self;
        #[inline(always)]
        fn $method(self, b: &Self) -> Self {
            self.binary(*b, $row {})
        }
    }
    impl<$($g)*> ops::$op<$t> for &$t {
        type Output = $t;
        #[inline(always)]
        fn $method(self, b: $t) -> $t {
            self.binary(b, $row {})
        }
    }
    impl<$($g)*> ops::$op for &$t {
        type Output = $t;
        #[inline(always)]
        fn $method(self, b: Self) -> $t {
            self.binary(*b, $row {})
        }
    }
    // Numbers are f64 for every element type: with f32 beside it, the type of the literal in `(2.0 * x).sin()` would be open.
    impl<$($g)*> ops::$op<f64> for $t {
        type Output = Self;
        #[inline(always)]
        fn $method(self, b: f64) -> Self {
            self.with_right(b, $row {})
        }
    }
    impl<$($g)*> ops::$op<f64> for &$t {
        type Output = $t;
        #[inline(always)]
        fn $method(self, b: f64) -> $t {
            self.with_right(b, $row {})
        }
    }
    impl<$($g)*> ops::$op<$t> for f64 {
        type Output = $t;
        #[inline(always)]
        fn $method(self, b: $t) -> $t {
            b.with_left(self, $row {})
        }
    }
    impl<$($g)*> ops::$op<&$t> for f64 {
        type Output = $t;
        #[inline(always)]
        fn $method(self, b: &$t) -> $t {
            b.with_left(self, $row {})
        }
    }
    impl<$($g)*> ops::$assign for $t {
        #[inline(always)]
        fn $assign_method(&mut self, b: Self) {
            *self = self.binary(b, $row {});
        }
    }
    impl<$($g)*> ops::$assign<f64> for $t {
        #[inline(always)]
        fn $assign_method(&mut self, b: f64) {
            *self = self.with_right(b, $row {});
        }
    }
} }

macro_rules! operators { ([$($g:tt)*] $t:ty) => {
    operator! { Add add AddAssign add_assign Plus, [$($g)*] $t }
    operator! { Sub sub SubAssign sub_assign Minus, [$($g)*] $t }
    operator! { Mul mul MulAssign mul_assign Mul, [$($g)*] $t }
    operator! { Div div DivAssign div_assign Div, [$($g)*] $t }
    operator! { Rem rem RemAssign rem_assign Remainder, [$($g)*] $t }

    impl<$($g)*> ops::Neg for $t {
        type Output = Self;
        #[inline(always)]
        fn neg(self) -> Self {
            self.unary(formula::Neg {})
        }
    }
    impl<$($g)*> ops::Neg for &$t {
        type Output = $t;
        #[inline(always)]
        fn neg(self) -> $t {
            self.unary(formula::Neg {})
        }
    }
    impl<$($g)*> From<f64> for $t {
        #[inline(always)]
        fn from(c: f64) -> Self {
            Self::constant(S::lit(c))
        }
    }
    impl<$($g)*> Sum for $t {
        fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
            numbers.reduce(|a, b| a + b).unwrap_or_else(|| 0.0.into())
        }
    }
    impl<'a, $($g)*> Sum<&'a $t> for $t {
        fn sum<I: Iterator<Item = &'a Self>>(numbers: I) -> Self {
            numbers.copied().sum()
        }
    }
    impl<$($g)*> Product for $t {
        fn product<I: Iterator<Item = Self>>(numbers: I) -> Self {
            numbers.reduce(|a, b| a * b).unwrap_or_else(|| 1.0.into())
        }
    }
    impl<'a, $($g)*> Product<&'a $t> for $t {
        fn product<I: Iterator<Item = &'a Self>>(numbers: I) -> Self {
            numbers.copied().product()
        }
    }
} }
operators! { ['t, S: Scalar] Var<'t, S> }
operators! { ['t, S: Scalar + Programs] Trace<'t, S> }
operators! { [S: Scalar, const N: usize] Dual<S, N> }
operators! { [S: Scalar, const N: usize] Jet<N, S> }
