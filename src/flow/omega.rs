//! A regulariser that keeps gradients from vanishing through time.
use crate::{
    core::{TensorLike, Var},
    tensor::{Real, Tensor},
};
use std::panic::Location;

/// Pascanu's regulariser: `sum over k of ( || (dE/dx_(k+1)) (dx_(k+1)/dx_k) || / || dE/dx_(k+1) || - 1)^2`. It is 0 where each
/// step back keeps the norm of the gradient. Add a multiple of it to the loss, and clip.
///
/// Norms are those of each sequence of a batch, the mean over the batch is taken. Where a gradient is 0 (its square below
/// 1e-20) there is no ratio, and the term is left out. Differentiable by ordinary ops: what comes back can be part of
/// the loss, and its derivative is the whole one (the authors' code takes only what goes directly through the recurrent
/// weights).
///
/// ```
/// use chainrule::{flow::Omega, prelude::*};
/// let mut rng = Rng::seed(1);
/// let net = Rnn::<f64>::new(2, 4, &mut rng);
/// let x = Tensor::normal_of([6, 3, 2], 0.0, 1.0, &mut rng);
/// let mut tape = Tape::new();
/// let r = tape.begin();
/// let (mut state, mut states) = (net.zero_state(r, 3), vec![]);
/// for t in 0..6 {
///     state = net.step(&r.constant(&TensorLike::squeeze(&x.slice(0, t..t + 1), 0)), Some(&state));
///     states.push(*state.output());
/// }
/// let loss = states[5].square().mean();
/// let omega = Omega::Norms.of(loss, &states);
/// assert!(omega.item() > 0.0);
/// let g = (loss + omega * 4.0).backward(&net)?;
/// assert!(g.get("0.w_hh").unwrap().norm() > 0.0);
/// # Ok::<(), Error>(())
/// ```
///
/// # Source
/// Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013, equations 9 and 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omega {
    /// Equation 9: the ratio of the norms.
    Norms,
    /// Equation 10 and the authors' code: the ratio of the squared norms.
    Squares,
}

impl Omega {
    /// The regulariser for states `x_0, x_1, ..` of shape `[B, H]` or `[H]`, each computed from the one before, and a loss
    /// that depends on them; all on one recording. 0 for fewer than two states.
    ///
    /// # Panics
    /// If the loss is not a single number, or a state is a constant or lives on another recording.
    #[track_caller]
    pub fn of<'t, F: Real>(self, loss: Var<'t, F>, states: &[Var<'t, F>]) -> Var<'t, F> {
        let at = Location::caller();
        let shape = states.first().map(|s| s.shape());
        if let Some(other) = states.iter().find(|s| Some(s.shape()) != shape) {
            let shape = shape.expect("a state");
            panic!("Omega: states of shapes {shape} and {}: all are [B, H] or [H] ({at})", other.shape());
        }
        let cotangents = loss.grads_recorded(states);
        let rows = |g: &Var<'t, F>| g.square().sum_axes(&[g.shape().rank() - 1]);
        let mut whole = loss.constant(&Tensor::filled([], F::zero()));
        for k in 0..states.len().saturating_sub(1) {
            let later = cotangents[k + 1];
            let below = rows(&states[k + 1].vjp_recorded_to(later, states[k]));
            let above = rows(&later);
            // 1 where there is a gradient; elsewhere the ratio is made 1, so that the term and its slope are 0.
            let there = above.value();
            let mask: Tensor<F> = Tensor::from_fn(there.shape(), |i| f64::from(there.data()[i].f64() >= 1e-20));
            let not = loss.constant(&Tensor::from_fn(mask.shape(), |i| 1.0 - mask.data()[i].f64()));
            let mask = loss.constant(&mask);
            let ratio = (below * mask + not) / (above * mask + not);
            let ratio = match self {
                // The slope of a root at 0 is infinite, so nothing is no less than this.
                Self::Norms => (ratio + 1e-30).sqrt(),
                Self::Squares => ratio,
            };
            whole = whole + (ratio - 1.0).square().mean();
        }
        whole
    }
}
