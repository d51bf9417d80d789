//! A small network.
use super::{Lcg, Number, Objective, Points, Term, number::plain_sum};

/// 2-16-16-1 with ReLU on 100 points of two moons, hinge loss with weight decay.
pub(crate) struct Mlp {
    /// Coordinates and a label, -1 or 1, for each point.
    moons: Vec<[f64; 3]>,
}

const H: usize = 16;
const PARAMETERS: usize = 3 * H + (H + 1) * H + H + 1;

impl Mlp {
    pub(crate) fn new() -> Self {
        let mut lcg = Lcg(7);
        let mut moon = |i: i32| {
            let angle = std::f64::consts::PI * lcg.uniform();
            let up = i % 2 == 0;
            let x = if up { angle.cos() } else { 1.0 - angle.cos() } + 0.1 * (lcg.uniform() - 0.5);
            let y = if up { angle.sin() } else { 0.5 - angle.sin() } + 0.1 * (lcg.uniform() - 0.5);
            [x, y, if up { -1.0 } else { 1.0 }]
        };
        Self { moons: (0..100).map(&mut moon).collect() }
    }
}

impl Term for Mlp {
    #[inline(always)]
    fn at<T: Number>(&self, p: &[T], i: usize) -> T {
        let [x, y, label] = self.moons[i];
        let (mut h1, mut h2) = ([p[0]; H], [p[0]; H]);
        let (first, rest) = p.split_at(3 * H);
        for (h, w) in h1.iter_mut().zip(first.chunks_exact(3)) {
            *h = (w[2] + w[0].times(x) + w[1].times(y)).relu();
        }
        let (second, last) = rest.split_at((H + 1) * H);
        for (h, w) in h2.iter_mut().zip(second.chunks_exact(H + 1)) {
            *h = weighted(w, &h1).relu();
        }
        weighted(last, &h2).times(label).sub_from(1.0).relu()
    }
}

/// Weights, the last of them a bias, by inputs.
#[inline(always)]
fn weighted<T: Number>(w: &[T], h: &[T; H]) -> T {
    (0..H).fold(w[H], |sum, k| w[k].mul_add(h[k], sum))
}

impl Objective for Mlp {
    const NAME: &'static str = "mlp";
    const SCOPES: bool = true;
    fn points(&self) -> Points {
        let mut lcg = Lcg(42);
        Points::one((0..PARAMETERS).map(|_| 2.0 * lcg.uniform() - 1.0).collect())
    }
    fn eval<T: Number>(&self, p: &[T], y: &mut [T], scoped: bool) {
        let n = self.moons.len();
        let loss = if scoped { T::scoped_sum(p, n, self) } else { plain_sum(p, n, self) };
        let decay = p[1..].iter().fold(p[0] * p[0], |sum, &p| p.mul_add(p, sum));
        y[0] = loss.times(1.0 / n as f64) + decay.times(1e-4);
    }
}
