//! `+ - * /` on concrete types, by value and by reference.
use crate::{
    core::{TensorLike, Var},
    tensor::{Real, Tensor},
};
use std::ops;

macro_rules! operators { ($($trait:ident $method:ident)*) => { $(
    operators! { @ $trait $method [] Tensor<F>, Tensor<F> => Tensor<F> }
    operators! { @ $trait $method ['a,] Tensor<F>, &'a Tensor<F> => Tensor<F> }
    operators! { @ $trait $method ['a,] &'a Tensor<F>, Tensor<F> => Tensor<F> }
    operators! { @ $trait $method ['a, 'b,] &'a Tensor<F>, &'b Tensor<F> => Tensor<F> }
    operators! { @ $trait $method ['t,] Var<'t, F>, Var<'t, F> => Var<'t, F> }
    operators! { @ $trait $method ['a, 't,] Var<'t, F>, &'a Var<'t, F> => Var<'t, F> }
    operators! { @ $trait $method ['a, 't,] &'a Var<'t, F>, Var<'t, F> => Var<'t, F> }
    operators! { @ $trait $method ['a, 'b, 't,] &'a Var<'t, F>, &'b Var<'t, F> => Var<'t, F> }
)* };
(@ $trait:ident $method:ident [$($g:tt)*] $a:ty, $b:ty => $out:ty) => {
    impl<$($g)* F: Real> ops::$trait<$b> for $a {
        type Output = $out;
        #[track_caller]
        #[inline]
        fn $method(self, b: $b) -> $out {
            <$out as TensorLike>::$method(&self, &b)
        }
    }
} }
operators! { Add add Sub sub Mul mul Div div }

// Numbers are f64 for both element types. With f32 beside it, the type of the literal in `(x * 2.0).sum()` would be open.
macro_rules! scalars { ($([$($g:tt)*] $t:ty => $out:ty;)*) => { $(
    impl<$($g)* F: Real> ops::Neg for $t {
        type Output = $out;
        #[track_caller]
        fn neg(self) -> $out {
            <$out as TensorLike>::neg(&self)
        }
    }
    scalars! { @ [$($g)*] Mul mul $t, f64 => $out, |x, c| x.scale(c) }
    scalars! { @ [$($g)*] Mul mul f64, $t => $out, |c, x| x.scale(c) }
    scalars! { @ [$($g)*] Div div $t, f64 => $out, |x, c| x.div_scalar(c) }
    scalars! { @ [$($g)*] Div div f64, $t => $out, |c, x| <$out as TensorLike>::div(&x.constant(&Tensor::filled([], F::of(c))), &x) }
    scalars! { @ [$($g)*] Add add $t, f64 => $out, |x, c| x.add_scalar(c) }
    scalars! { @ [$($g)*] Add add f64, $t => $out, |c, x| x.add_scalar(c) }
    scalars! { @ [$($g)*] Sub sub $t, f64 => $out, |x, c| x.add_scalar(-c) }
    scalars! { @ [$($g)*] Sub sub f64, $t => $out, |c, x| <$out as TensorLike>::neg(&x).add_scalar(c) }
)* };
(@ [$($g:tt)*] $trait:ident $method:ident $a:ty, $b:ty => $out:ty, |$x:ident, $y:ident| $body:expr) => {
    impl<$($g)* F: Real> ops::$trait<$b> for $a {
        type Output = $out;
        #[track_caller]
        fn $method(self, b: $b) -> $out {
            let ($x, $y) = (self, b);
            $body
        }
    }
} }
scalars! {
    [] Tensor<F> => Tensor<F>;
    ['a,] &'a Tensor<F> => Tensor<F>;
    ['t,] Var<'t, F> => Var<'t, F>;
    ['a, 't,] &'a Var<'t, F> => Var<'t, F>;
}
