//! Reductions of rows that need more than a running sum.
use super::{
    dispatch::loops,
    reduce::{fold, lanes},
};
use crate::real::Base;

/// The mean of a row, what rounding it left, and the mean of the squares of what remains: two passes, so that rows far
/// from 0 keep their digits.
///
/// Source: Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983 (the corrected two-pass form).
#[inline(always)]
pub(super) fn moments<F: Base>(x: &[F]) -> (F, f64, f64) {
    let n = x.len() as f64;
    let mean = F::of(lanes(x, |x| x.f64()) / n);
    let rest = lanes(x, |x| (x - mean).f64()) / n;
    let squares = lanes(x, |x| {
        let d = (x - mean).f64();
        d * d
    });
    let variance = squares / n - rest * rest;
    // A comparison, not max: a NaN must pass.
    (mean, rest, if variance < 0.0 { 0.0 } else { variance })
}

/// The root of the sum of `f(x)^2`: without overflow or underflow on the way.
#[inline(always)]
fn length<F: Base>(x: &[F], f: impl Fn(F) -> f64) -> f64 {
    let squares = lanes(x, |x| f(x) * f(x));
    if (1e-280..=1e300).contains(&squares) {
        return squares.sqrt();
    }
    let larger = |max: f64, x: f64| if (max >= x) | max.is_nan() { max } else { x };
    let unit = x.iter().fold(0.0, |max, &x| larger(max, f(x).abs()));
    if unit == 0.0 || !unit.is_finite() {
        return unit;
    }
    unit * lanes(x, |x| (f(x) / unit) * (f(x) / unit)).sqrt()
}

/// The root of the variance of a row whose sum or differences overflow: in units of the largest element.
#[cold]
fn huge_deviation<F: Base>(divisor: f64, x: &[F]) -> f64 {
    let unit = x.iter().fold(0.0f64, |max, x| max.max(x.f64().abs()));
    let mean = lanes(x, |x| x.f64() / unit) / x.len() as f64;
    let rest = lanes(x, |x| x.f64() / unit - mean) / x.len() as f64;
    length(x, |x| x.f64() / unit - mean - rest) / divisor.sqrt() * unit
}

/// One number for each row of `n`; of an empty row `empty`.
#[inline(always)]
fn each_row<F: Base>(n: usize, x: &[F], out: &mut [F], empty: F, f: impl Fn(&[F]) -> f64) {
    if n == 0 {
        return out.fill(empty);
    }
    for (out, x) in out.iter_mut().zip(x.chunks_exact(n)) {
        *out = F::of(f(x));
    }
}

loops! {
    /// The squares of the deviations from the mean, added up and divided by `divisor`.
    fn variance<F>(n: usize, divisor: f64, x: &'a [F], out: &'a mut [F]) {
        let share = n as f64 / divisor;
        each_row(n, x, out, F::nan(), |x| moments(x).2 * share);
    }

    /// The root of the variance, also where the variance itself cannot be represented.
    fn deviation<F>(n: usize, divisor: f64, x: &'a [F], out: &'a mut [F]) {
        each_row(n, x, out, F::nan(), |x| {
            let (mean, rest, _) = moments(x);
            let std = length(x, |x| (x - mean).f64() - rest) / divisor.sqrt();
            if std.is_finite() { std } else { huge_deviation(divisor, x) }
        });
    }

    fn norm<F>(n: usize, x: &'a [F], out: &'a mut [F]) {
        each_row(n, x, out, F::zero(), |x| length(x, |x| x.f64()));
    }

    fn logsumexp<F>(n: usize, x: &'a [F], out: &'a mut [F]) {
        each_row(n, x, out, F::neg_infinity(), |x| {
            // A NaN wins.
            let larger = |max: F, x: F| if (max >= x) | max.is_nan() { max } else { x };
            let max = fold(x, F::neg_infinity(), larger);
            if !max.is_finite() {
                return max.f64();
            }
            max.f64() + lanes(x, |x| L::load(x - max).exp().store().f64()).ln()
        });
    }

    fn product<F>(n: usize, x: &'a [F], out: &'a mut [F]) {
        each_row(n, x, out, F::one(), |x| {
            let mut products = [1.0; 16];
            let chunks = x.chunks_exact(16);
            let tail: f64 = chunks.remainder().iter().map(|x| x.f64()).product();
            for x in chunks {
                for l in 0..16 {
                    products[l] *= x[l].f64();
                }
            }
            products.into_iter().product::<f64>() * tail
        });
    }

    /// Where the largest (or smallest) of the `n` numbers of each column of `[.., n, inner]` is: the first of several; a
    /// NaN wins.
    fn extreme_at<F>(n: usize, inner: usize, largest: bool, x: &'a [F], out: &'a mut [u32]) {
        if n == 0 || inner == 0 {
            return;
        }
        for (x, out) in x.chunks_exact(n * inner).zip(out.chunks_exact_mut(inner)) {
            out.fill(0);
            for k in 1..n {
                for (j, best) in out.iter_mut().enumerate() {
                    let (x, top) = (x[k * inner + j], x[*best as usize * inner + j]);
                    let beyond = if largest { x > top } else { x < top };
                    if beyond || (x.is_nan() && !top.is_nan()) {
                        *best = k as u32;
                    }
                }
            }
        }
    }
}
