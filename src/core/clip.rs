//! Limits on gradients.
use crate::{
    core::Grads,
    error::{Error, ErrorKind},
    tensor::{Real, Tensor, norm},
};

/// What [`Grads::clip_global_norm`] did.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Clipped {
    /// The joint norm before clipping.
    pub norm: f64,
    /// By which every gradient was multiplied.
    pub coef: f64,
    /// Whether anything changed.
    pub clipped: bool,
}

impl Clipped {
    /// What clipping a joint norm to `limit` does. A norm that overflows is refused: its coefficient would be 0.
    pub(crate) fn of(who: &str, norm: f64, limit: f64) -> Result<Self, Error> {
        if norm == f64::INFINITY {
            let message =
                format!("{who}: the joint norm of the gradients is too large for f64, though every entry is finite");
            return Err(Error::new(ErrorKind::NonFinite, message));
        }
        let clipped = norm > limit;
        Ok(Self { norm, coef: if clipped { limit / norm } else { 1.0 }, clipped })
    }
}

/// What [`Grads::clip_value`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClippedValues {
    /// How many entries were outside the limits.
    pub clipped: usize,
    /// How many entries there are.
    pub entries: usize,
}

/// A limit of clipping must be a positive number, also in the element type.
pub(crate) fn check_limit<F: Real>(who: &str, limit: f64) -> Result<(), Error> {
    if F::of(limit) > F::zero() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::BadData, format!("{who}: the limit must be greater than 0 in {}, got {limit}", F::NAME)))
}

impl<F: Real> Grads<F> {
    /// Scales all gradients by one factor so that their joint norm is at most `limit`.
    ///
    /// `n = sqrt(sum of g_i^2 over all parameters)`; each `g` becomes `g * min(1, limit / n)`, exactly (without the 1e-6
    /// that PyTorch adds to `n`). Unlike clipping each tensor by itself, this keeps the direction of the step.
    ///
    /// # Errors
    /// [`ErrorKind::NonFinite`] names the first parameter with a NaN or infinite gradient, [`ErrorKind::BadData`] a limit
    /// that is not greater than 0; then nothing has changed.
    ///
    /// # Source
    /// Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", 2013, Algorithm 1.
    pub fn clip_global_norm(&mut self, limit: f64) -> Result<Clipped, Error> {
        check_limit::<F>("clip_global_norm", limit)?;
        let norm = match norm(self.trained().map(|(_, g)| g)) {
            Ok(norm) => norm,
            Err(i) => return Err(self.non_finite("clip_global_norm", i)),
        };
        let clip = Clipped::of("clip_global_norm", norm, limit)?;
        if clip.clipped {
            self.scale(clip.coef);
        }
        self.finite = true;
        Ok(clip)
    }

    /// Limits every entry to `-limit..=limit`.
    ///
    /// # Errors
    /// [`ErrorKind::NonFinite`] names the first parameter with a NaN or infinite gradient, [`ErrorKind::BadData`] a limit
    /// that is not greater than 0; then nothing has changed.
    ///
    /// # Source
    /// Mikolov, "Statistical language models based on neural networks", 2012.
    pub fn clip_value(&mut self, limit: f64) -> Result<ClippedValues, Error> {
        check_limit::<F>("clip_value", limit)?;
        self.check_finite("clip_value")?;
        let mut done = ClippedValues { clipped: 0, entries: 0 };
        for (_, g) in self.iter_mut() {
            done.entries += g.shape().size();
            done.clipped += F::clamp_abs(g.data_mut(), F::of(limit));
        }
        self.finite = true;
        Ok(done)
    }

    /// Scales each gradient by a factor of its own so that its norm is at most `limit`; returns how many were scaled. This
    /// changes the direction of the step.
    ///
    /// # Errors
    /// [`ErrorKind::NonFinite`] names the first parameter with a NaN or infinite gradient, [`ErrorKind::BadData`] a limit
    /// that is not greater than 0; then nothing has changed.
    pub fn clip_norm(&mut self, limit: f64) -> Result<usize, Error> {
        check_limit::<F>("clip_norm", limit)?;
        self.check_finite("clip_norm")?;
        self.trained().try_for_each(|(_, g)| Clipped::of("clip_norm", g.norm(), limit).map(drop))?;
        let mut count = 0;
        for (_, g) in self.iter_mut() {
            let clip = Clipped::of("clip_norm", g.norm(), limit)?;
            if clip.clipped {
                scale(g.data_mut(), clip.coef);
                count += 1;
            }
        }
        self.finite = true;
        Ok(count)
    }

    /// An error that names the first path with a NaN or infinite entry.
    fn check_finite(&self, who: &str) -> Result<(), Error> {
        if self.finite {
            return Ok(());
        }
        match self.trained().position(|(_, g)| !F::all_finite(g.data())) {
            None => Ok(()),
            Some(i) => Err(self.non_finite(who, i)),
        }
    }

    #[cold]
    fn non_finite(&self, who: &str, i: usize) -> Error {
        let (path, g) = self.trained().nth(i).expect("an index of the same walk");
        non_finite(who, "the gradient of", path, g)
    }
}

/// Multiplies by a factor, in two if the element type cannot hold it with all its digits.
pub(crate) fn scale<F: Real>(g: &mut [F], c: f64) {
    let whole = c == 0.0 || F::of(c).is_normal();
    let parts = if whole { [c, 1.0] } else { [c.abs().sqrt().copysign(c), c.abs().sqrt()] };
    for part in &parts[..if whole { 1 } else { 2 }] {
        F::scale_by(F::of(*part), g);
    }
}

/// An error that names the path of a gradient, or of what else there is of it, and the first entry that is NaN or infinite.
#[cold]
pub(crate) fn non_finite<F: Real>(who: &str, what: &str, path: &str, g: &Tensor<F>) -> Error {
    let bad = g.data().iter().position(|x| !x.is_finite()).unwrap_or(0);
    let (size, x) = (g.shape().size(), g.data()[bad]);
    let message = format!("{who}: {what} \"{path}\" is not finite: entry {bad} of {size} is {x}");
    Error::new(ErrorKind::NonFinite, message)
}
