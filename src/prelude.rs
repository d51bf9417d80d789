//! What a program needs: `use chainrule::prelude::*;`.
pub use crate::core::{
    AnyLayer, ByPath, Eager, Grads, Layer, Module, Observer, Param, Place, Recording, Role, Tape, TensorLike, Var,
};
pub use crate::error::{Error, ErrorKind};
pub use crate::module;
pub use crate::nn::{
    BceWithLogits, CrossEntropy, Dense, Dropout, Elu, Ema, Embedding, Gelu, GeluTanh, Gru, GruCell, Hardtanh, Huber,
    Init, KlDiv, L1, LayerNorm, LeakyRelu, LogSigmoid, LogSoftmax, Lstm, LstmCell, Mse, Nll, Reduction, Relu, Residual,
    Rnn, RnnCell, Selu, Sigmoid, Silu, SmoothL1, Softmax, Softplus, Tanh,
};
pub use crate::optim::{Adam, AdamW, ClipGlobalNorm, ClipNorm, ClipValue, Groups, Optimizer, RmsProp, Sgd};
pub use crate::rng::Rng;
pub use crate::tensor::{Labels, Real, Shape, Tensor};
