//! From the records of a program to the steps of its sweep: which are reached, and where cotangents stand meanwhile.
use super::recorder::Entry;
use crate::kernel::Kind;

/// No bar yet.
const NONE: u32 = u32::MAX;

/// The steps of a sweep from one result; partial derivatives are primitives still.
pub(super) struct Unwound {
    pub(super) seed: [u32; 2],
    pub(super) steps: Vec<(Kind, [u32; 5])>,
    pub(super) bars: u32,
}

/// What a derivative is known to be.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) one: u32,
    pub(super) zero: u32,
}

/// The bars of records. Those of the variables come first; then one that nobody reads.
struct Bars {
    of: Vec<u32>,
    free: Vec<u32>,
    count: u32,
    inputs: u32,
}

impl Bars {
    fn fresh(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        })
    }

    fn of(&mut self, record: u32) -> u32 {
        if self.untouched(record) {
            self.of[record as usize] = self.fresh();
        }
        self.of[record as usize]
    }

    /// Whether nothing went to a record yet: then it may take the bar of another.
    fn untouched(&self, record: u32) -> bool {
        record >= self.inputs && self.of[record as usize] == NONE
    }
}

/// The sweep from record `last` with derivative `d`; `is` tells whether a primitive is a known number.
pub(super) fn unwind(
    inputs: u32,
    entries: &[Entry],
    [last, d]: [u32; 2],
    known: Known,
    is: impl Fn(u32, f64) -> bool,
) -> Unwound {
    let mut of: Vec<u32> = (0..inputs).collect();
    of.resize((inputs as usize + entries.len()).min(last as usize + 1).max(inputs as usize), NONE);
    let mut bars = Bars { of, free: vec![], count: inputs + 1, inputs };
    let mut unwound = Unwound { seed: [bars.of(last), d], steps: vec![], bars: 0 };
    // A record whose bar was that of the sum just before it, and is that of the other summand as well.
    let mut fan = NONE;
    for k in (inputs..=last).rev() {
        let y = bars.of[k as usize];
        if y == NONE {
            continue;
        }
        let Entry { i, d } = entries[(k - inputs) as usize];
        let mut gives = [(i[0], d[0]), (i[1], d[1])];
        for (i, d) in &mut gives {
            if is(*d, 0.0) {
                (*i, *d) = (NONE, known.zero);
            }
        }
        // A number that gets everything stands first.
        let whole = |&(i, d): &(u32, u32)| i != NONE && is(d, 1.0);
        let takes = |bars: &Bars, &(i, _): &(u32, u32)| i != NONE && bars.untouched(i);
        let below = |&(i, _): &(u32, u32)| i + 1 == k;
        let both = whole(&gives[0]) && whole(&gives[1]);
        let keeps = whole(&gives[0]) && takes(&bars, &gives[0]);
        if both && below(&gives[0]) || !(keeps || both && below(&gives[1])) && takes(&bars, &gives[1]) {
            gives.swap(0, 1);
        }
        let [(i, d), (j, e)] = gives;
        let place = |bars: &mut Bars, i: u32| if i == NONE { inputs } else { bars.of(i) };
        if std::mem::replace(&mut fan, NONE) == k {
            let (i, j) = (place(&mut bars, i), place(&mut bars, j));
            unwound.steps.push((Kind::Fan, [y, i, j, d, e]));
        } else if both && below(&gives[1]) && takes(&bars, &gives[1]) {
            // A sum and what was made just before it: both have its bar, or that one alone.
            bars.of[j as usize] = y;
            if takes(&bars, &gives[0]) {
                bars.of[i as usize] = y;
                fan = j;
            } else {
                let i = bars.of(i);
                unwound.steps.push((Kind::Keep, [y, i, known.one, 0, 0]));
            }
        } else if takes(&bars, &gives[0]) {
            bars.of[i as usize] = y;
            let j = place(&mut bars, j);
            unwound.steps.push(match whole(&gives[0]) {
                true => (Kind::Keep, [y, j, e, 0, 0]),
                false => (Kind::Turn, [y, j, d, e, 0]),
            });
        } else {
            let (i, j) = (place(&mut bars, i), place(&mut bars, j));
            unwound.steps.push((Kind::Give, [y, i, j, d, e]));
            bars.free.push(y);
        }
    }
    unwound.bars = bars.count;
    unwound
}

impl Unwound {
    /// Where partial derivatives stand among the operands of a step.
    pub(super) fn partials(kind: Kind) -> std::ops::Range<usize> {
        match kind {
            Kind::Give | Kind::Fan => 3..5,
            Kind::Keep => 2..3,
            Kind::Turn => 2..4,
        }
    }
}
