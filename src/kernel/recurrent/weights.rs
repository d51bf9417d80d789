//! Gradients of weights: rows of inputs times cotangents of gates, while those are in the cache.
use super::{
    layout::{Dims, Planes, UNITS, row_tiles},
    wide::{Apart, Tiled, Tiles, Wide, with_rows},
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

    /// One of its numbers.
    fn at(&self, rows: usize, r: usize, m: usize) -> F {
        if m == self.width {
            return F::one();
        }
        let missing = rows - self.data.len() / self.width;
        match r.checked_sub(missing) {
            Some(r) => self.data[r * self.width + m],
            None => self.first.map_or(F::zero(), |first| first[r * self.width + m]),
        }
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

/// Adds `left^T bars` to `sums` of `[depth][columns]`, for the columns of all sides, one after the other; `scratch` has room for the
/// left operand.
pub(super) fn add<F: Tiles>(
    sides: &[Side<'_, F>],
    bars: Bars<'_, F>,
    threads: usize,
    sums: &mut [F],
    scratch: &mut [F],
) {
    let depth: usize = sides.iter().map(Side::depth).sum();
    split(sides, bars, 0..depth, threads.min(THREADS), &mut sums[..depth * bars.planes.columns(bars.dims)], scratch);
}

/// As many threads share the sums: each has a panel of its own.
const THREADS: usize = 8;

/// Numbers of scratch: the left operand, and a panel of the right one for each thread.
pub(super) fn scratch<F: Tiles>(depth: usize, rows: usize) -> usize {
    (depth + THREADS * F::tile_width()) * rows
}

fn split<F: Tiles>(
    sides: &[Side<'_, F>],
    bars: Bars<'_, F>,
    depth: Range<usize>,
    threads: usize,
    sums: &mut [F],
    scratch: &mut [F],
) {
    let (rows, columns) = ((bars.steps.1 - bars.steps.0) * bars.dims.batch, bars.planes.columns(bars.dims));
    if threads > 1 && depth.len() > F::tile_rows() {
        let half = (depth.len() / 2).next_multiple_of(F::tile_rows());
        let (low, high) = sums.split_at_mut(half * columns);
        let (few, many) = (threads / 2, threads.div_ceil(2));
        let (near, far) = scratch.split_at_mut((half + many * F::tile_width()) * rows);
        let middle = depth.start + half;
        both(
            || split(sides, bars, depth.start..middle, many, low, near),
            || split(sides, bars, middle..depth.end, few, high, far),
        );
        return;
    }
    let mut at = 0;
    for (m, n) in row_tiles(depth.len(), F::tile_rows()) {
        let (m, out) = (depth.start + m, &mut scratch[at..]);
        with_rows!(n, F::tile_rows(), R => pack::<F, R>(sides, rows, m, out));
        at += rows * n;
    }
    let (left, panel) = scratch.split_at_mut(at);
    F::tiled(Add { bars, depth: depth.len(), sums, left, panel: &mut panel[..F::tile_width() * rows] });
}

/// Columns `m..m + N` of all sides.
fn pack<F: Base, const N: usize>(sides: &[Side<'_, F>], rows: usize, m: usize, out: &mut [F]) {
    let mut first = 0;
    for side in sides {
        let end = first + side.depth();
        if first <= m && m + N <= end {
            return side.pack::<N>(rows, m - first, out);
        }
        // A tile across the border of two sides.
        for column in m.max(first)..end.min(m + N) {
            for (r, to) in out[..rows * N].chunks_exact_mut(N).enumerate() {
                to[column - m] = side.at(rows, r, column - first);
            }
        }
        first = end;
    }
}

struct Add<'a, F> {
    bars: Bars<'a, F>,
    depth: usize,
    sums: &'a mut [F],
    left: &'a [F],
    /// Room for the cotangents of a tile of columns.
    panel: &'a mut [F],
}

impl<F: Base> Tiled<F> for Add<'_, F> {
    #[inline(always)]
    fn run<S: Wide<F>, const V: usize, const ROWS: usize>(self, s: S) {
        let (width, columns) = (V * S::LANES, self.bars.planes.columns(self.bars.dims));
        for tile in 0..columns.div_ceil(width) {
            self.bars.pack(tile, width, self.panel);
            let (mut left, rows) = (self.left, self.panel.len() / width);
            for (m, n) in row_tiles(self.depth, ROWS) {
                let (own, rest) = left.split_at(rows * n);
                left = rest;
                let job = Place {
                    s,
                    at: tile * width,
                    columns,
                    left: own,
                    panel: self.panel,
                    sums: &mut self.sums[m * columns..],
                };
                with_rows!(n, ROWS, R => s.apart(Tile::<F, S, V, R>(job)));
            }
        }
    }
}

impl<F: Base> Bars<'_, F> {
    /// The columns of a tile, row after row: where they lie, their lines would share a part of the first cache.
    #[inline(always)]
    fn pack(&self, tile: usize, width: usize, out: &mut [F]) {
        let Bars { dims, planes, gates, steps } = *self;
        let (row, end) = (planes.of * UNITS, planes.columns(dims));
        for v in 0..width.div_ceil(UNITS) {
            let n = width.min(UNITS);
            let column = tile * width + v * UNITS;
            let (block, inside) = planes.place(column.min(end - n));
            let mut to = out.chunks_exact_mut(width).map(|row| &mut row[v * UNITS..][..n]);
            for t in steps.0..steps.1 {
                for part in (0..dims.parts()).map(|k| dims.part(k)) {
                    let z = dims.cells(part.first, planes.of) + t * dims.step(part.rows, planes.of);
                    let z = &gates[z + block * part.rows * row + inside..];
                    for (r, to) in to.by_ref().take(part.rows).enumerate() {
                        to.copy_from_slice(&z[r * row..][..n]);
                    }
                }
            }
        }
    }
}

/// Some rows of the sums, and the columns that are worked on.
struct Place<'a, F, S> {
    s: S,
    at: usize,
    columns: usize,
    left: &'a [F],
    panel: &'a [F],
    sums: &'a mut [F],
}

/// `R` rows of it, `V` vectors wide.
struct Tile<'a, F, S, const V: usize, const R: usize>(Place<'a, F, S>);

impl<F: Base, S: Wide<F>, const V: usize, const R: usize> Apart for Tile<'_, F, S, V, R> {
    #[inline(always)]
    fn go(self) {
        let Place { s, at, columns, left, panel, sums } = self.0;
        let mut sum = [[s.splat(F::zero()); V]; R];
        for v in 0..V {
            for r in 0..R {
                if at + v * S::LANES < columns {
                    sum[r][v] = s.load(&sums[r * columns + at + v * S::LANES..]);
                }
            }
        }
        for (a, z) in left.as_chunks::<R>().0.iter().zip(panel.chunks_exact(V * S::LANES)) {
            let mut w = [s.splat(F::zero()); V];
            for v in 0..V {
                w[v] = s.load(&z[v * S::LANES..]);
            }
            for r in 0..R {
                let x = s.splat(a[r]);
                for v in 0..V {
                    sum[r][v] = s.mul_add(x, w[v], sum[r][v]);
                }
            }
        }
        for v in 0..V {
            for r in 0..R {
                if at + v * S::LANES < columns {
                    s.store(&mut sums[r * columns + at + v * S::LANES..], sum[r][v]);
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
