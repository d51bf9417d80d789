//! Reverse-mode automatic differentiation that is fast on a CPU and tells you why your network is not learning.
//!
//! A gradient of a tensor expression:
//! ```
//! use chainrule::prelude::*;
//! let mut tape = Tape::new();
//! let x = tape.begin().variable(&Tensor::new([3], vec![0.5, -1.0, 2.0]));
//! let g = (x.tanh() * x).sum().grads_of(&[x])?;
//! assert!((g[0].data()[0] - (0.5f32.tanh() + 0.5 / 0.5f32.cosh().powi(2))).abs() < 1e-6);
//! # Ok::<(), Error>(())
//! ```
//! A network, a loss, gradients by path, a clipped step:
//! ```
//! use chainrule::prelude::*;
//!
//! struct Mlp { hidden: Dense, out: Dense }
//! module!(Mlp { hidden, out });
//!
//! impl Layer for Mlp {
//!     fn forward<T: TensorLike<Elem = f32>>(&self, x: &T) -> T {
//!         self.out.forward(&self.hidden.forward(x).relu())
//!     }
//! }
//!
//! let mut rng = Rng::seed(42);
//! let mut net = Mlp { hidden: Dense::new(4, 16, &mut rng), out: Dense::new(16, 3, &mut rng) };
//! let (mut opt, mut tape) = (Adam::new(1e-2), Tape::new());
//! let x = Tensor::uniform([30, 4], -1.0, 1.0, &mut rng);
//! let y = Labels::new((0..30).map(|i| i % 3), 3)?;
//! for _ in 0..10 {
//!     let r = tape.begin();
//!     let loss = net.forward(&r.constant(&x)).softmax_cross_entropy(&y);
//!     let mut g = loss.backward(&net)?;
//!     let clip = g.clip_global_norm(1.0)?;
//!     for (path, d) in g.iter() { println!("{path:14} {:.3e} of {:.3e}", d.norm(), clip.norm); }
//!     opt.step(&mut net, &g)?;
//! }
//! let logits = net.forward(&x); // plain tensors: no tape, nothing recorded
//! # assert_eq!(*logits.shape(), [30, 3]);
//! # Ok::<(), Error>(())
//! ```
//! The words to learn, and where they are:
//!
//! | word | what it is |
//! | --- | --- |
//! | [`Tensor`] | numbers in a shape; mathematics on it records nothing |
//! | [`Tape`], [`Recording`], [`Var`] | where a step is recorded, and a recorded value |
//! | [`TensorLike`] | the vocabulary: every op, on both of them |
//! | [`Param`], [`Module`], [`module!`] | what is trained, and a tree of it, with paths |
//! | [`Layer`], [`AnyLayer`], [`nn`] | a forward pass; ready-made ones |
//! | [`Grads`] | gradients by path: owned, summed, clipped |
//! | [`optim`] | optimizers and the links before them |
//! | [`Observer`], [`flow`] | what a backward pass shows of itself; pictures |
//! | [`transform`] | grad, vjp, jvp, hvp, jacobian, hessian of a function of tensors |
//! | [`scalar`] | the same of a function of single numbers |
//! | [`core::Op`], [`check`] | an op of your own, and its gradient check |
//! | [`data`] | IDX files, batches, accuracy |
#![deny(unreachable_pub, clippy::print_stdout, clippy::print_stderr)]

pub mod check;
pub mod core;
pub mod data;
pub mod error;
pub mod flow;
pub mod formula;
#[doc(hidden)]
pub mod kernel;
pub mod nn;
pub mod op;
pub mod optim;
pub mod prelude;
#[doc(hidden)]
pub mod real;
pub mod rng;
pub mod scalar;
pub mod tensor;
pub mod transform;

pub use crate::core::{
    AnyLayer, Eager, Grads, Layer, Module, Observer, Param, Place, Recording, Role, Tape, TensorLike, Var,
};
pub use error::{Error, ErrorKind};
pub use kernel::with_threads;
pub use rng::Rng;
pub use tensor::{Labels, Real, Shape, Tensor};

/// The code of README.md and of the guides, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
#[cfg(doctest)]
#[doc = include_str!("../docs/writing-a-layer.md")]
struct WritingALayer;
#[cfg(doctest)]
#[doc = include_str!("../docs/training.md")]
struct Training;
#[cfg(doctest)]
#[doc = include_str!("../docs/recurrent.md")]
struct RecurrentNetworks;
#[cfg(doctest)]
#[doc = include_str!("../docs/gradient-flow.md")]
struct GradientFlow;
