//! Which form of a loop runs: chosen once, when the program runs, by what the processor can do.
use crate::formula::{Lane, Lanes};
use pulp::{Arch, Simd, WithSimd};
use std::{marker::PhantomData, sync::OnceLock};

/// A loop over numbers of type `F`; `run` must be `#[inline(always)]`, so that it is compiled with the processor's features.
pub(super) trait Loop<F> {
    type Out;
    fn run<L: Lane<F>>(self) -> Self::Out;
}

struct Inside<F, K>(K, PhantomData<F>);

impl<F: Lanes, K: Loop<F>> WithSimd for Inside<F, K> {
    type Output = K::Out;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> K::Out {
        if S::IS_SCALAR { self.0.run::<F::Plain>() } else { self.0.run::<F::Fused>() }
    }
}

/// What the processor can do; `None` if the environment variable `CHAINRULE_PLAIN` is set, for tests and comparisons.
#[inline]
pub(super) fn arch() -> Option<Arch> {
    // Detection reads a dozen flags; the answer is kept.
    static ARCH: OnceLock<Option<Arch>> = OnceLock::new();
    *ARCH.get_or_init(|| std::env::var_os("CHAINRULE_PLAIN").is_none().then(Arch::new))
}

/// Runs a loop with the widest vectors of this processor; f64 with 256 bits at most: its loops wait for memory or for the
/// functions of the standard library, and each form of a loop is a part of every user's build.
///
/// With the environment variable `CHAINRULE_PLAIN` it runs what a processor without AVX runs.
#[inline]
pub(super) fn vectorised<F: Lanes, K: Loop<F>>(k: K) -> K::Out {
    let Some(arch) = arch() else { return k.run::<F::Plain>() };
    let k = Inside(k, PhantomData::<F>);
    #[cfg(target_arch = "x86_64")]
    return match arch {
        // Not `arch.dispatch(k)`, which would compile the form that f64 never runs.
        Arch::V4(simd) if const { F::WIDE } => Simd::vectorize(simd, k),
        Arch::V4(simd) => Simd::vectorize(*simd, k),
        Arch::V3(simd) => Simd::vectorize(simd, k),
        _ => k.0.run::<F::Plain>(),
    };
    #[cfg(not(target_arch = "x86_64"))]
    arch.dispatch(k)
}

/// Functions whose bodies are compiled once for each kind of processor; inside, `L` is the lane type.
macro_rules! loops { ($( $(#[$doc:meta])* fn $name:ident<F>($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block )*) => { $(
    $(#[$doc])*
    pub(in crate::kernel) fn $name<'a, F: $crate::formula::Lanes>($($arg: $ty),*) $(-> $ret)? {
        struct Job<'a, F> {
            $($arg: $ty,)*
            lives: std::marker::PhantomData<&'a F>,
        }
        impl<'a, F: $crate::formula::Lanes> $crate::kernel::dispatch::Loop<F> for Job<'a, F> {
            #[allow(unused_parens)]
            type Out = ($($ret)?);
            #[inline(always)]
            fn run<L: $crate::formula::Lane<F>>(self) -> Self::Out {
                let Self { $($arg,)* .. } = self;
                $body
            }
        }
        $crate::kernel::dispatch::vectorised(Job { $($arg,)* lives: std::marker::PhantomData })
    }
)* } }
pub(super) use loops;
