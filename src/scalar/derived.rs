//! What numbers with a derivative beside their value have in common; a [`Trace`](super::Trace) keeps guards instead.
use super::{Dual, Jet, Scalar, Trace, Var};
use crate::{
    formula::{Formula, moves_only},
    kernel::{Programs, Relation},
};
use std::cmp::Ordering;

macro_rules! beside_the_value { ([$($g:tt)*] $t:ty) => {
    impl<$($g)*> $t {
        /// What only the value decides.
        #[inline(always)]
        pub(super) fn asks<T>(self, question: fn(S) -> T) -> T {
            question(self.v)
        }

        /// What only the values decide.
        #[inline(always)]
        pub(super) fn compares(self, b: Self, _: Relation, question: fn(S, S) -> bool) -> bool {
            question(self.v, b.v)
        }

        #[inline(always)]
        pub(super) fn ordering(self, b: Self) -> Option<Ordering> {
            self.v.partial_cmp(&b.v)
        }

        /// The value alone, also of what is inside.
        #[inline(always)]
        pub(super) fn without_derivative(self) -> Self {
            Self::constant(self.v.detach())
        }

        /// A function whose derivative is 0.
        #[inline(always)]
        pub(super) fn piecewise(self, f: fn(S) -> S) -> Self {
            Self::constant(f(self.v))
        }

        /// `self * a + b`, with the value rounded once.
        pub(super) fn fused(self, a: Self, b: Self) -> Self {
            Self { v: self.v.mul_add(a.v, b.v), ..self * a + b }
        }
    }
} }
beside_the_value! { ['t, S: Scalar] Var<'t, S> }
beside_the_value! { [S: Scalar, const N: usize] Dual<S, N> }
beside_the_value! { [S: Scalar, const N: usize] Jet<N, S> }

/// Plain numbers have no derivative to carry.
macro_rules! without_constants { ([$($g:tt)*] $t:ty) => {
    impl<$($g)*> $t {
        /// `f(self, c)` for a plain number.
        #[inline(always)]
        pub(super) fn with_right<O: Formula<2>>(self, c: f64, op: O) -> Self {
            let x = [self.v.number(), <S as Scalar>::lit(c).number()];
            let y = op.value(x);
            let [p, _] = op.partials(x, y);
            self.fold(S::of(y), S::of(p), moves_only::<O>())
        }

        /// `f(c, self)` for a plain number.
        #[inline(always)]
        pub(super) fn with_left<O: Formula<2>>(self, c: f64, op: O) -> Self {
            let x = [<S as Scalar>::lit(c).number(), self.v.number()];
            let y = op.value(x);
            let [_, q] = op.partials(x, y);
            self.fold(S::of(y), S::of(q), moves_only::<O>())
        }
    }
} }
without_constants! { ['t, S: Scalar] Var<'t, S> }
without_constants! { [S: Scalar, const N: usize] Dual<S, N> }

/// They are constants like others for the rest.
macro_rules! with_constants { ([$($g:tt)*] $t:ty) => {
    impl<$($g)*> $t {
        #[inline(always)]
        pub(super) fn with_right<O: Formula<2>>(self, c: f64, op: O) -> Self {
            self.binary(c.into(), op)
        }

        #[inline(always)]
        pub(super) fn with_left<O: Formula<2>>(self, c: f64, op: O) -> Self {
            Self::from(c).binary(self, op)
        }
    }
} }
with_constants! { ['t, S: Scalar + Programs] Trace<'t, S> }
with_constants! { [S: Scalar, const N: usize] Jet<N, S> }
