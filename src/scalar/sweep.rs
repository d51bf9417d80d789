//! The sweep: one pass over the records, from the cotangents of the results to those of the variables.
use super::{
    Scalar, Var,
    tape::{Memory, Record, foreign},
};
use std::cell::Cell;

impl<S: Scalar> Memory<S> {
    /// One pass over the records from the last one down to `stop`, from the cotangents of the outputs to those of every
    /// record, for `read`.
    #[track_caller]
    pub(super) fn sweep<R>(&self, outputs: &[(Var<'_, S>, S)], stop: usize, read: impl FnOnce(&mut [S]) -> R) -> R {
        let outputs = || outputs.iter().filter(|(y, _)| self.owns(y));
        let end = outputs().map(|(y, _)| y.at.index() as usize + 1).max().unwrap_or(0).max(self.more.inputs.get());
        let stop = stop.max(self.more.inputs.get()).min(end);
        let mut bars = self.more.bars.take();
        let seed = |bars: &mut Vec<S>| {
            bars.clear();
            bars.reserve_exact(end);
            bars.resize(end, S::zero());
            for (y, y_bar) in outputs() {
                bars[y.at.index() as usize] += y_bar.chain(y.d);
            }
        };
        seed(&mut bars);
        // Zero wins in the chain rule, but a product with a zero is another number only where it is NaN, and a NaN reaches
        // the end of the sweep: so the sweep with plain products is right if none arrived.
        if S::PLAIN {
            self.pass(&mut bars, stop, |y_bar, d0, d1| (y_bar * d0, y_bar * d1));
        }
        if !S::PLAIN || bars[..stop].iter().any(|bar| bar.is_nan()) {
            seed(&mut bars);
            self.pass(&mut bars, stop, guarded);
        }
        let result = read(&mut bars);
        self.more.bars.replace(bars);
        result
    }

    /// Whether a result is on this tape; constants are on none.
    #[track_caller]
    pub(super) fn owns(&self, y: &Var<'_, S>) -> bool {
        if !y.is_constant() && !self.own(y.at) {
            foreign();
        }
        !y.is_constant()
    }

    /// Gives the cotangent of each record from `stop` on to the records it was made of.
    #[inline(always)]
    pub(super) fn pass(&self, bars: &mut [S], stop: usize, products: impl Fn(S, S, S) -> (S, S) + Copy) {
        self.pieces_backwards(stop..bars.len().max(stop), |start, records| {
            give(records, bars, start, products);
        });
    }
}

/// Two products of the chain rule, in which zero wins.
#[inline(always)]
pub(super) fn guarded<S: Scalar>(y_bar: S, d0: S, d1: S) -> (S, S) {
    y_bar.chain2(d0, y_bar, d1)
}

/// A sweep over some records, of which the first one is number `start`.
#[inline(always)]
fn give<S: Scalar>(records: &[Cell<Record<S>>], bars: &mut [S], start: usize, products: impl Fn(S, S, S) -> (S, S)) {
    // What goes to the record just below stays in a register: along chains, memory would be read right after it was written.
    let (mut k, mut carry) = (start + records.len(), S::zero());
    for record in records.iter().rev() {
        let record = record.get();
        k -= 1;
        let y_bar = bars[k] + carry;
        bars[k] = y_bar; // read where derivatives with respect to this record are asked for
        carry = S::zero();
        if y_bar.nothing() {
            continue;
        }
        // Add, never assign: a value used twice receives one cotangent per use.
        let (p, q) = products(y_bar, record.d0, record.d1);
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
