//! How the other libraries' numbers are used: as their documentation does.
use crate::objectives::{Number, inherent, with_f64};
use std::cell::Cell;

// What libraries need that make constants through a tape.
thread_local! {
    pub(crate) static REVERSE: Cell<*const reverse::Tape> = const { Cell::new(std::ptr::null()) };
    pub(crate) static RUST_QUANT: Cell<*const RustQuant_autodiff::Graph> = const { Cell::new(std::ptr::null()) };
}

macro_rules! constant_and_value {
    ($constant:expr, $value:expr) => {
        #[inline(always)]
        fn constant(c: f64) -> Self {
            $constant(c)
        }
        #[inline(always)]
        fn value(self) -> f64 {
            $value(&self)
        }
    };
}
macro_rules! by_reference { ($t:ty: $($f:ident)*) => { $(
    #[inline(always)]
    fn $f(self) -> Self {
        <$t>::$f(&self)
    }
)* } }
macro_rules! by_trait { ($t:path: $($f:ident)*) => { $(
    #[inline(always)]
    fn $f(self) -> Self {
        use $t as Functions;
        Functions::$f(self)
    }
)* } }
/// Operators with f64 on the right alone.
macro_rules! with_f64_right {
    (|$x:ident, $c:ident| $sub_from:expr, $div_from:expr) => {
        #[inline(always)]
        fn plus(self, c: f64) -> Self {
            self + c
        }
        #[inline(always)]
        fn times(self, c: f64) -> Self {
            self * c
        }
        #[inline(always)]
        fn sub_from(self, $c: f64) -> Self {
            let $x = self;
            $sub_from
        }
        #[inline(always)]
        fn div_from(self, $c: f64) -> Self {
            let $x = self;
            $div_from
        }
    };
}

impl Number for reverse::Var<'_> {
    // SAFETY: the pointer is set before an objective runs, to a tape that lives until it has run.
    constant_and_value!(|v| unsafe { (*REVERSE.get()).add_var(v) }, |x: &reverse::Var<'_>| x.val);
    // reverse 0.2.2 differentiates `f64 / Var` as -1/x: go round it.
    with_f64_right!(|x, c| c - x, x.recip() * c);
    by_reference!(Self: exp ln sqrt sin cos tanh);
}
impl<'a> Number for aad::Variable<'a, f64> {
    constant_and_value!(Self::constant, |x: &Self| x.value());
    with_f64!();
    inherent!(aad::Variable<'a, f64>: exp ln sqrt sin cos tanh);
}
impl<'a> Number for RustQuant_autodiff::Variable<'a> {
    // SAFETY: as above.
    constant_and_value!(|v| unsafe { (*RUST_QUANT.get()).var(v) }, |x: &Self| x.value());
    with_f64!();
    inherent!(RustQuant_autodiff::Variable<'a>: exp ln sqrt sin cos tanh);
}
impl Number for easy_ml::differentiation::Record<'_, f64> {
    constant_and_value!(Self::constant, |x: &Self| x.number);
    with_f64_right!(|x, c| -x + c, Self::constant(c) / x);
    by_trait!(easy_ml::numeric::extra::Exp: exp);
    by_trait!(easy_ml::numeric::extra::Ln: ln);
    by_trait!(easy_ml::numeric::extra::Sqrt: sqrt);
    by_trait!(easy_ml::numeric::extra::Sin: sin);
    by_trait!(easy_ml::numeric::extra::Cos: cos);
    #[inline(always)]
    fn tanh(self) -> Self {
        let y = self.number.tanh();
        let result = self.unary(|_| y, |_| 1.0 - y * y);
        Self::from_existing((result.number, result.index), self.history())
    }
}
impl Number for ad_trait::reverse_ad::adr::adr {
    constant_and_value!(<Self as ad_trait::AD>::constant, |x: &Self| x.value());
    #[inline(always)]
    fn plus(self, c: f64) -> Self {
        <Self as ad_trait::AD>::add_scalar(c, self)
    }
    #[inline(always)]
    fn times(self, c: f64) -> Self {
        <Self as ad_trait::AD>::mul_scalar(c, self)
    }
    #[inline(always)]
    fn sub_from(self, c: f64) -> Self {
        <Self as ad_trait::AD>::sub_l_scalar(c, self)
    }
    #[inline(always)]
    fn div_from(self, c: f64) -> Self {
        <Self as ad_trait::AD>::div_l_scalar(c, self)
    }
    by_trait!(nalgebra33::ComplexField: exp ln sqrt sin cos tanh);
}
impl Number for echidna::Reverse<f64> {
    constant_and_value!(Self::constant, |x: &Self| echidna::Scalar::value(x));
    with_f64!();
    by_trait!(num_traits::Float: exp ln sqrt sin cos tanh);
}
impl Number for echidna::BReverse<f64> {
    constant_and_value!(Self::constant, |x: &Self| echidna::Scalar::value(x));
    with_f64!();
    by_trait!(num_traits::Float: exp ln sqrt sin cos tanh);
    #[inline(always)]
    fn relu(self) -> Self {
        num_traits::Float::max(self, Self::constant(0.0))
    }
}
impl<const N: usize> Number for num_dual::DualSVec<f64, N> {
    constant_and_value!(Self::from_re, |x: &Self| x.re);
    with_f64_right!(|x, c| -x + c, num_dual::DualNum::recip(&x) * c);
    #[inline(always)]
    fn exp(self) -> Self {
        num_dual::DualNum::exp(&self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        num_dual::DualNum::ln(&self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        num_dual::DualNum::sqrt(&self)
    }
    #[inline(always)]
    fn sin(self) -> Self {
        num_dual::DualNum::sin(&self)
    }
    #[inline(always)]
    fn cos(self) -> Self {
        num_dual::DualNum::cos(&self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        num_dual::DualNum::tanh(&self)
    }
}
