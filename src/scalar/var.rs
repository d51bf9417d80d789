//! The handle of a recorded number.
use super::{
    Scalar,
    tape::{Tape, foreign, same_length},
};
use crate::formula::Formula;
use std::fmt;

/// A number on a [`Tape`]: its value, its derivative with respect to a record, and where that is.
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
    pub(super) i: u32,
    pub(super) tape: Option<&'t Tape<S>>,
}

impl<'t, S: Scalar> Var<'t, S> {
    #[inline(always)]
    pub(super) fn node(v: S, i: u32, tape: &'t Tape<S>) -> Self {
        Self { v, d: S::one(), i, tape: Some(tape) }
    }

    /// A number that no derivative is taken of.
    #[inline(always)]
    pub fn constant(x: S) -> Self {
        Self { v: x, d: S::zero(), i: 0, tape: None }
    }

    /// The number itself.
    #[inline(always)]
    pub fn value(self) -> S {
        self.v
    }

    /// Whether it has no derivative.
    pub fn is_constant(self) -> bool {
        self.tape.is_none()
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
        let Some(tape) = self.tape else { return self };
        Self::node(self.v, tape.push(self.d, self.i, S::zero(), self.i), tape)
    }

    /// The derivatives with respect to `x`: variables, or what [`pin`](Self::pin) made. 0 where it does not depend on one.
    ///
    /// The recording stays: derivatives of other results may be asked for.
    ///
    /// # Panics
    /// If one of `x` is a constant, of another tape, or the result of an operation that is not pinned.
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
        let Some(tape) = self.tape else {
            gradient.fill(S::zero());
            return;
        };
        let mut stop = usize::MAX;
        for x in x {
            match x.tape {
                Some(other) if !std::ptr::eq(other, tape) => foreign(),
                Some(_) if x.d == S::one() => stop = stop.min(x.i as usize + 1),
                _ => unpinned(),
            }
        }
        tape.sweep(&[(self, S::one())], stop, |bars| {
            for (gradient, x) in gradient.iter_mut().zip(x) {
                *gradient = bars.get(x.i as usize).copied().unwrap_or_else(S::zero);
            }
        });
    }

    /// f(self): folded into the handle.
    #[inline(always)]
    pub(super) fn unary<O: Formula<1>>(self, op: O) -> Self {
        let x = self.v.number();
        let y = op.value([x]);
        let [slope] = op.partials([x], y);
        Self { v: S::of(y), d: self.d.chain(S::of(slope)), ..self }
    }

    /// f(self, b): a record, if they belong to two.
    #[inline(always)]
    pub(super) fn binary<O: Formula<2>>(self, b: Self, op: O) -> Self {
        let x = [self.v.number(), b.v.number()];
        let y = op.value(x);
        let [p, q] = op.partials(x, y);
        let v = S::of(y);
        if let Some(tape) = self.tape
            && b.tape.is_some_and(|other| std::ptr::eq(other, tape))
        {
            let (d0, d1) = self.d.chain2(S::of(p), b.d, S::of(q));
            if self.i == b.i {
                return Self { v, d: d0 + d1, ..self };
            }
            return Self { v, d: S::one(), i: tape.push(d0, self.i, d1, b.i), tape: self.tape };
        }
        match (self.tape, b.tape) {
            (_, None) => Self { v, d: self.d.chain(S::of(p)), ..self },
            (None, _) => Self { v, d: b.d.chain(S::of(q)), ..b },
            _ => foreign(),
        }
    }
}

impl<S: Scalar> fmt::Debug for Var<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tape {
            Some(_) => write!(f, "Var({:?}, {:?} of record {})", self.v, self.d, self.i),
            None => write!(f, "Var({:?})", self.v),
        }
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
