//! Digits of every function, in both tails: value, first and second derivative against a table of mpmath's (functions.py).
use chainrule::scalar::{Dual, Scalar, Tape, Var, directional, grad, hvp};

/// Every function over any number; the table's `name(c)` has a constant, which stands before the name if it is the first one.
pub(crate) fn apply<T: Scalar>(name: &str, x: T) -> T {
    match name {
        "recip" => x.recip(),
        "square" => x.square(),
        "sqrt" => x.sqrt(),
        "cbrt" => x.cbrt(),
        "exp" => x.exp(),
        "exp2" => x.exp2(),
        "exp_m1" => x.exp_m1(),
        "ln" => x.ln(),
        "ln_1p" => x.ln_1p(),
        "log2" => x.log2(),
        "log10" => x.log10(),
        "sin" => x.sin(),
        "cos" => x.cos(),
        "tan" => x.tan(),
        "asin" => x.asin(),
        "acos" => x.acos(),
        "atan" => x.atan(),
        "sinh" => x.sinh(),
        "cosh" => x.cosh(),
        "tanh" => x.tanh(),
        "asinh" => x.asinh(),
        "acosh" => x.acosh(),
        "atanh" => x.atanh(),
        "erf" => x.erf(),
        "erfc" => x.erfc(),
        "normal_cdf" => x.normal_cdf(),
        "normal_pdf" => x.normal_pdf(),
        "sigmoid" => x.sigmoid(),
        "log_sigmoid" => x.log_sigmoid(),
        "softplus" => x.softplus(),
        "ln_gamma" => x.ln_gamma(),
        "digamma" => x.digamma(),
        "powf(2.5)" => x.powf(T::lit(2.5)),
        "powf(-0.75)" => x.powf(T::lit(-0.75)),
        "2.5 powf" => T::lit(2.5).powf(x),
        "powi(7)" => x.powi(7),
        "powi(-3)" => x.powi(-3),
        "hypot(3)" => x.hypot(T::lit(3.0)),
        "atan2(3)" => x.atan2(T::lit(3.0)),
        "3 atan2" => T::lit(3.0).atan2(x),
        _ => panic!("no function for the row {name}"),
    }
}

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) x: f64,
    right: [f64; 3],
}

pub(crate) fn table() -> Vec<Row> {
    let rows = include_str!("functions.csv").lines().skip(1).map(|line| {
        let cells: Vec<_> = line.split(',').collect();
        let [x, right @ ..] = [1, 2, 3, 4].map(|k| cells[k].parse().unwrap());
        Row { name: cells[0], x, right }
    });
    rows.collect()
}

/// The distance in units of the last place, at least that of the smallest normal number.
fn ulps(found: f64, right: f64) -> f64 {
    let exponent = f64::from_bits(right.abs().max(f64::MIN_POSITIVE).to_bits() & (0x7ff << 52));
    if found == right { 0.0 } else { (found - right).abs() / (exponent * f64::EPSILON) }
}

/// Bars for value, first and second derivative.
fn bars(row: &Row) -> [f64; 3] {
    match row.name {
        // Arguments that are rounded: their error counts as often as the logarithm of the result is steep.
        "normal_pdf" | "normal_cdf" | "erfc" => [3.0, 4.0, 8.0],
        // What the crate libm and the recurrences reach. Left of 0 two terms meet that are up to twenty times their sum.
        "ln_gamma" | "digamma" if row.x < 0.0 => [16.0, 16.0, 64.0],
        "ln_gamma" | "digamma" => [8.0, 8.0, 16.0],
        _ => [2.0, 4.0, 8.0],
    }
}

#[test]
fn every_digit_of_value_and_derivatives() {
    let mut missed = vec![];
    for row in table() {
        let y = apply(row.name, Dual::new(Dual::new(row.x, [1.0]), [Dual::new(1.0, [0.0])]));
        let found = [y.value().value(), y.value().tangent()[0], y.tangent()[0].tangent()[0]];
        for (order, (found, bar)) in found.into_iter().zip(bars(&row)).enumerate() {
            let off = ulps(found, row.right[order]);
            if off.is_nan() || off > bar {
                let right = row.right[order];
                missed
                    .push(format!("{} order {order} at {:e}: {found:e}, not {right:e}: {off:.1} ulp", row.name, row.x));
            }
        }
    }
    assert!(missed.is_empty(), "{} of the table:\n{}", missed.len(), missed.join("\n"));
}

/// The tape and forward mode evaluate the same rows.
#[test]
fn the_tape_gives_the_bits_of_forward_mode() {
    for row in table() {
        let name = row.name;
        let (value, slope) = directional(|x| apply(name, x[0]), &[row.x], &[1.0]);
        let mut tape = Tape::new();
        let mut gradient = [0.0];
        let found = tape.value_and_grad(|x| apply(name, x[0]), &[row.x], &mut gradient);
        assert_eq!((found.to_bits(), gradient[0].to_bits()), (value.to_bits(), slope.to_bits()), "{name} at {}", row.x);

        let second = hvp(|x| apply(name, x[0]), &[row.x], &[1.0])[0];
        let nested = grad(|x| grad_of(name, x[0]), &[row.x])[0];
        assert_eq!(second, nested, "{name} at {}: forward over reverse and reverse over reverse", row.x);
    }
}

/// f'(x) as a number that can be differentiated again.
fn grad_of<'t>(name: &str, x: Var<'t>) -> Var<'t> {
    grad(|x| apply(name, x[0]), &[x])[0]
}

#[test]
fn f32_goes_by_the_same_rows() {
    for row in table().into_iter().filter(|row| row.x.abs() < 30.0 && row.x.abs() > 1e-5) {
        if ["tan", "acosh", "asin", "acos", "atanh"].contains(&row.name) && row.x.abs() > 0.99 && row.x.abs() < 1.1 {
            continue; // steep: the rounding of x itself is larger than what is tested
        }
        let x = row.x as f32;
        let wide = directional(|x| apply(row.name, x[0]), &[f64::from(x)], &[1.0]);
        let found = directional(|x| apply(row.name, x[0]), &[x], &[1.0f32]);
        for (found, wide) in [(found.0, wide.0), (found.1, wide.1)] {
            let error = (f64::from(found) - wide).abs();
            assert!(error <= 1e-6 * wide.abs() + 1e-37, "{} at {x}: {found:e}, not {wide:e}", row.name);
        }
    }
}
