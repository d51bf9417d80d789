//! The number that writes down what a formula does: the rows of the table give the primitives of values and of derivatives.
use super::{Scalar, recorder::Recorder};
use crate::{
    formula::{Functions, Number},
    kernel::{Code, Programs},
    real::Base,
};
use std::ops;

/// A value of the recording and the primitive that gives it.
pub(super) struct Symbol<'r, S> {
    pub(super) v: S,
    pub(super) at: u32,
    pub(super) tape: &'r Recorder<S>,
}

impl<S: Copy> Clone for Symbol<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S: Copy> Copy for Symbol<'_, S> {}

impl<'r, S: Scalar + Programs> Symbol<'r, S> {
    /// A primitive; one of constants is a constant.
    fn emit(self, code: Code, operands: [u32; 3], v: S::Number) -> Self {
        let v = <S as Scalar>::of(v);
        let reads = &operands[..code.slots()];
        let known = reads.iter().all(|&x| self.tape.known(x).is_some());
        let at = if known { self.tape.constant(v) } else { self.tape.node(code, operands) };
        Self { v, at, ..self }
    }
    fn unary(self, code: Code, f: impl FnOnce(S::Number) -> S::Number) -> Self {
        self.emit(code, [self.at, 0, 0], f(self.v.number()))
    }
    fn binary(self, b: Self, code: Code, f: impl FnOnce(S::Number, S::Number) -> S::Number) -> Self {
        self.emit(code, [self.at, b.at, 0], f(self.v.number(), b.v.number()))
    }
    fn constant(self, v: S) -> Self {
        Self { v, at: self.tape.constant(v), ..self }
    }
    /// `self * a + b`, rounded once.
    pub(super) fn mul_add(self, a: Self, b: Self) -> Self {
        self.emit(Code::MulAdd, [self.at, a.at, b.at], self.v.mul_add(a.v, b.v).number())
    }
}

macro_rules! operators { ($($op:ident $method:ident;)*) => { $(
    impl<S: Scalar + Programs> ops::$op for Symbol<'_, S> {
        type Output = Self;
        fn $method(self, b: Self) -> Self {
            self.binary(b, Code::$op, ops::$op::$method)
        }
    }
)* } }
operators! { Add add; Sub sub; Mul mul; Div div; }
impl<S: Scalar + Programs> ops::Neg for Symbol<'_, S> {
    type Output = Self;
    fn neg(self) -> Self {
        self.unary(Code::Neg, ops::Neg::neg)
    }
}

macro_rules! one { ($($code:ident $method:ident)*) => { $(
    fn $method(self) -> Self {
        self.unary(Code::$code, |x| x.$method())
    }
)* } }
macro_rules! two { ($($code:ident $method:ident)*) => { $(
    fn $method(self, b: Self) -> Self {
        self.binary(b, Code::$code, |a, b| a.$method(b))
    }
)* } }

impl<S: Scalar + Programs> Number for Symbol<'_, S> {
    fn lit(self, c: f64) -> Self {
        self.constant(<S as Base>::of(c))
    }
    one! {
        Abs abs Sign sign Step step Exp exp Ln ln ExpM1 exp_m1 Ln1p ln_1p Sin sin Cos cos Tan tan Sqrt sqrt Recip recip Tanh tanh
        Sech2 sech2 Sigmoid sigmoid SigmoidSlope sigmoid_slope Softplus softplus Relu relu Erf erf Erfc erfc Gauss gauss
        NormalCdf normal_cdf NormalPdf normal_pdf
    }
    two! { Maximum maximum Minimum minimum Gt gt Ge ge Chain chain }
    fn powi(self, n: i32) -> Self {
        self.emit(Code::Powi, [self.at, n as u32, 0], self.v.number().powi(n))
    }
    fn powf(self, p: f64) -> Self {
        let exponent = self.tape.constant(<S as Base>::of(p));
        self.emit(Code::Powf, [self.at, exponent, 0], self.v.number().powf(p))
    }
    fn where_cond(self, a: Self, b: Self) -> Self {
        match self.tape.known(self.at) {
            Some(c) if c == S::zero() => b,
            Some(_) => a,
            None => {
                let v = self.v.number().where_cond(a.v.number(), b.v.number());
                self.emit(Code::WhereCond, [self.at, a.at, b.at], v)
            }
        }
    }
}

impl<S: Scalar + Programs> Functions for Symbol<'_, S> {
    one! {
        Exp2 exp2 Log2 log2 Log10 log10 Cbrt cbrt Asin asin Acos acos Atan atan Sinh sinh Cosh cosh Asinh asinh Acosh acosh
        Atanh atanh LnGamma ln_gamma Round round
    }
    two! { Pow pow Hypot hypot Atan2 atan2 Remainder remainder }
    fn polygamma(self, n: u32) -> Self {
        self.emit(Code::Polygamma, [self.at, n, 0], self.v.number().polygamma(n))
    }
}
