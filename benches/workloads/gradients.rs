//! Values and gradients without an optimizer.
use super::{MILLION, Made, xorshift::Xorshift};
use chainrule::prelude::*;

/// The gradients of a scalar with respect to all `leaves`.
fn gradients<const N: usize>(
    leaves: [Tensor; N],
    loss: f64,
    within: f64,
    f: impl for<'t> Fn([Var<'t>; N]) -> Var<'t> + 'static,
) -> Made {
    let mut tape = Tape::new();
    let step = move || {
        let r = tape.begin();
        let leaves = std::array::from_fn(|i| r.variable(&leaves[i]));
        let y = f(leaves);
        y.grads_of(&leaves).expect("the rules are complete");
        y.item()
    };
    Made { step: Box::new(step), loss, within }
}

/// The dot product with a fixed tensor.
fn dot<'t>(y: Var<'t>, w: &Tensor) -> Var<'t> {
    y.dot(&y.constant(w))
}

/// One op on a million numbers.
pub(super) fn map(formula: fn(f64) -> f64, op: impl for<'t> Fn(Var<'t>) -> Var<'t> + 'static) -> Made {
    let (x, w) = (Xorshift::new(2).tensor([MILLION], -2.0, 2.0), Xorshift::new(3).tensor([MILLION], -1.0, 1.0));
    let loss = x.data().iter().zip(w.data()).map(|(&x, &w)| formula(x.into()) * f64::from(w)).sum();
    gradients([x], loss, 1.0, move |[x]| dot(op(x), &w))
}

/// 1,000 ops on 16 numbers.
pub(super) fn tiny_chain() -> Made {
    let mut r = Xorshift::new(2);
    let leaves = [r.tensor([16], -1.0, 1.0), r.tensor([16], 0.9, 1.1), r.tensor([16], -0.1, 0.1)];
    let of = |t: usize, e: usize| f64::from(leaves[t].data()[e]);
    let chain = |e| {
        (0..1000).fold(of(0, e), |y, i| match i % 3 {
            0 => y * of(1, e),
            1 => y + of(2, e),
            _ => y.tanh(),
        })
    };
    let loss = (0..16).map(chain).sum();
    gradients(leaves, loss, 1e-3, |[x, a, b]| {
        let mut y = x;
        for i in 0..1000 {
            y = match i % 3 {
                0 => y * a,
                1 => y + b,
                _ => y.tanh(),
            };
        }
        y.sum()
    })
}

/// Three products of `n^3`.
pub(super) fn matmul(n: usize) -> Made {
    let mut r = Xorshift::new(2);
    let (a, b, w) =
        (r.tensor([n, n], -1.0, 1.0), r.tensor([n, n], -1.0, 1.0), Xorshift::new(3).tensor([n, n], -1.0, 1.0));
    let mut loss = 0.0;
    let mut row = vec![0.0; n];
    for (a, w) in a.data().chunks_exact(n).zip(w.data().chunks_exact(n)) {
        row.fill(0.0);
        for (&a, b) in a.iter().zip(b.data().chunks_exact(n)) {
            row.iter_mut().zip(b).for_each(|(y, &b)| *y += f64::from(a) * f64::from(b));
        }
        loss += row.iter().zip(w).map(|(y, &w)| y * f64::from(w)).sum::<f64>();
    }
    gradients([a, b], loss, 1e-3 * n as f64, move |[a, b]| dot(a.matmul(&b), &w))
}

pub(super) fn softmax_ce() -> Made {
    let (rows, n) = (1024, 10_000);
    let x = Xorshift::new(4).tensor([rows, n], -2.0, 2.0);
    let y = Xorshift::new(2).labels(rows, n);
    let nll = |(x, &label): (&[f32], &u32)| {
        x.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln() - f64::from(x[label as usize])
    };
    let loss = x.data().chunks_exact(n).zip(y.ids()).map(nll).sum::<f64>() / rows as f64;
    gradients([x], loss, 1e-4, move |[x]| x.softmax_cross_entropy(&y))
}
