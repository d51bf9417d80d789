//! Programs recorded once: the same bits at other points of a branch, and never a wrong branch.
use chainrule::{
    error::ErrorKind,
    scalar::{self, Compiled, Scalar, Trace},
};
use num_traits::{Float, Num, Signed, ToPrimitive};

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
        assert!((y - values[k]).abs() < 1e-12 * y.abs().max(1.0));
        let scale = g.iter().fold(1.0, |m: f64, g| m.max(g.abs()));
        for (a, b) in g.iter().zip(&gradients[3 * k..]) {
            assert!((a - b).abs() < 1e-11 * scale, "{a} and {b}");
        }
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
    assert!(compiled.recordings() > 1);
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
    fn send<T: Send + Sync>(_: &T) {}
    send(&f);
}
