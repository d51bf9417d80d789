//! Gradient flow: what reaches each layer on the way back, and pictures of it.
mod figure;
mod grad_norms;
mod through_time;

pub use figure::Figure;
pub use grad_norms::{GradNorms, Series, sparkline};
pub use through_time::{InTime, ThroughTime, probe};
