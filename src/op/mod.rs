//! Every op that is not a row of the table: one forward kernel and one reverse rule each, side by side.
mod arrange;
mod dot;
mod elementwise;
mod gather;
mod index;
mod layer_norm;
mod matmul;
mod product;
mod random;
pub mod recurrent;
mod reduce;
mod shape;
mod softmax;
mod statistics;
pub mod targets;

pub use crate::kernel::MapOp;
pub use arrange::{Flip, Pad, Stack};
pub(crate) use arrange::{check_split, split_axis};
pub use dot::Dot;
pub(crate) use elementwise::fused_vjp;
pub use elementwise::{Add, Map, Sub};
pub use gather::{Gather, ScatterAdd};
pub use index::{Concat, IndexAdd, IndexSelect, PadAxis, Slice};
pub use layer_norm::LayerNorm;
pub use matmul::{Linear, MatMul};
pub use product::Product;
pub use random::Dropout;
pub use reduce::{Keep, Max, Min, Sum};
pub(crate) use reduce::{Reduction, axis_set, extreme_at};
pub use shape::{BroadcastTo, Permute, Reshape};
pub(crate) use shape::{same_shape, squeezed, unsqueezed};
pub use softmax::{LogSoftmax, Nll, Softmax, SoftmaxCrossEntropy};
pub use statistics::{Deviation, LogSumExp, Norm, Variance};
pub use targets::LabelTargets;

use crate::error::{Error, ErrorKind};
use std::panic::Location;

/// A shape error with the line of the caller's caller.
#[cold]
#[track_caller]
fn fail(e: Error) -> ! {
    panic!("{e} ({})", Location::caller())
}

#[cold]
fn shape_error(message: String) -> Error {
    Error::new(ErrorKind::Shape, message)
}

/// Panics unless the axis exists.
#[track_caller]
fn check_axis(op: &str, shape: crate::tensor::Shape, axis: usize) {
    if axis >= shape.rank() {
        fail(shape_error(format!("{op}: axis {axis} of shape {shape}, which has {} axes", shape.rank())));
    }
}
