//! What the reader sees.
use crate::{
    common::{digits::Digits, terminal::bold},
    train::{Plan, Run},
};
use chainrule::{
    core::Phase,
    flow::{Figure, Series, sparkline},
};

/// Each layer's weight gradient and signal, at the first step and over training.
pub fn table(plan: &Plan, run: &Run, digits: &Digits) {
    let gradients: Vec<_> = (0..run.layers).map(|k| run.norms.gradient(&format!("layers.{k}.weight"))).collect();
    let signals: Vec<_> = (0..run.layers).map(|k| run.norms.signal(&format!("layers.{k}"), Phase::Pre)).collect();
    let axis = Axis::over(gradients.iter().chain(&signals).flatten().copied());
    println!("{}  ({})", bold(&plan.name()), plan.method());
    println!(
        "  layer            |dL/dW| first  over training         |dL/dz| first  over training         log axis {:.0e} to {:.0e}",
        axis.lo, axis.hi
    );
    for (k, (gradient, signal)) in gradients.iter().zip(&signals).enumerate() {
        let sizes = format!("{} -> {}", plan.sizes[k], plan.sizes[k + 1]);
        println!("  {:>2}  {sizes:11}  {}  {}", k + 1, axis.column(*gradient), axis.column(*signal));
    }
    println!("  {}", outcome(run, digits));
    println!();
}

/// Each layer's weight gradient over training, as a picture.
pub fn figure(plan: &Plan, run: &Run) -> Figure {
    let empty =
        Figure::new(plan.name()).subtitle(plan.method()).x_axis("step").y_axis("norm of dL/dW").log_y().ordered();
    plan.sizes.windows(2).enumerate().fold(empty, |figure, (k, sizes)| {
        let series = run.norms.gradient(&format!("layers.{k}.weight"));
        let points = series.into_iter().flat_map(|s| s.passes.iter().map(|pass| *pass as f64).zip(s.norms.clone()));
        figure.line(format!("layer {} ({} -> {})", k + 1, sizes[0], sizes[1]), points)
    })
}

/// `first/last hidden |dL/dW| 6.4e-7, loss 2.30 -> 2.30, held-out 11.2 %, official test 11.4 %, 0.6 s`
fn outcome(run: &Run, digits: &Digits) -> String {
    let ratio = run.first_over_last().map_or(String::new(), |r| format!("first/last hidden |dL/dW| {r:.1e}, "));
    let (first, last) = (run.losses.first().copied(), mean(run.losses.iter().rev().take(50)));
    let losses = format!("loss {:.2} -> {last:.2}", first.unwrap_or(f64::NAN));
    format!("{ratio}{losses}, {}, {:.1} s", accuracies(run, digits), run.seconds)
}

pub fn accuracies(run: &Run, digits: &Digits) -> String {
    let parts = digits.tests.iter().zip(&run.accuracies).map(|((name, _), a)| format!("{name} {:.1} %", 100.0 * a));
    parts.collect::<Vec<_>>().join(", ")
}

fn mean<'a>(x: impl Iterator<Item = &'a f64>) -> f64 {
    let (n, sum) = x.fold((0, 0.0), |(n, sum), x| (n + 1, sum + x));
    sum / f64::from(n)
}

/// The log axis that the sparklines of one table share.
struct Axis {
    lo: f64,
    hi: f64,
}

impl Axis {
    fn over<'a>(all: impl Iterator<Item = &'a Series>) -> Self {
        let norms = all.flat_map(|s| &s.norms).copied().filter(|n| *n > 0.0 && n.is_finite());
        let (lo, hi) = norms.fold((f64::INFINITY, 0.0), |(lo, hi): (f64, f64), n| (lo.min(n), hi.max(n)));
        Self { lo, hi }
    }

    fn column(&self, series: Option<&Series>) -> String {
        series.map_or_else(
            || format!("{:>13}  {:20}", "none", ""),
            |s| format!("{:>13.2e}  {:20}", s.first(), sparkline(&s.norms, self.lo, self.hi, 20)),
        )
    }
}

/// One line for each network.
pub fn summary(runs: &[(Plan, Run)], digits: &Digits) {
    println!("{}", bold("What each remedy gives"));
    println!("  network                                        first/last hidden |dL/dW|  accuracy");
    for (plan, run) in runs {
        let ratio = run.first_over_last().map_or("-".into(), |r| format!("{r:.1e}"));
        println!("  {:45}  {ratio:>25}  {}", plan.name(), accuracies(run, digits));
    }
    println!();
}
