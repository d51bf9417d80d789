//! Gradients as recorded values, which can be differentiated again.
use crate::{
    core::{
        Composed, Recording, TensorLike, Var, Vjp,
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
        self.rec.record.borrow_mut().keep_checkpoints();
        self.rec.sweep_recorded(0, &[(self, y_bar)], wrt)
    }

    /// The same for one earlier value, walking back no further than to it.
    #[track_caller]
    pub(crate) fn vjp_recorded_to(self, y_bar: Self, x: Self) -> Self {
        self.rec.record.borrow_mut().keep_checkpoints();
        self.rec.sweep_recorded(x.id as usize + 1, &[(self, y_bar)], &[x])[0]
    }

    /// The rule of an op that is a composition of others: its forward is recorded here and swept back to the inputs.
    #[track_caller]
    pub(super) fn composed_vjp(op: &impl Composed<F>, cx: &mut Vjp<'_, Self>) {
        let rec = cx.output(0).rec;
        // Inputs of their own, so that a value used twice receives two cotangents.
        let x: Vec<Self> = (0..cx.inputs()).map(|i| cx.input(i).reshape(cx.input(i).shape())).collect();
        let first = rec.len();
        let y = op.compose(&x.iter().collect::<Vec<_>>());
        let seeds: Vec<(Self, Self)> =
            y.into_iter().enumerate().filter_map(|(k, y)| cx.y_bar(k).map(|y_bar| (y, y_bar))).collect();
        for (i, x_bar) in rec.sweep_recorded(first, &seeds, &x).into_iter().enumerate() {
            cx.give(i, || x_bar);
        }
    }
}

impl<F: Real> Recording<F> {
    /// The cotangents of `wrt`, recorded, from those of some values, by the nodes from `first` on.
    #[track_caller]
    fn sweep_recorded<'t>(
        &'t self,
        first: usize,
        seeds: &[(Var<'t, F>, Var<'t, F>)],
        wrt: &[Var<'t, F>],
    ) -> Vec<Var<'t, F>> {
        let n = self.len();
        let mut cotangents: Vec<Option<Var<'t, F>>> = vec![None; n];
        let mut last = first;
        for (y, y_bar) in seeds {
            match &mut cotangents[y.id as usize] {
                Some(sum) => sum.accumulate(*y_bar),
                empty => *empty = Some(*y_bar),
            }
            last = last.max(y.id as usize + 1);
        }
        let values: Vec<Var<'t, F>> = (0..n as u32).map(|id| Var { rec: self, id }).collect();
        let mut found: Vec<Option<Var<'t, F>>> = vec![None; wrt.len()];
        for i in (first..last).rev() {
            for (found, _) in found.iter_mut().zip(wrt).filter(|(_, x)| x.id as usize == i) {
                *found = cotangents[i];
            }
            self.record_rule(i, &values, &mut cotangents);
        }
        let zero = |x: &Var<'t, F>| self.constant(&Tensor::filled(x.shape(), F::zero()));
        let before = |x: &Var<'t, F>| if (x.id as usize) < first { cotangents[x.id as usize] } else { None };
        found.into_iter().zip(wrt).map(|(g, x)| g.or_else(|| before(x)).unwrap_or_else(|| zero(x))).collect()
    }

    #[track_caller]
    fn record_rule<'t>(&'t self, i: usize, values: &[Var<'t, F>], cotangents: &mut [Option<Var<'t, F>>]) {
        let rec = self;
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
