//! A bound for the largest singular value of a matrix: what a certificate needs, which power iteration, from below, cannot give.
use crate::tensor::{Real, Tensor};

/// Multiplications that it may take: one product of matrices of 400 rows, many of smaller ones.
const WORK: usize = 64_000_000;
/// From here on the bound is within 0.4 % for a thousand rows.
const MOST_SQUARINGS: usize = 10;

/// At least the largest singular value `s` of `W` (the last two axes; leading ones count as rows): of the norms that bound it,
/// `||W||_F` and `sqrt(||W||_1 ||W||_inf)`, the smaller one, made tighter by squaring: with `A = W^T W`,
/// `s <= trace(A^m)^(1 / 2m) <= n^(1 / 2m) s`.
pub(super) fn sigma<F: Real>(w: &Tensor<F>) -> f64 {
    let n = w.shape().last().copied().unwrap_or(1).max(1);
    let rows: Vec<Vec<f64>> = w.data().chunks_exact(n).map(|row| row.iter().map(|x| x.f64()).collect()).collect();
    let frobenius = rows.iter().flatten().map(|x| x * x).sum::<f64>().sqrt();
    let lines = rows.iter().map(|row| row.iter().map(|x| x.abs()).sum::<f64>()).fold(0.0, f64::max);
    let columns = (0..n).map(|j| rows.iter().map(|row| row[j].abs()).sum::<f64>()).fold(0.0, f64::max);
    let mut bound = frobenius.min((lines * columns).sqrt());
    let squarings = (WORK / n.pow(3)).min(MOST_SQUARINGS);
    if squarings > 0 && rows.len() <= n && frobenius > 0.0 && frobenius.is_finite() {
        bound = bound.min(by_squaring(&rows, n, squarings));
    }
    bound * (1.0 + 1e-10) // more than rounding takes
}

/// `trace(A^m)^(1 / 2m)` for `m = 2^squarings`, of `A = W^T W`.
fn by_squaring(rows: &[Vec<f64>], n: usize, squarings: usize) -> f64 {
    let mut a = gram(rows, n);
    let (mut log, mut power) = (0.0, 2.0); // A^(power / 2) = exp(power * log) a
    for k in 0..squarings {
        let trace: f64 = a.iter().enumerate().map(|(i, row)| row[i]).sum();
        a.iter_mut().flatten().for_each(|x| *x /= trace);
        log += trace.ln() / power;
        power *= 2.0;
        if k + 1 < squarings {
            a = gram(&a, n);
        }
    }
    // The trace of the last square needs no product.
    let squares: f64 = a.iter().flatten().map(|x| x * x).sum();
    (log + squares.ln() / power).exp()
}

/// `W^T W`, of a symmetric matrix its square.
fn gram(rows: &[Vec<f64>], n: usize) -> Vec<Vec<f64>> {
    let mut a = vec![vec![0.0; n]; n];
    for row in rows {
        for (i, x) in row.iter().enumerate() {
            a[i][i..].iter_mut().zip(&row[i..]).for_each(|(a, y)| *a += x * y);
        }
    }
    for i in 1..n {
        let (above, below) = a.split_at_mut(i);
        (0..i).for_each(|j| below[0][j] = above[j][i]);
    }
    a
}
