//! Transposed copies of matrices, in tiles that go through registers.
use super::threads::{PIECE, both};
use crate::real::Base;

/// A tile has so many rows and columns: a cache line of f32, two of f64.
const TILE: usize = 16;
/// Columns that are walked down together: their lines of the result stay in the cache until they are full.
const PANEL: usize = 2 * TILE;

/// An element type with a tile of its own.
pub trait Tile: Base {
    /// `out[c * rows + r] = x[r * columns + c]` for the tile at row `r` and column `c`, which must lie inside.
    fn tile(rows: usize, columns: usize, r: usize, c: usize, x: &[Self], out: &mut [Self]);
}

/// `out` of `[columns, rows]` from `x` of `[rows, columns]`.
pub(super) fn transpose<F: Tile>(rows: usize, columns: usize, x: &[F], out: &mut [F]) {
    assert!(x.len() == rows * columns && out.len() == x.len(), "transpose: {rows} x {columns} of {}", x.len());
    panels(rows, columns, 0, columns, x, out);
}

/// Columns `from..to`, which are rows of `out`.
fn panels<F: Tile>(rows: usize, columns: usize, from: usize, to: usize, x: &[F], out: &mut [F]) {
    let half = from + ((to - from) / 2).next_multiple_of(PANEL);
    if out.len() > PIECE && half < to {
        let (low, high) = out.split_at_mut((half - from) * rows);
        both(|| panels(rows, columns, from, half, x, low), || panels(rows, columns, half, to, x, high));
        return;
    }
    let x = &x[from.min(x.len())..];
    let width = to - from;
    for c in (0..width).step_by(PANEL) {
        for r in (0..rows).step_by(TILE) {
            for c in (c..width.min(c + PANEL)).step_by(TILE) {
                if r + TILE <= rows && c + TILE <= width {
                    F::tile(rows, columns, r, c, x, out);
                } else {
                    edge(rows, columns, (r, rows.min(r + TILE)), (c, width.min(c + TILE)), x, out);
                }
            }
        }
    }
}

/// A tile that is cut off.
fn edge<F: Base>(rows: usize, columns: usize, r: (usize, usize), c: (usize, usize), x: &[F], out: &mut [F]) {
    for row in r.0..r.1 {
        for column in c.0..c.1 {
            out[column * rows + row] = x[row * columns + column];
        }
    }
}

/// The tile in squares of `$n`, which `$square` transposes in registers with instructions that every x86-64 has.
macro_rules! tiles {
    ($f:ty, $n:literal, |$from:ident, $columns:ident, $to:ident, $rows:ident| $square:block) => {
        impl Tile for $f {
            #[cfg(not(target_arch = "x86_64"))]
            fn tile(rows: usize, columns: usize, r: usize, c: usize, x: &[$f], out: &mut [$f]) {
                edge(rows, columns, (r, r + TILE), (c, c + TILE), x, out);
            }

            #[cfg(target_arch = "x86_64")]
            #[inline]
            #[allow(unsafe_code)]
            fn tile($rows: usize, $columns: usize, r: usize, c: usize, x: &[$f], out: &mut [$f]) {
                use std::arch::x86_64::*;
                let (x, out) = (&x[r * $columns + c..], &mut out[c * $rows + r..]);
                assert!(x.len() >= (TILE - 1) * $columns + TILE && out.len() >= (TILE - 1) * $rows + TILE);
                for j in (0..TILE).step_by($n) {
                    for i in (0..TILE).step_by($n) {
                        let ($from, $to) = (x[i * $columns + j..].as_ptr(), out[j * $rows + i..].as_mut_ptr());
                        // SAFETY: sixteen rows of sixteen numbers lie in both slices, as asserted; SSE2 belongs to x86-64.
                        unsafe { $square }
                    }
                }
            }
        }
    };
}

tiles! { f32, 4, |from, columns, to, rows| {
    let row = |k: usize| _mm_loadu_ps(from.add(k * columns));
    let (a, b, c, d) = (row(0), row(1), row(2), row(3));
    let (ab, cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
    _mm_storeu_ps(to, _mm_movelh_ps(ab, cd));
    _mm_storeu_ps(to.add(rows), _mm_movehl_ps(cd, ab));
    let (ab, cd) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
    _mm_storeu_ps(to.add(2 * rows), _mm_movelh_ps(ab, cd));
    _mm_storeu_ps(to.add(3 * rows), _mm_movehl_ps(cd, ab));
} }
tiles! { f64, 2, |from, columns, to, rows| {
    let (a, b) = (_mm_loadu_pd(from), _mm_loadu_pd(from.add(columns)));
    _mm_storeu_pd(to, _mm_unpacklo_pd(a, b));
    _mm_storeu_pd(to.add(rows), _mm_unpackhi_pd(a, b));
} }

#[cfg(test)]
mod tests {
    use super::{Tile, transpose};

    fn check<F: Tile>() {
        for (rows, columns) in [(0, 3), (1, 1), (1, 40), (16, 16), (17, 33), (100, 5), (64, 784), (300, 257)] {
            let x: Vec<F> = (0..rows * columns).map(|e| F::of(e as f64)).collect();
            let mut out = vec![F::zero(); x.len()];
            transpose(rows, columns, &x, &mut out);
            for (e, &y) in out.iter().enumerate() {
                assert_eq!(y, x[e % rows * columns + e / rows], "{rows} x {columns} at {e}");
            }
        }
    }

    #[test]
    fn rows_become_columns() {
        check::<f32>();
        check::<f64>();
    }
}
