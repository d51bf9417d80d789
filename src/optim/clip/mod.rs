//! Links that limit gradients.
mod agc;
mod auto;
mod norm;

pub use agc::Agc;
pub use auto::{AutoClip, ZClip};
pub use norm::{ClipGlobalNorm, ClipNorm, ClipValue};

use super::Plan;
use crate::{
    error::{Error, ErrorKind},
    tensor::Real,
};

/// What a link does with gradients, or next values of running statistics, that have an entry that is NaN or infinite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NonFinite {
    /// The step is an error that names the first such path; nothing changes.
    #[default]
    Error,
    /// The step is skipped, and its report says so; nothing changes, no state advances.
    Skip,
    /// Those entries of gradients count as 0 in this step, and the report counts them. Running statistics with such an
    /// entry stay as they are; the others are committed.
    Zero,
}

/// What `measure` finds, or what the policy makes of gradients that are not finite: `None` for a step that is skipped.
fn under<F: Real, T>(
    policy: NonFinite,
    plan: &mut Plan<'_, F>,
    mut measure: impl FnMut(&mut Plan<'_, F>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    match (measure(plan), policy) {
        (Err(e), NonFinite::Skip) if e.kind() == ErrorKind::NonFinite => {
            plan.skip();
            Ok(None)
        }
        (Err(e), NonFinite::Zero) if e.kind() == ErrorKind::NonFinite => {
            plan.zero_non_finite();
            measure(plan).map(Some)
        }
        (found, _) => found.map(Some),
    }
}

/// The method of a type with a field `policy`.
macro_rules! policy {
    () => {
        /// With another policy for gradients that are not finite.
        pub fn non_finite(mut self, policy: NonFinite) -> Self {
            self.policy = policy;
            self
        }
    };
}
use policy;
