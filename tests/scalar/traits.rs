//! Functions that know only `num_traits`, and what of a variable can be written without them.
use chainrule::scalar::{self, Dual, Scalar, Tape, Var};
use num_traits::{Float, FloatConst, FromPrimitive, Num, NumAssign, NumCast, One, Signed, ToPrimitive, Zero};

fn by_float<F: Float>(x: &[F]) -> F {
    let half = F::from(0.5).unwrap();
    let (s, c) = x[0].sin_cos();
    let mut sum = F::zero();
    for &x in x {
        sum = sum + x.mul_add(half, F::one()).abs().ln_1p() - x.exp_m1() / (F::one() + x.powi(2)).sqrt();
    }
    if sum.is_nan() { F::nan() } else { sum * s.hypot(c + half) + x[1].max(x[0]).to_radians() }
}

fn by_others<T: NumAssign + FloatConst + Signed + FromPrimitive + Copy + std::iter::Sum + std::iter::Product>(
    x: &[T],
) -> T {
    let mut y: T = x.iter().map(|x| *x * T::PI()).sum();
    y -= T::from_f64(1.5).unwrap();
    y *= x.iter().copied().product();
    y /= T::one() + x[0].abs();
    y %= T::from_i32(7).unwrap();
    y + x[1].abs_sub(&x[0])
}

/// By central differences.
fn differences(f: impl Fn(&[f64]) -> f64, x: &[f64]) -> Vec<f64> {
    let at = |k: usize, h: f64| {
        let mut x = x.to_vec();
        x[k] += h;
        f(&x)
    };
    (0..x.len()).map(|k| (at(k, 1e-5) - at(k, -1e-5)) / 2e-5).collect()
}

fn near(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (x, y) in a.iter().zip(b) {
        assert!((x - y).abs() <= tolerance * y.abs().max(1.0), "{a:?} and {b:?}");
    }
}

#[test]
fn generic_functions_work_unchanged() {
    let x = [0.7f64, -1.3, 2.1];
    let (y, g) = scalar::value_and_grad(|x| by_float(x), &x);
    assert_eq!(y.to_bits(), by_float(&x).to_bits());
    near(&g, &differences(by_float, &x), 1e-8);
    let (y, g) = scalar::value_and_grad(|x| by_others(x), &x);
    assert_eq!(y.to_bits(), by_others(&x).to_bits());
    near(&g, &differences(by_others, &x), 1e-8);
    // In f32, by the same text.
    let (y, g) = scalar::value_and_grad(|x| by_float(x), &x.map(|x| x as f32));
    assert!((y.to_f64().unwrap() - by_float(&x)).abs() < 1e-5);
    near(&g.into_iter().map(|g| g.to_f64().unwrap()).collect::<Vec<_>>(), &differences(by_float, &x), 1e-5);
}

#[test]
fn closures_need_no_import_and_no_suffix() {
    // Types are left open on purpose.
    let g = scalar::grad(|x| (2.0 * x[0]).sin() + (1.0 - x[1] / 3.0).exp() * 0.5 + (3.0 / x[0]).ln(), &[0.5, 2.0]);
    near(&g, &[2.0 * 1f64.cos() - 2.0, -(1.0f64 / 3.0).exp() / 6.0], 1e-14);
    let g = scalar::grad(|x| (2.0 * x[0]).powf(1.5).max(0.0) + x[0].atan2(2.0), &[0.5f32]);
    assert!((g[0] - (3.0 + 2.0 / 4.25)).abs() < 1e-6);
    let h = scalar::hessian(|x| (2.0 * x[0] * x[1]).sin() - 1.0, &[1.0, 2.0]);
    near(&h[0], &[-16.0 * 4f64.sin(), 2.0 * 4f64.cos() - 8.0 * 4f64.sin()], 1e-14);
    let (_, d) = scalar::jvp(|x| vec![2.0 * x[0], x[0] % 2.0], &[5.0], &[1.0]);
    assert_eq!(d, [2.0, 1.0]);
}

#[allow(clippy::op_ref, reason = "references are what is tested")]
#[test]
fn operators_on_either_side_and_by_reference() {
    let tape = Tape::new();
    let (x, y) = (tape.var(3.0), tape.var(4.0));
    let all = [x + y, &x + y, x + &y, &x + &y].map(|z| z.grads_of(&[x, y]));
    assert_eq!(all, [(); 4].map(|()| vec![1.0, 1.0]));
    for (z, value, slope) in [
        (x + 2.0, 5.0, 1.0),
        (2.0 + x, 5.0, 1.0),
        (x - 2.0, 1.0, 1.0),
        (2.0 - x, -1.0, -1.0),
        (x * 2.0, 6.0, 2.0),
        (2.0 * &x, 6.0, 2.0),
        (&x / 2.0, 1.5, 0.5),
        (6.0 / x, 2.0, -2.0 / 3.0),
        (x % 2.0, 1.0, 1.0),
        (7.0 % x, 1.0, -2.0),
        (-x, -3.0, -1.0),
        (-&x, -3.0, -1.0),
    ] {
        assert_eq!(z.value(), value);
        assert!((z.grads_of(&[x])[0] - slope).abs() < 1e-15, "{z:?}");
    }
    let mut z = x;
    z += y;
    z *= 2.0;
    z -= 1.0;
    z /= x;
    z %= 10.0;
    assert_eq!(z.value(), 13.0 / 3.0);
    let g = z.grads_of(&[x, y]);
    assert!((g[0] - (2.0 / 3.0 - 13.0 / 9.0)).abs() < 1e-15 && g[1] == 2.0 / 3.0);
    let all = [x, y];
    assert_eq!(all.iter().sum::<Var<'_>>().value(), 7.0);
    assert_eq!(all.iter().product::<Var<'_>>().grads_of(&all), [4.0, 3.0]);
    let none: [Var<'_>; 0] = [];
    assert_eq!((none.iter().sum::<Var<'_>>().value(), none.into_iter().product::<Var<'_>>().value()), (0.0, 1.0));
}

#[test]
fn comparisons_casts_and_text_read_the_value() {
    let tape = Tape::new();
    let (x, y) = (tape.var(3.25), tape.var(4.0));
    assert!(x < y && x != y && x < 3.5 && y == 4.0 && x == tape.var(3.25));
    assert_eq!(tape.var(f64::NAN).partial_cmp(&y), None);
    assert_eq!((format!("{x:.1}"), x.to_i32(), x.to_f64(), y.to_u8()), ("3.2".into(), Some(3), Some(3.25), Some(4)));
    assert_eq!(format!("{:?} {:?}", x, Var::constant(1.0)), "Var(3.25, 1.0 of record 0) Var(1.0)");
    assert_eq!(format!("{} {:?}", Dual::new(1.5, [2.0]), Dual::new(1.5, [2.0])), "1.5 Dual(1.5, [2.0])");
    let constants = [
        <Var<'_> as NumCast>::from(2u8).unwrap(),
        Var::zero(),
        Var::one(),
        Var::from_str_radix("2.5", 10).unwrap(),
        Var::PI(),
        Var::max_value(),
        x.floor(),
        x.detach(),
        2.0.into(),
    ];
    assert!(constants.iter().all(|c| c.is_constant()));
    assert!((x * Var::PI()).grads_of(&[x])[0] == std::f64::consts::PI);
    assert!(Var::<f64>::from_str_radix("x", 10).is_err());
    assert_eq!(Float::integer_decode(x), Float::integer_decode(3.25));
    assert!(Signed::is_negative(&-x) && Signed::is_positive(&x) && (-x).is_sign_negative());
    assert_eq!(<Var<'_> as Float>::epsilon(), f64::EPSILON);
    assert_eq!(x.copysign(-1.0).grads_of(&[x]), [-1.0]);
    assert_eq!(Float::abs_sub(y, x).grads_of(&[x, y]), [-1.0, 1.0]);
}

/// The value of `mul_add` is rounded once.
#[test]
fn fused_values() {
    let (a, b, c) = (1.0 + f64::EPSILON, 1.0 - f64::EPSILON, -1.0);
    let tape = Tape::new();
    let v = [a, b, c].map(|x| tape.var(x));
    let y = v[0].mul_add(v[1], v[2]);
    assert_eq!((y.value(), y.grads_of(&v)), (a.mul_add(b, c), vec![b, a, 1.0]));
}

/// Constants leave no record, and neither do operations of one variable.
#[test]
fn what_is_recorded() {
    let tape = Tape::new();
    let (x, y) = (tape.var(0.5), tape.var(2.0));
    let z = (2.0 * x.sin() + 1.0).exp() / 3.0 + x * x.tanh();
    assert_eq!(tape.len(), 2);
    let _ = z * y + <Var<'_> as NumCast>::from(3).unwrap();
    assert_eq!(tape.len(), 3);
    assert_eq!(Var::constant(2.0).powf(Var::constant(3.0)), 8.0);
    assert_eq!(tape.len(), 3);
    fn scalars<T: Scalar>() {}
    scalars::<Var<'_, Dual<Var<'_, f32>, 3>>>();
}
