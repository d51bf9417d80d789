//! Steps that train.
use super::{
    Made, TRAIN,
    digits::{Digits, repository},
    xorshift::Xorshift,
};
use chainrule::{data::Dataset, optim::Optimizer, prelude::*};

type Net<A> = (Vec<(Dense, A)>, Dense);

/// A classifier with PyTorch's initialisation.
fn net<A: Layer + Copy>(sizes: &[usize], activation: A, rng: &mut Rng) -> Net<A> {
    let [widths @ .., last, classes] = sizes else { unreachable!("at least two sizes") };
    let widths: Vec<usize> = widths.iter().chain([last]).copied().collect();
    let hidden = widths.windows(2).map(|w| (Dense::new(w[0], w[1], rng), activation)).collect();
    (hidden, Dense::new(*last, *classes, rng))
}

/// A classifier trained on noise.
pub(super) fn mlp<A: Layer + Copy + 'static>(
    sizes: &[usize],
    activation: A,
    batch: usize,
    mut opt: impl Optimizer + 'static,
) -> Made {
    let classes = sizes[sizes.len() - 1];
    let mut net = net(sizes, activation, &mut Rng::seed(0));
    let mut r = Xorshift::new(1);
    let (x, y) = (r.tensor([batch, sizes[0]], 0.0, 1.0), r.labels(batch, classes));
    let mut tape = Tape::new();
    let step = move || {
        let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        let g = loss.backward(&net).expect("the whole net is visited");
        opt.step(&mut net, &g).expect("the gradients are finite");
        loss.item()
    };
    // A fresh classifier knows nothing.
    Made { step: Box::new(step), loss: (classes as f64).ln(), within: 0.2 }
}

/// An Adam step alone, on the parameters of a classifier and gradients that stay the same; gives how far one of them is
/// from its start.
pub(super) fn adam(sizes: &[usize]) -> Made {
    const RATE: f64 = 1e-3;
    let mut net = net(sizes, Relu, &mut Rng::seed(0));
    let mut r = Xorshift::new(1);
    let (x, y) = (r.tensor([8, sizes[0]], 0.0, 1.0), r.labels(8, sizes[sizes.len() - 1]));
    let g = {
        let mut tape = Tape::new();
        net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y).backward(&net).expect("all is visited")
    };
    let first = |net: &Net<Relu>| f64::from(net.1.bias.as_ref().expect("a bias").value.data()[0]);
    let start = first(&net);
    let mut opt = Adam::new(RATE);
    let step = move || {
        opt.step(&mut net, &g).expect("the gradients are finite");
        (first(&net) - start).abs()
    };
    // The first step of Adam has the length of its rate, whatever the gradient.
    Made { step: Box::new(step), loss: RATE, within: 1e-6 }
}

/// A whole training on the repository's digits; gives the mean loss of its last epoch.
pub(super) fn digits_training(sizes: &'static [usize], batch: usize, epochs: usize) -> Made {
    let Digits { train, .. } = Digits::load(&repository()).expect("the repository's digits");
    assert_eq!(train.len(), TRAIN, "the digits to train on");
    let step = move || train_digits(&train, sizes, batch, epochs).expect("a training");
    // After eight epochs most digits are known.
    Made { step: Box::new(step), loss: 0.13, within: 0.06 }
}

fn train_digits(train: &Dataset, sizes: &[usize], batch: usize, epochs: usize) -> Result<f64, Error> {
    let mut rng = Rng::seed(0);
    let mut net = net(sizes, Relu, &mut rng);
    let (mut opt, mut tape) = (Adam::new(1e-3), Tape::new());
    let mut mean = 0.0;
    for _ in 0..epochs {
        let mut total = 0.0;
        for (x, y) in train.batches(batch, &mut rng) {
            let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
            let g = loss.backward(&net)?;
            opt.step(&mut net, &g)?;
            total += loss.item() * y.len() as f64;
        }
        mean = total / train.len() as f64;
    }
    Ok(mean)
}
