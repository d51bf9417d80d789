//! The network.
use crate::options::{Activation, Start};
use chainrule::prelude::*;

/// Dense layers with one activation between them.
pub struct Mlp {
    pub layers: Vec<Dense>,
    activation: Activation,
}
module!(Mlp { layers; skip activation });

impl Mlp {
    pub fn new(sizes: &[usize], activation: Activation, start: Start, rng: &mut Rng) -> Self {
        let layer = |pair: &[usize]| match start.init() {
            None => Dense::new(pair[0], pair[1], rng),
            Some(init) => Dense::with_init(pair[0], pair[1], init, rng),
        };
        Self { layers: sizes.windows(2).map(layer).collect(), activation }
    }
}

impl Layer for Mlp {
    fn forward<T: TensorLike<Elem = f32>>(&self, x: &T) -> T {
        let (last, hidden) = self.layers.split_last().expect("a network has a layer");
        let mut h = x.clone();
        for layer in hidden {
            let z = layer.forward(&h);
            h = match self.activation {
                Activation::Sigmoid => z.sigmoid(),
                Activation::Tanh => z.tanh(),
                Activation::Relu => z.relu(),
                Activation::LeakyRelu => z.leaky_relu(0.01),
                Activation::Gelu => z.gelu(),
                Activation::Silu => z.silu(),
            };
        }
        last.forward(&h)
    }
}
