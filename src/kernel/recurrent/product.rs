//! Rows times packed panels, in register tiles.
use super::{
    layout::{UNITS, row_tiles},
    wide::{Tiled, Wide},
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
    fn run<S: Wide<F>, const V: usize, const ROWS: usize>(mut self, s: S) {
        for tile in self.tiles.clone() {
            for (row, n) in row_tiles(self.rows, ROWS) {
                match n {
                    1 => self.tile::<S, V, 1>(s, tile, row),
                    2 => self.tile::<S, V, 2>(s, tile, row),
                    3 if ROWS >= 3 => self.tile::<S, V, 3>(s, tile, row),
                    4 if ROWS >= 4 => self.tile::<S, V, 4>(s, tile, row),
                    5 if ROWS >= 5 => self.tile::<S, V, 5>(s, tile, row),
                    6 if ROWS >= 6 => self.tile::<S, V, 6>(s, tile, row),
                    n => unreachable!("a tile of {n} rows"),
                }
            }
        }
    }
}

impl<F: Base> Product<'_, F> {
    #[inline(always)]
    fn tile<S: Wide<F>, const V: usize, const R: usize>(&mut self, s: S, tile: usize, row: usize) {
        let (width, columns) = (V * S::LANES, self.columns);
        let mut at = [usize::MAX; V];
        for v in 0..V {
            let c = tile * width + v * S::LANES;
            if c < columns.end {
                at[v] = columns.at(c) + row * columns.row;
            }
        }
        let mut sum = [[s.splat(F::zero()); V]; R];
        if !self.fresh {
            for r in 0..R {
                for v in 0..V {
                    if at[v] != usize::MAX {
                        sum[r][v] = s.load(&self.out[at[v] + r * columns.row..]);
                    }
                }
            }
        }
        for (left, panels) in self.left.iter().flatten() {
            let depth = left.depth();
            multiply::<F, S, V, R>(s, &mut sum, left, row, &panels[tile * depth * width..][..depth * width]);
        }
        for r in 0..R {
            for v in 0..V {
                if at[v] != usize::MAX {
                    store(
                        s,
                        &mut self.out[at[v] + r * columns.row..],
                        sum[r][v],
                        columns.end - tile * width - v * S::LANES,
                    );
                }
            }
        }
    }
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
