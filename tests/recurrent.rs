//! Recurrent networks: against the obvious loops, closed forms and their own promises.
#[path = "recurrent/case.rs"]
mod case;
#[path = "ops/dual.rs"]
#[allow(dead_code, reason = "the table of ops uses all of it")]
mod dual;
#[path = "common/engine.rs"]
mod engine;
#[path = "recurrent/errors.rs"]
mod errors;
#[path = "recurrent/fused.rs"]
mod fused;
#[path = "recurrent/init.rs"]
mod init;
#[path = "recurrent/oracle.rs"]
mod oracle;
#[path = "recurrent/programs.rs"]
mod programs;
#[path = "recurrent/promises.rs"]
mod promises;
#[path = "recurrent/properties.rs"]
mod properties;
#[path = "common/refused.rs"]
#[allow(unused_macros, reason = "other tests use it")]
mod refused;
