//! Normalised rows, and the cotangents of their input, weight and bias.
use super::{
    dispatch::loops,
    groups::moments,
    threads::{PIECE, both},
};
use crate::real::Base;

/// Numbers kept for each row: the mean in two parts, and one over the standard deviation.
pub const STATS: usize = 3;

/// `(x - mean) / std`. A mean in two parts costs a subtraction and saves the digits of rows far from 0.
#[inline(always)]
fn normal<F: Base>(x: F, stats: &[F]) -> F {
    ((x - stats[0]) - stats[1]) * stats[2]
}

/// Row by row: the statistics, then `out = normal(x) * w + b`.
pub(super) fn forward<F: super::Kernels>(eps: f64, x: &[F], weight: &[F], bias: &[F], out: &mut [F], stats: &mut [F]) {
    let (n, rows) = (weight.len(), stats.len() / STATS);
    if out.len() <= PIECE || rows < 2 {
        return forward_rows(eps, x, weight, bias, out, stats);
    }
    let at = rows / 2;
    let (x, (out, stats)) = (x.split_at(at * n), (out.split_at_mut(at * n), stats.split_at_mut(at * STATS)));
    let low = || forward(eps, x.0, weight, bias, out.0, stats.0);
    let high = || forward(eps, x.1, weight, bias, out.1, stats.1);
    both(low, high);
}

/// `bar`, the cotangent of the output, becomes that of the input.
pub(super) fn backward<F: super::Kernels>(x: &[F], weight: &[F], stats: &[F], bar: &mut [F]) {
    let (n, rows) = (weight.len(), stats.len() / STATS);
    if bar.len() <= PIECE || rows < 2 {
        return backward_rows(x, weight, stats, bar);
    }
    let at = rows / 2;
    let (x, stats, bar) = (x.split_at(at * n), stats.split_at(at * STATS), bar.split_at_mut(at * n));
    both(|| backward(x.0, weight, stats.0, bar.0), || backward(x.1, weight, stats.1, bar.1));
}

/// The cotangents of weight and bias: sums over rows, always in the same order. Cut by columns, `first` is the first one.
pub(super) fn parameters<F: super::Kernels>(
    n: usize,
    first: usize,
    x: &[F],
    stats: &[F],
    y_bar: &[F],
    weight: &mut [F],
    bias: &mut [F],
) {
    let rows = stats.len() / STATS;
    if rows * weight.len() <= PIECE || weight.len() <= WIDTH {
        return columns(n, first, x, stats, y_bar, weight, bias);
    }
    let at = (weight.len() / 2).next_multiple_of(WIDTH);
    let (weight, bias) = (weight.split_at_mut(at), bias.split_at_mut(at));
    let low = || parameters(n, first, x, stats, y_bar, weight.0, bias.0);
    let high = || parameters(n, first + at, x, stats, y_bar, weight.1, bias.1);
    both(low, high);
}

/// Columns that are added up together.
const WIDTH: usize = 64;

loops! {
    fn forward_rows<F>(eps: f64, x: &'a [F], weight: &'a [F], bias: &'a [F], out: &'a mut [F], stats: &'a mut [F]) {
        let n = weight.len();
        if n == 0 {
            return;
        }
        let bias = &bias[..n];
        for ((x, out), stats) in x.chunks_exact(n).zip(out.chunks_exact_mut(n)).zip(stats.chunks_exact_mut(STATS)) {
            let (mean, rest, variance) = moments(x);
            stats.copy_from_slice(&[mean, F::of(rest), F::of(1.0 / (variance + eps).sqrt())]);
            for e in 0..n {
                out[e] = normal(x[e], stats) * weight[e] + bias[e];
            }
        }
    }

    fn backward_rows<F>(x: &'a [F], weight: &'a [F], stats: &'a [F], bar: &'a mut [F]) {
        let n = weight.len();
        if n == 0 {
            return;
        }
        for ((x, bar), stats) in x.chunks_exact(n).zip(bar.chunks_exact_mut(n)).zip(stats.chunks_exact(STATS)) {
            // Nothing flows into a row on which nothing depends, whatever it holds.
            if bar.iter().all(|bar| *bar == F::zero()) {
                continue;
            }
            let (mut sum, mut along) = ([0.0; 16], [0.0; 16]);
            for start in (0..n).step_by(16) {
                let width = 16.min(n - start);
                let (x, w, bar) = (&x[start..][..width], &weight[start..][..width], &mut bar[start..][..width]);
                for l in 0..width {
                    bar[l] = bar[l] * w[l];
                    sum[l] += bar[l].f64();
                    along[l] += (bar[l] * normal(x[l], stats)).f64();
                }
            }
            let mean = |sums: [f64; 16]| F::of(sums.into_iter().sum::<f64>() / n as f64);
            let (sum, along) = (mean(sum), mean(along));
            for e in 0..n {
                bar[e] = (bar[e] - sum - normal(x[e], stats) * along) * stats[2];
            }
        }
    }

    fn columns<F>(n: usize, first: usize, x: &'a [F], stats: &'a [F], y_bar: &'a [F], weight: &'a mut [F], bias: &'a mut [F]) {
        for start in (0..weight.len()).step_by(WIDTH) {
            let width = WIDTH.min(weight.len() - start);
            let mut totals = [[0.0; WIDTH]; 2];
            // 64 rows at a time in the element type and those sums in f64, so that the error does not grow with the rows.
            for (block, stats) in stats.chunks(64 * STATS).enumerate() {
                let mut sums = [[F::zero(); WIDTH]; 2];
                for (row, stats) in stats.chunks_exact(STATS).enumerate() {
                    let at = (block * 64 + row) * n + first + start;
                    let (x, y_bar) = (&x[at..][..width], &y_bar[at..][..width]);
                    if (stats[0] + stats[2]).is_finite() {
                        for l in 0..width {
                            sums[0][l] += y_bar[l] * normal(x[l], stats);
                            sums[1][l] += y_bar[l];
                        }
                        continue;
                    }
                    // Where nothing depends on a row that is not finite, nothing flows.
                    for l in (0..width).filter(|l| y_bar[*l] != F::zero()) {
                        sums[0][l] += y_bar[l] * normal(x[l], stats);
                        sums[1][l] += y_bar[l];
                    }
                }
                for (total, sum) in totals.iter_mut().flatten().zip(sums.iter().flatten()) {
                    *total += sum.f64();
                }
            }
            for l in 0..width {
                (weight[start + l], bias[start + l]) = (F::of(totals[0][l]), F::of(totals[1][l]));
            }
        }
    }
}
