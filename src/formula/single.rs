//! exp, tanh and sigmoid of f32, branch-free so that loops over them vectorise. f64 uses the standard library.
use super::lanes::MulAdd;

/// Adding and subtracting it rounds to the nearest whole number, which is then in the low bits (|x| < 2^22).
const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23

/// e^x within 2 ulp, subnormal results included; infinite above 88.72, 0 below -103.97.
///
/// Source: the polynomial of Cephes' expf (Moshier), with the power of two applied in two halves.
#[inline(always)]
pub(super) fn exp<M: MulAdd<f32>>(x: f32) -> f32 {
    // Comparisons, not min and max: a NaN must pass.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let shifted = M::mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    // ln 2 in two parts, the first with few bits, so that its product with n is exact.
    let r = M::mul_add(n, -355.0 / 512.0, x);
    let r = M::mul_add(n, 2.121_944_4e-4, r);
    let p = M::mul_add(1.987_569_1e-4, r, 1.398_199_9e-3);
    let p = M::mul_add(p, r, 8.333_452e-3);
    let p = M::mul_add(p, r, 4.166_579_6e-2);
    let p = M::mul_add(p, r, 1.666_666_5e-1);
    let p = M::mul_add(p, r, 0.5);
    let p = M::mul_add(p, r * r, r) + 1.0;
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = n >> 1;
    p * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// 2^n for -126 <= n <= 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// tanh within 3 ulp.
///
/// Source: the rational approximation of degree 9/8 of Eigen's `ptanh_float`; beyond the limit it is 1.
#[inline(always)]
pub(super) fn tanh<M: MulAdd<f32>>(x: f32) -> f32 {
    const LIMIT: f32 = 8.017_734;
    let x = if x > LIMIT { LIMIT } else { x };
    let x = if x < -LIMIT { -LIMIT } else { x };
    let x2 = x * x;
    let p = M::mul_add(1.394_553_6e-8, x2, 2.102_733_6e-5);
    let p = M::mul_add(p, x2, 3.520_756_7e-3);
    let p = M::mul_add(p, x2, 1.340_216_1e-1);
    let q = M::mul_add(8.015_777e-7, x2, 3.326_951_4e-4);
    let q = M::mul_add(q, x2, 2.597_254_5e-2);
    let q = M::mul_add(q, x2, 4.673_548_3e-1);
    let q = M::mul_add(q, x2, 1.0);
    M::mul_add(x2 * x, p, x) / q
}
