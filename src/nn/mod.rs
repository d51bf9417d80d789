//! Layers, losses, how weights begin, and moving averages of them.
mod activation;
mod checkpoint;
mod dense;
mod dropout;
mod ema;
mod embedding;
mod init;
mod layer_norm;
mod loss;
mod recurrent;
mod residual;

pub use activation::{
    Elu, Gelu, GeluTanh, Hardtanh, LeakyRelu, LogSigmoid, LogSoftmax, Relu, Selu, Sigmoid, Silu, Softmax, Softplus,
    Tanh,
};
pub use checkpoint::Checkpoint;
pub use dense::Dense;
pub use dropout::Dropout;
pub use ema::Ema;
pub use embedding::Embedding;
pub use init::{Draw, Fan, Init, TruncatedNormal};
pub use layer_norm::LayerNorm;
pub use loss::{BceWithLogits, CrossEntropy, Huber, KlDiv, L1, Mse, Nll, Reduction, SmoothL1};
pub use recurrent::{
    BatchFirst, Gru, GruCell, Lstm, LstmCell, PerLayer, Recurrent, RecurrentCell, Rnn, RnnCell, State,
};
pub use residual::Residual;

pub use crate::op::recurrent::Nonlinearity;
