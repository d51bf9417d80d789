//! Roof, this crate and the other libraries take turns, so that whatever else the machine does hits all alike.
use crate::{
    allocations,
    peers::{Kind, Peer},
    roof::Roof,
    row::{self, Row, median},
    workloads::{Bound, Worker, Workload},
};
use std::time::{Duration, Instant};

/// Steps longer than this keep no caches warm from one to the next.
const LONG: f64 = 0.05;

/// What a reader of the numbers should know.
#[derive(Default)]
pub(crate) struct Notes {
    /// What could not be measured, and why.
    pub(crate) troubles: Vec<String>,
    /// Which form of a workload the others were faster with.
    pub(crate) forms: Vec<String>,
}

impl Notes {
    /// As Markdown.
    pub(crate) fn text(&self) -> String {
        let mut parts: Vec<String> = self.troubles.iter().map(|trouble| format!("- {trouble}")).collect();
        if !self.forms.is_empty() {
            let forms = self.forms.join("; ");
            parts.push(format!("- the faster form (workload, threads, library): {forms}"));
        }
        if parts.is_empty() { String::new() } else { format!("Notes:\n\n{}", parts.join("\n")) }
    }
}

/// One number of threads.
struct Side<'a> {
    threads: usize,
    worker: Worker,
    /// In a turn.
    steps: usize,
    long: bool,
    /// Medians of the turns.
    ours: Vec<f64>,
    others: Vec<(&'a mut Peer, Vec<f64>)>,
}

/// Rows of one workload, one for each number of threads; `notes` gets what went wrong with a library.
pub(crate) fn measure(
    w: &'static Workload,
    seconds: f64,
    roofs: &mut [(usize, Roof)],
    peers: &mut [Peer],
    notes: &mut Notes,
) -> Vec<Row> {
    let slice = (seconds / 10.0).clamp(0.02, 0.2);
    let mut peers: Vec<Option<&mut Peer>> = peers.iter_mut().map(Some).collect();
    let mut sides: Vec<Side<'_>> =
        roofs.iter().map(|(threads, _)| side(w, *threads, slice, &mut peers, notes)).collect();
    let parties: usize = sides.iter().map(|side| 1 + side.others.len()).sum();
    let start = Instant::now();
    let mut rounds = 0;
    while rounds < 5 || start.elapsed().as_secs_f64() < seconds * parties as f64 {
        rounds += 1;
        for (side, (_, roof)) in sides.iter_mut().zip(&mut *roofs) {
            roof.again();
            side.turn(w, slice, notes);
        }
    }
    let single = sides.iter().find(|side| side.threads == 1).map(|side| side.ours.clone());
    let row = |(side, (_, roof)): (Side<'_>, &(usize, Roof))| side.row(w, roof, single.as_deref());
    sides.into_iter().zip(&*roofs).map(row).collect()
}

/// Everything built and warmed up.
fn side<'a>(
    w: &'static Workload,
    threads: usize,
    slice: f64,
    peers: &mut [Option<&'a mut Peer>],
    notes: &mut Notes,
) -> Side<'a> {
    let worker = Worker::new(threads, || w.ready());
    worker.run(2);
    let step = worker.run(3).into_iter().min().expect("three").as_secs_f64();
    let mut others = vec![];
    for peer in peers {
        let wanted = |p: &&mut Peer| p.threads == threads && (w.optimizer || p.kind != Kind::Fused);
        if let Some(peer) = peer.take_if(|p| wanted(p)) {
            match warmed(w, peer, worker.first) {
                Ok(form) => {
                    let used = form.map(|form| format!("{} {threads} {} {form}", w.name, peer.kind.name()));
                    notes.forms.extend(used);
                    others.push((peer, vec![]));
                }
                Err(e) => notes.troubles.push(format!("{}, {threads} thread(s): {}: {e}", w.name, peer.kind.name())),
            }
        }
    }
    let steps = ((slice / step) as usize).clamp(1, 10_000);
    Side { threads, worker, steps, long: step > LONG, ours: vec![], others }
}

/// Builds the workload in the other library, which must find the same loss.
fn warmed(w: &Workload, peer: &mut Peer, (loss, within): (f64, f64)) -> Result<Option<String>, String> {
    let answer = peer.measure(w.name, 0.0)?;
    // Initial weights differ, and sums of a million numbers are added in another order.
    let within = 2.0 * within + 0.02 * loss.abs();
    if (answer.loss - loss).abs() <= within {
        return Ok(answer.form);
    }
    Err(format!("its first loss is {}, not {loss} +- {within}: not the same workload", answer.loss))
}

impl Side<'_> {
    /// Everyone once.
    fn turn(&mut self, w: &Workload, slice: f64, notes: &mut Notes) {
        let untimed = usize::from(!self.long);
        let times = self.worker.run(self.steps + untimed);
        self.ours.push(micros(&times[untimed..]));
        self.others.retain_mut(|(peer, rounds)| match peer.measure(w.name, slice) {
            Ok(answer) => {
                rounds.push(answer.us);
                true
            }
            Err(e) => {
                notes.troubles.push(format!("{}, {} thread(s): {}: {e}", w.name, peer.threads, peer.kind.name()));
                false
            }
        });
    }

    fn row(self, w: &Workload, roof: &Roof, single: Option<&[f64]>) -> Row {
        let allocations = self.allocations();
        let mut peers = row::Peers::default();
        for (peer, mut times) in self.others {
            let ratio = median(&mut pairs(&self.ours, &times));
            let found = Some(row::Peer { us: median(&mut times), ratio });
            match peer.kind {
                Kind::Torch => peers.torch = found,
                Kind::Fused => peers.fused = found,
                Kind::Jax => peers.jax = found,
            }
        }
        let ops = if let Bound::Ops(ops) = w.bound { Some(ops) } else { None };
        let single = single.filter(|_| self.threads > 1);
        let speedup = single.map(|single| median(&mut pairs(single, &self.ours)));
        let (name, threads, ours) = (w.name, self.threads, median(&mut self.ours.clone()));
        Row { name, threads, ours, roof: roof.micros(w.bound), ops, peers, speedup, allocations }
    }

    /// Of a step.
    fn allocations(&self) -> f64 {
        let steps = if self.long { 2 } else { 20 };
        let before = allocations::count();
        self.worker.run(steps);
        // The order and the list of times are this bench's own.
        (allocations::count() - before).saturating_sub(2) as f64 / steps as f64
    }
}

fn pairs(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a / b).collect()
}

fn micros(times: &[Duration]) -> f64 {
    median(&mut times.iter().map(|t| t.as_secs_f64() * 1e6).collect::<Vec<_>>())
}
