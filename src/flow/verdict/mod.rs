//! Verdicts: what is wrong, why, and what to do, as data.
mod depth;
mod judge;
pub(crate) mod limits;
mod text;
mod time;
mod training;
mod units;

pub use judge::ClipAdvice;
pub(super) use judge::{Judge, Running, judge_once};
pub(super) use text::number;

use crate::flow::Origin;
use std::{ops::Range, sync::Arc};

/// What a verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// A NaN or an infinity in a value, a signal or a gradient.
    NonFinite,
    /// A parameter from which no way leads to the loss, or whose gradient is exactly 0.
    Disconnected,
    /// Rows of a weight matrix that are equal, or a matrix of zeros: units that learn the same.
    Symmetric,
    /// Units that are 0 whatever the input.
    DeadUnits,
    /// Activations at the ends of their range.
    Saturated,
    /// A signal that shrinks from layer to layer on its way back.
    Vanishing,
    /// A signal that grows from layer to layer on its way back.
    Exploding,
    /// A signal that shrinks from time step to time step.
    VanishingThroughTime,
    /// A signal that grows from time step to time step.
    ExplodingThroughTime,
    /// Signals too small for the element type.
    Underflow,
    /// Steps that are large beside the weights.
    UpdateTooLarge,
    /// A gradient far above those before it.
    GradientSpike,
    /// Clipping that has become the learning rate.
    AlwaysClipping,
    /// A layer that stands still while others move.
    FrozenLayer,
    /// A loss that does not fall.
    LossStalled,
    /// A loss that has fallen to where it stays, with small gradients that are well spread.
    Converged,
    /// Too few hidden layers for a verdict on depth, or too few time steps for one on time.
    TooShallow,
    /// None of the others.
    Healthy,
}

/// How much a verdict matters, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Nothing is wrong.
    Good,
    /// For information.
    Note,
    /// Worth a look.
    Notice,
    /// Learning suffers.
    Warn,
    /// Learning is impossible, in parts or altogether.
    Severe,
    /// Numbers are wrong.
    Critical,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// `A`: the first hidden layer's signal over the last one's.
    Total,
    /// `kappa`: the gain of a layer.
    Rate,
    /// The activations' part of the gain.
    FFactor,
    /// The weights' part of the gain.
    WFactor,
    /// The weights' part that their variance lets expect.
    WExpected,
    /// The share of outputs that are saturated.
    Saturated,
    /// The share of units that are dead.
    Dead,
    /// The share of numbers that are 0 or subnormal.
    Underflown,
    /// The factor of a time step.
    Rho,
    /// Time steps after which 1 % is left.
    Horizon,
    /// Time steps of the sequence.
    Steps,
    /// `log10` of the growth over the sequence.
    TimeGrowth,
    /// The mean forget gate.
    ForgetGate,
    /// `log10` of the forget gates' product over the sequence.
    GateProduct,
    /// The largest singular value of the recurrent weights, or a little more: a bound.
    Sigma,
    /// Norm of the change over norm of the weights.
    Update,
    /// The joint norm of the gradients.
    Norm,
    /// The standard score of the norm among those before.
    Score,
    /// The share of steps that were clipped.
    ClipRate,
    /// The mean factor of clipping.
    ClipCoef,
    /// The loss.
    Loss,
    /// The loss over its first value, or over that at the beginning of the window.
    LossRatio,
    /// Of a loss that may be below 0, its fall over the window as a share of the range that it has had.
    LossFall,
    /// Rows of weights that equal another.
    EqualRows,
    /// Hidden layers.
    Hidden,
    /// How many numbers, or parameters.
    Count,
}

/// A bound that a number was held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// It should be at least this.
    AtLeast(f64),
    /// It should be at most this.
    AtMost(f64),
    /// No bound: it explains the others.
    None,
}

/// A number of this run and the bound it was held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// What was measured.
    pub metric: Metric,
    /// The number.
    pub value: f64,
    /// The bound.
    pub limit: Limit,
}

/// Why.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// The activation of this op passes too little of the signal.
    Activation(&'static str),
    /// The weights are too small for the activation.
    SmallWeights,
    /// The weights are too large.
    LargeWeights,
    /// The forget gates close.
    ForgetGates,
    /// The recurrent weights or their activation shrink or stretch the signal.
    Recurrence,
    /// The learning rate does not fit.
    LearningRate,
    /// The limit of clipping does not fit.
    ClipLimit,
    /// A matrix of zeros.
    ZeroWeights,
    /// Rows with equal weights.
    EqualRows,
    /// The way to the loss ends at this op, recorded at this line.
    WayEnds {
        /// The op.
        op: &'static str,
        /// The line.
        at: String,
    },
    /// An op that made a number that is not finite.
    Op(Box<Origin>),
    /// Biases or steps that keep a ReLU shut.
    ShutUnits,
    /// A batch unlike the others.
    Batch,
    /// Not known.
    Unknown,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// Another activation, and weights drawn for it.
    Activation(&'static str, &'static str),
    /// Weights drawn anew.
    Redraw(&'static str),
    /// All weights multiplied.
    ScaleWeights(f64),
    /// This many hidden layers fewer.
    FewerLayers(usize),
    /// All biases of the forget gates.
    ForgetBias(f64),
    /// All biases of a GRU's update gates `z`, which keep the state.
    UpdateBias(f64),
    /// Forget and input gates, or a GRU's update gates, for memories of up to this many steps.
    Chrono(usize),
    /// Orthogonal recurrent weights.
    OrthogonalRecurrence,
    /// Recurrent weights multiplied.
    ScaleRecurrence(f64),
    /// A gated cell instead of a simple one.
    GatedCell,
    /// The learning rate multiplied.
    LearningRate(f64),
    /// Gradients clipped to this joint norm.
    Clip(f64),
    /// In words.
    Words(&'static str),
}

/// What a change gave when it was tried on the same batch.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// The gain of a layer, or of a time step.
    pub rate: f64,
    /// What is left of the signal, as `log10`: through the layers, or through the sequence.
    pub total: f64,
    /// The worst verdict that is left.
    pub left: Option<(Kind, Severity)>,
}

/// Something to do, and what it gave if it was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Remedy {
    /// What to do.
    pub change: Change,
    /// What it gave: pre-flight tries, a monitor does not.
    pub tried: Option<Outcome>,
}

impl From<Change> for Remedy {
    fn from(change: Change) -> Self {
        Self { change, tried: None }
    }
}

/// What is wrong, why, and what to do. Its text ([`Display`](std::fmt::Display)) is made of these fields.
///
/// ```
/// use chainrule::{flow::{Kind, Preflight, Severity}, nn::Init, prelude::*};
/// let mut rng = Rng::seed(1);
/// let init = Init::Normal { mean: 0.0, std: 0.1 }; // 1/sqrt(100): far too small for sigmoids
/// let layers: Vec<_> = (0..5).map(|_| AnyLayer::new((Dense::with_init(100, 100, init, &mut rng), Sigmoid))).collect();
/// let net = (layers, Dense::new(100, 10, &mut rng));
/// let x = Tensor::normal([32, 100], 0.0, 1.0, &mut rng);
/// let y = Labels::new((0..32).map(|i| i % 10), 10)?;
/// let check = Preflight::new().run(&net, |r| net.forward(&r.constant(&x)).softmax_cross_entropy(&y))?;
/// let [verdict] = check.verdicts() else { panic!("{check}") };
/// assert_eq!((verdict.kind, verdict.severity), (Kind::Vanishing, Severity::Warn));
/// assert!(verdict.to_string().contains("the signal shrinks"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// What it is about.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// Which layers, counted from the first; empty if it is about none in particular.
    pub layers: Range<usize>,
    /// The paths of the layers, or of the parameters.
    pub paths: Vec<Arc<str>>,
    /// From the pass that showed it first to the one that showed it last.
    pub steps: Range<u64>,
    /// The numbers, the decisive one first.
    pub evidence: Vec<Evidence>,
    /// Why.
    pub cause: Cause,
    /// What to do, the best first.
    pub remedies: Vec<Remedy>,
    /// What follows from it.
    pub under: Vec<Verdict>,
}

impl Verdict {
    pub(crate) fn new(kind: Kind, severity: Severity, cause: Cause) -> Self {
        Self {
            kind,
            severity,
            layers: 0..0,
            paths: vec![],
            steps: 0..0,
            evidence: vec![],
            cause,
            remedies: vec![],
            under: vec![],
        }
    }

    pub(crate) fn at(mut self, layers: Range<usize>, paths: Vec<Arc<str>>) -> Self {
        (self.layers, self.paths) = (layers, paths);
        self
    }

    pub(crate) fn shows(mut self, metric: Metric, value: f64, limit: Limit) -> Self {
        self.evidence.push(Evidence { metric, value, limit });
        self
    }

    pub(crate) fn try_this(mut self, change: Change) -> Self {
        self.remedies.push(change.into());
        self
    }

    /// The worst of it and what is under it: the first of them.
    pub(crate) fn worst(&self) -> &Self {
        let under = self.under.iter().map(Self::worst);
        under.fold(self, |worst, v| if v.severity > worst.severity { v } else { worst })
    }

    /// The number of a metric among the evidence.
    pub fn number(&self, metric: Metric) -> Option<f64> {
        self.evidence.iter().find(|e| e.metric == metric).map(|e| e.value)
    }
}
