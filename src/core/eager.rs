//! The vocabulary on plain tensors: computes, records nothing.
use crate::{
    core::{Composed, DynLayer, Eager, Op, OpMany, Outputs, Param, Saved, Tape, TensorLike, Vjp},
    kernel::MapOp,
    op::{PadAxis, fused_vjp},
    tensor::{Real, Shape, Tensor},
};
use std::borrow::Cow;

impl<F: Real> TensorLike for Tensor<F> {
    type Elem = F;
    type Place = Eager<F>;

    #[track_caller]
    #[inline]
    fn apply<O: Op<F>>(op: O, inputs: &[&Self]) -> Self {
        op.forward(inputs, &mut Saved(None))
    }
    #[track_caller]
    fn apply_many<O: OpMany<F>>(op: O, inputs: &[&Self]) -> Outputs<Self> {
        op.forward(inputs, &mut Saved(None))
    }
    fn place(&self) -> Eager<F> {
        Eager::HERE
    }
    fn value(&self) -> Tensor<F> {
        self.clone()
    }
    #[inline]
    fn shape(&self) -> Shape {
        self.shape()
    }
    fn tag(self, _: &Param<F>) -> Self {
        self
    }
    fn watch(self, _: impl Into<Cow<'static, str>>) -> Self {
        self
    }
    #[track_caller]
    fn through_dyn(&self, layer: &dyn DynLayer<F>) -> Self {
        layer.on_tensor(self)
    }
    #[inline]
    fn accumulate(&mut self, g: Self) {
        match self.unique_data() {
            Some(sum) => F::add_into(sum, g.data()),
            None => *self = TensorLike::add(self, &g),
        }
    }
    fn accumulate_at(slot: &mut Option<Self>, shape: Shape, axis: usize, start: usize, g: Self) {
        let sum = slot.get_or_insert_with(|| Tensor::filled(shape, F::zero()));
        F::add_blocks(PadAxis::blocks(shape, axis, start, g.shape()[axis]), g.data(), sum.data_mut());
    }
    #[track_caller]
    fn composed_vjp<C: Composed<F>>(op: &C, cx: &mut Vjp<'_, Self>) {
        let mut tape = Tape::new();
        let r = tape.begin();
        let x: Vec<_> = (0..cx.inputs()).map(|i| r.variable(cx.input(i))).collect();
        let y = op.compose(&x.iter().collect::<Vec<_>>());
        let total = y.iter().enumerate().filter_map(|(k, y)| cx.y_bar(k).map(|y_bar| y.dot(&r.constant(&y_bar))));
        let total = total.reduce(|a, b| a + b).expect("a rule runs if an output has a cotangent");
        let bars = total.grads_of(&x).unwrap_or_else(|e| panic!("{e}"));
        for (i, x_bar) in bars.into_iter().enumerate() {
            cx.give(i, || x_bar);
        }
    }
    #[inline]
    fn map_vjp<O: MapOp<N>, const N: usize>(op: O, cx: &mut Vjp<'_, Self>, y_bar: Self) {
        fused_vjp(op, cx, y_bar);
    }
}
