use crate::{
    core::{Layer, TensorLike},
    error::{Error, ErrorKind},
    module,
    tensor::Real,
};

/// [`TensorLike::dropout`] as a layer: draws in training, the identity in evaluation and on plain tensors.
///
/// ```
/// use chainrule::prelude::*;
/// let drop = Dropout::new(0.5)?;
/// let (mut rng, mut tape) = (Rng::seed(1), Tape::new());
/// let x = Tensor::ones([1000]);
/// assert_eq!(drop.forward(&x), x);
/// let y = drop.forward(&tape.begin_train(&mut rng).constant(&x)).value();
/// assert!(y.data().iter().all(|&y| y == 0.0 || y == 2.0));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    p: f64,
}
module!(impl[F: Real] Dropout as F { ; skip p });

impl Dropout {
    /// Zero with probability `p`.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`] if `p` is not in `0..1`.
    pub fn new(p: f64) -> Result<Self, Error> {
        if (0.0..1.0).contains(&p) {
            return Ok(Self { p });
        }
        Err(Error::new(ErrorKind::BadData, format!("Dropout: the probability must be at least 0 and below 1, got {p}")))
    }
}

impl<F: Real> Layer<F> for Dropout {
    #[track_caller]
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
        x.dropout(self.p)
    }
}
