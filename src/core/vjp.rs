use crate::{
    core::{GateMean, StateNorm, TensorLike},
    error::{Error, ErrorKind},
    tensor::{Shape, Tensor},
};
use std::{ops::Range, panic::Location};

/// Where time steps are reported; only while an observer listens.
pub(crate) trait StepSink {
    fn time_step(&mut self, step: usize, steps: usize, states: &[StateNorm], gates: &[GateMean]);
}

/// What a reverse rule sees, and where it puts its results.
pub struct Vjp<'a, T: TensorLike> {
    /// By node, like `cotangents`.
    pub(crate) values: &'a [T],
    pub(crate) ids: &'a [u32],
    pub(crate) output: usize,
    /// Empty when the rule itself is recorded.
    pub(crate) saved: &'a mut [Tensor<T::Elem>],
    /// Whether this sweep ends the recording.
    pub(crate) ending: bool,
    pub(crate) wants: u32,
    pub(crate) given: u32,
    pub(crate) misshapen: Option<(usize, Shape)>,
    pub(crate) cotangents: &'a mut [Option<T>],
    pub(crate) steps: Option<&'a mut dyn StepSink>,
}

impl<'a, T: TensorLike> Vjp<'a, T> {
    /// The primal of input `i`.
    #[inline]
    pub fn input(&self, i: usize) -> &'a T {
        &self.values[self.ids[i] as usize]
    }

    /// How many inputs there are.
    #[inline]
    pub fn inputs(&self) -> usize {
        self.ids.len()
    }

    /// The primal of output `k`.
    #[inline]
    pub fn output(&self, k: usize) -> &'a T {
        &self.values[self.output + k]
    }

    /// The cotangent of output `k`, once; `None` if nothing depends on it.
    #[inline]
    pub fn y_bar(&mut self, k: usize) -> Option<T> {
        self.cotangents[self.output + k].take()
    }

    /// Whether input `i` leads to anything differentiable (inputs past the 31st share one answer).
    #[inline]
    pub fn wants(&self, i: usize) -> bool {
        self.wants >> i.min(31) & 1 == 1
    }

    /// The `i`-th kept tensor in first order; `recompute`d by recorded ops in higher orders.
    pub fn saved(&self, i: usize, recompute: impl FnOnce() -> T) -> T {
        match self.saved.get(i) {
            Some(t) => self.output(0).constant(t),
            None => recompute(),
        }
    }

    /// [`saved`](Self::saved), moved out where the sweep ends the recording, so that a rule may write over it.
    pub fn take_saved(&mut self, i: usize, recompute: impl FnOnce() -> T) -> T {
        match self.saved.get_mut(i) {
            Some(t) if self.ending => self.values[self.output].constant(&t.take()),
            _ => self.saved(i, recompute),
        }
    }

    /// Adds to the cotangent of input `i`; computes nothing if nobody wants it. The cotangent must have the input's shape.
    #[inline]
    pub fn give(&mut self, i: usize, cotangent: impl FnOnce() -> T) {
        if !self.wants(i) {
            return;
        }
        self.given |= 1 << i.min(31);
        let x_bar = cotangent();
        if x_bar.shape() != self.input(i).shape() {
            self.misshapen = Some((i, x_bar.shape()));
            return;
        }
        // Add, never assign: a value used twice receives one cotangent per use, and the chain rule sums them.
        match &mut self.cotangents[self.ids[i] as usize] {
            Some(sum) => sum.accumulate(x_bar),
            empty => *empty = Some(x_bar),
        }
    }

    /// Adds to a stretch `range` along `axis` of the cotangent of input `i`.
    pub fn give_at(&mut self, i: usize, axis: usize, range: Range<usize>, cotangent: impl FnOnce() -> T) {
        if !self.wants(i) {
            return;
        }
        self.given |= 1 << i.min(31);
        let (x_bar, shape) = (cotangent(), self.input(i).shape());
        let fits = axis < shape.rank() && range.start <= range.end && range.end <= shape[axis];
        if !fits || x_bar.shape() != shape.with(axis, range.len()) {
            self.misshapen = Some((i, x_bar.shape()));
            return;
        }
        T::accumulate_at(&mut self.cotangents[self.ids[i] as usize], shape, axis, range.start, x_bar);
    }

    /// Declines: the derivative with respect to input `i` is zero, or not defined, by intent.
    #[inline]
    pub fn none(&mut self, i: usize) {
        self.given |= 1 << i.min(31);
    }

    /// Whether an observer wants to hear of [`time_step`](Self::time_step)s; false in higher orders.
    #[inline]
    pub fn listening(&self) -> bool {
        self.steps.is_some()
    }

    /// Tells the observer of step `step` of `steps` inside a recurrent op: the norms of the cotangents of its states and the means of
    /// its gates.
    pub fn time_step(&mut self, step: usize, steps: usize, states: &[StateNorm], gates: &[GateMean]) {
        if let Some(sink) = &mut self.steps {
            sink.time_step(step, steps, states, gates);
        }
    }

    /// Whether the rule did what it must.
    pub(crate) fn check(&self, op: &str, at: &Location<'_>) -> Result<(), Error> {
        if self.wants & !self.given == 0 && self.misshapen.is_none() {
            return Ok(());
        }
        Err(self.bad_rule(op, at))
    }

    #[cold]
    fn bad_rule(&self, op: &str, at: &Location<'_>) -> Error {
        let what = match self.misshapen {
            Some((i, shape)) => format!(
                "gave input {i}, of shape {}, a cotangent of another shape, {shape} (sum_to(x.shape()) undoes a broadcast)",
                self.input(i).shape()
            ),
            None => {
                let i = (self.wants & !self.given).trailing_zeros();
                format!("gave no cotangent for input {i} (cx.none declines on purpose)")
            }
        };
        Error::new(ErrorKind::BadRule, format!("{op}: its rule {what}; recorded at {at}"))
    }
}
