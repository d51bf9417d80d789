//! Bugs seen in other libraries, each with its test.
use crate::case::Points;
use approx::assert_relative_eq;
use chainrule::prelude::*;

type Unary = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;

fn row(x: &[f64]) -> Tensor<f64> {
    Tensor::from_fn([x.len()], |e| x[e])
}

/// The gradient of `sum(w * f(x))`, first by the fused kernels, then by the generic rules.
fn gradient(x: &Tensor<f64>, w: &[f64], f: impl Fn(Var<'_, f64>) -> Var<'_, f64>) -> [Vec<f64>; 2] {
    let mut tape = Tape::new();
    let r = tape.begin();
    let x = r.variable(x);
    let y = f(x);
    let w = r.constant(&Tensor::from_fn(y.shape(), |e| w[e % w.len()]));
    let loss = (y * w).sum();
    let generic = loss.grads_recorded(&[x])[0].value().into_vec();
    [loss.grads_of(&[x]).unwrap()[0].data().to_vec(), generic]
}

#[test]
fn ties_never_give_more_than_the_upstream() {
    let mut points = Points::new(1);
    for _ in 0..500 {
        let (a, b): (Vec<f64>, Vec<f64>) = (0..12).map(|_| (points.below(3) as f64, points.below(3) as f64)).unzip();
        let w: Vec<f64> = (0..12).map(|_| points.within(-1.0, 1.0)).collect();
        let total: f64 = w.iter().sum();
        let functions: [Unary; 2] =
            [|x| x.slice(0, 0..1).maximum(&x.slice(0, 1..2)), |x| x.slice(0, 0..1).minimum(&x.slice(0, 1..2))];
        for f in functions {
            let both = Tensor::from_fn([2, 12], |e| [&a[..], &b].concat()[e]);
            for g in gradient(&both, &w, f) {
                assert_relative_eq!(g.iter().sum::<f64>(), total, epsilon = 1e-12);
                for e in 0..12 {
                    assert_relative_eq!(g[e] + g[12 + e], w[e], epsilon = 1e-12);
                }
            }
        }
        let x = Tensor::from_fn([3, 4], |e| a[e]);
        for g in gradient(&x, &w[..3], |x| x.max_axes(&[1])) {
            for (row, w) in g.chunks(4).zip(&w) {
                assert_relative_eq!(row.iter().sum::<f64>(), *w, epsilon = 1e-12);
            }
        }
        for g in gradient(&x, &w[..1], |x| x.max()) {
            assert_relative_eq!(g.iter().sum::<f64>(), w[0], epsilon = 1e-12);
        }
    }
}

/// ln, sqrt, x ln x and division are not defined in the branch that is not taken.
#[test]
fn dead_branches_of_where_give_no_nan() {
    let x = row(&[-1.0, 0.0, 4.0]);
    let w = [0.5, -2.0, 3.0];
    fn guarded<'t>(x: Var<'t, f64>, y: Var<'t, f64>) -> Var<'t, f64> {
        x.step().where_cond(&y, &x.scale(0.0))
    }
    let functions: [Unary; 6] = [
        |x| guarded(x, x.ln()),
        |x| guarded(x, x.sqrt()),
        |x| guarded(x, x * x.ln()),
        |x| guarded(x, x.recip()),
        |x| guarded(x, x / x),
        |x| guarded(x, x.powf(0.5)),
    ];
    let slopes = [0.25, 0.25, 4f64.ln() + 1.0, -1.0 / 16.0, 0.0, 0.25];
    for (f, slope) in functions.into_iter().zip(slopes) {
        for g in gradient(&x, &w, f) {
            assert_eq!(g[..2], [0.0, 0.0]);
            assert_relative_eq!(g[2], 3.0 * slope, epsilon = 1e-12);
        }
    }
}

#[test]
fn softmax_far_out_and_masked() {
    let infinity = f64::INFINITY;
    for (logits, p) in [
        (vec![1e4, -1e4, 0.0], vec![1.0, 0.0, 0.0]),
        (vec![-1e4, -1e4, -1e4], vec![1.0 / 3.0; 3]),
        (vec![1e4, 1e4, -infinity], vec![0.5, 0.5, 0.0]),
        (vec![-infinity, 0.0, -infinity], vec![0.0, 1.0, 0.0]),
        (vec![1e300, -1e300, 0.0], vec![1.0, 0.0, 0.0]),
    ] {
        let x = row(&logits);
        assert_relative_eq!(x.softmax().data(), &p[..], epsilon = 1e-15);
        for g in gradient(&x, &[0.5, -1.0, 2.0], |x| x.softmax()) {
            let mean: f64 = p.iter().zip([0.5, -1.0, 2.0]).map(|(p, w)| p * w).sum();
            let right: Vec<f64> = p.iter().zip([0.5, -1.0, 2.0]).map(|(p, w)| p * (w - mean)).collect();
            assert_relative_eq!(&g[..], &right[..], epsilon = 1e-12);
        }
        for g in gradient(&x, &[1.0], |x| x.log_softmax().slice(0, 1..2)) {
            let right: Vec<f64> = p.iter().zip([0.0, 1.0, 0.0]).map(|(p, hot)| hot - p).collect();
            assert_relative_eq!(&g[..], &right[..], epsilon = 1e-12);
        }
        let y = Labels::new([1], 3).unwrap();
        for g in gradient(&x.reshape([1, 3]), &[1.0], |x| x.softmax_cross_entropy(&y)) {
            let right: Vec<f64> = p.iter().zip([0.0, 1.0, 0.0]).map(|(p, hot)| p - hot).collect();
            assert_relative_eq!(&g[..], &right[..], epsilon = 1e-12);
        }
    }
    let y = Labels::new([1], 3).unwrap();
    let loss = |x: &[f64]| row(x).reshape([1, 3]).softmax_cross_entropy(&y).item();
    assert_eq!(loss(&[1e4, -1e4, 0.0]), 2e4);
    assert_eq!(loss(&[-1e4, 1e4, 0.0]), 0.0);
    assert_eq!(loss(&[0.0, -infinity, 0.0]), infinity);
}

#[test]
fn the_far_tails_stay_finite() {
    let functions: [Unary; 11] = [
        |x| x.sigmoid(),
        |x| x.tanh(),
        |x| x.softplus(),
        |x| x.silu(),
        |x| x.gelu(),
        |x| x.gelu_tanh(),
        |x| x.gauss(),
        |x| x.sech2(),
        |x| x.sigmoid_slope(),
        |x| x.erf(),
        |x| x.erfc(),
    ];
    for x in [-1e4, -750.0, -40.0, 40.0, 750.0, 1e4, 1e200, -1e200] {
        for f in functions {
            for g in gradient(&row(&[x]), &[1.0], f) {
                assert!(g[0].is_finite() && g[0].abs() < 1.2, "{g:?} at {x}");
            }
        }
    }
    // 1 + erf has no digits left here.
    assert!(row(&[-10.0]).gelu().item() < 0.0);
    assert!(row(&[10.0]).erfc().item() > 0.0);
}

/// An axis of the same size as another one must not be taken for it.
#[test]
fn broadcasting_is_reduced_over_the_right_axis() {
    let (column, line) = (Tensor::<f64>::of([3, 1], vec![1.0, 2.0, 3.0]), Tensor::of([3], vec![10.0, 20.0, 30.0]));
    let w = Tensor::from_fn([3, 3], |e| f64::from(1 << e));
    let mut tape = Tape::new();
    let r = tape.begin();
    let (a, b) = (r.variable(&column), r.variable(&line));
    let g = (a * b * r.constant(&w)).sum().grads_of(&[a, b]).unwrap();
    for i in 0..3 {
        let along_row: f64 = (0..3).map(|j| w.at([i, j]) * line.at([j])).sum();
        let along_column: f64 = (0..3).map(|j| w.at([j, i]) * column.at([j, 0])).sum();
        assert_eq!((g[0].at([i, 0]), g[1].at([i])), (along_row, along_column));
    }
}

/// 2^20 paths lead through 20 diamonds; each node is visited once.
#[test]
fn twenty_diamonds_are_not_walked_path_by_path() {
    let mut tape = Tape::<f64>::new();
    let r = tape.begin();
    let x = r.variable(&row(&[1.0]));
    let y = (0..20).fold(x, |y, _| y + y).sum();
    let g = y.grads_recorded(&[x])[0];
    assert!(r.len() < 200, "{}", r.len());
    assert_eq!(g.value().item(), f64::from(1 << 20));
    assert_eq!(y.grads_of(&[x]).unwrap()[0].item(), f64::from(1 << 20));
}

#[test]
fn a_product_passes_nan_on() {
    let zero = Tensor::<f64>::of([1, 2], vec![0.0, 1.0]);
    let infinite = Tensor::of([2, 1], vec![f64::INFINITY, 1.0]);
    assert!(zero.matmul(&infinite).item().is_nan());
    let wide = Tensor::<f64>::from_fn([64, 64], |e| if e == 0 { f64::INFINITY } else { 0.0 });
    let product = wide.matmul(&Tensor::filled([64, 64], 0.0));
    assert!((0..64).all(|j| product.at([0, j]).is_nan() && product.at([1, j]) == 0.0));
}

#[test]
fn empty_axes_are_no_special_case() {
    let x = Tensor::<f64>::of([0, 3], vec![]);
    for g in gradient(&x, &[1.0], |x| x.sum_axes(&[0]) * x.constant(&row(&[1.0, 2.0, 3.0]))) {
        assert!(g.is_empty());
    }
    assert_eq!(x.sum_axes(&[0]).data(), [0.0; 3]);
    assert_eq!(x.matmul(&Tensor::filled([3, 2], 1.0)).shape()[..], [0, 2]);
    assert_eq!(Tensor::<f64>::of([2, 0], vec![]).matmul(&Tensor::of([0, 2], vec![])).data(), [0.0; 4]);
    assert!(x.softmax().data().is_empty() && x.transpose(0, 1).softmax().data().is_empty());
    // A gradient flows through an empty product as zeros.
    let w = Tensor::<f64>::filled([3, 2], 1.0);
    for g in gradient(&w, &[1.0], |w| w.constant(&x).matmul(&w).sum()) {
        assert_eq!(g, [0.0; 6]);
    }
}

#[test]
fn a_mean_of_large_numbers_keeps_its_variance() {
    let x = row(&[1e8 + 1.0, 1e8 + 2.0, 1e8 + 3.0]);
    let spread = (&x - &x.mean()).square().mean();
    assert_relative_eq!(spread.item(), 2.0 / 3.0, max_relative = 1e-12);
}

#[test]
fn numbers_on_either_side_of_an_operator() {
    for g in gradient(&row(&[2.0]), &[1.0], |x| 3.0 * x + (1.0 - x) * 5.0 + 8.0 / x + (7.0 + x)) {
        assert_eq!(g, [3.0 - 5.0 - 2.0 + 1.0]);
    }
    fn check<F: Real>() {
        let x = Tensor::<F>::filled([1], F::of(2.0));
        let mut tape = Tape::new();
        let v = tape.begin().variable(&x);
        let right = [6.0, 6.0, -1.0, 1.0, 4.0, 0.5, 9.0, 9.0, -2.0];
        assert_eq!(
            [3.0 * &x, &x * 3.0, 1.0 - &x, &x - 1.0, 8.0 / &x, &x / 4.0, 7.0 + &x, &x + 7.0, -&x].map(|t| t.item()),
            right
        );
        assert_eq!(
            [3.0 * v, v * 3.0, 1.0 - v, v - 1.0, 8.0 / v, v / 4.0, 7.0 + v, v + 7.0, -v].map(|t| t.item()),
            right
        );
        assert_eq!(
            [3.0 * &v, &v * 3.0, 1.0 - &v, &v - 1.0, 8.0 / &v, &v / 4.0, 7.0 + &v, &v + 7.0, -&v].map(|t| t.item()),
            right
        );
        let x = || x.clone();
        assert_eq!(
            [3.0 * x(), x() * 3.0, 1.0 - x(), x() - 1.0, 8.0 / x(), x() / 4.0, 7.0 + x(), x() + 7.0, -x()]
                .map(|t| t.item()),
            right
        );
        // The type of a literal is known where a method follows.
        assert_eq!(((2.0 * x()).sum() + (x() / 4.0).exp().ln() * f64::from(2f32)).item(), 5.0);
    }
    check::<f32>();
    check::<f64>();
}
