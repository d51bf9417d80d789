use crate::{
    core::{Place, TensorLike},
    tensor::{Real, Tensor},
};
use smallvec::SmallVec;
use std::panic::Location;

/// One tensor of `[B, H]` for each layer.
pub type PerLayer<T> = SmallVec<[T; 2]>;

/// Where a recurrent network stands between two steps, as a value: kept, cut off from its past, carried to another recording.
///
/// ```
/// use chainrule::prelude::*;
/// let mut rng = Rng::seed(1);
/// let net = Lstm::new(3, 5, &mut rng);
/// let x = Tensor::normal([4, 2, 3], 0.0, 1.0, &mut rng);
/// let (_, state) = net.run(&x, None);
/// let (y, _) = net.run(&x, Some(&state)); // goes on where it stopped
/// assert_eq!(*y.shape(), [4, 2, 5]);
/// ```
#[derive(Clone, Debug)]
pub struct State<T> {
    /// The hidden states, from the first layer to the last.
    pub h: PerLayer<T>,
    /// The cell states of an LSTM; empty for other networks.
    pub c: PerLayer<T>,
}

impl<T: TensorLike> State<T> {
    /// The hidden state of the last layer: the output of the last step.
    ///
    /// # Panics
    /// If there is no layer.
    pub fn output(&self) -> &T {
        self.h.last().expect("a network of at least one layer")
    }

    /// Panics unless it belongs to a network of `layers` layers.
    #[track_caller]
    pub(super) fn check(&self, name: &str, layers: usize, cell_state: bool) {
        assert!(
            self.h.len() == layers && self.c.len() == if cell_state { layers } else { 0 },
            "{name}: a state of {} hidden and {} cell states for a network of {layers} layers ({})",
            self.h.len(),
            self.c.len(),
            Location::caller()
        );
    }

    /// The same values as constants: no gradient flows back through them. Truncates backpropagation through time here.
    #[track_caller]
    pub fn detach(&self) -> Self {
        Self { h: self.h.iter().map(T::detach).collect(), c: self.c.iter().map(T::detach).collect() }
    }

    /// The values without a recording: to keep them for the next one.
    #[track_caller]
    pub fn values(&self) -> State<Tensor<T::Elem>> {
        State { h: self.h.iter().map(T::value).collect(), c: self.c.iter().map(T::value).collect() }
    }
}

impl<F: Real> State<Tensor<F>> {
    /// As constants of a recording (or of [`Eager`](crate::Eager)).
    #[track_caller]
    pub fn on<P: Place<Elem = F>>(&self, place: P) -> State<P::Array> {
        let constants = |all: &PerLayer<Tensor<F>>| all.iter().map(|t| place.constant(t)).collect();
        State { h: constants(&self.h), c: constants(&self.c) }
    }
}
