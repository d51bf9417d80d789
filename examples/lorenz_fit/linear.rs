//! Small symmetric positive definite systems.
pub type Square<const N: usize> = [[f64; N]; N];

/// `L` with `L L^T = a`; `None` if `a` is not positive definite.
fn cholesky<const N: usize>(a: &Square<N>) -> Option<Square<N>> {
    let mut l = [[0.0; N]; N];
    for i in 0..N {
        for j in 0..=i {
            let rest = a[i][j] - (0..j).map(|k| l[i][k] * l[j][k]).sum::<f64>();
            l[i][j] = if i == j { rest.sqrt() } else { rest / l[j][j] };
        }
        if !(l[i][i] > 0.0) {
            return None;
        }
    }
    Some(l)
}

/// `x` with `a x = b`.
pub fn solve<const N: usize>(a: &Square<N>, mut b: [f64; N]) -> Option<[f64; N]> {
    let l = cholesky(a)?;
    for i in 0..N {
        b[i] = (b[i] - (0..i).map(|k| l[i][k] * b[k]).sum::<f64>()) / l[i][i];
    }
    for i in (0..N).rev() {
        b[i] = (b[i] - (i + 1..N).map(|k| l[k][i] * b[k]).sum::<f64>()) / l[i][i];
    }
    Some(b)
}

/// The inverse, column by column (it is symmetric, too).
pub fn inverse<const N: usize>(a: &Square<N>) -> Option<Square<N>> {
    let mut columns = [[0.0; N]; N];
    for (k, column) in columns.iter_mut().enumerate() {
        *column = solve(a, std::array::from_fn(|i| f64::from(i == k)))?;
    }
    Some(columns)
}
