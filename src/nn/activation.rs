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
    /// [`TensorLike::softmax`] along the last axis as a layer.
    Softmax softmax;
    /// [`TensorLike::log_softmax`] along the last axis as a layer.
    LogSoftmax log_softmax;
}

/// [`TensorLike::leaky_relu`] as a layer.
#[derive(Clone, Copy, Debug)]
pub struct LeakyRelu {
    /// The slope left of 0; 0.01 by default.
    pub slope: f64,
}
impl Default for LeakyRelu {
    fn default() -> Self {
        Self { slope: 0.01 }
    }
}
module!(impl[F: Real] LeakyRelu as F { ; skip slope });
impl<F: Real> Layer<F> for LeakyRelu {
    #[track_caller]
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
        x.leaky_relu(self.slope)
    }
}
