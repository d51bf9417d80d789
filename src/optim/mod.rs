//! Optimizers and the links before them.
//!
//! An optimizer's step first *plans*, which may fail and changes nothing, then *applies*, which cannot fail. A tuple of
//! links with an optimizer at its end is an optimizer, and its links act in the order written:
//!
//! ```
//! use chainrule::prelude::*;
//! let mut opt = (ClipValue::new(0.5), ClipGlobalNorm::new(1.0), Adam::new(1e-3));
//! let mut net = Param::new(Tensor::new([2], vec![1.0, 2.0]));
//! let mut tape = Tape::new();
//! let x = tape.begin().param(&net);
//! let g = (x * x).sum().backward(&net)?;
//! let report = opt.step(&mut net, &g)?;
//! assert_eq!(report.norm, Some(0.5f64.sqrt()));
//! # Ok::<(), Error>(())
//! ```
//!
//! | for | there are |
//! | --- | --- |
//! | optimizers | [`Sgd`], [`Adam`], [`AdamW`], [`NAdam`], [`RAdam`], [`RmsProp`], [`Adagrad`], [`Lion`] |
//! | clips | [`ClipGlobalNorm`], [`ClipNorm`] (each tensor), [`ClipValue`], [`Agc`] (each unit), [`AutoClip`], [`ZClip`] |
//! | groups of parameters | [`Groups`]: learning rate, weight decay, freezing, by path |
//! | learning rates | [`schedule`] |
//! | programs of single numbers | [`Numbers`]: their parameters by name |
//! | reading what a step did | [`StepReport`]; [`ReportUpdates`] adds the norms of updates |
//!
//! State is kept by path and counts the steps of each parameter: one that has no gradient (because it is frozen) in some
//! steps does not advance in them.
mod adagrad;
mod adam;
mod change;
mod clip;
mod common;
mod groups;
mod link;
mod lion;
mod numbers;
mod plan;
mod report;
mod rms_prop;
pub mod schedule;
mod sgd;
mod variants;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use clip::{Agc, AutoClip, ClipGlobalNorm, ClipNorm, ClipValue, NonFinite, ZClip};
pub use groups::Groups;
pub use link::{Link, Optimizer};
pub use lion::Lion;
pub use numbers::Numbers;
pub use plan::{Plan, Update};
pub use report::{ReportUpdates, StepReport, Updates};
pub use rms_prop::RmsProp;
pub use sgd::Sgd;
pub use variants::{NAdam, RAdam};

use crate::{
    error::{Error, ErrorKind},
    tensor::Real,
};

/// Refuses a setting that is negative, or that the element type cannot hold.
fn check_setting<F: Real>(who: &str, what: &str, value: f64) -> Result<(), Error> {
    if F::of(value).is_finite() && value >= 0.0 {
        return Ok(());
    }
    let name = F::NAME;
    Err(Error::new(ErrorKind::BadData, format!("{who}: {what} must be at least 0 and finite in {name}, got {value}")))
}

/// Refuses a setting that is 0, or that the element type takes for 0.
fn check_positive<F: Real>(who: &str, what: &str, value: f64) -> Result<(), Error> {
    if F::of(value).is_finite() && F::of(value) > F::zero() {
        return Ok(());
    }
    let name = F::NAME;
    Err(Error::new(ErrorKind::BadData, format!("{who}: {what} must be above 0 and finite in {name}, got {value}")))
}

/// Refuses a setting outside `0 <= value < 1`.
fn check_fraction(who: &str, what: &str, value: f64) -> Result<(), Error> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::BadData, format!("{who}: {what} must be at least 0 and below 1, got {value}")))
}
