//! Derivatives of tensor functions, against closed forms and finite differences.
use approx::assert_relative_eq;
use chainrule::{nn::Dropout, prelude::*, transform};

type Function = for<'t> fn(&[Var<'t, f64>]) -> Var<'t, f64>;

fn random(shape: impl Into<Shape>, seed: u64) -> Tensor<f64> {
    Tensor::uniform_of(shape, -1.0, 1.0, &mut Rng::seed(seed))
}

/// The value of a function, recorded and forgotten.
fn value(f: Function, x: &[Tensor<f64>]) -> Tensor<f64> {
    let mut tape = Tape::new();
    let r = tape.begin_eval();
    f(&x.iter().map(|t| r.variable(t)).collect::<Vec<_>>()).value()
}

/// `(f(x + h x_dot) - f(x - h x_dot)) / 2h`.
fn along(f: Function, x: &[Tensor<f64>], x_dot: &[Tensor<f64>]) -> Tensor<f64> {
    let h = f64::EPSILON.cbrt();
    let at = |h: f64| value(f, &x.iter().zip(x_dot).map(|(x, d)| x + d * h).collect::<Vec<_>>());
    (at(h) - at(-h)) / (2.0 * h)
}

/// A matrix of any two groups of axes times a vector: `a [..y, ..x]`, `x [..x]`.
fn times(a: &Tensor<f64>, x: &Tensor<f64>) -> Vec<f64> {
    let n = x.shape().size();
    (0..a.shape().size() / n.max(1)).map(|i| (0..n).map(|j| a.data()[i * n + j] * x.data()[j]).sum()).collect()
}

/// What a network is made of: matrix products, a bias that is repeated, activations, softmax, an axis summed.
fn network<'t>(x: &[Var<'t, f64>]) -> Var<'t, f64> {
    let h = (x[0].matmul_nt(&x[1]) + x[2]).tanh();
    h.matmul(&x[3]).softmax().ln() * 0.5 + h.sum_keep(&[1])
}

fn network_inputs() -> Vec<Tensor<f64>> {
    vec![random([3, 4], 1), random([5, 4], 2), random([5], 3), random([5, 2], 4)]
}

fn loss<'t>(x: &[Var<'t, f64>]) -> Var<'t, f64> {
    network(x).square().mean()
}

fn rosenbrock<'t>(x: &[Var<'t, f64>]) -> Var<'t, f64> {
    let n = x[0].shape()[0];
    let (a, b) = (x[0].slice(0, 0..n - 1), x[0].slice(0, 1..n));
    ((b - a.square()).square() * 100.0 + (1.0 - a).square()).sum()
}

#[test]
fn rosenbrock_has_its_gradient_and_hessian() -> Result<(), Error> {
    let x = Tensor::of([4], vec![-1.2, 1.0, 0.7, -0.3]);
    let (at, n) = (x.data().to_vec(), 4);
    let (mut g, mut h) = (vec![0.0; n], vec![0.0; n * n]);
    for i in 0..n - 1 {
        let (a, b) = (at[i], at[i + 1]);
        g[i] += -400.0 * a * (b - a * a) - 2.0 * (1.0 - a);
        g[i + 1] += 200.0 * (b - a * a);
        h[i * n + i] += 1200.0 * a * a - 400.0 * b + 2.0;
        h[i * n + i + 1] -= 400.0 * a;
        h[(i + 1) * n + i] -= 400.0 * a;
        h[(i + 1) * n + i + 1] += 200.0;
    }
    let (y, found) = transform::value_and_grad(rosenbrock, std::slice::from_ref(&x))?;
    let by_hand: f64 = (0..3).map(|i| 100.0 * (at[i + 1] - at[i] * at[i]).powi(2) + (1.0 - at[i]).powi(2)).sum();
    assert_relative_eq!(y, by_hand, max_relative = 1e-13);
    assert_relative_eq!(found[0], Tensor::of([4], g), max_relative = 1e-13, epsilon = 1e-12);
    let found = transform::hessian(rosenbrock, &[x])?;
    assert_relative_eq!(found[0][0], Tensor::of([4, 4], h), max_relative = 1e-13, epsilon = 1e-12);
    Ok(())
}

#[test]
fn logistic_regression_has_its_hessian() -> Result<(), Error> {
    let (data, w) = (random([12, 3], 1), random([3, 1], 2));
    let y = Tensor::<f64>::from_fn([12, 1], |i| f64::from(i % 2 == 0));
    let found = transform::hessian(
        |x| {
            let z = x[0].constant(&data).matmul(&x[0]);
            z.softplus().sum() - (z * x[0].constant(&y)).sum()
        },
        std::slice::from_ref(&w),
    );
    // X^T diag(s (1 - s)) X
    let s: Vec<f64> = data.matmul(&w).data().iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect();
    let weighted = Tensor::<f64>::from_fn([12, 3], |e| data.data()[e] * s[e / 3] * (1.0 - s[e / 3]));
    let expected = data.matmul_tn(&weighted).reshape([3, 1, 3, 1]);
    assert_relative_eq!(found?[0][0], expected, max_relative = 1e-12, epsilon = 1e-14);
    Ok(())
}

#[test]
fn a_quadratic_form_in_several_inputs() -> Result<(), Error> {
    // a^T M b: gradients M b and M^T a, and the blocks 0, M, M^T, 0
    let (m, a, b) = (random([2, 3], 1), random([2], 2), random([3], 3));
    let inputs = [a.clone(), b.clone()];
    let g = transform::grad(|x| (x[0].unsqueeze(0).matmul(&x[0].constant(&m)).squeeze(0) * x[1]).sum(), &inputs)?;
    assert_relative_eq!(g[0], m.matmul(&b.unsqueeze(1)).squeeze(1), max_relative = 1e-14);
    assert_relative_eq!(g[1], a.unsqueeze(0).matmul(&m).squeeze(0), max_relative = 1e-14);
    let h = transform::hessian(|x| (x[0].unsqueeze(0).matmul(&x[0].constant(&m)).squeeze(0) * x[1]).sum(), &inputs)?;
    assert_eq!((h.len(), h[0].len()), (2, 2));
    assert_eq!(h[0][0], Tensor::filled([2, 2], 0.0));
    assert_relative_eq!(h[0][1], m, max_relative = 1e-14);
    assert_relative_eq!(h[1][0], m.transpose(0, 1), max_relative = 1e-14);
    assert_eq!(h[1][1], Tensor::filled([3, 3], 0.0));
    Ok(())
}

#[test]
fn products_and_jacobians_agree_with_finite_differences() -> Result<(), Error> {
    let x = network_inputs();
    let j = transform::jacobian(network, &x)?;
    assert_eq!(
        j.iter().map(|j| j.shape()).collect::<Vec<_>>(),
        [Shape::from([3, 2, 3, 4]), Shape::from([3, 2, 5, 4]), Shape::from([3, 2, 5]), Shape::from([3, 2, 5, 2])]
    );
    for seed in 10..14 {
        let x_dot: Vec<_> = x.iter().zip(seed..).map(|(x, seed)| random(x.shape(), 7 * seed)).collect();
        let numeric = along(network, &x, &x_dot);
        let (y, y_dot) = transform::jvp(network, &x, &x_dot)?;
        assert_eq!(y, value(network, &x));
        assert_relative_eq!(y_dot, numeric, max_relative = 1e-7, epsilon = 1e-9);
        // The columns of J, by the rows that it was made of.
        let columns = j.iter().zip(&x_dot).map(|(j, d)| Tensor::of([3, 2], times(j, d))).reduce(|a, b| a + b);
        assert_relative_eq!(columns.unwrap(), y_dot, max_relative = 1e-12, epsilon = 1e-14);
        // y_bar (J x_dot) = (y_bar J) x_dot
        let y_bar = random([3, 2], seed);
        let (_, x_bar) = transform::vjp(network, &x, &y_bar)?;
        let left = (&y_bar * &y_dot).sum().item();
        let right: f64 = x_bar.iter().zip(&x_dot).map(|(b, d)| (b * d).sum().item()).sum();
        assert_relative_eq!(left, right, max_relative = 1e-12, epsilon = 1e-14);
    }
    Ok(())
}

#[test]
fn a_network_has_a_symmetric_hessian_by_both_routes() -> Result<(), Error> {
    let x = network_inputs();
    let h = transform::hessian(loss, &x)?;
    for (i, row) in h.iter().enumerate() {
        for (j, block) in row.iter().enumerate() {
            let (m, n) = (x[i].shape().size(), x[j].shape().size());
            let other = h[j][i].reshape([n, m]).transpose(0, 1);
            assert_relative_eq!(block.reshape([m, n]), other, epsilon = 1e-12, max_relative = 1e-12);
        }
    }
    let x_dot: Vec<_> = x.iter().enumerate().map(|(k, x)| random(x.shape(), 40 + k as u64)).collect();
    let reverse = transform::hvp(loss, &x, &x_dot)?;
    for (i, row) in h.iter().enumerate() {
        let product = row.iter().zip(&x_dot).map(|(h, d)| Tensor::of(x[i].shape(), times(h, d))).reduce(|a, b| a + b);
        assert_relative_eq!(product.unwrap(), reverse[i], epsilon = 1e-13, max_relative = 1e-11);
        // Forward over reverse: the derivative of the gradient along a direction.
        let (g, forward) = transform::jvp(|x| loss(x).grads_recorded(x)[i], &x, &x_dot)?;
        assert_relative_eq!(g, transform::grad(loss, &x)?[i], epsilon = 1e-15, max_relative = 1e-12);
        assert_relative_eq!(forward, reverse[i], epsilon = 1e-13, max_relative = 1e-11);
    }
    // And the differences of gradients.
    let h = f64::EPSILON.cbrt();
    let at = |h: f64| transform::grad(loss, &x.iter().zip(&x_dot).map(|(x, d)| x + d * h).collect::<Vec<_>>());
    for ((up, down), exact) in at(h)?.iter().zip(&at(-h)?).zip(&reverse) {
        assert_relative_eq!((up - down) / (2.0 * h), *exact, epsilon = 1e-8, max_relative = 1e-6);
    }
    Ok(())
}

#[test]
fn derivatives_of_derivatives_nest() -> Result<(), Error> {
    let x = Tensor::<f64>::of([], vec![0.7]);
    // d^3/dx^3 x^2 e^x = (x^2 + 6 x + 6) e^x
    fn second<'t>(x: &[Var<'t, f64>]) -> Var<'t, f64> {
        let first = (x[0].square() * x[0].exp()).grads_recorded(x)[0];
        first.grads_recorded(x)[0]
    }
    let third = transform::grad(second, std::slice::from_ref(&x))?[0].item();
    assert_relative_eq!(third, (0.49 + 4.2 + 6.0) * 0.7f64.exp(), max_relative = 1e-13);
    assert_relative_eq!(transform::jacobian(second, &[x])?[0].item(), third, max_relative = 1e-14);
    Ok(())
}

#[test]
fn every_call_compiles_without_annotations_in_f32_too() -> Result<(), Error> {
    let (a, b) = (Tensor::new([2], vec![1.0, 2.0]), Tensor::new([2], vec![3.0, 4.0]));
    let x = &[a.clone(), b.clone()];
    let g = transform::grad(|x| (x[0] * x[1]).sum(), x)?;
    assert_eq!((&g[0], &g[1]), (&b, &a));
    let (y, g) = transform::value_and_grad(|x| (x[0] * x[1]).sum(), x)?;
    assert_eq!((y, g[0].data()), (11.0, &[3.0, 4.0][..]));
    let (y, x_bar) = transform::vjp(|x| x[0] * x[1], x, &a)?;
    assert_eq!((y.data(), x_bar[0].data(), x_bar[1].data()), (&[3.0, 8.0][..], &[3.0, 8.0][..], &[1.0, 4.0][..]));
    let (y, y_dot) = transform::jvp(|x| x[0] * x[1], x, x)?;
    assert_eq!((y.data(), y_dot.data()), (&[3.0, 8.0][..], &[6.0, 16.0][..]));
    let h = transform::hvp(|x| (x[0].square() * x[1]).sum(), x, x)?;
    assert_eq!((h[0].data(), h[1].data()), (&[12.0, 32.0][..], &[2.0, 8.0][..]));
    let j = transform::jacobian(|x| x[0].matmul_dot(&x[1]), x)?;
    assert_eq!(j[0], b);
    let h = transform::hessian(|x| (x[0] * x[1]).sum(), x)?;
    assert_eq!(h[0][1], Tensor::eye(2));
    // A closure may own what it needs, and change what is around it.
    let (owned, mut calls) = (b.clone(), 0);
    let g = transform::grad(
        move |x| {
            calls += 1;
            (x[0] * x[0].constant(&owned)).sum() * f64::from(calls)
        },
        &[a],
    )?;
    assert_eq!(g[0], b);
    Ok(())
}

/// A scalar product, for code that is generic over recorded values.
trait Dot: TensorLike {
    fn matmul_dot(&self, b: &Self) -> Self {
        self.unsqueeze(0).matmul(&b.unsqueeze(1)).reshape([])
    }
}
impl<T: TensorLike> Dot for T {}

#[test]
fn what_is_off_the_path_gets_zeros() -> Result<(), Error> {
    let x = &[random([2], 1), random([3, 1], 2)];
    let zero = Tensor::filled([3, 1], 0.0);
    assert_eq!(transform::grad(|x| x[0].sum(), x)?[1], zero);
    assert_eq!(transform::vjp(|x| x[0], x, &x[0])?.1, [x[0].clone(), zero.clone()]);
    assert_eq!(transform::hvp(|x| x[0].square().sum(), x, x)?, [&x[0] * 2.0, zero.clone()]);
    assert_eq!(transform::jacobian(|x| x[0] * 2.0, x)?[1], Tensor::filled([2, 3, 1], 0.0));
    let h = transform::hessian(|x| x[0].sum(), x)?;
    assert_eq!((&h[0][0], &h[1][0]), (&Tensor::filled([2, 2], 0.0), &Tensor::filled([3, 1, 2], 0.0)));
    // A value that depends on no input.
    let seven = Tensor::of([], vec![7.0]);
    let (y, g) = transform::value_and_grad(|x| x[0].constant(&seven), x)?;
    assert_eq!((y, &g[1]), (7.0, &zero));
    assert_eq!(transform::jvp(|x| x[0].constant(&seven), x, x)?.1.item(), 0.0);
    assert_eq!(transform::hvp(|x| x[0].constant(&seven), x, x)?[1], zero);
    assert_eq!(transform::jacobian(|x| x[0].constant(&seven), x)?[1], zero);
    assert!(transform::hessian(|x| x[0].constant(&seven), x)?[1][1].data().iter().all(|h| *h == 0.0));
    // The same input twice, an input itself.
    assert_eq!(transform::jacobian(|x| x[1], x)?[1].reshape([3, 3]), Tensor::eye(3).to());
    assert_eq!(transform::grad(|x| (x[0] * x[0]).sum(), x)?[0], &x[0] * 2.0);
    Ok(())
}

#[test]
fn empty_and_single_shapes() -> Result<(), Error> {
    let (none, one) = (Tensor::<f64>::filled([0, 3], 0.0), Tensor::<f64>::filled([1, 1], 2.0));
    let x = &[none.clone(), one];
    let f: Function = |x| x[0].exp() * x[1];
    assert_eq!(transform::grad(|x| (x[0].exp() * x[1]).sum(), x)?, [none.clone(), Tensor::filled([1, 1], 0.0)]);
    let (y, x_bar) = transform::vjp(f, x, &none)?;
    assert_eq!((y.shape(), x_bar[1].item()), (none.shape(), 0.0));
    assert_eq!(transform::jvp(f, x, x)?.1, none);
    let j = transform::jacobian(f, x)?;
    assert_eq!((j[0].shape(), j[1].shape()), (Shape::from([0, 3, 0, 3]), Shape::from([0, 3, 1, 1])));
    let j = transform::jacobian(|x| x[1].square() + x[0].sum(), x)?;
    assert_eq!((j[0].shape(), j[1].item()), (Shape::from([1, 1, 0, 3]), 4.0));
    let h = transform::hessian(|x| (x[0].exp() * x[1]).sum() + x[1].powi(3).sum(), x)?;
    assert_eq!((h[0][0].shape(), h[1][1].item()), (Shape::from([0, 3, 0, 3]), 12.0));
    assert_eq!(transform::hvp(|x| x[1].powi(3), x, x)?[1].item(), 24.0);
    Ok(())
}

#[test]
fn six_axes_are_the_most() -> Result<(), Error> {
    let x = &[random([1, 2, 1], 1), random([2, 1, 1, 1], 2)];
    assert_eq!(*transform::jacobian(|x| x[0].exp(), &x[..1])?[0].shape(), [1, 2, 1, 1, 2, 1]);
    let e = transform::jacobian(|x| x[0] * x[1].sum(), x).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Shape);
    let text = "jacobian: shapes [1, 2, 1] and [2, 1, 1, 1] together have 7 axes, but at most 6 are supported";
    assert_eq!(e.to_string(), text);
    let e = transform::hessian(|x| x[1].exp().sum(), &x[..2]).unwrap_err();
    assert!(e.to_string().starts_with("hessian: shapes [1, 2, 1] and [2, 1, 1, 1] together"), "{e}");
    // Two shapes that no memory holds together: an error before anything is swept.
    let e = transform::jacobian(|x| x[0].exp(), &[Tensor::zeros([1 << 23])]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Shape);
    assert!(e.to_string().contains("no memory for the 70368744177664 elements"), "{e}");
    Ok(())
}

#[test]
fn wrong_shapes_are_errors_that_say_so() {
    let x = &[random([2], 1), random([3, 1], 2)];
    let says = |e: Error, text: &str| {
        assert_eq!(e.kind(), ErrorKind::Shape);
        assert_eq!(e.to_string(), text);
    };
    let not_one = "the value of the function has shape [2], it is not a single number; sum() or mean() make one, vjp and \
                   jacobian take any shape";
    says(transform::grad(|x| x[0], x).unwrap_err(), &format!("grad: {not_one}"));
    says(transform::value_and_grad(|x| x[0], x).unwrap_err(), &format!("value_and_grad: {not_one}"));
    says(transform::hvp(|x| x[0], x, x).unwrap_err(), &format!("hvp: {not_one}"));
    says(transform::hessian(|x| x[0], x).unwrap_err(), &format!("hessian: {not_one}"));
    says(transform::vjp(|x| x[0], x, &x[1]).unwrap_err(), "vjp: a cotangent of shape [3, 1] for a value of shape [2]");
    says(transform::jvp(|x| x[0], x, &x[..1]).unwrap_err(), "jvp: 1 tangents for 2 inputs");
    let swapped = [x[1].clone(), x[0].clone()];
    says(transform::jvp(|x| x[0], x, &swapped).unwrap_err(), "jvp: a tangent of shape [3, 1] for input 0 of shape [2]");
    says(
        transform::hvp(|x| x[0].sum(), x, &swapped).unwrap_err(),
        "hvp: a tangent of shape [3, 1] for input 0 of shape [2]",
    );
    // One number in any number of axes is a single number.
    assert!(transform::grad(|x| x[0].sum().reshape([1, 1]), x).is_ok());
}

#[test]
fn modules_are_what_they_are_on_plain_tensors() -> Result<(), Error> {
    let mut rng = Rng::seed(1);
    let net = (Dense::<f64>::new(3, 4, &mut rng), Tanh, Dropout::new(0.5)?, Dense::new(4, 2, &mut rng));
    let x = random([5, 3], 2);
    let only = std::slice::from_ref(&x);
    let (y, y_dot) = transform::jvp(|x| net.forward(&x[0]), only, only)?;
    assert_eq!(y, net.forward(&x));
    let h = f64::EPSILON.cbrt();
    let numeric = (net.forward(&(&x * (1.0 + h))) - net.forward(&(&x * (1.0 - h)))) / (2.0 * h);
    assert_relative_eq!(y_dot, numeric, max_relative = 1e-7, epsilon = 1e-9);
    // Each row of a batch depends on its own row alone.
    let j = &transform::jacobian(|x| net.forward(&x[0]), &[x])?[0];
    let inside = |e: usize| e / 30 == e / 3 % 5;
    assert!(j.data().iter().enumerate().all(|(e, j)| (*j != 0.0) == inside(e)));
    Ok(())
}

#[test]
fn what_is_not_finite_stays_where_it_is() -> Result<(), Error> {
    let x = &[Tensor::<f64>::of([3], vec![0.0, f64::NAN, 4.0])];
    let (_, x_bar) = transform::vjp(|x| x[0].sqrt(), x, &Tensor::of([3], vec![0.0, 1.0, 1.0]))?;
    assert_eq!((x_bar[0].data()[0], x_bar[0].data()[2]), (0.0, 0.25)); // an infinite slope that nothing depends on
    assert!(x_bar[0].data()[1].is_nan());
    let (y, y_dot) = transform::jvp(|x| x[0].sqrt(), x, &[Tensor::of([3], vec![0.0, 1.0, 1.0])])?;
    assert_eq!((y.data()[2], y_dot.data()[0], y_dot.data()[2]), (2.0, 0.0, 0.25));
    assert!(y_dot.data()[1].is_nan());
    let j = &transform::jacobian(|x| x[0].sqrt(), x)?[0];
    assert_eq!((j.at([0, 0]), j.at([2, 0]), j.at([0, 2]), j.at([2, 2])), (f64::INFINITY, 0.0, 0.0, 0.25));
    assert!(j.at([1, 1]).is_nan() && j.at([1, 0]) == 0.0);
    Ok(())
}

#[test]
fn f32_agrees_with_f64() -> Result<(), Error> {
    let x = network_inputs();
    let single: Vec<Tensor> = x.iter().map(|t| t.to()).collect();
    fn f<'t, F: Real>(x: &[Var<'t, F>]) -> Var<'t, F> {
        (x[0].matmul_nt(&x[1]) + x[2]).tanh().matmul(&x[3]).square().mean()
    }
    let (exact, rough) = (transform::hessian(f, &x)?, transform::hessian(f, &single)?);
    for (exact, rough) in exact.concat().iter().zip(rough.concat()) {
        assert_relative_eq!(*exact, rough.to::<f64>(), max_relative = 1e-3, epsilon = 1e-5);
    }
    Ok(())
}

#[test]
fn without_inputs_there_is_nothing_to_differentiate_by() {
    fn f<'t>(x: &[Var<'t, f64>]) -> Var<'t, f64> {
        x[0]
    }
    let one = Tensor::of([], vec![1.0]);
    let errors = [
        ("grad", transform::grad(f, &[]).map(drop)),
        ("value_and_grad", transform::value_and_grad(f, &[]).map(drop)),
        ("vjp", transform::vjp(f, &[], &one).map(drop)),
        ("jvp", transform::jvp(f, &[], &[]).map(drop)),
        ("hvp", transform::hvp(f, &[], &[]).map(drop)),
        ("jacobian", transform::jacobian(f, &[]).map(drop)),
        ("hessian", transform::hessian(f, &[]).map(drop)),
    ];
    for (who, result) in errors {
        let e = result.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Shape);
        assert_eq!(e.to_string(), format!("{who}: no inputs: there is nothing to differentiate by"));
    }
}

#[test]
fn a_panic_in_the_function_passes_through() {
    let x = [random([2], 1)];
    let caught = std::panic::catch_unwind(|| transform::grad(|x| x[0].matmul(&x[0]), &x).map(|_| ()));
    assert!(caught.is_err());
    assert_eq!(transform::grad(|x| x[0].sum(), &x).unwrap()[0].data(), [1.0, 1.0]);
}
