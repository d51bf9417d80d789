//! The fused rule of the op itself against the composed one, which higher orders use.
use crate::programs::close;
use chainrule::{
    core::Composed,
    op::recurrent::{Gru, Lstm, Nonlinearity, Recurrence, Rnn, Sequence},
    prelude::{Error, Rng, Tape, Tensor, TensorLike},
};

/// Sizes of a case: steps, batch, inputs, units.
const CASES: [[usize; 4]; 7] =
    [[3, 2, 4, 5], [1, 1, 1, 1], [0, 2, 3, 4], [7, 19, 3, 21], [4, 0, 2, 3], [2, 33, 10, 64], [5, 9, 0, 8]];

/// Of every input, by the fused rule and by the composed one, which higher orders use.
fn both_rules<C: Recurrence>(cell: C) -> Result<(), Error> {
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
    both_rules(Lstm)?;
    both_rules(Gru)?;
    [Nonlinearity::Tanh, Nonlinearity::Relu, Nonlinearity::Linear].into_iter().try_for_each(|phi| both_rules(Rnn(phi)))
}
