use crate::{
    core::{Op, Recording, Saved, Var, op::One},
    tensor::{Real, Tensor},
};
use smallvec::SmallVec;
use std::panic::Location;

/// Computing a recording again, with other leaves or other ops.
///
/// ```
/// use chainrule::{formula, prelude::*};
/// let mut tape = Tape::new();
/// let r = tape.begin();
/// let x = r.variable(&Tensor::new([2], vec![-1.0, 2.0]));
/// let y = x.tanh() * 3.0;
/// r.replace_ops("tanh", formula::Relu {});
/// r.replace_leaf(x, &Tensor::new([2], vec![-5.0, 7.0]));
/// r.replay();
/// assert_eq!(y.value().data(), [0.0, 21.0]);
/// ```
impl<F: Real> Recording<F> {
    /// Another value for a leaf, of the same shape; [`replay`](Self::replay) then carries it on.
    ///
    /// # Panics
    /// If `leaf` is the output of an op, or the shape differs.
    #[track_caller]
    pub fn replace_leaf(&self, leaf: Var<'_, F>, t: &Tensor<F>) {
        let (r, at) = (&mut *self.record.borrow_mut(), Location::caller());
        let i = leaf.id as usize;
        assert!(std::ptr::eq(leaf.rec, self), "replace_leaf: the leaf lives on another recording ({at})");
        assert!(r.is_leaf(i), "replace_leaf: this is the output of {}, not a leaf ({at})", r.ops[i].name());
        let shape = r.values[i].shape();
        assert!(shape == t.shape(), "replace_leaf: shape {} for a leaf of shape {shape} ({at})", t.shape());
        r.values[i] = t.clone();
    }

    /// Another op wherever one of this name was recorded (how many were replaced); [`replay`](Self::replay) then computes it.
    pub fn replace_ops<O: Op<F> + Clone>(&self, name: &str, with: O) -> usize {
        let r = &mut *self.record.borrow_mut();
        let mut replaced = 0;
        for i in 0..r.nodes.len() {
            if r.ops[i].name() == name && !r.is_leaf(i) {
                r.ops[i] = Box::new(One(with.clone()));
                replaced += 1;
            }
        }
        replaced
    }

    /// The same at some places of the recording only, each of which must have an op of this name to count.
    pub(crate) fn replace_ops_at<O: Op<F> + Clone>(&self, places: &[usize], name: &str, with: O) -> usize {
        let r = &mut *self.record.borrow_mut();
        let fits = |i: &usize| *i < r.nodes.len() && r.ops[*i].name() == name && !r.is_leaf(*i);
        let places: SmallVec<[usize; 16]> = places.iter().copied().filter(fits).collect();
        places.iter().for_each(|i| r.ops[*i] = Box::new(One(with.clone())));
        places.len()
    }

    /// Computes every node again from the leaves.
    ///
    /// # Panics
    /// If `backward` ended the recording, or a replaced op does not fit its inputs.
    #[track_caller]
    pub fn replay(&self) {
        let r = &mut *self.record.borrow_mut();
        assert!(!r.ended, "replay: backward() ended this recording; use backward_retained() ({})", Location::caller());
        r.saved.clear();
        let mut next = 0;
        for i in 0..r.nodes.len() {
            if !r.inputs(i).is_empty() {
                let x: SmallVec<[&Tensor<F>; 4]> = r.inputs(i).iter().map(|&k| &r.values[k as usize]).collect();
                let outputs = r.ops[i].forward(&x, &mut Saved(Some(&mut r.saved)));
                drop(x);
                for (k, y) in outputs.into_iter().enumerate() {
                    r.values[i + k] = y;
                }
            }
            r.nodes[i].saved_end = r.saved.len() as u32;
            r.drop_behind(i, &mut next);
        }
    }
}
