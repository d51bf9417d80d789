//! Where a value or a derivative does not exist: the second table of `docs/conventions.md`, and special values.
use chainrule::scalar::{Dual, Jet, Scalar, Tape, Var, logsumexp};
use num_traits::Float;

const TABLE: &str = include_str!("../../docs/conventions.md");
const INFINITY: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// A row's program over any number.
fn program<T: Scalar>(name: &str, at: &str, x: &[T]) -> T {
    let c = |c: f64| T::from(c).unwrap();
    match name {
        "abs" => Float::abs(x[0]),
        "signum" => x[0].signum(),
        "floor" => x[0].floor(),
        "fract" => x[0].fract(),
        "max" => x[0].max(x[1]),
        "min" => x[0].min(x[1]),
        "maximum" => x[0].maximum(x[1]),
        "minimum" => x[0].minimum(x[1]),
        "clamp(0, 1)" => Float::clamp(x[0], c(0.0), c(1.0)),
        "rem" => x[0] % x[1],
        "powi(0)" => x[0].powi(0),
        "powf" => x[0].powf(x[1]),
        "sqrt" => x[0].sqrt(),
        "cbrt" => x[0].cbrt(),
        "asin" => x[0].asin(),
        "acos" => x[0].acos(),
        "acosh" => x[0].acosh(),
        "atanh" => x[0].atanh(),
        "hypot" => x[0].hypot(x[1]),
        "atan2" => x[0].atan2(x[1]),
        "ln_gamma" => x[0].ln_gamma(),
        "logsumexp" => logsumexp(x),
        "chain rule" if at.starts_with("0 sqrt") => x[1] * x[0].sqrt(),
        "chain rule" => x[0].square().ln(),
        _ => panic!("no program for the row {name}"),
    }
}

fn point(at: &str) -> Vec<f64> {
    match at {
        "nothing" => vec![],
        "0 sqrt x at 0" => vec![0.0, 0.0],
        "ln x^2 at 0" => vec![0.0],
        numbers => numbers.split(", ").map(|x| x.parse().unwrap()).collect(),
    }
}

fn text(numbers: &[f64]) -> String {
    let one = |&x: &f64| match x {
        x if !x.is_finite() => format!("{x}"),
        x if x.abs() > 1e100 => format!("{x:.3e}"),
        x => format!("{}", (x * 1e4).round() / 1e4 + 0.0),
    };
    if numbers.is_empty() { "none".into() } else { numbers.iter().map(one).collect::<Vec<_>>().join(", ") }
}

#[test]
fn every_row_of_the_conventions_holds() {
    let rows = TABLE.split_once("## Single numbers").unwrap().1;
    let rows: Vec<_> = rows.lines().filter(|line| line.starts_with('|')).skip(2).collect();
    assert!(rows.len() > 40);
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let (name, at, x) = (cells[0].trim_matches('`'), cells[1], point(cells[1]));
        let (mut tape, mut g) = (Tape::new(), vec![0.0; x.len()]);
        let y = tape.value_and_grad(|x| program(name, at, x), &x, &mut g);
        assert_eq!((&*text(&[y]), &*text(&g)), (cells[2], cells[3]), "{name} at {at}");
        let plain = program(name, at, &x);
        assert!(plain == y || (plain.is_nan() && y.is_nan()), "{name} at {at}: plain numbers give {plain}");
        // Forward mode, one direction after the other.
        for k in 0..x.len() {
            let x: Vec<_> = x.iter().enumerate().map(|(j, &x)| Dual::new(x, [f64::from(j == k)])).collect();
            let d = program(name, at, &x).tangent()[0];
            assert_eq!(text(&[d]), text(&g[k..=k]), "{name} at {at}, forward");
        }
        // Series, in the same directions.
        for k in 0..x.len() {
            let x: Vec<_> = x.iter().enumerate().map(|(j, &x)| Jet::new(x, [f64::from(j == k), 0.0])).collect();
            let y = program(name, at, &x);
            assert_eq!(text(&[y.value(), y.coefficient(1)]), text(&[plain, g[k]]), "{name} at {at}, a series");
        }
        // An inner order keeps the conventions: value and gradient as numbers that carry derivatives.
        let nested: Vec<_> = x.iter().map(|&x| Dual::new(x, [0.0])).collect();
        let mut g = vec![Dual::constant(0.0); x.len()];
        let y = Tape::new().value_and_grad(|x| program(name, at, x), &nested, &mut g).value();
        let g: Vec<_> = g.into_iter().map(Dual::value).collect();
        assert_eq!((&*text(&[y]), &*text(&g)), (cells[2], cells[3]), "{name} at {at}, nested");
    }
}

type Function = for<'t> fn(Var<'t>) -> Var<'t>;
/// At -inf, inf, NaN, -0.0, 0.0: the values, then the derivatives.
type Row = (&'static str, Function, [f64; 5], [f64; 5]);

const HALF_PI: f64 = std::f64::consts::FRAC_PI_2;
const LN_2: f64 = std::f64::consts::LN_2;
const LN_10: f64 = std::f64::consts::LN_10;
/// Digamma at 1, the negative of Euler's constant, is not needed: gamma has a pole at 0.
fn special() -> Vec<Row> {
    vec![
        ("exp2", |x| x.exp2(), [0.0, INFINITY, NAN, 1.0, 1.0], [0.0, INFINITY, NAN, LN_2, LN_2]),
        ("log2", |x| x.log2(), [NAN, INFINITY, NAN, -INFINITY, -INFINITY], [-0.0, 0.0, NAN, -INFINITY, INFINITY]),
        ("log10", |x| x.log10(), [NAN, INFINITY, NAN, -INFINITY, -INFINITY], [-0.0, 0.0, NAN, -INFINITY, INFINITY]),
        ("cbrt", |x| x.cbrt(), [-INFINITY, INFINITY, NAN, -0.0, 0.0], [0.0, 0.0, NAN, INFINITY, INFINITY]),
        ("asin", |x| x.asin(), [NAN, NAN, NAN, -0.0, 0.0], [NAN, NAN, NAN, 1.0, 1.0]),
        ("acos", |x| x.acos(), [NAN, NAN, NAN, HALF_PI, HALF_PI], [NAN, NAN, NAN, -1.0, -1.0]),
        ("atan", |x| x.atan(), [-HALF_PI, HALF_PI, NAN, -0.0, 0.0], [0.0, 0.0, NAN, 1.0, 1.0]),
        ("sinh", |x| x.sinh(), [-INFINITY, INFINITY, NAN, -0.0, 0.0], [INFINITY, INFINITY, NAN, 1.0, 1.0]),
        ("cosh", |x| x.cosh(), [INFINITY, INFINITY, NAN, 1.0, 1.0], [-INFINITY, INFINITY, NAN, -0.0, 0.0]),
        ("tanh", |x| x.tanh(), [-1.0, 1.0, NAN, -0.0, 0.0], [0.0, 0.0, NAN, 1.0, 1.0]),
        ("asinh", |x| x.asinh(), [-INFINITY, INFINITY, NAN, -0.0, 0.0], [0.0, 0.0, NAN, 1.0, 1.0]),
        ("acosh", |x| x.acosh(), [NAN, INFINITY, NAN, NAN, NAN], [NAN, 0.0, NAN, NAN, NAN]),
        ("atanh", |x| x.atanh(), [NAN, NAN, NAN, -0.0, 0.0], [-0.0, -0.0, NAN, 1.0, 1.0]),
        ("exp", |x| x.exp(), [0.0, INFINITY, NAN, 1.0, 1.0], [0.0, INFINITY, NAN, 1.0, 1.0]),
        ("ln", |x| x.ln(), [NAN, INFINITY, NAN, -INFINITY, -INFINITY], [-0.0, 0.0, NAN, -INFINITY, INFINITY]),
        ("sqrt", |x| x.sqrt(), [NAN, INFINITY, NAN, -0.0, 0.0], [NAN, 0.0, NAN, -INFINITY, INFINITY]),
        ("recip", |x| x.recip(), [-0.0, 0.0, NAN, -INFINITY, INFINITY], [0.0, 0.0, NAN, -INFINITY, -INFINITY]),
        ("sin", |x| x.sin(), [NAN, NAN, NAN, -0.0, 0.0], [NAN, NAN, NAN, 1.0, 1.0]),
        (
            "erfc",
            |x| x.erfc(),
            [2.0, 0.0, NAN, 1.0, 1.0],
            [0.0, 0.0, NAN, -2.0 / (2.0 * HALF_PI).sqrt(), -2.0 / (2.0 * HALF_PI).sqrt()],
        ),
        ("sigmoid", |x| x.sigmoid(), [0.0, 1.0, NAN, 0.5, 0.5], [0.0, 0.0, NAN, 0.25, 0.25]),
        ("softplus", |x| x.softplus(), [0.0, INFINITY, NAN, LN_2, LN_2], [0.0, 1.0, NAN, 0.5, 0.5]),
        ("powf(2)", |x| x.powf(2.0), [INFINITY, INFINITY, NAN, 0.0, 0.0], [-INFINITY, INFINITY, NAN, -0.0, 0.0]),
        ("10^x", |x| Var::from(10.0).powf(x), [0.0, INFINITY, NAN, 1.0, 1.0], [0.0, INFINITY, NAN, LN_10, LN_10]),
        ("to_degrees", |x| x.to_degrees(), [-INFINITY, INFINITY, NAN, -0.0, 0.0], [57.295_779_513_082_32; 5]),
    ]
}

#[test]
fn infinities_nan_and_zeros() {
    for (name, f, values, slopes) in special() {
        for (e, x) in [-INFINITY, INFINITY, NAN, -0.0, 0.0].into_iter().enumerate() {
            let tape = Tape::new();
            let v = tape.var(x);
            let y = f(v);
            for (what, a, b) in [("value", y.value(), values[e]), ("slope", y.grads_of(&[v])[0], slopes[e])] {
                let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-14 * b.abs();
                // The sign of a zero counts for odd functions.
                let odd = what == "value" && x == 0.0 && b == 0.0;
                assert!(
                    same && (!odd || a.is_sign_negative() == b.is_sign_negative()),
                    "{name}: {what} at {x} is {a}, not {b}"
                );
            }
        }
    }
}

#[test]
fn subnormal_numbers() {
    for x in [5e-324, -5e-324, 1e-310, -2e-308] {
        let same: [(Function, f64, f64); 8] = [
            (|x| x.sin(), x, 1.0),
            (|x| x.asin(), x, 1.0),
            (|x| x.sinh(), x, 1.0),
            (|x| x.asinh(), x, 1.0),
            (|x| x.atanh(), x, 1.0),
            (|x| x.tanh(), x, 1.0),
            (|x| x.hypot(0.0), x.abs(), x.signum()),
            (|x| (2.0 * x) / 2.0, x, 1.0),
        ];
        for (k, (f, value, slope)) in same.into_iter().enumerate() {
            let tape = Tape::new();
            let v = tape.var(x);
            let y = f(v);
            assert_eq!((y.value(), y.grads_of(&[v])[0]), (value, slope), "function {k} at {x:e}");
        }
    }
}

/// A NaN that meets a cotangent of 0 deep in a sweep does not spoil the gradient, and one that is asked for is shown.
#[test]
fn dead_branches_stay_dead() {
    let g = chainrule::scalar::grad(
        |x| {
            let bad = (x[0] - 1.0).sqrt() * x[1]; // NaN, and so is its slope
            let taken = x[1] * x[1] * x[0];
            taken + bad * x[2] // x[2] is 0: nothing flows into `bad`
        },
        &[0.5, 3.0, 0.0],
    );
    assert_eq!(g[0], 9.0);
    assert_eq!(g[1], 3.0);
    assert!(g[2].is_nan());
}

/// An infinite cotangent meets a slope of exactly 0 in the sweep itself.
#[test]
fn zero_slopes_stop_infinite_cotangents() {
    let g = chainrule::scalar::grad(|x| (x[0] * x[1]).ln() + x[2] * x[0], &[3.0, 0.0, 5.0]);
    assert_eq!(g, [5.0, INFINITY, 3.0]);
    let duals = [3.0, 0.0, 5.0].map(Dual::<f64>::constant);
    let nested = chainrule::scalar::grad(|x| (x[0] * x[1]).ln() + x[2] * x[0], &duals);
    assert_eq!(nested.into_iter().map(Dual::value).collect::<Vec<_>>(), g);
}
