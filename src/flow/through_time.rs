use super::sparkline;
use crate::{
    core::{Module, Observer, Recorded, Recording, StateNorm, Tape, TimeStep, Var},
    error::{Error, ErrorKind},
    tensor::Real,
};
use std::fmt;

/// An observer that keeps, for the last backward pass that it saw, how the gradient went back through the steps of each
/// recurrent layer: printed, it is a table with a sparkline of norms on a log axis.
///
/// With `g_t = dL/ds_t` for the state `s` (the cell state `c` of an LSTM, else `h`), `g_t = J_t^T g_(t+1) + dL_t/ds_t`:
/// what came from the step after, and what the loss says about this step itself. With a loss at every step the norms of
/// `g_t` stay level even where nothing is transported, so rates are made of the transported part alone:
/// [`InTime::ratios`], [`InTime::rho`], [`InTime::horizon`]. [`probe`] measures a long way at once.
///
/// Norms are decimal logarithms of f64. A pass without an observer costs nothing; with this one it has the same
/// gradients, bit for bit.
///
/// ```
/// use chainrule::{flow::ThroughTime, prelude::*};
/// let mut rng = Rng::seed(1);
/// let net = (Lstm::new(3, 16, &mut rng), Dense::new(16, 1, &mut rng));
/// let x = Tensor::normal([50, 4, 3], 0.0, 1.0, &mut rng);
/// let (mut tape, mut time) = (Tape::new(), ThroughTime::new());
/// let y = net.forward(&tape.begin().constant(&x)); // a loss at every step
/// let g = y.square().mean().backward_with(&net, &mut time)?;
/// let lstm = time.get("0.0").unwrap(); // element 0 of the tuple, layer 0
/// assert!(lstm.rho().unwrap() < 0.95 && lstm.horizon().unwrap() < 100.0);
/// assert!((lstm.mean_gate("f").unwrap() - 0.73).abs() < 0.05); // sigmoid(1): the forget bias
/// println!("{time}");
/// # Ok::<(), Error>(())
/// ```
///
/// # Source
/// Hochreiter, "Untersuchungen zu dynamischen neuronalen Netzen", 1991; Pascanu, Mikolov and Bengio, "On the difficulty
/// of training recurrent neural networks", 2013, section 2.1 and the ratio inside of equation 9.
#[derive(Clone, Debug, Default)]
pub struct ThroughTime {
    sweeps: usize,
    /// In the order of the sweep.
    layers: Vec<InTime>,
}

/// One recurrent layer, once through its sequence.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct InTime {
    /// The path of the layer (empty if it has none).
    pub path: String,
    /// The cell: `rnn`, `lstm`, `gru`.
    pub op: &'static str,
    /// Whose cotangents these are: `c` of an LSTM, else `h`.
    pub state: &'static str,
    /// `log10 ||g_t||` by step; minus infinity for 0.
    pub total: Vec<f64>,
    /// `log10 ||J_t^T g_(t+1)||` by step: the part that came from the step after.
    pub transported: Vec<f64>,
    /// The mean of each gate over units and batch, by step: `i`, `f`, `o` of an LSTM, `r`, `z` of a GRU.
    pub gates: Vec<(&'static str, Vec<f64>)>,
    floor: f64,
}

/// The smallest norm, as a decimal logarithm, from which rates are made: 1e4 times the smallest normal number of the
/// element type (f32: 1.2e-34), since below it the entries of a cotangent begin to be 0.
fn floor<F: Real>() -> f64 {
    F::min_positive_value().f64().log10() + 4.0
}

impl ThroughTime {
    /// Has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many backward passes it saw; it keeps the last.
    pub fn sweeps(&self) -> usize {
        self.sweeps
    }

    /// The layers in the order of the forward pass. A layer that ran several times, such as in the windows of a
    /// truncated pass, is there for each run.
    pub fn layers(&self) -> impl Iterator<Item = &InTime> {
        self.layers.iter().rev()
    }

    /// The first run of the layer of this path.
    pub fn get(&self, path: &str) -> Option<&InTime> {
        self.layers().find(|layer| layer.path == path)
    }
}

impl InTime {
    fn new(step: &TimeStep<'_>, state: &StateNorm, floor: f64) -> Self {
        let (n, nothing) = (step.steps, f64::NEG_INFINITY);
        let gates = step.gates.iter().map(|gate| (gate.name, vec![f64::NAN; n])).collect();
        Self {
            path: step.path.to_owned(),
            op: step.op,
            state: state.name,
            total: vec![nothing; n],
            transported: vec![nothing; n],
            gates,
            floor,
        }
    }

    /// How many steps the sequence has.
    pub fn steps(&self) -> usize {
        self.total.len()
    }

    /// The last step that the loss depends on; `None` if there is none.
    pub fn last(&self) -> Option<usize> {
        self.total.iter().rposition(|total| *total != f64::NEG_INFINITY)
    }

    /// Pascanu's ratio `||J_t^T g_(t+1)|| / ||g_(t+1)||` by step, as a decimal logarithm; NaN where either norm is not
    /// between the limits of the element type, and at the last step.
    pub fn ratios(&self) -> Vec<f64> {
        let ratio = |t: usize| match (self.transported[t], self.total.get(t + 1)) {
            (transported, Some(total)) if self.fits(transported) && self.fits(*total) => transported - total,
            _ => f64::NAN,
        };
        (0..self.steps()).map(ratio).collect()
    }

    fn fits(&self, log: f64) -> bool {
        log >= self.floor && log < f64::INFINITY
    }

    /// On the way back, the first step whose norm could not be told any more: 0 or less than 1e4 times the smallest normal
    /// number of the element type, or not finite. `None` if the whole way could be measured, or no step has a gradient.
    ///
    /// A gradient that is exactly 0, as behind dead units, ends it, too.
    pub fn ended_at(&self) -> Option<usize> {
        let last = self.last()?;
        let fit = |t: &usize| self.fits(self.total[*t]) && (*t == last || self.fits(self.transported[*t]));
        (0..=last).rev().find(|t| !fit(t))
    }

    /// The factor by which a step back changes the gradient: the geometric mean of [`Self::ratios`] from the last step
    /// with a gradient back to [`Self::ended_at`]. Below 1 it vanishes, above it explodes. `None` if there is no such
    /// step.
    ///
    /// With a loss at every step each ratio starts from a new mixture of directions, so near 1 it may read a little
    /// low: [`probe`] is exact.
    pub fn rho(&self) -> Option<f64> {
        let (last, first) = (self.last()?, self.ended_at().map_or(0, |t| t + 1));
        let ratios = self.ratios();
        let way = ratios.get(first..last).filter(|way| !way.is_empty())?;
        Some(10f64.powf(way.iter().sum::<f64>() / way.len() as f64))
    }

    /// After how many steps 1 % of a gradient is left: `ln 0.01 / ln rho`, infinite if `rho` is 1 or more.
    pub fn horizon(&self) -> Option<f64> {
        self.rho().map(|rho| if rho >= 1.0 { f64::INFINITY } else { 0.01f64.ln() / rho.ln() })
    }

    /// [`Self::rho`] and [`Self::horizon`], NaN for `None`; of a gradient that was there and at the next step back is exactly 0, or
    /// next to it, a rate of 0 and the steps that it went, or its horizon if that is nearer.
    pub(crate) fn fate(&self) -> (f64, f64) {
        let horizon = self.horizon().unwrap_or(f64::NAN);
        match (self.last(), self.ended_at()) {
            (Some(last), Some(end)) if end < last && self.transported[end] == f64::NEG_INFINITY => {
                (0.0, horizon.min((last - end) as f64))
            }
            _ => (self.rho().unwrap_or(f64::NAN), horizon),
        }
    }

    /// `||g_(t-k)|| / ||g_t||` as a decimal logarithm, `t` being the last step with a gradient. What is left of a
    /// gradient after `k` steps if the loss looks at one step only, as in a [`probe`]; otherwise it also has what the
    /// loss says of the steps between. `None` before the first step, or if either norm is not between the limits of the
    /// element type.
    pub fn ratio(&self, k: usize) -> Option<f64> {
        let last = self.last()?;
        let (here, there) = (self.total[last], self.total[last.checked_sub(k)?]);
        (self.fits(here) && self.fits(there)).then_some(there - here)
    }

    /// The mean of a gate over units, batch and steps.
    pub fn mean_gate(&self, name: &str) -> Option<f64> {
        let gate = self.gate(name)?;
        Some(gate.iter().sum::<f64>() / gate.len() as f64)
    }

    /// The product of a gate's means over all steps, as a decimal logarithm: for the forget gate `f`, and the `z` of a
    /// GRU, what is left on the direct path of a state through the whole sequence.
    pub fn gate_product(&self, name: &str) -> Option<f64> {
        Some(self.gate(name)?.iter().map(|mean| mean.log10()).sum())
    }

    /// The mean of a gate by step.
    pub fn gate(&self, name: &str) -> Option<&[f64]> {
        self.gates.iter().find(|(n, _)| *n == name).map(|(_, means)| &means[..])
    }
}

impl<F: Real> Observer<F> for ThroughTime {
    fn recording(&mut self, _: &Recorded<'_, F>) -> Result<(), Error> {
        self.sweeps += 1;
        self.layers.clear();
        Ok(())
    }

    fn time_step(&mut self, step: &TimeStep<'_>) -> Result<(), Error> {
        let Some(state) = step.states.iter().find(|s| s.name == "c").or(step.states.first()) else {
            return Ok(());
        };
        // A sweep goes from the last step to the first, through one run of a layer after the other.
        if step.step + 1 == step.steps || self.layers.is_empty() {
            self.layers.push(InTime::new(step, state, floor::<F>()));
        }
        let layer = self.layers.last_mut().expect("pushed above");
        (layer.total[step.step], layer.transported[step.step]) = (state.total, state.transported);
        for ((_, means), gate) in layer.gates.iter_mut().zip(step.gates) {
            means[step.step] = gate.mean;
        }
        Ok(())
    }
}

/// How a gradient goes back through time: one backward pass, on a tape of its own, of a loss that looks at one step
/// only (a dot product of the last output, or the last step's cross-entropy). Changes nothing.
///
/// Then all of `g_t` is transported, and [`InTime::ratio`] is exact: `||dL/ds_(t-k)|| / ||dL/ds_t||`. Recorded as
/// evaluation: dropout lets everything through.
///
/// ```
/// use chainrule::{flow, nn::Init, op::recurrent::Nonlinearity, prelude::*};
/// let mut rng = Rng::seed(1);
/// let net = Rnn::<f64>::new(2, 8, &mut rng).nonlinearity(Nonlinearity::Linear);
/// let net = net.recurrent_init(Init::orthogonal(), &mut rng);
/// let x = Tensor::normal_of([301, 4, 2], 0.0, 1.0, &mut rng);
/// let time = flow::probe(&net, |r| net.run(&r.constant(&x), None).1.output().square().sum())?;
/// assert!(time.get("0").unwrap().ratio(300).unwrap().abs() < 1e-9); // an orthogonal matrix keeps every norm
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As [`Var::backward`]; [`ErrorKind::BadData`] if the loss depends on no recurrent layer.
///
/// # Panics
/// If the loss is not a single number.
///
/// # Source
/// Hochreiter, 1991; Pascanu, Mikolov and Bengio, 2013, section 2.1.
#[track_caller]
pub fn probe<F: Real, N: Module<F>>(
    net: &N,
    loss: impl for<'t> FnOnce(&'t Recording<F>) -> Var<'t, F>,
) -> Result<ThroughTime, Error> {
    let (mut tape, mut time) = (Tape::new(), ThroughTime::new());
    loss(tape.begin_eval()).backward_with(net, &mut time)?;
    if time.layers.is_empty() {
        let message =
            "probe: no recurrent layer is on the path of the loss; run an Rnn, Lstm or Gru on the recording given";
        return Err(Error::new(ErrorKind::BadData, message));
    }
    Ok(time)
}

/// A line for each layer: its path and cell, the number of steps, `rho`, the steps after which 1 % is left, the norms
/// of `g_t` from the first step to the last as a sparkline with the ends of its log axis, the mean gates. Below a layer
/// whose norms ended early, where.
impl fmt::Display for ThroughTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.layers.is_empty() {
            return writeln!(f, "no steps of a recurrent layer in {} passes", self.sweeps);
        }
        let name = |l: &InTime| if l.path.is_empty() { l.op.to_owned() } else { format!("{} {}", l.path, l.op) };
        let width = self.layers().map(|l| name(l).chars().count()).max().unwrap_or(0).max("layer".len());
        writeln!(
            f,
            "{:width$}  steps  per step  1 % after  {:24}  log axis              gates",
            "layer", "|dL/dstate|, first to last"
        )?;
        for layer in self.layers() {
            let known = layer.total.iter().copied().filter(|total| total.is_finite());
            let (lo, hi) = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| (lo.min(x), hi.max(x)));
            let norms: Vec<f64> = layer.total.iter().map(|total| 10f64.powf(*total)).collect();
            let line = sparkline(&norms, 10f64.powf(lo), 10f64.powf(hi), 24);
            let axis = if lo <= hi { format!("1e{lo:.0} to 1e{hi:.0}") } else { String::new() };
            let gates =
                layer.gates.iter().filter_map(|(name, _)| Some(format!("{name} {:.2}", layer.mean_gate(name)?)));
            let rho = layer.rho().map_or("-".to_owned(), |rho| format!("x{rho:.3}"));
            let horizon = layer.horizon().map_or("-".to_owned(), |h| format!("{h:.0}"));
            let row = format!(
                "{:width$}  {:>5}  {rho:>8}  {horizon:>9}  {line:26}  {axis:20}  {}",
                name(layer),
                layer.steps(),
                gates.collect::<Vec<_>>().join(" ")
            );
            writeln!(f, "{}", row.trim_end())?;
            if let Some(t) = layer.ended_at() {
                writeln!(f, "{:width$}  at step {t} and before the norm is beyond the element type", "")?;
            }
        }
        Ok(())
    }
}
