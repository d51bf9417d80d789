//! What numbers with a derivative beside their value have in common; a [`Trace`](super::Trace) keeps guards instead.
use super::{Dual, Jet, Scalar, Var};

macro_rules! beside_the_value { ([$($g:tt)*] $t:ty) => {
    impl<$($g)*> $t {
        /// What only the value decides.
        #[inline(always)]
        pub(super) fn asks<T>(self, question: fn(S) -> T) -> T {
            question(self.v)
        }

        /// What only the values decide.
        #[inline(always)]
        pub(super) fn asks2<T>(self, b: Self, question: fn(S, S) -> T) -> T {
            question(self.v, b.v)
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
