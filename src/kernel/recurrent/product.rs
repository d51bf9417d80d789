//! Rows times packed panels, in register tiles.
use super::{
    layout::{UNITS, row_tiles},
    wide::{Apart, Tiled, Wide},
};
use crate::real::Base;
use std::ops::Range;

/// Rows of the left operand, each in `pieces` pieces of `len` numbers, `stride` apart; row `r` begins at `r * row`.
#[derive(Clone, Copy)]
pub(super) struct Left<'a, F> {
    pub(super) data: &'a [F],
    pub(super) row: usize,
    pub(super) pieces: usize,
    pub(super) len: usize,
    pub(super) stride: usize,
}

impl<'a, F> Left<'a, F> {
    /// A row-major matrix.
    pub(super) fn matrix(data: &'a [F], width: usize) -> Self {
        Self { data, row: width, pieces: 1, len: width, stride: 0 }
    }
    fn depth(&self) -> usize {
        self.pieces * self.len
    }
}

/// Where the columns of a product lie: blocks of [`UNITS`] columns, `planes` of them for each block of units, units `unit` apart; rows
/// are `row` apart.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) planes: usize,
    pub(super) first: usize,
    pub(super) unit: usize,
    pub(super) row: usize,
    /// How many columns there are; tiles may go beyond.
    pub(super) end: usize,
    /// What lies before the numbers that are at hand.
    pub(super) skip: usize,
}

impl Columns {
    /// Where column `c`, the first of a vector, lies in row 0.
    #[inline(always)]
    pub(super) fn at(&self, c: usize) -> usize {
        let block = c / UNITS;
        block / self.planes * self.unit + (self.first + block % self.planes) * UNITS + c % UNITS - self.skip
    }
}

/// `out (+)= left[0] panels[0] + left[1] panels[1]` for some column tiles. Panels are `[tile][depth][tile width]`.
pub(super) struct Product<'a, F> {
    pub(super) rows: usize,
    pub(super) left: [Option<(Left<'a, F>, &'a [F])>; 2],
    pub(super) tiles: Range<usize>,
    pub(super) columns: Columns,
    /// Added to, or written.
    pub(super) fresh: bool,
    pub(super) out: &'a mut [F],
}

impl<F: Base> Tiled<F> for Product<'_, F> {
    #[inline(always)]
    fn run<S: Wide<F>, const V: usize, const ROWS: usize>(self, s: S) {
        let Self { rows, left, tiles, columns, fresh, out } = self;
        let width = V * S::LANES;
        for tile in tiles {
            let mut at = [None; V];
            for v in 0..V {
                let c = tile * width + v * S::LANES;
                if c < columns.end {
                    at[v] = Some((columns.at(c), columns.end - c));
                }
            }
            let panel = |panels, depth| {
                let panels: &[F] = panels;
                &panels[tile * depth * width..][..depth * width]
            };
            let left = left.each_ref().map(|x| x.as_ref().map(|(left, panels)| (*left, panel(panels, left.depth()))));
            for (row, n) in row_tiles(rows, ROWS) {
                let job = Place { s, row, at, stride: columns.row, left, fresh, out: &mut *out };
                match n {
                    1 => s.apart(Tile::<F, S, V, 1>(job)),
                    2 => s.apart(Tile::<F, S, V, 2>(job)),
                    3 if ROWS >= 3 => s.apart(Tile::<F, S, V, 3>(job)),
                    4 if ROWS >= 4 => s.apart(Tile::<F, S, V, 4>(job)),
                    5 if ROWS >= 5 => s.apart(Tile::<F, S, V, 5>(job)),
                    6 if ROWS >= 6 => s.apart(Tile::<F, S, V, 6>(job)),
                    n => unreachable!("a tile of {n} rows"),
                }
            }
        }
    }
}

/// A tile of columns, and where its rows begin.
struct Place<'a, F, S, const V: usize> {
    s: S,
    row: usize,
    /// Of each vector: where it lies in row 0, and how many columns there are from it on; none past the last column.
    at: [Option<(usize, usize)>; V],
    stride: usize,
    left: [Option<(Left<'a, F>, &'a [F])>; 2],
    fresh: bool,
    out: &'a mut [F],
}

/// `R` rows of it.
struct Tile<'a, F, S, const V: usize, const R: usize>(Place<'a, F, S, V>);

impl<F: Base, S: Wide<F>, const V: usize, const R: usize> Apart for Tile<'_, F, S, V, R> {
    #[inline(always)]
    fn go(self) {
        let Place { s, row, at, stride, left, fresh, out } = self.0;
        let mut sum = [[s.splat(F::zero()); V]; R];
        for v in 0..V {
            if let Some((at, _)) = at[v].filter(|_| !fresh) {
                for r in 0..R {
                    sum[r][v] = s.load(&out[at + (row + r) * stride..]);
                }
            }
        }
        for k in 0..2 {
            if let Some((left, panel)) = &left[k] {
                multiply(s, &mut sum, left, row, panel);
            }
        }
        for v in 0..V {
            if let Some((at, columns)) = at[v] {
                for r in 0..R {
                    store(s, &mut out[at + (row + r) * stride..], sum[r][v], columns);
                }
            }
        }
    }
}

/// `out += left panel` for `R` rows from `row` on.
#[inline(always)]
fn multiply<F: Base, S: Wide<F>, const V: usize, const R: usize>(
    s: S,
    out: &mut [[S::V; V]; R],
    left: &Left<'_, F>,
    row: usize,
    panel: &[F],
) {
    let (width, mut sum) = (V * S::LANES, *out);
    if left.len == 0 {
        return;
    }
    for (p, panel) in panel.chunks_exact(left.len * width).enumerate() {
        let mut a = [&left.data[..0]; R];
        for r in 0..R {
            // One check here lets the compiler drop those in the loop.
            a[r] = &left.data[(row + r) * left.row + p * left.stride..][..left.len];
        }
        for (k, panel) in panel.chunks_exact(width).enumerate() {
            let mut w = [s.splat(F::zero()); V];
            for v in 0..V {
                w[v] = s.load(&panel[v * S::LANES..]);
            }
            for r in 0..R {
                let x = s.splat(a[r][k]);
                for v in 0..V {
                    sum[r][v] = s.mul_add(x, w[v], sum[r][v]);
                }
            }
        }
    }
    *out = sum;
}

/// A vector, or as much of it as there are columns.
#[inline(always)]
fn store<F: Base, S: Wide<F>>(s: S, out: &mut [F], v: S::V, columns: usize) {
    if columns >= S::LANES {
        return s.store(out, v);
    }
    let mut part = [F::zero(); UNITS];
    s.store(&mut part, v);
    out[..columns].copy_from_slice(&part[..columns]);
}
