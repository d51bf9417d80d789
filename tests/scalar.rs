//! Derivatives of functions of single numbers.
#[path = "scalar/arena.rs"]
mod arena;
#[path = "scalar/checks.rs"]
mod checks;
#[path = "scalar/closed_forms.rs"]
mod closed_forms;
#[path = "scalar/compiled.rs"]
mod compiled;
#[allow(dead_code, reason = "the tests of ops use the rest")]
#[path = "ops/dual.rs"]
mod dual;
#[path = "scalar/edges.rs"]
mod edges;
#[path = "scalar/extremes.rs"]
mod extremes;
#[path = "scalar/functions.rs"]
mod functions;
#[path = "scalar/jets.rs"]
mod jets;
#[path = "scalar/misuse.rs"]
mod misuse;
#[path = "scalar/orders.rs"]
mod orders;
#[path = "scalar/programs.rs"]
mod programs;
#[path = "scalar/rules.rs"]
mod rules;
#[path = "scalar/scopes.rs"]
mod scopes;
#[path = "scalar/traits.rs"]
mod traits;
