//! Layer normalisation and reductions over long, far and hard rows.
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
