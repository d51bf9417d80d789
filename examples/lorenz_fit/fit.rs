//! Least squares by Levenberg and Marquardt's method, with derivatives of the integrator.
use crate::{
    common::linear::{inverse, solve},
    model::{Problem, UNKNOWNS},
};
use chainrule::scalar::Dual;

pub type Unknowns = [f64; UNKNOWNS];

/// The numbers with a direction of their own for each.
pub fn dual(q: &Unknowns) -> [Dual<f64, UNKNOWNS>; UNKNOWNS] {
    std::array::from_fn(|i| Dual::new(q[i], std::array::from_fn(|j| f64::from(i == j))))
}

/// `J^T J` and `J^T r`. Six numbers go in and hundreds come out: forward mode has the whole Jacobian in one pass.
pub struct Normal {
    pub matrix: Vec<Vec<f64>>,
    pub gradient: Unknowns,
}

pub fn normal(q: &Unknowns, problem: &Problem<'_>) -> Normal {
    let mut n = Normal { matrix: vec![vec![0.0; UNKNOWNS]; UNKNOWNS], gradient: [0.0; UNKNOWNS] };
    for r in problem.residuals(&dual(q)) {
        let row = r.tangent();
        for i in 0..UNKNOWNS {
            n.gradient[i] += row[i] * r.value();
            for j in 0..UNKNOWNS {
                n.matrix[i][j] += row[i] * row[j];
            }
        }
    }
    n
}

/// Goes down to the minimum, and gives the root mean square of the residuals before each step and at the end.
pub fn descend(q: &mut Unknowns, problem: &Problem<'_>) -> Vec<f64> {
    let rms = |loss: f64| (2.0 * loss / (3 * problem.data.len()) as f64).sqrt();
    let (mut now, mut damping) = (problem.loss(&q[..]), 1e-3);
    let mut path = vec![rms(now)];
    while path.len() < 300 {
        let Normal { matrix, gradient } = normal(q, problem);
        // The whole step's length in standard errors: what is left to be gained.
        let whole = solve(&matrix, &gradient).unwrap_or(vec![f64::INFINITY; UNKNOWNS]);
        let left: f64 = whole.iter().zip(&gradient).map(|(s, g)| s * g).sum();
        if left <= 1e-8 * rms(now).powi(2) {
            break;
        }
        // A longer step, or a shorter one that turns to the gradient, until it goes down.
        let (next, then) = loop {
            let mut damped = matrix.clone();
            // A number that nothing depends on stays as it is.
            (0..UNKNOWNS).for_each(|i| damped[i][i] = (damped[i][i] * (1.0 + damping)).max(f64::MIN_POSITIVE));
            let step = solve(&damped, &gradient).unwrap_or(vec![0.0; UNKNOWNS]);
            let next: Unknowns = std::array::from_fn(|i| q[i] - step[i]);
            let then = problem.loss(&next);
            if then < now {
                damping /= 10.0;
                break (next, then);
            }
            damping *= 4.0;
            if damping > 1e8 {
                return path;
            }
        };
        (*q, now) = (next, then);
        path.push(rms(now));
    }
    path
}

/// What the data says of the numbers found.
pub struct Estimate {
    /// The deviation of the noise: the root of the residuals' squares by the degrees of freedom.
    pub noise: f64,
    pub covariance: Vec<Vec<f64>>,
}

/// `None` if the data does not determine every number.
pub fn estimate(q: &Unknowns, problem: &Problem<'_>) -> Option<Estimate> {
    let free = (3 * problem.data.len()).checked_sub(UNKNOWNS).filter(|free| *free > 0)?;
    let noise = (2.0 * problem.loss(q) / free as f64).sqrt();
    let mut covariance = inverse(&normal(q, problem).matrix)?;
    covariance.iter_mut().flatten().for_each(|c| *c *= noise * noise);
    Some(Estimate { noise, covariance })
}

impl Estimate {
    /// The standard error of a number with these derivatives with respect to the unknowns.
    pub fn deviation(&self, slopes: &Unknowns) -> f64 {
        let row = |c: &Vec<f64>| c.iter().zip(slopes).map(|(c, s)| c * s).sum::<f64>();
        self.covariance.iter().zip(slopes).map(|(c, s)| s * row(c)).sum::<f64>().sqrt()
    }

    pub fn standard_error(&self, k: usize) -> f64 {
        self.covariance[k][k].sqrt()
    }
}
