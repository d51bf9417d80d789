//! Every derivative stands once, in `formula/`: what the tape gives is the partial derivative of the row, to the bit.
use chainrule::{
    formula::{Formula, Plain, *},
    scalar::{Dual, Jet, Scalar, Tape, Var},
};
use std::{fs, path::Path};

type One = for<'t> fn(Var<'t>) -> Var<'t>;
type Two = for<'t> fn(Var<'t>, Var<'t>) -> Var<'t>;

fn one<O: Formula<1>>(name: &str, row: O, f: One) {
    for x in [-2.3, -0.7, -1e-3, 0.4, 1.0, 2.9, 30.0] {
        let y = row.value([Plain(x)]);
        let [slope] = row.partials([Plain(x)], y);
        let tape = Tape::new();
        let v = tape.var(x);
        let found = f(v);
        let same = |found: f64, right: f64| found == right || (found.is_nan() && right.is_nan());
        assert!(same(found.value(), y.0), "{name} at {x}");
        let g = found.grads_of(&[v])[0];
        assert!(same(g, slope.0), "the derivative of {name} at {x}: {g}, not {}", slope.0);
    }
}

fn two<O: Formula<2>>(name: &str, row: O, f: Two) {
    for (a, b) in [(-2.3, 0.7), (0.4, 3.0), (1.5, 1.5), (30.0, -0.2), (0.0, 2.0)] {
        let y = row.value([Plain(a), Plain(b)]);
        let [p, q] = row.partials([Plain(a), Plain(b)], y).map(|p| p.0);
        let tape = Tape::new();
        let (va, vb) = (tape.var(a), tape.var(b));
        let found = f(va, vb);
        let same = |found: f64, right: f64| found == right || (found.is_nan() && right.is_nan());
        assert!(same(found.value(), y.0), "{name} at {a}, {b}");
        let g = found.grads_of(&[va, vb]);
        // A selected operand, as in max, is the handle itself.
        assert!(same(g[0], p) && same(g[1], q), "the derivatives of {name} at {a}, {b}: {g:?}, not {p}, {q}");
        // With one of them constant, and both one variable.
        let g = [f(va, b.into()).grads_of(&[va])[0], f(a.into(), vb).grads_of(&[vb])[0]];
        assert!(same(g[0], p) && same(g[1], q), "the derivatives of {name} with a constant at {a}, {b}");
        let y = row.value([Plain(a), Plain(a)]);
        let [p, q] = row.partials([Plain(a), Plain(a)], y).map(|p| p.0);
        assert!(same(f(va, va).grads_of(&[va])[0], p + q), "{name} of one variable at {a}");
    }
}

macro_rules! ones { ($($method:ident $row:ident;)*) => { $( one(stringify!($method), $row {}, |x| x.$method()); )* } }

#[test]
fn derivatives_are_those_of_the_rows() {
    ones! {
        abs Abs; recip Recip; square Square; sqrt Sqrt; cbrt Cbrt; exp Exp; exp2 Exp2; exp_m1 ExpM1; ln Ln; ln_1p Ln1p;
        log2 Log2; log10 Log10; sin Sin; cos Cos; tan Tan; asin Asin; acos Acos; atan Atan; sinh Sinh; cosh Cosh; tanh Tanh;
        asinh Asinh; acosh Acosh; atanh Atanh; erf Erf; erfc Erfc; normal_cdf NormalCdf; normal_pdf NormalPdf;
        sigmoid Sigmoid; log_sigmoid LogSigmoid; softplus Softplus; relu Relu; ln_gamma LnGamma;
    }
    one("neg", Neg {}, |x| -x);
    one("digamma", Polygamma { n: 0 }, |x| x.digamma());
    one("powi", Powi { n: 3 }, |x| x.powi(3));
    one("silu", Silu {}, |x| x.apply(Silu {}));
    two("add", Plus {}, |a, b| a + b);
    two("sub", Minus {}, |a, b| a - b);
    two("mul", Mul {}, |a, b| a * b);
    two("div", Div {}, |a, b| a / b);
    two("rem", Remainder {}, |a, b| a % b);
    two("powf", Pow {}, |a, b| a.powf(b));
    two("hypot", Hypot {}, |a, b| a.hypot(b));
    two("atan2", Atan2 {}, |a, b| a.atan2(b));
    two("maximum", Maximum {}, |a, b| a.maximum(b));
    two("minimum", Minimum {}, |a, b| a.minimum(b));
    two("max", Maximum {}, |a, b| a.max(b));
    two("min", Minimum {}, |a, b| a.min(b));
}

/// Forward mode has no text of its own either.
#[test]
fn duals_use_the_rows() {
    for x in [-2.3, 0.4, 2.9] {
        let y = Dual::new(x, [1.0, 2.0]).apply(Gelu {});
        let [slope] = Formula::partials(Gelu {}, [Plain(x)], Formula::value(Gelu {}, [Plain(x)]));
        assert_eq!(y.tangent(), [slope.0, 2.0 * slope.0]);
        assert_eq!(y.value(), x.apply(Gelu {}));
    }
}

/// What a series begins with, at the first two orders.
#[test]
fn jets_use_the_rows() {
    for x in [-2.3, 0.4, 2.9] {
        let y = Jet::<3>::new(x, [2.0, 0.0, 0.0]).apply(Gelu {});
        let [slope] = Formula::partials(Gelu {}, [Plain(x)], Formula::value(Gelu {}, [Plain(x)]));
        assert_eq!((y.value(), y.coefficient(1)), (x.apply(Gelu {}), 2.0 * slope.0));
    }
}

/// Outside the functions that read a row and the sweeps, nothing in `src/scalar` computes with a derivative.
#[test]
fn no_derivative_is_written_in_the_room() {
    let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scalar");
    let mut calls = 0;
    for entry in fs::read_dir(room).unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        calls += text.matches(".partials(").count();
        // `d:` builds a handle; only the carriers and the sweeps may.
        let builds = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .filter(|line| line.contains(" d: "))
            .count();
        assert!(
            builds == 0
                || ["var.rs", "dual.rs", "trace.rs", "recorder.rs", "tape.rs", "sweep.rs", "scope.rs"]
                    .contains(&&*name),
            "{name} builds derivatives"
        );
    }
    assert_eq!(
        calls, 9,
        "unary and binary of Var, of Dual and of Trace, those with a plain number on either side, and series"
    );
}
