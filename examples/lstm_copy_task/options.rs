//! The command line.
use crate::common::cli::{a_few, at_least_one, finite, given, positive, read, refuse};
use chainrule::prelude::*;
use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// Shows how gradients vanish and explode through time, and that an LSTM can remember over it.
///
/// Ten symbols are said, and must be repeated after T steps of silence. Without options: the gradient through time of
/// seven networks when they begin; an LSTM that learns the task, beside two that do not; an exploding network with
/// and without clipping. With an option that describes a network or its training (--cell, --init, --optimizer, --lr,
/// --clip, --loss): that one alone.
#[derive(Parser, Clone, Debug)]
#[command(name = "lstm_copy_task", max_term_width = 100)]
pub struct Options {
    /// What the network is made of
    #[arg(long, value_enum, default_value_t = Cell::Lstm)]
    pub cell: Cell,
    /// How it begins [default: chrono for lstm and gru, usual for rnn; orthogonal has its own]
    #[arg(long, value_enum)]
    pub init: Option<Start>,
    /// Steps of silence [default: 100, and 500 for the gradients of part 1]
    #[arg(long, value_parser = silence)]
    pub t: Option<usize>,
    /// Units [default: 128]
    #[arg(long, value_parser = at_least_one)]
    pub hidden: Option<usize>,
    /// Sequences in a step [default: 16]
    #[arg(long, value_parser = at_least_one)]
    pub batch: Option<usize>,
    /// What makes the steps [default: adam; rmsprop for orthogonal, whose recurrent weights get a tenth of the rate]
    #[arg(long, value_enum)]
    pub optimizer: Option<Method>,
    /// Learning rate [default: 0.01 for adam with gates, else 0.001; 0.1 for sgd]
    #[arg(long, value_parser = positive, allow_negative_numbers = true)]
    pub lr: Option<f64>,
    /// Clips the joint norm of all gradients; 0 is off
    #[arg(long, default_value_t = 1.0, value_parser = not_negative, allow_negative_numbers = true)]
    pub clip: f64,
    /// What is trained [default: recall; all for orthogonal]
    #[arg(long, value_enum)]
    pub loss: Option<Loss>,
    /// At most so many steps [default: 6000; 700 of a quick run]
    #[arg(long, value_parser = at_least_one)]
    pub steps: Option<usize>,
    /// Where random numbers begin
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Threads [default: one for each processor]
    #[arg(long, value_parser = a_few)]
    pub threads: Option<usize>,
    /// Draws the gradient through time, and into FILE with -loss in its name the losses
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Writes what the monitor saw of a training as one HTML page: of the network that the options describe, else of the
    /// LSTM with forget bias 1
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Short sequences and few steps
    #[arg(long)]
    pub quick: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Cell {
    /// tanh
    Rnn,
    /// Linear, of rotations
    Orthogonal,
    Lstm,
    Gru,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Start {
    /// Everything uniform in +-1/sqrt H; an LSTM with forget bias 1
    Usual,
    /// Recurrent weights three times as large (rnn)
    Scaled,
    /// Orthogonal recurrent weights
    Orthogonal,
    /// Forget bias 0 (lstm)
    Bias0,
    /// Biases for memories of up to 1.5 T steps (lstm, gru)
    Chrono,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Method {
    Sgd,
    Adam,
    Rmsprop,
}

/// Which loss is trained.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Loss {
    /// Over the ten steps that repeat
    Recall,
    /// Over all T + 20 steps
    All,
}

impl Cell {
    pub fn name(self) -> &'static str {
        match self {
            Self::Rnn => "tanh RNN",
            Self::Orthogonal => "linear RNN",
            Self::Lstm => "LSTM",
            Self::Gru => "GRU",
        }
    }
}

impl Start {
    pub fn describe(self, cell: Cell) -> &'static str {
        match (self, cell) {
            (Self::Usual, Cell::Lstm) => "forget bias 1",
            (Self::Usual, _) => "usual start",
            (Self::Scaled, _) => "W x 3",
            (Self::Orthogonal, _) => "orthogonal",
            (Self::Bias0, _) => "forget bias 0",
            (Self::Chrono, _) => "chrono",
        }
    }

    fn fits(self, cell: Cell) -> bool {
        match self {
            Self::Usual => cell != Cell::Orthogonal,
            Self::Orthogonal => true,
            Self::Scaled => cell == Cell::Rnn,
            Self::Bias0 => cell == Cell::Lstm,
            Self::Chrono => matches!(cell, Cell::Lstm | Cell::Gru),
        }
    }
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sgd => "SGD",
            Self::Adam => "Adam",
            Self::Rmsprop => "RMSprop",
        }
    }

    pub fn build(self, rate: f64) -> Box<dyn Optimizer> {
        match self {
            Self::Sgd => Box::new(Sgd::new(rate)),
            Self::Adam => Box::new(Adam::new(rate)),
            Self::Rmsprop => Box::new(RmsProp::new(rate)),
        }
    }
}

impl Options {
    /// The options, whether they describe a network, and whether they change the sizes; a wrong value is a one-line error.
    pub fn read() -> (Self, bool, bool) {
        let (options, matches) = read::<Self>();
        let any = |names: &[&str]| names.iter().any(|name| given(&matches, name));
        if let Some(start) = options.init.filter(|start| !start.fits(options.cell)) {
            let (start, cell) = (value(start), value(options.cell));
            refuse(&format!("--init {start} is not for --cell {cell}"));
        }
        let described = any(&["cell", "init", "optimizer", "lr", "clip", "loss"]);
        (options, described, any(&["t", "hidden", "batch", "steps"]))
    }

    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into))
    }
}

fn value(of: impl ValueEnum) -> String {
    of.to_possible_value().map_or(String::new(), |v| v.get_name().to_owned())
}

fn silence(text: &str) -> Result<usize, String> {
    match at_least_one(text)? {
        n @ 1..=100_000 => Ok(n),
        _ => Err("must be 1 to 100000".to_owned()),
    }
}

fn not_negative(text: &str) -> Result<f64, String> {
    finite(text).ok().filter(|x| *x >= 0.0).ok_or_else(|| "not a number of at least 0".to_owned())
}
