//! The error function and the normal distribution in f32, branch-free, with all digits in the tails. f64 goes by libm.
use super::single::{MulAdd, exp_poly, power_of_two, remainder};

/// The complementary error function of f32 without its exponential, `e^(z^2) erfc(z)`, for `z >= 0`.
///
/// As a polynomial in `(z - 3) / (z + 3)`, divided by `z + 3`. Source of the form: Shepherd and Laframboise, "Chebyshev
/// approximation of (1 + 2 x) exp(x^2) erfc x", 1981. The coefficients: a minimax fit on `0 <= z <= 10.3`, off by 9e-9.
#[inline(always)]
fn erfcx<M: MulAdd<f32>>(z: f32) -> f32 {
    // Not 1 - 6 / (z + 3), which would take over three times the error of that quotient.
    let q = (z - 3.0) / (z + 3.0);
    let p = M::mul_add(8.527_643e-6, q, -3.104_010_2e-4);
    let p = M::mul_add(p, q, -4.833_508_3e-4);
    let p = M::mul_add(p, q, 3.069_667_6e-3);
    let p = M::mul_add(p, q, -1.228_537_9e-3);
    let p = M::mul_add(p, q, -2.683_710_5e-2);
    let p = M::mul_add(p, q, 1.195_295_8e-1);
    let p = M::mul_add(p, q, -3.104_663e-1);
    let p = M::mul_add(p, q, 5.902_282_6e-1);
    let p = M::mul_add(p, q, -8.833_945e-1);
    M::mul_add(p, q, 1.074_006_9) / (z + 3.0)
}

/// `|x|`, and 20 instead of more, where all tails are 0; a NaN passes.
#[inline(always)]
fn limited(x: f32) -> f32 {
    let a = x.abs();
    if a > 20.0 { 20.0 } else { a }
}

/// `e^(-c a^2)` for a power of two `c`, without the error of rounding `a^2`, which the exponential would multiply by it.
#[inline(always)]
fn exp_square<M: MulAdd<f32>>(a: f32, c: f32) -> f32 {
    // 12 bits, so that its square is exact.
    let high = f32::from_bits(a.to_bits() & 0xffff_f000);
    let square = c * (high * high);
    let rest = c * ((a - high) * (a + high));
    let square = if square > 104.0 { 104.0 } else { square };
    let (r, n) = remainder::<M>(-square);
    let half = n >> 1;
    (exp_poly::<M>(r - rest) + 1.0) * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// `e^(-x^2)`.
#[inline(always)]
pub(super) fn gauss<M: MulAdd<f32>>(x: f32) -> f32 {
    exp_square::<M>(limited(x), 1.0)
}

/// `e^(-x^2 / 2) / sqrt(2 pi)`.
#[inline(always)]
pub(super) fn normal_pdf<M: MulAdd<f32>>(x: f32) -> f32 {
    exp_square::<M>(limited(x), 0.5) * 0.398_942_3
}

/// The error function near 0: `a + a p(a^2)`, a minimax fit up to 0.9, off by 1.3e-9.
#[inline(always)]
fn erf_near<M: MulAdd<f32>>(a: f32) -> f32 {
    let s = a * a;
    let p = M::mul_add(8.513_102_5e-5, s, -8.175_639e-4);
    let p = M::mul_add(p, s, 5.203_859e-3);
    let p = M::mul_add(p, s, -2.686_050_7e-2);
    let p = M::mul_add(p, s, 1.128_371_5e-1);
    let p = M::mul_add(p, s, -3.761_263_5e-1);
    let p = M::mul_add(p, s, 1.283_791_7e-1);
    M::mul_add(a, p, a)
}

/// `erfc(a)` for `a >= 0`.
#[inline(always)]
fn tail<M: MulAdd<f32>>(a: f32) -> f32 {
    exp_square::<M>(a, 1.0) * erfcx::<M>(a)
}

/// The error function.
#[inline(always)]
pub(super) fn erf<M: MulAdd<f32>>(x: f32) -> f32 {
    let a = limited(x);
    let y = if a < 0.9 { erf_near::<M>(a) } else { 1.0 - tail::<M>(a) };
    y.copysign(x)
}

/// `1 - erf(x)`.
#[inline(always)]
pub(super) fn erfc<M: MulAdd<f32>>(x: f32) -> f32 {
    let a = limited(x);
    let far = tail::<M>(a);
    let far = if x < 0.0 { 2.0 - far } else { far };
    if a < 0.5 { 1.0 - erf_near::<M>(a).copysign(x) } else { far }
}

/// The normal distribution function.
#[inline(always)]
pub(super) fn normal_cdf<M: MulAdd<f32>>(x: f32) -> f32 {
    let a = limited(x);
    let tail = 0.5 * exp_square::<M>(a, 0.5) * erfcx::<M>(a * std::f32::consts::FRAC_1_SQRT_2);
    if x > 0.0 { 1.0 - tail } else { tail }
}
