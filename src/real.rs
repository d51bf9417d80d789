//! The bare numbers: f32 and f64. Users see [`Real`](crate::Real), the top of the tower
//! `Base < kernel::Kernels < tensor::Real`.
use std::{
    fmt::{Debug, Display, LowerExp},
    ops::AddAssign,
};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A floating-point number, f32 or f64.
pub trait Base:
    sealed::Sealed + num_traits::Float + Debug + Display + LowerExp + AddAssign + Default + Send + Sync + 'static
{
    /// The name of the type.
    const NAME: &'static str;
    /// From f64, rounded.
    fn of(x: f64) -> Self;
    /// To f64, exactly.
    fn f64(self) -> f64;
}

macro_rules! base { ($($f:ident)*) => { $(
    impl Base for $f {
        const NAME: &'static str = stringify!($f);
        #[inline(always)]
        fn of(x: f64) -> Self { x as $f }
        #[inline(always)]
        fn f64(self) -> f64 { self.into() }
    }
)* } }
base! { f32 f64 }
