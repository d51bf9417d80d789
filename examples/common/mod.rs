//! What the examples share.
#![allow(dead_code, reason = "each example uses a part")]
pub mod claims;
pub mod cli;
pub mod digits;
pub mod linear;
pub mod picture;
pub mod plot;
pub mod terminal;
pub mod verdicts;
