//! Weights in the order in which products read them, packed once a call and used in every step.
use super::layout::{Dims, Planes, UNITS};
use crate::real::Base;

/// How many numbers the panels of a product take that has `columns` columns and this depth.
pub(super) fn panels(columns: usize, depth: usize, width: usize) -> usize {
    columns.div_ceil(width) * width * depth
}

/// The rows of a weight that belong to block `u`, plane `p`: (the first row, how many).
fn rows(dims: Dims, planes: Planes, u: usize, p: usize) -> (usize, usize) {
    (planes.gates[p] * dims.hidden + u * UNITS, (dims.hidden - u * UNITS).min(UNITS))
}

/// `w` of `[gates * H, depth]` as panels `[tile][depth][width]` whose columns are the padded units.
pub(super) fn forward<F: Base>(dims: Dims, planes: Planes, w: &[F], depth: usize, width: usize, out: &mut [F]) {
    out.fill(F::zero());
    if depth == 0 {
        return;
    }
    for u in 0..dims.blocks() {
        for p in 0..planes.gates.len() {
            let (first, n) = rows(dims, planes, u, p);
            for l in 0..n {
                let column = (u * planes.gates.len() + p) * UNITS + l;
                let to = &mut out[column / width * depth * width + column % width..];
                let row = &w[(first + l) * depth..][..depth];
                for (to, &x) in to.iter_mut().step_by(width).zip(row) {
                    *to = x;
                }
            }
        }
    }
}

/// `w` of `[gates * H, columns]` as panels `[tile][padded units of all planes][width]`: for the product of cotangents with it.
pub(super) fn backward<F: Base>(dims: Dims, planes: Planes, w: &[F], columns: usize, width: usize, out: &mut [F]) {
    let depth = planes.columns(dims);
    out.fill(F::zero());
    for u in 0..dims.blocks() {
        for p in 0..planes.gates.len() {
            let (first, n) = rows(dims, planes, u, p);
            for l in 0..n {
                let k = (u * planes.gates.len() + p) * UNITS + l;
                for (tile, part) in w[(first + l) * columns..][..columns].chunks(width).enumerate() {
                    out[(tile * depth + k) * width..][..part.len()].copy_from_slice(part);
                }
            }
        }
    }
}

/// What the gates start from, `[blocks][n][planes][UNITS]`: the biases, and a column of `w_ih` for each of `n` tokens: of all there are,
/// or of those of the sequence, if they are fewer.
pub(super) fn start<F: Base>(
    dims: Dims,
    (x, h): (Planes, Planes),
    bias: Option<(&[F], &[F])>,
    tokens: Option<(&[F], &[u32])>,
    out: &mut [F],
) {
    let n = starts(dims, tokens.is_some());
    let column = |ids: &[u32], k: usize| if n < dims.inputs { ids[k] as usize } else { k };
    out.fill(F::zero());
    for u in 0..dims.blocks() {
        for k in 0..n {
            let to = &mut out[(u * n + k) * x.of * UNITS..][..x.of * UNITS];
            let mut add = |planes: Planes, from: &[F], step: usize| {
                for p in 0..planes.gates.len() {
                    let (first, rows) = rows(dims, planes, u, p);
                    for l in 0..rows {
                        to[(planes.first + p) * UNITS + l] += from[(first + l) * step];
                    }
                }
            };
            if let Some((b_ih, b_hh)) = bias {
                add(x, b_ih, 1);
                add(h, b_hh, 1);
            }
            if let Some((w_ih, ids)) = tokens {
                add(x, &w_ih[column(ids, k)..], dims.inputs);
            }
        }
    }
}

/// How many starts a block has.
pub(super) fn starts(dims: Dims, tokens: bool) -> usize {
    if tokens { dims.inputs.min(dims.steps * dims.batch) } else { 1 }
}

/// Sums `[depth][columns]` over padded units, without the row `depth`, as a weight `[gates * H, depth]`.
pub(super) fn unpack<F: Base>(dims: Dims, planes: Planes, sums: &[F], depth: usize, out: &mut [F]) {
    let columns = planes.columns(dims);
    for u in 0..dims.blocks() {
        for p in 0..planes.gates.len() {
            let (first, n) = rows(dims, planes, u, p);
            let to = &mut out[first * depth..][..n * depth];
            for k in 0..depth {
                let from = &sums[k * columns + (u * planes.gates.len() + p) * UNITS..][..n];
                for (l, &x) in from.iter().enumerate() {
                    to[l * depth + k] = x;
                }
            }
        }
    }
}

/// `[B, H]` in blocks, part after part.
pub(super) fn states<'a, F: Base>(dims: Dims, from: &[F], to: &'a mut [F]) -> &'a [F] {
    for part in (0..dims.parts()).map(|k| dims.part(k)) {
        let own = dims.step(part.first, 1)..dims.step(part.first + part.rows, 1);
        state(dims, part.first, part.rows, from, &mut to[own]);
    }
    to
}

/// `[B, H]` as `[blocks][rows][UNITS]`, of the rows `first..first + rows`.
fn state<F: Base>(dims: Dims, first: usize, rows: usize, from: &[F], out: &mut [F]) {
    for (u, block) in out.chunks_exact_mut(rows * UNITS).enumerate() {
        let n = (dims.hidden - u * UNITS).min(UNITS);
        for (r, to) in block.chunks_exact_mut(UNITS).enumerate() {
            to[..n].copy_from_slice(&from[(first + r) * dims.hidden + u * UNITS..][..n]);
            to[n..].fill(F::zero());
        }
    }
}

/// The same backwards.
pub(super) fn unpack_state<F: Base>(dims: Dims, first: usize, rows: usize, from: &[F], out: &mut [F]) {
    for (u, block) in from.chunks_exact(rows * UNITS).enumerate() {
        let n = (dims.hidden - u * UNITS).min(UNITS);
        for (r, x) in block.chunks_exact(UNITS).enumerate() {
            out[(first + r) * dims.hidden + u * UNITS..][..n].copy_from_slice(&x[..n]);
        }
    }
}
