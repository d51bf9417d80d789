//! The time loop backwards.
use super::{
    Cells, Input, Scratch,
    cell::{Cell, Kind},
    cells::{self, Arriving, Before, Sums, Where},
    layout::{Dims, PARTS, Part, Planes, UNITS},
    pack::{self, panels},
    product::{Columns, From, Left, Product, Slab},
    rows::Rows,
    threads::{over_parts, worth},
    weights::{self, Bars, Side},
    wide::Tiles,
};
use crate::{
    formula::Lanes,
    kernel::{dispatch::vectorised, threads::available},
};
use std::{marker::PhantomData, ops::Range};

/// Rows of the batch times steps whose cotangents the weights get together: enough that the sums are seldom read and written, few
/// enough to stay in the cache (128 rows: 1.06 times the time of a step, 1,024: 1.05).
const CHUNK: usize = 512;

/// A sequence to sweep. What is not wanted is empty.
pub struct Backward<'a, F> {
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
    /// `[B, H]`.
    pub h0: Option<&'a [F]>,
    /// `[B, H]`, of an LSTM.
    pub c0: Option<&'a [F]>,
    /// `[T, B, H]`: the outputs.
    pub y: &'a [F],
    /// What forward kept; overwritten.
    pub gates: &'a mut [F],
    /// What forward kept.
    pub c: &'a [F],
    /// The cotangent of the outputs; empty if nobody uses them.
    pub y_bar: &'a [F],
    /// The cotangent of an LSTM's last cell state; empty if nobody uses it.
    pub last_bar: &'a [F],
    /// As many numbers as [`Cells::backward_scratch`] says.
    pub scratch: &'a mut [F],
    /// `[T, B, I]`.
    pub x_bar: &'a mut [F],
    /// Gradients of `w_ih`, `w_hh`, `b_ih`, `b_hh`; all or none.
    pub weights: Option<[&'a mut [F]; 4]>,
    /// `[B, H]`.
    pub h0_bar: &'a mut [F],
    /// `[B, H]`.
    pub c0_bar: &'a mut [F],
    /// For each part of the batch and step, if an observer listens.
    pub heard: &'a mut [Sums],
}

/// What all parts of the batch read.
#[derive(Clone, Copy)]
struct Shared<'a, F> {
    dims: Dims,
    h0: Option<&'a [F]>,
    first: Option<&'a [F]>,
    y: &'a [F],
    y_bar: &'a [F],
    c: &'a [F],
    w_ih: &'a [F],
    w_hh: &'a [F],
    width: usize,
    /// Of rows that are `padded` numbers apart: whole blocks.
    x_bar: Option<Rows<'a, F>>,
    padded: usize,
    heard: Option<Rows<'a, Sums>>,
}

/// Numbers of scratch, in the order in which `run` takes them.
struct Sizes {
    states: usize,
    h_panels: usize,
    x_panels: usize,
    x_sums: usize,
    token_sums: usize,
    h_sums: usize,
    left: usize,
    x_bar: usize,
}

impl Sizes {
    fn of<F: Tiles, C: Cell>(dims: Dims, tokens: bool, wants_x: bool) -> Self {
        let padded = dims.inputs.next_multiple_of(UNITS);
        let (width, x, h) = (F::tile_width(), C::X.columns(dims), C::H.columns(dims));
        let inputs = if tokens { 0 } else { dims.inputs };
        Self {
            states: dims.step(dims.batch, 1),
            h_panels: panels(dims.blocks() * UNITS, h, width),
            x_panels: if wants_x { panels(padded, x, width) } else { 0 },
            x_sums: (inputs + 1) * x,
            token_sums: if tokens { dims.inputs * x } else { 0 },
            h_sums: (dims.hidden + 1) * h,
            left: weights::scratch::<F>(inputs + dims.hidden + 2, steps_of_chunk(dims) * dims.batch),
            x_bar: if !wants_x || padded == dims.inputs { 0 } else { dims.steps * dims.batch * padded },
        }
    }
}

pub(super) fn scratch<F: Tiles, C: Cell>(dims: Dims, tokens: bool, wants_x: bool) -> usize {
    let s = Sizes::of::<F, C>(dims, tokens, wants_x);
    3 * s.states + s.h_panels + s.x_panels + s.x_sums + s.token_sums + s.h_sums + s.left + s.x_bar
}

fn steps_of_chunk(dims: Dims) -> usize {
    CHUNK.div_ceil(dims.batch.max(1)).min(dims.steps.max(1))
}

pub(super) fn run<F: Tiles + Lanes, C: Cell>(job: Backward<'_, F>) {
    let Backward { dims, x, w_ih, w_hh, h0, c0, y, gates, c, y_bar, last_bar, scratch, x_bar, h0_bar, c0_bar, .. } =
        job;
    let (mut weights, heard) = (job.weights, job.heard);
    let (width, tokens) = (F::tile_width(), matches!(x, Input::Tokens(_)));
    let wants_x = !x_bar.is_empty();
    let (sizes, mut scratch) = (Sizes::of::<F, C>(dims, tokens, wants_x), Scratch(scratch));
    let [first, carry, h_bar] = [0; 3].map(|_| scratch.take(sizes.states));
    let first = c0.map(|c0| pack::states(dims, c0, first));
    carry.fill(F::zero());
    if !last_bar.is_empty() {
        pack::states(dims, last_bar, carry);
    }
    let (h_panels, x_panels) = (scratch.take(sizes.h_panels), scratch.take(sizes.x_panels));
    pack::backward(dims, C::H, w_hh, dims.hidden, width, h_panels);
    if wants_x {
        pack::backward(dims, C::X, w_ih, dims.inputs, width, x_panels);
    }
    // The planes of a GRU differ between the two products; otherwise one pass over them serves both.
    let apart = C::KIND == Kind::Gru;
    let sums = scratch.take(sizes.x_sums + sizes.h_sums);
    let (token_sums, left) = (scratch.take(sizes.token_sums), scratch.take(sizes.left));
    for sums in [&mut *sums, &mut *token_sums] {
        sums.fill(F::zero());
    }
    let padded = dims.inputs.next_multiple_of(UNITS);
    let wide = scratch.take(sizes.x_bar);
    let shared = Shared {
        dims,
        h0,
        first,
        y,
        y_bar,
        c,
        w_ih: x_panels,
        w_hh: h_panels,
        width,
        x_bar: wants_x.then(|| Rows::new(if padded == dims.inputs { &mut *x_bar } else { &mut *wide }, padded)),
        padded,
        heard: (!heard.is_empty()).then(|| Rows::new(heard, 1)),
    };
    let (each, threads) = (dims.step(1, 1), if worth(dims) { available() } else { 1 });
    let mut hi = dims.steps;
    while hi > 0 {
        let lo = hi.saturating_sub(1) / steps_of_chunk(dims) * steps_of_chunk(dims);
        let lists = [(&mut *gates, dims.cells(1, C::X.of)), (&mut *carry, each), (&mut *h_bar, each)];
        over_parts(dims, 0..dims.parts(), lists, &|parts, [gates, carry, h_bar]| {
            walk::<F, C>(shared, parts, lo..hi, gates, carry, h_bar);
        });
        if weights.is_some() {
            let bars = |planes| Bars { dims, planes, gates: &*gates, steps: (lo, hi) };
            let (data, inputs) = match x {
                Input::Dense(x) => (&x[lo * dims.batch * dims.inputs..hi * dims.batch * dims.inputs], dims.inputs),
                Input::Tokens(tokens) => {
                    weights::add_tokens(bars(C::X), tokens, token_sums);
                    (&[][..], 0)
                }
            };
            let inner = Side { data, first: None, width: inputs, ones: true };
            let step = dims.batch * dims.hidden;
            let data = &y[lo.saturating_sub(1) * step..(hi - 1) * step];
            let past = Side { data, first: h0, width: dims.hidden, ones: apart };
            if apart {
                let (x_sums, h_sums) = sums.split_at_mut(sizes.x_sums);
                weights::add(&[inner], bars(C::X), threads, x_sums, left);
                weights::add(&[past], bars(C::H), threads, h_sums, left);
            } else {
                weights::add(&[inner, past], bars(C::X), threads, sums, left);
            }
        }
        hi = lo;
    }
    if let Some([w_ih_bar, w_hh_bar, b_ih_bar, b_hh_bar]) = &mut weights {
        let inputs = if tokens { 0 } else { dims.inputs };
        let (x_sums, h_sums) = sums.split_at(sizes.x_sums);
        pack::unpack(dims, C::X, if tokens { &*token_sums } else { x_sums }, dims.inputs, w_ih_bar);
        pack::unpack(dims, C::X, &x_sums[inputs * C::X.columns(dims)..], 1, b_ih_bar);
        pack::unpack(dims, C::H, h_sums, dims.hidden, w_hh_bar);
        if apart {
            pack::unpack(dims, C::H, &h_sums[dims.hidden * C::H.columns(dims)..], 1, b_hh_bar);
        } else {
            b_hh_bar.copy_from_slice(b_ih_bar);
        }
    }
    first_states::<F, C>(shared, gates, carry, h_bar, h0_bar, c0_bar);
    if wants_x && padded != dims.inputs {
        for (to, from) in x_bar.chunks_exact_mut(dims.inputs).zip(wide.chunks_exact(padded)) {
            to.copy_from_slice(&from[..dims.inputs]);
        }
    }
}

/// The cotangents of the states before the first step.
fn first_states<F: Tiles, C: Cell>(
    s: Shared<'_, F>,
    gates: &[F],
    carry: &[F],
    h_bar: &mut [F],
    h0_bar: &mut [F],
    c0_bar: &mut [F],
) {
    let dims = s.dims;
    for part in (0..dims.parts()).map(|k| dims.part(k)) {
        let own = dims.step(part.first, 1)..dims.step(part.first + part.rows, 1);
        if !c0_bar.is_empty() {
            pack::unpack_state(dims, part.first, part.rows, &carry[own.clone()], c0_bar);
        }
        if h0_bar.is_empty() {
            continue;
        }
        let h_bar = &mut h_bar[own.clone()];
        h_bar.fill(F::zero());
        if dims.steps > 0 {
            let z = &gates[dims.cells(part.first, C::X.of)..][..dims.step(part.rows, C::X.of)];
            let slab =
                Slab { rows: part.rows, left: [(0, part.rows * C::X.of * UNITS); 2], out: 0, unit: part.rows * UNITS };
            to_states::<F, C>(s, &[slab], 0..dims.blocks(), z, h_bar);
        }
        if C::KIND == Kind::Gru {
            h_bar.iter_mut().zip(&carry[own]).for_each(|(h, &carry)| *h += carry);
        }
        pack::unpack_state(dims, part.first, part.rows, h_bar, h0_bar);
    }
}

/// The cotangents of gates as the left operand of a product.
fn bars<'a, F>(dims: Dims, planes: Planes, z: &'a [F], panels: &'a [F]) -> Left<'a, F> {
    let (row, len) = (planes.of * UNITS, planes.gates.len() * UNITS);
    Left { data: &z[planes.first * UNITS..], row, pieces: dims.blocks(), len, panels }
}

/// The cotangent of `h` of the step before, of some blocks of units: `z_bar w_hh`.
fn to_states<F: Tiles, C: Cell>(s: Shared<'_, F>, slabs: &[Slab], blocks: Range<usize>, z: &[F], h_bar: &mut [F]) {
    let tiles = blocks.start * UNITS / s.width..(blocks.end * UNITS).div_ceil(s.width);
    let columns = Columns { planes: Planes::PLAIN, row: UNITS, end: blocks.end * UNITS };
    let left = [Some(bars(s.dims, C::H, z, s.w_hh)), None];
    F::tiled(Product { slabs, left, tiles, columns, from: From::Zero, out: h_bar });
}

/// The steps of a chunk, of some parts of the batch, from the last to the first.
fn walk<F: Tiles + Lanes, C: Cell>(
    s: Shared<'_, F>,
    parts: Range<usize>,
    steps: Range<usize>,
    gates: &mut [F],
    carry: &mut [F],
    h_bar: &mut [F],
) {
    let (dims, planes) = (s.dims, C::X.of);
    let own = dims.rows(parts.clone());
    let slabs = |t: usize, out: &dyn Fn(usize) -> usize, unit: &dyn Fn(usize) -> usize| {
        let mut slabs = [Slab::default(); PARTS];
        for (slab, part) in slabs.iter_mut().zip(parts.clone().map(|k| dims.part(k))) {
            let skipped = part.first - own.start;
            let left = (dims.cells(skipped, planes) + t * dims.step(part.rows, planes), part.rows * planes * UNITS);
            *slab = Slab { rows: part.rows, left: [left; 2], out: out(skipped), unit: unit(part.rows) };
        }
        slabs
    };
    for t in steps.clone().rev() {
        let last = t + 1 == dims.steps;
        for blocks in dims.groups(own.len(), planes, 1, s.width) {
            if !last {
                let slabs = slabs(t + 1, &|skipped| dims.step(skipped, 1), &|rows| rows * UNITS);
                to_states::<F, C>(s, &slabs[..parts.len()], blocks.clone(), gates, h_bar);
            }
            for k in parts.clone() {
                let part = dims.part(k);
                let skipped = part.first - own.start;
                let unit = part.rows * UNITS;
                let range = blocks.start * unit..blocks.end * unit;
                let states = dims.step(skipped, 1)..dims.step(skipped + part.rows, 1);
                let h_bar = if last { &[][..] } else { &h_bar[states.clone()] };
                let at = dims.cells(skipped, planes) + t * dims.step(part.rows, planes);
                let gates = &mut gates[at + range.start * planes..at + range.end * planes];
                let carry = &mut carry[states][range.clone()];
                if let Some(heard) = s.heard {
                    let row = k * dims.steps + t;
                    // SAFETY: the sums of a part belong to the one thread that walks through it.
                    #[allow(unsafe_code)]
                    let sums = unsafe { &mut heard.write(row..row + 1)[0] };
                    // Block by block: groups depend on how many rows a thread has.
                    for (n, u) in blocks.clone().enumerate() {
                        let arriving = s.arriving::<C>(t, part, u * unit..(u + 1) * unit, u, h_bar);
                        let (gates, carry) = (&gates[n * unit * planes..][..unit * planes], &carry[n * unit..][..unit]);
                        sums.add(&vectorised(cells::Listen { arriving, gates, carry, cell: PhantomData::<C> }));
                    }
                }
                let arriving = s.arriving::<C>(t, part, range, blocks.start, h_bar);
                vectorised(cells::Backward { arriving, gates, carry, cell: PhantomData::<C> });
            }
        }
    }
    let Some(x_bar) = s.x_bar else { return };
    for t in steps {
        // SAFETY: the rows of a part belong to the one thread that walks through it.
        #[allow(unsafe_code)]
        let out = unsafe { x_bar.write(t * dims.batch + own.start..t * dims.batch + own.end) };
        let slabs = slabs(t, &|skipped| skipped * s.padded, &|_| UNITS);
        let columns = Columns { planes: Planes::PLAIN, row: s.padded, end: s.padded };
        let left = [Some(bars(dims, C::X, gates, s.w_ih)), None];
        let tiles = 0..s.padded.div_ceil(s.width);
        F::tiled(Product { slabs: &slabs[..parts.len()], left, tiles, columns, from: From::Zero, out });
    }
}

impl<'a, F: Tiles> Shared<'a, F> {
    /// What arrives at some blocks of units (`range` of them in a step of one plane).
    fn arriving<'b, C: Cell>(
        &self,
        t: usize,
        part: Part,
        range: Range<usize>,
        first: usize,
        h_bar: &'b [F],
    ) -> Arriving<'b, F>
    where
        'a: 'b,
    {
        let (dims, lstm) = (self.dims, C::KIND == Kind::Lstm);
        let row = (t * dims.batch + part.first) * dims.hidden;
        let size = part.rows * dims.hidden;
        let step = dims.step(part.rows, 1);
        let c = if lstm { &self.c[dims.cells(part.first, 1)..][..dims.cells(part.rows, 1)] } else { &[] };
        let before = match (lstm, t) {
            (true, 0) => {
                self.first.map_or(Before::Zero, |c| Before::Blocks(&c[dims.step(part.first, 1)..][range.clone()]))
            }
            (true, _) => Before::Blocks(&c[(t - 1) * step..][range.clone()]),
            (false, 0) => self.h0.map_or(Before::Zero, |h| Before::Rows(&h[part.first * dims.hidden..][..size])),
            (false, _) => Before::Rows(&self.y[row - dims.batch * dims.hidden..][..size]),
        };
        Arriving {
            at: Where { rows: part.rows, first, hidden: dims.hidden },
            before,
            c: if lstm { &c[t * step..][range.clone()] } else { &[] },
            h_bar: if h_bar.is_empty() { &[] } else { &h_bar[range] },
            y_bar: if self.y_bar.is_empty() { &[] } else { &self.y_bar[row..][..size] },
        }
    }
}
