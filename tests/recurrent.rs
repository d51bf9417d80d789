//! Recurrent networks.
use chainrule::{
    core::Composed,
    op::recurrent::{Cell, GruCell, LstmCell, Nonlinearity, RnnCell, Sequence},
    prelude::{Eager, Error, Gru, Labels, Layer, Lstm, Rng, Tape, Tensor, TensorLike},
};

fn close(a: &Tensor<f64>, b: &Tensor<f64>, within: f64) {
    assert_eq!(a.shape(), b.shape());
    let size = b.norm().max(1.0);
    assert!(a.sub(b).norm() <= within * size, "{} of {size}", a.sub(b).norm());
}

/// Sizes of a case: steps, batch, inputs, units.
const CASES: [[usize; 4]; 7] =
    [[3, 2, 4, 5], [1, 1, 1, 1], [0, 2, 3, 4], [7, 19, 3, 21], [4, 0, 2, 3], [2, 33, 10, 64], [5, 9, 0, 8]];

fn gradients<L: Layer<f64>>(net: &L, x: &Tensor<f64>, seed: u64) -> Result<Vec<Tensor<f64>>, Error> {
    let mut tape = Tape::new();
    let r = tape.begin();
    let x = r.variable(x);
    let y = net.forward(&x);
    let upstream = Tensor::normal_of(y.shape(), 0.0, 1.0, &mut Rng::seed(seed));
    y.dot(&r.constant(&upstream)).grads_of(&[x])
}

#[test]
fn shapes() -> Result<(), Error> {
    let mut rng = Rng::seed(1);
    for [t, b, i, h] in CASES {
        let x = Tensor::normal_of([t, b, i], 0.0, 1.0, &mut rng);
        let lstm = Lstm::<f64>::new(i, h, &mut rng);
        let g = gradients(&lstm, &x, 3)?;
        assert_eq!(*g[0].shape(), [t, b, i]);
    }
    Ok(())
}

#[test]
fn tokens_are_one_hot_inputs() -> Result<(), Error> {
    let mut rng = Rng::seed(2);
    let net = Gru::<f64>::stacked(6, 5, 2, &mut rng);
    let tokens = Labels::new((0..12).map(|k| k * k % 6), 6)?.reshape([4, 3]);
    let (y, state) = net.run_tokens(Eager::HERE, &tokens, None);
    let (z, other) = net.run(&Tensor::one_hot_of(&tokens, 6), None);
    close(&y, &z, 1e-14);
    close(&state.h[1], &other.h[1], 1e-14);
    Ok(())
}

/// Of every input, by the fused rule and by the composed one, which higher orders use.
fn both_rules<C: Cell>(cell: C) -> Result<(), Error> {
    let mut rng = Rng::seed(5);
    for [t, b, i, h] in CASES {
        let mut draw = |shape: &[usize]| Tensor::<f64>::normal_of(shape, 0.0, 0.7, &mut rng);
        let rows = C::GATES * h;
        let mut inputs = vec![draw(&[t, b, i]), draw(&[rows, i]), draw(&[rows, h]), draw(&[rows]), draw(&[rows])];
        inputs.push(draw(&[b, h]));
        inputs.extend(C::CELL_STATE.then(|| draw(&[b, h])));
        let (up, last) = (draw(&[t, b, h]), draw(&[b, h]));
        let mut tape = Tape::new();
        let r = tape.begin();
        let x: Vec<_> = inputs.iter().map(|x| r.variable(x)).collect();
        let op = Sequence { cell, tokens: None, bias: true, state: true };
        let y = TensorLike::apply_many(op.clone(), &x.iter().collect::<Vec<_>>());
        let mut loss = y[0].dot(&r.constant(&up));
        if C::CELL_STATE {
            loss = loss + y[1].dot(&r.constant(&last));
        }
        let plain = Composed::<f64>::compose(&op, &inputs.iter().collect::<Vec<_>>());
        close(&y[0].value(), &plain[0], 1e-13);
        let composed: Vec<_> = loss.grads_recorded(&x).iter().map(|g| g.value()).collect();
        for (a, b) in loss.grads_of(&x)?.iter().zip(&composed) {
            close(a, b, 1e-12);
        }
    }
    Ok(())
}

#[test]
fn fused_equals_composed() -> Result<(), Error> {
    both_rules(LstmCell)?;
    both_rules(GruCell)?;
    [Nonlinearity::Tanh, Nonlinearity::Relu, Nonlinearity::Linear]
        .into_iter()
        .try_for_each(|phi| both_rules(RnnCell(phi)))
}
