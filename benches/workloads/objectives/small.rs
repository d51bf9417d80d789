//! Three short ones: a valley, a sum of exponentials, an orbit.
use super::{Lcg, Number, Objective, Points};

/// Rosenbrock's function of 1,000 numbers.
pub(crate) struct Rosenbrock;
impl Objective for Rosenbrock {
    const NAME: &'static str = "rosenbrock";
    fn points(&self) -> Points {
        let mut lcg = Lcg(42);
        Points::one((0..1000).map(|_| 2.0 * lcg.uniform() - 0.5).collect())
    }
    fn eval<T: Number>(&self, x: &[T], y: &mut [T], _: bool) {
        let term = |i: usize| {
            let a = x[i + 1] - x[i] * x[i];
            let b = x[i].sub_from(1.0);
            (a * a).times(100.0) + b * b
        };
        y[0] = (1..x.len() - 1).fold(term(0), |sum, i| sum + term(i));
    }
}

/// `ln(sum of e^x)` of 1,000 numbers.
pub(crate) struct LogSumExp;
impl Objective for LogSumExp {
    const NAME: &'static str = "logsumexp";
    fn points(&self) -> Points {
        let mut lcg = Lcg(42);
        Points::one((0..1000).map(|_| 8.0 * lcg.uniform() - 4.0).collect())
    }
    fn eval<T: Number>(&self, x: &[T], y: &mut [T], _: bool) {
        y[0] = T::logsumexp(x);
    }
}

/// Where an orbit of Lorenz' equations is after 1,000 steps of Runge and Kutta's fourth order: the sum of its coordinates, as a
/// function of its start and the three parameters.
pub(crate) struct Lorenz;
impl Objective for Lorenz {
    const NAME: &'static str = "lorenz";
    fn points(&self) -> Points {
        Points::one(vec![1.0, 1.5, 20.0, 10.0, 28.0, 8.0 / 3.0])
    }
    fn eval<T: Number>(&self, x: &[T], y: &mut [T], _: bool) {
        const H: f64 = 0.005;
        let slope = |s: &[T; 3]| [x[3] * (s[1] - s[0]), s[0] * (x[4] - s[2]) - s[1], s[0] * s[1] - x[5] * s[2]];
        let along = |s: &[T; 3], k: &[T; 3], c: f64| [0, 1, 2].map(|j| s[j] + k[j].times(c));
        let mut s = [x[0], x[1], x[2]];
        for _ in 0..1000 {
            let k1 = slope(&s);
            let k2 = slope(&along(&s, &k1, 0.5 * H));
            let k3 = slope(&along(&s, &k2, 0.5 * H));
            let k4 = slope(&along(&s, &k3, H));
            for j in 0..3 {
                s[j] = s[j] + (k1[j] + (k2[j] + k3[j]).times(2.0) + k4[j]).times(H / 6.0);
            }
        }
        y[0] = s[0] + s[1] + s[2];
    }
}
