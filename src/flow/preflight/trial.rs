//! Remedies, tried by replaying the recording.
use super::look::look;
use crate::{
    core::{Module, Param, Recording, Tape, Var},
    error::Error,
    flow::{
        Change, Kind, Outcome, Remedy, Report, Sample, Severity, Verdict, measure::ACTIVATIONS,
        verdict::limits::VANISHED,
    },
    formula,
    nn::Init,
    rng::Rng,
    tensor::{Real, Tensor},
};
use std::sync::Arc;

/// Tries what can be tried, and puts what helps first.
pub(super) fn remedies<F: Real, N: Module<F>>(
    report: &mut Report,
    net: &N,
    loss: &impl for<'t> Fn(&'t Recording<F>) -> Var<'t, F>,
    activations: &[usize],
    seed: u64,
    tape: &mut Tape<F>,
) -> Result<(), Error> {
    let Some(sample) = report.samples.last().cloned() else { return Ok(()) };
    let all = report.verdicts.clone();
    for verdict in &mut report.verdicts {
        let about = verdict.clone();
        let peers = peers(&sample, &about, &all);
        for remedy in &mut verdict.remedies {
            remedy.tried = match &remedy.change {
                Change::FewerLayers(n) => Some(fewer(&sample, *n)),
                change => {
                    let trial = Trial { sample: &sample, verdict: &about, peers: &peers, change, activations };
                    if trial.fits() { trial.run(net, loss, seed, tape)? } else { None }
                }
            };
        }
        // What fewer layers would give is no trial, and no remedy for those that stay.
        let heals =
            |r: &Remedy| r.tried.is_some_and(|t| t.left.is_none()) && !matches!(r.change, Change::FewerLayers(_));
        verdict.remedies.sort_by_key(|r| !heals(r));
    }
    Ok(())
}

/// The recurrent layers of the same cell that suffer from the same: one change is for all of them.
fn peers(sample: &Sample, about: &Verdict, all: &[Verdict]) -> Vec<Arc<str>> {
    let op = |path: &Arc<str>| sample.time.iter().find(|t| t.path == *path).map(|t| t.op);
    let same = all.iter().filter(|v| v.kind == about.kind).flat_map(|v| &v.paths);
    same.filter(|path| op(path).is_some() && op(path) == about.paths.first().and_then(op)).cloned().collect()
}

/// What the rate says that a shorter chain would leave.
fn fewer(sample: &Sample, n: usize) -> Outcome {
    let gains = sample.hidden().saturating_sub(1 + n) as f64;
    let total = sample.rate.log10() * gains;
    let left = (total < VANISHED).then_some((Kind::Vanishing, Severity::Warn));
    Outcome { rate: sample.rate, total, left }
}

struct Trial<'a> {
    sample: &'a Sample,
    verdict: &'a Verdict,
    peers: &'a [Arc<str>],
    change: &'a Change,
    /// Places of hidden activations on the recording.
    activations: &'a [usize],
}

impl Trial<'_> {
    fn fits(&self) -> bool {
        !matches!(
            self.change,
            Change::Words(_) | Change::GatedCell | Change::LearningRate(_) | Change::Clip(_) | Change::FewerLayers(_)
        )
    }

    /// The layers that a change of weights is for.
    fn layers(&self) -> &[crate::flow::LayerSample] {
        if self.verdict.kind == Kind::Symmetric {
            &self.sample.layers[self.verdict.layers.clone()]
        } else {
            &self.sample.layers
        }
    }

    fn run<F: Real, N: Module<F>>(
        &self,
        net: &N,
        loss: &impl for<'t> Fn(&'t Recording<F>) -> Var<'t, F>,
        seed: u64,
        tape: &mut Tape<F>,
    ) -> Result<Option<Outcome>, Error> {
        let report = look(net, seed, tape, &|r| {
            let value = loss(r);
            let mut replaced = self.replace_values(net, r, &mut Rng::seed(seed ^ 0x7e57));
            if let Change::Activation(to, _) = self.change {
                replaced = self.replace_activations(r, to);
            }
            if replaced == 0 {
                return None;
            }
            r.replay();
            Some(value)
        })?;
        Ok(report.and_then(|(report, _)| self.outcome(&report)))
    }

    /// How many were replaced.
    fn replace_values<F: Real, N: Module<F>>(&self, net: &N, r: &Recording<F>, rng: &mut Rng) -> usize {
        let mut replaced = 0;
        net.visit(|path, p| {
            let path = path.to_string();
            let recorded = self.sample.params.iter().any(|known| *known.path == *path && !known.value.is_nan());
            if let Some(other) = self.value_of(&path, p, rng).filter(|_| recorded) {
                r.replace_leaf(r.param(p), &other);
                replaced += 1;
            }
        });
        replaced
    }

    fn outcome(&self, report: &Report) -> Option<Outcome> {
        let all = report.verdicts.iter().map(Verdict::worst);
        let worst = all.filter(|v| v.severity >= Severity::Warn).max_by_key(|v| v.severity);
        let left = worst.map(|v| (v.kind, v.severity));
        let now = report.samples.last();
        let time = matches!(self.verdict.kind, Kind::VanishingThroughTime | Kind::ExplodingThroughTime);
        if time {
            let layer = now?.time.iter().find(|t| t.path == self.verdict.paths[0])?;
            let (rho, _) = layer.rate();
            return Some(Outcome { rate: rho, total: rho.log10() * layer.steps as f64, left });
        }
        let (rate, total) = now.map_or((f64::NAN, f64::NAN), |s| (s.rate, s.total));
        Some(Outcome { rate, total, left })
    }

    /// How many were replaced: those of hidden layers.
    fn replace_activations<F: Real>(&self, r: &Recording<F>, to: &str) -> usize {
        let hidden = &self.sample.layers[..self.sample.hidden()];
        let mut known: Vec<&str> = hidden.iter().filter_map(|l| l.activation).collect();
        known.sort_unstable();
        known.dedup();
        let others = known.into_iter().filter(|from| ACTIVATIONS.contains(from) && *from != to);
        let replace = |from| match to {
            "relu" => r.replace_ops_at(self.activations, from, formula::Relu {}),
            "leaky_relu" => r.replace_ops_at(self.activations, from, formula::LeakyRelu { slope: 0.01 }),
            _ => 0,
        };
        others.map(replace).sum()
    }

    /// Another value for a parameter, if the change is about it.
    fn value_of<F: Real>(&self, path: &str, p: &Param<F>, rng: &mut Rng) -> Option<Tensor<F>> {
        let (owner, name) = path.rsplit_once('.').unwrap_or(("", path));
        let own = |at: &usize| &*self.sample.params[*at].path;
        let mut matrices = self.layers().iter().flat_map(|l| &l.matrices).map(own);
        let matrix = matrices.any(|m| m == path);
        let mut matrices = self.layers().iter().flat_map(|l| &l.matrices).map(own);
        let beside = !matrix && matrices.any(|m| m.rsplit_once('.').map_or("", |(o, _)| o) == owner);
        let shape = p.value.shape();
        let zeros = || Tensor::filled(shape, F::zero());
        let times = |c: f64| {
            let mut t = p.value.clone();
            t.data_mut().iter_mut().for_each(|x| *x = F::of(x.f64() * c));
            t
        };
        match self.change {
            Change::Redraw(init) | Change::Activation(_, init) => match (matrix, beside && shape.rank() == 1) {
                (true, _) => Some(named(init).tensor(shape, rng)),
                (_, true) => Some(zeros()),
                _ => None,
            },
            Change::ScaleWeights(c) => matrix.then(|| times(*c)),
            Change::OrthogonalRecurrence
            | Change::ScaleRecurrence(_)
            | Change::ForgetBias(_)
            | Change::UpdateBias(_)
            | Change::Chrono(_)
                if self.peers.iter().all(|path| **path != *owner) =>
            {
                None
            }
            Change::OrthogonalRecurrence => (name == "w_hh").then(|| Init::orthogonal().tensor(shape, rng)),
            Change::ScaleRecurrence(c) => (name == "w_hh").then(|| times(*c)),
            Change::ForgetBias(b) | Change::UpdateBias(b) => self.gates(name, p, || *b, false),
            Change::Chrono(steps) => {
                let longest = (*steps as f64).max(2.0);
                self.gates(name, p, || (1.0 + rng.uniform() * (longest - 2.0)).ln(), true)
            }
            _ => None,
        }
    }

    /// The biases of a cell with another value in the gate that keeps its state, and with the opposite in an LSTM's input gate
    /// if `opposite`.
    fn gates<F: Real>(
        &self,
        name: &str,
        p: &Param<F>,
        mut keep: impl FnMut() -> f64,
        opposite: bool,
    ) -> Option<Tensor<F>> {
        let lstm = self.sample.time.iter().any(|t| t.path == self.verdict.paths[0] && t.op == "lstm");
        // i, f, g, o of an LSTM; r, z, n of a GRU.
        let hidden = p.value.shape()[0] / if lstm { 4 } else { 3 };
        // Both biases are added, so one carries the value and the other is 0.
        let first = match name {
            "b_ih" => true,
            "b_hh" => false,
            _ => return None,
        };
        let mut t = p.value.clone();
        let all = t.data_mut();
        for k in 0..hidden {
            let b = if first { keep() } else { 0.0 };
            all[hidden + k] = F::of(b);
            if opposite && lstm {
                all[k] = F::of(-b);
            }
        }
        Some(t)
    }
}

fn named(init: &str) -> Init {
    match init {
        "He" => Init::he(),
        "LeCun" => Init::lecun(),
        _ => Init::xavier(),
    }
}
