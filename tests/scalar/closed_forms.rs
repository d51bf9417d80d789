//! Programs whose derivatives are known: by closed forms, or by equations that were differentiated by hand.
use approx::assert_relative_eq;
use chainrule::{
    Rng,
    scalar::{self, Scalar},
};
use num_traits::Float;

/// A number by its terms. Rounding is a part of their sizes, also where they cancel.
#[derive(Clone, Copy, Default)]
struct Terms {
    value: f64,
    size: f64,
}

impl Terms {
    fn of<const N: usize>(terms: [f64; N]) -> Self {
        terms.into_iter().fold(Self::default(), Self::plus)
    }

    fn plus(self, term: f64) -> Self {
        Self { value: self.value + term, size: self.size + term.abs() }
    }
}

fn rosenbrock<T: Float>(x: &[T]) -> T {
    let hundred = T::from(100).unwrap();
    let term = |x: &[T]| hundred * (x[1] - x[0] * x[0]).powi(2) + (T::one() - x[0]).powi(2);
    x.windows(2).map(term).fold(T::zero(), |a, b| a + b)
}

fn rosenbrock_by_hand(x: &[f64]) -> (Vec<Terms>, Vec<Vec<Terms>>) {
    let n = x.len();
    let (mut g, mut h) = (vec![Terms::default(); n], vec![vec![Terms::default(); n]; n]);
    for i in 0..n - 1 {
        let (a, b) = (x[i], x[i + 1]);
        for term in [400.0 * a.powi(3), -400.0 * a * b, 2.0 * a, -2.0] {
            g[i] = g[i].plus(term);
        }
        g[i + 1] = g[i + 1].plus(200.0 * b).plus(-200.0 * a * a);
        h[i][i] = h[i][i].plus(1200.0 * a * a).plus(-400.0 * b).plus(2.0);
        h[i][i + 1] = h[i][i + 1].plus(-400.0 * a);
        h[i + 1][i] = h[i][i + 1];
        h[i + 1][i + 1] = h[i + 1][i + 1].plus(200.0);
    }
    (g, h)
}

#[test]
fn rosenbrock_against_its_closed_form() {
    let mut rng = Rng::seed(7);
    for n in 2..=10 {
        for _ in 0..50 {
            let x: Vec<f64> = (0..n).map(|_| 3.0 * rng.normal()).collect();
            let (g, h) = rosenbrock_by_hand(&x);
            let (found, hessian) = (scalar::grad(|x| rosenbrock(x), &x), scalar::hessian(|x| rosenbrock(x), &x));
            // Every term is a product of a few factors: a few roundings each.
            let close = |found: f64, right: Terms, what: &str| {
                let off = (found - right.value).abs();
                assert!(off <= 1e-13 * right.size, "{what} at {x:?}: {found}, not {}", right.value);
            };
            for i in 0..n {
                close(found[i], g[i], &format!("g[{i}]"));
                for j in 0..n {
                    close(hessian[i][j], h[i][j], &format!("h[{i}][{j}]"));
                    assert_eq!(hessian[i][j].to_bits(), hessian[j][i].to_bits());
                }
            }
            let v: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
            let product = scalar::hvp(|x| rosenbrock(x), &x, &v);
            let (value, slope) = scalar::directional(rosenbrock, &x, &v);
            assert_eq!(value, rosenbrock(&x));
            let sum = |row: &[Terms]| Terms {
                value: row.iter().zip(&v).map(|(t, v)| t.value * v).sum(),
                size: row.iter().zip(&v).map(|(t, v)| t.size * v.abs()).sum(),
            };
            close(slope, sum(&g), "the slope");
            (0..n).for_each(|i| close(product[i], sum(&h[i]), &format!("(H v)[{i}]")));
        }
    }
}

/// The price of a European option: `w` is 1 for a call, -1 for a put.
fn price<T: Scalar>(w: f64, x: &[T]) -> T {
    let (s, k, r, v, t, w) = (x[0], x[1], x[2], x[3], x[4], T::lit(w));
    let d1 = ((s / k).ln() + (r + v * v / T::lit(2.0)) * t) / (v * t.sqrt());
    w * (s * (w * d1).normal_cdf() - k * (-r * t).exp() * (w * (d1 - v * t.sqrt())).normal_cdf())
}

const NAMES: [&str; 5] = ["s", "k", "r", "v", "t"];

/// All derivatives of first and second order, from the textbook, and what rounding may change in them.
struct Greeks {
    first: [Terms; 5],
    /// The rows of the upper triangle.
    second: [Vec<Terms>; 5],
}

fn greeks(w: f64, &[s, k, r, v, t]: &[f64; 5]) -> Greeks {
    let (root, sd) = (t.sqrt(), v * t.sqrt());
    let d1 = ((s / k).ln() + (r + 0.5 * v * v) * t) / sd;
    let d2 = d1 - sd;
    let density = |d: f64| (-0.5 * d * d).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let (phi, discounted) = (density(d1), k * (-r * t).exp());
    let (n1, n2) = (w * Scalar::normal_cdf(w * d1), w * discounted * Scalar::normal_cdf(w * d2));
    let (p1, p2) = (s * phi, discounted * density(d2));
    // Derivatives of d1 and d2.
    let e1 = [1.0 / (s * sd), -1.0 / (k * sd), root / v, -d2 / v, r / sd - d2 / (2.0 * t)];
    let e2 = [e1[0], e1[1], e1[2], -d1 / v, r / sd - d1 / (2.0 * t)];
    let mut first = [
        Terms::of([n1]),
        Terms::of([-n2 / k]),
        Terms::of([t * n2]),
        Terms::of([p1 * root]),
        Terms::of([p1 * v / (2.0 * root), r * n2]),
    ];
    let mut second = [
        e1.iter().map(|e| Terms::of([phi * e])).collect(),
        vec![
            Terms::of([-p2 * e2[1] / k]),
            Terms::of([t * n2 / k, -p2 * e2[2] / k]),
            Terms::of([-p2 * e2[3] / k]),
            Terms::of([r * n2 / k, -p2 * e2[4] / k]),
        ],
        vec![
            Terms::of([-t * t * n2, t * p2 * e2[2]]),
            Terms::of([t * p2 * e2[3]]),
            Terms::of([n2, -r * t * n2, t * p2 * e2[4]]),
        ],
        vec![Terms::of([p1 * root * d1 * d2 / v]), Terms::of([p1 / (2.0 * root), -p1 * root * d1 * e1[4]])],
        vec![Terms::of([-p1 * v / (4.0 * t * root), -p1 * v / (2.0 * root) * d1 * e1[4], -r * r * n2, r * p2 * e2[4]])],
    ];
    // The chain rule gives s N'(d1) d1' - k e^(-rt) N'(d2) d2', of which on paper most is 0. What is left of it: d has a rounding
    // of each of its terms, and one of s / k, which N' multiplies by d.
    let d = ((s / k).ln().abs() + (r * t).abs() + 0.5 * sd * sd) / sd;
    let d = d.max(1.0);
    let rest = p1 * d * (d + 1.0 / sd);
    let slopes = [1.0 / (s * sd), 1.0 / (k * sd), root / v, d / v, r.abs() / sd + d / (2.0 * t)];
    let by = [1.0 / s, 1.0 / k, 0.0, 1.0 / v, 1.0 / t];
    for i in 0..5 {
        first[i].size += rest * slopes[i];
        for j in i..5 {
            second[i][j - i].size += rest * (d * slopes[i] * slopes[j] + 2.0 * (slopes[i] * by[j] + slopes[j] * by[i]));
        }
    }
    Greeks { first, second }
}

#[test]
fn black_scholes_against_closed_forms() {
    let mut rng = Rng::seed(11);
    let mut between = |a: f64, b: f64| a + (b - a) * rng.uniform();
    let mut far = 0;
    for _ in 0..3000 {
        // An hour to 30 years, and strikes up to 35 deviations from the forward: prices from 1e-270 on.
        let (v, t) = (between(0.01f64.ln(), 0.0).exp(), between(1e-4f64.ln(), 30f64.ln()).exp());
        let (s, r, deviations) = (between(-3.0, 9.0).exp(), between(-0.1, 0.2), between(-35.0, 35.0));
        let x = [s, s * (r * t + deviations * v * t.sqrt()).exp(), r, v, t];
        for w in [1.0, -1.0] {
            let right = greeks(w, &x);
            let (g, h) = (scalar::grad(|x| price(w, x), &x), scalar::hessian(|x| price(w, x), &x));
            let close = |found: f64, right: Terms, what: &[&str]| {
                let off = (found - right.value).abs() / (f64::EPSILON * right.size);
                assert!(
                    off <= ROUNDINGS,
                    "d{what:?} of w = {w} at {x:?}: {found:e}, not {:e} ({off} roundings)",
                    right.value
                );
            };
            for i in 0..5 {
                close(g[i], right.first[i], &[NAMES[i]]);
                for j in i..5 {
                    close(h[i][j], right.second[i][j - i], &[NAMES[i], NAMES[j]]);
                    close(h[j][i], right.second[i][j - i], &[NAMES[j], NAMES[i]]);
                }
            }
            far += usize::from((1e-300..1e-100).contains(&g[0].abs()));
        }
    }
    assert!(far > 500, "only {far} deltas were small");
}

/// For each term of [`greeks`].
const ROUNDINGS: f64 = 4.0;

/// Where nothing cancels, every digit.
#[test]
fn black_scholes_at_the_money() {
    let x @ [s, k, r, v, t] = [105.0, 98.0, 0.03, 0.22, 0.8f64];
    let (g, h) = (scalar::grad(|x| price(1.0, x), &x), scalar::hessian(|x| price(1.0, x), &x));
    let d1 = ((s / k).ln() + (r + 0.5 * v * v) * t) / (v * t.sqrt());
    let d2 = d1 - v * t.sqrt();
    let phi = (-0.5 * d1 * d1).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let vega = s * phi * t.sqrt();
    let pairs =
        [(g[3], vega), (h[0][0], phi / (s * v * t.sqrt())), (h[3][3], vega * d1 * d2 / v), (h[0][3], -phi * d2 / v)];
    pairs.iter().for_each(|(found, right)| assert_relative_eq!(*found, *right, max_relative = 2e-14));
}

/// A trajectory of Lorenz's system by the classical Runge-Kutta method, of any number.
fn lorenz<T: Scalar>(q: &[T], steps: usize, dt: f64) -> Vec<T> {
    let slope = |u: &[T]| [q[0] * (u[1] - u[0]), u[0] * (q[1] - u[2]) - u[1], u[0] * u[1] - q[2] * u[2]];
    let ahead = |u: &[T], k: &[T; 3], h: f64| (0..3).map(|i| u[i] + T::lit(h) * k[i]).collect::<Vec<T>>();
    (0..steps).fold(q[3..].to_vec(), |u, _| {
        let a = slope(&u);
        let b = slope(&ahead(&u, &a, 0.5 * dt));
        let c = slope(&ahead(&u, &b, 0.5 * dt));
        let d = slope(&ahead(&u, &c, dt));
        (0..3).map(|i| u[i] + T::lit(dt / 6.0) * (a[i] + T::lit(2.0) * (b[i] + c[i]) + d[i])).collect()
    })
}

/// A state, and its derivatives with respect to sigma, rho, beta and the first state.
type Tangents = [[f64; 7]; 3];

/// The variational equations, by hand: `S' = (df/du) S + df/dp`. The method of Runge and Kutta, applied to them, gives the
/// derivative of its own step.
fn variational(p: [f64; 3], w: &Tangents) -> Tangents {
    let [[x, ..], [y, ..], [z, ..]] = *w;
    let [sigma, rho, beta] = p;
    let mut slope = [[0.0; 7]; 3];
    for c in 1..7 {
        let [a, b, e] = [w[0][c], w[1][c], w[2][c]];
        slope[0][c] = sigma * (b - a);
        slope[1][c] = (rho - z) * a - b - x * e;
        slope[2][c] = y * a + x * b - beta * e;
    }
    (slope[0][0], slope[1][0], slope[2][0]) = (sigma * (y - x), rho * x - x * z - y, x * y - beta * z);
    slope[0][1] += y - x;
    slope[1][2] += x;
    slope[2][3] -= z;
    slope
}

/// The last state with its derivatives, and the largest of all these numbers on the way.
fn by_hand(q: &[f64; 6], steps: usize, dt: f64) -> (Tangents, f64) {
    let plus = |w: &Tangents, k: &Tangents, h: f64| -> Tangents {
        std::array::from_fn(|i| std::array::from_fn(|c| w[i][c] + h * k[i][c]))
    };
    let p = [q[0], q[1], q[2]];
    let mut w = [[0.0; 7]; 3];
    for i in 0..3 {
        (w[i][0], w[i][4 + i]) = (q[3 + i], 1.0);
    }
    let mut largest = 1.0;
    for _ in 0..steps {
        let a = variational(p, &w);
        let b = variational(p, &plus(&w, &a, dt / 2.0));
        let c = variational(p, &plus(&w, &b, dt / 2.0));
        let d = variational(p, &plus(&w, &c, dt));
        w = [(a, 1.0), (b, 2.0), (c, 2.0), (d, 1.0)].iter().fold(w, |w, (k, f)| plus(&w, k, f * dt / 6.0));
        largest = w.iter().flatten().fold(largest, |m: f64, x| m.max(x.abs()));
    }
    (w, largest)
}

#[test]
fn lorenz_against_its_variational_equations() {
    let (mut rng, dt) = (Rng::seed(3), 0.01);
    for (steps, starts) in [(1, 20), (50, 20), (200, 10), (500, 5), (1000, 5)] {
        for _ in 0..starts {
            let q = [10.0, 28.0, 8.0 / 3.0, 8.0 * rng.normal(), 8.0 * rng.normal(), 25.0 + 8.0 * rng.normal()];
            let (right, largest) = by_hand(&q, steps, dt);
            // Each step rounds the state; the derivatives on the way carry that to the end, and change with it.
            let most = f64::EPSILON * steps as f64 * largest * largest;
            let close = |found: f64, right: f64, what: &str| {
                assert!(
                    (found - right).abs() <= most,
                    "{what} after {steps} steps from {q:?}: {found}, not {right} (+- {most:e})"
                );
            };
            let rows = scalar::jacobian(|q| lorenz(q, steps, dt), &q);
            for (i, row) in rows.iter().enumerate() {
                (0..6).for_each(|j| close(row[j], right[i][1 + j], &format!("row {i}, column {j}")));
            }
            // One sweep for a combination of the results, and one forward pass along a direction.
            let y_bar: [f64; 3] = std::array::from_fn(|_| rng.uniform() - 0.5);
            let (state, x_bar) = scalar::vjp(|q| lorenz(q, steps, dt), &q, &y_bar);
            let gradient = scalar::grad(|q| lorenz(q, steps, dt).into_iter().zip(y_bar).map(|(u, w)| u * w).sum(), &q);
            let direction: [f64; 6] = std::array::from_fn(|_| (rng.uniform() - 0.5) / 3.0);
            let (_, along) = scalar::jvp(|q| lorenz(q, steps, dt), &q, &direction);
            for i in 0..3 {
                close(state[i], right[i][0], "the state");
                close(along[i], (0..6).map(|j| right[i][1 + j] * direction[j]).sum(), "J x_dot");
            }
            for j in 0..6 {
                let sum = (0..3).map(|i| y_bar[i] * right[i][1 + j]).sum();
                close(x_bar[j], sum, "y_bar J");
                close(gradient[j], sum, "the gradient");
            }
        }
    }
}
