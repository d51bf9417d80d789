use crate::{
    core::{Param, Place, TensorLike},
    module,
    nn::Init,
    op::recurrent::{Cell as Kind, Sequence, StateRef, Weights},
    rng::Rng,
    tensor::{Labels, Real, Tensor},
};

/// One layer of a recurrent network: [`RnnCell`](super::RnnCell), [`LstmCell`](super::LstmCell) or [`GruCell`](super::GruCell).
///
/// ```
/// use chainrule::prelude::*;
/// let cell = LstmCell::<f32>::new(3, 5, &mut Rng::seed(1));
/// assert_eq!(*cell.w_ih.value.shape(), [4 * 5, 3]); // gates i, f, g, o, as PyTorch's
/// ```
#[derive(Clone, Debug)]
pub struct Cell<K, F: Real = f32> {
    /// `[gates * H, I]`.
    pub w_ih: Param<F>,
    /// `[gates * H, H]`.
    pub w_hh: Param<F>,
    /// `[gates * H]`, or none.
    pub b_ih: Option<Param<F>>,
    /// `[gates * H]`, or none.
    pub b_hh: Option<Param<F>>,
    pub(super) kind: K,
}
module!(impl[F: Real, K] Cell<K, F> as F { w_ih, w_hh, b_ih, b_hh; skip kind });

impl<F: Real, K: Kind + Default> Cell<K, F> {
    /// Everything uniform in `+-1/sqrt(H)`, PyTorch's default.
    pub(super) fn standard(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        let bound = 1.0 / (hidden.max(1) as f64).sqrt();
        let (init, rows) = (Init::Uniform { lo: -bound, hi: bound }, K::GATES * hidden);
        let (w_ih, w_hh) = (init.tensor([rows, inputs], rng), init.tensor([rows, hidden], rng));
        let [b_ih, b_hh] = [init.tensor([rows], rng), init.tensor([rows], rng)].map(|b| Some(Param::new(b)));
        Self { w_ih: Param::new(w_ih), w_hh: Param::new(w_hh), b_ih, b_hh, kind: K::default() }
    }
}

impl<F: Real, K: Kind> Cell<K, F> {
    /// How many inputs it takes.
    pub fn inputs(&self) -> usize {
        self.w_ih.value.shape()[1]
    }

    /// How many units it has.
    pub fn hidden(&self) -> usize {
        self.w_hh.value.shape()[1]
    }

    /// The same cell without biases.
    pub fn without_bias(self) -> Self {
        Self { b_ih: None, b_hh: None, ..self }
    }

    /// Writes one gate's part (counted in the order of the gates) of the two biases: `b` into `b_ih`, 0 into `b_hh`.
    pub(super) fn set_bias(&mut self, gate: usize, b: &[f64]) {
        let range = gate * b.len()..(gate + 1) * b.len();
        if let (Some(ih), Some(hh)) = (&mut self.b_ih, &mut self.b_hh) {
            ih.value.data_mut()[range.clone()].iter_mut().zip(b).for_each(|(x, &b)| *x = F::of(b));
            hh.value.data_mut()[range].fill(F::zero());
        }
    }

    /// Every `h` of a sequence, then the last `c`.
    #[track_caller]
    pub(super) fn sequence<P: Place<Elem = F>>(
        &self,
        place: P,
        x: Result<&P::Array, &Labels>,
        state: Option<StateRef<'_, P::Array>>,
    ) -> (P::Array, Option<P::Array>) {
        let (w_ih, w_hh) = (place.param(&self.w_ih), place.param(&self.w_hh));
        let bias = self.b_ih.as_ref().zip(self.b_hh.as_ref()).map(|(ih, hh)| (place.param(ih), place.param(hh)));
        let w = Weights { w_ih: &w_ih, w_hh: &w_hh, bias: bias.as_ref().map(|(ih, hh)| (ih, hh)) };
        let (y, c) = Sequence::run(self.kind, x, w, state);
        (y.tag(&self.w_hh), c)
    }
}

/// A matrix `gain * Q` for each gate, one below the other, `Q` drawn by `init`.
pub(super) fn by_gate<F: Real>(gates: usize, hidden: usize, init: Init, rng: &mut Rng) -> Tensor<F> {
    let blocks: Vec<Tensor<F>> = (0..gates).map(|_| init.tensor([hidden, hidden], rng)).collect();
    Tensor::concat(&blocks.iter().collect::<Vec<_>>(), 0)
}
