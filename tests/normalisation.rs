//! Layer normalisation and statistics of long, far and hard rows.
use approx::assert_relative_eq;
use chainrule::{prelude::*, with_threads};

fn bits<F: Real>(t: &Tensor<F>) -> Vec<u64> {
    t.data().iter().map(|x| x.f64().to_bits()).collect()
}

/// Value and all three gradients of a layer norm contracted with `y_bar`: by the fused kernels and by the rule.
fn layer_norm<F: Real>(x: &Tensor<F>, w: &Tensor<F>, b: &Tensor<F>, y_bar: &Tensor<F>) -> [Vec<Tensor<F>>; 2] {
    let mut tape = Tape::new();
    let r = tape.begin();
    let v = [x, w, b].map(|t| r.variable(t));
    let y = v[0].layer_norm(&v[1], &v[2], 1e-5);
    let loss = (y * r.constant(y_bar)).sum();
    let mut generic: Vec<_> = loss.grads_recorded(&v).iter().map(|g| g.value()).collect();
    generic.insert(0, y.value());
    let mut fused = loss.grads_of(&v).expect("gradients");
    fused.insert(0, y.value());
    [fused, generic]
}

fn inputs<F: Real>(rows: usize, n: usize, offset: f64) -> [Tensor<F>; 4] {
    let rng = &mut Rng::seed(5);
    let x = Tensor::normal_of([rows, n], offset, 1.0, rng);
    let [w, b] = [0, 1].map(|_| Tensor::normal_of([n], 0.5, 1.0, rng));
    let y_bar = Tensor::normal_of([rows, n], 0.0, 1.0, rng);
    [x, w, b, y_bar]
}

/// The fused kernels against the rule, in sizes below and above what is cut for threads.
#[test]
fn layer_norm_of_many_sizes() {
    for (rows, n) in [(1, 1), (3, 7), (2, 64), (65, 65), (130, 1000), (1, 40_000), (40_000, 3), (0, 5), (4, 0)] {
        let [x, w, b, y_bar] = inputs::<f64>(rows, n, 0.3);
        let [fused, generic] = layer_norm(&x, &w, &b, &y_bar);
        for (fused, generic) in fused.iter().zip(&generic) {
            assert_eq!(fused.shape(), generic.shape());
            let scale = generic.data().iter().fold(1e-3, |m: f64, x| m.max(x.abs()));
            assert_relative_eq!(fused.data(), generic.data(), epsilon = 1e-12 * scale);
        }
        let [wide, _] = layer_norm(&x, &w, &b, &y_bar);
        let [narrow, _] = layer_norm::<f32>(&x.to(), &w.to(), &b.to(), &y_bar.to());
        for (narrow, wide) in narrow.iter().zip(&wide) {
            let scale = wide.data().iter().fold(1e-3, |m: f64, x| m.max(x.abs()));
            assert_relative_eq!(narrow.to::<f64>().data(), wide.data(), epsilon = 2e-5 * scale);
        }
    }
}

/// Moved by a number that every entry can take without rounding, a row gives the same.
#[test]
fn layer_norm_far_from_zero() {
    fn check<F: Real>(offset: f64, step: f64, tolerance: f64) {
        let near = Tensor::<F>::from_fn([5, 33], |e| ((e * 37 % 101) as f64 - 50.0) * step);
        let far = near.add_scalar(offset);
        assert_eq!(bits(&far.add_scalar(-offset)), bits(&near), "the offset was meant to be exact");
        let [_, w, b, y_bar] = inputs::<F>(5, 33, 0.0);
        let (near, far) = (layer_norm(&near, &w, &b, &y_bar), layer_norm(&far, &w, &b, &y_bar));
        for (near, far) in near.iter().flatten().zip(far.iter().flatten()) {
            let (near, far) = (near.to::<f64>(), far.to::<f64>());
            let scale = near.data().iter().fold(0.0, |m: f64, x| m.max(x.abs()));
            assert_relative_eq!(near.data(), far.data(), epsilon = tolerance * scale);
        }
    }
    check::<f64>(2f64.powi(27), 2f64.powi(-6), 1e-13);
    check::<f32>(2f64.powi(14), 2f64.powi(-6), 3e-6);
}

/// Equal entries: the row has no direction, and its digits are the bias.
#[test]
fn layer_norm_of_equal_entries() {
    for x in [0.0, 0.1, -3.7e5, 1e30] {
        let [_, w, b, y_bar] = inputs::<f32>(2, 9, 0.0);
        let x = Tensor::filled([2, 9], x);
        let [fused, _] = layer_norm(&x, &w, &b, &y_bar);
        for (e, y) in fused[0].data().iter().enumerate() {
            assert_eq!(*y, b.data()[e % 9], "of {x:?}");
        }
        assert!(fused[1].data().iter().all(|g| g.is_finite()));
    }
}

#[test]
fn layer_norm_has_the_same_bits_with_any_number_of_threads() {
    fn check<F: Real>(rows: usize, n: usize) {
        let [x, w, b, y_bar] = inputs::<F>(rows, n, 1.0);
        let run = |threads| {
            with_threads(threads, || layer_norm(&x, &w, &b, &y_bar)[0].iter().flat_map(bits).collect::<Vec<_>>())
        };
        let one = run(1).expect("a thread");
        for threads in [2, 3, 4] {
            assert!(one == run(threads).expect("threads"), "{rows} x {n}, {threads} threads");
        }
    }
    check::<f32>(700, 130);
    check::<f64>(200, 1031);
    check::<f32>(2, 100_003);
}

#[test]
fn layer_norm_passes_nan_and_infinity_on_in_their_row_alone() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let x = Tensor::<f64>::from_fn([2, 4], |e| if e == 1 { bad } else { e as f64 });
        let y = x.layer_norm(&Tensor::filled([4], 1.0), &Tensor::filled([4], 0.0), 1e-5);
        assert!(y.data()[..4].iter().all(|y| y.is_nan()), "{y:?}");
        assert!(y.data()[4..].iter().all(|y| y.is_finite()), "{y:?}");
    }
}

/// Value and gradient of `f`.
fn of<F: Real>(x: &Tensor<F>, f: impl Fn(Var<'_, F>) -> Var<'_, F>) -> (Tensor<F>, Tensor<F>) {
    let mut tape = Tape::new();
    let v = tape.begin().variable(x);
    let y = f(v);
    (y.value(), y.sum().grads_of(&[v]).expect("a gradient").remove(0))
}

/// Moved by a number that every entry can take without rounding, the spread is the same; by exact integers.
#[test]
fn variance_far_from_zero() {
    fn check<F: Real>(offset: f64, step: f64) {
        // 0, 1, .. 10 in some order: the sum of squared deviations is 110.
        let x = Tensor::<F>::from_fn([4, 11], |e| offset + step * ((e * 7) % 11) as f64);
        let (var, slope) = of(&x, |x| x.var_axes(&[1], 1));
        let exact = 11.0 * step * step;
        for v in var.data() {
            assert_relative_eq!(v.f64(), exact, max_relative = 4.0 * F::epsilon().f64());
        }
        for (e, g) in slope.data().iter().enumerate() {
            let d = step * (((e * 7) % 11) as f64 - 5.0);
            assert_relative_eq!(g.f64(), d / 5.0, epsilon = 4.0 * F::epsilon().f64() * step);
        }
        for (std, axes) in
            [(x.std_axes(&[1], 1), 4), (x.std_axes(&[0, 1], 0), 1), (x.transpose(0, 1).std_axes(&[0], 0), 4)]
        {
            assert_eq!(std.shape().size(), axes);
        }
        assert_relative_eq!(x.std_axes(&[1], 1).data()[0].f64(), exact.sqrt(), max_relative = 4.0 * F::epsilon().f64());
    }
    // The mean lies between two neighbours: what rounding it leaves is as large as the spread.
    let pair = Tensor::new([2], vec![16_777_216.0, 16_777_218.0]);
    assert_eq!((pair.var(0).item(), pair.std(0).item()), (1.0, 1.0));
    let pair = Tensor::<f64>::of([2], vec![2f64.powi(53), 2f64.powi(53) + 2.0]);
    assert_eq!((pair.var(0).item(), pair.std(0).item()), (1.0, 1.0));
    check::<f64>(1e8, 1.0);
    check::<f64>(2f64.powi(40), 2f64.powi(-10));
    check::<f32>(1e4, 0.25);
    check::<f32>(-(2f64.powi(20)), 1.0);
}

/// Norms and standard deviations that can be represented, of numbers whose squares cannot.
#[test]
fn lengths_of_large_and_small_numbers() {
    fn check<F: Real>(units: &[f64]) {
        let close = |a: F, b: f64| assert_relative_eq!(a.f64(), b, max_relative = 4.0 * F::epsilon().f64());
        for &unit in units {
            let x = Tensor::<F>::of([4], [3.0, 0.0, 4.0, 0.0].map(|c| F::of(c * unit)).to_vec());
            let (norm, slope) = of(&x, |x| x.norm());
            close(norm.data()[0], 5.0 * unit);
            for (g, right) in slope.data().iter().zip([0.6, 0.0, 0.8, 0.0]) {
                close(*g, right);
            }
            let pair = Tensor::<F>::of([2], [-unit, unit].map(F::of).to_vec());
            let (std, slope) = of(&pair, |x| x.std(0));
            close(std.data()[0], unit);
            close(slope.data()[1], 0.5);
            close(pair.std(1).data()[0], unit * 2f64.sqrt());
        }
    }
    check::<f64>(&[1.0, 1e-200, 1e200, 1e307, 1e-300, 1e160, 1e-160, 1e-155]);
    check::<f32>(&[1.0, 1e-25, 1e25, 1e-36, 5e37]);
    // Sums, or differences from the mean, that cannot be represented.
    let wide = |x: &[f64]| Tensor::<f64>::of([x.len()], x.to_vec());
    assert_eq!(wide(&[1e308, -1e308, 1e308, -1e308]).std(0).item(), 1e308);
    assert_eq!(wide(&[1e308; 40]).std(0).item(), 0.0);
    let steps: Vec<_> = (0..40).map(|k| 1e308 * (1.0 + f64::from(k % 2) * 1e-6)).collect();
    assert_relative_eq!(wide(&steps).std(0).item(), 0.5e302, max_relative = 1e-9);
    assert_relative_eq!(
        Tensor::new([3], vec![3.4e38, -3.4e38, -3.4e38]).std(0).item(),
        3.4e38 * 8f64.sqrt() / 3.0,
        max_relative = 1e-6
    );
    for odd in [f64::NAN, f64::INFINITY] {
        assert!(wide(&[1e308, odd, 1e308]).std(0).item().is_nan());
    }
    // Far apart in size; the largest number there is; the smallest.
    let norm = |x: &[f64]| TensorLike::norm(&Tensor::<f64>::of([x.len()], x.to_vec())).item();
    assert_eq!(norm(&[1e-200, 1e200, 1.0]), 1e200);
    assert_eq!((norm(&[f64::MAX, 0.0]), norm(&[5e-324, 0.0])), (f64::MAX, 5e-324));
    assert!(norm(&[f64::NAN, f64::INFINITY]).is_nan());
}

/// Against the obvious product of the others.
#[test]
fn products_with_zeros_over_every_length() {
    for n in 0..40usize {
        for zeros in [vec![], vec![0], vec![n / 2], vec![n / 3, n.saturating_sub(1)]] {
            let x =
                Tensor::<f64>::from_fn(
                    [n],
                    |e| if zeros.contains(&e) { 0.0 } else { 0.5 + ((e * 37) % 11) as f64 / 8.0 },
                );
            let (y, slope) = of(&x, |x| x.prod());
            assert_relative_eq!(y.item(), x.data().iter().product(), max_relative = 1e-14);
            for (e, g) in slope.data().iter().enumerate() {
                let others = x.data().iter().enumerate().filter(|(k, _)| *k != e).map(|(_, x)| x).product();
                assert_relative_eq!(*g, others, max_relative = 1e-14);
            }
        }
    }
}

#[test]
fn logsumexp_far_out() {
    fn check<F: Real>() {
        let x = |x: [f64; 3]| Tensor::<F>::of([3], x.map(F::of).to_vec());
        let close =
            |a: F, b: f64| assert_relative_eq!(a.f64(), b, epsilon = 4.0 * F::epsilon().f64() * b.abs().max(1.0));
        for (at, value, shares) in [
            ([1e4, 1e4, -1e4], 1e4 + 2f64.ln(), [0.5, 0.5, 0.0]),
            ([-1e4; 3], -1e4 + 3f64.ln(), [1.0 / 3.0; 3]),
            ([0.0, -1e30, 1e30], 1e30, [0.0, 0.0, 1.0]),
            ([-1.0, -1.0, f64::NEG_INFINITY], 2f64.ln() - 1.0, [0.5, 0.5, 0.0]),
        ] {
            let (y, slope) = of(&x(at), |x| x.logsumexp());
            close(y.data()[0], value);
            // Far out a share is e to the difference of numbers with this spacing.
            let spacing = F::epsilon().f64() * at[1].abs().min(1e4);
            slope.data().iter().zip(shares).for_each(|(g, s)| assert!((g.f64() - s).abs() <= 2.0 * spacing + 1e-6));
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn places_of_extremes() {
    let nan = f32::NAN;
    let x = Tensor::new([3, 4], vec![1.0, 3.0, 3.0, 0.0, nan, 9.0, nan, -1.0, -5.0, -5.0, -7.0, -7.0]);
    let (most, least) = (x.argmax(1), x.argmin(1));
    assert_eq!((most.ids(), least.ids()), (&[1, 0, 0][..], &[3, 0, 2][..]));
    assert_eq!((most.classes(), &*most.shape()), (4, &[3][..]));
    assert_eq!(x.argmax(0).ids(), [1, 1, 1, 0]);
    assert_eq!(x.argmin(0).ids(), [1, 2, 1, 2]);
    let deep = Tensor::<f64>::from_fn([2, 3, 2], |e| ((e * 5) % 12) as f64);
    assert_eq!((deep.argmax(1).ids(), &*deep.argmax(1).shape()), (&[1, 0, 0, 0][..], &[2, 2][..]));
    assert!(Tensor::zeros([0, 3]).argmax(1).is_empty() && Tensor::zeros([3, 0]).argmin(0).is_empty());
    let mut tape = Tape::new();
    assert_eq!(tape.begin().constant(&x).argmax(1), most);
}

#[test]
fn reductions_have_the_same_bits_with_any_number_of_threads() {
    fn check<F: Real>() {
        let x = Tensor::<F>::normal_of([61, 40, 37], 1.0, 1.0, &mut Rng::seed(3));
        let run = || {
            let all = [
                x.var(1),
                x.std_axes(&[1], 0),
                x.norm_axes(&[0, 2]),
                x.logsumexp_keep(&[2]),
                x.prod_axes(&[0]),
                x.min(),
            ];
            all.iter().flat_map(bits).collect::<Vec<_>>()
        };
        let one = with_threads(1, run).expect("a thread");
        assert!(one == with_threads(3, run).expect("threads"));
    }
    check::<f32>();
    check::<f64>();
}
