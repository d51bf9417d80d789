//! A sequence by the fused kernel: forward, and the first-order rule.
use super::{Named, Recurrence, Sequence};
use crate::{
    core::{GateMean, Outputs, Saved, StateNorm, Vjp},
    kernel::recurrent::{Backward, Cells, Dims, Forward, Input, Squares, Sums},
    tensor::{Labels, Real, Shape, Tensor},
};
use smallvec::SmallVec;

fn input<'a, F: Real>(x: Option<&'a Tensor<F>>, tokens: Option<&'a Labels>) -> Input<'a, F> {
    match (x, tokens) {
        (Some(x), _) => Input::Dense(x.data()),
        (None, tokens) => Input::Tokens(tokens.map_or(&[], Labels::ids)),
    }
}

/// Numbers that somebody else will write.
fn buffer<F: Real>(shape: impl Into<Shape>) -> Tensor<F> {
    Tensor::build(shape, |_| ())
}

pub(super) fn forward<F: Real, C: Recurrence>(
    op: &Sequence<C>,
    named: &Named<'_, Tensor<F>>,
    dims: Dims,
    saved: &mut Saved<'_, F>,
) -> Outputs<Tensor<F>> {
    let (cell, Named { x, w, state }) = (op.cell.kernel(), named);
    let keep = saved.0.is_some();
    let mut y = buffer([dims.steps, dims.batch, dims.hidden]);
    let mut last = C::CELL_STATE.then(|| buffer([dims.batch, dims.hidden]));
    let (mut gates, mut c) = (buffer([0]), buffer([0]));
    if dims.batch * dims.hidden > 0 {
        (gates, c) = (buffer([cell.gates(dims, keep)]), buffer([cell.states(dims, keep)]));
        let mut scratch = buffer([cell.forward_scratch::<F>(dims, op.tokens.is_some())]);
        F::recurrent_forward(Forward {
            cell,
            dims,
            x: input(*x, op.tokens.as_ref()),
            w_ih: w.w_ih.data(),
            w_hh: w.w_hh.data(),
            bias: w.bias.map(|(ih, hh)| (ih.data(), hh.data())),
            h0: state.map(|s| s.h.data()),
            c0: state.and_then(|s| s.c).map(Tensor::data),
            y: y.data_mut(),
            keep,
            gates: gates.data_mut(),
            c: c.data_mut(),
            last: last.as_mut().map_or(&mut [], Tensor::data_mut),
            scratch: scratch.data_mut(),
        });
    }
    saved.keep(&gates);
    saved.keep(&c);
    [y].into_iter().chain(last).collect()
}

pub(super) fn vjp<F: Real, C: Recurrence>(op: &Sequence<C>, cx: &mut Vjp<'_, Tensor<F>>) {
    let inputs: SmallVec<[&Tensor<F>; 8]> = (0..cx.inputs()).map(|i| cx.input(i)).collect();
    let named = op.named(&inputs);
    let dims =
        super::check::sequence::<C>(named.x.map(|x| x.shape()), op.tokens.as_ref(), &named.w, named.state.as_ref());
    let (y_bar, last_bar) = (cx.y_bar(0), if C::CELL_STATE { cx.y_bar(1) } else { None });
    let (first, cell) = (usize::from(named.x.is_some()), op.cell.kernel());
    let wants: SmallVec<[bool; 8]> = (0..inputs.len()).map(|i| cx.wants(i)).collect();
    let trained = wants[first..first + 2 + if op.bias { 2 } else { 0 }].contains(&true);
    let state = first + 2 + if op.bias { 2 } else { 0 };

    let empty = dims.batch * dims.hidden == 0;
    let zeros =
        |wanted: bool, like: Shape| wanted.then(|| if empty { Tensor::filled(like, F::zero()) } else { buffer(like) });
    let mut x_bar = named.x.and_then(|x| zeros(wants[0], x.shape()));
    let rows = named.w.w_ih.shape()[0];
    let mut weights =
        [named.w.w_ih.shape(), named.w.w_hh.shape(), [rows].into(), [rows].into()].map(|s| zeros(trained, s));
    let mut states = [0, 1].map(|k| wants.get(state + k).and_then(|&w| zeros(w, inputs[state + k].shape())));
    let mut heard: Vec<Sums> = if cx.listening() { vec![Sums::default(); cell.sums(dims)] } else { vec![] };
    if !empty {
        let mut gates = cx.take_saved(0, || unreachable!("kept by forward"));
        let c = cx.saved(1, || unreachable!("kept by forward"));
        let mut scratch = buffer([cell.backward_scratch::<F>(
            dims,
            op.tokens.is_some(),
            x_bar.as_ref().is_some_and(|x| x.shape().size() > 0),
        )]);
        let [h0_bar, c0_bar] = &mut states;
        let [w_ih, w_hh, b_ih, b_hh] = &mut weights;
        F::recurrent_backward(Backward {
            cell,
            dims,
            x: input(named.x, op.tokens.as_ref()),
            w_ih: named.w.w_ih.data(),
            w_hh: named.w.w_hh.data(),
            h0: named.state.map(|s| s.h.data()),
            c0: named.state.and_then(|s| s.c).map(Tensor::data),
            y: cx.output(0).data(),
            gates: gates.data_mut(),
            c: c.data(),
            y_bar: y_bar.as_ref().map_or(&[], Tensor::data),
            last_bar: last_bar.as_ref().map_or(&[], Tensor::data),
            scratch: scratch.data_mut(),
            x_bar: x_bar.as_mut().map_or(&mut [], Tensor::data_mut),
            weights: w_ih
                .as_mut()
                .zip(w_hh.as_mut())
                .zip(b_ih.as_mut().zip(b_hh.as_mut()))
                .map(|((a, b), (c, d))| [a.data_mut(), b.data_mut(), c.data_mut(), d.data_mut()]),
            h0_bar: h0_bar.as_mut().map_or(&mut [], Tensor::data_mut),
            c0_bar: c0_bar.as_mut().map_or(&mut [], Tensor::data_mut),
            heard: &mut heard,
        });
    }
    let bias = if op.bias { 4 } else { 2 };
    let all = [x_bar].into_iter().take(first).chain(weights.into_iter().take(bias)).chain(states);
    for (i, bar) in all.take(inputs.len()).enumerate() {
        if let Some(bar) = bar {
            cx.give(i, || bar);
        }
    }
    if !heard.is_empty() {
        tell::<F, C>(cx, cell, dims, &heard);
    }
}

/// Tells the observer of each step, from the last.
fn tell<F: Real, C: Recurrence>(cx: &mut Vjp<'_, Tensor<F>>, cell: Cells, dims: Dims, heard: &[Sums]) {
    let norm = |name, sums: [Squares; 2]| {
        let [total, transported] = sums.map(|squares| squares.log10_norm());
        StateNorm { name, total, transported }
    };
    for t in (0..dims.steps).rev() {
        let sums = cell.heard(dims, heard, t);
        let states = [norm("h", sums.h), norm("c", sums.c)];
        let count = (dims.batch * dims.hidden) as f64;
        let means = cell.reported().zip(sums.gates).map(|(name, sum)| GateMean { name, mean: sum / count });
        let means: SmallVec<[GateMean; 3]> = means.collect();
        cx.time_step(t, dims.steps, &states[..if C::CELL_STATE { 2 } else { 1 }], &means);
    }
}
