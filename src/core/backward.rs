//! The reverse sweep: one loop over the recording.
use crate::{
    core::{
        Cotangent, GateMean, Gradient, Grads, Module, Observer, ParamId, Phase, Recorded, Recording, Signal, StateNorm,
        TensorLike, TimeStep, Var, Vjp, checkpoint::Descent, record::Record, table::Table, vjp::StepSink,
    },
    error::{Error, ErrorKind},
    tensor::{Real, Tensor},
};
use std::{mem, ops::Range, panic::Location, sync::Arc};

/// Where cotangents go.
pub(super) trait Sink<F: Real> {
    fn leaf(&mut self, param: Option<ParamId>, bar: Tensor<F>);
    #[inline]
    fn pass(&mut self, _node: usize, _bar: &Tensor<F>) {}
}

impl<F: Real> Sink<F> for Grads<F> {
    #[inline]
    fn leaf(&mut self, param: Option<ParamId>, bar: Tensor<F>) {
        if let Some(param) = param {
            self.put(param, bar);
        }
    }
}

/// Whether a sweep ends the recording.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sweep {
    Last,
    Retaining,
}

/// What parameters that the module does not visit are.
#[derive(Clone, Copy, PartialEq)]
enum Others {
    Error,
    Constants,
}

impl<F: Real> Record<F> {
    #[track_caller]
    pub(super) fn check_open(&self, who: &str) {
        assert!(
            !self.ended,
            "{who}: an earlier backward() ended this recording; use backward_retained() for that one ({})",
            Location::caller()
        );
    }

    fn check_visited(&self, table: &Table) -> Result<(), Error> {
        let trained = self.params.iter().filter(|(_, node)| self.nodes[*node as usize].wants != 0);
        match trained.chain(&self.updates).find(|(id, _)| table.slot(*id).is_none()) {
            None => Ok(()),
            Some((_, node)) => Err(Error::new(
                ErrorKind::NotVisited,
                format!(
                    "backward: the parameter recorded at {} is not visited by this module: is a field skipped in \
                     module!, or another module meant? (backward_only counts other modules as constants)",
                    self.nodes[*node as usize].at
                ),
            )),
        }
    }

    /// Makes constants of all parameters that the module does not visit.
    fn restrict(&mut self, table: &Table) {
        for (id, node) in &self.params {
            if table.slot(*id).is_none() {
                self.nodes[*node as usize].wants = 0;
            }
        }
        self.spread_wants();
    }

    /// Carries on to all other nodes that some leaves are constants now.
    pub(super) fn spread_wants(&mut self) {
        for i in 0..self.nodes.len() {
            let mut wants = 0;
            for (k, &x) in self.inputs(i).iter().enumerate() {
                wants |= u32::from(self.nodes[x as usize].wants != 0) << k.min(31);
            }
            if !self.inputs(i).is_empty() {
                let outputs = self.nodes[i].outputs as usize;
                self.nodes[i..i + outputs].iter_mut().for_each(|node| node.wants &= wants);
            }
        }
    }
}

impl<'t, F: Real> Var<'t, F> {
    /// The gradients of this scalar with respect to every trained parameter of `net`, by path. Ends the recording.
    ///
    /// # Errors
    /// [`ErrorKind::NotVisited`] if a trained parameter of the recording is not part of `net` (the message names the line
    /// that recorded it); [`ErrorKind::BadRule`] if an op's rule gave too little.
    ///
    /// # Panics
    /// If this is not a single number, or an earlier `backward` ended the recording.
    #[track_caller]
    pub fn backward(self, net: &impl Module<F>) -> Result<Grads<F>, Error> {
        self.gradients(net, None, Sweep::Last, Others::Error)
    }

    /// [`Self::backward`] that shows itself to an observer on its way.
    ///
    /// # Errors
    /// As `backward`, and the first error of the observer.
    ///
    /// # Panics
    /// As `backward`.
    #[track_caller]
    pub fn backward_with(self, net: &impl Module<F>, observer: &mut impl Observer<F>) -> Result<Grads<F>, Error> {
        self.gradients(net, Some(observer), Sweep::Last, Others::Error)
    }

    /// [`Self::backward`] that leaves the recording whole for another sweep or a replay. An optimizer step while it
    /// lives copies the parameters.
    ///
    /// # Errors
    /// As `backward`.
    ///
    /// # Panics
    /// As `backward`.
    #[track_caller]
    pub fn backward_retained(self, net: &impl Module<F>) -> Result<Grads<F>, Error> {
        self.gradients(net, None, Sweep::Retaining, Others::Error)
    }

    /// [`Self::backward`] for one of several recorded modules: parameters that `net` does not visit count as constants,
    /// without an error. Ends the recording.
    ///
    /// # Errors
    /// [`ErrorKind::BadRule`] if an op's rule gave too little.
    ///
    /// # Panics
    /// As `backward`.
    #[track_caller]
    pub fn backward_only(self, net: &impl Module<F>) -> Result<Grads<F>, Error> {
        self.gradients(net, None, Sweep::Last, Others::Constants)
    }

    /// [`Self::backward_only`] that shows itself to an observer on its way.
    ///
    /// # Errors
    /// As `backward_only`, and the first error of the observer.
    ///
    /// # Panics
    /// As `backward`.
    #[track_caller]
    pub fn backward_only_with(self, net: &impl Module<F>, observer: &mut impl Observer<F>) -> Result<Grads<F>, Error> {
        self.gradients(net, Some(observer), Sweep::Last, Others::Constants)
    }

    #[track_caller]
    fn gradients(
        self,
        net: &dyn Module<F>,
        mut observer: Option<&mut dyn Observer<F>>,
        sweep: Sweep,
        others: Others,
    ) -> Result<Grads<F>, Error> {
        self.check_scalar("backward");
        let table = {
            let r = &mut *self.rec.record.borrow_mut();
            r.check_open("backward");
            let table = Table::of(&mut r.tables, net)?;
            match others {
                Others::Constants => r.restrict(&table),
                Others::Error => r.check_visited(&table)?,
            }
            table
        };
        if let Some(o) = &mut observer {
            o.recording(&Recorded { recording: self.rec, root: self.id as usize, table: &table })?;
        }
        let mut grads = Grads::new(Arc::clone(&table));
        // Not `as_deref_mut`, which would keep the lifetime of the trait object.
        let listener: Option<&mut dyn Observer<F>> = match &mut observer {
            Some(o) => Some(&mut **o),
            None => None,
        };
        self.rec.sweep(&[(self.id, self.one())], &mut grads, listener, &table, sweep)?;
        if let Some(o) = observer {
            o.swept()?;
            grads.finite = o.checks_gradients();
        }
        let r = &mut *self.rec.record.borrow_mut();
        grads.count_updates(!r.updates.is_empty());
        for (id, node) in &r.updates {
            grads.put(*id, r.values[*node as usize].clone());
        }
        if sweep == Sweep::Last {
            r.release_params();
        }
        Ok(grads)
    }

    /// The cotangent with which the sweep of a scalar begins.
    pub(crate) fn one(self) -> Tensor<F> {
        Tensor::filled(self.shape(), F::one())
    }

    #[track_caller]
    pub(super) fn check_scalar(self, who: &str) {
        let shape = self.shape();
        assert!(
            shape.size() == 1,
            "{who}: shape {shape} is not a single number; sum() or mean() make one ({})",
            Location::caller()
        );
    }

    #[track_caller]
    pub(super) fn check_wrt(self, who: &str, wrt: &[Self]) {
        let (r, at) = (self.rec.record.borrow(), Location::caller());
        for x in wrt {
            assert!(std::ptr::eq(x.rec, self.rec), "{who}: operands live on different recordings ({at})");
            let wants = r.nodes[x.id as usize].wants;
            assert!(wants != 0, "{who}: a constant has no gradient; record it with variable() ({at})");
        }
    }
}

impl<F: Real> Recording<F> {
    /// Walks back from the seeds, the cotangents with which it begins.
    pub(super) fn sweep(
        &self,
        seeds: &[(u32, Tensor<F>)],
        sink: &mut impl Sink<F>,
        observer: Option<&mut dyn Observer<F>>,
        table: &Table,
        sweep: Sweep,
    ) -> Result<(), Error> {
        // Taken out, so that a panicking rule or observer leaves no stale cotangent behind.
        let (mut cotangents, mut saved) = {
            let r = &mut *self.record.borrow_mut();
            r.ended = true; // and stays so if a rule or an observer panics: what was taken out is lost then
            (mem::take(&mut r.cotangents), mem::take(&mut r.saved))
        };
        let nodes = self.seed(seeds, &mut cotangents);
        let mut under_way = UnderWay { sink, observer, table, sweep, cotangents: &mut cotangents, saved: &mut saved };
        let done = under_way.go(self, nodes);
        if done.is_err() {
            cotangents.clear();
        }
        let r = &mut *self.record.borrow_mut();
        (r.cotangents, r.saved, r.ended) = (cotangents, saved, sweep == Sweep::Last);
        done
    }

    /// Puts the seeds in their places; returns how many nodes lie up to the last.
    fn seed(&self, seeds: &[(u32, Tensor<F>)], cotangents: &mut Vec<Option<Tensor<F>>>) -> usize {
        let r = self.record.borrow();
        if cotangents.len() < r.nodes.len() {
            cotangents.resize_with(r.nodes.len(), || None);
        }
        let mut nodes = 0;
        for (id, bar) in seeds.iter().filter(|(id, _)| r.nodes[*id as usize].wants != 0) {
            match &mut cotangents[*id as usize] {
                Some(sum) => sum.accumulate(bar.clone()),
                empty => *empty = Some(bar.clone()),
            }
            nodes = nodes.max(*id as usize + 1);
        }
        nodes
    }
}

/// A sweep, and all that it works on.
struct UnderWay<'a, 'o, F: Real, S> {
    sink: &'a mut S,
    observer: Option<&'a mut (dyn Observer<F> + 'o)>,
    table: &'a Table,
    sweep: Sweep,
    cotangents: &'a mut [Option<Tensor<F>>],
    saved: &'a mut [Tensor<F>],
}

impl<F: Real, S: Sink<F>> UnderWay<'_, '_, F, S> {
    /// From node `hi` down, what lies between two borders of checkpoints in one go.
    fn go(&mut self, rec: &Recording<F>, mut hi: usize) -> Result<(), Error> {
        let mut descent = Descent::new(&rec.record.borrow());
        while hi > 0 {
            let lo = descent.enter(&mut rec.record.borrow_mut(), hi, self.cotangents, self.saved);
            self.steps(&rec.record.borrow(), lo..hi)?;
            descent.leave(&mut rec.record.borrow_mut(), lo, self.saved);
            hi = lo;
        }
        Ok(())
    }

    fn steps(&mut self, r: &Record<F>, range: Range<usize>) -> Result<(), Error> {
        let (table, cotangents) = (self.table, &mut *self.cotangents);
        for i in range.rev() {
            let (node, ids) = (&r.nodes[i], r.inputs(i));
            if node.wants == 0 {
                // Inputs past the 31st share one answer, so a constant may have been given a cotangent.
                cotangents[i] = None;
                continue;
            }
            if let Some(bar) = &cotangents[i] {
                self.sink.pass(i, bar);
                if let Some(o) = &mut self.observer {
                    report(r, i, table, bar, &mut **o)?;
                }
                if r.is_leaf(i) {
                    self.sink.leaf(node.param, cotangents[i].take().expect("just seen"));
                    continue;
                }
            }
            // A further output waits for its head, which is called if any output has a cotangent.
            let outputs = node.outputs as usize;
            if cotangents[i..i + outputs].iter().all(Option::is_none) {
                continue;
            }
            let listener = self.observer.as_mut().filter(|o| o.wants_time_steps());
            let mut steps = listener.map(|o| Steps::new(r, i, table, &mut **o));
            let mut cx = Vjp {
                values: &r.values,
                ids,
                output: i,
                saved: &mut self.saved[r.saved_range(i)],
                ending: self.sweep == Sweep::Last,
                wants: node.wants,
                given: 0,
                misshapen: None,
                cotangents: &mut *cotangents,
                steps: steps.as_mut().map(|s| s as &mut dyn StepSink),
            };
            r.ops[i].vjp_tensor(&mut cx);
            cx.check(r.ops[i].name(), node.at)?;
            if let Some(steps) = steps {
                steps.error.map_or(Ok(()), Err)?;
            }
            if outputs > 1 {
                cotangents[i..i + outputs].fill(None);
            }
        }
        Ok(())
    }
}

/// Tells the observer of a node that the sweep reaches.
#[cold]
fn report<F: Real>(
    r: &Record<F>,
    i: usize,
    table: &Table,
    bar: &Tensor<F>,
    o: &mut dyn Observer<F>,
) -> Result<(), Error> {
    let (node, ids) = (&r.nodes[i], r.inputs(i));
    o.cotangent(&Cotangent { index: i, op: r.ops[i].name(), at: node.at, bar })?;
    let mut signal = |path, phase| o.signal(&Signal { path, phase, op: r.ops[i].name(), at: node.at, bar });
    for name in r.watch_names(i) {
        signal(name, Phase::Watch)?;
    }
    // The elementwise op that consumes a layer's output is its activation.
    if let &[x] = ids
        && r.ops[i].is_elementwise()
        && let Some(param) = r.nodes[x as usize].param
        && !r.is_leaf(x as usize)
        && let Some(path) = table.layer(param)
    {
        signal(path, Phase::Post)?;
    }
    let Some(param) = node.param else { return Ok(()) };
    if r.is_leaf(i) {
        return table.path(param).map_or(Ok(()), |path| o.gradient(&Gradient { path, at: node.at, bar }));
    }
    table.layer(param).map_or(Ok(()), |path| signal(path, Phase::Pre))
}

/// Passes the time steps of one op on to the observer.
struct Steps<'a, F: Real> {
    observer: &'a mut dyn Observer<F>,
    path: &'a str,
    index: usize,
    op: &'static str,
    at: &'static Location<'static>,
    error: Option<Error>,
}

impl<'a, F: Real> Steps<'a, F> {
    fn new(r: &'a Record<F>, i: usize, table: &'a Table, observer: &'a mut dyn Observer<F>) -> Self {
        let path = r.nodes[i].param.and_then(|param| table.layer(param)).unwrap_or("");
        Self { observer, path, index: i, op: r.ops[i].name(), at: r.nodes[i].at, error: None }
    }
}

impl<F: Real> StepSink for Steps<'_, F> {
    fn time_step(&mut self, step: usize, steps: usize, states: &[StateNorm], gates: &[GateMean]) {
        if self.error.is_none() {
            let event =
                TimeStep { path: self.path, op: self.op, at: self.at, index: self.index, step, steps, states, gates };
            self.error = self.observer.time_step(&event).err();
        }
    }
}
