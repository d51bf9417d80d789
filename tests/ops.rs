//! One table of ops; every test of gradients walks it.
#[path = "ops/array.rs"]
mod array;
#[path = "ops/case.rs"]
mod case;
#[path = "ops/classes.rs"]
mod classes;
#[path = "ops/complete.rs"]
mod complete;
#[path = "ops/dual.rs"]
mod dual;
#[path = "ops/harness.rs"]
mod harness;

use array::{Arr, indices};
use case::*;
use chainrule::{
    Labels, Shape,
    core::{Place, TensorLike},
    op::{self, Dropout, IndexAdd},
    prelude::{Tensor, Var},
};
use dual::Num;
use harness::{Dual1, Dual2, Row};

/// A row: method: shapes, domain of each input (the last for all further), tolerance; inputs, the crate's program, the
/// obvious one.
macro_rules! rows { ($(
    $name:ident: $shapes:expr, [$($domain:expr),+], $tolerance:expr;
    |$d:ident, [$($x:ident),+]| $run:expr, $naive:expr;
)*) => {
    /// All rows, in the order of the table.
    pub fn rows() -> Vec<&'static dyn Row> {
        vec![$(&$name::This),*]
    }
    $(mod $name {
        use super::*;
        pub struct This;
        #[allow(unused_variables)]
        fn run<T: TensorLike>($d: &Draw, x: &[T]) -> T {
            let [$($x),+] = x else { unreachable!() };
            $run
        }
        #[allow(unused_variables)]
        fn naive<N: Num>($d: &Draw, x: &[Arr<N>]) -> Arr<N> {
            let [$($x),+] = x else { unreachable!() };
            $naive
        }
        impl Row for This {
            fn name(&self) -> &'static str { stringify!($name) }
            fn shapes(&self, d: &Draw) -> Vec<Vec<usize>> { let shapes: fn(&Draw) -> Shapes = $shapes; shapes(d) }
            fn domains(&self) -> &'static [Domain] { &[$($domain),+] }
            fn tolerance(&self) -> f64 { $tolerance }
            fn tensor(&self, d: &Draw, x: &[Tensor<f64>]) -> Tensor<f64> { run(d, x) }
            fn tensor32(&self, d: &Draw, x: &[Tensor]) -> Tensor { run(d, x) }
            fn var<'t>(&self, d: &Draw, x: &[Var<'t, f64>]) -> Var<'t, f64> { run(d, x) }
            fn var32<'t>(&self, d: &Draw, x: &[Var<'t>]) -> Var<'t> { run(d, x) }
            fn dual(&self, d: &Draw, x: &[Arr<Dual1>]) -> Arr<Dual1> { naive(d, x) }
            fn dual2(&self, d: &Draw, x: &[Arr<Dual2>]) -> Arr<Dual2> { naive(d, x) }
        }
        #[test]
        fn first_order() { harness::cases(&This, harness::first_order) }
        #[test]
        fn second_order() { harness::cases(&This, harness::second_order) }
        #[test]
        fn shared() { harness::cases(&This, harness::shared) }
        #[test]
        fn single_precision() { harness::cases(&This, harness::single_precision) }
    })*
} }

const POWERS: [i32; 8] = [0, 1, 2, 3, 5, -1, -2, -3];
const REAL_POWERS: [f64; 6] = [0.0, 1.0, 0.5, 2.0, -1.5, 3.25];
const FACTORS: [f64; 4] = [1.0, 0.0, -2.5, 0.3];
const ALPHAS: [f64; 3] = [1.0, 0.3, 2.5];
const EPSILONS: [f64; 2] = [0.5, 2.0];
const BOUNDS: [(f64, f64); 3] = [(-1.0, 1.5), (0.25, 0.5), (1.5, -1.0)];

fn shape(sizes: &[usize]) -> Shape {
    Shape::try_new(sizes).unwrap()
}
fn zero<N: Num>(_: N) -> N {
    N::c(0.0)
}

rows! {
    neg: one, [REAL], 1e-12; |d, [x]| x.neg(), x.map(|x| N::c(0.0) - x);
    abs: one, [KINK_AT_0], 1e-12; |d, [x]| x.abs(), x.map(Num::abs);
    sign: one, [KINK_AT_0], 1e-12; |d, [x]| x.sign(), x.map(Num::sign);
    step: one, [KINK_AT_0], 1e-12; |d, [x]| x.step(), x.map(Num::step);
    scale: one, [REAL], 1e-12; |d, [x]| x.scale(FACTORS[d.pick(0, 4)]), x.map(|x| N::c(FACTORS[d.pick(0, 4)]) * x);
    div_scalar: one, [REAL], 1e-12;
        |d, [x]| x.div_scalar([2.0, -0.3][d.pick(0, 2)]), x.map(|x| x / N::c([2.0, -0.3][d.pick(0, 2)]));
    add_scalar: one, [REAL], 1e-12; |d, [x]| x.add_scalar(FACTORS[d.pick(0, 4)]), x.map(|x| N::c(FACTORS[d.pick(0, 4)]) + x);
    exp: one, [REAL], 1e-12; |d, [x]| x.exp(), x.map(Num::exp);
    ln: one, [POSITIVE], 1e-12; |d, [x]| x.ln(), x.map(Num::ln);
    exp_m1: one, [REAL], 1e-12; |d, [x]| x.exp_m1(), x.map(|x| x.exp() - N::c(1.0));
    ln_1p: one, [ABOVE_MINUS_1], 1e-12; |d, [x]| x.ln_1p(), x.map(|x| (x + N::c(1.0)).ln());
    sin: one, [REAL], 1e-12; |d, [x]| x.sin(), x.map(Num::sin);
    cos: one, [REAL], 1e-12; |d, [x]| x.cos(), x.map(Num::cos);
    tan: one, [BELOW_A_POLE], 1e-12; |d, [x]| x.tan(), x.map(|x| x.sin() / x.cos());
    sqrt: one, [POSITIVE], 1e-12; |d, [x]| x.sqrt(), x.map(Num::sqrt);
    recip: one, [NOT_0], 1e-12; |d, [x]| x.recip(), x.map(|x| N::c(1.0) / x);
    square: one, [REAL], 1e-12; |d, [x]| x.square(), x.map(|x| x * x);
    powi: one, [NOT_0], 1e-12; |d, [x]| x.powi(POWERS[d.pick(0, 8)]), x.map(|x| x.powi(POWERS[d.pick(0, 8)]));
    powf: one, [POSITIVE], 1e-12;
        |d, [x]| x.powf(REAL_POWERS[d.pick(0, 6)]), x.map(|x| x.powf(REAL_POWERS[d.pick(0, 6)]));
    tanh: one, [REAL], 1e-12; |d, [x]| x.tanh(), x.map(Num::tanh);
    sech2: one, [REAL], 1e-12; |d, [x]| x.sech2(), x.map(|x| N::c(4.0) / (x.exp() + (-x).exp()).powi(2));
    sigmoid: one, [REAL], 1e-12; |d, [x]| x.sigmoid(), x.map(Num::sigmoid);
    sigmoid_slope: one, [REAL], 1e-12; |d, [x]| x.sigmoid_slope(), x.map(|x| x.sigmoid() * (N::c(1.0) - x.sigmoid()));
    softplus: one, [REAL], 1e-12; |d, [x]| x.softplus(), x.map(Num::softplus);
    log_sigmoid: one, [REAL], 1e-12; |d, [x]| x.log_sigmoid(), x.map(|x| x.sigmoid().ln());
    elu: one, [KINK_AT_0], 1e-12; |d, [x]| x.elu(ALPHAS[d.pick(0, 3)]),
        x.map(|x| x * x.step() + N::c(ALPHAS[d.pick(0, 3)]) * (x.exp() - N::c(1.0)) * (-x).step());
    selu: one, [KINK_AT_0], 1e-12; |d, [x]| x.selu(),
        x.map(|x| N::c(1.0507009873554805) * (x * x.step() + N::c(1.6732632423543772) * (x.exp() - N::c(1.0)) * (-x).step()));
    hardtanh: one, [CLAMPED], 1e-12; |d, [x]| x.hardtanh(), x.map(|x| x.larger(N::c(-1.0)).smaller(N::c(1.0)));
    relu: one, [KINK_AT_0], 1e-12; |d, [x]| x.relu(), x.map(|x| x * x.step());
    leaky_relu: one, [KINK_AT_0], 1e-12; |d, [x]| x.leaky_relu(0.2), x.map(|x| x.larger(x * N::c(0.2)));
    gelu: one, [REAL], 1e-12; |d, [x]| x.gelu(), x.map(Num::gelu);
    gelu_tanh: one, [REAL], 1e-12; |d, [x]| x.gelu_tanh(), x.map(Num::gelu_tanh);
    silu: one, [REAL], 1e-12; |d, [x]| x.silu(), x.map(|x| x / (N::c(1.0) + (-x).exp()));
    erf: one, [REAL], 1e-12; |d, [x]| x.erf(), x.map(Num::erf);
    erfc: one, [REAL], 1e-12; |d, [x]| x.erfc(), x.map(Num::erfc);
    normal_cdf: one, [REAL], 1e-12; |d, [x]| x.normal_cdf(), x.map(Num::normal_cdf);
    normal_pdf: one, [REAL], 1e-12;
        |d, [x]| x.normal_pdf(), x.map(|x| (-(x * x) / N::c(2.0)).exp() / N::c((2.0 * ::std::f64::consts::PI).sqrt()));
    gauss: one, [REAL], 1e-12; |d, [x]| x.gauss(), x.map(|x| (-(x * x)).exp());
    clamp: one, [CLAMPED], 1e-12; |d, [x]| { let (lo, hi) = BOUNDS[d.pick(0, 3)]; x.clamp(lo, hi) },
        x.map(|x| { let (lo, hi) = BOUNDS[d.pick(0, 3)]; x.larger(N::c(lo)).smaller(N::c(hi)) });
    mul: pair, [REAL], 1e-12; |d, [a, b]| a.mul(b), a.zip(b, |a, b| a * b);
    div: pair, [REAL, NOT_0], 1e-12; |d, [a, b]| a.div(b), a.zip(b, |a, b| a / b);
    maximum: pair, [APART], 1e-12; |d, [a, b]| a.maximum(b), a.zip(b, Num::larger);
    minimum: pair, [APART], 1e-12; |d, [a, b]| a.minimum(b), a.zip(b, Num::smaller);
    gt: pair, [APART], 1e-12; |d, [a, b]| a.gt(b), a.zip(b, |a, b| (a - b).step());
    ge: pair, [APART], 1e-12; |d, [a, b]| a.ge(b), a.zip(b, |a, b| N::c(1.0) - (b - a).step());
    chain: pair, [NOT_0], 1e-12; |d, [a, b]| a.chain(b), a.zip(b, |a, b| a * b);
    where_cond: triple, [SWITCH, REAL], 1e-12; |d, [c, a, b]| c.where_cond(a, b), c.choose(a, b);
    add: pair, [REAL], 1e-12; |d, [a, b]| a.add(b), a.zip(b, |a, b| a + b);
    sub: pair, [REAL], 1e-12; |d, [a, b]| a.sub(b), a.zip(b, |a, b| a - b);
    operators: pair, [REAL, NOT_0], 1e-12;
        |d, [a, b]| (a.clone() * 2.0 - 3.0 + b) * (-a.clone()) / b / 0.5 + 1.0 - (a.clone() - b.clone()),
        a.zip(b, |a, b| N::c(1.0) - N::c(2.0) * a * (N::c(2.0) * a - N::c(3.0) + b) / b - a + b);

    matmul: |d| matrices(d, false, false), [REAL], 1e-12; |d, [a, b]| a.matmul(b), a.matmul(b, false, false);
    matmul_tn: |d| matrices(d, true, false), [REAL], 1e-12; |d, [a, b]| a.matmul_tn(b), a.matmul(b, true, false);
    matmul_nt: |d| matrices(d, false, true), [REAL], 1e-12; |d, [a, b]| a.matmul_nt(b), a.matmul(b, false, true);
    matmul_with: turned, [REAL], 1e-12;
        |d, [a, b]| a.matmul_with(b, d.flag(6), d.flag(7)), a.matmul(b, d.flag(6), d.flag(7));
    linear: dense, [REAL], 1e-12; |d, [x, w, b]| x.linear(w, b),
        if x.shape.len() == 1 {
            let row = x.reshape(&[1, x.shape[0]]).matmul(w, false, true).zip(b, |y, b| y + b);
            row.reshape(&b.shape)
        } else {
            x.matmul(w, false, true).zip(b, |y, b| y + b)
        };

    sum: one, [REAL], 1e-12; |d, [x]| x.sum(), x.sum(&x.all(), false);
    sum_axes: one, [REAL], 1e-12; |d, [x]| x.sum_axes(&d.some_axes()), x.sum(&d.some_axes(), false);
    sum_keep: one, [REAL], 1e-12; |d, [x]| x.sum_keep(&d.some_axes()), x.sum(&d.some_axes(), true);
    mean: one, [REAL], 1e-12; |d, [x]| x.mean(), x.mean(&x.all(), false);
    mean_axes: one, [REAL], 1e-12; |d, [x]| x.mean_axes(&d.some_axes()), x.mean(&d.some_axes(), false);
    mean_keep: one, [REAL], 1e-12; |d, [x]| x.mean_keep(&d.some_axes()), x.mean(&d.some_axes(), true);
    max: full, [APART], 1e-12; |d, [x]| x.max(), x.max(&x.all(), false);
    max_axes: full_axes, [APART], 1e-12; |d, [x]| x.max_axes(&d.some_axes()), x.max(&d.some_axes(), false);
    max_keep: full_axes, [APART], 1e-12; |d, [x]| x.max_keep(&d.some_axes()), x.max(&d.some_axes(), true);
    min: full, [APART], 1e-12; |d, [x]| x.min(), x.map(|x| -x).max(&x.all(), false).map(|x| -x);
    min_axes: full_axes, [APART], 1e-12;
        |d, [x]| x.min_axes(&d.some_axes()), x.map(|x| -x).max(&d.some_axes(), false).map(|x| -x);
    min_keep: full_axes, [APART], 1e-12;
        |d, [x]| x.min_keep(&d.some_axes()), x.map(|x| -x).max(&d.some_axes(), true).map(|x| -x);
    argmax: full_axis, [APART], 1e-12; |d, [x]| x.mul(&hot(x, d.axis(), &x.argmax(d.axis()))),
        { let max = x.max(&[d.axis()], true); x.zip(&max, |x, max| x * N::c(f64::from(x.re() == max.re()))) };
    argmin: full_axis, [APART], 1e-12; |d, [x]| x.mul(&hot(x, d.axis(), &x.argmin(d.axis()))),
        { let max = x.map(|x| -x).max(&[d.axis()], true);
          x.zip(&max, |x, max| x * N::c(f64::from(-x.re() == max.re()))) };
    var: one, [REAL], 1e-11; |d, [x]| x.var(d.pick(1, 2)), x.var(&x.all(), false, d.pick(1, 2));
    var_axes: one, [REAL], 1e-11;
        |d, [x]| x.var_axes(&d.some_axes(), d.pick(1, 2)), x.var(&d.some_axes(), false, d.pick(1, 2));
    var_keep: one, [REAL], 1e-11;
        |d, [x]| x.var_keep(&d.some_axes(), d.pick(1, 2)), x.var(&d.some_axes(), true, d.pick(1, 2));
    std: several, [APART], 1e-11; |d, [x]| x.std(1), x.var(&x.all(), false, 1).map(Num::sqrt);
    std_axes: several_along, [APART], 1e-11;
        |d, [x]| x.std_axes(&[d.axis()], d.pick(1, 2)), x.var(&[d.axis()], false, d.pick(1, 2)).map(Num::sqrt);
    std_keep: several_along, [APART], 1e-11;
        |d, [x]| x.std_keep(&[d.axis()], d.pick(1, 2)), x.var(&[d.axis()], true, d.pick(1, 2)).map(Num::sqrt);
    norm: full, [NOT_0], 1e-12; |d, [x]| x.norm(), x.map(|x| x * x).sum(&x.all(), false).map(Num::sqrt);
    norm_axes: full_axes, [NOT_0], 1e-12;
        |d, [x]| x.norm_axes(&d.some_axes()), x.map(|x| x * x).sum(&d.some_axes(), false).map(Num::sqrt);
    norm_keep: full_axes, [NOT_0], 1e-12;
        |d, [x]| x.norm_keep(&d.some_axes()), x.map(|x| x * x).sum(&d.some_axes(), true).map(Num::sqrt);
    logsumexp: full, [REAL], 1e-12; |d, [x]| x.logsumexp(), x.map(Num::exp).sum(&x.all(), false).map(Num::ln);
    logsumexp_axes: full_axes, [REAL], 1e-12;
        |d, [x]| x.logsumexp_axes(&d.some_axes()), x.map(Num::exp).sum(&d.some_axes(), false).map(Num::ln);
    logsumexp_keep: full_axes, [REAL], 1e-12;
        |d, [x]| x.logsumexp_keep(&d.some_axes()), x.map(Num::exp).sum(&d.some_axes(), true).map(Num::ln);
    prod: one, [WITH_ZEROS], 1e-12; |d, [x]| x.prod(), x.prod(&x.all(), false);
    prod_axes: one, [WITH_ZEROS], 1e-12; |d, [x]| x.prod_axes(&d.some_axes()), x.prod(&d.some_axes(), false);
    prod_keep: one, [WITH_ZEROS], 1e-12; |d, [x]| x.prod_keep(&d.some_axes()), x.prod(&d.some_axes(), true);
    sum_to: one, [REAL], 1e-12; |d, [x]| x.sum_to(shape(&cut_of(d).1)), x.sum_to(&cut_of(d).1);

    reshape: one, [REAL], 1e-12; |d, [x]| x.reshape([d.sizes.iter().product(), 1]), x.reshape(&[x.data.len(), 1]);
    unsqueeze: one, [REAL], 1e-12; |d, [x]| x.unsqueeze(d.pick(0, d.sizes.len() + 1)),
        x.reshape(&with_one(d)[0]);
    squeeze: with_one, [REAL], 1e-12;
        |d, [x]| x.squeeze(d.pick(0, d.sizes.len() + 1)), x.reshape(&d.sizes);
    transpose: axes, [REAL], 1e-12; |d, [x]| x.transpose(d.axis(), d.pick(0, d.axes().len())),
        { let mut order = x.all(); order.swap(d.axis(), d.pick(0, d.axes().len())); x.permute(&order) };
    permute: one, [REAL], 1e-12; |d, [x]| x.permute(&d.order()), x.permute(&d.order());
    broadcast_to: narrow, [REAL], 1e-12;
        |d, [x]| x.broadcast_to(shape(&cut_of(d).0)), Arr::build(&cut_of(d).0, |i| x.at(i));
    concat: parts, [REAL], 1e-12;
        |d, [a, b, c]| T::concat(&[a, b, c, a], d.axis()), Arr::concat(&[a, b, c, a], d.axis());
    stack: thrice, [REAL], 1e-12; |d, [a, b, c]| T::stack(&[a, b, a, c], d.pick(6, d.sizes.len() + 1)),
        { let at = d.pick(6, d.sizes.len() + 1);
          let wide = |x: &Arr<N>| { let mut shape = x.shape.clone(); shape.insert(at, 1); x.reshape(&shape) };
          Arr::concat(&[&wide(a), &wide(b), &wide(a), &wide(c)], at) };
    split: axes, [REAL], 1e-12;
        |d, [x]| { let parts = x.split(d.axis(), d.pick(1, 3) + 1); T::concat(&backwards(&parts), d.axis()) },
        { let (n, size) = (x.shape[d.axis()], d.pick(1, 3) + 1);
          let starts = (0..n).step_by(size).rev();
          let from: Vec<usize> = starts.flat_map(|start| start..n.min(start + size)).collect();
          x.picked(d.axis(), n, |p| Some(from[p])) };
    split_sizes: axes, [REAL], 1e-12;
        |d, [x]| { let (start, end) = range(d); let n = x.shape()[d.axis()];
                   let parts = x.split_sizes(d.axis(), &[start, end - start, n - end]);
                   T::concat(&backwards(&parts), d.axis()) },
        { let ((start, end), n) = (range(d), x.shape[d.axis()]);
          let from: Vec<usize> = (end..n).chain(start..end).chain(0..start).collect();
          x.picked(d.axis(), n, |p| Some(from[p])) };
    flip: one, [REAL], 1e-12; |d, [x]| x.flip(&d.some_axes()),
        d.some_axes().iter().fold(x.clone(), |x, &axis| { let n = x.shape[axis]; x.picked(axis, n, |p| Some(n - 1 - p)) });
    pad: one, [REAL], 1e-12; |d, [x]| x.pad(&widths(d), 0.75),
        Arr::build(&d.sizes.iter().zip(widths(d)).map(|(n, (before, after))| before + n + after).collect::<Vec<_>>(), |i| {
            let inside = |k: usize| i[k].checked_sub(widths(d)[k].0).filter(|p| *p < d.sizes[k]);
            (0..i.len()).map(inside).collect::<Option<Vec<_>>>().map_or(N::c(0.75), |from| x.at(&from))
        });
    slice: axes, [REAL], 1e-12; |d, [x]| { let (start, end) = range(d); x.slice(d.axis(), start..end) },
        { let (start, end) = range(d); x.picked(d.axis(), end - start, |p| Some(p + start)) };
    pad_axis: axes, [REAL], 1e-12;
        |d, [x]| x.pad_axis(d.axis(), d.pick(0, 3), d.axes()[d.axis()] + d.pick(0, 3) + d.pick(1, 3)),
        { let n = x.shape[d.axis()]; let (before, after) = (d.pick(0, 3), d.pick(1, 3));
          x.picked(d.axis(), before + n + after, |p| p.checked_sub(before).filter(|p| *p < n)) };
    index_select: full_axis, [REAL], 1e-12; |d, [x]| x.index_select(d.axis(), &d.labels(x.shape()[d.axis()])),
        { let ids = d.ids(x.shape[d.axis()]); x.picked(d.axis(), ids.len(), |p| Some(ids[p])) };
    index_add: scattered, [REAL], 1e-12;
        |d, [x]| T::apply(IndexAdd { axis: d.axis(), ids: d.labels(4), size: 4 }, &[x]),
        x.index_add(d.axis(), &d.ids(4), 4);

    gather: full_axis, [REAL], 1e-12; |d, [x]| x.gather(d.axis(), &d.index(&x.shape(), x.shape()[d.axis()])),
        { let index = d.index(&x.shape, x.shape[d.axis()]);
          Arr::build(&index.shape(), |i| x.at(&moved(i, &index, d.axis()))) };
    scatter_add: scatters, [REAL], 1e-12;
        |d, [x, src]| x.scatter_add(d.axis(), &d.index(&src.shape(), x.shape()[d.axis()]), src),
        { let index = d.index(&src.shape, x.shape[d.axis()]);
          let mut sum = x.clone();
          for i in indices(&index.shape()) {
              let to = moved(&i, &index, d.axis());
              let place = to.iter().zip(&x.shape).fold(0, |flat, (i, n)| flat * n + i);
              sum.data[place] = sum.data[place] + src.at(&i);
          }
          sum };

    softmax: one, [REAL], 1e-12; |d, [x]| x.softmax(), x.softmax();
    log_softmax: one, [REAL], 1e-12; |d, [x]| x.log_softmax(), x.softmax().map(Num::ln);
    softmax_cross_entropy: logits, [REAL], 1e-12;
        |d, [x]| x.softmax_cross_entropy(&Labels::new(d.classes(), *x.shape().last().unwrap()).unwrap()),
        { let (p, n) = (x.softmax(), *x.shape.last().unwrap());
          let right = d.classes().into_iter().enumerate().map(|(row, class)| -p.data[row * n + class].ln());
          let right: Vec<N> = right.collect();
          Arr { shape: vec![right.len()], data: right }.mean(&[0], false) };
    cross_entropy: logits, [REAL], 1e-12;
        |d, [x]| T::apply(op::SoftmaxCrossEntropy(d.targets()), &[x]),
        x.label_losses(&d.classes(), d.class_settings(), true);
    nll: logits, [REAL], 1e-12;
        |d, [x]| T::apply(op::Nll(d.targets()), &[x]), x.label_losses(&d.classes(), d.class_settings(), false);
    dot: twice, [REAL], 1e-12; |d, [a, b]| a.dot(b), a.zip(b, |a, b| a * b).sum(&a.all(), false);
    mse: twice, [REAL], 1e-12; |d, [a, b]| a.mse(b), a.zip(b, |a, b| (a - b) * (a - b)).mean(&a.all(), false);
    layer_norm: normalised, [REAL], 1e-11;
        |d, [x, w, b]| x.layer_norm(w, b, EPSILONS[d.pick(3, 2)]), x.layer_norm(w, b, EPSILONS[d.pick(3, 2)]);
    dropout: one, [REAL], 1e-12; |d, [x]| T::apply(Dropout { p: 0.4, key: d.seed }, &[x]),
        { let kept = Tensor::<f64>::filled(shape(&x.shape), 1.0);
          let kept = Tensor::apply(Dropout { p: 0.4, key: d.seed }, &[&kept]);
          let x = x.data.iter().zip(kept.data()).map(|(&x, &kept)| if kept == 0.0 { zero(x) } else { x / N::c(0.6) });
          Arr { shape: kept.shape().to_vec(), data: x.collect() } };
    detach: one, [REAL], 1e-12; |d, [x]| x.detach(), x.map(|x| N::c(x.re()));
}

/// 1 at the chosen places of an axis, else 0.
fn hot<T: TensorLike>(x: &T, axis: usize, chosen: &Labels) -> T {
    let rank = x.shape().rank();
    let hot = x.place().one_hot(chosen, x.shape()[axis]);
    // The classes go from last to `axis`.
    let order: Vec<usize> = (0..axis).chain([rank - 1]).chain(axis..rank - 1).collect();
    hot.permute(&order)
}
fn backwards<T>(parts: &[T]) -> Vec<&T> {
    parts.iter().rev().collect()
}
fn widths(d: &Draw) -> Vec<(usize, usize)> {
    (0..d.sizes.len()).map(|axis| (d.pick(axis, 3), d.pick(axis + 3, 3))).collect()
}
/// Where an element of an index points.
fn moved(i: &[usize], index: &Labels, axis: usize) -> Vec<usize> {
    let place = i.iter().zip(index.shape().iter()).fold(0, |flat, (i, n)| flat * n + i);
    let mut to = i.to_vec();
    to[axis] = index.ids()[place] as usize;
    to
}

fn range(d: &Draw) -> (usize, usize) {
    let n = d.axes()[d.axis()];
    let start = d.pick(0, n + 1);
    (start, start + d.pick(1, n - start + 1))
}

/// Every pair of shapes of up to two axes with sizes 0, 1 and 3 that broadcasts.
#[test]
fn every_broadcast_pattern() {
    let sizes = [0usize, 1, 3];
    let mut all: Vec<Vec<usize>> = vec![vec![]];
    all.extend(sizes.iter().map(|&n| vec![n]));
    all.extend(sizes.iter().flat_map(|&m| sizes.iter().map(move |&n| vec![m, n])));
    let fit = |a: &[usize], b: &[usize]| a.iter().rev().zip(b.iter().rev()).all(|(m, n)| m == n || *m == 1 || *n == 1);
    let mut seen = 0;
    for (a, b) in all.iter().flat_map(|a| all.iter().map(move |b| (a, b))).filter(|(a, b)| fit(a, b)) {
        let d = Draw { sizes: vec![], picks: [0; 12], seed: seen };
        seen += 1;
        for row in ["mul", "div", "maximum", "minimum", "gt", "ge", "chain", "add", "sub"] {
            let row = rows().into_iter().find(|r| r.name() == row).unwrap();
            harness::first_order(&complete::Shaped(row, [a.clone(), b.clone()]), &d)
                .unwrap_or_else(|e| panic!("{}: {a:?} {b:?}: {e}", row.name()));
        }
    }
    assert!(seen > 60, "{seen}");
}
