//! Digits of the scalar functions, in both tails: every value and derivative against 31-digit arithmetic.
#[path = "accuracy/dd.rs"]
mod dd;
#[path = "accuracy/lanes.rs"]
mod lanes;
#[path = "accuracy/special.rs"]
mod special;

use chainrule::{
    core::{Op, TensorLike},
    formula::*,
    prelude::{Real, Tape, Tensor},
};
use dd::Dd;

/// A function, what it is, and its derivative: (value, the larger term where it is a sum that crosses zero).
struct Function {
    name: &'static str,
    lo: f64,
    hi: f64,
    value: fn(Dd) -> Dd,
    slope: fn(Dd) -> (Dd, Dd),
}

impl Function {
    /// Bars in units in the last place: value, derivative.
    fn bars<F: Real>(&self, x: f64) -> (f64, f64) {
        let (value, slope) = if F::NAME == "f64" { (2.0, 4.0) } else { (4.0, 6.0) };
        // An argument that was rounded: its error counts as often as the logarithm of the result is steep.
        let steep = match self.name {
            "gelu" | "gelu_far_out" if x < -2.0 => return (2.0 * x * x, 2.0 * x * x),
            "gelu" | "gelu_far_out" if F::NAME == "f64" && x < 0.0 => 1.0,
            "gelu_tanh" if x < 0.0 => 4.0 * gelu_angle(c(x)).hi.abs(),
            // Three roundings, one of which is the exponential's.
            "silu" if F::NAME == "f64" => 0.25,
            // What the crate libm reaches.
            "erfc" | "erfc_far_out" | "normal_cdf" if F::NAME == "f64" => 0.75,
            _ => 0.0,
        };
        (value + steep, slope + steep)
    }
}

fn whole(x: Dd) -> (Dd, Dd) {
    (x, x)
}
fn sum(a: Dd, b: Dd) -> (Dd, Dd) {
    (a + b, if a.hi.abs() > b.hi.abs() { a } else { b })
}
fn c(x: f64) -> Dd {
    Dd::of(x)
}

/// Uniform, and spaced by ratios towards 0, where a difference of near numbers would lose its digits.
fn points(lo: f64, hi: f64, smallest: f64) -> Vec<f64> {
    let n = if std::env::var_os("CHAINRULE_DEEP").is_some() { 1_000_000 } else { 20_000 };
    let uniform = (0..n).map(|k| lo + (hi - lo) * (f64::from(k) + 0.37) / f64::from(n));
    let ratio = (smallest.ln() / 1500.0).exp();
    let small = (0..1500).map(|k| hi.min(1.0) * ratio.powi(k));
    uniform.chain(small.clone()).chain(small.map(|x| -x)).filter(|x| (lo..=hi).contains(x)).collect()
}

/// |got - right| in units of the last place of `scale`, which is at least that of `least` smallest numbers: the
/// factors of a derivative multiply what a subnormal value lost.
fn ulps<F: Real>(got: F, right: Dd, scale: Dd, least: f64) -> f64 {
    let (largest, least) = (F::max_value().f64(), least * F::min_positive_value().f64() * F::epsilon().f64());
    if right.hi.abs() > largest {
        return if got.f64() == f64::INFINITY.copysign(right.hi) || got.f64().abs() == largest {
            0.0
        } else {
            f64::NAN
        };
    }
    // Exponent bits by the encoding: a logarithm would round up just below a power of two.
    let exponent = f64::from_bits(scale.hi.abs().to_bits() & (0x7ff << 52));
    let ulp = (exponent * F::epsilon().f64()).max(least);
    ((got.f64() - right.hi) - right.lo).abs() / ulp
}

/// What a function gives at some points: values and derivatives.
struct Given<F>(&'static str, Vec<F>, Vec<F>);

/// Through the vocabulary, with the loops of this processor.
fn recorded<F: Real, O: Op<F>>(op: O, x: &[F]) -> Given<F> {
    let mut tape = Tape::new();
    let v = tape.begin().variable(&Tensor::of([x.len()], x.to_vec()));
    let y = TensorLike::apply(op, &[&v]);
    let value = y.value().into_vec();
    Given("recorded", value, y.sum().grads_of(&[v]).unwrap().remove(0).into_vec())
}

/// By the formula for a processor without fused multiply-add.
fn plain<F: Real, O: Elementwise<1>>(op: O, x: &[F]) -> Given<F> {
    let y: Vec<_> = x.iter().map(|&x| op.value([F::Plain::load(x)])).collect();
    let slope = x.iter().zip(&y).map(|(&x, &y)| op.partials([F::Plain::load(x)], y)[0].store());
    Given("plain", y.iter().map(|y| y.store()).collect(), slope.collect())
}

/// Says where a bar is missed, and by how much.
fn judge<F: Real>(f: &Function, x: &[F], right: &[(Dd, Dd, Dd)], given: Given<F>) -> Vec<String> {
    let mut worst = [(1.0, String::new()), (1.0, String::new())];
    for (e, (x, (value, slope, scale))) in x.iter().zip(right).enumerate() {
        let x = x.f64();
        let bars = f.bars::<F>(x);
        let errors = [ulps(given.1[e], *value, *value, 1.0), ulps(given.2[e], *slope, *scale, 4.0)];
        let found = [("value", errors[0], bars.0), ("derivative", errors[1], bars.1)];
        for ((what, error, bar), worst) in found.into_iter().zip(&mut worst) {
            if error.is_nan() || error / bar > worst.0 {
                let text = format!("{} {} {} {what}: {error:.2} ulp of {bar:.2} at {x:e}", f.name, F::NAME, given.0);
                *worst = (error / bar, text);
            }
        }
    }
    worst.into_iter().map(|(_, text)| text).filter(|text| !text.is_empty()).collect()
}

fn check<F: Real, O: Op<F> + Elementwise<1>>(op: O, f: &Function) -> Vec<String> {
    let smallest = if F::NAME == "f64" { 1e-140 } else { 1e-35 };
    let x: Vec<F> = points(f.lo, f.hi, smallest).into_iter().map(F::of).collect();
    let right = |x: &F| {
        let (slope, scale) = (f.slope)(c(x.f64()));
        ((f.value)(c(x.f64())), slope, scale)
    };
    let right: Vec<_> = x.iter().map(right).collect();
    [judge(f, &x, &right, recorded(op, &x)), judge(f, &x, &right, plain(op, &x))].concat()
}

/// A row: name: op, from, to; x, value, (derivative, the larger term where it is a sum that crosses zero).
macro_rules! functions { ($(
    $name:ident: $op:expr, $lo:literal, $hi:literal; |$x:ident| $value:expr, $slope:expr;
)*) => { $(
    #[test]
    fn $name() {
        let f = Function { name: stringify!($name), lo: $lo, hi: $hi, value: |$x| $value, slope: |$x| $slope };
        let missed = [check::<f64, _>($op, &f), check::<f32, _>($op, &f)].concat();
        assert!(missed.is_empty(), "\n{}", missed.join("\n"));
    }
)* } }

fn one() -> Dd {
    c(1.0)
}
fn two() -> Dd {
    c(2.0)
}

/// `(1 + tanh u) / 2 = sigmoid(2 u)` with `u = sqrt(2 / pi) (x + 0.044715 x^3)`
fn gelu_angle(x: Dd) -> Dd {
    let cubic = c(44715.0) / c(1_000_000.0);
    two() * (two() / dd::PI).sqrt() * (x + cubic * x * x * x)
}
fn gelu_angle_slope(x: Dd) -> Dd {
    let cubic = c(3.0) * c(44715.0) / c(1_000_000.0);
    two() * (two() / dd::PI).sqrt() * (one() + cubic * x * x)
}
/// The scale, or that times alpha, with the digits of the paper's code (its constants are decimals).
fn selu_factor(left: bool) -> Dd {
    let scale = c(1.050_700_987_355_480_5);
    if left { scale * c(1.673_263_242_354_377_2) } else { scale }
}
fn sech2(x: Dd) -> Dd {
    c(4.0) * (two() * x).logistic_slope()
}

functions! {
    exp: Exp {}, -690.0, 690.0; |x| x.exp(), whole(x.exp());
    exp_near_0: Exp {}, -3.0, 3.0; |x| x.exp(), whole(x.exp());
    ln: Ln {}, 0.0, 30.0; |x| x.ln(), whole(one() / x);
    exp_m1: ExpM1 {}, -40.0, 88.0; |x| x.exp_m1(), whole(x.exp());
    exp_m1_near_0: ExpM1 {}, -1.0, 1.0; |x| x.exp_m1(), whole(x.exp());
    ln_1p: Ln1p {}, -0.99, 30.0; |x| x.ln_1p(), whole(one() / (one() + x));
    ln_1p_near_minus_1: Ln1p {}, -1.0, -0.9; |x| x.ln_1p(), whole(one() / (one() + x));
    ln_1p_far_out: Ln1p {}, 1.0, 1e30; |x| x.ln_1p(), whole(one() / (one() + x));
    sin: Sin {}, -30.0, 30.0; |x| x.sin(), whole(x.cos());
    cos: Cos {}, -30.0, 30.0; |x| x.cos(), whole(-x.sin());
    sin_far_out: Sin {}, -1e5, 1e5; |x| x.sin(), whole(x.cos());
    tan: Tan {}, -30.0, 30.0; |x| x.sin() / x.cos(), whole(one() / (x.cos() * x.cos()));
    log_sigmoid: LogSigmoid {}, -60.0, 60.0; |x| -(-x).softplus(), whole((-x).sigmoid());
    log_sigmoid_far_out: LogSigmoid {}, -600.0, 600.0; |x| -(-x).softplus(), whole((-x).sigmoid());
    elu: Elu { alpha: 0.75 }, -40.0, 3.0; |x| if x.hi > 0.0 { x } else { c(0.75) * x.exp_m1() },
        whole(if x.hi > 0.0 { one() } else { c(0.75) * x.exp() });
    selu: Selu {}, -40.0, 3.0; |x| if x.hi > 0.0 { x * selu_factor(false) } else { x.exp_m1() * selu_factor(true) },
        whole(if x.hi > 0.0 { selu_factor(false) } else { x.exp() * selu_factor(true) });
    hardtanh: Hardtanh {}, -3.0, 3.0; |x| if x.abs().hi > 1.0 { c(x.hi.signum()) } else { x },
        whole(c(f64::from(x.abs().hi < 1.0)));
    sqrt: Sqrt {}, 0.0, 30.0; |x| x.sqrt(), whole(c(0.5) / x.sqrt());
    recip: Recip {}, -30.0, 30.0; |x| one() / x, whole(-one() / (x * x));
    square: Square {}, -30.0, 30.0; |x| x * x, whole(x + x);
    cube: Powi { n: 3 }, -9.0, 9.0; |x| x.powi(3), whole(c(3.0) * x.powi(2));
    whole_power: Powi { n: -2 }, 1e-9, 9.0; |x| x.powi(-2), whole(c(-2.0) * x.powi(-3));
    real_power: Powf { p: 2.5 }, 1e-12, 9.0; |x| (x.ln() * c(2.5)).exp(), whole(c(2.5) * (x.ln() * c(1.5)).exp());
    tanh: Tanh {}, -30.0, 30.0; |x| x.tanh(), whole(sech2(x));
    tanh_near_0: Tanh {}, -1.0, 1.0; |x| x.tanh(), whole(sech2(x));
    sech2_itself: Sech2 {}, -30.0, 30.0; |x| sech2(x), whole(c(-2.0) * sech2(x) * x.tanh());
    sech2_far_out: Sech2 {}, -300.0, 300.0; |x| sech2(x), whole(c(-2.0) * sech2(x) * x.tanh());
    sigmoid: Sigmoid {}, -60.0, 60.0; |x| x.sigmoid(), whole(x.logistic_slope());
    sigmoid_far_out: Sigmoid {}, -600.0, 600.0; |x| x.sigmoid(), whole(x.logistic_slope());
    sigmoid_slope: SigmoidSlope {}, -60.0, 60.0; |x| x.logistic_slope(),
        whole(-x.logistic_slope() * (x / two()).tanh());
    softplus: Softplus {}, -60.0, 60.0; |x| x.softplus(), whole(x.sigmoid());
    softplus_far_out: Softplus {}, -600.0, 600.0; |x| x.softplus(), whole(x.sigmoid());
    silu: Silu {}, -60.0, 60.0; |x| x * x.sigmoid(), sum(x.sigmoid(), x * x.logistic_slope());
    gelu: Gelu {}, -12.5, 12.5; |x| x * x.normal(), sum(x.normal(), x * x.density());
    gelu_far_out: Gelu {}, -36.0, 36.0; |x| x * x.normal(), sum(x.normal(), x * x.density());
    gelu_tanh: GeluTanh {}, -9.0, 9.0; |x| x * gelu_angle(x).sigmoid(),
        sum(gelu_angle(x).sigmoid(), x * gelu_angle(x).logistic_slope() * gelu_angle_slope(x));
    normal_cdf: NormalCdf {}, -36.0, 9.0; |x| x.normal(), whole(x.density());
    normal_pdf: NormalPdf {}, -36.0, 36.0; |x| x.density(), whole(-x * x.density());
    erf: Erf {}, -9.0, 9.0; |x| x.erf(), whole(two() / dd::PI.sqrt() * x.gauss());
    erfc: Erfc {}, -9.0, 9.0; |x| x.erfc(), whole(-two() / dd::PI.sqrt() * x.gauss());
    erfc_far_out: Erfc {}, -26.0, 26.0; |x| x.erfc(), whole(-two() / dd::PI.sqrt() * x.gauss());
    gauss: Gauss {}, -9.0, 9.0; |x| x.gauss(), whole(-two() * x * x.gauss());
    gauss_far_out: Gauss {}, -26.0, 26.0; |x| x.gauss(), whole(-two() * x * x.gauss());
}

/// Where the result is subnormal, the reference is rounded to it once.
#[test]
fn exp_of_f64_in_the_subnormals() {
    let x: Vec<f64> = (0..4000).map(|k| -700.0 - f64::from(k) * 0.0115).collect();
    for (x, y) in x.iter().zip(recorded(Exp {}, &x).1) {
        let right = c(*x).exp_rounded();
        assert!(right.to_bits().abs_diff(y.to_bits()) <= 2, "{y:e} against {right:e} at {x}");
    }
    assert_eq!(recorded(Exp {}, &[-745.0, -746.0, 709.7, 709.8]).1[..2], [5e-324, 0.0]);
}
