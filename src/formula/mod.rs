//! The derivatives of elementwise ops, and the numbers they are generic over.
mod erf;
mod expm1;
mod lanes;
mod number;
mod single;
mod table;

pub use lanes::{Fused, Lane, Lanes, Plain};
pub use number::Number;
pub use table::*;
