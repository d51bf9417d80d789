use super::{NonFinite, policy, under};
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
    policy: NonFinite,
}

impl ClipGlobalNorm {
    /// Clips to a joint norm of `limit`; a step refuses a limit that is not greater than 0.
    pub fn new(limit: f64) -> Self {
        Self { limit, policy: NonFinite::Error }
    }

    policy!();
}

impl<F: Real> Link<F> for ClipGlobalNorm {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        check_limit::<F>("ClipGlobalNorm", self.limit)?;
        let measure = |plan: &mut Plan<'_, F>| {
            let norm = plan.norm("ClipGlobalNorm")?;
            Clipped::of("ClipGlobalNorm", norm, self.limit)
        };
        if let Some(clip) = under(self.policy, plan, measure)? {
            scale_to(plan, clip);
        }
        Ok(())
    }
}

/// Scales all gradients and reports it.
pub(super) fn scale_to<F: Real>(plan: &mut Plan<'_, F>, clip: Clipped) {
    if clip.clipped {
        plan.scale(clip.coef);
    }
    plan.report_norm(clip.norm, clip.coef);
}

/// A link that limits every entry of a gradient to `-limit..=limit`, as
/// [`Grads::clip_value`](crate::Grads::clip_value) does.
#[derive(Clone, Copy, Debug)]
pub struct ClipValue {
    /// The largest absolute value that is let through.
    pub limit: f64,
    policy: NonFinite,
}

impl ClipValue {
    /// Clips entries at `limit`; a step refuses a limit that is not greater than 0.
    pub fn new(limit: f64) -> Self {
        Self { limit, policy: NonFinite::Error }
    }

    policy!();
}

impl<F: Real> Link<F> for ClipValue {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        check_limit::<F>("ClipValue", self.limit)?;
        if let Some(largest) = under(self.policy, plan, |plan| plan.largest("ClipValue"))? {
            if largest > self.limit {
                plan.report_clipped();
            }
            plan.limit(self.limit);
        }
        Ok(())
    }
}

/// A link that scales each gradient by a factor of its own so that its norm is at most `limit`, as
/// [`Grads::clip_norm`](crate::Grads::clip_norm) does. This changes the direction of the step.
#[derive(Clone, Copy, Debug)]
pub struct ClipNorm {
    /// The largest norm of a gradient that is let through.
    pub limit: f64,
    policy: NonFinite,
}

impl ClipNorm {
    /// Clips each gradient to a norm of `limit`; a step refuses a limit that is not greater than 0.
    pub fn new(limit: f64) -> Self {
        Self { limit, policy: NonFinite::Error }
    }

    policy!();
}

impl<F: Real> Link<F> for ClipNorm {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        check_limit::<F>("ClipNorm", self.limit)?;
        let Some(()) = under(self.policy, plan, |plan| plan.check_finite("ClipNorm"))? else { return Ok(()) };
        let mut clipped = 0;
        for slot in 0..plan.slots() {
            let clip = Clipped::of("ClipNorm", plan.slot_norm(slot), self.limit)?;
            if clip.clipped {
                plan.scale_slot(slot, clip.coef);
                clipped += 1;
            }
        }
        plan.report_units(clipped);
        Ok(())
    }
}
