//! Gradients with respect to recorded values, from seeds of any shape.
use crate::{
    core::{
        Param, ParamId, Recording, TensorLike, Var,
        backward::{Sink, Sweep},
        record::Record,
        table::Table,
    },
    error::Error,
    tensor::{Real, Tensor},
};

/// Keeps the cotangents that pass some nodes.
struct Nodes<'a, 't, F: Real>(&'a [Var<'t, F>], Vec<Option<Tensor<F>>>);

impl<F: Real> Sink<F> for Nodes<'_, '_, F> {
    fn leaf(&mut self, _: Option<ParamId>, _: Tensor<F>) {}
    fn pass(&mut self, node: usize, bar: &Tensor<F>) {
        for (x, found) in self.0.iter().zip(&mut self.1) {
            if x.id as usize == node {
                *found = Some(bar.clone());
            }
        }
    }
}

impl<'t, F: Real> Var<'t, F> {
    /// The gradients of this scalar with respect to recorded values (variables or any other node): zeros where it does
    /// not depend on one. Ends the recording.
    ///
    /// ```
    /// # use chainrule::prelude::*;
    /// let mut tape = Tape::new();
    /// let r = tape.begin();
    /// let x = r.variable(&Tensor::new([2], vec![1.0, 2.0]));
    /// let g = (x * x * x).sum().grads_of(&[x])?;
    /// assert_eq!(g[0].data(), [3.0, 12.0]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::BadRule`](crate::ErrorKind::BadRule) if an op's rule gave too little.
    ///
    /// # Panics
    /// If this is not a single number, one of `wrt` is a constant or lives elsewhere, or the recording has ended.
    #[track_caller]
    pub fn grads_of(self, wrt: &[Self]) -> Result<Vec<Tensor<F>>, Error> {
        self.check_scalar("grads_of");
        self.check_wrt("grads_of", wrt);
        self.rec.record.borrow().check_open("grads_of");
        self.rec.pull(&[(self.id, self.one())], wrt, Sweep::Last)
    }

    /// [`Self::grads_of`] that leaves the recording whole for another sweep or a replay.
    ///
    /// ```
    /// # use chainrule::prelude::*;
    /// let mut tape = Tape::new();
    /// let r = tape.begin();
    /// let x = r.variable(&Tensor::new([2], vec![1.0, 2.0]));
    /// let (sum, squares) = (x.sum(), x.square().sum());
    /// assert_eq!(sum.grads_of_retained(&[x])?[0].data(), [1.0, 1.0]);
    /// assert_eq!(squares.grads_of_retained(&[x])?[0].data(), [2.0, 4.0]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As `grads_of`.
    ///
    /// # Panics
    /// As `grads_of`.
    #[track_caller]
    pub fn grads_of_retained(self, wrt: &[Self]) -> Result<Vec<Tensor<F>>, Error> {
        self.check_scalar("grads_of_retained");
        self.check_wrt("grads_of_retained", wrt);
        self.rec.record.borrow().check_open("grads_of_retained");
        self.rec.pull(&[(self.id, self.one())], wrt, Sweep::Retaining)
    }

    /// The sum of `y_bar` times the derivatives of these values with respect to each of `wrt`: `y_bar^T J` of all of
    /// them, in one sweep. Retains the recording. Zeros where nothing depends on one.
    pub(crate) fn pulled(seeds: &[(Self, Tensor<F>)], wrt: &[Self]) -> Result<Vec<Tensor<F>>, Error> {
        let Some(first) = wrt.first() else { return Ok(vec![]) };
        let seeds: Vec<_> = seeds.iter().map(|(y, y_bar)| (y.id, y_bar.clone())).collect();
        first.rec.pull(&seeds, wrt, Sweep::Retaining)
    }
}

impl<F: Real> Recording<F> {
    fn pull(&self, seeds: &[(u32, Tensor<F>)], wrt: &[Var<'_, F>], sweep: Sweep) -> Result<Vec<Tensor<F>>, Error> {
        let mut sink = Nodes(wrt, vec![None; wrt.len()]);
        let table = Table::of::<F>(&mut self.record.borrow_mut().tables, &Vec::<Param<F>>::new())?;
        self.sweep(seeds, &mut sink, None, &table, sweep)?;
        if sweep == Sweep::Last {
            self.record.borrow_mut().release_params();
        }
        let zero = |x: &Var<'_, F>| Tensor::filled(x.shape(), F::zero());
        Ok(sink.1.into_iter().zip(wrt).map(|(g, x)| g.unwrap_or_else(|| zero(x))).collect())
    }

    /// Makes constants of all leaves but these variables, so that sweeps pass by what does not lead to them.
    pub(crate) fn restrict_to(&self, wrt: &[Var<'_, F>]) {
        let r: &mut Record<F> = &mut self.record.borrow_mut();
        for i in 0..r.nodes.len() {
            if r.is_leaf(i) && !wrt.iter().any(|x| x.id as usize == i) {
                r.nodes[i].wants = 0;
            }
        }
        r.spread_wants();
    }
}
