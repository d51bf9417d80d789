//! A price.
use super::{Lcg, Number, Objective, Points};

/// European calls by Black and Scholes at 10,000 points, with a normal distribution function for libraries that have none.
pub(crate) struct BlackScholes;
impl Objective for BlackScholes {
    const NAME: &'static str = "black_scholes";
    fn points(&self) -> Points {
        let mut lcg = Lcg(42);
        let mut between = |lo: f64, width: f64| lo + width * lcg.uniform();
        let point =
            |_| [between(105.0, 45.0), between(80.0, 20.0), between(0.03, 0.05), between(0.1, 0.12), between(0.2, 1.8)];
        Points { n: 5, m: 1, count: 10_000, x: (0..10_000).flat_map(point).collect() }
    }
    fn eval<T: Number>(&self, x: &[T], y: &mut [T], _: bool) {
        let (s, k, r, v, t) = (x[0], x[1], x[2], x[3], x[4]);
        let sd = v * t.sqrt();
        let d1 = ((s / k).ln() + (r + (v * v).times(0.5)) * t) / sd;
        let d2 = d1 - sd;
        y[0] = s * normal_cdf(d1) - k * (-(r * t)).exp() * normal_cdf(d2);
    }
}

/// Abramowitz and Stegun, 26.2.17.
#[inline(always)]
fn normal_cdf<T: Number>(x: T) -> T {
    let left = x.below(0.0);
    let a = if left { -x } else { x };
    let k = a.times(0.231_641_9).plus(1.0).div_from(1.0);
    let p = k.times(1.330_274_429).plus(-1.821_255_978);
    let p = (k * p).plus(1.781_477_937);
    let p = (k * p).plus(-0.356_563_782);
    let p = k * (k * p).plus(0.319_381_530);
    let tail = (a * a).times(-0.5).exp().times(0.398_942_280_401_432_7) * p;
    if left { tail } else { tail.sub_from(1.0) }
}
