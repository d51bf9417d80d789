//! Sums and maxima over axes, in a fixed order.
use super::{dispatch::loops, starts::Starts, threads::sum_of_pieces};
use crate::{formula::Lanes, real::Base};

/// Calls `f(start, block)` for each block of `inner` elements of `x`, which lies in row-major order over `outer` and the
/// block; `start` is where the steps lead in the result (step 0: a reduced axis).
#[inline(always)]
fn walk<F: Base>(outer: &[usize], steps: &[usize], inner: usize, x: &[F], mut f: impl FnMut(usize, &[F])) {
    if x.is_empty() {
        return;
    }
    for (block, start) in x.chunks_exact(inner).zip(Starts::new(outer, steps)) {
        f(start, block);
    }
}

/// The sum over the axes of step 0; neighbouring axes of one kind are merged.
pub(super) fn sum<F: Lanes>(sizes: &[usize], steps: &[usize], x: &[F], out: &mut [F]) {
    match (steps, &mut *out) {
        ([0], [sum]) => *sum = F::of(sum_of_pieces(x.len(), |piece| all(&x[piece]))),
        _ => sum_axes(sizes, steps, x, out),
    }
}

/// Fast; overflows and underflows as f64 does.
pub(super) fn sum_squares<F: Lanes>(x: &[F]) -> f64 {
    sum_of_pieces(x.len(), |piece| squares(&x[piece]))
}

/// The sum of the products of elements.
pub(super) fn dot<F: Lanes>(a: &[F], b: &[F]) -> f64 {
    sum_of_pieces(a.len(), |piece| products(&a[piece.clone()], &b[piece]))
}

loops! {
    fn sum_axes<F>(sizes: &'a [usize], steps: &'a [usize], x: &'a [F], out: &'a mut [F]) {
        out.fill(F::zero());
        match (sizes, steps) {
            ([outer @ .., rows, n], [.., 0, 1]) => {
                walk(outer, steps, rows * n, x, |start, block| sum_rows(*rows, *n, block, &mut out[start..][..*n]));
            }
            ([outer @ .., n], [.., 0]) => {
                walk(outer, steps, *n, x, |start, row| out[start] = F::of(out[start].f64() + total(row)));
            }
            // Nothing is reduced, or all sizes are 1.
            _ => out.copy_from_slice(x),
        }
    }

    /// A NaN wins; of nothing it is -inf.
    fn max<F>(sizes: &'a [usize], steps: &'a [usize], x: &'a [F], out: &'a mut [F]) {
        // `|`, not `||`: a branch would keep the loop from vectorising.
        extreme(sizes, steps, x, out, F::neg_infinity(), |max, x| if (max >= x) | max.is_nan() { max } else { x });
    }

    /// A NaN wins; of nothing it is inf.
    fn min<F>(sizes: &'a [usize], steps: &'a [usize], x: &'a [F], out: &'a mut [F]) {
        extreme(sizes, steps, x, out, F::infinity(), |min, x| if (min <= x) | min.is_nan() { min } else { x });
    }

    fn squares<F>(x: &'a [F]) -> f64 {
        lanes(x, |x| x.f64() * x.f64())
    }

    fn all<F>(x: &'a [F]) -> f64 {
        total(x)
    }

    /// Products in the element type, 16 of them added there to each of 64 lanes, and those sums in f64.
    fn products<F>(a: &'a [F], b: &'a [F]) -> f64 {
        let mut sum = 0.0;
        for (a, b) in a.chunks(1024).zip(b.chunks(1024)) {
            let mut lanes = [F::zero(); 64];
            let (a, a_tail) = a.split_at(a.len() / 64 * 64);
            let (b, b_tail) = b.split_at(a.len());
            for (a, b) in a.chunks_exact(64).zip(b.chunks_exact(64)) {
                for l in 0..64 {
                    lanes[l] += a[l] * b[l];
                }
            }
            sum += total(&lanes);
            sum += a_tail.iter().zip(b_tail).map(|(a, b)| (*a * *b).f64()).sum::<f64>();
        }
        sum
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
}

/// The outermost over the axes of step 0.
#[inline(always)]
fn extreme<F: Base>(sizes: &[usize], steps: &[usize], x: &[F], out: &mut [F], start: F, outer_of: impl Fn(F, F) -> F) {
    out.fill(start);
    match (sizes, steps) {
        ([outer @ .., rows, n], [.., 0, 1]) => walk(outer, steps, rows * n, x, |at, block| {
            for row in block.chunks_exact(*n) {
                out[at..][..*n].iter_mut().zip(row).for_each(|(o, &x)| *o = outer_of(*o, x));
            }
        }),
        ([outer @ .., n], [.., 0]) => {
            walk(outer, steps, *n, x, |at, row| out[at] = outer_of(out[at], fold(row, start, &outer_of)));
        }
        _ => out.copy_from_slice(x),
    }
}

/// Adds up rows: 64 at a time in the element type, and those sums in f64, so that the error does not grow with the rows.
#[inline(always)]
fn sum_rows<F: Base>(rows: usize, n: usize, x: &[F], out: &mut [F]) {
    const WIDTH: usize = 64;
    for start in (0..n).step_by(WIDTH) {
        let width = WIDTH.min(n - start);
        let mut totals = [0.0; WIDTH];
        for block in (0..rows).step_by(64) {
            let mut sums = [F::zero(); WIDTH];
            for row in block..rows.min(block + 64) {
                let row = &x[row * n + start..][..width];
                sums.iter_mut().zip(row).for_each(|(s, &x)| *s += x);
            }
            totals.iter_mut().zip(&sums).for_each(|(t, s)| *t += s.f64());
        }
        out[start..][..width].iter_mut().zip(&totals).for_each(|(o, t)| *o = F::of(o.f64() + t));
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
pub(super) fn lanes<F: Base>(x: &[F], f: impl Fn(F) -> f64) -> f64 {
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
