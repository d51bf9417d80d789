//! Taylor series: against known ones, against duals inside duals, at special points, and nested.
use crate::functions::{apply, table};
use chainrule::{
    formula::{Elementwise, Gelu, GeluTanh, Number, Silu},
    scalar::{self, Compiled, Dual, Jet, Scalar, Tape, Var, taylor},
};

/// The highest order of the known series.
const N: usize = 14;
type J = Jet<N>;

fn factorial(n: usize) -> f64 {
    (1..=n).map(|k| k as f64).product()
}

/// `p (p - 1) .. / n!`
fn binomial(p: f64, n: usize) -> f64 {
    (0..n).map(|k| (p - k as f64) / (k + 1) as f64).product()
}

/// Bernoulli numbers by their recurrence, B(1) = -1/2.
fn bernoulli(n: usize) -> f64 {
    let mut b: Vec<f64> = vec![1.0];
    for m in 1..=n {
        let sum: f64 = (0..m).map(|k| binomial((m + 1) as f64, k) * b[k]).sum();
        b.push(-sum / (m + 1) as f64);
    }
    b[n]
}

/// The zeta function for whole `s > 1`: a sum, and the tail by Euler and Maclaurin.
fn zeta(s: usize) -> f64 {
    let (m, s) = (30.0f64, s as f64);
    let sum: f64 = (1..30).rev().map(|k| f64::from(k).powf(-s)).sum();
    let tail = m.powf(1.0 - s) / (s - 1.0) + 0.5 * m.powf(-s) + s * m.powf(-s - 1.0) / 12.0;
    let third = s * (s + 1.0) * (s + 2.0) * m.powf(-s - 3.0) / 720.0;
    sum + tail - third * (1.0 - (s + 3.0) * (s + 4.0) / 42.0 / (m * m))
}

fn close(name: &str, found: &[f64], right: impl Fn(usize) -> f64) {
    assert_eq!(found.len(), N + 1);
    for (k, found) in found.iter().enumerate() {
        let right = right(k);
        assert!((found - right).abs() <= 2e-13 * right.abs().max(1e-2), "{name}, order {k}: {found:e}, not {right:e}");
    }
}

fn odd(k: usize, c: impl Fn(usize) -> f64) -> f64 {
    if k % 2 == 1 { c(k / 2) } else { 0.0 }
}

fn sign(n: usize) -> f64 {
    if n.is_multiple_of(2) { 1.0 } else { -1.0 }
}

#[test]
fn known_series() {
    let central = |n: usize| factorial(2 * n) / (4f64.powi(n as i32) * factorial(n).powi(2) * (2 * n + 1) as f64);
    // tan: B(2n) (-4)^n (1 - 4^n) / (2n)!
    let tangent = |n: usize| {
        bernoulli(2 * n + 2) * 4f64.powi(n as i32 + 1) * (4f64.powi(n as i32 + 1) - 1.0) / factorial(2 * n + 2)
    };
    close("exp", &taylor(|x: J| x.exp(), 0.0), |k| 1.0 / factorial(k));
    close("exp_m1", &taylor(|x: J| x.exp_m1(), 0.0), |k| if k == 0 { 0.0 } else { 1.0 / factorial(k) });
    close("exp2", &taylor(|x: J| x.exp2(), 0.0), |k| 2f64.ln().powi(k as i32) / factorial(k));
    close("ln_1p", &taylor(|x: J| x.ln_1p(), 0.0), |k| if k == 0 { 0.0 } else { sign(k + 1) / k as f64 });
    close("ln", &taylor(|x: J| x.ln(), 1.0), |k| if k == 0 { 0.0 } else { sign(k + 1) / k as f64 });
    close("recip", &taylor(|x: J| 1.0 / (1.0 - x), 0.0), |_| 1.0);
    close("recip()", &taylor(|x: J| (1.0 - x).recip(), 0.0), |_| 1.0);
    close("sin", &taylor(|x: J| x.sin(), 0.0), |k| odd(k, |n| sign(n) / factorial(k)));
    close("cos", &taylor(|x: J| x.cos(), 0.0), |k| odd(k + 1, |_| sign(k / 2) / factorial(k)));
    close("tan", &taylor(|x: J| x.tan(), 0.0), |k| odd(k, |n| tangent(n) * sign(n)));
    close("tanh", &taylor(|x: J| x.tanh(), 0.0), |k| odd(k, tangent));
    close("sigmoid", &taylor(|x: J| 2.0 * (2.0 * x).sigmoid() - 1.0, 0.0), |k| odd(k, tangent));
    close("sinh", &taylor(|x: J| x.sinh(), 0.0), |k| odd(k, |_| 1.0 / factorial(k)));
    close("cosh", &taylor(|x: J| x.cosh(), 0.0), |k| odd(k + 1, |_| 1.0 / factorial(k)));
    close("atan", &taylor(|x: J| x.atan(), 0.0), |k| odd(k, |n| sign(n) / k as f64));
    close("atanh", &taylor(|x: J| x.atanh(), 0.0), |k| odd(k, |_| 1.0 / k as f64));
    close("asin", &taylor(|x: J| x.asin(), 0.0), |k| odd(k, central));
    close("asinh", &taylor(|x: J| x.asinh(), 0.0), |k| odd(k, |n| sign(n) * central(n)));
    close("sqrt", &taylor(|x: J| x.sqrt(), 1.0), |k| binomial(0.5, k));
    close("cbrt", &taylor(|x: J| x.cbrt(), 1.0), |k| binomial(1.0 / 3.0, k));
    close("powf", &taylor(|x: J| x.powf(-1.7), 1.0), |k| binomial(-1.7, k));
    close("powi", &taylor(|x: J| x.powi(-4), 1.0), |k| binomial(-4.0, k));
    close("powi(3)", &taylor(|x: J| x.powi(3), 0.0), |k| f64::from(k == 3));
    close("square", &taylor(|x: J| x.square(), 1.0), |k| binomial(2.0, k));
    let gauss = |n: usize| std::f64::consts::FRAC_2_SQRT_PI * sign(n) / (factorial(n) * (2 * n + 1) as f64);
    close("erf", &taylor(|x: J| x.erf(), 0.0), |k| odd(k, gauss));
    close("erfc", &taylor(|x: J| 1.0 - x.erfc(), 0.0), |k| odd(k, gauss));
    let gamma = 0.577_215_664_901_532_9;
    close("ln_gamma", &taylor(|x: J| x.ln_gamma(), 1.0), |k| match k {
        0 => 0.0,
        1 => -gamma,
        _ => sign(k) * zeta(k) / k as f64,
    });
    close("digamma", &taylor(|x: J| x.digamma(), 1.0), |k| if k == 0 { -gamma } else { sign(k + 1) * zeta(k + 1) });
}

/// The derivatives of `x^x` at 1 (OEIS A005727).
#[test]
fn x_to_the_x() {
    let right = [1, 1, 2, 3, 8, 10, 54, -42, 944, -5112, 47160, -419_760, 4_297_512];
    let found = scalar::derivatives(|x: Jet<12>| x.powf(x), 1.0);
    for (k, (found, right)) in found.iter().zip(right).enumerate() {
        assert!((found - f64::from(right)).abs() < 1e-8 * f64::from(right).abs(), "order {k}: {found}, not {right}");
    }
}

/// Compositions: both sides of an identity, from different rows.
#[test]
fn identities() {
    let x = J::new(0.3, std::array::from_fn(|k| (1.7 * (k + 1) as f64).sin() / (k + 1) as f64));
    let pairs = [
        ("exp ln", x.ln().exp(), x),
        ("sin^2 + cos^2", x.sin().square() + x.cos().square(), J::constant(1.0)),
        ("tan", x.tan(), x.sin() / x.cos()),
        ("tan atan", x.atan().tan(), x),
        ("sin asin", x.asin().sin(), x),
        ("cosh acosh", (x + 1.5).acosh().cosh(), x + 1.5),
        ("tanh", x.tanh(), x.sinh() / x.cosh()),
        ("atanh tanh", x.tanh().atanh(), x),
        ("sigmoid", x.sigmoid(), 1.0 / (1.0 + (-x).exp())),
        ("softplus", x.softplus(), (1.0 + x.exp()).ln()),
        ("log_sigmoid", x.log_sigmoid(), x.sigmoid().ln()),
        ("sqrt", x.sqrt() * x.sqrt(), x),
        ("cbrt", x.cbrt().powi(3), x),
        ("powf", x.powf(x), (x * x.ln()).exp()),
        ("hypot", x.hypot(x + 1.0).square(), x * x + (x + 1.0) * (x + 1.0)),
        ("atan2", (x + 1.0).atan2(x), std::f64::consts::FRAC_PI_2 - (x / (x + 1.0)).atan()),
        ("ln_gamma", (x + 1.0).ln_gamma() - x.ln_gamma(), x.ln()),
        ("division", x / (x + 2.0) * (x + 2.0), x),
        ("erf", x.erf() + x.erfc(), J::constant(1.0)),
        ("silu", x.apply(Silu {}), x * x.sigmoid()),
        ("gelu", x.apply(Gelu {}), x * x.normal_cdf()),
    ];
    for (name, a, b) in pairs {
        for k in 0..=N {
            let (a, b) = (a.coefficient(k), b.coefficient(k));
            // High orders near a pole: coefficients grow with its distance.
            let size = 4f64.powi(k as i32);
            assert!((a - b).abs() < 1e-13 * size, "{name}, order {k}: {a:e} and {b:e}");
        }
    }
}

type D1 = Dual<f64>;
type D2 = Dual<D1>;
type D3 = Dual<D2>;

/// The variable x for three nested derivatives.
fn nested(x: f64) -> D3 {
    let inner = Dual::new(Dual::new(x, [1.0]), [Dual::constant(1.0)]);
    Dual::new(inner, [Dual::constant(Dual::constant(1.0))])
}

fn orders(y: D3) -> [f64; 4] {
    let (v, d) = (y.value(), y.tangent()[0]);
    [v.value().value(), v.value().tangent()[0], v.tangent()[0].tangent()[0], d.tangent()[0].tangent()[0]]
}

#[test]
fn every_function_as_duals_inside_duals() {
    let mut missed = vec![];
    for row in table() {
        let found = apply(row.name, Jet::<3>::variable(row.x)).derivatives();
        let right = orders(apply(row.name, nested(row.x)));
        assert_eq!(found[0].to_bits(), right[0].to_bits(), "{} at {}: the bits of the value", row.name, row.x);
        for k in 1..4 {
            let (a, b) = (found[k], right[k]);
            let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-11 * b.abs();
            if !same {
                missed.push(format!("{} at {}, order {k}: {a:e}, but {b:e}", row.name, row.x));
            }
        }
        let first = apply(row.name, Dual::<f64>::new(row.x, [1.0])).tangent()[0];
        assert_eq!(found[1].to_bits(), first.to_bits(), "{} at {}: the bits of the first order", row.name, row.x);
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// The first derivative of everything that has special points is a dual's, and so are the higher ones: NaN, infinities and all.
#[test]
fn special_points_are_those_of_duals() {
    type Function = (&'static str, fn(D3) -> D3, fn(Jet<3>) -> Jet<3>);
    macro_rules! both { ($($name:literal $f:expr;)*) => { [$(($name, (|x| $f(x)) as fn(D3) -> D3, (|x| $f(x)) as fn(Jet<3>) -> Jet<3>)),*] } }
    fn zero_wins<T: Scalar>(x: T) -> T {
        x.sqrt() * T::lit(0.0) + T::lit(f64::INFINITY) * (x - x)
    }
    fn powers<T: Scalar>(x: T) -> T {
        x.powi(0) + x.powi(3) + x.powf(T::lit(2.0)) + x.powf(T::lit(0.0))
    }
    fn pair<T: Scalar>(x: T) -> T {
        x.hypot(x) + x.atan2(x) + x.maximum(x) + x.minimum(-x)
    }
    fn pieces<T: Scalar>(x: T) -> T {
        x.floor() * x + x.fract() + x.signum() * x + x % T::lit(2.0) + x.max(T::lit(0.0)) + x.min(T::lit(1.0))
    }
    let functions: Vec<Function> = Vec::from(both! {
        "abs" num_traits::Float::abs; "relu" Scalar::relu; "ln" num_traits::Float::ln; "recip" num_traits::Float::recip;
        "powers" powers; "pair" pair; "pieces" pieces; "zero wins" zero_wins;
        "tanh" num_traits::Float::tanh; "exp" num_traits::Float::exp; "sigmoid" Scalar::sigmoid; "erf" Scalar::erf;
        "atan" num_traits::Float::atan; "square" Scalar::square; "sqrt" num_traits::Float::sqrt; "ln_gamma" Scalar::ln_gamma;
        "asin" num_traits::Float::asin; "acosh" num_traits::Float::acosh; "normal_pdf" Scalar::normal_pdf;
    });
    let mut missed = vec![];
    for (name, dual, jet) in functions {
        for x in [0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-320, 1e308] {
            let (found, right) = (jet(Jet::variable(x)).derivatives(), orders(dual(nested(x))));
            for k in 0..4 {
                let (a, b) = (found[k], right[k]);
                let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-11 * b.abs() + 1e-15;
                if !same {
                    missed.push(format!("{name} at {x}, order {k}: {a:e}, but {b:e}"));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// A whole program.
fn program<T: Scalar>(x: T, p: T) -> T {
    let a = (x * p).sin() + (p / (T::one() + x * x)).exp();
    let b = x.hypot(p) * (a + x).sigmoid() - p.powi(3).atan();
    (a * b + x.cosh().ln() * b).tanh() + (b * b).powf(x.square()) * p.erf() + (x * x).ln_gamma()
}

#[test]
fn programs_as_duals_inside_duals() {
    for x in [0.7, -1.2, 2.3] {
        let found = scalar::derivatives(|x: Jet<3>| program(x, 0.4.into()), x);
        let right = orders(program(nested(x), 0.4.into()));
        for (a, b) in found.iter().zip(right) {
            assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "at {x}: {a:e}, but {b:e}");
        }
    }
}

#[test]
fn jets_and_variables_nest_either_way() {
    let (x, p) = (0.7, -0.4);
    // The derivative with respect to p of each coefficient, by differences of the jets themselves.
    let jet = |p: f64| taylor(|x: Jet<4>| program(x, p.into()), x);
    let h = 1e-5;
    let numeric: Vec<f64> = jet(p + h).iter().zip(jet(p - h)).map(|(a, b)| (a - b) / (2.0 * h)).collect();
    // A jet inside a variable: the gradient is a series.
    let (mut tape, mut gradient) = (Tape::new(), [Jet::<4>::constant(0.0); 2]);
    let point = [Jet::<4>::variable(x), Jet::constant(p)];
    let y = tape.value_and_grad(|x| program(x[0], x[1]), &point, &mut gradient);
    assert_eq!(y.coefficients(), jet(p));
    // Variables inside a jet: each coefficient has a gradient.
    for (k, numeric) in numeric.iter().enumerate() {
        let inside = scalar::grad(|p| coefficient(p, k), &[p])[0];
        assert!((inside - numeric).abs() < 1e-7 * numeric.abs().max(1.0), "order {k}: {inside}, differences {numeric}");
        let outside = gradient[1].coefficient(k);
        assert!((inside - outside).abs() < 1e-11 * outside.abs().max(1.0), "order {k}: {inside} and {outside}");
    }
    // And the gradient with respect to x is the derivative of the series.
    let longer = taylor(|x: Jet<5>| program(x, p.into()), x);
    for k in 0..=4 {
        let right = longer[k + 1] * (k + 1) as f64;
        assert!((gradient[0].coefficient(k) - right).abs() < 1e-11 * right.abs().max(1.0));
    }
    // Jets of jets: mixed derivatives in two directions.
    let xy = program(Jet::<1, Jet<2>>::constant(Jet::variable(x)), Jet::variable(Jet::constant(p)));
    assert!((xy.coefficient(1).coefficient(2) - gradient[1].coefficient(2)).abs() < 1e-11);
}

fn coefficient<'t>(p: &[Var<'t>], k: usize) -> Var<'t> {
    program(Jet::<4, Var<'t>>::variable(0.7.into()), Jet::constant(p[0])).coefficient(k)
}

/// A recorded program of jets: what is 0 where it was recorded need not be 0 elsewhere.
#[test]
fn recorded_programs_hold_jets() {
    let mut compiled = Compiled::record(|x| third(x[0], x[1]), &[0.5, 0.0]);
    for point in [[0.5, 0.0], [1.5, 2.0], [-0.3, -1.0]] {
        let mut found = [0.0f64; 2];
        let value = compiled.value_and_grad(&point, &mut found);
        let (right, gradient) = scalar::value_and_grad(|x| third(x[0], x[1]), &point);
        assert_eq!(value, right);
        for (a, b) in found.iter().zip(gradient) {
            assert!((a - b).abs() < 1e-13 * b.abs().max(1.0), "at {point:?}: {a} and {b}");
        }
    }
    assert_eq!(compiled.recordings(), 1);
}

/// The coefficient of order 3 of a quotient, along a bent line.
fn third<S: Scalar>(x: S, bend: S) -> S {
    (Jet::new(x, [S::lit(1.0), bend, bend]).tanh() / (Jet::<3, S>::variable(x).square() + 1.0)).coefficient(3)
}

/// Orders at which a recursion that forgets what it has seen would not end.
#[test]
fn high_orders_take_no_long() {
    let x = 0.3f64;
    let sine = scalar::derivatives(|x: Jet<60>| x.sin(), x);
    for (k, d) in sine.iter().enumerate() {
        let right = [x.sin(), x.cos(), -x.sin(), -x.cos()][k % 4];
        assert!((d - right).abs() < 1e-12 * right.abs(), "order {k}: {d}");
    }
    // 1 / (2 - x)^k at 1: coefficients are binomials.
    let power = taylor(|x: Jet<150>| (2.0 - x).powf(-1.5), 1.0);
    for (k, c) in power.iter().enumerate() {
        let right = binomial(-1.5, k) * sign(k);
        assert!((c - right).abs() < 1e-12 * right, "order {k}: {c}, not {right}");
    }
    let all = |x: Jet<60>| {
        let a =
            x.tanh() + x.sigmoid() + x.softplus() + x.erf() + x.normal_cdf() + x.apply(GeluTanh {}) + x.apply(Gelu {});
        a + x.powf(x) + x.ln_gamma() + x.asinh() + x.acos() + x.atan2(x + 1.0) + x.hypot(x.cos()) + x.cbrt()
    };
    assert!(all(Jet::variable(x)).coefficients().iter().all(|c| c.is_finite()));
}

/// A formula of one's own that branches in each derivative: `f' = f g + f h`, with three rows at once.
#[derive(Clone, Copy)]
struct Branching {
    scale: f64,
}
impl Elementwise<1> for Branching {
    const NAME: &'static str = "branching";
    fn value<S: Number>(self, [x]: [S; 1]) -> S {
        x.sin().exp() * x.lit(self.scale)
    }
    fn partials<S: Number>(self, [x]: [S; 1], y: S) -> [S; 1] {
        [y * x.cos() * x.lit(0.5) + x.sin().exp() * x.cos() * x.lit(0.5 * self.scale)]
    }
}

#[test]
fn formulas_of_ones_own() {
    let found = taylor(|x: Jet<40>| x.apply(Branching { scale: 2.0 }), 0.4);
    let right = taylor(|x: Jet<40>| 2.0 * x.sin().exp(), 0.4);
    for (k, (a, b)) in found.iter().zip(right).enumerate() {
        assert!((a - b).abs() < 1e-13, "order {k}: {a} and {b}");
    }
}

#[test]
fn in_f32() {
    let found = taylor(|x: Jet<8, f32>| (x.tanh() + x.ln_1p()) / (x + 2.0), 0.5);
    let right = taylor(|x: Jet<8>| (x.tanh() + x.ln_1p()) / (x + 2.0), 0.5);
    for (a, b) in found.iter().zip(right) {
        assert!((f64::from(*a) - b).abs() < 3e-6, "{a} and {b}");
    }
}

#[test]
fn order_0_is_the_number_itself() {
    assert_eq!(taylor(|x: Jet<0>| (x.sin() / x).powf(x) + x % 2.0, 2.5), [(2.5f64.sin() / 2.5).powf(2.5) + 0.5]);
}

#[test]
fn parts_and_text() {
    let x = Jet::new(1.5, [2.0, 3.0]);
    assert_eq!((x.value(), x.coefficients(), x.derivatives()), (1.5, vec![1.5, 2.0, 3.0], vec![1.5, 2.0, 6.0]));
    assert_eq!((format!("{x}"), format!("{x:?}")), ("1.5".into(), "Jet(1.5, [2.0, 3.0])".into()));
    assert_eq!((x + x.detach()).coefficients(), [3.0, 2.0, 3.0]);
    assert_eq!((-x * 2.0 - x).coefficients(), [-4.5, -6.0, -9.0]);
    // Arithmetic has the bits of plain numbers.
    let program = |x: f64| (x * 3.7 - 1.1) / (x + 0.3);
    assert_eq!(((x * 3.7 - 1.1) / (x + 0.3)).value(), program(1.5));
    assert!(x > 1.0 && x == Jet::constant(1.5) && x.floor().coefficients() == [1.0, 0.0, 0.0]);
    // Rounded once, as that of plain numbers.
    let (a, b) = (Jet::<2>::variable(1.0 + f64::EPSILON), Jet::constant(-1.0));
    assert_eq!(a.mul_add(a, b).value(), (1.0 + f64::EPSILON).mul_add(1.0 + f64::EPSILON, -1.0));
    assert_eq!(a.mul_add(a, b).coefficient(2), 1.0);
}

#[test]
#[should_panic(expected = "scalar::Jet: order 3 of a series up to order 2")]
fn orders_that_are_not_there() {
    Jet::<2>::variable(1.0).derivative(3);
}
