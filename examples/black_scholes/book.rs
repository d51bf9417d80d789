//! Many options: one function for the book's value, and one recorded program for all its options.
use crate::{
    common::claims::{Claims, larger},
    model::{K, R, S, Side, T, V, price},
};
use chainrule::{
    Rng,
    scalar::{self, Compiled, Scalar},
};

struct Position {
    /// Bought, or sold if negative.
    amount: f64,
    side: Side,
    option: [f64; 5],
}

fn draw(s: f64, r: f64, v: f64, n: usize, rng: &mut Rng) -> Vec<Position> {
    let mut position = || {
        let (t, side) = (0.1 + 1.9 * rng.uniform(), if rng.uniform() < 0.5 { Side::Call } else { Side::Put });
        let amount = 20.0 * rng.uniform() - 6.0;
        let v = v * (0.8 + 0.4 * rng.uniform());
        Position { amount, side, option: [s, s * (r * t + v * t.sqrt() * rng.normal()).exp(), r, v, t] }
    };
    (0..n).map(|_| position()).collect()
}

/// What every option of the book sees in another market: factor of the spot, shift of volatilities, of the rate, and years passed.
fn moved<X: Scalar>(x: &[f64; 5], market: &[X]) -> [X; 5] {
    let mut x = x.map(X::lit);
    x[S] *= market[0];
    x[V] += market[1];
    x[R] += market[2];
    x[T] -= market[3];
    x
}

fn position<X: Scalar>(p: &Position, market: &[X]) -> X {
    X::lit(p.amount) * price(p.side, &moved(&p.option, market))
}

const HERE: [f64; 4] = [1.0, 0.0, 0.0, 0.0];

/// Gradient and Hessian of the whole book's value with respect to the market.
fn sensitivities(book: &[Position]) -> (f64, Vec<f64>, Vec<Vec<f64>>) {
    let (value, gradient) = scalar::value_and_grad(|m| scalar::sum_over(m, book, |m, p| position(p, m)), &HERE);
    let hessian = scalar::hessian(|m| scalar::sum_over(m, book, |m, p| position(p, m)), &HERE);
    (value, gradient, hessian)
}

pub fn scenarios(s: f64, r: f64, v: f64, n: usize, seed: u64, claims: &mut Claims) {
    let book = draw(s, r, v, n, &mut Rng::seed(seed));
    let (value, gradient, hessian) = sensitivities(&book);
    println!("    {n} options, worth {value:.2}. What a move of the market changes:\n");
    println!("    {:44} {:>12} {:>12} {:>12}", "", "valued anew", "1st order", "2nd order");
    // The deviation of a month, and a week.
    let (month, week) = (v / 12f64.sqrt(), 7.0 / 365.0);
    let percent = 100.0 * month;
    let markets = [
        (format!("spot -{percent:.1} %"), [1.0 - month, 0.0, 0.0, 0.0]),
        (format!("spot +{percent:.1} %"), [1.0 + month, 0.0, 0.0, 0.0]),
        ("volatility x1.1".to_owned(), [1.0, 0.1 * v, 0.0, 0.0]),
        (format!("rate +{:.4}, a week later", 0.05 * v), [1.0, 0.0, 0.05 * v, week]),
        (format!("spot -{percent:.1} %, volatility x1.1, a week later"), [1.0 - month, 0.1 * v, 0.0, week]),
    ];
    let mut off = [0.0; 2];
    for (name, market) in markets {
        let change = book.iter().map(|p| position(p, &market)).sum::<f64>() - value;
        let step: Vec<f64> = market.iter().zip(HERE).map(|(m, h)| m - h).collect();
        let product = |row: &[f64]| row.iter().zip(&step).map(|(a, b)| a * b).sum::<f64>();
        let first = product(&gradient);
        let second = first + 0.5 * product(&hessian.iter().map(|row| product(row)).collect::<Vec<_>>());
        println!("    {name:44} {change:>12.2} {first:>12.2} {second:>12.2}");
        off.iter_mut().zip([first, second]).for_each(|(sum, order)| *sum += (order - change).abs());
    }
    println!("    {:44} {:>12} {:>12.2} {:>12.2}", "off by, in all", "", off[0], off[1]);
    claims.add("(d) the second order is nearer to the new values than the first", off[1] < off[0]);
    one_program(&book, &gradient, claims);
}

/// All options of a side are points of one recorded program.
fn one_program(book: &[Position], gradient: &[f64], claims: &mut Claims) {
    let (mut total, mut same, mut recordings) = ([0.0; 4], true, 0);
    for side in [Side::Call, Side::Put] {
        let of: Vec<&Position> = book.iter().filter(|p| p.side == side).collect();
        let Some(first) = of.first() else { continue };
        let mut program = Compiled::record(|x| price(side, x), &first.option);
        let points: Vec<f64> = of.iter().flat_map(|p| p.option).collect();
        let (mut values, mut gradients) = (vec![0.0; of.len()], vec![0.0; points.len()]);
        program.values_and_grads(&points, &mut values, &mut gradients);
        recordings += program.recordings();
        for ((p, value), g) in of.iter().zip(values).zip(gradients.chunks(5)) {
            // `price` has no branch: the program of one option is that of all.
            let mut alone = [0.0; 5];
            let again = Compiled::record(|x| price(side, x), &p.option).value_and_grad(&p.option, &mut alone);
            same &= again.to_bits() == value.to_bits() && alone.iter().zip(g).all(|(a, b)| a.to_bits() == b.to_bits());
            let by_market = [g[S] * p.option[S], g[V], g[R], -g[T]];
            total.iter_mut().zip(by_market).for_each(|(sum, g)| *sum += p.amount * g);
        }
    }
    let size: f64 = book.iter().map(|p| p.amount.abs() * p.option[K].max(p.option[S])).sum();
    let off = total.iter().zip(gradient).map(|(a, b)| (a - b).abs()).fold(0.0, larger) / size;
    claims.add(
        format!("(d) {} options by {recordings} recorded programs: the bits of recording each anew", book.len()),
        same,
    );
    claims.add(format!("(d) their sum is the gradient of the book (off by {off:.0e})"), off <= 1e-12);
}
