//! The parameters of a chaotic system from noisy observations: derivatives through an integrator, and how far they reach.
#[path = "../common/mod.rs"]
mod common;
mod fit;
mod horizon;
mod model;
mod plot;

use chainrule::{Error, ErrorKind, Rng, scalar::Tape};
use clap::Parser;
use common::{
    claims::{Claims, larger},
    cli::{any_number, end, finite, read},
    picture::Picture,
    terminal::bold,
};
use fit::{Estimate, Unknowns, descend, dual, estimate, normal};
use model::{Clock, NAMES, Problem, UNKNOWNS, observe, states, truth};
use plot::Curves;
use std::path::PathBuf;

/// Finds sigma, rho, beta and the first state of Lorenz's system from noisy observations of its states.
///
/// The integrator is an ordinary function of numbers. The gradient of a state grows like e^(lambda T) with the time T that lies
/// between: the chain rule multiplies factors, as in a deep network. So the fit begins with a short time and goes on
/// from what it found there.
#[derive(Parser, Debug)]
#[command(name = "lorenz_fit", max_term_width = 100)]
struct Options {
    /// Deviation of the noise, up to 3 (that of x is about 8)
    #[arg(long, default_value_t = 1.0, value_parser = noise, allow_negative_numbers = true)]
    noise: f64,
    /// How many times the state is seen
    #[arg(long, default_value_t = 201, value_parser = observations)]
    observations: usize,
    /// For how long
    #[arg(long, default_value_t = 10.0, value_parser = duration)]
    time: f64,
    /// Steps of the integrator from one observation to the next
    #[arg(long, default_value_t = 5, value_parser = steps)]
    steps: usize,
    /// Where random numbers begin
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Draws truth, observations and fit
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn noise(text: &str) -> Result<f64, String> {
    finite(text).ok().filter(|x| (1e-6..=3.0).contains(x)).ok_or_else(|| "not a number from 1e-6 to 3".to_owned())
}

fn observations(text: &str) -> Result<usize, String> {
    any_number(text).ok().filter(|n| (20..=10_000).contains(n)).ok_or_else(|| "must be 20 to 10000".to_owned())
}

fn steps(text: &str) -> Result<usize, String> {
    any_number(text).ok().filter(|n| (1..=100).contains(n)).ok_or_else(|| "must be 1 to 100".to_owned())
}

fn duration(text: &str) -> Result<f64, String> {
    finite(text).ok().filter(|t| (1.0..=15.0).contains(t)).ok_or_else(|| "not a number from 1 to 15".to_owned())
}

fn main() {
    end(run(&read::<Options>().0));
}

/// Beyond the data, for the forecast.
const AHEAD: f64 = 8.0;
/// What is known before.
const GUESS: [f64; 3] = [5.0, 20.0, 1.0];
/// Length of the short trajectories.
const SHORT: f64 = 0.25;

fn run(options: &Options) -> Result<(), Error> {
    let picture = options.svg.as_deref().map(Picture::open).transpose()?;
    let clock = Clock { every: options.time / (options.observations - 1) as f64, steps: options.steps };
    let dt = clock.every / clock.steps as f64;
    if dt > 0.05 {
        let message =
            format!("--steps {}: steps of {dt:.3} are too long for Lorenz's system; at most 0.05", options.steps);
        return Err(Error::new(ErrorKind::BadData, message));
    }
    let mut rng = Rng::seed(options.seed);
    let truth = truth(&mut rng);
    let data = observe(&truth, clock, options.observations, options.noise, &mut rng);
    let mut claims = Claims::default();

    println!("{}\n", bold("(a) How far a gradient reaches"));
    let lambda = horizon::show(&[truth[3], truth[4], truth[5]], &mut claims);

    println!("{}\n", bold("(b) The fit: Levenberg and Marquardt over growing times"));
    let q = grow(clock, &data);
    let whole = Problem { clock, data: &data, long: data.len(), short: 1 };
    let found = estimate(&q, &whole);
    let found = found.ok_or_else(|| Error::new(ErrorKind::BadData, "the data does not determine the parameters"))?;
    parameters(&q, &truth, &found, &mut claims);
    check(options, &whole, (&q, &truth, &found), &mut claims);

    println!("\n{}\n", bold("(c) The forecast"));
    let curves = curves(options, clock, &data, &q, &truth);
    println!("{}", curves.text(options.time - 5f64.min(options.time), options.time + AHEAD));
    println!("        o observed, * fit, . truth where the fit has left it\n");
    forecast(options, clock, (&q, &truth, &found), lambda, &mut claims);
    if let Some(picture) = picture {
        picture.write(&curves.figure(options.noise))?;
    }
    claims.check()
}

/// Fits a long trajectory that grows by half a unit of time: from each fit the next is near enough.
fn grow(clock: Clock, data: &[[f64; 3]]) -> Unknowns {
    println!(
        "    One long trajectory from the beginning; over the rest of the data short ones, each from an observation.\n"
    );
    println!(
        "    {:>5} {:>10} {:>8} {:>8} {:>8}   root mean square of the residuals, step by step",
        "long", "short", "sigma", "rho", "beta"
    );
    let ([sigma, rho, beta], [x, y, z]) = (GUESS, data[0]);
    let mut q = [sigma, rho, beta, x, y, z];
    let observations = |time: f64| (time / clock.every).round().max(1.0) as usize;
    for half in 0.. {
        let long = (observations(SHORT.max(0.5 * f64::from(half))) + 1).min(data.len());
        let problem = Problem { clock, data, long, short: observations(SHORT) };
        let path = descend(&mut q, &problem);
        row(&problem, &q, &path);
        if long == data.len() {
            break;
        }
    }
    q
}

/// A line of the table: the first residuals and the last.
fn row(problem: &Problem<'_>, q: &Unknowns, path: &[f64]) {
    let &Problem { clock, data, long, short } = problem;
    let digits = |rms: &f64| if *rms < 0.01 { format!("{rms:.2e}") } else { format!("{rms:.3}") };
    let first = path.iter().take(5).map(digits).collect::<Vec<_>>().join(" ");
    let steps = path.len() - 1;
    let last = if steps < 5 { String::new() } else { format!(" .. {} after {steps}", digits(&path[steps])) };
    let (time, pieces) = ((long - 1) as f64 * clock.every, (data.len() - long).div_ceil(short));
    let pieces = format!("{pieces} x {:.2}", short as f64 * clock.every);
    println!("    {time:>5.2} {pieces:>10} {:>8.4} {:>8.4} {:>8.4}   {first}{last}", q[0], q[1], q[2]);
}

fn parameters(q: &Unknowns, truth: &Unknowns, found: &Estimate, claims: &mut Claims) {
    println!("\n    {:6} {:>12} {:>12}  {:>14} {:>16}", "", "truth", "found", "standard error", "off, in errors");
    let mut worst = 0.0;
    for k in 0..UNKNOWNS {
        let (error, off) = (found.standard_error(k), q[k] - truth[k]);
        println!("    {:6} {:>12.6} {:>12.6}  {error:>14.1e} {:>16.2}", NAMES[k], truth[k], q[k], off / error);
        worst = larger(worst, (off / error).abs());
    }
    claims.add("(b) every number is within 5 standard errors of the truth", worst <= 5.0);
}

fn check(
    options: &Options,
    problem: &Problem<'_>,
    (q, truth, found): (&Unknowns, &Unknowns, &Estimate),
    claims: &mut Claims,
) {
    let &Problem { clock, data, .. } = problem;
    let free = (3 * data.len() - UNKNOWNS) as f64;
    let (ratio, error) = (found.noise / options.noise, 1.0 / (2.0 * free).sqrt());
    println!("\n    deviation of the noise: {}, found {ratio:.4} +- {error:.4} times that", options.noise);
    claims.add("(b) the noise is found to 5 of its standard errors", (ratio - 1.0).abs() <= 5.0 * error);
    let distance: f64 = states(q, clock, data.len())
        .zip(states(truth, clock, data.len()))
        .flat_map(|(a, b)| (0..3).map(move |i| (a[i] - b[i]).powi(2)))
        .sum();
    let off = (distance / (3 * data.len()) as f64).sqrt() / options.noise;
    println!("    the fit's distance from the truth: {off:.3} of the noise");
    // On average the square is 6 by 3n.
    claims.add("(b) the fit is nearer to the truth than the data", off <= (60.0 / (3 * data.len()) as f64).sqrt());

    // Away from the minimum, where it would be 0.
    let away: Unknowns = std::array::from_fn(|k| q[k] + found.standard_error(k));
    let (mut gradient, forward) = ([0.0; UNKNOWNS], normal(&away, problem));
    Tape::new().value_and_grad(|q| problem.loss(q), &away, &mut gradient);
    let apart = |k: usize| (gradient[k] - forward.gradient[k]).abs() * found.standard_error(k);
    let size = (0..UNKNOWNS).map(|k| gradient[k].abs() * found.standard_error(k)).fold(0.0, larger);
    let off = (0..UNKNOWNS).map(apart).fold(0.0, larger) / size;
    claims.add(format!("(b) J^T r by forward mode is the gradient by the tape (off by {off:.0e})"), off <= 1e-9);
}

/// Observations from the beginning until the end of the forecast.
fn until(options: &Options, clock: Clock) -> usize {
    ((options.time + AHEAD) / clock.every).round() as usize + 1
}

fn curves(options: &Options, clock: Clock, data: &[[f64; 3]], q: &Unknowns, truth: &Unknowns) -> Curves {
    let at = |every: f64| move |(k, u): (usize, [f64; 3])| (k as f64 * every, u[0]);
    // Lines through every step of the integrator.
    let fine = Clock { every: clock.every / clock.steps as f64, steps: 1 };
    let n = (until(options, clock) - 1) * clock.steps + 1;
    let line = |q: &Unknowns| states(q, fine, n).enumerate().map(at(fine.every)).collect();
    let data = data.iter().copied().enumerate().map(at(clock.every)).collect();
    Curves { truth: line(truth), data, fit: line(q), end: options.time }
}

/// The error of a forecast by the covariance of the unknowns and the state's derivatives: it grows as the gradient does.
fn forecast(
    options: &Options,
    clock: Clock,
    (q, truth, found): (&Unknowns, &Unknowns, &Estimate),
    lambda: f64,
    claims: &mut Claims,
) {
    println!("    {:>6} {:>10} {:>10} {:>10} {:>10}", "t", "x, truth", "forecast", "off", "expected");
    let n = until(options, clock);
    let (mut next, mut largest, mut within, mut linear) = (options.time, 0.0, true, options.time);
    for (k, (u, right)) in states(&dual(q), clock, n).zip(states(truth, clock, n)).enumerate() {
        let (t, off) = (k as f64 * clock.every, std::array::from_fn::<_, 3, _>(|i| u[i].value() - right[i]));
        let (off, expected) = (length(off), length(u.map(|u| found.deviation(&u.tangent()))));
        if t + 1e-9 < options.time {
            continue;
        }
        if t + 1e-9 > next {
            println!("    {t:>6.2} {:>10.3} {:>10.3} {off:>10.1e} {expected:>10.1e}", right[0], u[0].value());
            next += 1.0;
        }
        // Larger errors are not linear in the unknowns, nor are those that come after them.
        largest = larger(largest, expected);
        if largest < 0.5 {
            within &= off <= 5.0 * largest;
            linear = t;
        }
    }
    println!(
        "\n    How far the forecast of (x, y, z) is off, and the standard error by J C J^T (C: the covariance of the six numbers).\n    \
         It grows by e^{lambda:.2} = {:.2} a unit of time on average, as the gradient does.\n",
        lambda.exp()
    );
    claims.add(
        format!(
            "(c) until an error of 0.5 is expected (t = {linear:.2}), the forecast is off by at most 5 standard errors"
        ),
        within,
    );
}

fn length(x: [f64; 3]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}
