//! Gradients as recorded values, which can be differentiated again.
use crate::{
    core::{
        TensorLike, Var, Vjp,
        op::{Leaf, One},
    },
    tensor::{Real, Tensor},
};
use smallvec::SmallVec;
use std::mem;

impl<'t, F: Real> Var<'t, F> {
    /// The gradients of this scalar as recorded values, for any higher order: the same rules, run on variables.
    /// Zeros where this value does not depend on one of `wrt`. The recording goes on.
    ///
    /// ```
    /// # use chainrule::prelude::*;
    /// let mut tape = Tape::<f64>::new();
    /// let r = tape.begin();
    /// let x = r.variable(&Tensor::of([], vec![2.0]));
    /// let first = (x * x * x).grads_recorded(&[x])[0];      // 3 x^2
    /// let second = first.grads_of(&[x])?;                   // 6 x
    /// assert_eq!(second[0].item(), 12.0);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Panics
    /// If this is not a single number, one of `wrt` is a constant or lives elsewhere, the recording has ended, or an
    /// op's rule gives too little.
    #[track_caller]
    pub fn grads_recorded(self, wrt: &[Self]) -> Vec<Self> {
        let rec = self.rec;
        self.check_scalar("grads_recorded");
        self.check_wrt("grads_recorded", wrt);
        rec.record.borrow().check_open("grads_recorded");
        let one = rec.constant(&self.one());
        self.vjp_recorded(one, wrt)
    }

    /// `y_bar^T J` for each of `wrt`, recorded, for a value and a cotangent of any shape.
    #[track_caller]
    pub(crate) fn vjp_recorded(self, y_bar: Self, wrt: &[Self]) -> Vec<Self> {
        let rec = self.rec;
        rec.record.borrow_mut().keep_checkpoints();
        let n = rec.len() as u32;
        let mut cotangents: Vec<Option<Self>> = vec![None; n as usize];
        cotangents[self.id as usize] = Some(y_bar);
        let values: Vec<Self> = (0..n).map(|id| Var { rec, id }).collect();
        let mut found: Vec<Option<Self>> = vec![None; wrt.len()];
        for i in (0..=self.id).rev() {
            for (found, _) in found.iter_mut().zip(wrt).filter(|(_, x)| x.id == i) {
                *found = cotangents[i as usize];
            }
            self.record_rule(i as usize, &values, &mut cotangents);
        }
        let zero = |x: &Self| rec.constant(&Tensor::filled(x.shape(), F::zero()));
        found.into_iter().zip(wrt).map(|(g, x)| g.unwrap_or_else(|| zero(x))).collect()
    }

    #[track_caller]
    fn record_rule(self, i: usize, values: &[Self], cotangents: &mut [Option<Self>]) {
        let rec = self.rec;
        // The rule records new nodes, so nothing of the record may be borrowed while it runs: its op is taken out.
        let (op, wants, ids, at, outputs) = {
            let r = &mut *rec.record.borrow_mut();
            let node = &r.nodes[i];
            let (at, wants, outputs) = (node.at, node.wants, node.outputs as usize);
            if wants == 0 || r.inputs(i).is_empty() || cotangents[i..][..outputs].iter().all(Option::is_none) {
                return;
            }
            let ids = SmallVec::<[u32; 4]>::from_slice(r.inputs(i));
            (mem::replace(&mut r.ops[i], Box::new(One(Leaf))), wants, ids, at, outputs)
        };
        let mut cx = Vjp {
            values,
            ids: &ids,
            output: i,
            saved: &mut [],
            ending: false,
            wants,
            given: 0,
            misshapen: None,
            cotangents,
            steps: None,
        };
        op.vjp_var(&mut cx);
        let checked = cx.check(op.name(), at);
        rec.record.borrow_mut().ops[i] = op;
        if let Err(e) = checked {
            panic!("{e}");
        }
        cotangents[i..][..outputs].fill(None);
    }
}
