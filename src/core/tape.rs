//! The tape and the recording that it lends.
use crate::{
    core::{
        Param, ParamId, RecordedNode, Role, TensorLike, Var,
        op::{Leaf, One},
        record::Record,
        table::Table,
    },
    rng::{Rng, mix},
    tensor::{Real, Shape, Tensor},
};
use std::{borrow::Cow, cell::RefCell, fmt, ops::Range, panic::Location};

/// Where a program is recorded: one for each thread that trains, kept from step to step so that its storage is reused.
///
/// A handle of an earlier step cannot outlive `begin`:
/// ```compile_fail,E0499
/// use chainrule::prelude::*;
/// let mut tape = Tape::new();
/// let x = tape.begin().constant(&Tensor::scalar(1.0));
/// tape.begin();
/// x.tanh();
/// ```
/// Nothing is recorded without `begin`:
/// ```compile_fail,E0599
/// use chainrule::prelude::*;
/// Tape::<f32>::new().constant(&Tensor::scalar(1.0));
/// ```
/// A handle stays on its thread; parameters and gradients are what travels:
/// ```compile_fail,E0277
/// use chainrule::prelude::*;
/// let mut tape = Tape::new();
/// let x = tape.begin().constant(&Tensor::scalar(1.0));
/// std::thread::scope(|s| { s.spawn(move || x.tanh()); });
/// ```
pub struct Tape<F: Real = f32> {
    recording: Recording<F>,
}

/// What a step records; lent by [`Tape::begin`], [`Tape::begin_train`] or [`Tape::begin_eval`].
pub struct Recording<F: Real = f32> {
    pub(super) record: RefCell<Record<F>>,
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Train,
    /// Training that may draw, with its seed.
    Draw(u64),
    Eval,
}

impl<F: Real> Default for Tape<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Real> Tape<F> {
    /// An empty tape.
    pub fn new() -> Self {
        Self { recording: Recording { record: RefCell::new(Record::new()), mode: Mode::Train } }
    }

    /// Starts a step of training in which nothing may draw (dropout panics and names the other two).
    ///
    /// It ends all handles of the step before; keeping one is a compile error.
    pub fn begin(&mut self) -> &Recording<F> {
        self.start(Mode::Train)
    }

    /// Starts a step of training in which dropout and the like may draw.
    ///
    /// One number is drawn from `rng`; masks are functions of it, of the node and of the element, so that a
    /// [replay](Recording::replay) draws the same.
    pub fn begin_train(&mut self, rng: &mut Rng) -> &Recording<F> {
        self.start(Mode::Draw(rng.bits()))
    }

    /// Starts a recording of evaluation: dropout is the identity and running statistics are used, as on plain tensors,
    /// but gradients can be taken.
    pub fn begin_eval(&mut self) -> &Recording<F> {
        self.start(Mode::Eval)
    }

    fn start(&mut self, mode: Mode) -> &Recording<F> {
        self.recording.mode = mode;
        self.recording.record.get_mut().clear();
        F::restart_peak();
        &self.recording
    }

    /// The most bytes that tensors of this element type held at one time on this thread since `begin`: the peak of a
    /// step, if it is asked after the step.
    ///
    /// It counts all tensors of the thread, also those not on this tape (data, parameters, optimizer state), as they are
    /// allocated: in sizes of 8, 10, 12 or 14 times a power of two, and 64 bytes each for the count of their owners. Not
    /// counted are the tape's own lists, packing inside a matrix product, labels, what other threads made, and free storage
    /// kept for reuse: a tenth more where layers have much the same width, two fifths in the worst case that we tried. What the recording itself holds: [`Recording::stats`].
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let mut tape = Tape::new();
    /// let x = tape.begin().variable(&Tensor::ones([64, 64]));
    /// (0..10).fold(x, |x, _| x.tanh()).sum().grads_of(&[x])?;
    /// let peak = tape.peak_bytes();
    /// assert!(peak > 11 * 4 * 64 * 64 && peak < 15 * 4 * 64 * 64); // 11 values, and cotangents on their way
    /// # Ok::<(), Error>(())
    /// ```
    pub fn peak_bytes(&self) -> usize {
        usize::try_from(F::usage().1).unwrap_or(0)
    }
}

impl<F: Real> Recording<F> {
    /// How many nodes it has.
    pub fn len(&self) -> usize {
        self.record.borrow().nodes.len()
    }

    /// Whether nothing is recorded yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[track_caller]
    fn leaf(&self, t: Tensor<F>, wants: u32) -> Var<'_, F> {
        let id = self.writable("leaf").push(One(Leaf), t, wants, 1, Location::caller());
        Var { rec: self, id }
    }

    /// Data: no gradient flows here.
    #[track_caller]
    pub fn constant(&self, t: &Tensor<F>) -> Var<'_, F> {
        self.leaf(t.clone(), 0)
    }

    /// A value to differentiate with respect to, by [`Var::grads_of`] or [`Var::grads_recorded`].
    #[track_caller]
    pub fn variable(&self, t: &Tensor<F>) -> Var<'_, F> {
        self.leaf(t.clone(), 1)
    }

    /// A parameter: the same node each time it is asked for; of a running statistic the newest
    /// [update](TensorLike::update).
    #[track_caller]
    pub fn param(&self, p: &Param<F>) -> Var<'_, F> {
        if p.role() == Role::Buffer {
            let newest = self.record.borrow().updates.iter().rev().find(|(id, _)| *id == p.id).map(|(_, node)| *node);
            if let Some(id) = newest {
                return Var { rec: self, id };
            }
        }
        let known = self.record.borrow().params.binary_search_by_key(&p.id, |(id, _)| *id);
        match known {
            Ok(at) => Var { rec: self, id: self.record.borrow().params[at].1 },
            Err(at) => {
                let var = self.leaf(p.value.clone(), u32::from(p.role() == Role::Trained));
                let r = &mut *self.record.borrow_mut();
                r.nodes[var.id as usize].param = Some(p.id);
                r.params.insert(at, (p.id, var.id));
                var
            }
        }
    }

    /// Calls `f` for every node from the first, with op, line, value and inputs. (Paths are known to a
    /// [`Recorded`](crate::core::Recorded) event.) Values inside a [checkpoint](TensorLike::checkpoint) are computed
    /// again for it, block by block; once `backward` has ended the recording, they are gone like those of parameters.
    pub fn each_node(&self, f: impl FnMut(RecordedNode<'_, F>)) {
        self.walk(None, f);
    }

    /// The parameter and the output's shape of each layer that ran, in order.
    pub(super) fn layer_outputs(&self, mut f: impl FnMut(ParamId, Shape)) {
        let r = self.record.borrow();
        for (index, node) in r.nodes.iter().enumerate() {
            if let Some(id) = node.param.filter(|_| !r.is_leaf(index)) {
                f(id, r.values[index].shape());
            }
        }
    }

    pub(super) fn walk(&self, table: Option<&Table>, mut f: impl FnMut(RecordedNode<'_, F>)) {
        let (mut at, outer) = (0, self.record.borrow().outer_checkpoints());
        for which in outer {
            let (start, end) = self.record.borrow().checkpoints[which].range();
            self.walk_range(table, at..start, &mut f);
            let shown = self.show_checkpoint(which);
            self.walk_range(table, start..end, &mut f);
            if shown {
                self.record.borrow_mut().hide_checkpoint(which);
            }
            at = end;
        }
        self.walk_range(table, at..self.len(), &mut f);
    }

    fn walk_range(&self, table: Option<&Table>, range: Range<usize>, f: &mut impl FnMut(RecordedNode<'_, F>)) {
        let r = self.record.borrow();
        for index in range {
            let node = &r.nodes[index];
            f(RecordedNode {
                index,
                op: r.ops[index].name(),
                at: node.at,
                value: &r.values[index],
                inputs: r.inputs(index),
                head: r.head(index).0,
                wants: node.wants != 0,
                elementwise: r.ops[index].is_elementwise(),
                layer: r.path(index, table).filter(|_| !r.is_leaf(index)),
                path: match r.is_leaf(index) {
                    true => r.path(index, table).or(r.watch_names(index).next()),
                    false => r.watch_names(index).next().or(r.path(index, table)),
                },
            });
        }
    }

    pub(super) fn is_training(&self) -> bool {
        self.mode != Mode::Eval
    }

    #[track_caller]
    pub(super) fn draw_key(&self, who: &str) -> Option<u64> {
        match self.mode {
            Mode::Eval => None,
            Mode::Draw(seed) => Some(mix(seed ^ mix(self.len() as u64))),
            Mode::Train => panic!(
                "{who}: begin() may not draw; use begin_train(&mut rng) or begin_eval() ({})",
                Location::caller()
            ),
        }
    }

    #[track_caller]
    pub(super) fn note_update(&self, p: &Param<F>, v: Var<'_, F>) {
        let at = Location::caller();
        assert!(p.role() == Role::Buffer, "update: only a Param::buffer takes updates ({at})");
        assert!(std::ptr::eq(v.rec, self), "update: the value lives on another recording ({at})");
        assert!(
            v.shape() == p.value.shape(),
            "update: shape {} for a buffer of shape {} ({at})",
            v.shape(),
            p.value.shape()
        );
        if self.is_training() {
            self.record.borrow_mut().updates.push((p.id, v.id));
        }
    }

    pub(super) fn tag(&self, v: Var<'_, F>, p: &Param<F>) {
        let r = &mut *self.record.borrow_mut();
        if !r.is_leaf(v.id as usize) {
            r.nodes[v.id as usize].param = Some(p.id);
        }
    }

    pub(super) fn watch(&self, v: Var<'_, F>, name: Cow<'static, str>) {
        let r = &mut *self.record.borrow_mut();
        r.nodes[v.id as usize].watched = true;
        r.watches.push((v.id, name));
    }

    #[inline]
    pub(super) fn with_value<R>(&self, v: Var<'_, F>, f: impl FnOnce(&Tensor<F>) -> R) -> R {
        f(&self.record.borrow().values[v.id as usize])
    }
}

impl<F: Real> fmt::Debug for Recording<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recording of {} nodes", self.len())
    }
}
