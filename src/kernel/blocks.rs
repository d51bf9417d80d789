//! Moving and adding blocks: broadcasts, permutations, slices, gathers.
use super::{dispatch::loops, starts::Starts};
use crate::real::Base;

/// `count` blocks of `len` elements, each side with its own start and step.
#[derive(Clone, Copy, Debug)]
pub struct Blocks {
    /// How many blocks.
    pub count: usize,
    /// Elements in each.
    pub len: usize,
    /// Where the first one begins in the source.
    pub from: usize,
    /// From one block to the next in the source.
    pub from_step: usize,
    /// Where the first one begins in the result.
    pub to: usize,
    /// From one block to the next in the result.
    pub to_step: usize,
}

#[inline(always)]
fn each<F: Base>(b: Blocks, x: &[F], out: &mut [F], mut f: impl FnMut(&mut [F], &[F])) {
    if b.len == 0 {
        return;
    }
    for i in 0..b.count {
        f(&mut out[b.to + i * b.to_step..][..b.len], &x[b.from + i * b.from_step..][..b.len]);
    }
}

pub(super) fn copy<F: Base>(b: Blocks, x: &[F], out: &mut [F]) {
    each(b, x, out, |out, x| out.copy_from_slice(x));
}

loops! {
    fn add<F>(b: Blocks, x: &'a [F], out: &'a mut [F]) {
        each(b, x, out, |out, x| out.iter_mut().zip(x).for_each(|(o, &x)| *o += x));
    }
}

/// `out` in row-major order over `sizes`, reading `x` with one step for each axis: a permutation or a broadcast (step 0).
pub(super) fn strided<F: Base>(sizes: &[usize], steps: &[usize], x: &[F], out: &mut [F]) {
    let Some((&inner, outer)) = sizes.split_last() else {
        out[0] = x[0];
        return;
    };
    if out.is_empty() {
        return;
    }
    let step = steps[outer.len()];
    for (row, start) in out.chunks_exact_mut(inner).zip(Starts::new(outer, steps)) {
        match step {
            0 => row.fill(x[start]),
            1 => row.copy_from_slice(&x[start..][..inner]),
            _ => row.iter_mut().zip(x[start..].iter().step_by(step)).for_each(|(o, &x)| *o = x),
        }
    }
}

/// The rows of `x`, which are as long as the last of `sizes`, to where `steps` lead from `start` on.
pub(super) fn place<F: Base>(sizes: &[usize], steps: &[usize], start: usize, x: &[F], out: &mut [F]) {
    let Some((&inner, outer)) = sizes.split_last() else {
        out[start] = x[0];
        return;
    };
    if x.is_empty() {
        return;
    }
    for (row, at) in x.chunks_exact(inner).zip(Starts::new(outer, steps)) {
        out[start + at..][..inner].copy_from_slice(row);
    }
}

/// Blocks `[outer, n, inner]`, the middle axis backwards.
pub(super) fn reverse<F: Base>(n: usize, inner: usize, x: &[F], out: &mut [F]) {
    if n == 0 || inner == 0 {
        return;
    }
    for (x, out) in x.chunks_exact(n * inner).zip(out.chunks_exact_mut(n * inner)) {
        if inner == 1 {
            out.iter_mut().zip(x.iter().rev()).for_each(|(o, &x)| *o = x);
            continue;
        }
        for (x, out) in x.chunks_exact(inner).rev().zip(out.chunks_exact_mut(inner)) {
            out.copy_from_slice(x);
        }
    }
}

/// Blocks `[outer, n, inner]` of `x` at the places `ids` of the middle axis.
pub(super) fn index_select<F: Base>(n: usize, inner: usize, x: &[F], ids: &[u32], out: &mut [F]) {
    if n == 0 || inner == 0 || ids.is_empty() {
        return;
    }
    for (x, out) in x.chunks_exact(n * inner).zip(out.chunks_exact_mut(ids.len() * inner)) {
        for (out, &id) in out.chunks_exact_mut(inner).zip(ids) {
            out.copy_from_slice(&x[id as usize * inner..][..inner]);
        }
    }
}

/// The transpose of [`index_select`]: adds, in the order of `ids`.
pub(super) fn index_add<F: Base>(n: usize, inner: usize, x: &[F], ids: &[u32], out: &mut [F]) {
    if n == 0 || inner == 0 || ids.is_empty() {
        return;
    }
    for (x, out) in x.chunks_exact(ids.len() * inner).zip(out.chunks_exact_mut(n * inner)) {
        for (x, &id) in x.chunks_exact(inner).zip(ids) {
            out[id as usize * inner..][..inner].iter_mut().zip(x).for_each(|(o, &x)| *o += x);
        }
    }
}
