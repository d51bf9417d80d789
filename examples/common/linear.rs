//! Small symmetric positive definite systems.

/// `L` with `L L^T = a`; `None` if `a` is not positive definite.
fn cholesky(a: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let mut l = vec![vec![0.0; a.len()]; a.len()];
    for i in 0..a.len() {
        for j in 0..=i {
            let rest = a[i][j] - (0..j).map(|k| l[i][k] * l[j][k]).sum::<f64>();
            l[i][j] = if i == j { rest.sqrt() } else { rest / l[j][j] };
        }
        // The root of what is negative is NaN.
        if l[i][i].is_nan() || l[i][i] == 0.0 {
            return None;
        }
    }
    Some(l)
}

/// `x` with `a x = b`.
pub fn solve(a: &[Vec<f64>], b: &[f64]) -> Option<Vec<f64>> {
    let (l, mut x, n) = (cholesky(a)?, b.to_vec(), b.len());
    for i in 0..n {
        x[i] = (x[i] - (0..i).map(|k| l[i][k] * x[k]).sum::<f64>()) / l[i][i];
    }
    for i in (0..n).rev() {
        x[i] = (x[i] - (i + 1..n).map(|k| l[k][i] * x[k]).sum::<f64>()) / l[i][i];
    }
    Some(x)
}

/// The inverse, column by column (it is symmetric, too).
pub fn inverse(a: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let unit = |k: usize| (0..a.len()).map(|i| f64::from(i == k)).collect::<Vec<_>>();
    (0..a.len()).map(|k| solve(a, &unit(k))).collect()
}
