//! The handle of a recorded number.
use super::{
    Scalar,
    tape::{More, Record, foreign, same_length},
};
use crate::{
    formula::{Formula, moves_only},
    kernel::{Handle, Pen},
};
use std::fmt;

/// Where a record is.
pub(super) type At<'t, S> = Handle<'t, Record<S>, More<S>>;

/// A number on a [`Tape`](super::Tape): its value, its derivative with respect to a record, and where that is.
///
/// `Copy`, and a [`num_traits::Float`]: a function written for that works unchanged. Everything is an inherent method, too,
/// so a closure needs no import. Plain numbers (f64, also for `Var<f32>`) may stand on either side of an operator.
///
/// A number without a tape is a constant: what `NumCast`, `Zero` and [`Var::constant`] make. Comparisons, casts and
/// `Display` read the value alone; a branch has the derivative of the side taken. `floor`, `ceil`, `round`, `trunc` and
/// `signum` give constants: their derivative is 0.
///
/// Where a derivative does not exist, docs/conventions.md says what is taken.
#[derive(Clone, Copy)]
pub struct Var<'t, S: Scalar = f64> {
    pub(super) v: S,
    /// d value / d record.
    pub(super) d: S,
    pub(super) at: At<'t, S>,
}

impl<'t, S: Scalar> Var<'t, S> {
    #[inline(always)]
    pub(super) fn node(v: S, at: At<'t, S>) -> Self {
        Self { v, d: S::one(), at }
    }

    /// A number that no derivative is taken of.
    #[inline(always)]
    pub fn constant(x: S) -> Self {
        Self { v: x, d: S::zero(), at: Handle::NONE }
    }

    /// The number itself.
    #[inline(always)]
    pub fn value(self) -> S {
        self.v
    }

    /// Whether it has no derivative.
    pub fn is_constant(self) -> bool {
        self.at.is_none()
    }

    /// The same number as a record of its own, so that derivatives with respect to it can be asked for.
    ///
    /// ```
    /// let tape = chainrule::scalar::Tape::new();
    /// let x = tape.var(3.0);
    /// let h = x.square().pin();
    /// assert_eq!((2.0 * h).grads_of(&[h, x]), [2.0, 12.0]);
    /// ```
    pub fn pin(self) -> Self {
        if self.is_constant() { self } else { Self::node(self.v, pinned(self.at, self.d)) }
    }

    /// The derivatives with respect to `x`: variables, or what [`pin`](Self::pin) made. 0 where it does not depend on one.
    ///
    /// The recording stays: derivatives of other results may be asked for.
    ///
    /// # Panics
    /// If one of `x` is a constant, of another tape, or the result of an operation that is not pinned. (A variable and a constant added
    /// stand for the variable.)
    #[track_caller]
    pub fn grads_of(self, x: &[Self]) -> Vec<S> {
        let mut gradient = vec![S::zero(); x.len()];
        self.grads_into(x, &mut gradient);
        gradient
    }

    /// As [`grads_of`](Self::grads_of), into memory of one's own.
    ///
    /// # Panics
    /// As [`grads_of`](Self::grads_of), and if `gradient` has not the length of `x`.
    #[track_caller]
    pub fn grads_into(self, x: &[Self], gradient: &mut [S]) {
        same_length("grads_into", "gradient", gradient.len(), x.len());
        let Some(tape) = self.at.records() else {
            gradient.fill(S::zero());
            return;
        };
        let (mut stop, mut keep) = (usize::MAX, false);
        for x in x {
            match () {
                // With its own derivatives: numbers are equal where their values are.
                () if x.is_constant() || !(x.d - S::one()).nothing() => unpinned(),
                () if !x.at.beside(self.at) => foreign(),
                () => {
                    stop = stop.min(x.at.index() as usize + 1);
                    keep |= x.at.index() as usize >= tape.more.inputs.get();
                }
            }
        }
        tape.sweep(&[(self, [S::one()])], stop, keep, |bars| {
            for (gradient, x) in gradient.iter_mut().zip(x) {
                *gradient = bars.get(x.at.index() as usize).map_or_else(S::zero, |bar| bar[0]);
            }
        });
    }

    /// f(self): folded into the handle.
    #[inline(always)]
    pub(super) fn unary<O: Formula<1>>(self, op: O) -> Self {
        let x = self.v.number();
        let y = op.value([x]);
        let [slope] = op.partials([x], y);
        self.fold(S::of(y), S::of(slope), moves_only::<O>())
    }

    /// f(self, b): a record, if they belong to two.
    #[inline(always)]
    pub(super) fn binary<O: Formula<2>>(self, b: Self, op: O) -> Self {
        let x = [self.v.number(), b.v.number()];
        let y = op.value(x);
        let [p, q] = op.partials(x, y);
        let (v, p, q) = (S::of(y), S::of(p), S::of(q));
        if !S::PLAIN {
            return self.join_nested(b, v, p, q);
        }
        // The pen is taken and put on every path: what is read from memory after two paths meet costs the time of a store and a load.
        let moves = moves_only::<O>();
        let mut pen = Pen::take();
        let usual = pen.holds(self.at, b.at);
        let y = if !usual && b.at.is_none() {
            self.fold_with(v, p, moves, &mut pen)
        } else if !usual && self.at.is_none() {
            b.fold_with(v, q, moves, &mut pen)
        } else {
            self.join(b, v, p, q, moves, &mut pen)
        };
        pen.put();
        y
    }

    #[inline(always)]
    pub(super) fn fold(self, v: S, slope: S, moves: bool) -> Self {
        if !S::PLAIN {
            return Self { v, d: self.d.chain(slope), ..self };
        }
        let mut pen = Pen::take();
        let y = self.fold_with(v, slope, moves, &mut pen);
        pen.put();
        y
    }

    /// A function of this number alone. The derivative of a handle is finite: one that is not becomes a record of its own, so that sums
    /// and differences record it as it is.
    #[inline(always)]
    fn fold_with(self, v: S, slope: S, moves: bool, pen: &mut Pen<Record<S>>) -> Self {
        let d = self.d * slope;
        if moves || d.abs() < S::infinity() {
            return Self { v, d, ..self };
        }
        pen.put();
        let (d, at) = steep(self.d, self.at, slope);
        *pen = Pen::take();
        Self { v, d, at }
    }

    #[inline(always)]
    fn join(self, b: Self, v: S, p: S, q: S, moves: bool, pen: &mut Pen<Record<S>>) -> Self {
        let (d0, d1) = if moves { (self.d * p, b.d * q) } else { self.d.chain2(p, b.d, q) };
        if self.at == b.at {
            return Self { v, d: d0 + d1, ..self };
        }
        let record = Record { d0, d1, i0: self.at.index(), i1: b.at.index() };
        Self::node(v, pen.write(self.at, b.at, record, foreign))
    }

    /// As `join`, where products are operations of another tape.
    fn join_nested(self, b: Self, v: S, p: S, q: S) -> Self {
        if b.at.is_none() {
            return self.fold(v, p, false);
        }
        if self.at.is_none() {
            return b.fold(v, q, false);
        }
        let (d0, d1) = self.d.chain2(p, b.d, q);
        if self.at == b.at {
            return Self { v, d: d0 + d1, ..self };
        }
        let record = Record { d0, d1, i0: self.at.index(), i1: b.at.index() };
        Self::node(v, self.at.push(b.at, record, foreign))
    }
}

#[cold]
#[inline(never)]
fn steep<S: Scalar>(d: S, at: At<'_, S>, slope: S) -> (S, At<'_, S>) {
    let d = d.chain(slope);
    if d.is_finite() || at.is_none() { (d, at) } else { (S::one(), pinned(at, d)) }
}

/// A record of one number.
fn pinned<'t, S: Scalar>(at: At<'t, S>, d: S) -> At<'t, S> {
    let record = Record { d0: d, d1: S::zero(), i0: at.index(), i1: at.index() };
    at.push(at, record, foreign)
}

impl<S: Scalar> fmt::Debug for Var<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_constant() {
            return write!(f, "Var({:?})", self.v);
        }
        write!(f, "Var({:?}, {:?} of record {})", self.v, self.d, self.at.index())
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn unpinned() -> ! {
    panic!(
        "scalar: derivatives are with respect to variables of the tape\nhelp: `x.pin()` makes a record of an intermediate result, to be used from there on"
    )
}
