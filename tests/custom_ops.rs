//! Ops of a user's own: rules of every quality, several outputs, fused rules, kept tensors.
use approx::assert_relative_eq;
use chainrule::{
    check::{gradcheck, gradgradcheck},
    core::{Op, OpMany, Outputs, Saved, Vjp},
    prelude::*,
};
use std::slice::from_ref;

// ---- rules of every quality --------------------------------------------------------------------------------------------

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Forgets,
    Declines,
    Misshapes,
    MisplacesAt,
}

/// `a * b`.
#[derive(Clone, Copy)]
struct Product(Fault);
impl Op for Product {
    const NAME: &'static str = "product";
    fn forward(&self, x: &[&Tensor], _: &mut Saved<'_, f32>) -> Tensor {
        x[0] * x[1]
    }
    fn vjp<T: TensorLike<Elem = f32>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let (a, b) = (cx.input(0), cx.input(1));
        cx.give(0, || y_bar.clone() * b);
        match self.0 {
            Fault::None => cx.give(1, || y_bar * a),
            Fault::Forgets => {}
            Fault::Declines => cx.none(1),
            Fault::Misshapes => cx.give(1, || (y_bar * a).sum()),
            Fault::MisplacesAt => cx.give_at(1, 0, 1..3, || y_bar * a),
        }
    }
}

fn gradients(tape: &mut Tape, fault: Fault) -> Result<Vec<Tensor>, Error> {
    let (r, t) = (tape.begin(), Tensor::new([2], vec![3.0, 4.0]));
    let (a, b) = (r.variable(&t), r.variable(&t));
    TensorLike::apply(Product(fault), &[&a, &b]).sum().grads_of(&[a, b])
}

#[test]
fn a_rule_must_give_or_decline_every_wanted_cotangent() {
    let tape = &mut Tape::new();
    assert_eq!(gradients(tape, Fault::None).unwrap()[1].data(), [3.0, 4.0]);
    assert_eq!(gradients(tape, Fault::Declines).unwrap()[1].data(), [0.0, 0.0]);
    for fault in [Fault::Forgets, Fault::Misshapes, Fault::MisplacesAt] {
        assert_eq!(gradients(tape, fault).unwrap_err().kind(), ErrorKind::BadRule);
        // No stale cotangent is left behind.
        assert_eq!(gradients(tape, Fault::None).unwrap()[0].data(), [3.0, 4.0]);
    }
    // Nobody wants the second cotangent: forgetting it is no fault.
    let r = tape.begin();
    let a = r.variable(&Tensor::ones([2]));
    let y = TensorLike::apply(Product(Fault::Forgets), &[&a, &r.constant(&Tensor::ones([2]))]);
    assert_eq!(y.sum().grads_of(&[a]).unwrap()[0].data(), [1.0, 1.0]);
}

#[test]
fn a_faulty_rule_leaves_the_recording_usable() {
    let mut tape = Tape::new();
    let r = tape.begin();
    let x = r.variable(&Tensor::ones([2]));
    let bad = TensorLike::apply(Product(Fault::Forgets), &[&x, &x]).sum();
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bad.grads_recorded(&[x])));
    assert!(panics.is_err());
    let good = (x * 3.0).sum();
    assert_eq!(good.grads_recorded(&[x])[0].value().data(), [3.0, 3.0]);
    assert_eq!(good.grads_of(&[x]).unwrap()[0].data(), [3.0, 3.0]);
}

// ---- several outputs ---------------------------------------------------------------------------------------------------

/// `x^2` and `x^3`, elementwise.
struct Powers;
impl<F: Real> OpMany<F> for Powers {
    const NAME: &'static str = "powers";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Outputs<Tensor<F>> {
        let square = x[0] * x[0];
        let cube = &square * x[0];
        [square, cube].into_iter().collect()
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>) {
        let x = cx.input(0);
        if let Some(y_bar) = cx.y_bar(0) {
            cx.give(0, || y_bar * x * 2.0);
        }
        if let Some(y_bar) = cx.y_bar(1) {
            cx.give(0, || y_bar * &x.square() * 3.0);
        }
    }
}

/// The first `at` rows and the rest; each cotangent goes to its own stretch.
#[derive(Clone, Copy)]
struct Split {
    at: usize,
}
impl<F: Real> OpMany<F> for Split {
    const NAME: &'static str = "split";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Outputs<Tensor<F>> {
        let n = x[0].shape()[0];
        [TensorLike::slice(x[0], 0, 0..self.at), TensorLike::slice(x[0], 0, self.at..n)].into_iter().collect()
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>) {
        let n = cx.input(0).shape()[0];
        for (k, range) in [0..self.at, self.at..n].into_iter().enumerate() {
            if let Some(y_bar) = cx.y_bar(k) {
                cx.give_at(0, 0, range, || y_bar);
            }
        }
    }
}

#[test]
fn several_outputs() -> Result<(), Error> {
    let (mut tape, t) = (Tape::<f64>::new(), Tensor::of([3], vec![1.0, 2.0, 3.0]));
    let r = tape.begin();
    let x = r.variable(&t);
    let y = TensorLike::apply_many(Powers, &[&x]);
    assert_eq!((y[0].value().data(), y[1].value().data()), (&[1.0, 4.0, 9.0][..], &[1.0, 8.0, 27.0][..]));
    let g = (y[0] * 5.0 + y[1] * x).sum().grads_of(&[x])?;
    assert_eq!(g[0].data(), [10.0 + 4.0, 20.0 + 32.0, 30.0 + 108.0]);
    assert_eq!(TensorLike::apply_many(Powers, &[&t])[1].data(), [1.0, 8.0, 27.0]); // and on plain tensors
    Ok(())
}

#[test]
fn one_output_unused_and_outputs_as_variables_in_two_orders() -> Result<(), Error> {
    let (mut tape, t) = (Tape::<f64>::new(), Tensor::of([3], vec![1.0, 2.0, 3.0]));
    for used in [0, 1] {
        let r = tape.begin();
        let x = r.variable(&t);
        let y = TensorLike::apply_many(Powers, &[&x])[used];
        let first = (y * y).sum().grads_recorded(&[x, y]);
        let second = first[0].sum().grads_of(&[x])?;
        let p = 2.0 * (used as f64 + 2.0); // x^4 or x^6
        for (e, x) in t.data().iter().enumerate() {
            assert_relative_eq!(first[0].value().data()[e], p * x.powf(p - 1.0), max_relative = 1e-14);
            assert_relative_eq!(first[1].value().data()[e], 2.0 * x.powf(p / 2.0), max_relative = 1e-14);
            assert_relative_eq!(second[0].data()[e], p * (p - 1.0) * x.powf(p - 2.0), max_relative = 1e-14);
        }
    }
    let r = tape.begin();
    let x = r.variable(&t);
    let y = TensorLike::apply_many(Split { at: 1 }, &[&x]);
    let g = (y[1] * y[1] * y[1]).sum().grads_recorded(&[x])[0];
    assert_eq!(g.value().data(), [0.0, 12.0, 27.0]);
    assert_eq!(g.sum().grads_of(&[x])?[0].data(), [0.0, 12.0, 18.0]);
    Ok(())
}

#[test]
fn several_outputs_pass_the_gradient_checks_and_replay() -> Result<(), Error> {
    let x = Tensor::<f64>::uniform_of([4, 3], 0.5, 1.5, &mut Rng::seed(1));
    fn f<'t>(x: &[Var<'t, f64>]) -> Var<'t, f64> {
        let parts = TensorLike::apply_many(Split { at: 1 }, &[&x[0]]);
        let powers = TensorLike::apply_many(Powers, &[&parts[1]]);
        powers[0] * powers[1] + parts[0].exp()
    }
    gradcheck(from_ref(&x), f)?;
    gradgradcheck(from_ref(&x), f)?;
    let mut tape = Tape::new();
    let r = tape.begin();
    let leaf = r.variable(&Tensor::<f64>::filled([4, 3], 1.0));
    let y = f(&[leaf]);
    r.replace_leaf(leaf, &x);
    r.replay();
    let replayed = y.value();
    let mut fresh = Tape::new();
    assert_eq!(replayed, f(&[fresh.begin().variable(&x)]).value());
    Ok(())
}

// ---- fused rules and kept tensors ----------------------------------------------------------------------------------------

/// `e^x`, whose fused rule writes over what it kept.
struct Keeps;
impl Op<f64> for Keeps {
    const NAME: &'static str = "keeps";
    fn forward(&self, x: &[&Tensor<f64>], saved: &mut Saved<'_, f64>) -> Tensor<f64> {
        let y = x[0].exp();
        saved.keep(&(&y * 1.0));
        y
    }
    fn vjp<T: TensorLike<Elem = f64>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let x = cx.input(0);
        let y = cx.saved(0, || x.exp());
        cx.give(0, || y_bar * y);
    }
    fn vjp_tensor(&self, cx: &mut Vjp<'_, Tensor<f64>>, y_bar: Tensor<f64>) {
        let x = cx.input(0);
        let mut y = cx.take_saved(0, || x.exp());
        y.data_mut().iter_mut().zip(y_bar.data()).for_each(|(y, y_bar)| *y *= y_bar);
        cx.give(0, || y);
    }
}

#[test]
fn a_fused_rule_agrees_with_the_generic_one_and_with_itself() -> Result<(), Error> {
    let x = Tensor::<f64>::uniform_of([7], -2.0, 2.0, &mut Rng::seed(1));
    let mut tape = Tape::new();
    let r = tape.begin();
    let p = Param::new(x.clone());
    let v = r.param(&p);
    let y = TensorLike::apply(Keeps, &[&v]);
    let loss = (y * y).sum();
    let generic = loss.grads_recorded(&[v])[0].value();
    let (a, b, c) = (loss.backward_retained(&p)?, loss.backward_retained(&p)?, loss.backward(&p)?);
    for g in [a, b, c] {
        assert_relative_eq!(*g.get("").unwrap(), generic, max_relative = 1e-14);
    }
    gradcheck(from_ref(&x), |x| TensorLike::apply(Keeps, &[&x[0]]))?;
    gradgradcheck(&[x], |x| TensorLike::apply(Keeps, &[&x[0]]))?;
    Ok(())
}

#[test]
fn the_fused_cross_entropy_agrees_with_its_generic_rule() -> Result<(), Error> {
    let logits = Tensor::<f64>::uniform_of([8, 3], -3.0, 3.0, &mut Rng::seed(1));
    let y = Labels::new((0..8).map(|i| i % 3), 3)?;
    let mut tape = Tape::new();
    let r = tape.begin();
    let x = r.variable(&logits);
    let loss = x.softmax_cross_entropy(&y) * 3.0;
    let generic = loss.grads_recorded(&[x])[0].value();
    assert_relative_eq!(loss.grads_of(&[x])?[0], generic, max_relative = 1e-13, epsilon = 1e-16);
    Ok(())
}
