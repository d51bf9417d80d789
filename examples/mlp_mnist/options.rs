//! The command line.
use crate::common::cli::{a_few, any_number, at_least_one, given, positive, read};
use chainrule::{nn::Init, prelude::*};
use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// Shows the vanishing gradient on handwritten digits, layer by layer, and its remedies.
///
/// Without options: the article's sigmoid network and deeper ones, the same depth with other activations and
/// initialisations, and a last run to its accuracy. With an option that describes a network: that one alone.
#[derive(Parser, Debug)]
#[command(name = "mlp_mnist", max_term_width = 100)]
pub struct Options {
    /// Sizes of all layers, for instance 784,100,100,100,10
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["depth", "width"], value_parser = at_least_one)]
    pub layers: Option<Vec<usize>>,
    /// How many hidden layers
    #[arg(long, default_value_t = 2, value_parser = any_number)]
    pub depth: usize,
    /// Units of each hidden layer
    #[arg(long, default_value_t = 128, value_parser = at_least_one)]
    pub width: usize,
    /// Between the layers
    #[arg(long, value_enum, default_value_t = Activation::Sigmoid)]
    pub activation: Activation,
    /// How weights begin: U(+-1/sqrt n), Xavier or He
    #[arg(long, value_enum, default_value_t = Start::Standard)]
    pub init: Start,
    /// What makes the steps
    #[arg(long, value_enum, default_value_t = Method::Sgd)]
    pub optimizer: Method,
    /// Learning rate [default: 0.1 for sgd, 0.01 for momentum, 0.001 for adam]
    #[arg(long, value_parser = positive, allow_negative_numbers = true)]
    pub lr: Option<f64>,
    /// Let the learning rate fall linearly to 0
    #[arg(long)]
    pub decay: bool,
    /// Digits in a step
    #[arg(long, default_value_t = 64, value_parser = at_least_one)]
    pub batch: usize,
    /// Passes over the digits [default: 10]
    #[arg(long, value_parser = at_least_one)]
    pub epochs: Option<usize>,
    /// Clips the joint norm of all gradients
    #[arg(long, value_parser = positive, allow_negative_numbers = true)]
    pub clip: Option<f64>,
    /// Threads of the kernels [default: one for each processor]
    #[arg(long, value_parser = a_few)]
    pub threads: Option<usize>,
    /// Where random numbers begin
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// A folder with IDX files, plain or gz: full MNIST, Fashion-MNIST, ... [default: the repository's digits]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Draws the weight gradient of each layer over training: of the network that the options describe, else of the
    /// deepest sigmoid network
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Writes what the monitor saw as one HTML page: of the network that the options describe, else of the deepest sigmoid
    /// network
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// A short run on a part of the digits
    #[arg(long)]
    pub quick: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Activation {
    Sigmoid,
    Tanh,
    Relu,
    LeakyRelu,
    Gelu,
    Silu,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Start {
    Standard,
    Xavier,
    He,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Method {
    Sgd,
    Momentum,
    Adam,
}

impl Activation {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Relu => "ReLU",
            Self::LeakyRelu => "leaky ReLU",
            Self::Gelu => "GELU",
            Self::Silu => "SiLU",
        }
    }
}

impl Start {
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "U(+-1/sqrt n)",
            Self::Xavier => "Xavier",
            Self::He => "He",
        }
    }

    /// `None`: the layer's own default, which also draws the biases.
    pub fn init(self) -> Option<Init> {
        match self {
            Self::Standard => None,
            Self::Xavier => Some(Init::xavier()),
            Self::He => Some(Init::he()),
        }
    }
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sgd => "SGD",
            Self::Momentum => "SGD with momentum 0.9",
            Self::Adam => "Adam",
        }
    }

    pub fn default_rate(self) -> f64 {
        match self {
            Self::Sgd => 0.1,
            Self::Momentum => 0.01,
            Self::Adam => 1e-3,
        }
    }

    pub fn build(self, rate: f64) -> Box<dyn Optimizer> {
        match self {
            Self::Sgd => Box::new(Sgd::new(rate)),
            Self::Momentum => Box::new(Sgd::new(rate).momentum(0.9)),
            Self::Adam => Box::new(Adam::new(rate)),
        }
    }
}

impl Options {
    /// The options, and whether they describe a network; a wrong value is a one-line error.
    pub fn read() -> (Self, bool) {
        let (options, matches) = read();
        let network =
            ["layers", "depth", "width", "activation", "init", "optimizer", "lr", "decay", "batch", "epochs", "clip"];
        let described = network.into_iter().any(|name| given(&matches, name));
        (options, described)
    }

    /// The sizes of all layers, for digits of so many pixels.
    pub fn sizes(&self, pixels: usize) -> Result<Vec<usize>, Error> {
        let Some(layers) = &self.layers else { return Ok(sizes(pixels, self.width, self.depth)) };
        match layers[..] {
            [first, .., last] if first == pixels && last == 10 => Ok(layers.clone()),
            _ => Err(Error::new(
                ErrorKind::BadData,
                format!("--layers {layers:?}: must begin with {pixels} (pixels) and end with 10 (classes)"),
            )),
        }
    }
}

/// Hidden layers of one width between pixels and classes.
pub fn sizes(pixels: usize, width: usize, depth: usize) -> Vec<usize> {
    [pixels].into_iter().chain(std::iter::repeat_n(width, depth)).chain([10]).collect()
}
