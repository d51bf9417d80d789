//! The time loop forward.
use super::{
    Cells, Input, Scratch,
    cell::{Cell, Kind},
    cells::{self, Before, Where},
    layout::{Dims, PARTS, Planes, UNITS},
    pack::{self, panels, starts},
    product::{Columns, From, Left, Pick, Product, Slab, Start},
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
    /// Whether anything is kept for the reverse.
    pub keep: bool,
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
    /// Steps whose gates and states are kept: all, or two in turn.
    slots: usize,
    y: Rows<'a, F>,
}

pub(super) fn scratch<F: Tiles, C: Cell>(dims: Dims, tokens: bool) -> usize {
    let width = F::tile_width();
    let x = if tokens { 0 } else { panels(C::X.columns(dims), dims.inputs, width) };
    let h = panels(C::H.columns(dims), dims.hidden, width);
    dims.blocks() * starts(dims, tokens) * C::X.of * UNITS
        + x
        + h
        + dims.step(dims.batch, 1)
        + dims.step(dims.batch, C::X.of)
}

pub(super) fn run<F: Tiles + Lanes, C: Cell>(job: Forward<'_, F>) {
    let Forward { dims, x, w_ih, w_hh, bias, h0, c0, y, keep, gates, c, last, scratch, .. } = job;
    let (width, slots) = (F::tile_width(), slots(dims, keep));
    let ids = if let Input::Tokens(ids) = x { Some(ids) } else { None };
    let tokens = ids.is_some();
    let mut scratch = Scratch(scratch);
    let start = scratch.take(dims.blocks() * starts(dims, tokens) * C::X.of * UNITS);
    pack::start(dims, (C::X, C::H), bias, ids.map(|ids| (w_ih, ids)), start);
    let x_panels = scratch.take(if tokens { 0 } else { panels(C::X.columns(dims), dims.inputs, width) });
    if !tokens {
        pack::forward(dims, C::X, w_ih, dims.inputs, width, x_panels);
    }
    let h_panels = scratch.take(panels(C::H.columns(dims), dims.hidden, width));
    pack::forward(dims, C::H, w_hh, dims.hidden, width, h_panels);
    let first = scratch.take(dims.step(dims.batch, 1));
    let first = c0.map(|c0| pack::states(dims, c0, first));
    let y = Rows::new(y, dims.hidden);
    let shared = Shared { dims, x, h0, start, w_ih: x_panels, w_hh: h_panels, width, slots, y };
    let z = scratch.take(dims.step(dims.batch, C::X.of));
    let states = if C::KIND == Kind::Lstm { slots * dims.step(1, 1) } else { 0 };
    let lists = [(z, dims.step(1, C::X.of)), (&mut *gates, slots * dims.step(1, C::X.of)), (&mut *c, states)];
    over_parts(dims, 0..dims.parts(), lists, &|parts, [z, gates, c]| walk::<F, C>(shared, parts, z, gates, c, first));
    if C::KIND == Kind::Lstm {
        last_state(dims, slots, c, c0, last);
    }
}

/// The cell state after the last step.
fn last_state<F: Tiles>(dims: Dims, slots: usize, c: &[F], c0: Option<&[F]>, last: &mut [F]) {
    if dims.steps == 0 {
        match c0 {
            Some(c0) => last.copy_from_slice(c0),
            None => last.fill(F::zero()),
        }
        return;
    }
    for part in (0..dims.parts()).map(|k| dims.part(k)) {
        let own = &c[slots * dims.step(part.first, 1)..][(dims.steps - 1) % slots * dims.step(part.rows, 1)..];
        pack::unpack_state(dims, part.first, part.rows, &own[..dims.step(part.rows, 1)], last);
    }
}

/// How many steps have a place of their own.
pub(super) fn slots(dims: Dims, keep: bool) -> usize {
    if keep { dims.steps } else { dims.steps.min(2) }
}

/// All steps of some parts of the batch; a panel is read for all of them while it is in the cache.
fn walk<F: Tiles + Lanes, C: Cell>(
    s: Shared<'_, F>,
    parts: Range<usize>,
    z: &mut [F],
    gates: &mut [F],
    c: &mut [F],
    first: Option<&[F]>,
) {
    let (dims, lstm) = (s.dims, C::KIND == Kind::Lstm);
    let own = dims.rows(parts.clone());
    for t in 0..dims.steps {
        let rows = t * dims.batch + own.start..t * dims.batch + own.end;
        for blocks in dims.groups(own.len(), C::X.of, C::X.gates.len(), s.width) {
            // SAFETY: the rows of a part belong to the one thread that walks through it, and this is the step before.
            #[allow(unsafe_code)]
            let past = (t > 0).then(|| unsafe { s.y.read(rows.start - dims.batch..rows.end - dims.batch) });
            let past = past.or(s.h0.map(|h| &h[own.start * dims.hidden..own.end * dims.hidden]));
            sums::<F, C>(s, parts.clone(), t, blocks.clone(), past, z);
            for part in parts.clone().map(|k| dims.part(k)) {
                let (n, skipped) = (part.rows, part.first - own.start);
                let unit = n * C::X.of * UNITS;
                let slot = t % s.slots;
                let at = s.slots * dims.step(skipped, C::X.of) + slot * dims.step(n, C::X.of);
                let gates = &mut gates[at + blocks.start * unit..at + blocks.end * unit];
                let sums = &mut z[skipped * blocks.len() * C::X.of * UNITS..][..blocks.len() * unit];
                let range = blocks.start * n * UNITS..blocks.end * n * UNITS;
                let size = if lstm { dims.step(n, 1) } else { 0 };
                let states = &mut c[if lstm { s.slots * dims.step(skipped, 1) } else { 0 }..][..s.slots * size];
                let (c_past, c_now) = two_steps(states, size, slot, (t + s.slots - 1) % s.slots);
                let before = match (lstm, past) {
                    (true, _) if t > 0 => Before::Blocks(&c_past[range.clone()]),
                    (true, _) => {
                        first.map_or(Before::Zero, |c| Before::Blocks(&c[dims.step(part.first, 1)..][range.clone()]))
                    }
                    (false, Some(h)) => Before::Rows(&h[skipped * dims.hidden..][..n * dims.hidden]),
                    (false, None) => Before::Zero,
                };
                let c = if lstm { &mut c_now[range] } else { &mut [][..] };
                let row = rows.start + skipped;
                // SAFETY: as above, and this is the step itself, which nobody has a reference to.
                #[allow(unsafe_code)]
                let h = unsafe { s.y.write(row..row + n) };
                let at = Where { rows: n, first: blocks.start, hidden: dims.hidden };
                vectorised(cells::Forward { at, sums, gates, before, c, h, cell: PhantomData::<C> });
            }
        }
    }
}

/// The slot of the step before and that of this one, which differ unless there is only one step.
fn two_steps<F>(states: &mut [F], size: usize, now: usize, past: usize) -> (&[F], &mut [F]) {
    if past < now {
        let (low, high) = states.split_at_mut(now * size);
        (&low[past * size..][..size], &mut high[..size])
    } else if past > now {
        let (low, high) = states.split_at_mut(past * size);
        (&high[..size], &mut low[now * size..][..size])
    } else {
        (&[], &mut states[now * size..][..size])
    }
}

/// What the gates start from, and the products of the input and of the state before, of some blocks of units.
fn sums<F: Tiles, C: Cell>(
    s: Shared<'_, F>,
    parts: Range<usize>,
    t: usize,
    blocks: Range<usize>,
    past: Option<&[F]>,
    z: &mut [F],
) {
    let (dims, size) = (s.dims, C::X.of * UNITS);
    let own = dims.rows(parts.clone());
    let mut slabs = [Slab::default(); PARTS];
    for (slab, part) in slabs.iter_mut().zip(parts.clone().map(|k| dims.part(k))) {
        let skipped = part.first - own.start;
        *slab = Slab {
            rows: part.rows,
            left: [(skipped * dims.inputs, 0), (skipped * dims.hidden, 0)],
            // Only these blocks are there.
            out: (skipped * blocks.len() * size).wrapping_sub(blocks.start * part.rows * size),
            unit: part.rows * size,
        };
    }
    let slabs = &slabs[..parts.len()];
    let rows = t * dims.batch + own.start..t * dims.batch + own.end;
    let n = s.start.len() / (dims.blocks() * size);
    let matrix = |data, width, panels| Left { data, row: width, pieces: 1, len: width, panels };
    let (x, pick) = match s.x {
        Input::Dense(x) => {
            (Some(matrix(&x[rows.start * dims.inputs..rows.end * dims.inputs], dims.inputs, s.w_ih)), Pick::One)
        }
        Input::Tokens(_) if n < dims.inputs => (None, Pick::Row(rows.start)),
        Input::Tokens(tokens) => (None, Pick::Token(&tokens[rows])),
    };
    let h = past.map(|h| matrix(h, dims.hidden, s.w_hh));
    let start = Start { data: s.start, unit: n * size, size, pick };
    let product = |planes: Planes, left, from, out: &mut [F]| {
        let per_block = planes.gates.len() * UNITS;
        let tiles = blocks.start * per_block / s.width..(blocks.end * per_block).div_ceil(s.width);
        let columns = Columns { planes, row: size, end: blocks.end * per_block };
        F::tiled(Product { slabs, left, tiles, columns, from, out });
    };
    if C::KIND == Kind::Gru {
        // The two products fill different planes, so none of them sees all starts.
        begin(start, blocks.clone(), slabs, z);
        product(C::X, [x, None], From::Out, z);
        product(C::H, [None, h], From::Out, z);
    } else {
        product(C::X, [x, h], From::Start(start), z);
    }
}

fn begin<F: Copy>(start: Start<'_, F>, blocks: Range<usize>, slabs: &[Slab], z: &mut [F]) {
    let mut first = 0;
    for slab in slabs {
        for u in blocks.clone() {
            let block = &mut z[slab.out.wrapping_add(u * slab.unit)..][..slab.unit];
            for (r, z) in block.chunks_exact_mut(start.size).enumerate() {
                let list = start.pick.of(first + r);
                z.copy_from_slice(&start.data[u * start.unit + list * start.size..][..start.size]);
            }
        }
        first += slab.rows;
    }
}
