//! One pass under way: forward numbers when it begins, cotangents as the sweep comes by.
use super::{
    Chain, Counts, Direction, LayerSample, Magnitudes, Origin, ParamSample, Sample, Stage,
    numbers::{log_norm, silent, slopes},
};
use crate::{
    core::{Cotangent, Gradient, Recorded, TensorLike},
    tensor::{Real, Tensor},
};
use std::{collections::HashMap, sync::Arc};

/// Which entries a unit kept at 0, and since when: by layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Silence {
    /// Samples and measured passes since each unit was last active.
    units: Vec<(u64, u64)>,
    seen: (u64, u64),
}

/// A number that is not finite ends the pass.
pub(crate) type Cut = Result<(), Box<Origin>>;

/// A measured pass.
pub(crate) struct Pass {
    chain: Arc<Chain>,
    /// The leaf whose cotangent came last.
    leaf: usize,
    sample: Sample,
    /// Log norms of the cotangents of the nodes that count.
    bars: HashMap<usize, f64>,
    by_path: HashMap<Arc<str>, usize>,
    sigmas: HashMap<Arc<str>, f64>,
    first: bool,
    magnitudes: bool,
}

/// What is left of it.
pub(crate) struct Passed {
    pub(crate) sample: Sample,
    /// The largest singular value of recurrent weights, by layer.
    pub(crate) sigmas: HashMap<Arc<str>, f64>,
}

impl Pass {
    /// Reads the recording; the numbers of the forward pass are known after it.
    pub(crate) fn begin<F: Real>(
        recorded: &Recorded<'_, F>,
        step: u64,
        silences: &mut HashMap<Arc<str>, Silence>,
        magnitudes: bool,
        known: &mut Option<Arc<Chain>>,
    ) -> Result<Self, Box<Origin>> {
        let chain = Chain::read(recorded, known);
        let nan = f64::NAN;
        let layers = chain.stages.iter().map(empty_layer).collect();
        let params: Vec<ParamSample> = recorded.trained().map(|path| empty_param(path.into())).collect();
        let by_path = params.iter().enumerate().map(|(i, p)| (p.path.clone(), i)).collect();
        let sample = Sample {
            step,
            loss: recorded.loss(),
            layers,
            params,
            time: vec![],
            norm: nan,
            coef: 1.0,
            total: nan,
            rate: nan,
            span: nan,
        };
        let bars = chain.stages.iter().flat_map(|s| [s.signal, s.out]).map(|i| (i, nan)).collect();
        let mut pass =
            Self { chain, leaf: 0, sample, bars, by_path, sigmas: HashMap::new(), first: step == 0, magnitudes };
        pass.forward(recorded, silences)?;
        pass.connect();
        Ok(pass)
    }

    fn forward<F: Real>(
        &mut self,
        recorded: &Recorded<'_, F>,
        silences: &mut HashMap<Arc<str>, Silence>,
    ) -> Result<(), Box<Origin>> {
        let (mut cut, mut rms) = (None, HashMap::new());
        let reads: Vec<usize> = self.chain.stages.iter().flat_map(|s| [Some(s.out), s.input]).flatten().collect();
        let mut squares = vec![0.0; self.sample.layers.len()];
        let (mut bad, masks) = (vec![false; self.chain.nodes.len()], self.sample.loss.is_finite());
        recorded.each_node(|n| {
            if cut.is_some() {
                return;
            }
            // A number that is not finite makes others; the first is the one to know. A mask of infinities among the data
            // is meant if the loss is finite.
            let param = self.chain.nodes[n.index].param.as_ref().and_then(|p| self.by_path.get(p)).copied();
            // A norm reads all of it, and is finite if all of it is.
            let norm = param.map(|at| (at, n.value.norm()));
            let finite = norm.map_or_else(|| F::all_finite(n.value.data()), |(_, norm)| norm.is_finite());
            if !finite {
                bad[n.index] = true;
                let passed_on = n.inputs.iter().any(|x| bad[*x as usize]);
                let meant = masks && n.op == "leaf" && !n.wants;
                if !passed_on && !meant {
                    cut = Some(Box::new(Origin::of(Direction::Forward, &self.chain, n.index, n.value)));
                    return;
                }
            }
            if let Some((at, norm)) = norm {
                self.sample.params[at].value = norm;
            }
            if self.first
                && let Some((path, ..)) = self.chain.recurrent.iter().find(|r| r.1 == "rnn" && r.2 == Some(n.index))
            {
                self.sigmas.insert(path.clone(), sigma(n.value));
            }
            if reads.contains(&n.index) {
                rms.insert(n.index, n.value.norm() / (n.value.data().len().max(1) as f64).sqrt());
            }
            if let Some(stages) = self.chain.matrix_of.get(&n.index) {
                let norm = norm.map_or_else(|| n.value.norm(), |(_, norm)| norm);
                for k in stages.iter().copied() {
                    squares[k] += norm * norm;
                    if self.first {
                        let layer = &mut self.sample.layers[k];
                        layer.start = start(n.value, layer.start);
                    }
                    if let Some(before) = k.checked_sub(1) {
                        self.sample.layers[before].w_expected = expected(n.value, norm);
                    }
                }
            }
            if let Some(k) = self.chain.activation_of.get(&n.index) {
                let layer = &mut self.sample.layers[*k];
                (layer.slope, layer.saturated) = slopes(n.op, n.value);
                if n.op == "relu" {
                    silences.entry(layer.path.clone()).or_default().note(n.value, layer);
                }
            }
        });
        if let Some(origin) = cut {
            return Err(origin);
        }
        for (k, stage) in self.chain.stages.iter().enumerate() {
            let layer = &mut self.sample.layers[k];
            layer.weight = squares[k].sqrt();
            layer.forward = match stage.input.and_then(|i| rms.get(&i)) {
                Some(before) => rms[&stage.out] / before,
                None => f64::NAN,
            };
        }
        Ok(())
    }

    /// Which parameters lead to the loss, and where the way of the others ends.
    fn connect(&mut self) {
        let chain = &self.chain;
        let n = chain.nodes.len();
        let mut to = vec![false; n];
        to[chain.root] = true;
        for i in (0..=chain.root).rev().filter(|i| chain.nodes[*i].wants) {
            if to[i] {
                to[chain.nodes[i].head] = true;
                chain.inputs(i).iter().for_each(|x| to[*x as usize] = true);
            }
        }
        for i in 0..n {
            let Some(at) = chain.nodes[i].param.as_ref().and_then(|p| self.by_path.get(p)) else { continue };
            let param = &mut self.sample.params[*at];
            param.connected = to[i];
            if !to[i] {
                let mut from = vec![false; n];
                from[i] = true;
                let mut end = i;
                for j in i + 1..n {
                    from[j] = from[chain.nodes[j].head] || chain.inputs(j).iter().any(|x| from[*x as usize]);
                    end = if from[j] { j } else { end };
                }
                param.ends = Some((chain.nodes[end].op, chain.nodes[end].at));
            }
        }
    }

    /// A node that the sweep reached.
    pub(crate) fn cotangent<F: Real>(&mut self, event: &Cotangent<'_, F>) -> Cut {
        if event.op == "leaf" {
            self.leaf = event.index; // its norm is taken when it comes by as a gradient
            return Ok(());
        }
        if !F::all_finite(event.bar.data()) {
            // Its own reader made it: the sweep has passed all of them, and their cotangents were finite.
            let maker = self.chain.readers(event.index).next().unwrap_or(event.index);
            return Err(Box::new(Origin::of(Direction::Backward, &self.chain, maker, event.bar)));
        }
        if let Some(bar) = self.bars.get_mut(&event.index) {
            *bar = log_norm(event.bar);
            for (stage, layer) in self.chain.stages.iter().zip(&mut self.sample.layers) {
                if stage.signal == event.index {
                    layer.counts = Counts::of(event.bar, true);
                    if self.magnitudes {
                        layer.magnitudes = Some(Arc::new(Magnitudes::of(event.bar)));
                    }
                }
            }
        }
        Ok(())
    }

    /// A parameter whose gradient is complete.
    pub(crate) fn gradient<F: Real>(&mut self, event: &Gradient<'_, F>) -> Cut {
        let log = log_norm(event.bar);
        if log.is_nan() || log == f64::INFINITY {
            let maker = self.chain.readers(self.leaf).next().unwrap_or(self.leaf);
            return Err(Box::new(Origin::of(Direction::Backward, &self.chain, maker, event.bar)));
        }
        if let Some(at) = self.by_path.get(event.path) {
            self.sample.params[*at].gradient = log;
        }
        Ok(())
    }

    /// When the sweep is over.
    pub(crate) fn end(mut self) -> Passed {
        let (stages, layers) = (&self.chain.stages, &mut self.sample.layers);
        for (k, stage) in stages.iter().enumerate() {
            let signal = self.bars[&stage.signal];
            layers[k].signal = if signal.is_nan() { f64::NEG_INFINITY } else { signal };
            let param = |w: &usize| self.by_path.get(self.chain.nodes[*w].param.as_ref()?).copied();
            layers[k].matrices = stage.weights.iter().filter_map(param).collect();
            let own: Vec<f64> = layers[k].matrices.iter().map(|at| self.sample.params[*at].gradient).collect();
            layers[k].gradient = joint(own.iter().copied().filter(|log| !log.is_nan()));
        }
        for k in 1..layers.len() {
            let out = self.bars[&stages[k - 1].out];
            let (here, next) = (layers[k - 1].signal, layers[k].signal);
            let layer = &mut layers[k - 1];
            layer.f_factor = 10f64.powf(here - out);
            layer.w_factor = 10f64.powf(out - next);
            layer.gain = 10f64.powf(here - next);
        }
        self.sample.derive();
        let known = self.sample.params.iter().map(|p| p.gradient).filter(|g| !g.is_nan());
        self.sample.norm = joint(known);
        Passed { sample: self.sample, sigmas: self.sigmas }
    }
}

/// The joint norm of norms, all as logarithms.
fn joint(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        return top;
    }
    top + 0.5 * logs.map(|log| 100f64.powf(log - top)).sum::<f64>().log10()
}

/// `sqrt(columns * Var W)`: what `||W^T d|| / ||d||` is for random `W`, each of whose columns gives one entry of `W^T d`.
fn expected<F: Real>(w: &Tensor<F>, norm: f64) -> f64 {
    let n = w.data().len().max(1) as f64;
    let mean = w.sum().item() / n;
    let variance = (norm * norm / n - mean * mean).max(0.0);
    (w.shape().get(1).copied().unwrap_or(1) as f64 * variance).sqrt()
}

/// The largest singular value of a square matrix, by power iteration on `W^T W`.
fn sigma<F: Real>(w: &Tensor<F>) -> f64 {
    let n = w.shape()[1];
    // Not a vector of ones: that may lie in the kernel.
    let mut v: Vec<f64> = (0..n).map(|i| 1.0 + 0.5 * ((i * i + 1) as f64).sin()).collect();
    let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let mut sigma = 0.0;
    for _ in 0..30 {
        let scale = norm(&v);
        if scale == 0.0 {
            return 0.0;
        }
        v.iter_mut().for_each(|x| *x /= scale);
        let mut next = vec![0.0; n];
        let mut squares = 0.0;
        for row in w.data().chunks_exact(n) {
            let y: f64 = row.iter().zip(&v).map(|(w, v)| w.f64() * v).sum();
            squares += y * y;
            next.iter_mut().zip(row).for_each(|(x, w)| *x += w.f64() * y);
        }
        (v, sigma) = (next, squares.sqrt());
    }
    sigma
}

/// Whether a matrix is 0, and how many of its rows equal another.
fn start<F: Real>(w: &Tensor<F>, before: (bool, usize)) -> (bool, usize) {
    let zero = w.data().iter().all(|x| *x == F::zero());
    let (rows, width) = (w.shape()[0], w.data().len() / w.shape()[0].max(1));
    let mut keys: Vec<Vec<u64>> =
        w.data().chunks_exact(width.max(1)).map(|row| row.iter().map(|x| x.f64().to_bits()).collect()).collect();
    keys.sort_unstable();
    keys.dedup();
    (before.0 || zero, before.1 + if zero || width == 0 { 0 } else { rows - keys.len() })
}

impl Silence {
    fn note<F: Real>(&mut self, h: &Tensor<F>, layer: &mut LayerSample) {
        let mut active = vec![];
        let rows = silent(h, &mut active) as u64;
        if self.units.len() != active.len() {
            *self = Self { units: vec![(0, 0); active.len()], seen: (0, 0) };
        }
        self.seen = (self.seen.0 + rows, self.seen.1 + 1);
        for (unit, active) in self.units.iter_mut().zip(&active) {
            *unit = if *active { (0, 0) } else { (unit.0 + rows, unit.1 + 1) };
        }
        let n = active.len().max(1) as f64;
        layer.silent = active.iter().filter(|on| !**on).count() as f64 / n;
        // The longest silence that is judged grows with what was seen, up to what the verdict asks for.
        let bar = (
            self.seen.0.min(crate::flow::verdict::limits::DEAD_SAMPLES),
            self.seen.1.min(crate::flow::verdict::limits::DEAD_PASSES),
        );
        layer.dead = self.units.iter().filter(|u| u.0 >= bar.0 && u.1 >= bar.1).count() as f64 / n;
        layer.silent_for = self.seen;
    }
}

fn empty_layer(stage: &Stage) -> LayerSample {
    let nan = f64::NAN;
    LayerSample {
        path: stage.path.clone(),
        activation: stage.activation.map(|(_, op)| op),
        width: stage.width,
        signal: f64::NEG_INFINITY,
        gain: nan,
        f_factor: nan,
        w_factor: nan,
        w_expected: nan,
        forward: nan,
        gradient: nan,
        weight: nan,
        update: nan,
        slope: nan,
        saturated: nan,
        silent: nan,
        dead: nan,
        silent_for: (0, 0),
        counts: Counts::default(),
        matrices: vec![],
        magnitudes: None,
        start: (false, 0),
    }
}

fn empty_param(path: Arc<str>) -> ParamSample {
    let nan = f64::NAN;
    ParamSample { path, gradient: nan, value: nan, update: nan, connected: false, ends: None }
}
