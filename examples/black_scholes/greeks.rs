//! Sensitivities from the tape beside their closed forms.
use crate::{
    common::claims::{Claims, larger},
    model::{Closed, GREEKS, Greek, K, R, ROUNDINGS, S, Side, T, V, closed, conditioning, price},
};
use chainrule::scalar;

/// Price and sensitivities by the tape, in the order of [`GREEKS`].
fn by_tape(side: Side, x: &[f64; 5]) -> (f64, [f64; 8]) {
    let (value, gradient) = scalar::value_and_grad(|x| price(side, x), x);
    let hessian = scalar::hessian(|x| price(side, x), x);
    let entry = |g: &Greek| match *g.by {
        [i] => g.sign * gradient[i],
        [i, j] => g.sign * hessian[i][j],
        _ => unreachable!("orders 1 and 2"),
    };
    (value, std::array::from_fn(|k| entry(&GREEKS[k])))
}

/// The difference as a part of the terms. Below the smallest normal number there are no digits to compare.
fn difference(found: f64, right: Closed) -> f64 {
    (found - right.value).abs() / right.size.max(f64::MIN_POSITIVE / f64::EPSILON)
}

/// The central difference, with the step that rounding and truncation leave.
fn finite(side: Side, x: &[f64; 5], g: &Greek) -> f64 {
    let step = |i: usize| x[i].abs().max(1e-2) * if g.by.len() == 1 { 6e-6 } else { 2e-4 };
    let moved = |by: &[(usize, f64)]| {
        let mut x = *x;
        by.iter().for_each(|&(i, h)| x[i] += h);
        price(side, &x)
    };
    g.sign
        * match *g.by {
            [i] => (moved(&[(i, step(i))]) - moved(&[(i, -step(i))])) / (2.0 * step(i)),
            [i, j] => {
                let (a, b) = (step(i), step(j));
                let [pp, pm, mp, mm] = [(a, b), (a, -b), (-a, b), (-a, -b)].map(|(a, b)| moved(&[(i, a), (j, b)]));
                (pp - pm - mp + mm) / (4.0 * a * b)
            }
            _ => unreachable!("orders 1 and 2"),
        }
}

pub fn table(side: Side, x: &[f64; 5], claims: &mut Claims) {
    let ((value, found), right) = (by_tape(side, x), closed(side, x));
    let (mut worst, most) = (0.0, ROUNDINGS * f64::EPSILON * conditioning(x));
    println!(
        "    {:18} {:>19} {:>19}  {:>10}  {:>18}",
        "", "by the tape", "closed form", "difference", "finite differences"
    );
    println!("    {:18} {:>19}", "price", number(value));
    for ((g, found), right) in GREEKS.iter().zip(found).zip(right) {
        let (off, coarse) = (difference(found, right), difference(finite(side, x, g), right));
        println!("    {:18} {:>19} {:>19}  {off:>10.0e}  {coarse:>18.0e}", g.name, number(found), number(right.value));
        worst = larger(worst, off);
    }
    claims.add(format!("(a) tape and closed form differ by at most {most:.0e} (seen: {worst:.0e})"), worst <= most);
}

/// Strikes so many standard deviations from the forward, for short and long times.
pub fn tails(s: f64, r: f64, v: f64, claims: &mut Claims) {
    println!(
        "    {:>8} {:>11} {:>14}  {:>13}  {:>13}  {:>9}  {:>9}  {:>9}",
        "time", "from fwd", "strike", "call", "put", "1st order", "2nd order", "bound"
    );
    let mut within = true;
    for (name, t) in [("an hour", 1.0 / 8760.0), ("a month", 1.0 / 12.0), ("10 years", 10.0)] {
        for deviations in [-30.0, -8.0, -2.0, 0.0, 2.0, 8.0, 30.0] {
            let k = s * (r * t + deviations * v * t.sqrt()).exp();
            let mut x = [0.0; 5];
            (x[S], x[K], x[R], x[V], x[T]) = (s, k, r, v, t);
            let most = ROUNDINGS * f64::EPSILON * conditioning(&x);
            let (mut prices, mut worst) = ([0.0; 2], [0.0; 2]);
            for (side, value) in [Side::Call, Side::Put].into_iter().zip(&mut prices) {
                let (found, greeks) = by_tape(side, &x);
                *value = found;
                for ((g, found), right) in GREEKS.iter().zip(greeks).zip(closed(side, &x)) {
                    let order = g.by.len() - 1;
                    worst[order] = larger(worst[order], difference(found, right));
                }
            }
            within &= worst.iter().all(|w| *w <= most);
            let from = format!("{deviations:+} sd");
            println!(
                "    {name:>8} {from:>11} {k:>14.6e}  {:>13.6e}  {:>13.6e}  {:>9.0e}  {:>9.0e}  {most:>9.0e}",
                prices[0], prices[1], worst[0], worst[1]
            );
        }
    }
    println!(
        "\n    The bound is {ROUNDINGS} roundings times |d|^3 / (v sqrt t): on paper s N'(d1) = k e^(-rt) N'(d2); rounded, the two leave a rest."
    );
    claims.add("(b) in the tails, too, no sensitivity is off by more than the bound", within);
}

/// Digits enough to see where two numbers part.
pub fn number(x: f64) -> String {
    if x == 0.0 || (1e-4..1e7).contains(&x.abs()) { format!("{x:.12}") } else { format!("{x:.12e}") }
}
