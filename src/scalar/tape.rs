//! The tape: records of two partial derivatives in chunks, and the sweep over them.
use super::{Scalar, Var};
use std::{
    cell::{Cell, RefCell},
    fmt,
};

/// What a binary operation leaves: its partial derivatives, and the records they belong to.
#[derive(Clone, Copy)]
pub(super) struct Record<S> {
    d0: S,
    d1: S,
    i0: u32,
    i1: u32,
}

/// Records of the first chunk, and of the others. Chunks, because a doubling vector holds three times its length while it
/// grows; a first small one, so that a gradient of few operations costs little.
const FIRST: usize = 1 << 8;
const CHUNK: usize = 1 << 16;

/// Records one after the other, in chunks that stay from one evaluation to the next.
struct Records<S> {
    /// The chunk that is being filled, and how far.
    open: Box<[Record<S>]>,
    filled: usize,
    /// How many records are in `full`.
    below: usize,
    full: Vec<Box<[Record<S>]>>,
    /// Chunks of earlier evaluations, the next one last.
    free: Vec<Box<[Record<S>]>>,
}

impl<S: Scalar> Records<S> {
    fn new() -> Self {
        Self { open: chunk(FIRST), filled: 0, below: 0, full: vec![], free: vec![] }
    }

    fn len(&self) -> usize {
        self.below + self.filled
    }

    #[inline]
    fn push(&mut self, record: Record<S>) -> u32 {
        let Some(place) = self.open.get_mut(self.filled) else {
            self.next_chunk();
            return self.push(record);
        };
        *place = record;
        self.filled += 1;
        (self.below + self.filled - 1) as u32
    }

    #[cold]
    #[inline(never)]
    fn next_chunk(&mut self) {
        let next = self.free.pop().unwrap_or_else(|| chunk(CHUNK));
        self.below += self.open.len();
        self.filled = 0;
        self.full.push(std::mem::replace(&mut self.open, next));
        assert!(self.below < u32::MAX as usize - CHUNK, "scalar tape: more than 2^32 records");
    }

    /// Forgets the records from `len` on.
    fn truncate(&mut self, len: usize) {
        while self.below > len {
            let last = self.full.pop().expect("records below");
            self.below -= last.len();
            self.free.push(std::mem::replace(&mut self.open, last));
        }
        self.filled = len - self.below;
    }
}

fn chunk<S: Scalar>(len: usize) -> Box<[Record<S>]> {
    let nothing = Record { d0: S::zero(), d1: S::zero(), i0: 0, i1: 0 };
    vec![nothing; len].into_boxed_slice()
}

/// Where operations on [`Var`] are recorded, for a reverse sweep.
///
/// Operations of one variable leave no record: a handle carries its derivative with respect to the last record. An operation
/// of two leaves one of 24 bytes (f64), unless both handles belong to one record. Chunks of records are kept and used again.
///
/// ```
/// use chainrule::scalar::Tape;
/// let mut tape = Tape::new();
/// for x in [1.0, 2.0] {
///     let t = tape.begin(); // ends every older handle, keeps the memory
///     let (x, y) = (t.var(x), t.var(3.0));
///     let z = x * y + 2.0 * x.square();
///     assert_eq!(z.grads_of(&[x, y]), [3.0 + 4.0 * x.value(), x.value()]);
/// }
/// ```
/// A handle cannot outlive its recording:
/// ```compile_fail,E0502
/// use chainrule::scalar::Tape;
/// let mut tape = Tape::new();
/// let x = tape.begin().var(1.0);
/// tape.begin();
/// println!("{}", x + 1.0);
/// ```
pub struct Tape<S: Scalar> {
    records: RefCell<Records<S>>,
    /// How many variables were made before the first operation.
    inputs: Cell<usize>,
    /// Room for the sweep, kept.
    bars: RefCell<Vec<S>>,
    /// Room for the inputs of [`value_and_grad`](Tape::value_and_grad), kept: always empty.
    room: Vec<Slot<S>>,
    /// The tape of scopes on this one.
    pub(super) inner: RefCell<Option<Box<Tape<S>>>>,
}

impl<S: Scalar> Default for Tape<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Scalar> Tape<S> {
    /// An empty tape.
    pub fn new() -> Self {
        Self {
            records: RefCell::new(Records::new()),
            inputs: Cell::new(0),
            bars: RefCell::default(),
            room: vec![],
            inner: RefCell::default(),
        }
    }

    /// Starts anew: no records, no handles; memory is kept.
    pub fn begin(&mut self) -> &Self {
        self.truncate(0);
        self.inputs.set(0);
        self
    }

    /// A variable with the value `x`.
    #[inline]
    pub fn var(&self, x: S) -> Var<'_, S> {
        let index = self.push(S::zero(), 0, S::zero(), 0);
        if self.inputs.get() == index as usize {
            self.inputs.set(index as usize + 1);
        }
        Var::node(x, index, self)
    }

    /// A variable for each number of `x`.
    pub fn vars(&self, x: &[S]) -> Vec<Var<'_, S>> {
        x.iter().map(|&x| self.var(x)).collect()
    }

    /// How many records there are, one for each variable and each operation of two.
    pub fn len(&self) -> usize {
        self.records.borrow().len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `f` at `x`; its gradient is put into `gradient`. Nothing is allocated after the first evaluation, if `f`
    /// allocates nothing.
    ///
    /// ```
    /// use chainrule::scalar::Tape;
    /// let (mut tape, mut g) = (Tape::new(), [0.0; 2]);
    /// let y = tape.value_and_grad(|x| x[0] * x[1] + x[0].sin(), &[0.0, 3.0], &mut g);
    /// assert_eq!((y, g), (0.0, [4.0, 0.0]));
    /// ```
    ///
    /// # Panics
    /// If `gradient` has not the length of `x`, or `f` gives a variable of another tape.
    #[track_caller]
    pub fn value_and_grad<G>(&mut self, f: G, x: &[S], gradient: &mut [S]) -> S
    where
        G: for<'t> FnOnce(&[Var<'t, S>]) -> Var<'t, S>,
    {
        same_length("value_and_grad", "gradient", gradient.len(), x.len());
        let room = std::mem::take(&mut self.room);
        let tape = self.begin();
        // Collecting what a vector gave keeps its memory: the element types have one layout.
        let mut vars: Vec<Var<'_, S>> = room.into_iter().map(|s| Var::node(s.v, s.i, tape)).collect();
        vars.extend(x.iter().map(|&x| tape.var(x)));
        let y = f(&vars);
        tape.sweep(&[(y, S::one())], 0, |bars| gradient.copy_from_slice(&bars[..x.len()]));
        let value = y.value();
        vars.clear();
        self.room = vars.into_iter().map(|x| Slot { v: x.v, d: x.d, i: x.i, tape: None }).collect();
        value
    }

    #[inline(always)]
    pub(super) fn push(&self, d0: S, i0: u32, d1: S, i1: u32) -> u32 {
        self.records.borrow_mut().push(Record { d0, d1, i0, i1 })
    }

    pub(super) fn truncate(&self, len: usize) {
        self.records.borrow_mut().truncate(len);
    }

    /// One pass over the records from the last one down to `stop`, from the cotangents of the outputs to those of every
    /// record, for `read`.
    #[track_caller]
    pub(super) fn sweep<R>(&self, outputs: &[(Var<'_, S>, S)], stop: usize, read: impl FnOnce(&mut [S]) -> R) -> R {
        let len = outputs.iter().filter(|(y, _)| self.owns(y)).map(|(y, _)| y.i as usize + 1).max().unwrap_or(0);
        let len = len.max(self.inputs.get());
        let mut bars = self.bars.take();
        bars.clear();
        bars.reserve_exact(len);
        bars.resize(len, S::zero());
        for (y, y_bar) in outputs.iter().filter(|(y, _)| self.owns(y)) {
            let bar = &mut bars[y.i as usize];
            *bar = *bar + y_bar.chain(y.d);
        }
        self.reverse(&mut bars, stop.max(self.inputs.get()));
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
    pub(super) fn reverse(&self, bars: &mut [S], stop: usize) {
        let records = self.records.borrow();
        let mut end = records.len();
        for chunk in std::iter::once(&records.open[..records.filled]).chain(records.full.iter().rev().map(|c| &c[..])) {
            let base = end - chunk.len();
            for (k, record) in chunk.iter().enumerate().take(bars.len().saturating_sub(base)).rev() {
                if base + k < stop {
                    return;
                }
                let y_bar = bars[base + k];
                if y_bar.nothing() {
                    continue;
                }
                let (i0, i1) = (record.i0 as usize, record.i1 as usize);
                // Add, never assign: a value used twice receives one cotangent per use.
                bars[i0] = bars[i0] + y_bar.chain(record.d0);
                bars[i1] = bars[i1] + y_bar.chain(record.d1);
            }
            end = base;
        }
    }
}

impl<S: Scalar> fmt::Debug for Tape<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tape({} records)", self.len())
    }
}

/// The memory of a [`Var`], for a tape of any lifetime.
struct Slot<S> {
    v: S,
    d: S,
    i: u32,
    #[allow(dead_code, reason = "it has the size of a reference")]
    tape: Option<std::ptr::NonNull<()>>,
}

#[cold]
#[inline(never)]
#[track_caller]
pub(super) fn foreign() -> ! {
    panic!(
        "scalar: variables of two tapes in one operation\nhelp: inside a gradient of a gradient, `Var::constant(x)` makes the outer value a constant of the inner one"
    )
}

#[track_caller]
pub(super) fn same_length(function: &str, what: &str, found: usize, wanted: usize) {
    assert!(found == wanted, "scalar::{function}: {what} has {found} numbers, but the function has {wanted}");
}
