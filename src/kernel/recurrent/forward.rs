//! The time loop forward.
use super::{
    Cells, Input, Scratch,
    cell::{Cell, Kind},
    cells::{self, Before, Where},
    layout::{Dims, UNITS},
    pack::{self, panels, starts},
    product::{Columns, Left, Product},
    rows::Rows,
    threads::over_parts,
    wide::Tiles,
};
use crate::{formula::Lanes, kernel::dispatch::vectorised};
use std::{marker::PhantomData, ops::Range};

/// A sequence to compute.
pub struct Forward<'a, F> {
    /// Which cell.
    pub cell: Cells,
    /// The sizes.
    pub dims: Dims,
    /// `[T, B, I]`, or tokens `[T, B]`.
    pub x: Input<'a, F>,
    /// `[gates * H, I]`.
    pub w_ih: &'a [F],
    /// `[gates * H, H]`.
    pub w_hh: &'a [F],
    /// `b_ih` and `b_hh`.
    pub bias: Option<(&'a [F], &'a [F])>,
    /// `[B, H]`.
    pub h0: Option<&'a [F]>,
    /// `[B, H]`, of an LSTM.
    pub c0: Option<&'a [F]>,
    /// `[T, B, H]`: the outputs.
    pub y: &'a mut [F],
    /// As many numbers as [`Cells::gates`] says: for the reverse.
    pub gates: &'a mut [F],
    /// As many as [`Cells::states`] says: for the reverse.
    pub c: &'a mut [F],
    /// `[B, H]`, of an LSTM: the last cell state.
    pub last: &'a mut [F],
    /// As many as [`Cells::forward_scratch`] says.
    pub scratch: &'a mut [F],
}

/// What all parts of the batch read.
#[derive(Clone, Copy)]
struct Shared<'a, F> {
    dims: Dims,
    x: Input<'a, F>,
    h0: Option<&'a [F]>,
    start: &'a [F],
    w_ih: &'a [F],
    w_hh: &'a [F],
    width: usize,
    y: Rows<'a, F>,
}

pub(super) fn scratch<F: Tiles, C: Cell>(dims: Dims, tokens: bool) -> usize {
    let width = F::tile_width();
    let x = if tokens { 0 } else { panels(C::X.columns(dims), dims.inputs, width) };
    let h = panels(C::H.columns(dims), dims.hidden, width);
    dims.blocks() * starts(dims, tokens) * C::X.of * UNITS + x + h + dims.step(dims.batch, 1)
}

pub(super) fn run<F: Tiles + Lanes, C: Cell>(job: Forward<'_, F>) {
    let Forward { dims, x, w_ih, w_hh, bias, h0, c0, y, gates, c, last, scratch, .. } = job;
    let (width, tokens) = (F::tile_width(), matches!(x, Input::Tokens(_)));
    let mut scratch = Scratch(scratch);
    let start = scratch.take(dims.blocks() * starts(dims, tokens) * C::X.of * UNITS);
    pack::start(dims, (C::X, C::H), bias, tokens.then_some(w_ih), start);
    let x_panels = scratch.take(if tokens { 0 } else { panels(C::X.columns(dims), dims.inputs, width) });
    if !tokens {
        pack::forward(dims, C::X, w_ih, dims.inputs, width, x_panels);
    }
    let h_panels = scratch.take(panels(C::H.columns(dims), dims.hidden, width));
    pack::forward(dims, C::H, w_hh, dims.hidden, width, h_panels);
    let first = scratch.take(dims.step(dims.batch, 1));
    let first = c0.map(|c0| {
        let mut rest = &mut *first;
        for part in (0..dims.parts()).map(|k| dims.part(k)) {
            let (own, others) = std::mem::take(&mut rest).split_at_mut(dims.step(part.rows, 1));
            pack::state(dims, part.first, part.rows, c0, own);
            rest = others;
        }
        &*first
    });
    let y = Rows::new(y, dims.hidden);
    let shared = Shared { dims, x, h0, start, w_ih: x_panels, w_hh: h_panels, width, y };
    let lists =
        [(&mut *gates, dims.cells(1, C::X.of)), (&mut *c, if C::KIND == Kind::Lstm { dims.cells(1, 1) } else { 0 })];
    over_parts(dims, 0..dims.parts(), lists, &|parts, [gates, c]| walk::<F, C>(shared, parts, gates, c, first));
    if C::KIND == Kind::Lstm {
        last_state(dims, c, c0, last);
    }
}

/// The cell state after the last step.
fn last_state<F: Tiles>(dims: Dims, c: &[F], c0: Option<&[F]>, last: &mut [F]) {
    if dims.steps == 0 {
        match c0 {
            Some(c0) => last.copy_from_slice(c0),
            None => last.fill(F::zero()),
        }
        return;
    }
    for part in (0..dims.parts()).map(|k| dims.part(k)) {
        let own = &c[dims.cells(part.first, 1)..][..dims.cells(part.rows, 1)];
        pack::unpack_state(dims, part.first, part.rows, &own[own.len() - dims.step(part.rows, 1)..], last);
    }
}

/// All steps of some parts of the batch; a panel is read for all of them while it is in the cache.
fn walk<F: Tiles + Lanes, C: Cell>(
    s: Shared<'_, F>,
    parts: Range<usize>,
    gates: &mut [F],
    c: &mut [F],
    first: Option<&[F]>,
) {
    let dims = s.dims;
    let base = dims.part(parts.start).first;
    for t in 0..dims.steps {
        for blocks in dims.groups() {
            for part in parts.clone().map(|k| dims.part(k)) {
                let (rows, skipped) = (part.rows, part.first - base);
                let at = dims.cells(skipped, C::X.of) + t * dims.step(rows, C::X.of);
                let unit = rows * C::X.of * UNITS;
                let gates = &mut gates[at + blocks.start * unit..at + blocks.end * unit];
                let row = t * dims.batch + part.first;
                // SAFETY: the rows of a part belong to the one thread that walks through it, and this is the step before.
                #[allow(unsafe_code)]
                let past = (t > 0).then(|| unsafe { s.y.read(row - dims.batch..row - dims.batch + rows) });
                let past = past.or(s.h0.map(|h| &h[part.first * dims.hidden..][..rows * dims.hidden]));
                begin::<F, C>(s, blocks.clone(), row..row + rows, gates);
                sums::<F, C>(s, blocks.clone(), row..row + rows, past, gates);
                let lstm = C::KIND == Kind::Lstm;
                let own = if lstm { &mut c[dims.cells(skipped, 1)..][..dims.cells(rows, 1)] } else { &mut [][..] };
                let (c_past, c_now) = own.split_at_mut(if lstm { t * dims.step(rows, 1) } else { 0 });
                let unit = rows * UNITS;
                let range = blocks.start * unit..blocks.end * unit;
                let before = match (lstm, past) {
                    (true, _) if t > 0 => Before::Blocks(&c_past[c_past.len() - dims.step(rows, 1)..][range.clone()]),
                    (true, _) => {
                        first.map_or(Before::Zero, |c| Before::Blocks(&c[dims.step(part.first, 1)..][range.clone()]))
                    }
                    (false, Some(h)) => Before::Rows(h),
                    (false, None) => Before::Zero,
                };
                let c = if lstm { &mut c_now[range] } else { &mut [][..] };
                // SAFETY: as above, and this is the step itself, which nobody has a reference to.
                #[allow(unsafe_code)]
                let h = unsafe { s.y.write(row..row + rows) };
                let at = Where { rows, first: blocks.start, hidden: dims.hidden };
                vectorised(cells::Forward { at, gates, before, c, h, cell: PhantomData::<C> });
            }
        }
    }
}

/// What the gates start from.
fn begin<F: Tiles, C: Cell>(s: Shared<'_, F>, blocks: Range<usize>, rows: Range<usize>, gates: &mut [F]) {
    let size = C::X.of * UNITS;
    let n = s.start.len() / (s.dims.blocks() * size);
    for (block, u) in gates.chunks_exact_mut(rows.len() * size).zip(blocks) {
        let start = &s.start[u * n * size..][..n * size];
        for (z, row) in block.chunks_exact_mut(size).zip(rows.clone()) {
            let k = if let Input::Tokens(tokens) = s.x { tokens[row] as usize } else { 0 };
            z.copy_from_slice(&start[k * size..][..size]);
        }
    }
}

/// Adds the products of the input and of the state before.
fn sums<F: Tiles, C: Cell>(
    s: Shared<'_, F>,
    blocks: Range<usize>,
    rows: Range<usize>,
    past: Option<&[F]>,
    gates: &mut [F],
) {
    let (dims, unit) = (s.dims, rows.len() * C::X.of * UNITS);
    let x = match s.x {
        Input::Dense(x) => {
            Some((Left::matrix(&x[rows.start * dims.inputs..][..rows.len() * dims.inputs], dims.inputs), s.w_ih))
        }
        Input::Tokens(_) => None,
    };
    let h = past.map(|h| (Left::matrix(h, dims.hidden), s.w_hh));
    let mut product = |planes: super::layout::Planes, left| {
        let per_block = planes.gates.len() * UNITS;
        let tiles = blocks.start * per_block / s.width..(blocks.end * per_block).div_ceil(s.width);
        let columns = Columns {
            planes: planes.gates.len(),
            first: planes.first,
            unit,
            row: C::X.of * UNITS,
            end: blocks.end * per_block,
            skip: blocks.start * unit,
        };
        F::tiled(Product { rows: rows.len(), left, tiles, columns, fresh: false, out: gates });
    };
    if C::KIND == Kind::Gru {
        product(C::X, [x, None]);
        product(C::H, [h, None]);
    } else {
        product(C::X, [x, h]);
    }
}
