//! Orders of derivative by different routes, and the functions of the front door.
use crate::dual::{self, Num};
use approx::assert_relative_eq;
use chainrule::scalar::{self, Dual, Scalar, Tape, Var};

/// x -> gradient as numbers of the outer tape.
fn inner_grad<'t>(x: &[Var<'t>]) -> Vec<Var<'t>> {
    scalar::grad(|x| tangled(x), x)
}

fn tangled<T: Scalar>(x: &[T]) -> T {
    let a = (x[0] * x[1]).sin() + (x[2] / (T::one() + x[0] * x[0])).exp();
    let b = x[1].hypot(x[2]) * (a + x[0]).sigmoid() - x[2].powi(3).atan();
    (a * b + x[1].cosh().ln() * b).tanh() + b.powf(x[0].square()) * x[1].erf()
}

#[test]
fn hessians_by_every_route_agree_and_are_symmetric() {
    let x = [0.7, 1.3, -0.4];
    let h = scalar::hessian(|x| tangled(x), &x);
    let reverse = scalar::jacobian(inner_grad, &x);
    for i in 0..3 {
        let mut e = [0.0; 3];
        e[i] = 1.0;
        let row = scalar::hvp(|x| tangled(x), &x, &e);
        for j in 0..3 {
            let scale = h[i][j].abs().max(1.0);
            assert!((h[i][j] - h[j][i]).abs() < 1e-12 * scale, "{i}, {j}: {} and {}", h[i][j], h[j][i]);
            assert!((h[i][j] - reverse[i][j]).abs() < 1e-12 * scale, "{i}, {j}: {} and {}", h[i][j], reverse[i][j]);
            assert!((h[i][j] - row[j]).abs() < 1e-12 * scale);
            // Forward over forward.
            let dual = |k: usize| Dual::new(Dual::new(x[k], [f64::from(k == i)]), [Dual::constant(f64::from(k == j))]);
            let forward = tangled(&[dual(0), dual(1), dual(2)]).tangent()[0].tangent()[0];
            assert!((h[i][j] - forward).abs() < 1e-12 * scale, "{i}, {j}: {} and {forward}", h[i][j]);
        }
    }
}

/// A third derivative: reverse over reverse over reverse, and the tests' own duals.
#[test]
fn three_orders() {
    let f = |x: f64| scalar::grad(|x| second(x[0]), &[x])[0];
    fn second(x: Var<'_>) -> Var<'_> {
        scalar::grad(|x| first(x[0]), &[x])[0]
    }
    fn first<'t, S: Scalar>(x: Var<'t, S>) -> Var<'t, S> {
        scalar::grad(|x| x[0].sin() * x[0].exp() / (x[0] * x[0] + 1.0), &[x])[0]
    }
    type D3 = dual::Dual<dual::Dual<dual::Dual<f64>>>;
    for x in [-1.2, 0.3, 2.0] {
        let mut d = D3::c(x);
        (d.d.v.v, d.v.d.v, d.v.v.d) = (1.0, 1.0, 1.0);
        let y = d.sin() * d.exp() / (d * d + D3::c(1.0));
        assert_relative_eq!(f(x), y.d.d.d, max_relative = 1e-11);
    }
}

#[test]
fn jacobians_and_their_products_agree() {
    fn f<T: Scalar>(x: &[T]) -> Vec<T> {
        vec![x[0] * x[1].sin(), x[1] / x[2], T::from(3).unwrap(), (x[0] + x[2]).exp(), x[1]]
    }
    let (x, x_dot, y_bar) = ([0.3, -1.1, 2.0], [0.5, -2.0, 1.5], [1.0, -0.5, 7.0, 0.25, 2.0]);
    let j = scalar::jacobian(|x| f(x), &x);
    let (y, y_dot) = scalar::jvp(f, &x, &x_dot);
    let (value, x_bar) = scalar::vjp(|x| f(x), &x, &y_bar);
    assert_eq!((&y, &value), (&f(&x), &f(&x)));
    assert_eq!(j[2], [0.0; 3]);
    assert_eq!(j[4], [0.0, 1.0, 0.0]);
    for (row, y_dot) in j.iter().zip(y_dot) {
        assert_relative_eq!(y_dot, row.iter().zip(x_dot).map(|(j, x)| j * x).sum::<f64>(), max_relative = 1e-14);
    }
    for (k, x_bar) in x_bar.iter().enumerate() {
        let right: f64 = j.iter().zip(y_bar).map(|(row, y_bar)| row[k] * y_bar).sum();
        assert_relative_eq!(*x_bar, right, max_relative = 1e-14);
    }
}

/// Where the exponent is 0 the slope of a power is 0, but it changes with the exponent: `d/db (b a^(b-1)) = 1/a`.
#[test]
fn mixed_derivatives_of_a_power_at_exponent_0() {
    let h = scalar::hessian(|x| x[0].powf(x[1]), &[2.0, 0.0]);
    assert_eq!(h, [[0.0, 0.5], [0.5, 2f64.ln().powi(2)]]);
    assert_eq!(scalar::hessian(|x| x[0].powf(0.0), &[0.0]), [[0.0]]);
}

#[test]
fn functions_of_nothing_and_constant_ones() {
    assert_eq!(scalar::value_and_grad::<f64, _>(|_| 3.0.into(), &[]), (3.0, vec![]));
    assert_eq!(scalar::value_and_grad(|_| 3.0.into(), &[1.0, 2.0]), (3.0, vec![0.0, 0.0]));
    assert_eq!(scalar::hessian(|_| 3.0.into(), &[1.0]), [[0.0]]);
    assert!(scalar::jacobian(|_| vec![], &[1.0]).is_empty());
    assert_eq!(scalar::grad(|x| x[1], &[1.0, 2.0, 3.0]), [0.0, 1.0, 0.0]);
}

/// Several results of one recording, intermediate ones, and a tape that is used again.
#[test]
fn a_tape_by_hand() {
    let mut tape = Tape::new();
    for round in 0..3 {
        let t = tape.begin();
        let (x, y) = (t.var(2.0 + f64::from(round)), t.var(5.0));
        let p = (x * y).pin();
        let (q, r) = (p * p + x, p.sin());
        let at = p.value();
        assert_eq!(q.grads_of(&[p, x, y]), [2.0 * at, 2.0 * at * 5.0 + 1.0, 2.0 * at * x.value()]);
        assert_eq!(r.grads_of(&[y, p]), [at.cos() * x.value(), at.cos()]);
        assert_eq!(x.grads_of(&[x, y]), [1.0, 0.0]);
        let late = t.var(1.0);
        assert_eq!(x.grads_of(&[late, x]), [0.0, 1.0]);
        assert_eq!((late * x).grads_of(&[late, x]), [x.value(), 1.0]);
    }
}

/// Sums through the chunks behind the flat memory, first and later evaluations.
#[test]
fn long_programs_fill_chunks() {
    let n = 200_000;
    let mut tape = Tape::new();
    for _ in 0..2 {
        let t = tape.begin();
        let (x, y) = (t.var(1.0), t.var(1.0));
        let mut sum = x * y;
        for _ in 0..n {
            sum += x * y;
        }
        assert!(t.len() > 2 * n);
        assert_eq!(sum.value(), n as f64 + 1.0);
        assert_eq!(sum.grads_of(&[x, y]), [n as f64 + 1.0; 2]);
        let half = t.len() as f64;
        assert_eq!((sum * half).grads_of(&[y]), [half * (n as f64 + 1.0)]);
    }
}
