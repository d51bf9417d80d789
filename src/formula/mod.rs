//! The derivatives of elementwise ops, and the numbers they are generic over.
mod double;
mod erf;
mod expm1;
mod functions;
mod gamma;
mod lanes;
mod number;
mod single;
mod table;

pub use functions::*;
pub use lanes::{Fused, Lane, Lanes, Plain};
pub use number::Number;
pub use table::*;
