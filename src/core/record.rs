//! What a tape holds: flat lists, so that sweeping and dropping are loops.
use crate::{
    core::{ParamId, checkpoint::Checkpoint, op::ErasedOp, table::Table},
    tensor::{Real, Tensor},
};
use std::{borrow::Cow, panic::Location, sync::Arc};

pub(super) struct Record<F: Real> {
    /// Apart from `nodes`, so that a rule sees its inputs as a slice of tensors, or of variables.
    pub(super) values: Vec<Tensor<F>>,
    pub(super) nodes: Vec<Node>,
    /// One per node, and never cleared: the next step mostly repeats the same ops, so their boxes are written again
    /// in place instead of being allocated.
    pub(super) ops: Vec<Box<dyn ErasedOp<F>>>,
    /// Inputs and saved tensors of all nodes, end to end.
    pub(super) edges: Vec<u32>,
    pub(super) saved: Vec<Tensor<F>>,
    /// Sorted.
    pub(super) params: Vec<(ParamId, u32)>,
    pub(super) updates: Vec<(ParamId, u32)>,
    pub(super) watches: Vec<(u32, Cow<'static, str>)>,
    /// In the order in which they were closed, so by their ends, inner ones first.
    pub(super) checkpoints: Vec<Checkpoint>,
    /// Scratch of a checkpoint's second run, empty in between.
    pub(super) fresh: Vec<Tensor<F>>,
    /// Scratch of the sweep, all `None` between sweeps.
    pub(super) cotangents: Vec<Option<Tensor<F>>>,
    /// Of the last modules that were swept for.
    pub(super) tables: Vec<Arc<Table>>,
    pub(super) ended: bool,
}

pub(super) struct Node {
    pub(super) at: &'static Location<'static>,
    /// On a leaf: its parameter. On any other node: the parameter whose layer it is the output of.
    pub(super) param: Option<ParamId>,
    /// Ends of this node's stretch of `edges` and `saved`; the node before has the beginnings.
    pub(super) edges_end: u32,
    pub(super) saved_end: u32,
    /// Bit i: input i leads to something differentiable. Zero: this node is a constant.
    pub(super) wants: u32,
    /// Zero: a further output of a node before.
    pub(super) outputs: u32,
    pub(super) watched: bool,
}

impl<F: Real> Record<F> {
    pub(super) fn new() -> Self {
        Self {
            values: vec![],
            nodes: vec![],
            ops: vec![],
            edges: vec![],
            saved: vec![],
            params: vec![],
            updates: vec![],
            watches: vec![],
            checkpoints: vec![],
            fresh: vec![],
            cotangents: vec![],
            tables: vec![],
            ended: false,
        }
    }

    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.nodes.clear();
        self.edges.clear();
        self.saved.clear();
        self.params.clear();
        self.updates.clear();
        self.watches.clear();
        self.checkpoints.clear();
        self.ended = false;
    }

    #[inline]
    pub(super) fn inputs(&self, i: usize) -> &[u32] {
        let start = if i == 0 { 0 } else { self.nodes[i - 1].edges_end };
        &self.edges[start as usize..self.nodes[i].edges_end as usize]
    }

    #[inline]
    pub(super) fn saved_range(&self, i: usize) -> std::ops::Range<usize> {
        let start = if i == 0 { 0 } else { self.nodes[i - 1].saved_end };
        start as usize..self.nodes[i].saved_end as usize
    }

    pub(super) fn is_leaf(&self, i: usize) -> bool {
        self.inputs(i).is_empty() && self.nodes[i].outputs == 1
    }

    /// The node that computes this one, and which of its outputs this is.
    pub(super) fn head(&self, i: usize) -> (usize, usize) {
        let back = (0..).take_while(|back| self.nodes[i - back].outputs == 0).count();
        (i - back, back)
    }

    /// Of a parameter its path, of a layer's output the layer's.
    pub(super) fn path<'a>(&self, i: usize, table: Option<&'a Table>) -> Option<&'a str> {
        let (table, id) = table.zip(self.nodes[i].param)?;
        if self.is_leaf(i) { table.path(id) } else { table.layer(id) }
    }

    /// The names under which a node is watched.
    pub(super) fn watch_names(&self, i: usize) -> impl Iterator<Item = &str> {
        let watches = if self.nodes[i].watched { &self.watches[..] } else { &[] };
        watches.iter().filter(move |(node, _)| *node as usize == i).map(|(_, name)| &**name)
    }

    #[inline]
    pub(super) fn push<O: ErasedOp<F> + 'static>(
        &mut self,
        op: O,
        value: Tensor<F>,
        wants: u32,
        outputs: u32,
        at: &'static Location<'static>,
    ) -> u32 {
        let id = self.nodes.len();
        match self.ops.get_mut(id) {
            None => self.ops.push(Box::new(op)),
            Some(slot) if size_of::<O>() == 0 => *slot = Box::new(op), // a box of nothing does not allocate
            Some(slot) => match slot.as_any().downcast_mut::<O>() {
                Some(old) => *old = op,
                None => *slot = Box::new(op),
            },
        }
        let (edges_end, saved_end) = (self.edges.len() as u32, self.saved.len() as u32);
        self.values.push(value);
        self.nodes.push(Node { at, param: None, edges_end, saved_end, wants, outputs, watched: false });
        u32::try_from(id).expect("a tape holds at most 2^32 nodes")
    }

    /// What a forward that panicked left behind.
    #[inline]
    pub(super) fn drop_leftovers(&mut self) {
        self.saved.truncate(self.nodes.last().map_or(0, |last| last.saved_end as usize));
    }

    /// Gives up shared parameter storage, so that an optimizer may write in place.
    pub(super) fn release_params(&mut self) {
        for (_, node) in self.params.drain(..) {
            self.values[node as usize].release();
        }
    }
}
