//! How recurrent networks begin.
use super::{Recurrent, RecurrentCell, cell::by_gate};
use crate::{
    error::{Error, ErrorKind},
    nn::Init,
    op::recurrent::{self as op, Nonlinearity, Recurrence},
    rng::Rng,
    tensor::Real,
};
use std::panic::Location;

impl<F: Real, K: Recurrence> RecurrentCell<K, F> {
    /// Draws the recurrent weights again, a matrix `[H, H]` for each gate.
    #[track_caller]
    pub fn recurrent_init(mut self, init: Init, rng: &mut Rng) -> Self {
        self.w_hh.value = by_gate(K::GATES, self.hidden(), init, rng);
        self
    }

    /// Draws the input weights again.
    #[track_caller]
    pub fn input_init(mut self, init: Init, rng: &mut Rng) -> Self {
        self.w_ih.value = init.tensor(self.w_ih.value.shape(), rng);
        self
    }

    /// Sets all biases to 0.
    pub fn zero_bias(mut self) -> Self {
        for b in [&mut self.b_ih, &mut self.b_hh].into_iter().flatten() {
            b.value.data_mut().fill(F::zero());
        }
        self
    }
}

impl<F: Real, K: Recurrence> Recurrent<K, F> {
    fn each(mut self, f: impl FnMut(RecurrentCell<K, F>) -> RecurrentCell<K, F>) -> Self {
        self.cells = self.cells.into_iter().map(f).collect();
        self
    }

    /// Draws the recurrent weights of all layers again, a matrix `[H, H]` for each gate: [`Init::orthogonal`],
    /// [`Init::Rotations`], [`Init::Identity`], ...
    ///
    /// ```
    /// use chainrule::{nn::Init, prelude::*};
    /// let mut rng = Rng::seed(1);
    /// let net = Lstm::<f64>::new(3, 8, &mut rng).recurrent_init(Init::orthogonal(), &mut rng);
    /// let w = net.cells[0].w_hh.value.slice(0, 0..8); // of the input gate
    /// let one = w.matmul_nt(&w);
    /// assert!((one.at([2, 2]) - 1.0).abs() < 1e-12 && one.at([2, 3]).abs() < 1e-12);
    /// ```
    ///
    /// # Panics
    /// As [`Init::tensor`].
    #[track_caller]
    pub fn recurrent_init(self, init: Init, rng: &mut Rng) -> Self {
        self.each(|cell| cell.recurrent_init(init, rng))
    }

    /// Draws the input weights of all layers again.
    ///
    /// # Panics
    /// As [`Init::tensor`].
    #[track_caller]
    pub fn input_init(self, init: Init, rng: &mut Rng) -> Self {
        self.each(|cell| cell.input_init(init, rng))
    }

    /// Sets all biases to 0.
    pub fn zero_bias(self) -> Self {
        self.each(RecurrentCell::zero_bias)
    }
}

impl<F: Real> RecurrentCell<op::Rnn, F> {
    /// A layer with tanh and PyTorch's initialisation: everything uniform in `+-1/sqrt(H)`.
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        Self::standard(inputs, hidden, rng)
    }

    /// With ReLU or nothing instead of tanh.
    pub fn nonlinearity(self, phi: Nonlinearity) -> Self {
        Self { kind: op::Rnn(phi), ..self }
    }
}

impl<F: Real> Recurrent<op::Rnn, F> {
    /// One layer with tanh and PyTorch's initialisation: everything uniform in `+-1/sqrt(H)`.
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        Self::stacked(inputs, hidden, 1, rng)
    }

    /// Several layers of the same width.
    ///
    /// # Panics
    /// If there are none.
    #[track_caller]
    pub fn stacked(inputs: usize, hidden: usize, layers: usize, rng: &mut Rng) -> Self {
        Self::standard(inputs, hidden, layers, rng)
    }

    /// With ReLU or nothing instead of tanh.
    pub fn nonlinearity(self, phi: Nonlinearity) -> Self {
        self.each(|cell| cell.nonlinearity(phi))
    }

    /// An IRNN: ReLU, the identity as recurrent weights, input weights from `N(0, 0.001^2)`, biases 0.
    ///
    /// # Source
    /// Le, Jaitly and Hinton, "A simple way to initialize recurrent networks of rectified linear units", 2015.
    pub fn identity(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        let net = Self::new(inputs, hidden, rng).nonlinearity(Nonlinearity::Relu).zero_bias();
        net.recurrent_init(Init::Identity, rng).input_init(Init::Normal { mean: 0.0, std: 0.001 }, rng)
    }
}

impl<F: Real> RecurrentCell<op::Lstm, F> {
    /// PyTorch's initialisation, uniform in `+-1/sqrt(H)`, with a forget bias of 1.
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        Self::standard(inputs, hidden, rng).forget_bias(1.0)
    }

    /// Sets the forget bias: `b` in `b_ih` and 0 in `b_hh`, whose sum is what counts.
    ///
    /// # Source
    /// Jozefowicz, Zaremba and Sutskever, "An empirical exploration of recurrent network architectures", 2015.
    ///
    /// # Panics
    /// If there are no biases.
    #[track_caller]
    pub fn forget_bias(mut self, b: f64) -> Self {
        match self.set_bias(1, &vec![b; self.hidden()]) {
            Ok(()) => self,
            Err(e) => panic!("forget_bias: {e} ({})", Location::caller()),
        }
    }

    /// Chrono initialisation: forget biases `ln u` with `u` uniform in `1..t_max - 1`, input biases `-ln u`, both in `b_ih` with 0
    /// in `b_hh`. A unit then remembers for about `u` steps.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`] unless `t_max` is a finite number of at least 2 and there are biases.
    ///
    /// # Source
    /// Tallec and Ollivier, "Can recurrent neural networks warp time?", 2018, eq. 16.
    pub fn chrono(mut self, t_max: f64, rng: &mut Rng) -> Result<Self, Error> {
        let b = log_times(t_max, self.hidden(), rng)?;
        self.set_bias(1, &b)?;
        self.set_bias(0, &b.iter().map(|b| -b).collect::<Vec<_>>())?;
        Ok(self)
    }
}

impl<F: Real> Recurrent<op::Lstm, F> {
    /// One layer with PyTorch's initialisation, uniform in `+-1/sqrt(H)`, and a forget bias of 1.
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        Self::stacked(inputs, hidden, 1, rng)
    }

    /// Several layers of the same width.
    ///
    /// # Panics
    /// If there are none.
    #[track_caller]
    pub fn stacked(inputs: usize, hidden: usize, layers: usize, rng: &mut Rng) -> Self {
        Self::standard(inputs, hidden, layers, rng).forget_bias(1.0)
    }

    /// Sets the forget biases: [`RecurrentCell::forget_bias`] of all layers.
    ///
    /// # Panics
    /// If there are no biases.
    #[track_caller]
    pub fn forget_bias(mut self, b: f64) -> Self {
        let mut cells = vec![];
        for cell in self.cells {
            cells.push(cell.forget_bias(b));
        }
        self.cells = cells;
        self
    }

    /// Chrono initialisation of all layers for memories of up to `t_max` steps.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`] unless `t_max` is a finite number of at least 2 and there are biases.
    ///
    /// # Source
    /// Tallec and Ollivier, "Can recurrent neural networks warp time?", 2018, eq. 16.
    pub fn chrono(mut self, t_max: f64, rng: &mut Rng) -> Result<Self, Error> {
        self.cells = self.cells.into_iter().map(|cell| cell.chrono(t_max, rng)).collect::<Result<_, _>>()?;
        Ok(self)
    }
}

impl<F: Real> RecurrentCell<op::Gru, F> {
    /// PyTorch's initialisation: everything uniform in `+-1/sqrt(H)`.
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        Self::standard(inputs, hidden, rng)
    }

    /// Chrono initialisation: biases `ln u` of the update gate `z`, which keeps the state, with `u` uniform in `1..t_max - 1`.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`] unless `t_max` is a finite number of at least 2 and there are biases.
    ///
    /// # Source
    /// Tallec and Ollivier, "Can recurrent neural networks warp time?", 2018, section 3.
    pub fn chrono(mut self, t_max: f64, rng: &mut Rng) -> Result<Self, Error> {
        let b = log_times(t_max, self.hidden(), rng)?;
        self.set_bias(1, &b)?;
        Ok(self)
    }
}

impl<F: Real> Recurrent<op::Gru, F> {
    /// One layer with PyTorch's initialisation: everything uniform in `+-1/sqrt(H)`.
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        Self::stacked(inputs, hidden, 1, rng)
    }

    /// Several layers of the same width.
    ///
    /// # Panics
    /// If there are none.
    #[track_caller]
    pub fn stacked(inputs: usize, hidden: usize, layers: usize, rng: &mut Rng) -> Self {
        Self::standard(inputs, hidden, layers, rng)
    }

    /// Chrono initialisation of all layers for memories of up to `t_max` steps.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`] unless `t_max` is a finite number of at least 2 and there are biases.
    pub fn chrono(mut self, t_max: f64, rng: &mut Rng) -> Result<Self, Error> {
        self.cells = self.cells.into_iter().map(|cell| cell.chrono(t_max, rng)).collect::<Result<_, _>>()?;
        Ok(self)
    }
}

/// `ln u` for times `u` uniform in `1..t_max - 1`.
fn log_times(t_max: f64, n: usize, rng: &mut Rng) -> Result<Vec<f64>, Error> {
    if !(t_max >= 2.0 && t_max.is_finite()) {
        return Err(Error::new(ErrorKind::BadData, format!("chrono: t_max must be at least 2 steps, got {t_max}")));
    }
    Ok((0..n).map(|_| (1.0 + rng.uniform() * (t_max - 2.0)).ln()).collect())
}
