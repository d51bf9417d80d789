//! The sweep: one pass over the records, from the cotangents of the results to those of the variables.
use super::{
    Scalar, Tape, Var,
    tape::{CHUNK, Record, foreign},
};
use std::cell::Cell;

impl<S: Scalar> Tape<S> {
    /// One pass over the records from the last one down to `stop`, from the cotangents of the outputs to those of every
    /// record, for `read`.
    #[track_caller]
    pub(super) fn sweep<R>(&self, outputs: &[(Var<'_, S>, S)], stop: usize, read: impl FnOnce(&mut [S]) -> R) -> R {
        let outputs = || outputs.iter().filter(|(y, _)| self.owns(y));
        let end = outputs().map(|(y, _)| y.i as usize + 1).max().unwrap_or(0).max(self.inputs.get());
        let stop = stop.max(self.inputs.get()).min(end);
        let mut bars = self.bars.take();
        let seed = |bars: &mut Vec<S>| {
            bars.clear();
            bars.reserve_exact(end);
            bars.resize(end, S::zero());
            for (y, y_bar) in outputs() {
                bars[y.i as usize] += y_bar.chain(y.d);
            }
        };
        seed(&mut bars);
        // Zero wins in the chain rule, but a product with a zero is another number only where it is NaN, and a NaN reaches
        // the end of the sweep: so the sweep with plain products is right if none arrived.
        if S::PLAIN {
            self.pass(&mut bars, stop, |y_bar, d| y_bar * d);
        }
        if !S::PLAIN || bars[..stop].iter().any(|bar| bar.is_nan()) {
            seed(&mut bars);
            self.pass(&mut bars, stop, S::chain);
        }
        let result = read(&mut bars);
        self.bars.replace(bars);
        result
    }

    /// Whether a result is on this tape; constants are on none.
    #[track_caller]
    fn owns(&self, y: &Var<'_, S>) -> bool {
        match y.tape {
            Some(tape) if !std::ptr::eq(tape, self) => foreign(),
            tape => tape.is_some(),
        }
    }

    /// Gives the cotangent of each record from `stop` on to the records it was made of.
    #[inline(always)]
    pub(super) fn pass(&self, bars: &mut [S], stop: usize, product: impl Fn(S, S) -> S + Copy) {
        let mut end = bars.len();
        let chunks = self.chunks.borrow();
        for (k, chunk) in chunks.iter().enumerate().rev() {
            let first = self.flat.len() + k * CHUNK;
            if end > first.max(stop) {
                give(chunk[stop.saturating_sub(first)..end - first].iter().copied(), bars, end, product);
                end = first;
            }
        }
        if end > stop {
            give(self.flat[stop..end].iter().map(Cell::get), bars, end, product);
        }
    }
}

/// A sweep over some records, of which the last one stands before `end`.
#[inline(always)]
fn give<S: Scalar>(
    records: impl DoubleEndedIterator<Item = Record<S>>,
    bars: &mut [S],
    end: usize,
    product: impl Fn(S, S) -> S,
) {
    // What goes to the record just below stays in a register: along chains, memory would be read right after it was written.
    let (mut k, mut carry) = (end, S::zero());
    for record in records.rev() {
        k -= 1;
        let y_bar = bars[k] + carry;
        bars[k] = y_bar; // read where derivatives with respect to this record are asked for
        carry = S::zero();
        if y_bar.nothing() {
            continue;
        }
        // Add, never assign: a value used twice receives one cotangent per use.
        let (p, q) = (product(y_bar, record.d0), product(y_bar, record.d1));
        if record.i0 as usize + 1 == k {
            carry = p;
        } else {
            bars[record.i0 as usize] += p;
        }
        if record.i1 as usize + 1 == k {
            carry += q;
        } else {
            bars[record.i1 as usize] += q;
        }
    }
    if k > 0 {
        bars[k - 1] += carry;
    }
}
