//! Recurrent networks.
use chainrule::prelude::*;

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
