//! The rows of the table as ops, and the two linear ones whose rules need no kernel.
use super::{
    fail,
    shape::{broadcast, common_shape},
    shape_error,
};
use crate::{
    core::{Op, Saved, TensorLike, Vjp},
    formula::*,
    kernel::{MapOp, Pass},
    tensor::{Real, Shape, Tensor},
};
use std::borrow::Cow;

macro_rules! ops { ($($(#[$doc:meta])* $op:ident { $($attr:ident: $ty:ty),* }, $method:ident, ($($x:ident),+) = $v:expr; $y:ident => $d:expr;)*) => { $(
    impl<F: Real> Op<F> for $op {
        const NAME: &'static str = stringify!($method);
        const ELEMENTWISE: bool = true;
        #[inline]
        fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
            map(*self, x.try_into().expect("arity"))
        }
        #[inline]
        fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
            T::map_vjp(*self, cx, y_bar);
        }
    }
)* } }
elementwise!(ops);

/// A formula of one's own as an op: value and partial derivatives in one `impl` [`Elementwise`], for one to three inputs
/// that broadcast. Kernels, higher orders and broadcasting come with it.
///
/// ```
/// use chainrule::{formula::{Elementwise, Number}, op::Map, prelude::*};
/// #[derive(Clone, Copy)]
/// struct Softsign;
/// impl Elementwise<1> for Softsign {
///     const NAME: &'static str = "softsign";
///     fn value<S: Number>(self, [x]: [S; 1]) -> S {
///         x / (x.abs() + x.lit(1.0))
///     }
///     fn partials<S: Number>(self, [x]: [S; 1], _: S) -> [S; 1] {
///         [(x.abs() + x.lit(1.0)).powi(-2)]
///     }
/// }
/// impl chainrule::op::MapOp<1> for Softsign {}
/// let x = Tensor::<f64>::of([2], vec![0.5, -3.0]);
/// chainrule::check::gradcheck(&[x], |x| TensorLike::apply(Map(Softsign), &[&x[0]]))?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Map<O, const N: usize>(pub O);
impl<F: Real, O: MapOp<N>, const N: usize> Op<F> for Map<O, N> {
    const NAME: &'static str = O::NAME;
    const ELEMENTWISE: bool = true;
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let Ok(inputs) = x.try_into() else {
            fail(shape_error(format!("{}: a formula of {N} inputs was given {}", O::NAME, x.len())));
        };
        map(self.0, inputs)
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        T::map_vjp(self.0, cx, y_bar);
    }
}

/// The operand itself, or repeated to reach `shape`.
#[inline]
fn spread<F: Real>(t: &Tensor<F>, shape: Shape) -> Cow<'_, Tensor<F>> {
    if t.shape() == shape { Cow::Borrowed(t) } else { Cow::Owned(broadcast(t, shape)) }
}

/// The numbers of each. (`array::map` is not inlined here: 2 ns of an op on few numbers.)
#[inline(always)]
fn numbers<F: Real, const N: usize>(x: [&Tensor<F>; N]) -> [&[F]; N] {
    let mut numbers = [x[0].data(); N];
    for k in 1..N {
        numbers[k] = x[k].data();
    }
    numbers
}

/// Summed over what broadcasting repeated. (`sum_to` would leave a second reference to what is not summed.)
#[inline]
fn reduced<T: TensorLike>(x: T, shape: Shape) -> T {
    if x.shape() == shape { x } else { x.sum_to(shape) }
}

#[track_caller]
#[inline]
fn map<F: Real, O: MapOp<N>, const N: usize>(op: O, x: [&Tensor<F>; N]) -> Tensor<F> {
    let mut equal = true;
    for t in &x[1..] {
        equal &= t.shape() == x[0].shape();
    }
    if equal {
        return Tensor::build_like(x[0], |out| op.pass(Pass::Value { x: numbers(x), out }));
    }
    let mut shape = x[0].shape();
    for t in &x[1..] {
        // A plain loop: inside a closure the caller's location would be lost.
        shape = match common_shape(O::NAME, shape, t.shape()) {
            Ok(shape) => shape,
            Err(e) => fail(e),
        };
    }
    let wide = x.map(|t| spread(t, shape));
    Tensor::build(shape, |out| op.pass(Pass::Value { x: numbers(wide.each_ref().map(|t| &**t)), out }))
}

/// One pass per wanted input: x_bar[e] = y_bar[e] * partial(x[e], y[e]). The last pass may write over `y_bar`.
#[inline]
pub(crate) fn fused_vjp<F: Real, O: MapOp<N>, const N: usize>(op: O, cx: &mut Vjp<'_, Tensor<F>>, y_bar: Tensor<F>) {
    let (x, y): ([&Tensor<F>; N], _) = (std::array::from_fn(|k| cx.input(k)), cx.output(0));
    for i in 0..N - 1 {
        cx.give(i, || fused_partial(op, i, x, y, Cow::Borrowed(&y_bar)));
    }
    cx.give(N - 1, || fused_partial(op, N - 1, x, y, Cow::Owned(y_bar)));
}

#[inline]
fn fused_partial<F: Real, O: MapOp<N>, const N: usize>(
    op: O,
    i: usize,
    x: [&Tensor<F>; N],
    y: &Tensor<F>,
    mut y_bar: Cow<'_, Tensor<F>>,
) -> Tensor<F> {
    if x.iter().any(|t| t.shape() != y.shape()) {
        let wide = x.map(|t| spread(t, y.shape()));
        let wide = wide.each_ref().map(|t| &**t);
        return fused_partial(op, i, wide, y, y_bar).sum_to(x[i].shape());
    }
    let (x, y) = (numbers(x), y.data());
    if let Cow::Owned(x_bar) = &mut y_bar
        && let Some(out) = x_bar.unique_data()
    {
        op.pass(Pass::Partial { i, x, y, y_bar: None, out });
        return y_bar.into_owned();
    }
    Tensor::build_like(&y_bar, |out| op.pass(Pass::Partial { i, x, y, y_bar: Some(y_bar.data()), out }))
}

// Linear: their rules pass the cotangent on without a kernel.
macro_rules! sums { ($($(#[$doc:meta])* $op:ident $name:ident $kernel:ident, $second:expr;)*) => { $(
    $(#[$doc])*
    #[derive(Clone, Copy, Debug)]
    pub struct $op;
    impl<F: Real> Op<F> for $op {
        const NAME: &'static str = stringify!($name);
        #[inline]
        fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
            let (a, b) = (x[0], x[1]);
            if a.shape() == b.shape() {
                return Tensor::build_like(a, |out| F::$kernel(a.data(), b.data(), out));
            }
            let shape = match common_shape(stringify!($name), a.shape(), b.shape()) {
                Ok(shape) => shape,
                Err(e) => fail(e),
            };
            let (a, b) = (spread(a, shape), spread(b, shape));
            Tensor::build(shape, |out| F::$kernel(a.data(), b.data(), out))
        }
        fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
            let (a, b) = (cx.input(0), cx.input(1));
            let second: fn(&T) -> T = $second;
            cx.give(1, || reduced(second(&y_bar), b.shape()));
            cx.give(0, || reduced(y_bar, a.shape()));
        }
    }
)* } }
sums! {
    /// `a + b`, with broadcasting.
    Add add add_slices, |y_bar| y_bar.clone();
    /// `a - b`, with broadcasting.
    Sub sub sub_slices, |y_bar| TensorLike::neg(y_bar);
}
