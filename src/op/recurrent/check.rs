//! Whether the shapes of a sequence fit.
use super::{Recurrence, StateRef, Weights};
use crate::{
    core::TensorLike,
    kernel::recurrent::Dims,
    tensor::{Labels, Shape},
};
use std::panic::Location;

/// The sizes, or a panic that names the cell, its weights and the caller's line.
#[track_caller]
pub(super) fn sequence<C: Recurrence>(
    x: Option<Shape>,
    tokens: Option<&Labels>,
    w: &Weights<'_, impl TensorLike>,
    state: Option<&StateRef<'_, impl TensorLike>>,
) -> Dims {
    match sizes::<C>(x, tokens, w, state) {
        Ok(dims) => dims,
        Err(what) => {
            let (ih, hh) = (w.w_ih.shape(), w.w_hh.shape());
            panic!("{} (w_ih {ih}, w_hh {hh}): {what} ({})", C::NAME, Location::caller())
        }
    }
}

fn sizes<C: Recurrence>(
    x: Option<Shape>,
    tokens: Option<&Labels>,
    w: &Weights<'_, impl TensorLike>,
    state: Option<&StateRef<'_, impl TensorLike>>,
) -> Result<Dims, String> {
    let (ih, hh) = (w.w_ih.shape(), w.w_hh.shape());
    let (&[rows, inputs], &[gates, hidden]) = (&*ih, &*hh) else { return Err("weights need 2 axes".into()) };
    if gates != C::GATES * hidden || rows != gates {
        return Err(format!("w_ih needs {0} * H rows and w_hh the shape [{0} * H, H]", C::GATES));
    }
    let (steps, batch) = match (x, tokens) {
        (Some(x), _) => match *x {
            [steps, batch, n] if n == inputs => (steps, batch),
            [_, _, n] => return Err(format!("x of shape {x} has {n} inputs, not {inputs}")),
            _ => return Err(format!("x of shape {x} is not [T, B, {inputs}], time first")),
        },
        (None, Some(tokens)) => match *tokens.shape() {
            [steps, batch] if tokens.classes() <= inputs => (steps, batch),
            [_, _] => return Err(format!("tokens of {} classes, but there are {inputs} inputs", tokens.classes())),
            _ => return Err(format!("tokens of shape {} are not [T, B], time first", tokens.shape())),
        },
        (None, None) => unreachable!("either a tensor or tokens"),
    };
    for (name, b) in w.bias.iter().flat_map(|(ih, hh)| [("b_ih", ih.shape()), ("b_hh", hh.shape())]) {
        if *b != [gates] {
            return Err(format!("{name} has shape {b}, not [{gates}]"));
        }
    }
    for (name, s) in state.iter().flat_map(|s| [Some(("h0", s.h.shape())), s.c.map(|c| ("c0", c.shape()))]).flatten() {
        if *s != [batch, hidden] {
            return Err(format!("the first state {name} has shape {s}, not [B, H] = [{batch}, {hidden}]"));
        }
    }
    Ok(Dims { steps, batch, inputs, hidden })
}

/// The tokens of step `t`.
pub(super) fn step(tokens: &Labels, t: usize) -> Labels {
    let batch = tokens.shape()[1];
    tokens.select(&(t * batch..(t + 1) * batch).collect::<Vec<_>>())
}
