//! Sums and maxima over axes, in a fixed order.
use super::{Axes, MAX_AXES, dispatch::loops};
use crate::real::Base;

/// `x` in row-major order over `sizes`; `out[o]` collects what the steps lead to (step 0: a reduced axis).
/// Neighbouring axes of one kind should be merged first.
#[inline(always)]
fn walk<F: Base>(
    sizes: &[usize],
    steps: &[usize],
    x: &[F],
    out: &mut [F],
    whole: impl Fn(&mut F, &[F]),
    each: impl Fn(&mut [F], &[F]),
) {
    // One call of each: a closure that is called twice may not be inlined, and then has no wide vectors.
    let (inner, outer, reduced) = match sizes.split_last() {
        None => (1, &[][..], true),
        Some((&inner, outer)) => (inner, outer, steps[outer.len()] == 0),
    };
    if x.is_empty() {
        return;
    }
    let mut index: Axes = [0; MAX_AXES];
    let mut start = 0;
    for row in x.chunks_exact(inner) {
        if reduced {
            whole(&mut out[start], row);
        } else {
            each(&mut out[start..][..inner], row);
        }
        for a in (0..outer.len()).rev() {
            index[a] += 1;
            start += steps[a];
            if index[a] < outer[a] {
                break;
            }
            start -= index[a] * steps[a];
            index[a] = 0;
        }
    }
}

loops! {
    /// The sum over the axes of step 0.
    fn sum<F>(sizes: &'a [usize], steps: &'a [usize], x: &'a [F], out: &'a mut [F]) {
        out.fill(F::zero());
        if let ([rows, n], [0, 1]) = (sizes, steps) {
            return sum_rows(*rows, *n, x, out);
        }
        walk(
            sizes,
            steps,
            x,
            out,
            |o, row| *o = F::of(o.f64() + total(row)),
            |out, row| out.iter_mut().zip(row).for_each(|(o, &x)| *o += x),
        );
    }

    /// A NaN wins; of nothing it is -inf.
    fn max<F>(sizes: &'a [usize], steps: &'a [usize], x: &'a [F], out: &'a mut [F]) {
        out.fill(F::neg_infinity());
        // `|`, not `||`: a branch would keep the loop from vectorising.
        let larger = |max: F, x: F| if (max >= x) | max.is_nan() { max } else { x };
        walk(
            sizes,
            steps,
            x,
            out,
            |o, row| *o = larger(*o, fold(row, F::neg_infinity(), larger)),
            |out, row| out.iter_mut().zip(row).for_each(|(o, &x)| *o = larger(*o, x)),
        );
    }

    fn sum_squares<F>(x: &'a [F]) -> f64 {
        lanes(x, |x| x.f64() * x.f64())
    }

    fn sum_squares_scaled<F>(x: &'a [F], unit: f64, limit: f64) -> f64 {
        let part = |x: F| x.f64().min(limit).max(-limit) / unit;
        lanes(x, |x| part(x) * part(x))
    }

    /// Of the absolute values; NaN wins.
    fn max_abs<F>(x: &'a [F]) -> f64 {
        let larger = |max: F, x: F| if (x.abs() <= max) | max.is_nan() { max } else { x.abs() };
        fold(x, F::zero(), larger).f64()
    }

    fn all_finite<F>(x: &'a [F]) -> bool {
        lanes(x, |x| f64::from(!x.is_finite())) == 0.0
    }
}

/// The sum of rows, in blocks of 64 rows: the error grows with 64 + rows / 64, not with rows.
#[inline(always)]
fn sum_rows<F: Base>(rows: usize, n: usize, x: &[F], out: &mut [F]) {
    const WIDTH: usize = 64;
    for start in (0..n).step_by(WIDTH) {
        let width = WIDTH.min(n - start);
        for block in (0..rows).step_by(64) {
            let mut sums = [F::zero(); WIDTH];
            for row in block..rows.min(block + 64) {
                let row = &x[row * n + start..][..width];
                sums.iter_mut().zip(row).for_each(|(s, &x)| *s += x);
            }
            out[start..][..width].iter_mut().zip(&sums).for_each(|(o, &s)| *o += s);
        }
    }
}

/// `f` over all numbers, in 64 lanes: `f` must not care about the order.
#[inline(always)]
pub(super) fn fold<F: Base>(x: &[F], start: F, f: impl Fn(F, F) -> F) -> F {
    let mut lanes = [start; 64];
    let chunks = x.chunks_exact(64);
    let tail = chunks.remainder().iter().fold(start, |a, &x| f(a, x));
    for x in chunks {
        for l in 0..64 {
            lanes[l] = f(lanes[l], x[l]);
        }
    }
    lanes.into_iter().fold(tail, f)
}

/// The sum in f64, in 16 lanes, then their sum, then the tail.
#[inline(always)]
pub(super) fn total<F: Base>(x: &[F]) -> f64 {
    lanes(x, |x| x.f64())
}

#[inline(always)]
fn lanes<F: Base>(x: &[F], f: impl Fn(F) -> f64) -> f64 {
    let mut sums = [0.0; 16];
    let chunks = x.chunks_exact(16);
    let tail: f64 = chunks.remainder().iter().map(|&x| f(x)).sum();
    for x in chunks {
        for l in 0..16 {
            sums[l] += f(x[l]);
        }
    }
    sums.into_iter().sum::<f64>() + tail
}
