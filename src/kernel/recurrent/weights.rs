//! Gradients of weights: rows of inputs times cotangents of gates, while those are in the cache.
use super::{
    layout::{Dims, Planes, UNITS, row_tiles},
    product::Columns,
    wide::{Apart, Tiled, Tiles, Wide},
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

    /// Columns `m..m + N` of all `rows` rows, a row after another.
    fn pack<const N: usize>(&self, rows: usize, m: usize, out: &mut [F]) {
        let missing = rows - self.data.len().checked_div(self.width).map_or(rows, |have| have.min(rows));
        let before = self.first.map(|first| first.chunks_exact(self.width.max(1)));
        let mut to = out[..rows * N].as_chunks_mut::<N>().0.iter_mut();
        match before {
            Some(rows) => to.by_ref().take(missing).zip(rows).for_each(|(to, from)| self.pick(from, m, to)),
            None => to.by_ref().take(missing).for_each(|to| {
                *to = [F::zero(); N];
                to[self.width.saturating_sub(m).min(N)..].fill(F::one());
            }),
        }
        if self.width == 0 {
            return to.for_each(|to| *to = [F::one(); N]);
        }
        to.zip(self.data.chunks_exact(self.width)).for_each(|(to, from)| self.pick(from, m, to));
    }

    #[inline(always)]
    fn pick<const N: usize>(&self, from: &[F], m: usize, to: &mut [F; N]) {
        match from[m..].first_chunk::<N>() {
            // The usual case has a size that the compiler knows.
            Some(whole) => *to = *whole,
            None => {
                let n = self.width - m;
                to[..n].copy_from_slice(&from[m..]);
                to[n..].fill(F::one());
            }
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
        let (m, out) = (range.start + m, &mut scratch[at..]);
        match n {
            1 => side.pack::<1>(rows, m, out),
            2 => side.pack::<2>(rows, m, out),
            3 => side.pack::<3>(rows, m, out),
            4 => side.pack::<4>(rows, m, out),
            5 => side.pack::<5>(rows, m, out),
            6 => side.pack::<6>(rows, m, out),
            n => unreachable!("a tile of {n} rows"),
        }
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
    fn run<S: Wide<F>, const V: usize, const ROWS: usize>(self, s: S) {
        let (width, columns) = (V * S::LANES, self.bars.planes.columns(self.bars.dims));
        for tile in 0..columns.div_ceil(width) {
            let mut left = self.left;
            for (m, n) in row_tiles(self.depth, ROWS) {
                let (own, rest) = left.split_at(self.rows * n);
                left = rest;
                let job = Place { s, bars: self.bars, tile, left: own, sums: &mut self.sums[m * columns..] };
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

/// Some rows of the sums, and the columns that are worked on.
struct Place<'a, F, S> {
    s: S,
    bars: Bars<'a, F>,
    tile: usize,
    left: &'a [F],
    sums: &'a mut [F],
}

/// `R` rows of it, `V` vectors wide.
struct Tile<'a, F, S, const V: usize, const R: usize>(Place<'a, F, S>);

impl<F: Base, S: Wide<F>, const V: usize, const R: usize> Apart for Tile<'_, F, S, V, R> {
    #[inline(always)]
    fn go(self) {
        let Place { s, tile, mut left, bars: Bars { dims, planes, gates, steps }, sums } = self.0;
        let (row, end) = (planes.of * UNITS, planes.columns(dims));
        let mut at = [end; V];
        let mut sum = [[s.splat(F::zero()); V]; R];
        for v in 0..V {
            at[v] = (tile * V + v) * S::LANES;
            for r in 0..R {
                if at[v] < end {
                    sum[r][v] = s.load(&sums[r * end + at[v]..]);
                }
            }
        }
        for t in steps.0..steps.1 {
            for part in (0..dims.parts()).map(|k| dims.part(k)) {
                let unit = part.rows * row;
                let columns = Columns { planes: planes.gates.len(), first: planes.first, unit, row, end, skip: 0 };
                let z = &gates[dims.cells(part.first, planes.of) + t * dims.step(part.rows, planes.of)..];
                let mut from = [z; V];
                for v in 0..V {
                    // A column past the end reads the last one, and is not stored. One check here lets the compiler drop those
                    // in the loop.
                    from[v] = &z[columns.at(at[v].min(end - S::LANES))..][..(part.rows - 1) * row + S::LANES];
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
        for v in 0..V {
            for r in 0..R {
                if at[v] < end {
                    s.store(&mut sums[r * end + at[v]..], sum[r][v]);
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
