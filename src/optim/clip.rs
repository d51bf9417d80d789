use crate::{
    core::{Clipped, check_limit},
    error::Error,
    optim::{Link, Plan},
    tensor::Real,
};

/// A link that scales all gradients by one factor so that their joint norm is at most `limit`, as
/// [`Grads::clip_global_norm`](crate::Grads::clip_global_norm) does.
///
/// # Source
/// Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", 2013, Algorithm 1.
#[derive(Clone, Copy, Debug)]
pub struct ClipGlobalNorm {
    /// The largest joint norm that is let through.
    pub limit: f64,
}

impl ClipGlobalNorm {
    /// Clips to a joint norm of `limit`; a step refuses a limit that is not greater than 0.
    pub fn new(limit: f64) -> Self {
        Self { limit }
    }
}

impl<F: Real> Link<F> for ClipGlobalNorm {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        check_limit::<F>("ClipGlobalNorm", self.limit)?;
        let clip = Clipped::of("ClipGlobalNorm", plan.norm("ClipGlobalNorm")?, self.limit)?;
        if clip.clipped {
            plan.scale(clip.coef);
        }
        plan.report_norm(clip.norm, clip.coef);
        Ok(())
    }
}

/// A link that limits every entry of a gradient to `-limit..=limit`, as
/// [`Grads::clip_value`](crate::Grads::clip_value) does.
#[derive(Clone, Copy, Debug)]
pub struct ClipValue {
    /// The largest absolute value that is let through.
    pub limit: f64,
}

impl ClipValue {
    /// Clips entries at `limit`; a step refuses a limit that is not greater than 0.
    pub fn new(limit: f64) -> Self {
        Self { limit }
    }
}

impl<F: Real> Link<F> for ClipValue {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        check_limit::<F>("ClipValue", self.limit)?;
        if plan.largest("ClipValue")? > self.limit {
            plan.report_clipped();
        }
        plan.limit(self.limit);
        Ok(())
    }
}
