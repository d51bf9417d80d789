//! The values of a recorded program.
use super::{Code, Points, Program, Zeros, codes};
use crate::{
    formula::{Functions, Lanes, Number, Plain},
    real::Base,
};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `a < b`
    Less,
    /// `a <= b`
    LessEqual,
    /// `a > b`
    Greater,
    /// `a >= b`
    GreaterEqual,
    /// `a == b`
    Equal,
}

/// An answer that the path of a program rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The question.
    pub relation: Relation,
    /// The answer.
    pub answer: bool,
    /// Of which slots.
    pub slots: [u32; 2],
}

impl Guard {
    #[inline(always)]
    fn holds<F: Base>(self, a: F, b: F) -> bool {
        let answer = match self.relation {
            Relation::Less => a < b,
            Relation::LessEqual => a <= b,
            Relation::Greater => a > b,
            Relation::GreaterEqual => a >= b,
            Relation::Equal => a == b,
        };
        answer == self.answer
    }
}

/// Operations of one kind that are done together for one point, so that the compiler can use vectors.
const TOGETHER: usize = 8;

/// A product of the chain rule in which zero wins.
#[inline(always)]
pub(super) fn guarded<F: Base>(a: F, b: F) -> F {
    let product = a * b;
    if product.is_nan() & ((a == F::zero()) | (b == F::zero())) { F::zero() } else { product }
}

/// One evaluation of all values.
pub(super) struct Forward<'a, F, const L: usize> {
    pub(super) p: &'a Program<F>,
    pub(super) x: Points<'a, F, L>,
    pub(super) v: &'a mut [[F; L]],
    pub(super) zeros: Zeros,
}

impl<F: Lanes, const L: usize> Forward<'_, F, L>
where
    Plain<F>: Functions,
{
    /// All values; in which lanes the guards hold.
    #[inline(always)]
    pub(super) fn all(mut self) -> [bool; L] {
        self.inputs();
        let mut operands = &self.p.operands[..];
        let mut out = self.p.constants.len() + self.p.inputs;
        for &(code, n) in &self.p.runs {
            let (these, rest) = operands.split_at(n as usize * code.width());
            self.step(code, these, out);
            operands = rest;
            out += n as usize;
        }
        let mut hold = [true; L];
        for guard in &self.p.guards {
            let [a, b] = guard.slots.map(|i| &self.v[i as usize]);
            for q in 0..L {
                hold[q] &= guard.holds(a[q], b[q]);
            }
        }
        hold
    }

    #[inline(always)]
    fn inputs(&mut self) {
        let n = self.p.inputs;
        let first = self.p.constants.len();
        for (q, &at) in self.x.at.iter().enumerate() {
            let x = &self.x.x[at as usize * n..][..n];
            for (slot, &x) in self.v[first..first + n].iter_mut().zip(x) {
                slot[q] = x;
            }
        }
    }

    #[inline(always)]
    fn step(&mut self, code: Code, operands: &[u32], out: usize) {
        macro_rules! steps { (unary { $($unary:ident $m1:ident,)* } binary { $($binary:ident $m2:ident,)* } chained { $($chained:ident $m3:ident,)* }) => {
            match code {
                Code::Constant | Code::Input => {}
                $(Code::$unary => self.unary(operands, out, |x| x.$m1()),)*
                Code::Powi => self.with(operands, out, |x, n, _| x.powi(n as i32)),
                Code::Polygamma => self.with(operands, out, |x, n, _| x.polygamma(n)),
                Code::Call => self.with(operands, out, |x, n, calls| Plain(calls[n as usize](x.0))),
                Code::Powf => self.each(operands, out, |[a, b]| Plain(a.0.powf(b.0))),
                $(Code::$binary => self.each(operands, out, |[a, b]| a.$m2(b)),)*
                $(Code::$chained => self.each(operands, out, |[a, b]| a.$m3(b)),)*
                Code::Product if self.zeros == Zeros::Plain => self.each(operands, out, |[a, b]| a * b),
                Code::Product => self.each(operands, out, |[a, b]| Plain(guarded(a.0, b.0))),
                Code::WhereCond => self.each(operands, out, |[c, a, b]| c.where_cond(a, b)),
                Code::MulAdd => self.each(operands, out, |[a, b, c]| Plain(a.0.mul_add(b.0, c.0))),
                Code::MulPlus => self.each(operands, out, |[a, b, c]| c + a * b),
            }
        } }
        codes!(steps);
    }

    /// Operations one by one.
    #[inline(always)]
    fn each<const N: usize>(&mut self, operands: &[u32], out: usize, f: impl Fn([Plain<F>; N]) -> Plain<F>) {
        let operands = operands.as_chunks::<N>().0;
        if L == 1 {
            for (k, operands) in operands.iter().enumerate() {
                self.v[out + k] = [f(operands.map(|i| Plain(self.v[i as usize][0]))).0; L];
            }
            return;
        }
        for (k, operands) in operands.iter().enumerate() {
            // What is read stands before what is written: in one slice, lanes would be copied first.
            let (v, y) = self.v.split_at_mut(out + k);
            let (x, y) = (operands.map(|i| &v[i as usize]), &mut y[0]);
            for q in 0..L {
                y[q] = f(x.map(|x| Plain(x[q]))).0;
            }
        }
    }

    /// Operations that do not read each other's results.
    #[inline(always)]
    fn unary(&mut self, operands: &[u32], out: usize, f: impl Fn(Plain<F>) -> Plain<F>) {
        let (v, y) = self.v.split_at_mut(out);
        let y = &mut y[..operands.len()];
        if L > 1 {
            for (y, &i) in y.iter_mut().zip(operands) {
                let x = &v[i as usize];
                for q in 0..L {
                    y[q] = f(Plain(x[q])).0;
                }
            }
            return;
        }
        let (operands, last) = operands.as_chunks::<TOGETHER>();
        let (y, last_y) = y.as_chunks_mut::<TOGETHER>();
        for (y, operands) in y.iter_mut().zip(operands) {
            let x = operands.map(|i| v[i as usize][0]);
            let mut z = [F::zero(); TOGETHER];
            for k in 0..TOGETHER {
                z[k] = f(Plain(x[k])).0;
            }
            for k in 0..TOGETHER {
                y[k][0] = z[k];
            }
        }
        for (y, &i) in last_y.iter_mut().zip(last) {
            y[0] = f(Plain(v[i as usize][0])).0;
        }
    }

    /// Operations with an attribute.
    #[inline(always)]
    fn with(&mut self, operands: &[u32], out: usize, f: impl Fn(Plain<F>, u32, &[fn(F) -> F]) -> Plain<F>) {
        for (k, operands) in operands.as_chunks::<2>().0.iter().enumerate() {
            let x = self.v[operands[0] as usize];
            self.v[out + k] = x.map(|x| f(Plain(x), operands[1], &self.p.calls).0);
        }
    }
}
