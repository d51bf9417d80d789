//! A mixture of normal distributions in the plane, written over the tape's numbers.
use chainrule::{
    Rng,
    scalar::{self, Scalar, Var},
};

pub type Point = [f64; 2];

/// The numbers of a mixture of K components, in groups, as ADBench has them: K alphas, whose softmax are the weights; the K
/// means; and for each component the factor Q of its inverse covariance Q^T Q, lower triangular, as (ln Q11, Q21, ln Q22).
/// Every choice of numbers is a mixture: there is nothing to be kept positive.
///
/// Source: Srajer, Kukelova and Fitzgibbon, "A benchmark of selected algorithmic differentiation tools on some problems in
/// computer vision and machine learning", 2018.
pub const GROUPS: [&str; 3] = ["alphas", "means", "factors"];
/// Numbers of a component: one, two and three.
pub const NUMBERS: usize = 6;

/// What a point needs to know of each component: the logarithm of its weight and height, its mean, and Q.
fn prepared<X: Scalar>([alphas, means, factors]: [&[X]; 3]) -> Vec<X> {
    let component = |k: usize| {
        let (m, q) = (&means[2 * k..], &factors[3 * k..]);
        [alphas[k] + q[0] + q[2], m[0], m[1], q[0].exp(), q[1], q[2].exp()]
    };
    (0..alphas.len()).flat_map(component).collect()
}

/// The logarithms of each component's weight times its density, but for what is common to all.
fn parts<X: Scalar>(prepared: &[X], point: &Point) -> Vec<X> {
    let part = |c: &[X]| {
        let (dx, dy) = (X::lit(point[0]) - c[1], X::lit(point[1]) - c[2]);
        c[0] - ((c[3] * dx).square() + (c[4] * dx + c[5] * dy).square()) * X::lit(0.5)
    };
    prepared.chunks(NUMBERS).map(part).collect()
}

/// The negative logarithm of the likelihood, on average over the points.
pub fn loss<'t, S: Scalar>(groups: [&[Var<'t, S>]; 3], data: &[Point]) -> Var<'t, S> {
    // The tape holds one point at a time, and keeps the derivatives with respect to what was prepared.
    let sum = scalar::sum_over(&prepared(groups), data, |c, point| scalar::logsumexp(&parts(c, point)));
    let all = scalar::logsumexp(groups[0]) + Var::lit((2.0 * std::f64::consts::PI).ln());
    all - sum * Var::lit(1.0 / data.len() as f64)
}

/// All numbers of a mixture in a row, by group.
pub fn split<X>(flat: &[X]) -> [&[X]; 3] {
    let k = flat.len() / NUMBERS;
    [&flat[..k], &flat[k..3 * k], &flat[3 * k..]]
}

/// The loss of plain numbers.
pub fn loss_of(flat: &[f64], data: &[Point]) -> f64 {
    let constants: Vec<Var<'_>> = flat.iter().map(|&x| Var::constant(x)).collect();
    loss(split(&constants), data).value()
}

/// A component as people think of it; the covariance as xx, xy, yy.
#[derive(Clone, Copy)]
pub struct Component {
    pub weight: f64,
    pub mean: Point,
    pub covariance: [f64; 3],
}

pub fn components(groups: [&[f64]; 3]) -> Vec<Component> {
    let all = scalar::logsumexp(groups[0]);
    let component = |(k, alpha): (usize, &f64)| {
        let [a, l, b] = [groups[2][3 * k].exp(), groups[2][3 * k + 1], groups[2][3 * k + 2].exp()];
        // The inverse of Q^T Q.
        let det = (a * b).powi(2);
        let covariance = [b * b / det, -l * b / det, (a * a + l * l) / det];
        Component { weight: (alpha - all).exp(), mean: [groups[1][2 * k], groups[1][2 * k + 1]], covariance }
    };
    groups[0].iter().enumerate().map(component).collect()
}

/// A step of expectation maximisation: what the weights, means and covariances of the points are, if each point belongs to the
/// components as the mixture says. At a maximum of the likelihood it changes nothing.
pub fn expectation(groups: [&[f64]; 3], data: &[Point]) -> Vec<Component> {
    let (prepared, k) = (prepared(groups), groups[0].len());
    let mut sums = vec![[0.0; NUMBERS]; k];
    for point @ &[x, y] in data {
        let parts = parts(&prepared, point);
        let all = scalar::logsumexp(&parts);
        for (sum, part) in sums.iter_mut().zip(parts) {
            let share = (part - all).exp();
            sum.iter_mut().zip([1.0, x, y, x * x, x * y, y * y]).for_each(|(sum, term)| *sum += share * term);
        }
    }
    let component = |[n, x, y, xx, xy, yy]: [f64; NUMBERS]| {
        let (x, y) = (x / n, y / n);
        let covariance = [xx / n - x * x, xy / n - x * y, yy / n - y * y];
        Component { weight: n / data.len() as f64, mean: [x, y], covariance }
    };
    sums.into_iter().map(component).collect()
}

/// The numbers of a mixture.
pub fn numbers(components: &[Component]) -> [Vec<f64>; 3] {
    let factor = |c: &Component| {
        let [xx, xy, yy] = c.covariance;
        let det = xx * yy - xy * xy;
        // Q22^2, Q21 Q22 and the determinant's root of the inverse covariance.
        let b = (xx / det).sqrt();
        [-(det.sqrt() * b).ln(), -xy / det / b, b.ln()]
    };
    [
        components.iter().map(|c| c.weight.ln()).collect(),
        components.iter().flat_map(|c| c.mean).collect(),
        components.iter().flat_map(factor).collect(),
    ]
}

/// Components around a circle with room for them, of different weights and shapes.
pub fn truth(k: usize, rng: &mut Rng) -> Vec<Component> {
    let weights: Vec<f64> = (0..k).map(|_| 0.5 + rng.uniform()).collect();
    let all: f64 = weights.iter().sum();
    let component = |(i, weight): (usize, &f64)| {
        let angle = std::f64::consts::TAU * (i as f64 + 0.3 * rng.uniform()) / k as f64;
        let (radius, (sin, cos)) =
            ((5.0 + 2.0 * rng.uniform()) * (k as f64 / 4.0).max(1.0), (std::f64::consts::PI * rng.uniform()).sin_cos());
        let [long, short] = [1.0 + rng.uniform(), 0.4 + 0.4 * rng.uniform()].map(|d| d * d);
        let covariance =
            [long * cos * cos + short * sin * sin, (long - short) * sin * cos, long * sin * sin + short * cos * cos];
        Component { weight: weight / all, mean: [radius * angle.cos(), radius * angle.sin()], covariance }
    };
    weights.iter().enumerate().map(component).collect()
}

pub fn draw(mixture: &[Component], n: usize, rng: &mut Rng) -> Vec<Point> {
    let mut point = || {
        let mut left = rng.uniform();
        let last = mixture.len() - 1;
        let of = mixture.iter().take(last).position(|c| {
            left -= c.weight;
            left < 0.0
        });
        let Component { mean, covariance: [xx, xy, yy], .. } = mixture[of.unwrap_or(last)];
        let (a, b) = (xx.sqrt() * rng.normal(), rng.normal());
        [mean[0] + a, mean[1] + a * xy / xx + b * (yy - xy * xy / xx).sqrt()]
    };
    (0..n).map(|_| point()).collect()
}

/// Where the fit begins: centres far from each other, by the best of a few draws in proportion to the squared distance from the
/// centres so far; weights equal, covariances round.
///
/// Source: Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", 2007.
pub fn start(k: usize, data: &[Point], rng: &mut Rng) -> Vec<Component> {
    let distance = |a: &Point, b: &Point| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
    let mut centres = vec![data[rng.below(data.len())]];
    let mut nearest: Vec<f64> = data.iter().map(|p| distance(p, &centres[0])).collect();
    let mut total: f64 = nearest.iter().sum();
    while centres.len() < k {
        let mut candidate = || {
            let mut left = total * rng.uniform();
            let at = nearest.iter().position(|d| {
                left -= d;
                left < 0.0
            });
            let centre = data[at.unwrap_or(0)];
            let then: Vec<f64> = data.iter().zip(&nearest).map(|(p, d)| d.min(distance(p, &centre))).collect();
            (then.iter().sum::<f64>(), centre, then)
        };
        let best = (0..10).map(|_| candidate()).min_by(|a, b| a.0.total_cmp(&b.0)).expect("ten candidates");
        total = best.0;
        nearest = best.2;
        centres.push(best.1);
    }
    let spread = total / data.len() as f64;
    centres
        .into_iter()
        .map(|mean| Component { weight: 1.0 / k as f64, mean, covariance: [spread, 0.0, spread] })
        .collect()
}
