//! One pass under way: forward numbers when it begins, cotangents as the sweep comes by.
use super::{
    Chain, Counts, Direction, LayerSample, Magnitudes, Origin, ParamSample, Sample, Stage, TimeSample,
    chain::Trained,
    numbers::{active, log_norm, norm, slopes},
    sigma::sigma,
};
use crate::{
    core::{Cotangent, Gradient, Recorded},
    flow::{InTime, ThroughTime},
    tensor::{Real, Tensor, root},
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
    bars: Vec<f64>,
    sigmas: HashMap<Arc<str>, f64>,
    looks: Looks,
    /// Of the first number that was not finite.
    origin: Option<Box<Origin>>,
}

/// What is read beside the usual.
#[derive(Clone, Copy)]
pub(crate) struct Looks {
    /// The distribution of the signals.
    pub(crate) magnitudes: bool,
    /// The parameters, whose norms the step will not tell.
    pub(crate) params: bool,
    /// Equal rows and zeros among the weights, and singular values.
    pub(crate) start: bool,
    /// Whether a number that is not finite ends the pass.
    pub(crate) strict: bool,
}

/// What is left of it.
#[derive(Clone)]
pub(crate) struct Passed {
    pub(crate) sample: Sample,
    pub(crate) chain: Arc<Chain>,
    pub(crate) origin: Option<Box<Origin>>,
}

impl Pass {
    /// Reads the recording; the numbers of the forward pass are known after it.
    pub(crate) fn begin<F: Real>(
        recorded: &Recorded<'_, F>,
        step: u64,
        silences: &mut HashMap<Arc<str>, Silence>,
        looks: Looks,
        known: &mut Option<Arc<Chain>>,
    ) -> Result<Self, Box<Origin>> {
        if let Some(chain) = known.as_ref().filter(|chain| chain.fits(recorded)) {
            let mut pass = Self::new(chain.clone(), recorded, step, looks);
            if pass.forward(recorded, silences)? {
                return Ok(pass);
            }
        }
        let chain = known.insert(Arc::new(Chain::read(recorded))).clone();
        let mut pass = Self::new(chain, recorded, step, looks);
        pass.forward(recorded, silences)?;
        Ok(pass)
    }

    fn new<F: Real>(chain: Arc<Chain>, recorded: &Recorded<'_, F>, step: u64, looks: Looks) -> Self {
        let nan = f64::NAN;
        let sample = Sample {
            step,
            loss: recorded.loss(),
            layers: chain.stages.iter().map(empty_layer).collect(),
            params: chain.trained.iter().map(empty_param).collect(),
            time: vec![],
            norm: nan,
            coef: 1.0,
            total: nan,
            rate: nan,
            span: nan,
        };
        let bars = vec![nan; chain.nodes.len()];
        Self { chain, leaf: 0, sample, bars, sigmas: HashMap::new(), looks, origin: None }
    }

    /// Reads each value once: a norm is finite if all of it is. False if this is not the recording whose structure is known.
    fn forward<F: Real>(
        &mut self,
        recorded: &Recorded<'_, F>,
        silences: &mut HashMap<Arc<str>, Silence>,
    ) -> Result<bool, Box<Origin>> {
        let chain = self.chain.clone();
        let (mut same, mut finite, mut seen) = (true, self.sample.loss.is_finite(), 0);
        let (mut rms, mut active) = (vec![f64::NAN; chain.nodes.len()], vec![]);
        recorded.each_node(|n| {
            seen += 1;
            same = same && chain.knows(&n);
            if !same {
                return;
            }
            let role = chain.roles[n.index];
            finite &= if let Some(at) = role.param {
                self.param(at, n.index, n.value)
            } else if role.value {
                let norm = norm(n.value);
                rms[n.index] = norm / (n.value.data().len().max(1) as f64).sqrt();
                norm.is_finite()
            } else {
                !n.wants || !role.leads || F::all_finite(n.value.data())
            };
            if let Some(k) = role.activation {
                if n.op == "relu" {
                    active.push((k, self::active(n.value), n.value.data().len()));
                } else {
                    let layer = &mut self.sample.layers[k];
                    (layer.slope, layer.saturated) = slopes(n.op, n.value);
                }
            }
        });
        if !same || seen != chain.nodes.len() {
            return Ok(false);
        }
        if !finite {
            self.cut(self.find(recorded))?;
        }
        for (k, counts, size) in active {
            let layer = &mut self.sample.layers[k];
            layer.slope = counts.iter().map(|n| f64::from(*n)).sum::<f64>() / size.max(1) as f64;
            silences.entry(layer.path.clone()).or_default().note(&counts, size / counts.len(), layer);
        }
        for (stage, layer) in chain.stages.iter().zip(&mut self.sample.layers) {
            layer.forward = stage.input.map_or(f64::NAN, |input| rms[stage.out] / rms[input]);
        }
        Ok(true)
    }

    /// Whether a parameter is finite, as far as it is read.
    fn param<F: Real>(&mut self, at: usize, node: usize, w: &Tensor<F>) -> bool {
        let param = &mut self.sample.params[at];
        param.size = [w.shape().first().copied().unwrap_or(1), w.data().len()];
        if self.looks.start {
            let recurrent = |r: &&(Arc<str>, &str, Option<usize>)| r.1 == "rnn" && r.2 == Some(node);
            if let Some((path, ..)) = self.chain.recurrent.iter().find(recurrent) {
                self.sigmas.insert(path.clone(), sigma(w));
            }
            for (stage, layer) in self.chain.stages.iter().zip(&mut self.sample.layers) {
                if stage.weights.contains(&node) {
                    layer.start = start(w, layer.start);
                }
            }
        }
        if self.looks.params {
            let still = F::moved(w.data(), w.data());
            (param.value, param.sum) = (root(still.squares).unwrap_or_else(|| w.norm()), still.sum);
        }
        !self.looks.params || param.value.is_finite()
    }

    /// The first number that is not finite makes others, and is the one to know. Infinities among constants, such as a mask, are
    /// meant if the loss is finite; what does not lead to it is not looked at.
    #[cold]
    fn find<F: Real>(&self, recorded: &Recorded<'_, F>) -> Option<Box<Origin>> {
        let (chain, mut found) = (&self.chain, None);
        let (mut bad, masks) = (vec![false; chain.nodes.len()], self.sample.loss.is_finite());
        recorded.each_node(|n| {
            if found.is_some() || !chain.roles[n.index].leads || F::all_finite(n.value.data()) {
                return;
            }
            bad[n.index] = true;
            let passed_on = n.inputs.iter().any(|x| bad[*x as usize]);
            let meant = masks && !n.wants;
            if !passed_on && !meant {
                found = Some(Box::new(Origin::of(Direction::Forward, chain, n.index, n.value)));
            }
        });
        found
    }

    /// Ends the pass, or keeps the first origin and goes on.
    fn cut(&mut self, origin: Option<Box<Origin>>) -> Cut {
        match origin {
            Some(origin) if self.looks.strict => Err(origin),
            origin => {
                self.origin = self.origin.take().or(origin);
                Ok(())
            }
        }
    }

    /// A node that the sweep reached.
    pub(crate) fn cotangent<F: Real>(&mut self, event: &Cotangent<'_, F>) -> Cut {
        if event.op == "leaf" {
            self.leaf = event.index; // its norm is taken when it comes by as a gradient
            return Ok(());
        }
        let role = self.chain.roles[event.index];
        let finite = if role.bar {
            let log = log_norm(event.bar);
            self.bars[event.index] = log;
            log < f64::INFINITY
        } else {
            F::all_finite(event.bar.data())
        };
        if !finite {
            // A reader of it made it: the sweep has passed all of them, and their cotangents were finite.
            self.cut(Some(Box::new(Origin::behind(&self.chain, event.index, event.bar))))?;
        }
        if let Some(k) = role.signal {
            let layer = &mut self.sample.layers[k];
            layer.counts = Counts::of(event.bar, finite);
            if self.looks.magnitudes {
                layer.magnitudes = Some(Arc::new(Magnitudes::of(event.bar)));
            }
        }
        Ok(())
    }

    /// A parameter whose gradient is complete.
    pub(crate) fn gradient<F: Real>(&mut self, event: &Gradient<'_, F>) -> Cut {
        let log = log_norm(event.bar);
        if log.is_nan() || log == f64::INFINITY {
            self.cut(Some(Box::new(Origin::behind(&self.chain, self.leaf, event.bar))))?;
        }
        if let Some(at) = self.chain.by_path.get(event.path) {
            self.sample.params[*at].gradient = log;
        }
        Ok(())
    }

    /// When the sweep is over, with what it showed of time.
    pub(crate) fn end(mut self, time: &ThroughTime) -> Passed {
        let (stages, layers) = (&self.chain.stages, &mut self.sample.layers);
        for (k, stage) in stages.iter().enumerate() {
            let signal = self.bars[stage.signal];
            layers[k].signal = if signal.is_nan() { f64::NEG_INFINITY } else { signal };
            layers[k].matrices = stage.weights.iter().filter_map(|w| self.chain.roles[*w].param).collect();
            let own: Vec<f64> = layers[k].matrices.iter().map(|at| self.sample.params[*at].gradient).collect();
            layers[k].gradient = joint(own.iter().copied().filter(|log| !log.is_nan()));
        }
        for k in 1..layers.len() {
            let out = self.bars[stages[k - 1].out];
            let (here, next) = (layers[k - 1].signal, layers[k].signal);
            let layer = &mut layers[k - 1];
            layer.f_factor = 10f64.powf(here - out);
            layer.w_factor = 10f64.powf(out - next);
            layer.gain = 10f64.powf(here - next);
        }
        self.sample.derive();
        let known = self.sample.params.iter().map(|p| p.gradient).filter(|g| !g.is_nan());
        self.sample.norm = joint(known);
        let sigma = |layer: &InTime| self.sigmas.get(layer.path.as_str()).copied().unwrap_or(f64::NAN);
        self.sample.time = time.layers().map(|layer| TimeSample::of(layer, sigma(layer))).collect();
        Passed { sample: self.sample, chain: self.chain, origin: self.origin }
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
    fn note(&mut self, active: &[u32], rows: usize, layer: &mut LayerSample) {
        let rows = rows as u64;
        if self.units.len() != active.len() {
            *self = Self { units: vec![(0, 0); active.len()], seen: (0, 0) };
        }
        self.seen = (self.seen.0 + rows, self.seen.1 + 1);
        for (unit, active) in self.units.iter_mut().zip(active) {
            *unit = if *active > 0 { (0, 0) } else { (unit.0 + rows, unit.1 + 1) };
        }
        let n = active.len().max(1) as f64;
        layer.silent = active.iter().filter(|n| **n == 0).count() as f64 / n;
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

fn empty_param(known: &Trained) -> ParamSample {
    let nan = f64::NAN;
    ParamSample {
        path: known.path.clone(),
        gradient: nan,
        value: nan,
        update: nan,
        connected: known.connected,
        ends: known.ends,
        sum: nan,
        size: [0, 0],
    }
}
