use crate::{
    core::{Layer, TensorLike},
    module,
    tensor::Real,
};

macro_rules! activations { ($($(#[$doc:meta])* $layer:ident $method:ident;)*) => { $(
    $(#[$doc])*
    #[derive(Clone, Copy, Debug, Default)]
    pub struct $layer;
    module!(impl[F: Real] $layer as F {});
    impl<F: Real> Layer<F> for $layer {
        #[track_caller]
        fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
            x.$method()
        }
    }
)* } }
activations! {
    /// [`TensorLike::sigmoid`] as a layer.
    Sigmoid sigmoid;
    /// [`TensorLike::tanh`] as a layer.
    Tanh tanh;
    /// [`TensorLike::relu`] as a layer.
    Relu relu;
    /// [`TensorLike::gelu`] (the form with the error function) as a layer.
    Gelu gelu;
    /// [`TensorLike::gelu_tanh`] as a layer.
    GeluTanh gelu_tanh;
    /// [`TensorLike::silu`] as a layer.
    Silu silu;
    /// [`TensorLike::softplus`] as a layer.
    Softplus softplus;
    /// [`TensorLike::selu`] as a layer.
    Selu selu;
    /// [`TensorLike::hardtanh`] as a layer.
    Hardtanh hardtanh;
    /// [`TensorLike::log_sigmoid`] as a layer.
    LogSigmoid log_sigmoid;
    /// [`TensorLike::softmax`] along the last axis as a layer.
    Softmax softmax;
    /// [`TensorLike::log_softmax`] along the last axis as a layer.
    LogSoftmax log_softmax;
}

/// An activation with one number.
macro_rules! with_number { ($($(#[$doc:meta])* $layer:ident $method:ident, $(#[$about:meta])* $number:ident = $default:literal;)*) => { $(
    $(#[$doc])*
    #[derive(Clone, Copy, Debug)]
    pub struct $layer {
        $(#[$about])*
        pub $number: f64,
    }
    impl Default for $layer {
        fn default() -> Self {
            Self { $number: $default }
        }
    }
    module!(impl[F: Real] $layer as F { ; skip $number });
    impl<F: Real> Layer<F> for $layer {
        #[track_caller]
        fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
            x.$method(self.$number)
        }
    }
)* } }
with_number! {
    /// [`TensorLike::leaky_relu`] as a layer.
    LeakyRelu leaky_relu, /// The slope left of 0; 0.01 by default.
    slope = 0.01;
    /// [`TensorLike::elu`] as a layer.
    Elu elu, /// What it falls to on the left, with a minus; 1 by default.
    alpha = 1.0;
}
