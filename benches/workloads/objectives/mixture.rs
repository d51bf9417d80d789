//! ADBench's Gaussian mixture: the log likelihood of 1,000 points and a prior on the covariances.
use super::{Number, Objective, Points, Term, data, number::plain_sum};
use chainrule::scalar::Scalar;

const D: usize = 10;
const K: usize = 25;
/// Numbers of a covariance: logarithms of the diagonal of a triangle's inverse, and what is below it.
const TRIANGLE: usize = D * (D + 1) / 2;

pub(crate) struct Mixture {
    n: usize,
    /// Of the Wishart prior.
    gamma: f64,
    m: f64,
    constant: f64,
    points: Vec<f64>,
    parameters: Vec<f64>,
}

impl Mixture {
    pub(crate) fn new() -> Self {
        let numbers = data("gmm_d10_K25.txt");
        let n = numbers[2] as usize;
        assert_eq!((D, K), (numbers[0] as usize, numbers[1] as usize));
        let (parameters, rest) = numbers[3..].split_at(K + K * D + K * TRIANGLE);
        let (points, prior) = rest.split_at(n * D);
        let (gamma, m) = (prior[0], prior[1]);
        Self { n, gamma, m, constant: constant(n, gamma, m), points: points.to_vec(), parameters: parameters.to_vec() }
    }
}

fn constant(n: usize, gamma: f64, m: f64) -> f64 {
    let (d, pi) = (D as f64, std::f64::consts::PI);
    let q = d + m + 1.0;
    let multigamma = 0.25 * d * (d - 1.0) * pi.ln()
        + (1..=D).map(|j| Scalar::ln_gamma(0.5 * q + 0.5 * (1.0 - j as f64))).sum::<f64>();
    let prior = q * d * (gamma.ln() - 0.5 * 2f64.ln()) - multigamma;
    -(n as f64) * d * 0.5 * (2.0 * pi).ln() - K as f64 * prior
}

/// The parts of the inputs: logarithms of weights, means, triangles, and what is computed of those once: diagonals, and their
/// logarithms' sums.
fn parts<T>(x: &[T]) -> [&[T]; 5] {
    let (weights, rest) = x.split_at(K);
    let (means, rest) = rest.split_at(K * D);
    let (triangles, rest) = rest.split_at(K * TRIANGLE);
    let (diagonals, sums) = rest.split_at(if rest.is_empty() { 0 } else { K * D });
    [weights, means, triangles, diagonals, sums]
}

impl Term for Mixture {
    #[inline(always)]
    fn at<T: Number>(&self, x: &[T], i: usize) -> T {
        let [weights, means, triangles, diagonals, sums] = parts(x);
        let point = &self.points[i * D..(i + 1) * D];
        let (mut centred, mut product, mut terms) = ([x[0]; D], [x[0]; D], [x[0]; K]);
        for k in 0..K {
            for j in 0..D {
                centred[j] = means[k * D + j].sub_from(point[j]);
                product[j] = diagonals[k * D + j] * centred[j];
            }
            let mut below = triangles[k * TRIANGLE + D..(k + 1) * TRIANGLE].iter();
            for column in 0..D {
                for row in column + 1..D {
                    product[row] = below.next().expect("a triangle").mul_add(centred[column], product[row]);
                }
            }
            let square = product[1..].iter().fold(product[0] * product[0], |sum, &p| p.mul_add(p, sum));
            terms[k] = weights[k] + sums[k] - square.times(0.5);
        }
        T::logsumexp(&terms)
    }
}

impl Objective for Mixture {
    const NAME: &'static str = "mixture";
    const SCOPES: bool = true;
    fn points(&self) -> Points {
        Points::one(self.parameters.clone())
    }
    fn eval<T: Number>(&self, x: &[T], y: &mut [T], scoped: bool) {
        let [weights, _, triangles, ..] = parts(x);
        let mut all = x.to_vec();
        all.extend((0..K * D).map(|i| triangles[i / D * TRIANGLE + i % D].exp()));
        all.extend(triangles.chunks_exact(TRIANGLE).map(|t| t[1..D].iter().fold(t[0], |sum, &t| sum + t)));
        let likelihood = if scoped { T::scoped_sum(&all, self.n, self) } else { plain_sum(&all, self.n, self) };
        let [.., diagonals, sums] = parts(&all);
        let prior = |k: usize| {
            let diagonal = &diagonals[k * D..(k + 1) * D];
            let below = &triangles[k * TRIANGLE + D..(k + 1) * TRIANGLE];
            let square = diagonal[1..].iter().chain(below).fold(diagonal[0] * diagonal[0], |sum, &t| t.mul_add(t, sum));
            square.times(0.5 * self.gamma * self.gamma) - sums[k].times(self.m)
        };
        let priors = (1..K).fold(prior(0), |sum, k| sum + prior(k));
        let weights = T::logsumexp(weights).times(self.n as f64);
        y[0] = (likelihood - weights + priors).plus(self.constant);
    }
}
