//! What a program needs: `use chainrule::prelude::*;`.
pub use crate::core::{
    AnyLayer, Eager, Grads, Layer, Module, Observer, Param, Place, Recording, Role, Tape, TensorLike, Var,
};
pub use crate::error::{Error, ErrorKind};
pub use crate::module;
pub use crate::nn::{
    Dense, Dropout, Gelu, GeluTanh, Init, LeakyRelu, LogSoftmax, Relu, Sigmoid, Silu, Softmax, Softplus, Tanh,
};
pub use crate::optim::{Adam, AdamW, ClipGlobalNorm, ClipNorm, ClipValue, Groups, Optimizer, RmsProp, Sgd};
pub use crate::rng::Rng;
pub use crate::tensor::{Labels, Real, Shape, Tensor};
