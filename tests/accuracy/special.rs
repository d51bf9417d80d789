//! NaN, infinities and signed zeros.
use chainrule::prelude::*;

const INFINITY: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
/// The normal density at 0.
const P: f64 = 0.398_942_280_401_432_7;
/// The slope of erf at 0.
const M: f64 = std::f64::consts::FRAC_2_SQRT_PI;

const L: f64 = std::f64::consts::LN_2;
/// The scale of selu, and that times its alpha.
const S: f64 = 1.050_700_987_355_480_5;
const A: f64 = 1.758_099_340_847_376_6;

type Function<F> = for<'t> fn(Var<'t, F>) -> Var<'t, F>;

/// At -inf, inf, NaN, -0.0, 0.0: the values, then the derivatives.
type Row<F> = (&'static str, Function<F>, [f64; 5], [f64; 5]);

fn table<F: Real>() -> Vec<Row<F>> {
    vec![
        ("exp", |x| x.exp(), [0.0, INFINITY, NAN, 1.0, 1.0], [0.0, INFINITY, NAN, 1.0, 1.0]),
        ("ln", |x| x.ln(), [NAN, INFINITY, NAN, -INFINITY, -INFINITY], [-0.0, 0.0, NAN, -INFINITY, INFINITY]),
        ("exp_m1", |x| x.exp_m1(), [-1.0, INFINITY, NAN, -0.0, 0.0], [0.0, INFINITY, NAN, 1.0, 1.0]),
        ("ln_1p", |x| x.ln_1p(), [NAN, INFINITY, NAN, -0.0, 0.0], [0.0, 0.0, NAN, 1.0, 1.0]),
        ("sin", |x| x.sin(), [NAN, NAN, NAN, -0.0, 0.0], [NAN, NAN, NAN, 1.0, 1.0]),
        ("cos", |x| x.cos(), [NAN, NAN, NAN, 1.0, 1.0], [NAN, NAN, NAN, 0.0, 0.0]),
        ("tan", |x| x.tan(), [NAN, NAN, NAN, -0.0, 0.0], [NAN, NAN, NAN, 1.0, 1.0]),
        ("log_sigmoid", |x| x.log_sigmoid(), [-INFINITY, 0.0, NAN, -L, -L], [1.0, 0.0, NAN, 0.5, 0.5]),
        ("elu", |x| x.elu(0.5), [-0.5, INFINITY, NAN, -0.0, 0.0], [0.0, 1.0, NAN, 0.5, 0.5]),
        ("selu", |x| x.selu(), [-A, INFINITY, NAN, -0.0, 0.0], [0.0, S, NAN, A, A]),
        ("hardtanh", |x| x.hardtanh(), [-1.0, 1.0, NAN, -0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 1.0]),
        ("sqrt", |x| x.sqrt(), [NAN, INFINITY, NAN, -0.0, 0.0], [NAN, 0.0, NAN, -INFINITY, INFINITY]),
        ("recip", |x| x.recip(), [-0.0, 0.0, NAN, -INFINITY, INFINITY], [0.0, 0.0, NAN, -INFINITY, -INFINITY]),
        ("square", |x| x.square(), [INFINITY, INFINITY, NAN, 0.0, 0.0], [-INFINITY, INFINITY, NAN, -0.0, 0.0]),
        ("tanh", |x| x.tanh(), [-1.0, 1.0, NAN, -0.0, 0.0], [0.0, 0.0, NAN, 1.0, 1.0]),
        ("sigmoid", |x| x.sigmoid(), [0.0, 1.0, NAN, 0.5, 0.5], [0.0, 0.0, NAN, 0.25, 0.25]),
        ("softplus", |x| x.softplus(), [0.0, INFINITY, NAN, 2f64.ln(), 2f64.ln()], [0.0, 1.0, NAN, 0.5, 0.5]),
        ("relu", |x| x.relu(), [0.0, INFINITY, NAN, -0.0, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0]),
        ("silu", |x| x.silu(), [0.0, INFINITY, NAN, 0.0, 0.0], [0.0, 1.0, NAN, 0.5, 0.5]),
        ("gelu", |x| x.gelu(), [0.0, INFINITY, NAN, 0.0, 0.0], [0.0, 1.0, NAN, 0.5, 0.5]),
        ("gelu_tanh", |x| x.gelu_tanh(), [0.0, INFINITY, NAN, 0.0, 0.0], [0.0, 1.0, NAN, 0.5, 0.5]),
        ("erf", |x| x.erf(), [-1.0, 1.0, NAN, -0.0, 0.0], [0.0, 0.0, NAN, M, M]),
        ("erfc", |x| x.erfc(), [2.0, 0.0, NAN, 1.0, 1.0], [0.0, 0.0, NAN, -M, -M]),
        ("gauss", |x| x.gauss(), [0.0, 0.0, NAN, 1.0, 1.0], [0.0, 0.0, NAN, 0.0, -0.0]),
        ("normal_cdf", |x| x.normal_cdf(), [0.0, 1.0, NAN, 0.5, 0.5], [0.0, 0.0, NAN, P, P]),
        ("normal_pdf", |x| x.normal_pdf(), [0.0, 0.0, NAN, P, P], [0.0, 0.0, NAN, 0.0, -0.0]),
        ("abs", |x| x.abs(), [INFINITY, INFINITY, NAN, 0.0, 0.0], [-1.0, 1.0, NAN, 0.0, 0.0]),
    ]
}

fn check<F: Real>() {
    let x = Tensor::<F>::from_fn([5], |e| [-INFINITY, INFINITY, NAN, -0.0, 0.0][e]);
    for (name, f, values, slopes) in table::<F>() {
        let mut tape = Tape::new();
        let v = tape.begin().variable(&x);
        let y = f(v);
        let value = y.value();
        let slope = y.sum().grads_of(&[v]).unwrap().remove(0);
        for (what, found, right) in [("value", value, values), ("slope", slope, slopes)] {
            for (e, (a, b)) in found.data().iter().zip(right).enumerate() {
                let (a, b) = (a.f64(), F::of(b).f64());
                // The sign of a zero counts for odd functions, whose value at -0.0 is -0.0.
                let odd = what == "value" && b == 0.0 && x.data()[e] == F::zero();
                let signed = !odd || a.is_sign_negative() == b.is_sign_negative();
                let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-7;
                assert!(same && signed, "{name} {}: {what} at {:e} is {a:e}, not {b:e}", F::NAME, x.data()[e]);
            }
        }
    }
}

#[test]
fn infinities_nan_and_zeros() {
    check::<f32>();
    check::<f64>();
}
