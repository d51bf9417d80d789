//! The handle of a program that is recorded once: operations as codes, and what decided its path.
use super::{Scalar, tape::foreign};
use crate::{formula::Formula, real::Base};
use std::{cell::RefCell, fmt};

/// An operation on several points at once, as a recorded program repeats it.
pub(super) trait Operation<S>: Send + Sync {
    /// `y = f(a, b)`.
    fn value(&self, a: &[S], b: &[S], y: &mut [S]);
    /// The products of `y_bar` with the partial derivatives.
    fn pull(&self, x: Pull<'_, S>, p: &mut [S], q: &mut [S]);
}

/// Operands, result, and the result's cotangent.
pub(super) struct Pull<'a, S> {
    pub(super) a: &'a [S],
    pub(super) b: &'a [S],
    pub(super) y: &'a [S],
    pub(super) y_bar: &'a [S],
}

/// A step of a recorded program: an operation on earlier results. One of a single operand names it twice.
pub(super) struct Step<S> {
    pub(super) op: Box<dyn Operation<S>>,
    pub(super) a: u32,
    pub(super) b: u32,
}

/// What a guard looks at.
#[derive(Clone, Copy)]
pub(super) enum Operand<S> {
    Result(u32),
    Constant(S),
}

/// An answer that the program's path rests on.
pub(super) struct Guard<S> {
    pub(super) operands: [Operand<S>; 2],
    pub(super) holds: Box<dyn Fn(S, S) -> bool + Send + Sync>,
}

/// What is recorded.
pub(super) struct Program<S> {
    pub(super) inputs: usize,
    pub(super) steps: Vec<Step<S>>,
    pub(super) guards: Vec<Guard<S>>,
}

/// Where [`Trace`] records.
pub(super) struct Recorder<S>(pub(super) RefCell<Program<S>>);

/// A number of a program that is recorded by [`Compiled`](super::Compiled): as [`Var`](super::Var) to the function.
///
/// Comparisons, casts and questions (`is_nan`, `classify`, ..) are answered from the point of the recording and kept as guards;
/// `floor` and its like are operations. `mul_add` rounds twice. `Display` and `Debug` show the value of the recording.
#[derive(Clone, Copy)]
pub struct Trace<'t, S: Scalar + Base = f64> {
    pub(super) v: S,
    pub(super) i: u32,
    pub(super) tape: Option<&'t Recorder<S>>,
}

#[derive(Clone, Copy)]
struct One<O>(O);
#[derive(Clone, Copy)]
struct Two<O>(O);
/// With a constant in the first place, or the second.
#[derive(Clone, Copy)]
struct Left<O, S>(O, S);
#[derive(Clone, Copy)]
struct Right<O, S>(O, S);
struct Piecewise<S>(fn(S) -> S);

fn value<S: Scalar, O: Formula<N>, const N: usize>(op: O, x: [S; N]) -> S {
    <S as Scalar>::of(op.value(x.map(S::number)))
}
fn partials<S: Scalar, O: Formula<N>, const N: usize>(op: O, x: [S; N], y: S) -> [S; N] {
    op.partials(x.map(S::number), y.number()).map(<S as Scalar>::of)
}

macro_rules! one { ($t:ty, [$($g:tt)*], |$op:ident, $x:ident, $y:ident| $value:expr, $slope:expr) => {
    impl<S: Scalar + Base, $($g)*> Operation<S> for $t {
        fn value(&self, a: &[S], _: &[S], y: &mut [S]) {
            let $op = self;
            for (&$x, y) in a.iter().zip(y) {
                *y = $value;
            }
        }
        #[allow(unused_variables)]
        fn pull(&self, of: Pull<'_, S>, p: &mut [S], q: &mut [S]) {
            let $op = self;
            for (k, p) in p.iter_mut().enumerate() {
                let ($x, $y) = (of.a[k], of.y[k]);
                *p = of.y_bar[k].chain($slope);
            }
            q.fill(S::zero());
        }
    }
} }
one! { One<O>, [O: Formula<1>], |op, x, y| value(op.0, [x]), partials(op.0, [x], y)[0] }
one! { Left<O, S>, [O: Formula<2>], |op, x, y| value(op.0, [op.1, x]), partials(op.0, [op.1, x], y)[1] }
one! { Right<O, S>, [O: Formula<2>], |op, x, y| value(op.0, [x, op.1]), partials(op.0, [x, op.1], y)[0] }
one! { Piecewise<S>, [], |op, x, y| (op.0)(x), S::zero() }
impl<S: Scalar + Base, O: Formula<2>> Operation<S> for Two<O> {
    fn value(&self, a: &[S], b: &[S], y: &mut [S]) {
        for ((&a, &b), y) in a.iter().zip(b).zip(y) {
            *y = value(self.0, [a, b]);
        }
    }
    fn pull(&self, of: Pull<'_, S>, p: &mut [S], q: &mut [S]) {
        for k in 0..p.len() {
            let [da, db] = partials(self.0, [of.a[k], of.b[k]], of.y[k]);
            (p[k], q[k]) = (of.y_bar[k].chain(da), of.y_bar[k].chain(db));
        }
    }
}

impl<'t, S: Scalar + Base> Trace<'t, S> {
    pub(super) fn constant(x: S) -> Self {
        Self { v: x, i: 0, tape: None }
    }

    fn step(self, b: u32, v: S, op: impl Operation<S> + 'static) -> Self {
        let Some(tape) = self.tape else { return Self::constant(v) };
        let mut program = tape.0.borrow_mut();
        let i = u32::try_from(program.inputs + program.steps.len()).expect("at most 2^32 steps");
        program.steps.push(Step { op: Box::new(op), a: self.i, b });
        Self { v, i, ..self }
    }

    pub(super) fn unary<O: Formula<1>>(self, op: O) -> Self {
        self.step(self.i, value(op, [self.v]), One(op))
    }

    pub(super) fn binary<O: Formula<2>>(self, b: Self, op: O) -> Self {
        let v = value(op, [self.v, b.v]);
        match (self.tape, b.tape) {
            (Some(tape), Some(other)) if !std::ptr::eq(tape, other) => foreign(),
            (Some(_), Some(_)) => self.step(b.i, v, Two(op)),
            (Some(_), None) => self.step(self.i, v, Right(op, b.v)),
            (None, _) => b.step(b.i, v, Left(op, self.v)),
        }
    }

    pub(super) fn piecewise(self, f: fn(S) -> S) -> Self {
        self.step(self.i, f(self.v), Piecewise(f))
    }

    pub(super) fn fused(self, a: Self, b: Self) -> Self {
        self * a + b
    }

    pub(super) fn asks<T: PartialEq + Copy + Send + Sync + 'static>(self, question: fn(S) -> T) -> T {
        let answer = question(self.v);
        self.guard(self, move |v, _| question(v) == answer);
        answer
    }

    pub(super) fn asks2<T: PartialEq + Copy + Send + Sync + 'static>(self, b: Self, question: fn(S, S) -> T) -> T {
        let answer = question(self.v, b.v);
        self.guard(b, move |v, w| question(v, w) == answer);
        answer
    }

    fn guard(self, b: Self, holds: impl Fn(S, S) -> bool + Send + Sync + 'static) {
        let Some(tape) = self.tape.or(b.tape) else { return };
        let operand = |x: Self| match x.tape {
            Some(other) if !std::ptr::eq(tape, other) => foreign(),
            Some(_) => Operand::Result(x.i),
            None => Operand::Constant(x.v),
        };
        let operands = [operand(self), operand(b)];
        tape.0.borrow_mut().guards.push(Guard { operands, holds: Box::new(holds) });
    }

    /// A constant 0: no guard, since no path rests on it.
    pub(super) fn is_nothing(self) -> bool {
        self.tape.is_none() && self.v.nothing()
    }
}

impl<S: Scalar + Base> fmt::Debug for Trace<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({:?})", self.v)
    }
}
