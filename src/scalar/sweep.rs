//! The sweep: one pass over the records, from the cotangents of the results to those of the variables.
use super::{
    Scalar, Var,
    tape::{Memory, Record, foreign},
};
use std::{array::from_fn, cell::Cell};

impl<S: Scalar> Memory<S> {
    /// One pass over the records from the last one down to `stop`, from the cotangents of the outputs to those of every record, for
    /// `read`: `M` of each, since reading the records is what takes the time. Without `keep` those of the variables alone.
    #[track_caller]
    pub(super) fn sweep<const M: usize, R>(
        &self,
        outputs: &[(Var<'_, S>, [S; M])],
        stop: usize,
        keep: bool,
        read: impl FnOnce(&[[S; M]]) -> R,
    ) -> R {
        let outputs = || outputs.iter().filter(|(y, _)| self.owns(y));
        let end = outputs().map(|(y, _)| y.at.index() as usize + 1).max().unwrap_or(0).max(self.more.inputs.get());
        let stop = stop.max(self.more.inputs.get()).min(end);
        let mut room = self.more.bars.take();
        let bars = zeros(&mut room, end * M).as_chunks_mut().0;
        let seed = |bars: &mut [[S; M]]| {
            for (y, y_bar) in outputs() {
                let bar = &mut bars[y.at.index() as usize];
                bar.iter_mut().zip(y_bar).for_each(|(bar, y_bar)| *bar += y_bar.chain(y.d));
            }
        };
        seed(bars);
        // Zero wins in the chain rule, but a product with a zero is another number only where it is NaN, and a NaN reaches
        // the end of the sweep: so the sweep with plain products is right if none arrived.
        if S::PLAIN {
            let plain = |y_bar, d0, d1| (y_bar * d0, y_bar * d1);
            if keep { self.pass::<true, M>(bars, stop, plain) } else { self.pass::<false, M>(bars, stop, plain) }
        }
        let again = !S::PLAIN || bars[..stop].as_flattened().iter().any(|bar| bar.is_nan());
        if again {
            bars.fill([S::zero(); M]);
            seed(bars);
            self.pass::<true, M>(bars, stop, guarded);
        }
        let result = read(bars);
        bars[..if keep || again { end } else { stop }].fill([S::zero(); M]);
        self.more.bars.replace(room);
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

    /// Gives the cotangent of each record from `stop` on to the records it was made of. With `KEEP` it stays in `bars`, for those who
    /// ask for derivatives with respect to the record itself; else it is 0 there after, for the next sweep.
    #[inline(always)]
    pub(super) fn pass<const KEEP: bool, const M: usize>(
        &self,
        bars: &mut [[S; M]],
        stop: usize,
        products: impl Fn(S, S, S) -> (S, S) + Copy,
    ) {
        self.pieces_backwards(stop..bars.len().max(stop), |start, records| {
            give::<_, KEEP, M>(records, bars, start, products)
        });
    }
}

/// As many zeros of a room that holds nothing else.
pub(super) fn zeros<S: Scalar>(room: &mut Vec<S>, len: usize) -> &mut [S] {
    if len > room.len() {
        room.reserve_exact(len - room.len());
        room.resize(len, S::zero());
    }
    &mut room[..len]
}

/// Two products of the chain rule, in which zero wins.
#[inline(always)]
pub(super) fn guarded<S: Scalar>(y_bar: S, d0: S, d1: S) -> (S, S) {
    y_bar.chain2(d0, y_bar, d1)
}

#[inline(always)]
fn add<S: Scalar, const M: usize>(to: &mut [S; M], x: [S; M]) {
    for m in 0..M {
        to[m] += x[m];
    }
}

/// A sweep over some records, of which the first one is number `start`.
#[inline(always)]
fn give<S: Scalar, const KEEP: bool, const M: usize>(
    records: &[Cell<Record<S>>],
    bars: &mut [[S; M]],
    start: usize,
    products: impl Fn(S, S, S) -> (S, S),
) {
    // What goes to the record just below stays in a register: along chains, memory would be read right after it was written.
    let (mut k, mut carry) = (start + records.len(), [S::zero(); M]);
    for record in records.iter().rev() {
        let record = record.get();
        k -= 1;
        let bar = &mut bars[k];
        let y_bar: [S; M] = from_fn(|m| bar[m] + carry[m]);
        *bar = if KEEP { y_bar } else { [S::zero(); M] };
        carry = [S::zero(); M];
        if (0..M).all(|m| y_bar[m].nothing()) {
            continue;
        }
        let given = y_bar.map(|y_bar| products(y_bar, record.d0, record.d1));
        let (p, q) = (given.map(|(p, _)| p), given.map(|(_, q)| q));
        // Add, never assign: a value used twice receives one cotangent per use.
        if record.i0 as usize + 1 == k {
            carry = p;
        } else {
            add(&mut bars[record.i0 as usize], p);
        }
        if record.i1 as usize + 1 == k {
            add(&mut carry, q);
        } else {
            add(&mut bars[record.i1 as usize], q);
        }
    }
    if k > 0 {
        add(&mut bars[k - 1], carry);
    }
}
