//! Loops over slices and nothing else. Everything is generic once and instantiated here for f32 and f64, so that a
//! user's debug build runs optimised code.
mod blocks;
mod dispatch;
mod gemm;
mod groups;
mod layer_norm;
mod maps;
mod picks;
mod program;
mod records;
pub mod recurrent;
mod reduce;
mod rows;
mod rules;
mod starts;
mod storage;
mod threads;
mod transpose;
mod update;
mod vector;
mod watch;

use crate::real::Base;
pub use blocks::Blocks;
pub use gemm::{Accum, Gemm, Products};
pub use layer_norm::STATS;
pub use maps::{MapOp, Maps, Pass, run};
pub use picks::Picks;
pub use program::{CODES, Code, Guard, Kind, Points, Program, Programs, Relation, Runs, Sweep, WIDE, Zeros};
pub use records::{Handle, Pen, Records, Stored};
pub use rows::Targets;
pub use rules::{Adagrad, Descent, Lion, Moments, Momentum, RmsProp};
pub use storage::{Free, Plain, Storage};
pub use threads::with_threads;
pub use update::{GradientMap, Moved, Step};

/// More axes than this no tensor has.
pub const MAX_AXES: usize = 6;
/// A number for each axis.
pub type Axes = [usize; MAX_AXES];

macro_rules! kernels { ($( $(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? = $kernel:expr; )*) => {
    /// The concrete kernels of an element type.
    pub trait Kernels: Maps + Products + transpose::Tile + recurrent::Tiles {
        $( $(#[$doc])* fn $name($($arg: $ty),*) $(-> $ret)?; )*
    }
    macro_rules! instantiate { ($f:ident) => {
        impl Kernels for $f {
            $( fn $name($($arg: $ty),*) $(-> $ret)? { $kernel($($arg),*) } )*
        }
    } }
} }

kernels! {
    /// `out = a + b`.
    fn add_slices(a: &[Self], b: &[Self], out: &mut [Self]) = vector::add;
    /// `out = a - b`.
    fn sub_slices(a: &[Self], b: &[Self], out: &mut [Self]) = vector::sub;
    /// `out += x`.
    fn add_into(out: &mut [Self], x: &[Self]) = vector::add_into;
    /// `out += c * x`.
    fn axpy(c: Self, x: &[Self], out: &mut [Self]) = vector::axpy;
    /// `out += c * (x - out)`.
    fn lerp_into(c: Self, x: &[Self], out: &mut [Self]) = vector::lerp_into;
    /// `out *= c`.
    fn scale_by(c: Self, out: &mut [Self]) = vector::scale_by;
    /// `out = c` everywhere.
    fn fill(c: Self, out: &mut [Self]) = fill;
    /// `out = x`.
    fn copy(x: &[Self], out: &mut [Self]) = copy;
    /// Copies blocks.
    fn copy_blocks(b: Blocks, x: &[Self], out: &mut [Self]) = blocks::copy;
    /// Adds blocks.
    fn add_blocks(b: Blocks, x: &[Self], out: &mut [Self]) = blocks::add;
    /// `out` in row-major order over `sizes`, read from `x` with these steps (0: a broadcast axis).
    fn strided(sizes: &[usize], steps: &[usize], x: &[Self], out: &mut [Self]) = blocks::strided;
    /// Rows of the last axis, one after the other, to the places of `out` that these steps lead to from `start`.
    fn place(sizes: &[usize], steps: &[usize], start: usize, x: &[Self], out: &mut [Self]) = blocks::place;
    /// `[.., n, inner]` with the middle axis backwards.
    fn reverse(n: usize, inner: usize, x: &[Self], out: &mut [Self]) = blocks::reverse;
    /// Blocks of `inner` elements at the places `ids` of an axis of `n`.
    fn index_select(n: usize, inner: usize, x: &[Self], ids: &[u32], out: &mut [Self]) = blocks::index_select;
    /// The transpose of `index_select`: adds, in the order of `ids`.
    fn index_add(n: usize, inner: usize, x: &[Self], ids: &[u32], out: &mut [Self]) = blocks::index_add;
    /// One element for each of `ids`, whose place along an axis is its id.
    fn gather(p: Picks<'_>, x: &[Self], out: &mut [Self]) = picks::gather;
    /// The transpose of `gather`: adds, in order.
    fn scatter_add(p: Picks<'_>, src: &[usize], x: &[Self], out: &mut [Self]) = picks::scatter_add;
    /// `out` of `[columns, rows]` from `x` of `[rows, columns]`.
    fn transpose(rows: usize, columns: usize, x: &[Self], out: &mut [Self]) = transpose::transpose;
    /// The sum over the axes of step 0.
    fn sum_axes(sizes: &[usize], steps: &[usize], x: &[Self], out: &mut [Self]) = reduce::sum;
    /// The largest over the axes of step 0; a NaN wins.
    fn max_axes(sizes: &[usize], steps: &[usize], x: &[Self], out: &mut [Self]) = reduce::max;
    /// The smallest over the axes of step 0; a NaN wins.
    fn min_axes(sizes: &[usize], steps: &[usize], x: &[Self], out: &mut [Self]) = reduce::min;
    /// The squared deviations from the mean of each row of `n`, added up and divided.
    fn variance(n: usize, divisor: f64, x: &[Self], out: &mut [Self]) = groups::variance;
    /// The root of that, where that itself may not be representable.
    fn deviation(n: usize, divisor: f64, x: &[Self], out: &mut [Self]) = groups::deviation;
    /// The Euclidean norm of each row of `n`.
    fn norms(n: usize, x: &[Self], out: &mut [Self]) = groups::norm;
    /// The logarithm of the sum of exponentials of each row of `n`.
    fn logsumexp(n: usize, x: &[Self], out: &mut [Self]) = groups::logsumexp;
    /// The product of each row of `n`.
    fn products(n: usize, x: &[Self], out: &mut [Self]) = groups::product;
    /// Where the largest or smallest along the middle axis of `[.., n, inner]` is.
    fn extreme_at(n: usize, inner: usize, largest: bool, x: &[Self], out: &mut [u32]) = groups::extreme_at;
    /// Softmax of each row of `n`.
    fn softmax(n: usize, x: &[Self], out: &mut [Self]) = rows::softmax;
    /// Its logarithm.
    fn log_softmax(n: usize, x: &[Self], out: &mut [Self]) = rows::log_softmax;
    /// Softmax into `out`; returns the sum over rows of `-ln p[label]`.
    fn softmax_nll(n: usize, x: &[Self], labels: &[u32], out: &mut [Self]) -> f64 = rows::softmax_nll;
    /// `p = (p - one_hot(labels)) * c`.
    fn nll_grad(n: usize, p: &mut [Self], labels: &[u32], c: Self) = rows::nll_grad;
    /// Softmax into `p`, the loss of each row into `losses` unless that is empty; returns their sum.
    fn cross_entropy(t: Targets<'_>, n: usize, x: &[Self], p: &mut [Self], losses: &mut [Self]) -> f64 = rows::cross_entropy;
    /// The losses of log-probabilities instead of logits.
    fn nll(t: Targets<'_>, n: usize, x: &[Self], losses: &mut [Self]) -> f64 = rows::nll;
    /// Turns the softmax into the cotangent of the logits, for a cotangent `y_bar * c` of each row's loss.
    fn cross_entropy_grad(t: Targets<'_>, n: usize, p: &mut [Self], y_bar: &[Self], c: f64) = rows::cross_entropy_grad;
    /// Rows as long as `weight`, normalised; keeps [`STATS`] numbers for each.
    fn layer_norm(eps: f64, x: &[Self], weight: &[Self], bias: &[Self], out: &mut [Self], stats: &mut [Self]) = layer_norm::forward;
    /// The cotangent of its output becomes that of its input.
    fn layer_norm_input(x: &[Self], weight: &[Self], stats: &[Self], bar: &mut [Self]) = layer_norm::backward;
    /// The cotangents of its weight and bias.
    fn layer_norm_parameters(x: &[Self], stats: &[Self], y_bar: &[Self], weight: &mut [Self], bias: &mut [Self]) =
        |x, stats, y_bar, weight: &mut [Self], bias| layer_norm::parameters(weight.len(), 0, x, stats, y_bar, weight, bias);
    /// A recurrent cell over a sequence.
    fn recurrent_forward(job: recurrent::Forward<'_, Self>) = recurrent::forward;
    /// Its reverse.
    fn recurrent_backward(job: recurrent::Backward<'_, Self>) = recurrent::backward;
    /// Zero with probability `p`, else `x / (1 - p)`; the mask is a function of key and element.
    fn dropout(key: u64, p: f64, x: &[Self], out: &mut [Self]) = vector::dropout;
    /// The sum of the products of elements.
    fn dot(a: &[Self], b: &[Self]) -> f64 = reduce::dot;
    /// Fast; overflows and underflows as f64 does.
    fn sum_squares(x: &[Self]) -> f64 = reduce::sum_squares;
    /// Of `x / unit`, with `x` limited to `-limit..=limit` first.
    fn sum_squares_scaled(x: &[Self], unit: f64, limit: f64) -> f64 = reduce::sum_squares_scaled;
    /// The largest absolute value; NaN wins.
    fn max_abs(x: &[Self]) -> f64 = reduce::max_abs;
    /// Whether no entry is NaN or infinite.
    fn all_finite(x: &[Self]) -> bool = watch::all_finite;
    /// The sum of squares to about six digits, faster.
    fn quick_squares(x: &[Self]) -> f64 = watch::squares;
    /// How many entries are 0, and how many are 0 or subnormal.
    fn tiny(x: &[Self]) -> [usize; 2] = watch::tiny;
    /// Adds to `counts`, for each column, in how many rows the entry is above 0.
    fn active(x: &[Self], counts: &mut [u32]) = watch::active;
    /// With `t = scale * x + shift`: the sum of `1 - t^2`, and how many `t` are outside of `-bar..=bar`.
    fn bends(scale: Self, shift: Self, bar: Self, x: &[Self]) -> (f64, usize) = watch::bends;
    /// Limits entries to `-limit..=limit`; how many were outside.
    fn clamp_abs(x: &mut [Self], limit: Self) -> usize = vector::clamp_abs;
    /// How far it is from one to the other.
    fn moved(before: &[Self], after: &[Self]) -> Moved = update::moved;
    /// One step of gradient descent.
    fn descent(rule: Descent<Self>, step: Step<'_, Self, 0>) = update::run;
    /// One step with a velocity.
    fn momentum(rule: Momentum<Self>, step: Step<'_, Self, 1>) = update::run;
    /// One step of Adam and its kin.
    fn moments(rule: Moments<Self>, step: Step<'_, Self, 2>) = update::run;
    /// The same, with the largest second moment so far.
    fn moments_max(rule: Moments<Self>, step: Step<'_, Self, 3>) = update::run;
    /// One step of RMSProp.
    fn rms_prop(rule: RmsProp<Self, false>, step: Step<'_, Self, 1>) = update::run;
    /// The same, with momentum.
    fn rms_prop_momentum(rule: RmsProp<Self, false>, step: Step<'_, Self, 2>) = update::run;
    /// Centred RMSProp.
    fn rms_prop_centered(rule: RmsProp<Self, true>, step: Step<'_, Self, 2>) = update::run;
    /// The same, with momentum.
    fn rms_prop_centered_momentum(rule: RmsProp<Self, true>, step: Step<'_, Self, 3>) = update::run;
    /// One step of Adagrad.
    fn adagrad(rule: Adagrad<Self>, step: Step<'_, Self, 1>) = update::run;
    /// One step of Lion.
    fn lion(rule: Lion<Self>, step: Step<'_, Self, 1>) = update::run;
}
instantiate! { f32 }
instantiate! { f64 }

fn fill<F: Base>(c: F, out: &mut [F]) {
    out.fill(c);
}

fn copy<F: Base>(x: &[F], out: &mut [F]) {
    out.copy_from_slice(x);
}
