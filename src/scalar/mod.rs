//! Derivatives of ordinary functions of numbers: a light tape for programs made of single numbers.
//!
//! Write the function once, over any number, and get its value, gradient, Jacobian, Hessian, and products with them:
//! ```
//! use chainrule::scalar;
//! use num_traits::Float;
//! fn rosenbrock<T: Float>(x: &[T]) -> T {
//!     let hundred = T::from(100).unwrap();
//!     x.windows(2).map(|x| hundred * (x[1] - x[0] * x[0]).powi(2) + (T::one() - x[0]).powi(2)).fold(T::zero(), |a, b| a + b)
//! }
//! let x = [-1.2, 1.0];
//! let g = scalar::grad(|x| rosenbrock(x), &x);
//! let h = scalar::hessian(|x| rosenbrock(x), &x);
//! assert!((g[0] + 215.6).abs() < 1e-12 && (g[1] + 88.0).abs() < 1e-12);
//! assert_eq!(h[0][1], 480.0);
//! ```
//! A generic function is called inside a closure, `|x| rosenbrock(x)`: its name alone stands for one type, and the tape's
//! lifetime needs one for each.
//!
//! | function | gives | passes |
//! | --- | --- | --- |
//! | [`grad`], [`value_and_grad`] | the gradient of a function of one result | 1 reverse |
//! | [`forward_grad`] | the gradient of a function of a few variables | 1 forward |
//! | [`jacobian`] | `J` of a function of several results | 1, and a sweep for every four results |
//! | [`vjp`] | `y_bar^T J` | 1 reverse |
//! | [`jvp`], [`directional`] | `J x_dot` | 1 forward |
//! | [`hvp`] | `H x_dot` | 1 forward over reverse |
//! | [`hessian`] | `H` | 1 forward over reverse for every four variables |
//! | [`taylor`], [`derivatives`] | all orders of a function of one variable | 1 forward, over [`Jet`]s |
//!
//! In a loop, [`Tape::value_and_grad`] allocates nothing after its first call. [`Var`], [`Dual`] and [`Jet`] are numbers like f64, so
//! they nest: any order of derivative, forward over reverse or reverse over reverse.
//!
//! [`Compiled`] and [`CompiledMany`] record a program once and repeat it at other points, many at a time, with its branches as
//! guards. [`scope`] and [`sum_over`] sweep a part at once, so that long sums stay short on the tape.
//!
//! Every derivative stands once, in the table of [`formula`](crate::formula), from which the ops of tensors come, too.
//! Numbers and tensors do not mix; what works on many numbers at once is faster as tensors ([`transform`](crate::transform)).
mod compiled;
mod derive;
mod derived;
mod dual;
mod jet;
mod lower;
mod methods;
mod number;
mod operators;
mod paths;
mod recorder;
mod schedule;
mod scope;
mod series;
mod sweep;
mod symbol;
mod tape;
mod trace;
mod traits;
mod unwind;
mod var;

pub use compiled::{Compiled, CompiledMany};
pub use derive::{directional, forward_grad, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp};
pub use dual::Dual;
pub use jet::{Jet, derivatives, taylor};
pub use number::{Scalar, logsumexp};
pub use scope::{scope, sum_over};
pub use tape::Tape;
pub use trace::Trace;
pub use var::Var;
