//! What a program does, written down: primitives, each once, and the records that a tape would have.
use super::{Scalar, symbol::Symbol};
use crate::{
    kernel::{Code, Programs, Relation},
    real::Base,
};
use std::cell::RefCell;

/// A primitive: its operands are the numbers of earlier ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) code: Code,
    pub(super) operands: [u32; 3],
}

/// As a record of the tape; the derivatives are primitives.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) i: [u32; 2],
    pub(super) d: [u32; 2],
}

/// A comparison, its answer, and what was compared.
pub(super) type Compared = (Relation, bool, [u32; 2]);
/// Another question, and of what.
pub(super) type Asked<S> = (Box<dyn Fn(S) -> bool + Send + Sync>, u32);

/// What is recorded.
pub(super) struct Notes<S> {
    pub(super) inputs: u32,
    pub(super) nodes: Vec<Node>,
    pub(super) entries: Vec<Entry>,
    pub(super) compared: Vec<Compared>,
    pub(super) asked: Vec<Asked<S>>,
    pub(super) calls: Vec<fn(S) -> S>,
    /// Where a primitive was written down, by its hash; one that was overwritten is written again.
    seen: Vec<u32>,
}

/// Places in the table of what was seen.
const SEEN: usize = 1 << 16;

/// Where [`Trace`](super::Trace) records.
pub(super) struct Recorder<S>(RefCell<Notes<S>>);

impl<S: Scalar + Programs> Recorder<S> {
    pub(super) fn new(inputs: usize) -> Self {
        let inputs = u32::try_from(inputs).expect("at most 2^32 variables");
        let nodes = (0..inputs).map(|i| Node { code: Code::Input, operands: [i, 0, 0] }).collect();
        let notes = Notes {
            inputs,
            nodes,
            entries: vec![],
            compared: vec![],
            asked: vec![],
            calls: vec![],
            seen: vec![0; SEEN],
        };
        Self(RefCell::new(notes))
    }

    pub(super) fn into_notes(self) -> Notes<S> {
        self.0.into_inner()
    }

    /// A constant's number.
    pub(super) fn constant(&self, c: S) -> u32 {
        let bits = c.f64().to_bits();
        self.node(Code::Constant, [bits as u32, (bits >> 32) as u32, 0])
    }

    /// The constant that a number stands for.
    pub(super) fn known(&self, node: u32) -> Option<S> {
        self.0.borrow().nodes[node as usize].known()
    }

    /// A primitive, written down if it is not there yet.
    pub(super) fn node(&self, code: Code, operands: [u32; 3]) -> u32 {
        let notes = &mut *self.0.borrow_mut();
        let node = Node { code, operands };
        let place = node.hash() % SEEN;
        let seen = notes.seen[place];
        if notes.nodes.get(seen as usize) == Some(&node) {
            return seen;
        }
        let at = u32::try_from(notes.nodes.len()).expect("at most 2^32 operations");
        notes.nodes.push(node);
        notes.seen[place] = at;
        at
    }

    /// A function that is no row, of which no derivative is taken.
    pub(super) fn call(&self, x: u32, f: fn(S) -> S) -> u32 {
        let at = {
            let calls = &mut self.0.borrow_mut().calls;
            let known = calls.iter().position(|&g| std::ptr::fn_addr_eq(f, g));
            known.unwrap_or_else(|| {
                calls.push(f);
                calls.len() - 1
            })
        };
        self.node(Code::Call, [x, at as u32, 0])
    }

    /// A record; its index counts the variables, too.
    pub(super) fn push(&self, entry: Entry) -> u32 {
        let notes = &mut *self.0.borrow_mut();
        notes.entries.push(entry);
        u32::try_from(notes.inputs as usize + notes.entries.len() - 1).expect("at most 2^32 records")
    }

    pub(super) fn compared(&self, relation: Relation, answer: bool, of: [u32; 2]) {
        let compared = &mut self.0.borrow_mut().compared;
        if compared.last() != Some(&(relation, answer, of)) {
            compared.push((relation, answer, of));
        }
    }

    pub(super) fn asked(&self, holds: impl Fn(S) -> bool + Send + Sync + 'static, of: u32) {
        self.0.borrow_mut().asked.push((Box::new(holds), of));
    }

    /// The product of the chain rule; known factors 0, 1 and -1 need none.
    pub(super) fn product(&self, a: u32, b: u32) -> u32 {
        let (x, y) = (self.known(a), self.known(b));
        match (x, y) {
            (Some(x), Some(y)) => return self.constant(Scalar::chain(x, y)),
            // As rules do: zero wins.
            (Some(x), None) if x == S::zero() => return a,
            (None, Some(y)) if y == S::zero() => return b,
            (Some(x), None) if x == S::one() => return b,
            (None, Some(y)) if y == S::one() => return a,
            (Some(x), None) if x == -S::one() => return self.node(Code::Neg, [b, 0, 0]),
            (None, Some(y)) if y == -S::one() => return self.node(Code::Neg, [a, 0, 0]),
            _ => {}
        }
        self.node(Code::Product, [a.min(b), a.max(b), 0])
    }

    /// The sum of two derivatives.
    pub(super) fn sum(&self, a: u32, b: u32) -> u32 {
        match (self.known(a), self.known(b)) {
            (Some(x), Some(y)) => self.constant(x + y),
            _ => self.node(Code::Add, [a, b, 0]),
        }
    }

    pub(super) fn symbol(&self, v: S, at: u32) -> Symbol<'_, S> {
        Symbol { v, at, tape: self }
    }
}

impl Node {
    /// Its number if it is a constant.
    pub(super) fn known<S: Programs>(self) -> Option<S> {
        let [low, high, _] = self.operands.map(u64::from);
        (self.code == Code::Constant).then(|| <S as Base>::of(f64::from_bits(low | high << 32)))
    }

    /// The primitives it reads.
    pub(super) fn reads(&self) -> &[u32] {
        &self.operands[..self.code.slots()]
    }

    fn hash(self) -> usize {
        let fold = |h: u64, x: u64| (h ^ x).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        self.operands.iter().fold(fold(0, self.code as u64), |h, &x| fold(h, u64::from(x))) as usize
    }
}
