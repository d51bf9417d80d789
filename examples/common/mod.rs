//! What the examples share.
#![allow(dead_code, reason = "each example uses a part")]
pub mod digits;
pub mod terminal;
