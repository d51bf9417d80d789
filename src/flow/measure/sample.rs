use super::{Counts, Magnitudes};
use crate::{flow::InTime, kernel::Moved};
use std::{collections::HashMap, sync::Arc};

/// What one pass through a layer, or through a block with a way around it, showed.
///
/// With `z` for the output of the layer's arithmetic, `h` for what the next layer reads and `d` for cotangents:
/// `gain = ||dz_l|| / ||dz_(l+1)|| = f_factor * w_factor`, exactly. What could not be told is NaN.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LayerSample {
    /// The path of the layer, or what the paths of a block's layers have in common.
    pub path: Arc<str>,
    /// The activation's op, if there is one.
    pub activation: Option<&'static str>,
    /// The numbers of outputs and inputs.
    pub width: [usize; 2],
    /// The signal: `log10 ||dL/dz||`.
    pub signal: f64,
    /// `||dL/dz_l|| / ||dL/dz_(l+1)||`; NaN for the last layer.
    pub gain: f64,
    /// The activation's part of it, the article's f': `||dL/dz_l|| / ||dL/dh_l||`.
    pub f_factor: f64,
    /// The next layer's weights' part of it: `||dL/dh_l|| / ||dL/dz_(l+1)||`.
    pub w_factor: f64,
    /// What random weights of the next layer's variance would give: `sqrt(inputs * Var W)`, its inputs being this layer's outputs
    /// (Glorot and Bengio 2010, equation 6, for norms instead of the variance of an entry).
    pub w_expected: f64,
    /// Forward: `rms(h_l) / rms(h_(l-1))`.
    pub forward: f64,
    /// `log10` of the joint norm of its matrices' gradients.
    pub gradient: f64,
    /// The joint norm of its matrices.
    pub weight: f64,
    /// Norm of the matrices' last change over theirs; NaN if no step reported it.
    pub update: f64,
    /// The mean slope of the activation over its largest slope, from its outputs; NaN where they do not tell it: of `gelu`, `gelu_tanh`
    /// and `silu`, which fall before they rise, of `leaky_relu`, `elu` and `clamp`, whose numbers an observer does not see, and of
    /// functions that are no activations.
    pub slope: f64,
    /// The share of outputs of a tanh or sigmoid near an end of the range: `|tanh| > 0.97`, and for the sigmoid the same share of its
    /// largest slope, `|z| > 4.18`. NaN for others: half of a rectifier's outputs lie at its one end, as they should, and a
    /// third of those of `hardtanh` at its two for inputs from `N(0, 1)`.
    pub saturated: f64,
    /// The share of units that a ReLU kept at 0 in the whole batch.
    pub silent: f64,
    /// The same since each unit was last active, over the samples and passes in `silent_for`.
    pub dead: f64,
    /// Over how many samples, and measured passes, `dead` was judged.
    pub silent_for: (u64, u64),
    /// What the signal's numbers are.
    pub counts: Counts,
    /// Which of the sample's parameters are its matrices.
    pub(crate) matrices: Vec<usize>,
    pub(crate) magnitudes: Option<Arc<Magnitudes>>,
    /// Of a matrix: whether all of it is 0, and how many pairs of equal rows it has; at the first pass, and while that lasts.
    pub(crate) start: (bool, usize),
}

/// What one pass showed of a trained parameter.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ParamSample {
    /// Its path.
    pub path: Arc<str>,
    /// `log10` of its gradient's norm; NaN if no gradient reached it.
    pub gradient: f64,
    /// Its own norm; NaN if it was not recorded.
    pub value: f64,
    /// Norm of its last change over its own norm; NaN if no step reported it.
    pub update: f64,
    /// Whether a way leads from it to the loss.
    pub connected: bool,
    /// The last op on its way, with its line: where the way ends.
    pub(crate) ends: Option<(&'static str, &'static std::panic::Location<'static>)>,
    /// The sum of its entries, and how many rows and entries it has.
    pub(crate) sum: f64,
    pub(crate) size: [usize; 2],
}

impl ParamSample {
    /// `sqrt(columns * Var W)` of a matrix: what `||W^T d|| / ||d||` is for random `W`, each column of which gives an entry of `W^T d`.
    fn expected(&self) -> f64 {
        let [rows, n] = self.size.map(|n| n.max(1) as f64);
        let mean = self.sum / n;
        (n / rows * (self.value * self.value / n - mean * mean).max(0.0)).sqrt()
    }
}

/// What one pass through a recurrent layer showed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TimeSample {
    /// The path of the layer.
    pub path: Arc<str>,
    /// The cell: `rnn`, `lstm`, `gru`.
    pub op: &'static str,
    /// How many steps the sequence has.
    pub steps: usize,
    /// The factor of one step back, see [`InTime::rho`]; 0 if the gradient ends in an exact 0.
    pub rho: f64,
    /// After how many steps 1 % of a gradient is left, see [`InTime::horizon`], or nothing.
    pub horizon: f64,
    /// In pre-flight, the factor of one step back over the whole sequence of a gradient that starts at the last step only; else
    /// NaN.
    pub probed_rho: f64,
    /// In pre-flight, after how many steps 1 % of that gradient is left, `ln 0.01 / ln` of it; else NaN.
    pub probed_horizon: f64,
    /// The mean of the forget gate `f` of an LSTM, or of `z` of a GRU.
    pub gate: f64,
    /// `log10` of that gate's product over all steps.
    pub gate_product: f64,
    /// The largest singular value of a simple network's recurrent weights, or a little more; at the first pass, and seldom later.
    pub sigma: f64,
    /// `log10 ||g_t||`, at most 64 steps of it, from the first to the last.
    pub profile: Vec<f64>,
}

impl TimeSample {
    /// The factor of one step back and the horizon, as exact as they are known.
    pub(crate) fn rate(&self) -> (f64, f64) {
        if self.probed_rho.is_nan() { (self.rho, self.horizon) } else { (self.probed_rho, self.probed_horizon) }
    }

    /// The time steps of the profile, `kept` of all `steps`.
    fn kept(steps: usize, kept: usize) -> impl Iterator<Item = usize> {
        (0..kept).map(move |k| k * steps.saturating_sub(1) / kept.saturating_sub(1).max(1))
    }

    pub(crate) fn profile_steps(&self) -> impl Iterator<Item = usize> {
        Self::kept(self.steps, self.profile.len())
    }

    pub(crate) fn of(layer: &InTime, sigma: f64) -> Self {
        let nan = |x: Option<f64>| x.unwrap_or(f64::NAN);
        let name = if layer.op == "gru" { "z" } else { "f" };
        let n = layer.total.len();
        let (rho, horizon) = layer.fate();
        Self {
            path: layer.path.as_str().into(),
            op: layer.op,
            steps: n,
            rho,
            horizon,
            probed_rho: f64::NAN,
            probed_horizon: f64::NAN,
            gate: nan(layer.mean_gate(name)),
            gate_product: nan(layer.gate_product(name)),
            sigma,
            profile: Self::kept(n, n.min(64)).map(|step| layer.total[step]).collect(),
        }
    }
}

/// What one measured pass showed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// The pass, counted from 0.
    pub step: u64,
    /// The loss.
    pub loss: f64,
    /// The layers on the way from the data to the loss, the first one first; the last is the output layer.
    pub layers: Vec<LayerSample>,
    /// All trained parameters in the module's order.
    pub params: Vec<ParamSample>,
    /// The recurrent layers.
    pub time: Vec<TimeSample>,
    /// `log10` of the joint norm of all gradients, before any clipping.
    pub norm: f64,
    /// The factor by which they were clipped, 1 if they were not.
    pub coef: f64,
    /// `A`, as `log10`: the first hidden layer's signal over the last hidden layer's.
    pub total: f64,
    /// `kappa`: the geometric mean of the hidden layers' gains.
    pub rate: f64,
    /// The largest distance between two hidden layers' signals, in powers of ten.
    pub span: f64,
}

impl Sample {
    /// How many hidden layers (or blocks) there are.
    pub fn hidden(&self) -> usize {
        self.layers.len().saturating_sub(1)
    }

    /// Takes from a step how far the parameters went, and where from if that was not read.
    pub(crate) fn moved<'a>(&mut self, moves: impl Iterator<Item = (&'a str, Moved)>, at: &HashMap<Arc<str>, usize>) {
        for (path, moved) in moves {
            let Some(param) = at.get(path).map(|i| &mut self.params[*i]) else { continue };
            if param.value.is_nan() {
                (param.value, param.sum) = (moved.squares.sqrt(), moved.sum);
            }
            param.update = moved.change.sqrt() / param.value;
        }
    }

    /// Fills in what neither was read nor told by a step: a parameter that no step moved is as it was.
    pub(crate) fn remember(&mut self, known: &mut HashMap<Arc<str>, (f64, f64)>) {
        for param in &mut self.params {
            if param.value.is_nan() {
                (param.value, param.sum) = known.get(&param.path).copied().unwrap_or((f64::NAN, f64::NAN));
            } else {
                known.insert(param.path.clone(), (param.value, param.sum));
            }
        }
    }

    /// Computes what follows from the parameters.
    pub(crate) fn weigh(&mut self) {
        for k in 0..self.layers.len() {
            let own = || self.layers[k].matrices.iter().map(|at| &self.params[*at]);
            let weight = own().map(|p| p.value * p.value).sum::<f64>().sqrt();
            // One that no step wrote, such as a frozen one, has not moved.
            let told = || own().filter(|p| !p.update.is_nan());
            let change = told().map(|p| (p.update * p.value).powi(2)).sum::<f64>().sqrt();
            let expected = own().next_back().map_or(f64::NAN, ParamSample::expected);
            let update = if told().next().is_some() { change / weight } else { f64::NAN };
            (self.layers[k].weight, self.layers[k].update) = (weight, update);
            if let Some(before) = k.checked_sub(1) {
                self.layers[before].w_expected = expected;
            }
        }
    }

    /// Computes what follows from the layers.
    pub(crate) fn derive(&mut self) {
        let hidden = &self.layers[..self.hidden()];
        let (Some(first), Some(last)) = (hidden.first(), hidden.last()) else { return };
        let gains = hidden.len() - 1;
        self.total = first.signal - last.signal;
        self.rate = if gains == 0 { f64::NAN } else { 10f64.powf(self.total / gains as f64) };
        let (lo, hi) =
            hidden.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), l| (lo.min(l.signal), hi.max(l.signal)));
        self.span = hi - lo;
    }
}
