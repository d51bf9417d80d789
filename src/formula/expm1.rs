//! `e^x - 1`, `ln(1 + x)` and `ln(x)` of f32, branch-free. f64 uses the standard library.
use super::single::{MulAdd, power_of_two, reduced};

/// `e^x - 1` within 2 ulp; infinite above 88.72.
#[inline(always)]
pub(super) fn exp_m1<M: MulAdd<f32>>(x: f32) -> f32 {
    // Comparisons, not min and max: a NaN must pass.
    let a = if x < -30.0 { -30.0 } else { x }; // -1 from -17.3 on
    let a = if a > 89.0 { 89.0 } else { a };
    let (p, n) = reduced::<M>(a);
    // Half of it, so that the power of two is a number up to the end.
    let s = power_of_two(n.wrapping_sub(1));
    let half = M::mul_add(p, s, s - 0.5);
    (half + half).copysign(x)
}

/// ln 2 in two parts, the first with few bits, so that its product with a whole number is exact.
const LN_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);

/// A normal number as `m 2^n` with `sqrt(1/2) <= m < sqrt 2`.
#[inline(always)]
fn split(u: f32) -> (f32, i32) {
    let n = (u.to_bits() as i32).wrapping_sub(0x3f35_04f3) >> 23;
    (f32::from_bits(u.to_bits().wrapping_sub((n as u32) << 23)), n)
}

/// `ln((1 + f) 2^n)`.
///
/// Source: the polynomial of Cephes' logf (Moshier).
#[inline(always)]
fn ln_parts<M: MulAdd<f32>>(f: f32, n: i32) -> f32 {
    let p = M::mul_add(7.037_683_6e-2, f, -1.151_461e-1);
    let p = M::mul_add(p, f, 1.167_699_9e-1);
    let p = M::mul_add(p, f, -1.242_014_1e-1);
    let p = M::mul_add(p, f, 1.424_932_3e-1);
    let p = M::mul_add(p, f, -1.666_805_8e-1);
    let p = M::mul_add(p, f, 2.000_071_4e-1);
    let p = M::mul_add(p, f, -2.499_999_4e-1);
    let p = M::mul_add(p, f, 3.333_333e-1);
    let (n, square) = (n as f32, f * f);
    let rest = M::mul_add(n, LN_2.1, M::mul_add(-0.5, square, p * square * f));
    M::mul_add(n, LN_2.0, f + rest)
}

/// `ln(1 + x)` within 2 ulp; -inf at -1, NaN below. What rounding `1 + x` loses is put back, as in fdlibm's log1p.
#[inline(always)]
pub(super) fn ln_1p<M: MulAdd<f32>>(x: f32) -> f32 {
    let u = 1.0 + x;
    // u + lost = 1 + x, whichever of the two is the larger one.
    let lost = if x.abs() < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
    let (m, n) = split(u);
    let y = ln_parts::<M>(M::mul_add(lost, m / u, m - 1.0), n).copysign(x);
    let y = if u == 0.0 { f32::NEG_INFINITY } else { y };
    // Infinity and NaN as they are.
    let y = if x < f32::INFINITY { y } else { x };
    if u < 0.0 { f32::NAN } else { y }
}

/// `ln(x)` within 2 ulp; -inf at 0, NaN below.
#[inline(always)]
pub(super) fn ln<M: MulAdd<f32>>(x: f32) -> f32 {
    // A subnormal number has no exponent of its own.
    let (u, shift) = if x < f32::MIN_POSITIVE { (x * 8_388_608.0, 23) } else { (x, 0) };
    let (m, n) = split(u);
    let y = ln_parts::<M>(m - 1.0, n.wrapping_sub(shift));
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    let y = if x < f32::INFINITY { y } else { x };
    if x < 0.0 { f32::NAN } else { y }
}
