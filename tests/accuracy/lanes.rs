//! The same number gives the same bits wherever it stands: in the vectorised part of a loop, in its tail, on any
//! thread.
use chainrule::prelude::*;

const VALUES: [f64; 23] = [
    0.0,
    -0.0,
    0.3,
    -0.7,
    1.0,
    -1.0,
    2.5,
    -3.3,
    6.0,
    -9.1,
    20.0,
    -40.0,
    88.0,
    -103.0,
    700.0,
    -740.0,
    1e-30,
    -1e30,
    0.5,
    1e-3,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

type Unary<F> = for<'t> fn(Var<'t, F>) -> Var<'t, F>;

fn unary<F: Real>() -> Vec<(&'static str, Unary<F>)> {
    macro_rules! list { ($($name:ident($($arg:expr),*))*) => {
        vec![$((stringify!($name), |x| x.$name($($arg),*))),*]
    } }
    list! {
        neg() abs() sign() step() scale(0.3) div_scalar(0.3) add_scalar(0.3) exp() ln() sqrt() recip() square() powi(3) powi(-2)
        powf(1.7) tanh() sech2() sigmoid() sigmoid_slope() softplus() relu() leaky_relu(0.1) gelu() gelu_tanh() silu()
        erf() erfc() gauss() normal_cdf() normal_pdf() clamp(-1.0, 2.0)
        exp_m1() ln_1p() sin() cos() tan() log_sigmoid() elu(0.7) selu() hardtanh()
    }
}

/// The bits of value and derivative for each number of `x` in turn, `n` of them from place `start` on.
fn run<F: Real>(f: Unary<F>, start: usize, n: usize) -> [Vec<u64>; 2] {
    let mut tape = Tape::new();
    let r = tape.begin();
    let x = r.variable(&Tensor::from_fn([n], |e| VALUES[(start + e) % VALUES.len()]));
    let y = f(x);
    let value = y.value();
    let upstream = r.constant(&Tensor::filled([n], F::of(0.7)));
    let slope = (y * upstream).sum().grads_of(&[x]).unwrap().remove(0);
    // Which NaN it is does not count.
    let bits = |t: Tensor<F>| t.data().iter().map(|x| if x.is_nan() { 1 } else { x.f64().to_bits() }).collect();
    [bits(value), bits(slope)]
}

fn same_everywhere<F: Real>() {
    for (name, f) in unary::<F>() {
        let alone: Vec<_> = (0..VALUES.len()).map(|k| run(f, k, 1)).collect();
        let check = |start: usize, n: usize| {
            let found = run(f, start, n);
            for (what, found) in found.iter().enumerate() {
                for (e, bits) in found.iter().enumerate() {
                    let k = (start + e) % VALUES.len();
                    assert_eq!(*bits, alone[k][what][0], "{name} {} of {:e} at {e} of {n}", F::NAME, VALUES[k]);
                }
            }
        };
        (1..=70).for_each(|n| check(n, n));
        check(3, 100_000);
    }
}

#[test]
fn the_same_bits_in_every_lane_f32() {
    same_everywhere::<f32>();
}

#[test]
fn the_same_bits_in_every_lane_f64() {
    same_everywhere::<f64>();
}

#[test]
fn the_same_bits_with_any_number_of_threads() {
    for (name, f) in unary::<f32>() {
        let one = chainrule::with_threads(1, || run(f, 0, 100_000)).unwrap();
        let three = chainrule::with_threads(3, || run(f, 0, 100_000)).unwrap();
        assert!(one == three, "{name}");
    }
}
