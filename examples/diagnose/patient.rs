//! Networks, and the changes that can be made to them.
use chainrule::{flow::Change, prelude::*};

/// A network with the loss of its task, and what a remedy does to it.
pub trait Patient: Module + Clone {
    type Batch;
    fn loss<'t>(&self, r: &'t Recording, batch: &Self::Batch) -> Var<'t>;
    /// The share of right answers.
    fn right(&self, batch: &Self::Batch) -> f64;
    /// Makes a change; `false` if this network cannot be changed so.
    fn change(&mut self, change: &Change, rng: &mut Rng) -> Result<bool, Error>;
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Phi {
    Sigmoid,
    Tanh,
    Relu,
    LeakyRelu,
}

/// How the loss is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Written {
    /// From the logits.
    OnLogits,
    /// As the textbook has it: `ln` of the probabilities.
    LnOfSoftmax,
}

/// Dense layers on digits.
#[derive(Clone)]
pub struct Deep {
    pub layers: Vec<Dense>,
    pub phi: Phi,
    pub written: Written,
    /// Whether the last layer reads a value without its gradient.
    pub detached: bool,
}
module!(Deep { layers; skip phi, written, detached });

impl Deep {
    pub fn new(sizes: &[usize], phi: Phi, init: Init, rng: &mut Rng) -> Self {
        let layers = sizes.windows(2).map(|pair| Dense::with_init(pair[0], pair[1], init, rng)).collect();
        Self { layers, phi, written: Written::OnLogits, detached: false }
    }

    /// All weights, and biases of 0.
    fn redraw(&mut self, init: Init, rng: &mut Rng) {
        for layer in &mut self.layers {
            let [inputs, outputs] = [layer.weight.value.shape()[1], layer.weight.value.shape()[0]];
            *layer = Dense::with_init(inputs, outputs, init, rng);
        }
    }
}

impl Layer for Deep {
    fn forward<T: TensorLike<Elem = f32>>(&self, x: &T) -> T {
        let (last, hidden) = self.layers.split_last().expect("a network has a layer");
        let h = hidden.iter().fold(x.clone(), |h, layer| {
            let z = layer.forward(&h);
            match self.phi {
                Phi::Sigmoid => z.sigmoid(),
                Phi::Tanh => z.tanh(),
                Phi::Relu => z.relu(),
                Phi::LeakyRelu => z.leaky_relu(0.01),
            }
        });
        last.forward(&if self.detached { h.detach() } else { h })
    }
}

impl Patient for Deep {
    type Batch = (Tensor, Labels);

    fn loss<'t>(&self, r: &'t Recording, (x, y): &Self::Batch) -> Var<'t> {
        let logits = self.forward(&r.constant(x));
        match self.written {
            Written::OnLogits => logits.softmax_cross_entropy(y),
            Written::LnOfSoftmax => {
                let wanted = r.one_hot(y, logits.shape()[1]);
                -(logits.softmax().ln() * wanted).sum() / y.len() as f64
            }
        }
    }

    fn right(&self, (x, y): &Self::Batch) -> f64 {
        chainrule::data::accuracy(&self.forward(x), y)
    }

    fn change(&mut self, change: &Change, rng: &mut Rng) -> Result<bool, Error> {
        match change {
            Change::Activation(phi, init) => {
                self.phi = match *phi {
                    "relu" => Phi::Relu,
                    "leaky_relu" => Phi::LeakyRelu,
                    "tanh" => Phi::Tanh,
                    _ => return Ok(false),
                };
                return self.change(&Change::Redraw(init), rng);
            }
            Change::Redraw(init) => {
                let init = match *init {
                    "He" => Init::he(),
                    "Xavier" => Init::xavier(),
                    "LeCun" => Init::lecun(),
                    _ => return Ok(false),
                };
                self.redraw(init, rng);
            }
            Change::ScaleWeights(c) => {
                for layer in &mut self.layers {
                    layer.weight.value = &layer.weight.value * *c;
                }
            }
            // Behind the first, which alone has another width.
            Change::FewerLayers(n) if n + 2 < self.layers.len() => drop(self.layers.drain(1..=*n)),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// An LSTM that is asked, at the end, which symbol came first.
#[derive(Clone)]
pub struct Memory {
    pub cell: Lstm,
    pub out: Dense,
}
module!(Memory { cell, out });

/// What can come first, and with it what can follow.
pub const FIRST: usize = 2;
pub const ALPHABET: usize = FIRST + 4;

impl Memory {
    fn logits<P: Place<Elem = f32>>(&self, place: P, said: &Labels) -> P::Array {
        self.out.forward(self.cell.run_tokens(place, said, None).1.output())
    }
}

impl Patient for Memory {
    /// Symbols `[T, B]`, and the first of each.
    type Batch = (Labels, Labels);

    fn loss<'t>(&self, r: &'t Recording, (said, first): &Self::Batch) -> Var<'t> {
        self.logits(r, said).softmax_cross_entropy(first)
    }

    fn right(&self, (said, first): &Self::Batch) -> f64 {
        chainrule::data::accuracy(&self.logits(Eager::HERE, said), first)
    }

    fn change(&mut self, change: &Change, rng: &mut Rng) -> Result<bool, Error> {
        self.cell = match change {
            Change::ForgetBias(b) => self.cell.clone().forget_bias(*b),
            Change::Chrono(steps) => self.cell.clone().chrono(*steps as f64, rng)?,
            Change::OrthogonalRecurrence => self.cell.clone().recurrent_init(Init::orthogonal(), rng),
            _ => return Ok(false),
        };
        Ok(true)
    }
}

/// An LSTM that reads a digit from the top, two rows a step, and says at the end what it was.
#[derive(Clone)]
pub struct Rows {
    pub cell: Lstm,
    pub out: Dense,
}
module!(Rows { cell, out });

/// How wide two rows are.
pub const ROW: usize = 56;

impl Layer for Rows {
    fn forward<T: TensorLike<Elem = f32>>(&self, x: &T) -> T {
        let [batch, pixels] = *x.shape() else { panic!("images of shape {} are not [B, pixels]", x.shape()) };
        let rows = x.reshape([batch, pixels / ROW, ROW]).transpose(0, 1);
        self.out.forward(self.cell.run(&rows, None).1.output())
    }
}

impl Patient for Rows {
    type Batch = (Tensor, Labels);

    fn loss<'t>(&self, r: &'t Recording, (x, y): &Self::Batch) -> Var<'t> {
        self.forward(&r.constant(x)).softmax_cross_entropy(y)
    }

    fn right(&self, (x, y): &Self::Batch) -> f64 {
        chainrule::data::accuracy(&self.forward(x), y)
    }

    /// It is healthy.
    fn change(&mut self, _: &Change, _: &mut Rng) -> Result<bool, Error> {
        Ok(false)
    }
}
