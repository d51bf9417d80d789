//! Prices and sensitivities of European options: one price function, every derivative from the scalar tape.
mod book;
#[path = "../common/mod.rs"]
mod common;
mod greeks;
mod implied;
mod model;

use chainrule::Error;
use clap::Parser;
use common::{
    claims::Claims,
    cli::{any_number, end, finite, read},
    terminal::bold,
};
use model::Side;

/// Prices European options by Black and Scholes from one generic function, and gets every sensitivity from its derivatives.
///
/// Delta, vega, theta and rho are entries of the gradient; gamma, vanna, volga and charm of the Hessian. Each stands beside its
/// closed form. Then the tails, implied volatilities by Newton's method, and a book of options in several markets.
#[derive(Parser, Debug)]
#[command(name = "black_scholes", max_term_width = 100)]
struct Options {
    /// Price of the share
    #[arg(short, long, default_value_t = 100.0, value_parser = amount)]
    spot: f64,
    /// Price at which it may be bought (call) or sold (put)
    #[arg(short = 'k', long, default_value_t = 105.0, value_parser = amount)]
    strike: f64,
    /// Interest, compounded continuously, a year
    #[arg(short, long, default_value_t = 0.03, value_parser = rate, allow_negative_numbers = true)]
    rate: f64,
    /// Volatility, a year
    #[arg(short, long, default_value_t = 0.2, value_parser = volatility)]
    volatility: f64,
    /// Years until it ends
    #[arg(short, long, default_value_t = 0.5, value_parser = years)]
    time: f64,
    /// A put instead of a call
    #[arg(long)]
    put: bool,
    /// Options in the book
    #[arg(long, default_value_t = 1000, value_parser = positions)]
    book: usize,
    /// Where the book's random numbers begin
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

fn within(text: &str, least: f64, most: f64) -> Result<f64, String> {
    finite(text)
        .ok()
        .filter(|x| (least..=most).contains(x))
        .ok_or_else(|| format!("not a number from {least} to {most}"))
}

fn amount(text: &str) -> Result<f64, String> {
    within(text, 1e-3, 1e9)
}

fn rate(text: &str) -> Result<f64, String> {
    within(text, -1.0, 1.0)
}

fn volatility(text: &str) -> Result<f64, String> {
    within(text, 0.01, 2.0)
}

fn years(text: &str) -> Result<f64, String> {
    within(text, 1e-5, 50.0)
}

fn positions(text: &str) -> Result<usize, String> {
    any_number(text).ok().filter(|n| (100..=100_000).contains(n)).ok_or_else(|| "must be 100 to 100000".to_owned())
}

fn main() {
    end(run(&read::<Options>().0));
}

fn run(options: &Options) -> Result<(), Error> {
    let &Options { spot: s, strike: k, rate: r, volatility: v, time: t, .. } = options;
    let side = if options.put { Side::Put } else { Side::Call };
    let mut claims = Claims::default();

    println!("{}\n", bold("(a) One price function, every sensitivity"));
    println!("    {}: spot {s}, strike {k}, rate {r}, volatility {v}, {t} years\n", side.name());
    greeks::table(side, &[s, k, r, v, t], &mut claims);

    println!("\n{}\n", bold("(b) In the tails"));
    greeks::tails(s, r, v, &mut claims);

    println!("\n{}\n", bold("(c) Implied volatility: Newton's method, with vega from the gradient"));
    implied::smile(s, r, v, t, &mut claims);

    println!("\n{}\n", bold("(d) A book of options in other markets"));
    book::scenarios(s, r, v, options.book, options.seed, &mut claims);

    println!();
    claims.check()
}
