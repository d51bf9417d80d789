//! A mixture of normal distributions, fitted by gradient descent: a scalar program with the optimizers of tensors.
#[path = "../common/mod.rs"]
mod common;
mod mixture;
mod plot;

use chainrule::{
    Error, ErrorKind, Rng,
    optim::{
        Adam, Numbers, Optimizer,
        schedule::{Cosine, Scheduled},
    },
    scalar::{self, Tape},
};
use clap::Parser;
use common::{
    claims::{Claims, larger},
    cli::{any_number, end, positive, read},
    linear::inverse,
    terminal::bold,
};
use mixture::{Component, GROUPS, Point, components, draw, expectation, loss, loss_of, numbers, split, start, truth};

/// Fits a mixture of normal distributions in the plane to points drawn from one.
///
/// The likelihood is an ordinary function of numbers; `scalar::sum_over` sweeps one point at a time, and Adam makes the steps.
/// The Hessian at the end gives the standard errors.
#[derive(Parser, Debug)]
#[command(name = "gmm_fit", max_term_width = 100)]
struct Options {
    /// Components of the mixture
    #[arg(short, long, default_value_t = 4, value_parser = few)]
    components: usize,
    /// Points for each component, on average
    #[arg(short, long, default_value_t = 150, value_parser = points)]
    points: usize,
    /// Steps of Adam
    #[arg(long, default_value_t = 500, value_parser = steps)]
    steps: usize,
    /// Its learning rate, which falls to 0 on a cosine
    #[arg(long, default_value_t = 0.1, value_parser = positive, allow_negative_numbers = true)]
    lr: f64,
    /// Where random numbers begin
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

fn within(text: &str, least: usize, most: usize) -> Result<usize, String> {
    any_number(text).ok().filter(|n| (least..=most).contains(n)).ok_or_else(|| format!("must be {least} to {most}"))
}

fn few(text: &str) -> Result<usize, String> {
    within(text, 1, 8)
}

fn points(text: &str) -> Result<usize, String> {
    within(text, 30, 100_000)
}

fn steps(text: &str) -> Result<usize, String> {
    within(text, 1, 100_000)
}

fn main() {
    end(run(&read::<Options>().0));
}

fn run(options: &Options) -> Result<(), Error> {
    let (mut rng, k) = (Rng::seed(options.seed), options.components);
    let truth = truth(k, &mut rng);
    let data = draw(&truth, k * options.points, &mut rng);
    let first = numbers(&start(k, &data, &mut rng));
    let mut model = Numbers::new(std::array::from_fn(|g| (GROUPS[g], first[g].clone())));
    let mut claims = Claims::default();

    println!("{}\n", bold(&format!("(a) {} points, {k} components, {} numbers", data.len(), model.flat().len())));
    against_differences(&model.flat(), &data, &mut rng, &mut claims);
    descend(options, &mut model, &data)?;

    println!("\n{}\n", bold("(b) What was found"));
    let found = components(model.all());
    let truth = matched(&truth, &found);
    println!("{}", plot::text(&data, &found, &truth));
    println!(
        "    A point is a dot; a letter the ellipse of two deviations; + a mean found, x a true one, * both in one place.\n"
    );
    compare(&found, &truth, &errors(&model.flat(), &data)?, &mut claims);

    let (reached, possible) = (-loss_of(&model.flat(), &data), -loss_of(&numbers(&truth).concat(), &data));
    println!(
        "\n    log likelihood of a point: {reached:.6}; of the mixture that the points were drawn from {possible:.6}\n"
    );
    claims.add("(b) the likelihood is above that of the true mixture", reached >= possible);
    stationary(&found, &expectation(model.all(), &data), &mut claims);
    claims.check()
}

/// The derivative in a random direction, three ways.
fn against_differences(at: &[f64], data: &[Point], rng: &mut Rng, claims: &mut Claims) {
    let direction: Vec<f64> = at.iter().map(|_| rng.normal()).collect();
    let gradient = scalar::grad(|x| loss(split(x), data), at);
    let along: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
    let moved = |h: f64| loss_of(&at.iter().zip(&direction).map(|(x, d)| x + h * d).collect::<Vec<_>>(), data);
    // Of fourth order: off by h^4 and rounding / h.
    let h = 1e-3;
    let slope = (8.0 * (moved(h) - moved(-h)) - (moved(2.0 * h) - moved(-2.0 * h))) / (12.0 * h);
    let off = (along - slope).abs() / gradient.iter().map(|g| g.abs()).sum::<f64>();
    claims.add(format!("(a) the gradient is that of finite differences (off by {off:.0e})"), off <= 1e-8);
}

fn descend(options: &Options, model: &mut Numbers<f64, 3>, data: &[Point]) -> Result<(), Error> {
    let mut opt = Scheduled::new(Adam::new(options.lr), Cosine::new(options.lr, options.steps as u64));
    let mut tape = Tape::new();
    println!(
        "    {:>5}  {:>14}  {:>10}  {:>10}  {:>10}",
        "step", "log likelihood", "|d alphas|", "|d means|", "|d factors|"
    );
    for step in 0..=options.steps {
        let (value, grads) = model.value_and_grad(&mut tape, |groups| loss(groups, data))?;
        // 0, 1, 2, 5, 10, ..
        let round = [1, 2, 5].iter().any(|d| (0..6).any(|e| step == d * 10usize.pow(e)));
        if step == 0 || round || step == options.steps {
            let norms = GROUPS.map(|g| grads.get(g).map_or(0.0, |g| g.norm()));
            println!("    {step:>5}  {:>14.6}  {:>10.1e}  {:>10.1e}  {:>10.1e}", -value, norms[0], norms[1], norms[2]);
        }
        if step < options.steps {
            opt.step(model, &grads)?;
        }
    }
    Ok(())
}

/// The true component next to each that was found. Each is used once.
fn matched(truth: &[Component], found: &[Component]) -> Vec<Component> {
    let mut left = truth.to_vec();
    let mut nearest = |f: &Component| {
        let distance = |t: &Component| (t.mean[0] - f.mean[0]).hypot(t.mean[1] - f.mean[1]);
        let k = (0..left.len()).min_by(|&a, &b| distance(&left[a]).total_cmp(&distance(&left[b])));
        left.remove(k.expect("as many as were found"))
    };
    found.iter().map(&mut nearest).collect()
}

/// Standard errors of all numbers, from the inverse of the Hessian of the whole likelihood.
fn errors(at: &[f64], data: &[Point]) -> Result<Vec<f64>, Error> {
    let mut h = scalar::hessian(|x| loss(split(x), data), at);
    h.iter_mut().flatten().for_each(|h| *h *= data.len() as f64);
    // A constant on all alphas changes nothing: that direction gets a curvature of its own.
    let alphas = split(at)[0].len();
    h[..alphas].iter_mut().for_each(|row| row[..alphas].iter_mut().for_each(|h| *h += 1.0));
    let covariance = inverse(&h).ok_or_else(|| {
        Error::new(
            ErrorKind::BadData,
            "the Hessian at the end is not positive definite: no minimum; more --steps may lead to one",
        )
    })?;
    Ok(covariance.iter().enumerate().map(|(k, row)| row[k].sqrt()).collect())
}

fn compare(found: &[Component], truth: &[Component], errors: &[f64], claims: &mut Claims) {
    println!(
        "    {:>9}  {:>7} {:>7}  {:>9} {:>9}  {:>9} {:>9}  {:>13}  {:>7}",
        "component", "weight", "truth", "mean x", "truth", "mean y", "truth", "std. errors", "off by"
    );
    let mut worst = 0.0;
    for (k, ((f, t), letter)) in found.iter().zip(truth).zip('A'..).enumerate() {
        let error = &split(errors)[1][2 * k..];
        let off = (0..2).map(|i| ((f.mean[i] - t.mean[i]) / error[i]).abs()).fold(0.0, larger);
        worst = larger(worst, off);
        println!(
            "    {letter:>9}  {:>7.4} {:>7.4}  {:>9.4} {:>9.4}  {:>9.4} {:>9.4}  {:>6.3} {:>6.3}  {off:>7.2}",
            f.weight, t.weight, f.mean[0], t.mean[0], f.mean[1], t.mean[1], error[0], error[1]
        );
    }
    claims.add(format!("(b) every mean is within 5 standard errors of the truth (at most {worst:.1})"), worst <= 5.0);
}

/// Where the gradient is 0, a step of expectation maximisation stays where it is.
fn stationary(found: &[Component], next: &[Component], claims: &mut Claims) {
    let (mut weights, mut means, mut covariances) = (0.0, 0.0, 0.0);
    for (f, n) in found.iter().zip(next) {
        weights = larger(weights, (f.weight - n.weight).abs());
        means = (0..2).map(|i| (f.mean[i] - n.mean[i]).abs()).fold(means, larger);
        covariances = (0..3).map(|i| (f.covariance[i] - n.covariance[i]).abs()).fold(covariances, larger);
    }
    let mut still = |what: &str, off: f64| {
        claims.add(format!("(b) {what} of the points, shared as the mixture says (off by {off:.0e})"), off <= 1e-4);
    };
    still("each weight is the part", weights);
    still("each mean is the mean", means);
    still("each covariance is that", covariances);
}
