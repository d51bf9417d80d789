//! The order of the layers, read off the recording.
use crate::{
    core::{Recorded, RecordedNode},
    tensor::Real,
};
use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    panic::Location,
    sync::Arc,
};

/// What one node needs to be known by.
pub(crate) struct Node {
    pub(crate) op: &'static str,
    pub(crate) at: &'static Location<'static>,
    pub(crate) inputs: Range<usize>,
    pub(crate) head: usize,
    pub(crate) wants: bool,
    pub(crate) elementwise: bool,
    pub(crate) layer: Option<Arc<str>>,
    /// Of a parameter its path.
    pub(crate) param: Option<Arc<str>>,
    /// Of a parameter with two axes or more, the last two.
    pub(crate) matrix: Option<[usize; 2]>,
}

/// What is to be read of a node's value and cotangent.
#[derive(Clone, Copy, Default)]
pub(crate) struct Role {
    /// Which trained parameter it is.
    pub(crate) param: Option<usize>,
    /// Which stage's signal its cotangent is.
    pub(crate) signal: Option<usize>,
    /// Which stage's activation it is.
    pub(crate) activation: Option<usize>,
    /// Whether a way leads from it to the loss.
    pub(crate) leads: bool,
    /// Whether the norm of its value counts.
    pub(crate) value: bool,
    /// Whether the norm of its cotangent counts.
    pub(crate) bar: bool,
}

/// A stage of the way from the data to the loss: a layer, or a block through whose end everything passes.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) path: Arc<str>,
    /// The paths of its layers, one unless it is a block.
    pub(crate) layers: Vec<Arc<str>>,
    /// Where its signal is taken: the output of the layer's arithmetic, or the end of the block.
    pub(crate) signal: usize,
    /// What the next stage reads, through which everything passes.
    pub(crate) out: usize,
    /// What it reads itself.
    pub(crate) input: Option<usize>,
    pub(crate) activation: Option<(usize, &'static str)>,
    /// The leaves of its matrices.
    pub(crate) weights: Vec<usize>,
    /// Width of its output, and of its input.
    pub(crate) width: [usize; 2],
}

/// The recording as far as gradient flow is concerned.
pub(crate) struct Chain {
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<u32>,
    pub(crate) root: usize,
    /// From the first to the last: the output layer.
    pub(crate) stages: Vec<Stage>,
    /// For each node.
    pub(crate) roles: Vec<Role>,
    /// The paths of the trained parameters, in the module's order, and what their places are.
    pub(crate) trained: Vec<Trained>,
    pub(crate) by_path: HashMap<Arc<str>, usize>,
    /// Layers with a parameter of one axis, a bias: an entry of the signal that is not finite makes one of its gradient.
    pub(crate) biased: HashSet<Arc<str>>,
    /// Recurrent layers: their path and the leaf of their recurrent weights.
    pub(crate) recurrent: Vec<(Arc<str>, &'static str, Option<usize>)>,
}

/// What the structure says of a trained parameter.
#[derive(Clone)]
pub(crate) struct Trained {
    pub(crate) path: Arc<str>,
    /// Whether a way leads from it to the loss.
    pub(crate) connected: bool,
    /// The last op on its way, with its line, if that is not the loss.
    pub(crate) ends: Option<(&'static str, &'static Location<'static>)>,
}

/// Ops whose first input is multiplied by a matrix: what makes a layer of a network's depth.
const PRODUCTS: [&str; 2] = ["linear", "matmul"];
/// What is an activation beside other elementwise ops.
pub(crate) const ACTIVATIONS: [&str; 13] = [
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "gelu_tanh",
    "silu",
    "softplus",
    "log_sigmoid",
    "hardtanh",
    "sin",
];
const RECURRENT: [&str; 3] = ["rnn", "lstm", "gru"];

impl Chain {
    /// Reads the structure of a recording.
    pub(crate) fn read<F: Real>(recorded: &Recorded<'_, F>) -> Self {
        let (mut nodes, mut edges) = (vec![], vec![]);
        recorded.each_node(|n: RecordedNode<'_, F>| {
            let start = edges.len();
            edges.extend_from_slice(n.inputs);
            let (param, matrix) = parameter(&n);
            nodes.push(Node {
                op: n.op,
                at: n.at,
                inputs: start..edges.len(),
                head: n.head,
                wants: n.wants,
                elementwise: n.elementwise,
                layer: n.layer.map(Arc::from),
                param: param.map(Arc::from),
                matrix,
            });
        });
        let trained: Vec<Trained> =
            recorded.trained().map(|path| Trained { path: path.into(), connected: false, ends: None }).collect();
        let by_path = trained.iter().enumerate().map(|(i, p)| (p.path.clone(), i)).collect();
        let owner = |path: &Arc<str>| path.rsplit_once('.').map_or("", |(owner, _)| owner).into();
        let biases = nodes.iter().filter(|n: &&Node| n.wants && n.matrix.is_none());
        let biased = biases.filter_map(|n| n.param.as_ref()).map(owner).collect();
        let roles = vec![Role::default(); nodes.len()];
        let root = recorded.root;
        let mut chain = Self { nodes, edges, root, stages: vec![], roles, trained, by_path, biased, recurrent: vec![] };
        chain.find_ways();
        chain.find_recurrent();
        chain.find_stages();
        chain.give_roles();
        chain.connect();
        chain
    }

    /// Whether a recording has the same loss and the same parameters; its nodes are compared one by one.
    pub(crate) fn fits<F: Real>(&self, recorded: &Recorded<'_, F>) -> bool {
        self.root == recorded.root && self.trained.iter().map(|p| &*p.path).eq(recorded.trained())
    }

    /// Whether a node is the one that was read at this place.
    pub(crate) fn knows<F: Real>(&self, n: &RecordedNode<'_, F>) -> bool {
        self.nodes.get(n.index).is_some_and(|known| {
            let (param, matrix) = parameter(n);
            known.op == n.op
                && std::ptr::eq(known.at, n.at)
                && self.edges[known.inputs.clone()] == *n.inputs
                && (known.head, known.wants, known.elementwise) == (n.head, n.wants, n.elementwise)
                && known.layer.as_deref() == n.layer
                && (known.param.as_deref(), known.matrix) == (param, matrix)
        })
    }

    fn give_roles(&mut self) {
        for (i, n) in self.nodes.iter().enumerate() {
            self.roles[i].param = n.param.as_ref().and_then(|p| self.by_path.get(p)).copied();
        }
        for (k, stage) in self.stages.iter().enumerate() {
            self.roles[stage.signal].signal = Some(k);
            self.roles[stage.signal].bar = true;
            self.roles[stage.out].bar = true;
            self.roles[stage.out].value = true;
            if let Some(input) = stage.input {
                self.roles[input].value = true;
            }
            if let Some((node, _)) = stage.activation {
                self.roles[node].activation = Some(k);
            }
        }
    }

    /// From which nodes a way leads to the loss.
    fn find_ways(&mut self) {
        self.roles[self.root].leads = true;
        for i in (0..=self.root).rev() {
            if self.roles[i].leads && self.nodes[i].wants {
                self.roles[self.nodes[i].head].leads = true;
                for x in self.edges[self.nodes[i].inputs.clone()].iter() {
                    self.roles[*x as usize].leads = true;
                }
            }
        }
    }

    /// Which parameters lead to the loss, and where the way of the others ends.
    fn connect(&mut self) {
        let n = self.nodes.len();
        for i in 0..n {
            let leads = self.roles[i].leads;
            let Some(at) = self.roles[i].param else { continue };
            self.trained[at].connected = leads;
            if !leads {
                let mut from = vec![false; n];
                from[i] = true;
                let mut end = i;
                for j in i + 1..n {
                    from[j] = from[self.nodes[j].head] || self.inputs(j).iter().any(|x| from[*x as usize]);
                    end = if from[j] { j } else { end };
                }
                self.trained[at].ends = Some((self.nodes[end].op, self.nodes[end].at));
            }
        }
    }

    pub(crate) fn inputs(&self, i: usize) -> &[u32] {
        &self.edges[self.nodes[i].inputs.clone()]
    }

    /// The parameters of matrix shape that belong to the layer of this path.
    fn matrices(&self, layer: &str) -> Vec<usize> {
        let own = |path: &str| path.rsplit_once('.').map_or(layer.is_empty(), |(head, _)| head == layer);
        let fits = |n: &Node| n.matrix.is_some() && n.param.as_deref().is_some_and(own);
        (0..self.nodes.len()).filter(|i| fits(&self.nodes[*i])).collect()
    }

    fn find_recurrent(&mut self) {
        let mut found: Vec<(Arc<str>, &'static str, Option<usize>)> = vec![];
        for n in &self.nodes {
            if let Some(path) = n.layer.as_ref().filter(|_| RECURRENT.contains(&n.op)) {
                let full = if path.is_empty() { "w_hh".to_owned() } else { format!("{path}.w_hh") };
                let w = self.nodes.iter().position(|n| n.param.as_deref() == Some(&full));
                if found.iter().all(|(known, ..)| known != path) {
                    found.push((path.clone(), n.op, w));
                }
            }
        }
        self.recurrent = found;
    }

    /// Which nodes lie on a way from `first` to the root.
    fn between(&self, first: usize) -> Vec<bool> {
        let n = self.nodes.len();
        let mut from = vec![false; n];
        from[first] = true;
        for i in first + 1..n {
            let head = self.nodes[i].head;
            from[i] = self.nodes[i].wants && (from[head] || self.inputs(i).iter().any(|x| from[*x as usize]));
        }
        (0..n).map(|i| from[i] && self.roles[i].leads).collect()
    }

    /// Of the nodes on a way, those that every way passes.
    fn gates(&self, on: &[bool], first: usize) -> Vec<bool> {
        let n = self.nodes.len();
        let mut last_use: Vec<usize> = (0..n).collect();
        for i in first + 1..n {
            if on[i] {
                let head = self.nodes[i].head;
                last_use[head] = last_use[head].max(i);
                for x in self.inputs(i) {
                    last_use[*x as usize] = last_use[*x as usize].max(i);
                }
            }
        }
        let (mut reach, mut gates) = (first, vec![false; n]);
        for i in first..=self.root {
            if on[i] {
                gates[i] = reach <= i;
                reach = reach.max(last_use[i]);
            }
        }
        gates
    }

    fn find_stages(&mut self) {
        let is_layer = |n: &Node| n.wants && n.layer.is_some() && PRODUCTS.contains(&n.op);
        // The first layer from which a way leads to the loss: a layer before a detached value has none.
        let layers: Vec<usize> = (0..=self.root).filter(|i| is_layer(&self.nodes[*i])).collect();
        let Some((first, on)) = layers.iter().map(|i| (*i, self.between(*i))).find(|(i, on)| on[*i]) else { return };
        let gates = self.gates(&on, first);
        let mut stages: Vec<Stage> = vec![];
        for z in first..=self.root {
            if !on[z] || !is_layer(&self.nodes[z]) {
                continue;
            }
            let path = self.nodes[z].layer.clone().expect("a layer");
            let signal = (z..=self.root).find(|i| gates[*i]).unwrap_or(z);
            let weights = self.matrices(&path);
            let width = weights.first().and_then(|w| self.nodes[*w].matrix).unwrap_or([0, 0]);
            match stages.last_mut() {
                Some(block) if block.signal == signal => {
                    block.weights.extend(weights);
                    block.weights.sort_unstable();
                    block.weights.dedup();
                    block.width[0] = width[0];
                    if !block.layers.contains(&path) {
                        block.layers.push(path);
                    }
                }
                _ => {
                    let input = (first..z).rev().find(|i| gates[*i]).or(self.inputs(z).first().map(|x| *x as usize));
                    let layers = vec![path.clone()];
                    stages.push(Stage { path, layers, signal, out: signal, input, activation: None, weights, width });
                }
            }
        }
        for k in 0..stages.len() {
            if let Some(next) = stages.get(k + 1).and_then(|s| s.input) {
                stages[k].out = next.max(stages[k].signal);
            }
            let from = stages[k].input.map_or(0, |i| i + 1);
            let elementwise = |i: &usize| on[*i] && self.nodes[*i].elementwise && self.inputs(*i).len() == 1;
            let known = |i: &usize| elementwise(i) && ACTIVATIONS.contains(&self.nodes[*i].op);
            let last = stages[k].out.max(stages[k].signal);
            let last = if k + 1 == stages.len() { stages[k].signal } else { last };
            let found = (from..=last).find(known).or_else(|| (from..=last).find(elementwise));
            stages[k].activation = found.map(|i| (i, self.nodes[i].op));
            stages[k].path = common(&stages[k].layers);
        }
        self.stages = stages;
    }
}

/// Of a parameter's leaf, its path and the last two axes of a matrix.
fn parameter<'a, F: Real>(n: &RecordedNode<'a, F>) -> (Option<&'a str>, Option<[usize; 2]>) {
    let Some(path) = n.path.filter(|_| n.op == "leaf") else { return (None, None) };
    let shape = n.value.shape();
    (Some(path), (shape.rank() >= 2).then(|| [shape[shape.rank() - 2], shape[shape.rank() - 1]]))
}

/// What a block is called: what its layers' paths have in common.
fn common(paths: &[Arc<str>]) -> Arc<str> {
    let [first, rest @ ..] = paths else { return "".into() };
    if rest.is_empty() {
        return first.clone();
    }
    let parts: Vec<&str> = first.split('.').collect();
    let same = |n: usize| rest.iter().all(|p| p.split('.').take(n).eq(parts[..n].iter().copied()));
    let n = (0..=parts.len()).rev().find(|n| same(*n)).unwrap_or(0);
    if n > 0 { parts[..n].join(".").into() } else { format!("{first}..{}", rest[rest.len() - 1]).into() }
}
