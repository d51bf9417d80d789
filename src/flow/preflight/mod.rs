//! A look at a network before its first step.
mod look;
mod trial;

use super::Report;
use crate::{
    core::{Module, Recording, Tape, Var},
    error::Error,
    tensor::Real,
};

/// What a network would suffer from, before its first step: one forward and one backward pass, no update.
///
/// `loss` is run on a recording; for each remedy that can be tried, it is recorded again and replayed with other weights or
/// activations: the report says what each would give on this batch. Of recurrent layers the horizon is measured exactly, by one
/// more pass each, whose loss looks at the layer's last step only. `net` stays as it is. What is drawn (dropout, trial
/// weights) comes from a generator of its own; [`Preflight::seed`] chooses another.
///
/// ```
/// use chainrule::{flow::{Kind, preflight}, prelude::*};
/// let mut rng = Rng::seed(1);
/// let layers: Vec<_> = (0..9).map(|_| AnyLayer::new((Dense::new(64, 64, &mut rng), Sigmoid))).collect();
/// let net = (layers, Dense::new(64, 10, &mut rng));
/// let (x, y) = (Tensor::normal([32, 64], 0.0, 1.0, &mut rng), Labels::new((0..32).map(|i| i % 10), 10)?);
/// let check = preflight(&net, |r| net.forward(&r.constant(&x)).softmax_cross_entropy(&y))?;
/// println!("{check}");
/// assert_eq!(check.kinds(), [Kind::Vanishing]);
/// let best = &check.verdicts()[0].remedies[0];
/// assert_eq!(best.change.to_string(), "relu + He");
/// assert_eq!(best.tried.unwrap().left, None); // healthy
/// assert!(check.assert_healthy().is_err()); // for a #[test] of your own
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As [`Var::backward`]. A number that is not finite is no error here but a verdict.
///
/// # Panics
/// If the loss is not a single number.
#[track_caller]
pub fn preflight<F: Real, N: Module<F>>(
    net: &N,
    loss: impl for<'t> Fn(&'t Recording<F>) -> Var<'t, F>,
) -> Result<Report, Error> {
    Preflight::new().run(net, loss)
}

/// [`preflight`] with settings.
#[derive(Clone, Copy, Debug)]
pub struct Preflight {
    seed: u64,
    trials: bool,
}

impl Default for Preflight {
    fn default() -> Self {
        Self::new()
    }
}

impl Preflight {
    /// With a seed of its own, trying remedies.
    pub fn new() -> Self {
        Self { seed: 0x5eed, trials: true }
    }

    /// Another seed for what is drawn.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Only looks, and tries no remedy.
    pub fn without_trials(self) -> Self {
        Self { trials: false, ..self }
    }

    /// [`preflight`].
    ///
    /// # Errors
    /// As [`Var::backward`].
    ///
    /// # Panics
    /// If the loss is not a single number.
    #[track_caller]
    pub fn run<F: Real, N: Module<F>>(
        self,
        net: &N,
        loss: impl for<'t> Fn(&'t Recording<F>) -> Var<'t, F>,
    ) -> Result<Report, Error> {
        let mut tape = Tape::new();
        let report = look::look(net, self.seed, &mut tape, &|r| Some(loss(r)))?;
        let (mut report, activations) = report.expect("a loss was recorded");
        if self.trials {
            trial::remedies(&mut report, net, &loss, &activations, self.seed, &mut tape)?;
        }
        Ok(report)
    }
}
