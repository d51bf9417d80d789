//! The order of a program's primitives: those of one kind together, as far as what they read allows.
use super::recorder::Node;
use crate::kernel::{CODES, Code};

/// Primitives that are put in order together: as many as the cache holds values of, and runs become no longer with more.
const WINDOW: usize = 512;

/// The primitives of `wanted`, in an order in which each follows what it reads, as runs of one code.
pub(super) fn schedule(nodes: &[Node], wanted: &[u32]) -> (Vec<(Code, u32)>, Vec<u32>) {
    let mut order = Vec::with_capacity(wanted.len());
    let mut runs: Vec<(Code, u32)> = vec![];
    let mut window = Window::default();
    for wanted in wanted.chunks(WINDOW) {
        window.fill(nodes, wanted);
        while let Some(code) = window.most() {
            let before = order.len();
            window.run(nodes, wanted, code, &mut order);
            runs.push((code, (order.len() - before) as u32));
        }
    }
    (runs, order)
}

/// What waits, and what is ready, of some primitives.
#[derive(Default)]
struct Window {
    /// For each primitive how many of the window it waits for, and who waits for it.
    waits: Vec<u32>,
    readers: Vec<Vec<u32>>,
    /// By code.
    ready: Vec<Vec<u32>>,
}

impl Window {
    fn fill(&mut self, nodes: &[Node], wanted: &[u32]) {
        self.waits.clear();
        self.waits.resize(wanted.len(), 0);
        self.readers.resize(WINDOW, vec![]);
        self.ready.resize(CODES.len(), vec![]);
        for (k, &node) in wanted.iter().enumerate() {
            for read in nodes[node as usize].reads() {
                if let Ok(at) = wanted[..k].binary_search(read) {
                    self.waits[k] += 1;
                    self.readers[at].push(k as u32);
                }
            }
            if self.waits[k] == 0 {
                self.ready[nodes[node as usize].code as usize].push(k as u32);
            }
        }
    }

    /// The code of which most are ready.
    fn most(&self) -> Option<Code> {
        let (code, ready) = CODES.iter().zip(&self.ready).max_by_key(|(_, ready)| ready.len())?;
        (!ready.is_empty()).then_some(*code)
    }

    /// Everything of a code that is ready, and what becomes ready by it if a run may read what it writes.
    fn run(&mut self, nodes: &[Node], wanted: &[u32], code: Code, order: &mut Vec<u32>) {
        let mut these = std::mem::take(&mut self.ready[code as usize]);
        let mut k = 0;
        while k < these.len() {
            let at = these[k] as usize;
            order.push(wanted[at]);
            for reader in std::mem::take(&mut self.readers[at]) {
                self.waits[reader as usize] -= 1;
                if self.waits[reader as usize] > 0 {
                    continue;
                }
                let next = nodes[wanted[reader as usize] as usize].code;
                if next == code && code.chained() { &mut these } else { &mut self.ready[next as usize] }.push(reader);
            }
            k += 1;
        }
    }
}
