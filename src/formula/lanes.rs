//! Plain numbers as the kernels see them: one lane of a loop that the compiler vectorises.
use super::{
    Number, double, erf, expm1,
    single::{self, MulAdd},
};
use crate::real::Base;
use std::ops;

/// A number of a loop: loaded from and stored to a slice of `F`.
pub trait Lane<F>: Number {
    /// From memory.
    fn load(x: F) -> Self;
    /// To memory.
    fn store(self) -> F;
}

/// An element type with its two kinds of lanes.
pub trait Lanes: Base {
    /// Without fused multiply-add.
    type Plain: Lane<Self>;
    /// With it.
    type Fused: Lane<Self>;
    /// Whether vectors of 512 bits are worth loops of their own.
    const WIDE: bool;
}
impl Lanes for f32 {
    type Plain = Plain<f32>;
    type Fused = Fused<f32>;
    const WIDE: bool = true;
}
impl Lanes for f64 {
    type Plain = Plain<f64>;
    type Fused = Fused<f64>;
    const WIDE: bool = false;
}

/// A lane on a processor without fused multiply-add (where `mul_add` would be a library call).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plain<F>(pub F);
/// A lane on a processor with fused multiply-add.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fused<F>(pub F);

impl<F: Base> MulAdd<F> for Plain<F> {
    #[inline(always)]
    fn mul_add(a: F, b: F, c: F) -> F {
        a * b + c
    }
}
impl<F: Base> MulAdd<F> for Fused<F> {
    #[inline(always)]
    fn mul_add(a: F, b: F, c: F) -> F {
        a.mul_add(b, c)
    }
}

/// What differs between the element types.
trait Transcendental: Base {
    fn exp_lane<M: MulAdd<Self>>(self) -> Self;
    fn tanh_lane<M: MulAdd<Self>>(self) -> Self;
    fn sech2_lane<M: MulAdd<Self>>(self) -> Self;
    fn erf_lane<M: MulAdd<Self>>(self) -> Self;
    fn erfc_lane<M: MulAdd<Self>>(self) -> Self;
    fn gauss_lane<M: MulAdd<Self>>(self) -> Self;
    fn normal_cdf_lane<M: MulAdd<Self>>(self) -> Self;
    fn normal_pdf_lane<M: MulAdd<Self>>(self) -> Self;
    fn exp_m1_lane<M: MulAdd<Self>>(self) -> Self;
    fn ln_1p_lane<M: MulAdd<Self>>(self) -> Self;
    fn ln_lane<M: MulAdd<Self>>(self) -> Self;
    /// `n / (1 + e)` for `0 <= e <= 1`.
    fn over_one_plus(n: Self, e: Self) -> Self;
    /// Through f64, where f32 alone would lose digits.
    fn wide(self, f: fn(f64) -> f64) -> Self;
}
impl Transcendental for f32 {
    #[inline(always)]
    fn exp_lane<M: MulAdd<f32>>(self) -> f32 {
        single::exp::<M>(self)
    }
    #[inline(always)]
    fn tanh_lane<M: MulAdd<f32>>(self) -> f32 {
        single::tanh::<M>(self)
    }
    #[inline(always)]
    fn sech2_lane<M: MulAdd<f32>>(self) -> f32 {
        // 4 e / (1 + e)^2 with e = exp(-2 |x|): 1 - y * y would have no digits in the tails.
        let e = single::exp::<M>(self.abs() * -2.0);
        4.0 * e / one_plus_squared::<f32, M>(e)
    }
    #[inline(always)]
    fn erf_lane<M: MulAdd<f32>>(self) -> f32 {
        erf::erf::<M>(self)
    }
    #[inline(always)]
    fn erfc_lane<M: MulAdd<f32>>(self) -> f32 {
        erf::erfc::<M>(self)
    }
    #[inline(always)]
    fn gauss_lane<M: MulAdd<f32>>(self) -> f32 {
        erf::gauss::<M>(self)
    }
    #[inline(always)]
    fn normal_cdf_lane<M: MulAdd<f32>>(self) -> f32 {
        erf::normal_cdf::<M>(self)
    }
    #[inline(always)]
    fn normal_pdf_lane<M: MulAdd<f32>>(self) -> f32 {
        erf::normal_pdf::<M>(self)
    }
    #[inline(always)]
    fn exp_m1_lane<M: MulAdd<f32>>(self) -> f32 {
        expm1::exp_m1::<M>(self)
    }
    #[inline(always)]
    fn ln_1p_lane<M: MulAdd<f32>>(self) -> f32 {
        expm1::ln_1p::<M>(self)
    }
    #[inline(always)]
    fn ln_lane<M: MulAdd<f32>>(self) -> f32 {
        expm1::ln::<M>(self)
    }
    #[inline(always)]
    fn over_one_plus(n: f32, e: f32) -> f32 {
        n / (1.0 + e)
    }
    #[inline(always)]
    fn wide(self, f: fn(f64) -> f64) -> f32 {
        f(self.into()) as f32
    }
}
impl Transcendental for f64 {
    #[inline(always)]
    fn exp_lane<M: MulAdd<f64>>(self) -> f64 {
        double::exp(self)
    }
    #[inline(always)]
    fn tanh_lane<M: MulAdd<f64>>(self) -> f64 {
        double::tanh(self)
    }
    #[inline(always)]
    fn sech2_lane<M: MulAdd<f64>>(self) -> f64 {
        double::sech2(self)
    }
    #[inline(always)]
    fn erf_lane<M: MulAdd<f64>>(self) -> f64 {
        libm::erf(self)
    }
    #[inline(always)]
    fn erfc_lane<M: MulAdd<f64>>(self) -> f64 {
        libm::erfc(self)
    }
    #[inline(always)]
    fn gauss_lane<M: MulAdd<f64>>(self) -> f64 {
        gauss(self)
    }
    #[inline(always)]
    fn normal_cdf_lane<M: MulAdd<f64>>(self) -> f64 {
        normal_cdf(self)
    }
    #[inline(always)]
    fn normal_pdf_lane<M: MulAdd<f64>>(self) -> f64 {
        normal_pdf(self)
    }
    #[inline(always)]
    fn exp_m1_lane<M: MulAdd<f64>>(self) -> f64 {
        self.exp_m1()
    }
    #[inline(always)]
    fn ln_1p_lane<M: MulAdd<f64>>(self) -> f64 {
        self.ln_1p()
    }
    #[inline(always)]
    fn ln_lane<M: MulAdd<f64>>(self) -> f64 {
        self.ln()
    }
    #[inline(always)]
    fn over_one_plus(n: f64, e: f64) -> f64 {
        quotient(n, 1.0, e)
    }
    #[inline(always)]
    fn wide(self, f: fn(f64) -> f64) -> f64 {
        f(self)
    }
}

/// `n / (a + b)` for `|b| <= a`, rounded as if once: next to an exponential of f64 that costs little.
#[inline(always)]
fn quotient(n: f64, a: f64, b: f64) -> f64 {
    let d = a + b;
    let lost = b - (d - a);
    let q = n / d;
    q + (f64::mul_add(-q, d, n) - q * lost) / d
}

/// `(1 + e)^2` as `1 + e (2 + e)`: squaring would double the error of `1 + e`.
#[inline(always)]
fn one_plus_squared<F: Base, M: MulAdd<F>>(e: F) -> F {
    M::mul_add(e, F::of(2.0) + e, F::one())
}

/// e^-x^2 without the error of rounding x^2, which the exponential would multiply by x^2.
fn gauss(x: f64) -> f64 {
    exp_square(x, 1.0, (1.0, 0.0))
}

/// `k e^(-c x^2)` for a power of two `c` and a constant in two parts.
fn exp_square(x: f64, c: f64, k: (f64, f64)) -> f64 {
    let square = x * x;
    if !square.is_finite() {
        return if x.is_nan() { x } else { 0.0 };
    }
    let rest = x.mul_add(x, -square);
    double::exp(-c * square) * (k.0 + (k.1 - k.0 * c * rest))
}

/// `e^(-x^2/2) / sqrt(2 pi)`
fn normal_pdf(x: f64) -> f64 {
    exp_square(x, 0.5, (0.398_942_280_401_432_7, -2.492_327_202_277_73e-17))
}

/// `erfc(-x / sqrt 2) / 2`, with what rounding the argument loses made good by the derivative.
fn normal_cdf(x: f64) -> f64 {
    /// What the constant `FRAC_1_SQRT_2` lacks.
    const REST: f64 = -4.833_646_656_726_457e-17;
    let a = -x * std::f64::consts::FRAC_1_SQRT_2;
    let cdf = 0.5 * libm::erfc(a);
    if !a.is_finite() {
        return cdf;
    }
    let lost = (-x).mul_add(std::f64::consts::FRAC_1_SQRT_2, -a) - x * REST;
    cdf - lost * gauss(a) * (0.5 * std::f64::consts::FRAC_2_SQRT_PI)
}

macro_rules! lane { ($lane:ident: $($op:ident $method:ident),*) => {
    $(
        impl<F: Base> ops::$op for $lane<F> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, b: Self) -> Self {
                Self(ops::$op::$method(self.0, b.0))
            }
        }
    )*
    impl<F: Base> ops::Neg for $lane<F> {
        type Output = Self;
        #[inline(always)]
        fn neg(self) -> Self {
            Self(-self.0)
        }
    }
    impl Lane<f32> for $lane<f32> {
        #[inline(always)]
        fn load(x: f32) -> Self {
            Self(x)
        }
        #[inline(always)]
        fn store(self) -> f32 {
            self.0
        }
    }
    impl Lane<f64> for $lane<f64> {
        #[inline(always)]
        fn load(x: f64) -> Self {
            Self(x)
        }
        #[inline(always)]
        fn store(self) -> f64 {
            self.0
        }
    }
    #[allow(private_bounds)]
    impl<F: Transcendental> Number for $lane<F> {
        #[inline(always)]
        fn lit(self, c: f64) -> Self {
            Self(F::of(c))
        }
        #[inline(always)]
        fn abs(self) -> Self {
            Self(self.0.abs())
        }
        #[inline(always)]
        fn sign(self) -> Self {
            let below = if self.0 < F::zero() { -F::one() } else { self.0 }; // 0 and NaN stay
            Self(if self.0 > F::zero() { F::one() } else { below })
        }
        #[inline(always)]
        fn step(self) -> Self {
            Self(if self.0 > F::zero() { F::one() } else { F::zero() })
        }
        #[inline(always)]
        fn exp(self) -> Self {
            Self(self.0.exp_lane::<Self>())
        }
        #[inline(always)]
        fn ln(self) -> Self {
            Self(self.0.ln_lane::<Self>())
        }
        #[inline(always)]
        fn exp_m1(self) -> Self {
            Self(self.0.exp_m1_lane::<Self>())
        }
        #[inline(always)]
        fn ln_1p(self) -> Self {
            Self(self.0.ln_1p_lane::<Self>())
        }
        #[inline(always)]
        fn sin(self) -> Self {
            Self(self.0.wide(f64::sin))
        }
        #[inline(always)]
        fn cos(self) -> Self {
            Self(self.0.wide(f64::cos))
        }
        #[inline(always)]
        fn tan(self) -> Self {
            Self(self.0.wide(f64::tan))
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            Self(self.0.sqrt())
        }
        #[inline(always)]
        fn recip(self) -> Self {
            Self(F::one() / self.0)
        }
        #[inline(always)]
        fn powi(self, n: i32) -> Self {
            Self(self.0.powi(n))
        }
        #[inline(always)]
        fn powf(self, p: f64) -> Self {
            Self(self.0.powf(F::of(p)))
        }
        #[inline(always)]
        fn tanh(self) -> Self {
            Self(self.0.tanh_lane::<Self>())
        }
        #[inline(always)]
        fn sech2(self) -> Self {
            Self(self.0.sech2_lane::<Self>())
        }
        #[inline(always)]
        fn sigmoid(self) -> Self {
            let e = (-self.0.abs()).exp_lane::<Self>();
            Self(F::over_one_plus(if self.0 < F::zero() { e } else { F::one() }, e))
        }
        #[inline(always)]
        fn sigmoid_slope(self) -> Self {
            let e = (-self.0.abs()).exp_lane::<Self>();
            Self(e / one_plus_squared::<F, Self>(e))
        }
        #[inline(always)]
        fn softplus(self) -> Self {
            let e = (-self.0.abs()).exp_lane::<Self>();
            Self(self.relu().0 + e.ln_1p_lane::<Self>())
        }
        #[inline(always)]
        fn relu(self) -> Self {
            Self(if self.0 < F::zero() { F::zero() } else { self.0 })
        }
        #[inline(always)]
        fn erf(self) -> Self {
            Self(self.0.erf_lane::<Self>())
        }
        #[inline(always)]
        fn erfc(self) -> Self {
            Self(self.0.erfc_lane::<Self>())
        }
        #[inline(always)]
        fn gauss(self) -> Self {
            Self(self.0.gauss_lane::<Self>())
        }
        #[inline(always)]
        fn normal_cdf(self) -> Self {
            Self(self.0.normal_cdf_lane::<Self>())
        }
        #[inline(always)]
        fn normal_pdf(self) -> Self {
            Self(self.0.normal_pdf_lane::<Self>())
        }
        #[inline(always)]
        fn maximum(self, b: Self) -> Self {
            Self(if self.0 > b.0 || self.0.is_nan() { self.0 } else { b.0 })
        }
        #[inline(always)]
        fn minimum(self, b: Self) -> Self {
            Self(if self.0 < b.0 || self.0.is_nan() { self.0 } else { b.0 })
        }
        #[inline(always)]
        fn gt(self, b: Self) -> Self {
            Self(if self.0 > b.0 { F::one() } else { F::zero() })
        }
        #[inline(always)]
        fn ge(self, b: Self) -> Self {
            Self(if self.0 >= b.0 { F::one() } else { F::zero() })
        }
        #[inline(always)]
        fn where_cond(self, a: Self, b: Self) -> Self {
            if self.0 != F::zero() { a } else { b }
        }
        #[inline(always)]
        fn chain(self, slope: Self) -> Self {
            let product = self.0 * slope.0;
            // `|`, not `||`: a branch would keep the loop from vectorising.
            let zero = (self.0 == F::zero()) | (slope.0 == F::zero());
            Self(if zero { F::zero() } else { product })
        }
    }
} }
lane! { Plain: Add add, Sub sub, Mul mul, Div div }
lane! { Fused: Add add, Sub sub, Mul mul, Div div }
