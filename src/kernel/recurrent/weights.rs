//! Gradients of weights: rows of inputs times cotangents of gates, while those are in the cache.
use super::{
    layout::{Dims, Planes, UNITS, row_tiles},
    product::Columns,
    wide::{Tiled, Tiles, Wide},
};
use crate::{kernel::threads::both, real::Base};
use std::ops::Range;

/// Rows of a matrix as the left operand: `[rows][width]`, then a column of ones if `ones`, whose gradient is the bias's.
#[derive(Clone, Copy)]
pub(super) struct Side<'a, F> {
    /// Rows of the steps in hand; those before the first step are missing, which are zeros unless `first` has them.
    pub(super) data: &'a [F],
    pub(super) first: Option<&'a [F]>,
    pub(super) width: usize,
    pub(super) ones: bool,
}

impl<F: Base> Side<'_, F> {
    pub(super) fn depth(&self) -> usize {
        self.width + usize::from(self.ones)
    }

    /// Columns `m..m + n` of all `rows` rows, a row after another.
    fn pack(&self, rows: usize, m: usize, n: usize, out: &mut [F]) {
        let missing = rows - self.data.len().checked_div(self.width).map_or(rows, |have| have.min(rows));
        let real = n.min(self.width.saturating_sub(m));
        for (r, to) in out[..rows * n].chunks_exact_mut(n).enumerate() {
            let from = match r.checked_sub(missing) {
                Some(r) => Some(&self.data[r * self.width..][..self.width]),
                None => self.first.map(|first| &first[r * self.width..][..self.width]),
            };
            match from {
                Some(from) => to[..real].copy_from_slice(&from[m..m + real]),
                None => to[..real].fill(F::zero()),
            }
            to[real..].fill(F::one());
        }
    }
}

/// Cotangents of gates of some steps, and what they add to.
#[derive(Clone, Copy)]
pub(super) struct Bars<'a, F> {
    pub(super) dims: Dims,
    pub(super) planes: Planes,
    /// All parts of the batch, all steps.
    pub(super) gates: &'a [F],
    pub(super) steps: (usize, usize),
}

/// Adds `left^T bars` to `sums` of `[depth][columns]`; `scratch` has room for the left operand.
pub(super) fn add<F: Tiles>(side: Side<'_, F>, bars: Bars<'_, F>, threads: bool, sums: &mut [F], scratch: &mut [F]) {
    let tiles = side.depth().div_ceil(TILE);
    split(side, bars, 0..tiles, threads, sums, scratch);
}

/// Rows of the sums that are worked on together; threads take whole ones. A multiple of the rows of every register tile.
const TILE: usize = 12;

/// Numbers of scratch for one row of the sums.
pub(super) fn scratch(depth: usize, rows: usize) -> usize {
    depth.next_multiple_of(TILE) * rows
}

fn split<F: Tiles>(
    side: Side<'_, F>,
    bars: Bars<'_, F>,
    tiles: Range<usize>,
    threads: bool,
    sums: &mut [F],
    scratch: &mut [F],
) {
    let (rows, columns) = ((bars.steps.1 - bars.steps.0) * bars.dims.batch, bars.planes.columns(bars.dims));
    if threads && tiles.len() > 1 {
        let half = tiles.len() / 2;
        let (low, high) = sums.split_at_mut(half * TILE * columns);
        let (near, far) = scratch.split_at_mut(half * TILE * rows);
        let middle = tiles.start + half;
        both(
            || split(side, bars, tiles.start..middle, false, low, near),
            || split(side, bars, middle..tiles.end, false, high, far),
        );
        return;
    }
    let range = tiles.start * TILE..side.depth().min(tiles.end * TILE);
    let mut at = 0;
    for (m, n) in groups::<F>(range.len()) {
        side.pack(rows, range.start + m, n, &mut scratch[at..]);
        at += rows * n;
    }
    F::tiled(Add { bars, depth: range.len(), rows, sums, left: scratch });
}

/// The register tiles of `depth` rows.
fn groups<F: Tiles>(depth: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    row_tiles(depth, F::tile_rows())
}

struct Add<'a, F> {
    bars: Bars<'a, F>,
    depth: usize,
    rows: usize,
    sums: &'a mut [F],
    left: &'a [F],
}

impl<F: Base> Tiled<F> for Add<'_, F> {
    #[inline(always)]
    fn run<S: Wide<F>, const V: usize, const ROWS: usize>(mut self, s: S) {
        let width = V * S::LANES;
        for tile in 0..self.bars.planes.columns(self.bars.dims).div_ceil(width) {
            let mut left = self.left;
            for (m, n) in row_tiles(self.depth, ROWS) {
                let (own, rest) = left.split_at(self.rows * n);
                left = rest;
                match n {
                    1 => self.tile::<S, V, 1>(s, tile, m, own),
                    2 => self.tile::<S, V, 2>(s, tile, m, own),
                    3 if ROWS >= 3 => self.tile::<S, V, 3>(s, tile, m, own),
                    4 if ROWS >= 4 => self.tile::<S, V, 4>(s, tile, m, own),
                    5 if ROWS >= 5 => self.tile::<S, V, 5>(s, tile, m, own),
                    6 if ROWS >= 6 => self.tile::<S, V, 6>(s, tile, m, own),
                    n => unreachable!("a tile of {n} rows"),
                }
            }
        }
    }
}

impl<F: Base> Add<'_, F> {
    #[inline(always)]
    fn tile<S: Wide<F>, const V: usize, const R: usize>(&mut self, s: S, tile: usize, m: usize, left: &[F]) {
        let Bars { dims, planes, gates, steps } = self.bars;
        let (width, end) = (V * S::LANES, planes.columns(dims));
        let mut sum = [[s.splat(F::zero()); V]; R];
        for r in 0..R {
            for v in 0..V {
                if tile * width + v * S::LANES < end {
                    sum[r][v] = s.load(&self.sums[(m + r) * end + tile * width + v * S::LANES..]);
                }
            }
        }
        let mut left = left;
        for t in steps.0..steps.1 {
            for part in (0..dims.parts()).map(|k| dims.part(k)) {
                let row = planes.of * UNITS;
                let columns = Columns {
                    planes: planes.gates.len(),
                    first: planes.first,
                    unit: part.rows * row,
                    row,
                    end,
                    skip: 0,
                };
                let z = &gates[dims.cells(part.first, planes.of) + t * dims.step(part.rows, planes.of)..];
                let z = &z[..dims.step(part.rows, planes.of)];
                let mut from = [z; V];
                for v in 0..V {
                    // A column past the end reads the last one, and is not stored.
                    from[v] = &z[columns.at((tile * width + v * S::LANES).min(end - S::LANES))..];
                }
                let (own, rest) = left.split_at(part.rows * R);
                left = rest;
                for (k, a) in own.as_chunks::<R>().0.iter().enumerate() {
                    let mut w = [s.splat(F::zero()); V];
                    for v in 0..V {
                        w[v] = s.load(&from[v][k * row..]);
                    }
                    for r in 0..R {
                        let x = s.splat(a[r]);
                        for v in 0..V {
                            sum[r][v] = s.mul_add(x, w[v], sum[r][v]);
                        }
                    }
                }
            }
        }
        for r in 0..R {
            for v in 0..V {
                if tile * width + v * S::LANES < end {
                    s.store(&mut self.sums[(m + r) * end + tile * width + v * S::LANES..], sum[r][v]);
                }
            }
        }
    }
}

/// Adds the cotangents of gates to the sums of their tokens, `[tokens][columns]`, in the order of the rows.
pub(super) fn add_tokens<F: Base>(bars: Bars<'_, F>, tokens: &[u32], sums: &mut [F]) {
    let Bars { dims, planes, gates, steps } = bars;
    let (columns, n) = (planes.columns(dims), planes.gates.len() * UNITS);
    for t in steps.0..steps.1 {
        for part in (0..dims.parts()).map(|k| dims.part(k)) {
            let z = &gates[dims.cells(part.first, planes.of) + t * dims.step(part.rows, planes.of)..];
            for r in 0..part.rows {
                let token = tokens[t * dims.batch + part.first + r] as usize;
                let sum = &mut sums[token * columns..][..columns];
                for (u, sum) in sum.chunks_exact_mut(n).enumerate() {
                    let bar = &z[((u * part.rows + r) * planes.of + planes.first) * UNITS..][..n];
                    sum.iter_mut().zip(bar).for_each(|(sum, &bar)| *sum += bar);
                }
            }
        }
    }
}
