//! exp, tanh and sigmoid of f32, branch-free so that loops over them vectorise. f64 uses the standard library.

/// `a * b + c`, in one rounding or two.
pub(super) trait MulAdd<F> {
    /// `a * b + c`.
    fn mul_add(a: F, b: F, c: F) -> F;
}

/// Adding and subtracting it rounds to the nearest whole number, which is then in the low bits (|x| < 2^22).
const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23

/// `x = r + n ln 2` with |r| <= ln(2) / 2.
#[inline(always)]
pub(super) fn remainder<M: MulAdd<f32>>(x: f32) -> (f32, i32) {
    let shifted = M::mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    // ln 2 in two parts, the first with few bits, so that its product with n is exact.
    let r = M::mul_add(n, -355.0 / 512.0, x);
    let r = M::mul_add(n, 2.121_944_4e-4, r);
    (r, (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32))
}

/// `e^r - 1` for a [`remainder`].
///
/// Source: the polynomial of Cephes' expf (Moshier).
#[inline(always)]
pub(super) fn exp_poly<M: MulAdd<f32>>(r: f32) -> f32 {
    let p = M::mul_add(1.987_569_1e-4, r, 1.398_199_9e-3);
    let p = M::mul_add(p, r, 8.333_452e-3);
    let p = M::mul_add(p, r, 4.166_579_6e-2);
    let p = M::mul_add(p, r, 1.666_666_5e-1);
    let p = M::mul_add(p, r, 0.5);
    M::mul_add(p, r * r, r)
}

/// `e^x = (1 + p) 2^n`: p, and n for [`power_of_two`].
#[inline(always)]
pub(super) fn reduced<M: MulAdd<f32>>(x: f32) -> (f32, i32) {
    let (r, n) = remainder::<M>(x);
    (exp_poly::<M>(r), n)
}

/// 2^n for -126 <= n <= 127.
#[inline(always)]
pub(super) fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// e^x within 2 ulp, subnormal results included; infinite above 88.72, 0 below -103.97.
///
/// The power of two is applied in two halves, of which each is a normal number.
#[inline(always)]
pub(super) fn exp<M: MulAdd<f32>>(x: f32) -> f32 {
    // Comparisons, not min and max: a NaN must pass.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let (p, n) = reduced::<M>(x);
    let half = n >> 1;
    (p + 1.0) * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// tanh within 3 ulp: `t / (t + 2)` with `t = e^(2 |x|) - 1`, which keeps its digits near 0.
///
/// A quotient of polynomials takes two thirds of the time, but is off by up to 5 ulp near 6.
#[inline(always)]
pub(super) fn tanh<M: MulAdd<f32>>(x: f32) -> f32 {
    let a = x.abs();
    let a = if a > 10.0 { 10.0 } else { a }; // 1 from 9.02 on
    let (p, n) = reduced::<M>(a + a);
    let s = power_of_two(n);
    let t = M::mul_add(p, s, s - 1.0);
    (t / (t + 2.0)).copysign(x)
}
