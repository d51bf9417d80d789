//! Where a number that is not finite came from.
use super::chain::Chain;
use crate::tensor::{Real, Tensor};
use std::{fmt, panic::Location, sync::Arc};

/// On which way a number was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Direction {
    /// By an op's value.
    Forward,
    /// By an op's reverse rule.
    Backward,
    /// It was seen in the signal of a layer, in a pass that was not measured: the op that made it lies behind that layer.
    Signal,
    /// It was seen in the gradient of a parameter, in a pass that was not measured: the op that made it lies behind the layer.
    Gradient,
    /// It was in the data or in a parameter.
    Given,
}

/// The first op that made a NaN or an infinity out of finite numbers, or the leaf that brought it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Origin {
    /// Value, reverse rule, or leaf.
    pub direction: Direction,
    /// The op's name; `leaf` for data.
    pub op: &'static str,
    /// The line that recorded it.
    pub at: &'static Location<'static>,
    /// The parameter's path, the layer's, or that of the layer before it.
    pub layer: Option<Arc<str>>,
    /// The place of the first such number in its tensor.
    pub entry: usize,
    /// How many there are, of how many.
    pub count: (usize, usize),
    /// The number.
    pub value: f64,
    /// How many other ops read the same value: on the way back, any of them may have made it.
    pub others: usize,
}

/// Ops whose slope has no bound: where several read a value, the likelier makers.
const STEEP: [&str; 14] =
    ["sqrt", "ln", "ln_1p", "powf", "powi", "div", "recip", "norm", "std", "exp", "exp_m1", "tan", "prod", "logsumexp"];

impl Origin {
    pub(super) fn of<F: Real>(direction: Direction, chain: &Chain, node: usize, t: &Tensor<F>) -> Self {
        let n = &chain.nodes[node];
        let direction = if n.op == "leaf" && direction == Direction::Forward { Direction::Given } else { direction };
        let layer = n.param.clone().or_else(|| chain.layer_before(node));
        Self::at(direction, n.op, n.at, layer, t)
    }

    /// Of the op whose rule gave the cotangent of `node`: its reader, or the likeliest of several.
    pub(super) fn behind<F: Real>(chain: &Chain, node: usize, bar: &Tensor<F>) -> Self {
        let readers: Vec<usize> = chain.readers(node).collect();
        let steep = readers.iter().find(|i| STEEP.contains(&chain.nodes[**i].op));
        let maker = *steep.or(readers.first()).unwrap_or(&node);
        Self { others: readers.len().saturating_sub(1), ..Self::of(Direction::Backward, chain, maker, bar) }
    }

    pub(crate) fn at<F: Real>(
        direction: Direction,
        op: &'static str,
        at: &'static Location<'static>,
        layer: Option<Arc<str>>,
        t: &Tensor<F>,
    ) -> Self {
        let entry = t.data().iter().position(|x| !x.is_finite()).unwrap_or(0);
        let count = t.data().iter().filter(|x| !x.is_finite()).count();
        let value = t.data().get(entry).map_or(f64::NAN, |x| x.f64());
        Self { direction, op, at, layer, entry, count: (count, t.data().len()), value, others: 0 }
    }
}

impl Chain {
    /// The layer whose output a node is, or the nearest one before it.
    fn layer_before(&self, node: usize) -> Option<Arc<str>> {
        let mut i = node;
        loop {
            if let Some(layer) = &self.nodes[i].layer {
                return Some(layer.clone());
            }
            let head = self.nodes[i].head;
            i = if head != i { head } else { *self.inputs(i).first()? as usize };
        }
    }

    /// The ops that read a node and lead to the loss, the last one first.
    pub(crate) fn readers(&self, node: usize) -> impl Iterator<Item = usize> {
        let reads = move |i: &usize| self.roles[*i].leads && self.inputs(*i).contains(&(node as u32));
        (node + 1..=self.root).rev().filter(reads)
    }
}

/// `ln at src/net.rs:41:18, after layer "out", gives -inf of finite inputs: entry 3 of 12, 1 in all`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { op, at, entry, count: (count, all), value, .. } = self;
        let layer = self.layer.as_deref().map_or(String::new(), |l| format!(", layer \"{l}\","));
        match self.direction {
            Direction::Forward => write!(f, "{op} at {at}{layer} gives {value} of finite inputs")?,
            Direction::Backward => write!(f, "the rule of {op} at {at}{layer} gives {value} of finite cotangents")?,
            Direction::Signal => write!(f, "the signal that reaches {op} at {at}{layer} holds {value}")?,
            Direction::Gradient => {
                let path = self.layer.as_deref().unwrap_or("");
                write!(f, "the gradient of \"{path}\" (recorded at {at}) holds {value}")?;
            }
            Direction::Given => match &self.layer {
                Some(path) => write!(f, "the parameter \"{path}\" (recorded at {at}) holds {value}")?,
                None => write!(f, "the data recorded at {at} holds {value}")?,
            },
        }
        match self.others {
            0 => {}
            1 => write!(f, " (or that of the other op that reads the same value)")?,
            n => write!(f, " (or that of one of {n} other ops that read the same value)")?,
        }
        write!(f, ": entry {entry} of {all}, {count} in all")
    }
}
