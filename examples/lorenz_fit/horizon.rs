//! How far a gradient reaches: in a chaotic system it explodes.
use crate::{
    common::claims::{Claims, larger},
    model::{LORENZ, after},
};
use chainrule::scalar::{self, Scalar};

const DT: f64 = 0.01;
/// Steps in a unit of time.
const UNIT: usize = 100;

/// The state after so many units of time.
fn flow<X: Scalar>(u: &[X], units: usize) -> [X; 3] {
    after(LORENZ.map(X::lit), [u[0], u[1], u[2]], units * UNIT, DT)
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// The gradient of x after some time with respect to the state at the beginning: one reverse sweep over the whole trajectory.
fn gradient(start: &[f64; 3], units: usize) -> Vec<f64> {
    scalar::grad(|u| flow(u, units)[0], start)
}

/// The factor of each unit of time: the Jacobian of the state at its end with respect to that at its beginning.
fn factors(start: &[f64; 3], units: usize) -> Vec<Vec<Vec<f64>>> {
    let mut u = *start;
    let mut factor = || {
        let j = scalar::jacobian(|u| flow(u, 1).to_vec(), &u);
        u = flow(&u, 1);
        j
    };
    (0..units).map(|_| factor()).collect()
}

/// `e_x` times the factors, from the last to the first: the chain rule.
fn product(factors: &[Vec<Vec<f64>>]) -> Vec<f64> {
    let back = |bar: Vec<f64>, j: &Vec<Vec<f64>>| (0..3).map(|c| (0..3).map(|r| bar[r] * j[r][c]).sum()).collect();
    factors.iter().rev().fold(vec![1.0, 0.0, 0.0], back)
}

/// The rate at which neighbours part, from the growth of a direction over so many units of time. It is set back to length 1
/// after each. Source: Benettin, Galgani, Giorgilli and Strelcyn, "Lyapunov characteristic exponents for smooth dynamical
/// systems and for Hamiltonian systems; a method for computing all of them", 1980.
fn lyapunov(start: &[f64; 3], units: usize) -> f64 {
    let (mut u, mut direction, mut sum) = (start.to_vec(), vec![1.0, 0.0, 0.0], 0.0);
    for _ in 0..units {
        let (next, moved) = scalar::jvp(|u| flow(u, 1).to_vec(), &u, &direction);
        let grown = norm(&moved);
        sum += grown.ln();
        direction = moved.into_iter().map(|d| d / grown).collect();
        u = next;
    }
    sum / units as f64
}

/// The logarithm of the gradient's norm, on average over states of the system: one a unit of time.
fn average(start: &[f64; 3], units: usize) -> f64 {
    const STATES: usize = 100;
    let states = std::iter::successors(Some(*start), |u| Some(flow(u, 1)));
    states.take(STATES).map(|u| norm(&gradient(&u, units)).ln()).sum::<f64>() / STATES as f64
}

/// Prints the gradient over growing times; how far it is from the product of the factors, as a part of its usual size; and how
/// fast its mean grows.
fn table(start: &[f64; 3], lambda: f64) -> (f64, f64) {
    println!(
        "    {:>4} {:>17} {:>19} {:>18} {:>13}",
        "T", "|dx(T)/du(0)|", "product of factors", "mean of 100 states", "e^(lambda T)"
    );
    let (factors, mut worst, mut means) = (factors(start, 40), 0.0, vec![]);
    for units in (1..=10).chain([20, 30, 40]) {
        let (tape, by_hand) = (gradient(start, units), product(&factors[..units]));
        let off: Vec<f64> = tape.iter().zip(&by_hand).map(|(a, b)| a - b).collect();
        let usual = (lambda * units as f64).exp();
        worst = larger(worst, norm(&off) / norm(&tape).max(usual));
        let mean = if units <= 10 {
            means.push(average(start, units));
            format!("{:.3e}", means[units - 1].exp())
        } else {
            String::new()
        };
        println!("    {units:>4} {:>17.9e} {:>19.9e} {mean:>18} {usual:>13.3e}", norm(&tape), norm(&by_hand));
    }
    println!("\n    u is the state (x, y, z), a factor the Jacobian of the state over one unit of time.");
    (worst, (means[9] - means[1]) / 8.0)
}

/// Prints how the gradient grows, and gives the Lyapunov exponent.
pub fn show(start: &[f64; 3], claims: &mut Claims) -> f64 {
    const UNITS: usize = 500;
    let lambda = lyapunov(start, UNITS);
    let (worst, slope) = table(start, lambda);
    let lost = -f64::EPSILON.ln() / lambda;
    println!(
        "    lambda = {lambda:.3}, the Lyapunov exponent: how fast a direction grows, over {UNITS} units of time, by forward mode."
    );
    println!(
        "    The mean gradient grows by e^{slope:.3} a unit, from T = 2 to 10. After {lost:.0} units one rounding is as large as the system.\n"
    );
    claims.add(format!("(a) the tape's gradient is the product of the factors (off by {worst:.0e})"), worst <= 1e-10);
    claims.add("(a) the Lyapunov exponent is 0.906, as known, to 0.05", (lambda - 0.906).abs() <= 0.05);
    claims.add("(a) the mean gradient grows at that rate, to 0.15", (slope - lambda).abs() <= 0.15);
    lambda
}
