//! The handle of a program that is recorded once: as [`Var`](super::Var), with primitives where that has numbers.
use super::{
    Scalar,
    recorder::{Entry, Recorder},
    symbol::Symbol,
    tape::foreign,
};
use crate::{
    formula::Formula,
    kernel::{Programs, Relation},
};
use std::{cmp::Ordering, fmt};

/// No record: no variable is in it, or only by its value.
const NONE: u32 = u32::MAX;

/// A number of a program that is recorded by [`Compiled`](super::Compiled): as [`Var`](super::Var) to the function.
///
/// Comparisons, casts and questions (`is_nan`, `classify`, ..) are answered from the point of the recording and kept as guards;
/// `floor` and its like are operations. `Display` and `Debug` show the value of the recording.
///
/// Numbers of two recordings do not mix:
/// ```compile_fail
/// use chainrule::scalar::Compiled;
/// Compiled::record(|x| { Compiled::record(|y| y[0] * x[0], &[1.0]).grad(&[1.0]); x[0] }, &[2.0]);
/// ```
/// while constants are of every one:
/// ```
/// use chainrule::scalar::Compiled;
/// Compiled::record(|x| { Compiled::record(|y| y[0] * 2.0, &[1.0]).grad(&[1.0]); x[0] }, &[2.0]);
/// ```
#[derive(Clone, Copy)]
pub struct Trace<'t, S: Scalar + Programs = f64> {
    pub(super) v: S,
    /// The primitives of its value and of its derivative with respect to its record.
    at: u32,
    d: u32,
    i: u32,
    pub(super) tape: Option<&'t Recorder<S>>,
}

/// What a program gives: its value, and a record with the derivative with respect to it.
pub(super) enum Answer<S> {
    Constant(S),
    Value(u32),
    Record { at: u32, d: u32, i: u32 },
}

impl<'t, S: Scalar + Programs> Trace<'t, S> {
    pub(super) fn constant(x: S) -> Self {
        Self { v: x, at: 0, d: 0, i: NONE, tape: None }
    }

    pub(super) fn input(tape: &'t Recorder<S>, i: u32, v: S) -> Self {
        Self { v, at: i, d: tape.constant(S::one()), i, tape: Some(tape) }
    }

    pub(super) fn answer(self, recorder: &Recorder<S>) -> Answer<S> {
        match self.tape {
            None => Answer::Constant(self.v),
            Some(tape) if !std::ptr::eq(tape, recorder) => foreign(),
            Some(_) if self.i == NONE => Answer::Value(self.at),
            Some(_) => Answer::Record { at: self.at, d: self.d, i: self.i },
        }
    }

    /// As primitive on a tape, of which it may not be.
    fn on(self, tape: &'t Recorder<S>) -> Symbol<'t, S> {
        match self.tape {
            None => tape.symbol(self.v, tape.constant(self.v)),
            Some(other) if !std::ptr::eq(other, tape) => foreign(),
            Some(_) => tape.symbol(self.v, self.at),
        }
    }

    fn value(y: Symbol<'t, S>) -> Self {
        Self { v: y.v, at: y.at, d: 0, i: NONE, tape: Some(y.tape) }
    }

    pub(super) fn unary<O: Formula<1>>(self, op: O) -> Self {
        let Some(tape) = self.tape else {
            return Self::constant(<S as Scalar>::of(op.value([self.v.number()])));
        };
        let x = self.on(tape);
        let y = op.value([x]);
        if self.i == NONE {
            return Self::value(y);
        }
        let [slope] = op.partials([x], y);
        Self { d: tape.product(self.d, slope.at), i: self.i, ..Self::value(y) }
    }

    pub(super) fn binary<O: Formula<2>>(self, b: Self, op: O) -> Self {
        let Some(tape) = self.tape.or(b.tape) else {
            return Self::constant(<S as Scalar>::of(op.value([self.v.number(), b.v.number()])));
        };
        let x = [self.on(tape), b.on(tape)];
        let y = op.value(x);
        let result = Self::value(y);
        if self.i == NONE && b.i == NONE {
            return result;
        }
        let [p, q] = op.partials(x, y);
        if b.i == NONE {
            return Self { d: tape.product(self.d, p.at), i: self.i, ..result };
        }
        if self.i == NONE {
            return Self { d: tape.product(b.d, q.at), i: b.i, ..result };
        }
        let d = [tape.product(self.d, p.at), tape.product(b.d, q.at)];
        if self.i == b.i {
            return Self { d: tape.sum(d[0], d[1]), i: self.i, ..result };
        }
        Self { d: tape.constant(S::one()), i: tape.push(Entry { i: [self.i, b.i], d }), ..result }
    }

    /// A function whose derivative is 0.
    pub(super) fn piecewise(self, f: fn(S) -> S) -> Self {
        let Some(tape) = self.tape else { return Self::constant(f(self.v)) };
        Self::value(tape.symbol(f(self.v), tape.call(self.at, f)))
    }

    /// The value alone.
    pub(super) fn without_derivative(self) -> Self {
        Self { i: NONE, ..self }
    }

    /// `self * a + b`, with the value rounded once.
    pub(super) fn fused(self, a: Self, b: Self) -> Self {
        let twice = self * a + b;
        let Some(tape) = twice.tape else { return Self::constant(self.v.mul_add(a.v, b.v)) };
        let once = self.on(tape).mul_add(a.on(tape), b.on(tape));
        Self { v: once.v, at: once.at, ..twice }
    }

    pub(super) fn asks<T: PartialEq + Send + Sync + 'static>(self, question: fn(S) -> T) -> T {
        if let Some(tape) = self.tape {
            let answer = question(self.v);
            tape.asked(move |v| question(v) == answer, self.at);
        }
        question(self.v)
    }

    pub(super) fn compares(self, b: Self, relation: Relation, question: fn(S, S) -> bool) -> bool {
        let answer = question(self.v, b.v);
        if let Some(tape) = self.tape.or(b.tape) {
            tape.compared(relation, answer, [self.on(tape).at, b.on(tape).at]);
        }
        answer
    }

    pub(super) fn ordering(self, b: Self) -> Option<Ordering> {
        use Ordering::{Equal, Greater, Less};
        let answer = self.v.partial_cmp(&b.v);
        match answer {
            Some(Less) => _ = self < b,
            Some(Equal) => _ = self == b,
            Some(Greater) => _ = self > b,
            None => _ = (self <= b, self >= b), // false, both: one is NaN
        }
        answer
    }

    /// A constant 0: no guard, since no path rests on it.
    pub(super) fn is_nothing(self) -> bool {
        self.tape.is_none() && self.v.nothing()
    }
}

impl<S: Scalar + Programs> fmt::Debug for Trace<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({:?})", self.v)
    }
}
