//! Programs recorded once: the same bits at other points of a branch, and never a wrong branch.
use chainrule::{
    error::ErrorKind,
    scalar::{self, Compiled, CompiledMany, Scalar, Tape, Trace},
};
use num_traits::{Float, Num, Signed, ToPrimitive, Zero};
use std::num::FpCategory;

type Function = for<'t> fn(&[Trace<'t>]) -> Trace<'t>;

/// Kinds of guards: a function that asks, a point on each side.
fn guards() -> Vec<(&'static str, Function, [f64; 2])> {
    vec![
        ("<", |x| if x[0] < 1.0 { x[0] * 2.0 } else { x[0].exp() }, [0.5, 1.5]),
        ("<=", |x| if x[0] <= 1.0 { x[0] * 2.0 } else { x[0].exp() }, [1.0, 1.5]),
        (">", |x| if x[0] > x[0] * x[0] { x[0] * 2.0 } else { x[0].exp() }, [0.5, 1.5]),
        (">=", |x| if x[0] >= 1.0 { x[0] * 2.0 } else { x[0].exp() }, [1.0, 0.5]),
        ("==", |x| if x[0] == 1.0 { x[0] * 2.0 } else { x[0].exp() }, [1.0, 0.5]),
        ("partial_cmp", |x| x[0] * x[0].partial_cmp(&1.0).map_or(7.0, |o| f64::from(o as i8)), [1.0, 0.5]),
        ("max", |x| x[0].square().max(x[0]), [0.5, 2.0]),
        ("min", |x| x[0].square().min(1.0), [0.5, 2.0]),
        ("clamp", |x| x[0].clamp(0.0, 1.0) * x[0], [0.5, 2.0]),
        ("abs_sub", |x| Float::abs_sub(x[0], 1.0.into()), [0.5, 2.0]),
        ("copysign", |x| Trace::from(2.0).copysign(x[0]) * x[0], [0.5, -2.0]),
        ("is_nan", |x| if (x[0] - 1.0).sqrt().is_nan() { x[0] } else { x[0].exp() }, [0.5, 2.0]),
        ("is_finite", |x| if x[0].ln().is_finite() { x[0].exp() } else { x[0] }, [0.5, 0.0]),
        ("is_infinite", |x| if x[0].recip().is_infinite() { x[0] } else { x[0].exp() }, [0.5, 0.0]),
        ("is_sign_negative", |x| if Float::is_sign_negative(x[0]) { x[0] } else { x[0].exp() }, [0.5, -0.5]),
        ("is_positive", |x| if x[0].is_positive() { x[0] } else { x[0].exp() }, [0.5, 0.0]),
        ("is_zero", |x| if num_traits::Zero::is_zero(&x[0]) { x[0] } else { x[0].exp() }, [0.0, 0.5]),
        ("classify", |x| if Float::is_normal(x[0]) { x[0] } else { x[0].exp() }, [0.5, 1e-310]),
        ("is_subnormal", |x| if Float::is_subnormal(x[0]) { x[0] } else { x[0].exp() }, [1e-310, 0.5]),
        ("classify itself", |x| if Float::classify(x[0]) == FpCategory::Zero { x[0] } else { x[0].exp() }, [0.0, 0.5]),
        ("is_sign_positive", |x| if Float::is_sign_positive(x[0]) { x[0] } else { x[0].exp() }, [0.0, -0.0]),
        ("is_negative", |x| if x[0].is_negative() { x[0] } else { x[0].exp() }, [-0.5, 0.0]),
        (
            "partial_cmp with NaN",
            |x| x[0] + x[0].ln().partial_cmp(&1.0).map_or(7.0, |o| f64::from(o as i8)),
            [-1.0, 4.0],
        ),
        (
            "equal in partial_cmp",
            |x| x[0] * x[0].partial_cmp(&x[0].square()).map_or(7.0, |o| f64::from(o as i8)),
            [1.0, 0.5],
        ),
        ("max of a NaN", |x| x[0].ln().max(x[0]), [-1.0, 0.5]),
        ("clamp above", |x| x[0].clamp(x[0].square(), 4.0) * x[0], [0.5, 8.0]),
        ("to_f32", |x| x[0] * f64::from(x[0].to_f32().unwrap()), [0.5, 0.75]),
        ("to_i64", |x| x[0] * x[0].to_i64().map_or(7.0, |n| n as f64), [1.5, 1e300]),
        ("to_u64", |x| x[0] * x[0].to_u64().map_or(7.0, |n| n as f64), [1.5, -1.5]),
        ("to_i128", |x| x[0] * x[0].to_i128().map_or(7.0, |n| n as f64), [1.5, 2.5]),
        ("to_u128", |x| x[0] * x[0].to_u128().map_or(7.0, |n| n as f64), [1.5, 2.5]),
        ("to_usize", |x| x[0] * x[0].to_usize().map_or(7.0, |n| n as f64), [1.5, 2.5]),
        ("a cast", |x| x[0] * f64::from(<i16 as num_traits::NumCast>::from(x[0]).unwrap_or(9)), [1.5, 1e9]),
        ("a cast to f64", |x| x[0] * <f64 as num_traits::NumCast>::from(x[0]).unwrap(), [1.5, 1.25]),
        ("the sign of copysign", |x| x[0].copysign(x[0].sin()), [0.5, 4.0]),
        ("to_f64", |x| x[0] * x[0].to_f64().unwrap(), [0.5, 0.6]),
        ("to_f64 of a zero", |x| x[0] + 1.0 / x[0].to_f64().unwrap(), [0.0, -0.0]),
        ("to_i32", |x| x[0] * f64::from(x[0].to_i32().unwrap()), [1.5, 2.5]),
        ("integer_decode", |x| x[0] * Float::integer_decode(x[0]).0 as f64, [1.5, 2.25]),
        ("logsumexp", |x| scalar::logsumexp(&[x[0], 1.0.into()]), [0.5, 2.0]),
        ("where a second order asks", |x| scalar::grad(|y| y[0].max(x_squared(y[0])), x)[0], [0.5, 2.0]),
    ]
}

fn x_squared<T: Scalar>(x: T) -> T {
    x * x
}

#[test]
fn every_kind_of_guard_trips() {
    for (name, f, points) in guards() {
        for (at, to) in [(points[0], points[1]), (points[1], points[0])] {
            let mut compiled = Compiled::record(f, &[at]);
            assert!(compiled.size().1 > 0, "{name} leaves no guard");
            let mut g = [7.0];
            compiled.try_value_and_grad(&[at], &mut g).unwrap_or_else(|e| panic!("{name} at {at}: {e}"));
            let mut untouched = [7.0];
            let error = compiled.try_value_and_grad(&[to], &mut untouched).expect_err(name);
            assert_eq!((error.kind(), untouched), (ErrorKind::Branch, [7.0]), "{name}");
            assert!(
                error.to_string().contains("another branch than the recorded one\nhelp: `value_and_grad` records anew")
            );
            // Recorded anew, it gives what a first recording there gives.
            let (mut a, mut b) = ([0.0], [0.0]);
            let y = compiled.value_and_grad(&[to], &mut a);
            let z = Compiled::record(f, &[to]).value_and_grad(&[to], &mut b);
            assert_eq!((y.to_bits(), a[0].to_bits()), (z.to_bits(), b[0].to_bits()), "{name}");
            assert_eq!(compiled.recordings(), 2, "{name}");
        }
    }
}

fn long<T: Scalar>(x: &[T]) -> T {
    let mut y = x[0];
    for k in 0..40 {
        y = (y * x[k % x.len()] + T::lit(0.3)).sin() + x[1].floor() * y.tanh() / (T::one() + x[2].square());
    }
    y.hypot(x[0]) + y.powf(T::lit(2.0)) * x[1].exp().ln_1p() - y.mul_add(x[2], T::lit(1.5)).signum() + x[0].abs()
}

#[test]
fn replays_give_the_derivatives_of_the_tape() {
    let mut compiled = Compiled::record(|x| long(x), &[0.3, -1.2, 0.8]);
    let points: Vec<f64> = (0..3 * 21).map(|k| (f64::from(k) * 1.37).sin() * 2.0).collect();
    let (mut values, mut gradients) = (vec![0.0; 21], vec![0.0; 63]);
    compiled.values_and_grads(&points, &mut values, &mut gradients);
    assert_eq!((compiled.recordings(), compiled.size().1), (1, 0));
    for (k, x) in points.chunks(3).enumerate() {
        let (y, g) = scalar::value_and_grad(|x| long(x), x);
        assert_eq!((y.to_bits(), bits(&g)), (values[k].to_bits(), bits(&gradients[3 * k..][..3])));
        // One by one, to the bit; and as a recording of this very point.
        for compiled in [&mut compiled, &mut Compiled::record(long_of_traces, x)] as [&mut dyn Replays; 2] {
            let mut one = [0.0; 3];
            assert_eq!((compiled.at(x, &mut one), &one[..]), (values[k], &gradients[3 * k..3 * k + 3]));
        }
    }
}

fn long_of_traces<'t>(x: &[Trace<'t>]) -> Trace<'t> {
    long(x)
}

trait Replays {
    fn at(&mut self, x: &[f64], g: &mut [f64]) -> f64;
}
impl<G: for<'t> Fn(&[Trace<'t>]) -> Trace<'t>> Replays for Compiled<f64, G> {
    fn at(&mut self, x: &[f64], g: &mut [f64]) -> f64 {
        self.value_and_grad(x, g)
    }
}

#[test]
fn batches_with_points_of_both_branches() {
    let mut compiled = Compiled::record(|x| if x[0] > x[1] { x[0] * x[1] } else { x[0] - x[1] }, &[1.0, 0.0]);
    let points: Vec<f64> = (0..40).map(|k| f64::from(k * 7 % 13)).collect();
    let (mut values, mut gradients) = ([0.0; 20], [0.0; 40]);
    compiled.values_and_grads(&points, &mut values, &mut gradients);
    for (k, x) in points.chunks(2).enumerate() {
        let (y, g) = if x[0] > x[1] { (x[0] * x[1], [x[1], x[0]]) } else { (x[0] - x[1], [1.0, -1.0]) };
        assert_eq!((values[k], &gradients[2 * k..2 * k + 2]), (y, &g[..]));
    }
    assert_eq!(compiled.recordings(), 2);
    // Both paths are kept: nothing is recorded any more, one by one or all together.
    for (k, x) in points.chunks(2).enumerate() {
        let mut g = [0.0; 2];
        assert_eq!((compiled.try_value_and_grad(x, &mut g).unwrap(), &g[..]), (values[k], &gradients[2 * k..][..2]));
    }
    compiled.values_and_grads(&points, &mut values, &mut gradients);
    assert_eq!(compiled.recordings(), 2);
}

#[test]
fn more_paths_than_are_kept() {
    let mut compiled = Compiled::record(|x| x[0] * x[0].floor().to_f64().unwrap() + x[0].sin(), &[0.5]);
    let points: Vec<f64> = (0..60).map(|k| f64::from(k * 7 % 20) + 0.25).collect();
    let (mut values, mut gradients) = ([0.0; 60], [0.0; 60]);
    for pass in 1..4 {
        compiled.values_and_grads(&points, &mut values, &mut gradients);
        for (k, &x) in points.iter().enumerate() {
            let (y, g) = scalar::value_and_grad(|x| x[0] * x[0].value().floor() + x[0].sin(), &[x]);
            assert_eq!(
                (values[k].to_bits(), gradients[k].to_bits()),
                (y.to_bits(), g[0].to_bits()),
                "pass {pass} at {x}"
            );
        }
    }
    assert!(compiled.recordings() >= 20);
    // One by one as well; the last eight are there.
    let mut g = [0.0];
    for n in 0..20 {
        compiled.value_and_grad(&[f64::from(n) + 0.5], &mut g);
    }
    let before = compiled.recordings();
    for n in 12..20 {
        assert!(compiled.try_value_and_grad(&[f64::from(n) + 0.75], &mut g).is_ok(), "{n}");
    }
    assert_eq!(compiled.recordings(), before);
    assert!(compiled.try_value_and_grad(&[5.5], &mut g).is_err());
}

fn bits(x: &[f64]) -> Vec<u64> {
    x.iter().map(|x| if x.is_nan() { f64::NAN } else { *x }.to_bits()).collect()
}

/// Functions whose recordings fold, cancel, round once, or have edges.
fn edges<T: Scalar>(x: &[T]) -> [T; 10] {
    let [a, b] = [x[0], x[1]];
    [
        a.mul_add(b, a) + T::lit(0.1).mul_add(b, a) - a.mul_add(T::lit(3.0), T::lit(0.7)).sin(),
        (a * a + a.exp() * a - a / (a + T::one())) * (T::one() - b) + a.floor() * b.round(),
        (a - b).sqrt() * b + (a - T::one() * a).sqrt(),
        (a.ln() * b).exp() - a.powf(b) + a.powf(T::lit(2.5)) + b.powi(3) - a.powi(0),
        a.recip() * b + b / a - (a % T::lit(0.3)) * b + (b % a),
        a.hypot(b) + a.atan2(b) + a.ln_gamma() + b.digamma() + a.cbrt() + a.asin() * b.atanh(),
        a.maximum(b) + a.minimum(b.square()) + a.relu() * b.softplus() + a.sigmoid().tanh() + a.normal_cdf() - b.erfc(),
        a.detach() * b + a * b.detach() + a.signum() * b + a.fract(),
        scalar::logsumexp(&[a, b, a * b]) + a + b - (a + b),
        a * T::infinity() + b * T::zero() + T::nan() * T::zero(),
    ]
}

#[test]
fn folds_and_edges_give_the_bits_of_a_recording() {
    let values = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.5, 1e-310, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    let points: Vec<f64> = values.iter().flat_map(|&a| values.iter().flat_map(move |&b| [a, b])).collect();
    let n = points.len() / 2;
    let mut tape = Tape::new();
    for k in 0..edges(&[0.5, 0.7]).len() {
        let mut one = Compiled::record(|x| edges(x)[k], &[0.5, 0.7]);
        let mut many = Compiled::record(|x| edges(x)[k], &[0.5, 0.7]);
        let (mut y, mut g) = (vec![0.0; n], vec![0.0; 2 * n]);
        many.values_and_grads(&points, &mut y, &mut g);
        for (p, x) in points.chunks(2).enumerate() {
            let (mut right, mut other) = ([0.0; 2], [0.0; 2]);
            let value = tape.value_and_grad(|x| edges(x)[k], x, &mut right);
            let replayed = one.value_and_grad(x, &mut other);
            assert_eq!(bits(&[value, right[0], right[1]]), bits(&[replayed, other[0], other[1]]), "{k} at {x:?}");
            assert_eq!(
                bits(&[value, right[0], right[1]]),
                bits(&[y[p], g[2 * p], g[2 * p + 1]]),
                "{k} at {x:?} in lanes"
            );
        }
    }
}

#[test]
fn jacobians_of_several_results() {
    let mut all = CompiledMany::record(|x| edges(x), &[0.5, 0.7]);
    let points: Vec<f64> = (0..2 * 33).map(|k| (f64::from(k) * 0.37).sin().abs() + 0.1).collect();
    let (mut values, mut rows) = (vec![0.0; 330], vec![0.0; 660]);
    all.values_and_jacobians(&points, &mut values, &mut rows);
    let mut tape = Tape::new();
    for (p, x) in points.chunks(2).enumerate() {
        let (mut right, mut one) = ([0.0; 20], [0.0; 20]);
        let y = tape.value_and_jacobian(|x| edges(x), x, &mut right);
        assert_eq!((bits(&y), bits(&right)), (bits(&values[10 * p..][..10]), bits(&rows[20 * p..][..20])));
        let y = all.values_and_jacobian(x, &mut one);
        assert_eq!((bits(&y), bits(&one)), (bits(&values[10 * p..][..10]), bits(&right)));
    }
    let mut branches =
        CompiledMany::record(|x| if x[0].is_zero() { [x[0], x[1]] } else { [x[1], x[0].square()] }, &[1.0, 2.0]);
    let mut rows = [7.0; 4];
    let error = branches.try_values_and_jacobian(&[0.0, 1.0], &mut rows).unwrap_err();
    assert!(error.kind() == ErrorKind::Branch && error.to_string().contains("`values_and_jacobian` records anew"));
    assert_eq!(rows, [7.0; 4]);
    assert_eq!(branches.values_and_jacobian(&[0.0, 1.0], &mut rows), [0.0, 1.0]);
    assert_eq!((rows, branches.recordings()), ([1.0, 0.0, 0.0, 1.0], 2));
    assert_eq!(branches.try_values_and_jacobian(&[3.0, 1.0], &mut rows).unwrap(), [1.0, 9.0]);
}

#[test]
fn second_order_is_recorded_too() {
    // A Hessian-vector product as a program of its own.
    let f = |x: &[Trace<'_>]| -> f64 { x.len() as f64 };
    assert_eq!(f(&[]), 0.0);
    let mut slope = Compiled::record(|x| scalar::grad(|y| (y[0] * y[1]).sin() * y[1], x)[0], &[0.5, 0.7]);
    let (x, mut g) = ([1.1, -0.4], [0.0; 2]);
    let y = slope.value_and_grad(&x, &mut g);
    let h = scalar::hessian(|y| (y[0] * y[1]).sin() * y[1], &x);
    assert!((g[0] - h[0][0]).abs() < 1e-14 && (g[1] - h[0][1]).abs() < 1e-14);
    assert!((y - scalar::grad(|y| (y[0] * y[1]).sin() * y[1], &x)[0]).abs() < 1e-15);
}

#[test]
fn constants_edges_and_misuse() {
    let mut g = [1.0; 2];
    assert_eq!(Compiled::record(|_| 3.0.into(), &[1.0, 2.0]).value_and_grad(&[5.0, 6.0], &mut g), 3.0);
    assert_eq!(g, [0.0; 2]);
    assert_eq!(Compiled::record(|x| x[1], &[1.0, 2.0]).value_and_grad(&[5.0, 6.0], &mut g), 6.0);
    assert_eq!(g, [0.0, 1.0]);
    // Zero wins.
    let mut dead = Compiled::record(|x| (x[0] - 1.0).sqrt() * x[1], &[2.0, 3.0]);
    assert!(dead.value_and_grad(&[1.0, 0.0], &mut g) == 0.0 && g == [0.0, 0.0]);
    assert!(<Trace<'_> as Num>::from_str_radix("1.5", 10).is_ok_and(|x| format!("{x} {x:?}") == "1.5 Trace(1.5)"));
    let mut f = Compiled::record(|x| x[0], &[1.0]);
    for (x, g) in [(1, 2), (2, 1), (2, 2)] {
        let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            f.value_and_grad(&vec![1.0; x], &mut vec![0.0; g])
        }));
        assert!(panics.is_err(), "{x} numbers, {g} derivatives");
    }
    assert!(
        std::panic::catch_unwind(|| Compiled::record(|x| x[0], &[1.0]).values_and_grads(
            &[1.0; 3],
            &mut [0.0; 2],
            &mut [0.0; 2]
        ))
        .is_err()
    );
    fn send<T: Send + Sync>(_: &T) {}
    send(&f);
}
