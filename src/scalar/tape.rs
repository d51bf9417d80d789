//! The tape: where records of two partial derivatives are written.
use super::{Scalar, Var};
use crate::kernel::{Records, Stored};
use std::{
    cell::{Cell, RefCell},
    fmt,
};

/// What a binary operation leaves: its partial derivatives, and the records they belong to.
#[derive(Clone, Copy)]
pub(super) struct Record<S> {
    pub(super) d0: S,
    pub(super) d1: S,
    pub(super) i0: u32,
    pub(super) i1: u32,
}

impl<S: Scalar> Stored for Record<S> {
    const DEPTH: usize = S::DEPTH;
    fn nothing() -> Self {
        Self { d0: S::zero(), d1: S::zero(), i0: 0, i1: 0 }
    }
}

/// The memory of a tape.
pub(super) type Memory<S> = Records<Record<S>, More<S>>;

/// What a tape keeps beside its records.
pub(super) struct More<S: Scalar> {
    /// How many variables were made before the first operation.
    pub(super) inputs: Cell<usize>,
    /// Room for the sweep, kept: all zeros.
    pub(super) bars: RefCell<Vec<S>>,
    /// Room for the inputs of [`value_and_grad`](Tape::value_and_grad), kept: always empty.
    room: Vec<Slot<S>>,
    /// The tape of scopes on this one.
    pub(super) inner: RefCell<Option<Box<Tape<S>>>>,
}

/// Where operations on [`Var`] are recorded, for a reverse sweep.
///
/// Operations of one variable leave no record: a handle carries its derivative with respect to the last record. An operation
/// of two leaves one of 24 bytes (f64), unless both handles belong to one record. Memory is kept and used again.
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
/// A tape may be sent to another thread; there, and when it comes back, it starts anew.
///
/// A handle cannot outlive its recording:
/// ```compile_fail,E0502
/// use chainrule::scalar::Tape;
/// let mut tape = Tape::new();
/// let x = tape.begin().var(1.0);
/// tape.begin();
/// println!("{}", x + 1.0);
/// ```
pub struct Tape<S: Scalar>(pub(super) Memory<S>);

impl<S: Scalar> Default for Tape<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Scalar> Tape<S> {
    /// An empty tape.
    pub fn new() -> Self {
        Self(Records::new(More {
            inputs: Cell::new(0),
            bars: RefCell::default(),
            room: vec![],
            inner: RefCell::default(),
        }))
    }

    /// Starts anew: no records, no handles; memory is kept.
    pub fn begin(&mut self) -> &Self {
        self.start(0);
        self
    }

    fn start(&mut self, inputs: usize) {
        self.0.start(inputs);
        self.0.more.inputs.set(inputs);
    }

    /// A variable with the value `x`.
    #[inline]
    pub fn var(&self, x: S) -> Var<'_, S> {
        let at = self.0.push(Record::nothing());
        let (inputs, index) = (&self.0.more.inputs, at.index() as usize);
        // Fewer records than there were variables: on another thread a tape starts anew.
        if index <= inputs.get() {
            inputs.set(index + 1);
        }
        Var::node(x, at)
    }

    /// A variable for each number of `x`.
    pub fn vars(&self, x: &[S]) -> Vec<Var<'_, S>> {
        x.iter().map(|&x| self.var(x)).collect()
    }

    /// How many records there are, one for each variable and each operation of two.
    pub fn len(&self) -> usize {
        self.0.count()
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
        self.with_vars(x.iter().copied(), |tape, x| {
            let y = f(x);
            tape.0.sweep(&[(y, [S::one()])], 0, false, |bars| gradient.copy_from_slice(bars[..x.len()].as_flattened()));
            y.value()
        })
    }

    /// The values of the `M` results of `f` at `x`; their derivatives are put into `rows`, those of a result one after the
    /// other. Nothing is allocated after the first evaluation, if `f` allocates nothing.
    ///
    /// ```
    /// use chainrule::scalar::Tape;
    /// let (mut tape, mut j) = (Tape::new(), [0.0; 4]);
    /// let y = tape.value_and_jacobian(|x| [x[0] * x[1], x[0].exp()], &[0.0, 3.0], &mut j);
    /// assert_eq!((y, j), ([0.0, 1.0], [3.0, 0.0, 1.0, 0.0]));
    /// ```
    ///
    /// # Panics
    /// If `rows` has not `M` times the length of `x`, or `f` gives a variable of another tape.
    #[track_caller]
    pub fn value_and_jacobian<G, const M: usize>(&mut self, f: G, x: &[S], rows: &mut [S]) -> [S; M]
    where
        G: for<'t> FnOnce(&[Var<'t, S>]) -> [Var<'t, S>; M],
    {
        same_length("value_and_jacobian", "rows", rows.len(), M * x.len());
        self.with_vars(x.iter().copied(), |tape, x| {
            let y = f(x);
            let mut k = 0;
            let outputs = y.map(|y| {
                k += 1;
                (y, unit(k - 1))
            });
            tape.0.sweep(&outputs, 0, false, |bars: &[[S; M]]| {
                for (k, row) in rows.chunks_exact_mut(x.len().max(1)).enumerate() {
                    row.iter_mut().zip(bars).for_each(|(d, bar)| *d = bar[k]);
                }
            });
            y.map(Var::value)
        })
    }

    /// Starts anew with a variable for each number of `x`, in room that is kept.
    #[track_caller]
    pub(super) fn with_vars<R>(
        &mut self,
        x: impl ExactSizeIterator<Item = S>,
        f: impl for<'t> FnOnce(&'t Self, &[Var<'t, S>]) -> R,
    ) -> R {
        let room = std::mem::take(&mut self.0.more.room);
        let n = x.len();
        self.start(n);
        let tape = &*self;
        // Collecting what a vector gave keeps its memory: the element types have one layout.
        let mut vars: Vec<Var<'_, S>> = room.into_iter().map(|_| unreachable!("an empty room")).collect();
        vars.extend(x.zip(tape.0.handles(n)).map(|(x, at)| Var::node(x, at)));
        let result = f(tape, &vars);
        vars.clear();
        self.0.more.room = vars.into_iter().map(|x| Slot { v: x.v, d: x.d, at: 0 }).collect();
        result
    }
}

impl<S: Scalar> fmt::Debug for Tape<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tape({} records)", self.len())
    }
}

/// The memory of a [`Var`], for a tape of any lifetime: never read.
#[allow(dead_code, reason = "it has the layout of a Var")]
struct Slot<S> {
    v: S,
    d: S,
    at: u64,
}

#[cold]
#[inline(never)]
#[track_caller]
pub(super) fn foreign() -> ! {
    panic!(
        "scalar: variables of two tapes in one operation\nhelp: inside a gradient of a gradient, `Var::constant(x)` makes the outer value a constant of the inner one"
    )
}

/// Cotangents of one result among some.
pub(super) fn unit<S: Scalar, const M: usize>(k: usize) -> [S; M] {
    let mut bars = [S::zero(); M];
    bars[k] = S::one();
    bars
}

#[track_caller]
pub(super) fn same_length(function: &str, what: &str, found: usize, wanted: usize) {
    assert!(found == wanted, "scalar::{function}: {what} has {found} numbers, but the function has {wanted}");
}
