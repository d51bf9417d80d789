//! Parts of the batch on threads.
use super::layout::Dims;
use crate::kernel::threads::{available, both};
use std::ops::Range;

/// Below so many multiplications a sequence stays on its thread.
const SMALL: usize = 1 << 21;

/// A thread takes parts of so many rows at a time through the sequence: what they need in a step stays in its cache.
const ROWS: usize = 64;

/// Whether threads are worth their trouble.
pub(super) fn worth(dims: Dims) -> bool {
    [dims.batch, dims.hidden, dims.hidden + dims.inputs].iter().fold(dims.steps, |n, &k| n.saturating_mul(k)) > SMALL
}

/// Runs `f` for all parts, some on each thread; each list holds so many numbers for each row of the batch, part after part.
pub(super) fn over_parts<F: Send, const N: usize>(
    dims: Dims,
    parts: Range<usize>,
    lists: [(&mut [F], usize); N],
    f: &(impl Fn(Range<usize>, [&mut [F]; N]) + Sync),
) {
    let threads = if worth(dims) { available() } else { 1 };
    split(dims, parts, threads, lists, f);
}

fn split<F: Send, const N: usize>(
    dims: Dims,
    parts: Range<usize>,
    threads: usize,
    lists: [(&mut [F], usize); N],
    f: &(impl Fn(Range<usize>, [&mut [F]; N]) + Sync),
) {
    let few = dims.rows(parts.clone()).len() <= ROWS;
    if parts.len() < 2 || (threads == 1 && few) {
        return f(parts, lists.map(|(list, _)| list));
    }
    // As many parts for each half as it has threads.
    let (most, fewest) = (threads.div_ceil(2), threads / 2);
    let share = if fewest == 0 { parts.len() / 2 } else { parts.len() * most / threads };
    let middle = parts.start + share.clamp(1, parts.len() - 1);
    let rows = dims.part(middle).first - dims.part(parts.start).first;
    let halves = lists.map(|(list, each)| {
        let (low, high) = list.split_at_mut(rows * each);
        ((low, each), (high, each))
    });
    let (low, high) = unzip(halves);
    let low = || split(dims, parts.start..middle, most, low, f);
    let high = || split(dims, middle..parts.end, fewest.max(1), high, f);
    if threads == 1 {
        low();
        high();
    } else {
        both(low, high);
    }
}

fn unzip<A, B, const N: usize>(pairs: [(A, B); N]) -> ([A; N], [B; N]) {
    let mut second = [const { None }; N];
    let mut k = 0;
    let first = pairs.map(|(a, b)| {
        second[k] = Some(b);
        k += 1;
        a
    });
    (first, second.map(|b| b.expect("as many as there are pairs")))
}
