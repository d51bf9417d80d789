//! From what was written down to a program that runs: what nobody reads is dropped, a product in a sum becomes one operation.
use super::{
    Scalar,
    recorder::{Asked, Node, Notes},
    schedule::schedule,
    trace::Answer,
    unwind::{Known, Unwound, unwind},
};
use crate::{
    kernel::{Code, Guard, Kind, Program, Programs, Sweep},
    real::Base,
};

/// A recorded path of a function.
pub(super) struct Path<S> {
    pub(super) program: Program<S>,
    /// The slot of each result, and the sweep from it.
    pub(super) results: Vec<u32>,
    pub(super) sweeps: Vec<Sweep>,
    /// Guards that are no comparisons.
    pub(super) asked: Vec<Asked<S>>,
}

/// No slot.
const NONE: u32 = u32::MAX;

/// The program of `notes` with these results.
pub(super) fn lower<S: Scalar + Programs>(mut notes: Notes<S>, answers: &[Answer<S>]) -> Path<S> {
    let known = Known { one: constant(&mut notes, S::one()), zero: constant(&mut notes, S::zero()) };
    let results: Vec<u32> = answers
        .iter()
        .map(|answer| match *answer {
            Answer::Constant(c) => constant(&mut notes, c),
            Answer::Value(at) | Answer::Record { at, .. } => at,
        })
        .collect();
    let is = |node: u32, c: f64| notes.nodes[node as usize].known::<S>() == Some(<S as Base>::of(c));
    let sweeps: Vec<_> = answers
        .iter()
        .map(|answer| match *answer {
            Answer::Record { d, i, .. } => Some(unwind(notes.inputs, &notes.entries, [i, d], known, is)),
            _ => None,
        })
        .collect();
    let mut uses = Uses { of: vec![0; notes.nodes.len()] };
    uses.roots(&notes, &results, &sweeps);
    fuse(&mut notes.nodes, &mut uses.of);
    let (mut program, slots) = layout(&notes, &uses.of);
    let slot = |node: u32| slots[node as usize];
    program.guards =
        notes.compared.iter().map(|&(relation, answer, of)| Guard { relation, answer, slots: of.map(slot) }).collect();
    program.calls = notes.calls;
    Path {
        program,
        results: results.into_iter().map(slot).collect(),
        sweeps: sweeps.into_iter().map(|unwound| finish(unwound, notes.inputs as usize, slot)).collect(),
        asked: notes.asked.into_iter().map(|(holds, of)| (holds, slot(of))).collect(),
    }
}

fn constant<S: Scalar + Programs>(notes: &mut Notes<S>, c: S) -> u32 {
    let bits = c.f64().to_bits();
    notes.nodes.push(Node { code: Code::Constant, operands: [bits as u32, (bits >> 32) as u32, 0] });
    (notes.nodes.len() - 1) as u32
}

/// How often each primitive is read.
struct Uses {
    of: Vec<u32>,
}

impl Uses {
    fn roots<S>(&mut self, notes: &Notes<S>, results: &[u32], sweeps: &[Option<Unwound>]) {
        let of = &mut self.of;
        let mut root = |node: u32| of[node as usize] += 1;
        results.iter().copied().for_each(&mut root);
        notes.compared.iter().flat_map(|&(_, _, of)| of).for_each(&mut root);
        notes.asked.iter().for_each(|&(_, of)| root(of));
        for unwound in sweeps.iter().flatten() {
            root(unwound.seed[1]);
            for (kind, operands) in &unwound.steps {
                operands[Unwound::partials(*kind)].iter().copied().for_each(&mut root);
            }
        }
        for k in (0..notes.nodes.len()).rev() {
            if of[k] > 0 {
                notes.nodes[k].reads().iter().for_each(|&read| of[read as usize] += 1);
            }
        }
    }
}

/// `c + a b` where nobody else reads the product: one operation with the same roundings.
fn fuse(nodes: &mut [Node], uses: &mut [u32]) {
    for k in 0..nodes.len() {
        let Node { code: Code::Add, operands: [x, y, _] } = nodes[k] else { continue };
        if uses[k] == 0 {
            continue;
        }
        let lone = |x: u32| nodes[x as usize].code == Code::Mul && uses[x as usize] == 1;
        let (product, other) = match () {
            () if lone(y) => (y, x),
            () if lone(x) => (x, y),
            () => continue,
        };
        let [a, b, _] = nodes[product as usize].operands;
        nodes[k] = Node { code: Code::MulPlus, operands: [a, b, other] };
        uses[product as usize] = 0;
    }
}

/// The program, and the slot of each primitive.
fn layout<S: Scalar + Programs>(notes: &Notes<S>, uses: &[u32]) -> (Program<S>, Vec<u32>) {
    let mut slots = vec![NONE; notes.nodes.len()];
    let mut constants = vec![];
    let mut wanted = vec![];
    for (k, node) in notes.nodes.iter().enumerate().filter(|&(k, _)| uses[k] > 0) {
        match node.known() {
            Some(c) => {
                slots[k] = constants.len() as u32;
                constants.push(c);
            }
            None if node.code == Code::Input => {}
            None => wanted.push(k as u32),
        }
    }
    let first = constants.len() as u32;
    for k in 0..notes.inputs {
        slots[k as usize] = first + k;
    }
    let (runs, order) = schedule(&notes.nodes, &wanted);
    let mut operands = vec![];
    for (k, &node) in order.iter().enumerate() {
        slots[node as usize] = first + notes.inputs + k as u32;
        let node = &notes.nodes[node as usize];
        operands.extend(node.reads().iter().map(|&read| slots[read as usize]));
        operands.extend_from_slice(&node.operands[node.code.slots()..node.code.width()]);
    }
    let inputs = notes.inputs as usize;
    let slots_len = constants.len() + inputs + order.len();
    let program = Program { constants, inputs, slots: slots_len, runs, operands, calls: vec![], guards: vec![] };
    (program, slots)
}

/// A sweep with slots for primitives.
fn finish(unwound: Option<Unwound>, inputs: usize, slot: impl Fn(u32) -> u32) -> Sweep {
    let Some(Unwound { seed: [bar, d], steps, bars }) = unwound else {
        return Sweep { seed: None, runs: vec![], operands: vec![], inputs, bars: inputs + 1 };
    };
    let mut runs: Vec<(Kind, u32)> = vec![];
    let mut operands = vec![];
    for (kind, mut step) in steps {
        step[Unwound::partials(kind)].iter_mut().for_each(|d| *d = slot(*d));
        operands.extend_from_slice(&step[..kind.width()]);
        match runs.last_mut() {
            Some((last, n)) if *last == kind => *n += 1,
            _ => runs.push((kind, 1)),
        }
    }
    Sweep { seed: Some([bar, slot(d)]), runs, operands, inputs, bars: bars as usize }
}
