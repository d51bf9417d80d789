//! Volatilities from prices.
use crate::{
    common::claims::Claims,
    model::{ROUNDINGS, Side, V, conditioning, price},
};
use chainrule::scalar::Tape;

/// The volatility at which the price is `quote`, and how many steps it took.
///
/// The start is where the price, as a function of volatility, changes from convex to concave: from there Newton's method goes one
/// way only. Source: Manaster and Koehler, "The calculation of implied variances from the Black-Scholes model", 1982.
fn implied(side: Side, [s, k, r, _, t]: [f64; 5], quote: f64, tape: &mut Tape<f64>) -> (f64, usize) {
    let start = (2.0 * ((s / k).ln() + r * t).abs() / t).sqrt();
    let (mut x, mut gradient) = ([s, k, r, start.max(1e-3), t], [0.0; 5]);
    for steps in 1..=100 {
        let value = tape.value_and_grad(|x| price(side, x), &x, &mut gradient);
        let step = (quote - value) / gradient[V];
        x[V] += step;
        if step.abs() <= 8.0 * f64::EPSILON * x[V] {
            return (x[V], steps);
        }
    }
    (x[V], 100)
}

/// Prices of a market whose volatility depends on the strike, and what is found from them.
pub fn smile(s: f64, r: f64, v: f64, t: f64, claims: &mut Claims) {
    println!("    {:>12}  {:>5}  {:>17}  {:>17}  {:>9}  {:>5}", "strike", "", "price", "implied", "off by", "steps");
    let (mut tape, mut all) = (Tape::new(), true);
    for deviations in [-6.0, -3.0, -1.5, -0.5, 0.0, 0.5, 1.5, 3.0, 6.0] {
        let k = s * (r * t + deviations * v * t.sqrt()).exp();
        let right = v * (1.0 - 0.03 * deviations + 0.02 * deviations * deviations);
        let x = [s, k, r, right, t];
        // The side that is out of the money: its price is all time value.
        let side = if deviations < 0.0 { Side::Put } else { Side::Call };
        let quote = price(side, &x);
        let (found, steps) = implied(side, x, quote, &mut tape);
        let off = (found / right - 1.0).abs();
        // Where the price hardly depends on the volatility, its last digit stands for many of them.
        let mut gradient = [0.0; 5];
        tape.value_and_grad(|x| price(side, x), &x, &mut gradient);
        let digits = (quote / (right * gradient[V])).max(conditioning(&x));
        all &= off <= ROUNDINGS * f64::EPSILON * digits;
        println!("    {k:>12.6e}  {:>5}  {quote:>17.10e}  {found:>17.14}  {off:>9.0e}  {steps:>5}", side.name());
    }
    claims.add("(c) every volatility of the smile is found again, to the digits that its price has", all);
}
