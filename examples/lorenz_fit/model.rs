//! Lorenz's system and its integrator, written once over any number.
use chainrule::{Rng, scalar::Scalar};

/// sigma, rho, beta, and the state at the beginning.
pub const UNKNOWNS: usize = 6;
pub const NAMES: [&str; UNKNOWNS] = ["sigma", "rho", "beta", "x(0)", "y(0)", "z(0)"];
/// Lorenz's own parameters.
pub const LORENZ: [f64; 3] = [10.0, 28.0, 8.0 / 3.0];

/// When the state is looked at.
#[derive(Clone, Copy)]
pub struct Clock {
    /// Time from one observation to the next.
    pub every: f64,
    /// Steps of the integrator in that time.
    pub steps: usize,
}

/// `x' = sigma (y - x), y' = x (rho - z) - y, z' = x y - beta z`.
fn slope<X: Scalar>([sigma, rho, beta]: [X; 3], [x, y, z]: [X; 3]) -> [X; 3] {
    [sigma * (y - x), x * (rho - z) - y, x * y - beta * z]
}

/// A step of the classical Runge-Kutta method.
fn step<X: Scalar>(p: [X; 3], u: [X; 3], dt: f64) -> [X; 3] {
    let ahead = |k: [X; 3], dt: f64| std::array::from_fn(|i| u[i] + k[i] * X::lit(dt));
    let k1 = slope(p, u);
    let k2 = slope(p, ahead(k1, 0.5 * dt));
    let k3 = slope(p, ahead(k2, 0.5 * dt));
    let k4 = slope(p, ahead(k3, dt));
    std::array::from_fn(|i| u[i] + (k1[i] + (k2[i] + k3[i]) * X::lit(2.0) + k4[i]) * X::lit(dt / 6.0))
}

/// The state after so many steps.
pub fn after<X: Scalar>(p: [X; 3], u: [X; 3], steps: usize, dt: f64) -> [X; 3] {
    (0..steps).fold(u, |u, _| step(p, u, dt))
}

/// The states at the observations, of which the first is the beginning.
pub fn states<X: Scalar>(q: &[X], clock: Clock, n: usize) -> impl Iterator<Item = [X; 3]> + use<X> {
    let p = [q[0], q[1], q[2]];
    let go = move |u: &[X; 3]| Some(after(p, *u, clock.steps, clock.every / clock.steps as f64));
    std::iter::successors(Some([q[3], q[4], q[5]]), go).take(n)
}

/// One trajectory from the unknown state over the first observations; over the others short ones, each from the observation
/// before it. So all the data speaks for the parameters, also while the long trajectory is still short.
pub struct Problem<'a> {
    pub clock: Clock,
    pub data: &'a [[f64; 3]],
    /// Observations of the long trajectory, and of a short one.
    pub long: usize,
    pub short: usize,
}

impl Problem<'_> {
    /// What the data leaves unexplained.
    pub fn residuals<X: Scalar>(&self, q: &[X]) -> Vec<X> {
        let off = |(u, seen): ([X; 3], &[f64; 3])| std::array::from_fn::<_, 3, _>(|i| u[i] - X::lit(seen[i]));
        let short = |k: usize| {
            let data = &self.data[k..self.data.len().min(k + self.short + 1)];
            let [x, y, z] = data[0].map(X::lit);
            states(&[q[0], q[1], q[2], x, y, z], self.clock, data.len()).zip(data).skip(1).map(off)
        };
        let long = states(q, self.clock, self.long).zip(self.data).map(off);
        long.chain((self.long - 1..self.data.len()).step_by(self.short).flat_map(short)).flatten().collect()
    }

    /// Half the sum of the squares of the residuals.
    pub fn loss<X: Scalar>(&self, q: &[X]) -> X {
        self.residuals(q).into_iter().map(|r| r.square()).sum::<X>() * X::lit(0.5)
    }
}

/// The truth: Lorenz's parameters, and a state that the system has come to from a random one.
pub fn truth(rng: &mut Rng) -> [f64; UNKNOWNS] {
    let start = [rng.normal(), rng.normal(), 25.0 + rng.normal()];
    let [x, y, z] = after(LORENZ, start, 2000, 0.01);
    let [sigma, rho, beta] = LORENZ;
    [sigma, rho, beta, x, y, z]
}

/// The truth's states with noise.
pub fn observe(truth: &[f64; UNKNOWNS], clock: Clock, n: usize, noise: f64, rng: &mut Rng) -> Vec<[f64; 3]> {
    states(truth, clock, n).map(|u| u.map(|x| x + noise * rng.normal())).collect()
}
