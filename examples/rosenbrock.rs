//! The minimum of Rosenbrock's valley, by gradient descent and by Newton's method, with derivatives of an ordinary function.
//!
//! `cargo run --release --example rosenbrock`
use chainrule::scalar::{self, Tape};
use num_traits::Float;

/// `sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2`: 0 where every number is 1, at the end of a long bent valley.
fn rosenbrock<T: Float>(x: &[T]) -> T {
    let hundred = T::from(100).expect("a number");
    let term = |x: &[T]| hundred * (x[1] - x[0] * x[0]).powi(2) + (T::one() - x[0]).powi(2);
    x.windows(2).map(term).fold(T::zero(), |sum, term| sum + term)
}

/// How many steps were taken, and where they led.
struct Path {
    steps: usize,
    x: Vec<f64>,
    value: f64,
}

/// Steps against the gradient; one that does not go down is halved, one that does makes the next longer.
fn gradient_descent(start: &[f64], tolerance: f64) -> Path {
    let (mut x, mut rate, mut tape, mut g) = (start.to_vec(), 1e-3, Tape::new(), vec![0.0; start.len()]);
    for steps in 0.. {
        let value = tape.value_and_grad(|x| rosenbrock(x), &x, &mut g);
        if norm(&g) < tolerance || steps == 200_000 {
            return Path { steps, x, value };
        }
        loop {
            let next: Vec<f64> = x.iter().zip(&g).map(|(x, g)| x - rate * g).collect();
            if rosenbrock(&next) < value || rate < 1e-12 {
                x = next;
                rate *= 1.1;
                break;
            }
            rate *= 0.5;
        }
    }
    unreachable!("the loop has no end of its own")
}

/// Steps to the minimum of the second-order model, `(H + damping) step = -g`; the damping grows until the step goes down.
fn newton(start: &[f64], tolerance: f64) -> Path {
    let (mut x, mut damping) = (start.to_vec(), 0.0);
    for steps in 0.. {
        let (value, g) = scalar::value_and_grad(|x| rosenbrock(x), &x);
        if norm(&g) < tolerance || steps == 200 {
            return Path { steps, x, value };
        }
        let h = scalar::hessian(|x| rosenbrock(x), &x);
        loop {
            let mut damped = h.clone();
            for (k, row) in damped.iter_mut().enumerate() {
                row[k] += damping;
            }
            let step = solve(damped, g.iter().map(|g| -g).collect());
            let next: Vec<f64> = x.iter().zip(&step).map(|(x, s)| x + s).collect();
            if rosenbrock(&next) < value || damping > 1e12 {
                x = next;
                damping = if damping < 1e-3 { 0.0 } else { damping / 10.0 };
                break;
            }
            damping = (4.0 * damping).max(1e-3);
        }
    }
    unreachable!("the loop has no end of its own")
}

/// Gaussian elimination with the largest pivot of each column.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs())).expect("a row");
        a.swap(k, pivot);
        b.swap(k, pivot);
        for i in k + 1..n {
            let factor = a[i][k] / a[k][k];
            for j in k..n {
                a[i][j] -= factor * a[k][j];
            }
            b[i] -= factor * b[k];
        }
    }
    for k in (0..n).rev() {
        for j in k + 1..n {
            b[k] -= a[k][j] * b[j];
        }
        b[k] /= a[k][k];
    }
    b
}

fn norm(g: &[f64]) -> f64 {
    g.iter().map(|g| g * g).sum::<f64>().sqrt()
}

fn main() {
    println!("{:18} {:>3} {:>8}  {:>9}  {:>8}", "method", "n", "steps", "value", "x[0]");
    for n in [2, 10] {
        let start: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { -1.2 } else { 1.0 }).collect();
        for (name, method) in [("gradient descent", gradient_descent as fn(&[f64], f64) -> Path), ("Newton", newton)] {
            let path = method(&start, 1e-8);
            assert!(norm(&scalar::grad(|x| rosenbrock(x), &path.x)) < 1e-8, "{name} did not arrive");
            println!("{name:18} {n:>3} {:>8}  {:>9.2e}  {:>8.5}", path.steps, path.value, path.x[0]);
        }
    }
    println!(
        "From four variables on the valley has a second minimum, near x[0] = -1 with value 3.99; Newton's steps are caught by it."
    );
}
