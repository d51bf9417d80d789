//! Applying an op on a recording.
use crate::{
    core::{
        Op, OpMany, Outputs, Saved, Var,
        op::{Leaf, Many, One},
        record::{Node, Record},
        tape::Recording,
    },
    tensor::{RELEASED, Real, Tensor},
};
use smallvec::SmallVec;
use std::{cell::RefMut, panic::Location};

/// The values of the inputs, and which of them lead to something differentiable. (Not a function that also runs the
/// op: inside a closure the caller's line would be lost.)
// Always inlined: tiny_chain 125 -> 111 ns an op.
#[track_caller]
#[inline(always)]
fn operands<'r, F: Real>(
    op: &str,
    rec: &Recording<F>,
    values: &'r [Tensor<F>],
    nodes: &[Node],
    inputs: &[&Var<'_, F>],
) -> (SmallVec<[&'r Tensor<F>; 8]>, u32) {
    let (mut x, mut wants) = (SmallVec::new(), 0);
    for (i, input) in inputs.iter().enumerate() {
        let value = &values[input.id as usize];
        assert!(std::ptr::eq(input.rec, rec), "{op}: operands live on different recordings ({})", Location::caller());
        assert!(!value.is_released(), "{op}: {} ({})", RELEASED, Location::caller());
        x.push(value);
        wants |= u32::from(nodes[input.id as usize].wants != 0) << i.min(31);
    }
    (x, wants)
}

impl<F: Real> Recording<F> {
    /// The record, for a new node.
    #[track_caller]
    #[inline]
    pub(super) fn writable(&self, op: &str) -> RefMut<'_, Record<F>> {
        match self.record.try_borrow_mut() {
            Ok(record) => record,
            Err(_) => panic!(
                "{op}: nothing can be recorded while a sweep or each_node reads the recording; work on values instead ({})",
                Location::caller()
            ),
        }
    }

    #[track_caller]
    #[inline]
    pub(super) fn record<'t, O: Op<F>>(&'t self, op: O, inputs: &[&Var<'t, F>]) -> Var<'t, F> {
        let r = &mut *self.writable(O::NAME);
        r.drop_leftovers();
        let (x, wants) = operands(O::NAME, self, &r.values, &r.nodes, inputs);
        let value = op.forward(&x, &mut Saved(Some(&mut r.saved)));
        drop(x);
        r.edges.extend(inputs.iter().map(|x| x.id));
        Var { rec: self, id: r.push(One(op), value, wants, 1, Location::caller()) }
    }

    #[track_caller]
    pub(super) fn record_many<'t, O: OpMany<F>>(&'t self, op: O, inputs: &[&Var<'t, F>]) -> Outputs<Var<'t, F>> {
        let r = &mut *self.writable(O::NAME);
        r.drop_leftovers();
        let (x, wants) = operands(O::NAME, self, &r.values, &r.nodes, inputs);
        let outputs = op.forward(&x, &mut Saved(Some(&mut r.saved)));
        drop(x);
        let (at, k) = (Location::caller(), outputs.len() as u32);
        let mut outputs = outputs.into_iter();
        let Some(first) = outputs.next() else { panic!("{}: its forward gave no output ({at})", O::NAME) };
        r.edges.extend(inputs.iter().map(|x| x.id));
        let head = r.push(Many(op), first, wants, k, at);
        for value in outputs {
            r.push(One(Leaf), value, wants, 0, at);
        }
        (head..head + k).map(|id| Var { rec: self, id }).collect()
    }
}
