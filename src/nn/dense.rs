use super::Init;
use crate::{
    core::{Layer, Param, TensorLike},
    module,
    rng::Rng,
    tensor::{Real, Tensor},
};

/// `y = x w^T + b`, for `x` of `[.., in]`, with weights `[out, in]` as PyTorch's.
///
/// ```
/// use chainrule::{nn::Init, prelude::*};
/// let mut rng = Rng::seed(1);
/// let layer = Dense::new(3, 5, &mut rng);
/// assert_eq!(*layer.forward(&Tensor::zeros([2, 3])).shape(), [2, 5]);
/// let linear = Dense::<f64>::with_init(3, 5, Init::he(), &mut rng).without_bias();
/// assert_eq!(linear.count(), 15);
/// ```
#[derive(Clone, Debug)]
pub struct Dense<F: Real = f32> {
    /// `[out, in]`.
    pub weight: Param<F>,
    /// `[out]`, or none.
    pub bias: Option<Param<F>>,
}
module!(Dense<F> { weight, bias });

impl<F: Real> Dense<F> {
    /// Weights and biases uniform in `+-1/sqrt(in)`, PyTorch's default.
    pub fn new(inputs: usize, outputs: usize, rng: &mut Rng) -> Self {
        let weight = Init::standard().tensor([outputs, inputs], rng);
        let bound = 1.0 / (inputs.max(1) as f64).sqrt();
        let bias = Tensor::uniform_of([outputs], -bound, bound, rng);
        Self { weight: Param::new(weight), bias: Some(Param::new(bias)) }
    }

    /// Weights by `init`, biases 0.
    pub fn with_init(inputs: usize, outputs: usize, init: Init, rng: &mut Rng) -> Self {
        let weight = init.tensor([outputs, inputs], rng);
        Self { weight: Param::new(weight), bias: Some(Param::new(Tensor::filled([outputs], F::zero()))) }
    }

    /// The same layer without a bias.
    pub fn without_bias(self) -> Self {
        Self { bias: None, ..self }
    }

    /// How many inputs it takes.
    pub fn inputs(&self) -> usize {
        self.weight.value.shape()[1]
    }

    /// How many outputs it gives.
    pub fn outputs(&self) -> usize {
        self.weight.value.shape()[0]
    }
}

impl<F: Real> Layer<F> for Dense<F> {
    #[track_caller]
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
        let w = x.param(&self.weight);
        let z = match &self.bias {
            Some(bias) => x.linear(&w, &x.param(bias)),
            None if x.shape().rank() == 1 => x.unsqueeze(0).matmul_nt(&w).squeeze(0),
            None => x.matmul_nt(&w),
        };
        z.tag(&self.weight)
    }
}
