//! Layers and how their weights begin.
mod activation;
mod checkpoint;
mod dense;
mod dropout;
mod init;

pub use activation::{Gelu, GeluTanh, LeakyRelu, LogSoftmax, Relu, Sigmoid, Silu, Softmax, Softplus, Tanh};
pub use checkpoint::Checkpoint;
pub use dense::Dense;
pub use dropout::Dropout;
pub use init::{Draw, Fan, Init};
