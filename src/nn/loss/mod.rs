//! Losses: settings once, `forward` on recorded values and on plain tensors.
mod classes;
mod distance;
mod probability;

pub use crate::op::targets::Reduction;
pub use classes::{CrossEntropy, Nll};
pub use distance::{Huber, L1, Mse, SmoothL1};
pub use probability::{BceWithLogits, KlDiv};

use crate::{
    core::TensorLike,
    error::{Error, ErrorKind},
};

#[track_caller]
fn reduced<T: TensorLike>(losses: T, reduction: Reduction) -> T {
    match reduction {
        Reduction::Mean => losses.mean(),
        Reduction::Sum => losses.sum(),
        Reduction::None => losses,
    }
}

/// A setting that must be a number of some kind.
fn setting(fits: bool, message: impl FnOnce() -> String) -> Result<(), Error> {
    if fits { Ok(()) } else { Err(Error::new(ErrorKind::BadData, message())) }
}
