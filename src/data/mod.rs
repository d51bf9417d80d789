//! Data: the IDX format of MNIST and its kin, shuffled batches, accuracy.
mod batches;
mod idx;

pub use batches::{Batches, Dataset, accuracy};
pub use idx::Idx;
