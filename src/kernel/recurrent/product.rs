//! Rows times packed panels, in register tiles.
use super::{
    layout::{Planes, row_tiles},
    wide::{Apart, Tiled, Wide, with_rows},
};
use crate::real::Base;
use std::ops::Range;

/// The left operand: rows in `pieces` pieces of `len` numbers.
#[derive(Clone, Copy)]
pub(super) struct Left<'a, F> {
    pub(super) data: &'a [F],
    /// Rows are so far apart.
    pub(super) row: usize,
    pub(super) pieces: usize,
    pub(super) len: usize,
    /// Its packed weights: `[tile][depth][tile width]`.
    pub(super) panels: &'a [F],
}

impl<F> Left<'_, F> {
    fn depth(&self) -> usize {
        self.pieces * self.len
    }
}

/// The rows of a part of the batch: where they lie.
#[derive(Clone, Copy, Default)]
pub(super) struct Slab {
    pub(super) rows: usize,
    /// In each left operand: where they begin, and how far apart their pieces are.
    pub(super) left: [(usize, usize); 2],
    /// In the result: where they begin (wrapping, if not all blocks are there), and how far apart its blocks of units are.
    pub(super) out: usize,
    pub(super) unit: usize,
}

/// The columns of a product: blocks of units, `planes` of them for each block of units.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) planes: Planes,
    /// Rows are so far apart.
    pub(super) row: usize,
    /// How many columns there are, whole blocks; tiles may go beyond.
    pub(super) end: usize,
}

/// `out (+)= left[0] panels + left[1] panels` for some column tiles and the rows of all slabs.
pub(super) struct Product<'a, F> {
    pub(super) slabs: &'a [Slab],
    pub(super) left: [Option<Left<'a, F>>; 2],
    pub(super) tiles: Range<usize>,
    pub(super) columns: Columns,
    pub(super) from: From<'a, F>,
    pub(super) out: &'a mut [F],
}

/// So many rows of a panel are multiplied with all rows of the left before the next: they stay in the first cache.
const DEPTH: usize = 256;

/// What a product is added to.
#[derive(Clone, Copy)]
pub(super) enum From<'a, F> {
    Zero,
    /// What is there.
    Out,
    Start(Start<'a, F>),
}

/// What gates start from: lists of `size` numbers of a block of units, each laid out as a row of gates.
#[derive(Clone, Copy)]
pub(super) struct Start<'a, F> {
    pub(super) data: &'a [F],
    /// Blocks of units are so far apart.
    pub(super) unit: usize,
    pub(super) size: usize,
    pub(super) pick: Pick<'a>,
}

/// Which list a row starts from, counted over the rows of all slabs.
#[derive(Clone, Copy)]
pub(super) enum Pick<'a> {
    /// The only one.
    One,
    /// That of its token.
    Token(&'a [u32]),
    /// One for each row, from this one on.
    Row(usize),
}

impl Pick<'_> {
    #[inline(always)]
    pub(super) fn of(&self, row: usize) -> usize {
        match self {
            Self::One => 0,
            Self::Token(tokens) => tokens[row] as usize,
            Self::Row(first) => first + row,
        }
    }
}

impl<F: Base> Tiled<F> for Product<'_, F> {
    #[inline(always)]
    fn run<S: Wide<F>, const V: usize, const ROWS: usize>(self, s: S) {
        let Self { slabs, left, tiles, columns, from, out } = self;
        for tile in tiles {
            let mut at = [None; V];
            for v in 0..V {
                let c = (tile * V + v) * S::LANES;
                at[v] = (c < columns.end).then(|| columns.planes.place(c));
            }
            let mut place = Place { s, tile, at, row: columns.row, from, out: &mut *out };
            let parts =
                left.map(|left| left.map(|left| (left, Part { first: 0, end: left.pieces, at: 0, len: left.len })));
            let depth: usize = left.iter().flatten().map(Left::depth).sum();
            if depth <= DEPTH {
                place.all_rows::<ROWS>(slabs, parts);
                continue;
            }
            for (k, (left, whole)) in parts.into_iter().enumerate().filter_map(|(k, x)| Some((k, x?))) {
                for part in whole.split(DEPTH) {
                    let mut one = [None; 2];
                    one[k] = Some((left, part));
                    place.all_rows::<ROWS>(slabs, one);
                    place.from = From::Out;
                }
            }
        }
    }
}

/// A part of the depth of a left operand: pieces `first..end`, of each the numbers from `at` on.
#[derive(Clone, Copy)]
struct Part {
    first: usize,
    end: usize,
    at: usize,
    len: usize,
}

impl Part {
    /// Whole pieces, or stretches of the only one, of about `depth` numbers.
    fn split(self, depth: usize) -> impl Iterator<Item = Self> {
        let (one, pieces) = (self.end == 1, (depth / self.len.max(1)).max(1));
        let (n, step) = if one { (self.len, depth) } else { (self.end, pieces) };
        (0..n).step_by(step).map(move |k| {
            let end = n.min(k + step);
            if one { Self { at: k, len: end - k, ..self } } else { Self { first: k, end, ..self } }
        })
    }
}

/// A tile of columns.
struct Place<'a, F, S, const V: usize> {
    s: S,
    tile: usize,
    /// Of each vector: in which block of units it lies, and where in a row of it; none past the last column.
    at: [Option<(usize, usize)>; V],
    row: usize,
    from: From<'a, F>,
    out: &'a mut [F],
}

type Parts<'a, F> = [Option<(Left<'a, F>, Part)>; 2];

impl<F: Base, S: Wide<F>, const V: usize> Place<'_, F, S, V> {
    #[inline(always)]
    fn all_rows<const ROWS: usize>(&mut self, slabs: &[Slab], left: Parts<'_, F>) {
        let (s, width, mut first) = (self.s, V * S::LANES, 0);
        for slab in slabs {
            let mut job =
                Job { at: [usize::MAX; V], start: [0; V], row: self.row, from: self.from, first, operands: [None; 2] };
            for v in 0..V {
                let Some((block, inside)) = self.at[v] else { continue };
                job.at[v] = slab.out.wrapping_add(block * slab.unit) + inside;
                if let From::Start(start) = self.from {
                    job.start[v] = block * start.unit + inside;
                }
            }
            for k in 0..2 {
                let Some((left, part)) = left[k] else { continue };
                let (begin, stride) = slab.left[k];
                let panel = &left.panels[(self.tile * left.depth() + part.first * left.len + part.at) * width..];
                job.operands[k] = Some(Operand {
                    data: &left.data[begin + part.first * stride + part.at..],
                    row: left.row,
                    len: part.len,
                    stride,
                    panel: &panel[..(part.end - part.first) * part.len * width],
                });
            }
            for (row, n) in row_tiles(slab.rows, ROWS) {
                let out = &mut *self.out;
                with_rows!(n, ROWS, R => s.apart(Tile::<F, S, V, R>(s, &job, row, out)));
            }
            first += slab.rows;
        }
    }
}

/// The left operand of a slab and a panel of the right one.
#[derive(Clone, Copy)]
struct Operand<'a, F> {
    data: &'a [F],
    row: usize,
    len: usize,
    stride: usize,
    panel: &'a [F],
}

/// A slab and a tile of columns.
struct Job<'a, F, const V: usize> {
    /// Of each vector: where it lies in the first row; none past the last column.
    at: [usize; V],
    /// Of each vector: where it starts from.
    start: [usize; V],
    row: usize,
    from: From<'a, F>,
    /// The first row of the slab among the rows of all slabs.
    first: usize,
    operands: [Option<Operand<'a, F>>; 2],
}

/// `R` of its rows, from one on.
struct Tile<'a, 'b, F, S, const V: usize, const R: usize>(S, &'a Job<'b, F, V>, usize, &'a mut [F]);

impl<F: Base, S: Wide<F>, const V: usize, const R: usize> Apart for Tile<'_, '_, F, S, V, R> {
    #[inline(always)]
    fn go(self) {
        let Self(s, job, row, out) = self;
        let mut sum = [[s.splat(F::zero()); V]; R];
        for v in 0..V {
            if job.at[v] == usize::MAX {
                continue;
            }
            match job.from {
                From::Zero => {}
                From::Out => {
                    for r in 0..R {
                        sum[r][v] = s.load(&out[job.at[v] + (row + r) * job.row..]);
                    }
                }
                From::Start(Start { data, pick: Pick::One, .. }) => {
                    let start = s.load(&data[job.start[v]..]);
                    for r in 0..R {
                        sum[r][v] = start;
                    }
                }
                From::Start(Start { data, size, pick, .. }) => {
                    for r in 0..R {
                        sum[r][v] = s.load(&data[job.start[v] + pick.of(job.first + row + r) * size..]);
                    }
                }
            }
        }
        for k in 0..2 {
            if let Some(operand) = &job.operands[k] {
                multiply(s, &mut sum, operand, row);
            }
        }
        for v in 0..V {
            if job.at[v] != usize::MAX {
                for r in 0..R {
                    s.store(&mut out[job.at[v] + (row + r) * job.row..], sum[r][v]);
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
    x: &Operand<'_, F>,
    row: usize,
) {
    let (width, mut sum) = (V * S::LANES, *out);
    if x.len == 0 {
        return;
    }
    for (p, panel) in x.panel.chunks_exact(x.len * width).enumerate() {
        let mut a = [&x.data[..0]; R];
        for r in 0..R {
            // One check here lets the compiler drop those in the loop.
            a[r] = &x.data[(row + r) * x.row + p * x.stride..][..x.len];
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
