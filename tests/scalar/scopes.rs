//! Scopes: swept at once, with the derivatives of the same program without them.
use chainrule::scalar::{self, Scalar, Tape, Var, scope, sum_over};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn part<T: Scalar>(x: &[T]) -> T {
    (0..50).fold(x[0], |z, k| (z * x[1] + T::lit(f64::from(k) * 0.1)).sin() * x[0])
}

#[test]
fn a_scope_changes_the_tape_and_not_the_derivatives() {
    let x = [0.7f64, 1.2, -0.3];
    fn scoped<'t, S: Scalar>(x: &[Var<'t, S>]) -> Var<'t, S> {
        scope(&x[..2], |x| part(x)) * x[2] + scope(&[x[2].exp().ln(), x[0]], |x| part(x))
    }
    let (y, g) = scalar::value_and_grad(|x| part(x) * x[2] + part(&[x[2], x[0]]), &x);
    let (z, h) = scalar::value_and_grad(scoped, &x);
    assert!((y - z).abs() < 1e-12);
    let tape = Tape::new();
    scoped(&tape.vars(&x));
    assert!(tape.len() < 10, "{} records", tape.len());
    let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-10 * b.abs().max(1.0));
    assert!(near(&h, &g), "{h:?} and {g:?}");
    // Second order through a scope.
    let right = scalar::hessian(|x| part(x) * x[2] + part(&[x[2], x[0]]), &x);
    let found = scalar::hessian(scoped, &x);
    assert!(near(&found.concat(), &right.concat()), "{found:?} and {right:?}");
}

#[test]
fn sums_over_terms() {
    let (w, data) = ([0.5f64, -0.2, 0.0], [1.0, -2.0, 0.5, 4.0, 0.0]);
    fn term<T: Scalar>(w: &[T], x: f64) -> T {
        (w[0] * T::lit(x) + w[1]).tanh().square() + w[2] * w[0]
    }
    fn total<'t>(w: &[Var<'t>], data: &[f64]) -> Var<'t> {
        sum_over(w, data, |w, &x| term(w, x)) + sum_over(w, data, |w, &x| scope(&w[..2], |v| v[0] * v[1] * x) * w[0]) // a scope inside one
    }
    let (y, g) = scalar::value_and_grad(|w| total(w, &data), &w);
    let (z, h) =
        scalar::value_and_grad(|w| data.iter().map(|&x| term(w, x) + w[0] * w[1] * x * w[0]).sum::<Var<'_>>(), &w);
    assert!((y - z).abs() < 1e-14);
    for (a, b) in g.iter().zip(h) {
        assert!((a - b).abs() < 1e-13, "{a} and {b}");
    }
    let tape = Tape::new();
    total(&tape.vars(&w), &data);
    assert!(tape.len() < 12);
}

#[test]
fn edges_of_scopes() {
    // Constants in, nothing recorded; an unused input; a result that is an input; one input twice; no terms.
    let tape = Tape::new();
    let (x, y) = (tape.var(2.0), tape.var(3.0));
    let c = scope(&[Var::<f64>::from(3.0), 4.0.into()], |x| x[0].hypot(x[1]));
    assert!(c.is_constant() && c == 5.0);
    let z = scope(&[x, y, 5.0.into()], |x| x[1] * x[2]);
    assert_eq!((z.value(), z.grads_of(&[x, y])), (15.0, vec![0.0, 5.0]));
    assert_eq!(scope(&[x, y], |x| x[1]).grads_of(&[x, y]), [0.0, 1.0]);
    assert_eq!(scope(&[x, x], |x| x[0] * x[1] * x[1]).grads_of(&[x]), [12.0]);
    assert_eq!(scope(&[2.0 * x, y], |x| x[0] * x[1]).grads_of(&[x, y]), [6.0, 4.0]);
    assert!(scope(&[x], |_| 7.0.into()).is_constant());
    assert_eq!(sum_over(&[x], [0.0; 0], |x, c| x[0] * c).value(), 0.0);
    // Zero wins inside, too.
    assert_eq!(scope(&[x, y], |x| (x[0] - 2.0).sqrt() * (x[1] - 3.0)).grads_of(&[x, y]), [0.0, 0.0]);
}

#[test]
fn what_a_scope_catches_is_refused() {
    let tape = Tape::new();
    let (x, y) = (tape.var(2.0), tape.var(3.0));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let leak = Tape::new();
        let other = leak.var(1.0);
        scope(&[x, other], |x| x[0]).value()
    }));
    assert!(caught.is_err());
    // After a panic inside, the tape goes on.
    let panics = catch_unwind(AssertUnwindSafe(|| scope(&[x, y], |_| panic!("by the user")).value()));
    assert!(panics.is_err());
    assert_eq!(scope(&[x, y], |x| x[0] * x[1]).grads_of(&[x, y]), [3.0, 2.0]);
}
