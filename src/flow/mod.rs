//! Gradient flow: what reaches each layer on the way back.
mod grad_norms;

pub use grad_norms::{GradNorms, Series, sparkline};
