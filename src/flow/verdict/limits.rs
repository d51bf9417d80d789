//! The numbers at which a verdict is given, each with where it comes from. "Calibrated": on the networks of tests/verdicts.rs.

/// Total gain below which a signal vanishes, as `log10` (Glorot and Bengio 2010, equation 6; calibrated).
pub(crate) const VANISHED: f64 = -1.0;
/// The same, severe (AutoTrainer's 1e-3, applied to signals).
pub(crate) const VANISHED_SEVERE: f64 = -3.0;
/// A signal vanishes only if it also shrinks by this much a layer (calibrated).
pub(crate) const VANISHING_RATE: f64 = 0.8;
/// Total gain above which a signal explodes, as `log10` (calibrated).
pub(crate) const EXPLODED: f64 = 1.0;
/// The same, severe.
pub(crate) const EXPLODED_SEVERE: f64 = 3.0;
/// And grows by this much a layer (calibrated).
pub(crate) const EXPLODING_RATE: f64 = 1.25;
/// How many standard deviations of the width noise of a ReLU network are tolerated (Hanin and Nica 2018; calibrated).
pub(crate) const WIDTH_BAND: f64 = 3.0;
/// Fewer hidden layers than this have no depth to judge.
pub(crate) const LEAST_HIDDEN: usize = 3;
/// Passes of the start-up window, in which growth is a fault of the initialisation.
pub(crate) const START_UP: u64 = 20;
/// An activation that passes less of the signal than this is the cause of its shrinking (ours: a sigmoid passes at most 0.25; softplus,
/// GELU and SiLU pass 0.5 where inputs are small, which is the weights' fault).
pub(crate) const SMALL_SLOPE: f64 = 0.4;
/// Weights that keep less than this share of what the activation needs are (ours).
pub(crate) const SMALL_WEIGHTS: f64 = 0.9;

/// Share of (unit, sample) that is saturated (makemore; SageMaker and DeepDiagnosis for the severe one).
pub(crate) const SATURATED: f64 = 0.2;
/// The same, severe.
pub(crate) const SATURATED_SEVERE: f64 = 0.5;
/// Share of a layer's units that are dead (SageMaker): half are silent in healthy deep networks on one batch.
pub(crate) const DEAD: f64 = 0.5;
/// The same, severe (ours).
pub(crate) const DEAD_SEVERE: f64 = 0.9;
/// Samples that a dead unit was silent on (calibrated).
pub(crate) const DEAD_SAMPLES: u64 = 1024;
/// Measured passes that a dead unit was silent in (calibrated).
pub(crate) const DEAD_PASSES: u64 = 20;
/// Share of the signal's numbers that are 0 or subnormal (ours).
pub(crate) const UNDERFLOWN: f64 = 0.5;
/// A signal of a smaller `log10` norm is tiny: f32 ends near -38.
pub(crate) const TINY: f64 = -30.0;
/// Samples running in which a gradient was exactly 0 (ours).
pub(crate) const ZERO_SAMPLES: u32 = 5;

/// Share of a sequence that a gradient must reach with 1 % left (definition).
pub(crate) const HORIZON: f64 = 0.5;
/// The same, severe.
pub(crate) const HORIZON_SEVERE: f64 = 0.1;
/// `log10` of growth over a sequence (Pascanu et al. 2013).
pub(crate) const TIME_EXPLODED: f64 = 1.0;
/// The same, severe.
pub(crate) const TIME_EXPLODED_SEVERE: f64 = 3.0;
/// Shorter sequences are not judged (ours).
pub(crate) const LEAST_STEPS: usize = 4;

/// Update ratio that destroys (TheDeepChecker's 10^-1).
pub(crate) const UPDATE_LARGE: f64 = 0.1;
/// Update ratio worth a notice (ten times the 1e-3 of the course CS231n).
pub(crate) const UPDATE_NOTICE: f64 = 0.01;
/// The usual update ratio (CS231n).
pub(crate) const UPDATE_USUAL: f64 = 1e-3;
/// Samples running with a large update.
pub(crate) const UPDATE_SAMPLES: u32 = 5;
/// Share of the median update ratio below which a layer stands still (ours).
pub(crate) const FROZEN: f64 = 1e-3;
/// Where the median itself is next to the rounding of f32, all stand still: that is the learning rate.
pub(crate) const FROZEN_LEAST: f64 = 1e-6;
/// For this many steps (ours).
pub(crate) const FROZEN_STEPS: u64 = 50;
/// Standard scores of a spike (ZClip).
pub(crate) const SPIKE_Z: f64 = 2.5;
/// Decay of the mean and variance of norms (ZClip).
pub(crate) const SPIKE_DECAY: f64 = 0.97;
/// Norms before a spike can be told (ZClip).
pub(crate) const SPIKE_WARM_UP: u64 = 25;
/// A norm of this many times the largest of the last hundred (Megatron).
pub(crate) const SPIKE_MAX: f64 = 10.0;
/// Norms of clipping statistics.
pub(crate) const CLIP_WINDOW: usize = 100;
/// Share of steps that are clipped when clipping has become the learning rate (ours).
pub(crate) const CLIP_RATE: f64 = 0.9;
/// And the mean factor (ours).
pub(crate) const CLIP_COEF: f64 = 0.1;
/// Losses of a window.
pub(crate) const LOSS_WINDOW: usize = 100;
/// By which share the loss must fall over a window (TheDeepChecker, SageMaker).
pub(crate) const LOSS_FALL: f64 = 0.05;
/// A loss below this share of the first has fallen enough to stand still (ours).
pub(crate) const LOSS_FALLEN: f64 = 0.5;
/// A loss below this share of the first has converged (ours).
pub(crate) const CONVERGED: f64 = 1e-3;
/// A gradient below this share of the largest is small (ours).
pub(crate) const CONVERGED_NORM: f64 = 0.1;
/// A loss that rises by more than its usual share of noise calls for smaller steps: of this factor if no step told its size (ours).
pub(crate) const LOSS_RISEN: f64 = 0.1;
/// Losses of a mean: a single loss is luck.
pub(crate) const LOSS_MEAN: usize = 10;
/// The mean loss above this many times its minimum is damage.
pub(crate) const DAMAGE: f64 = 2.0;

/// Past verdicts that are kept.
pub(crate) const PAST: usize = 1000;
/// Samples of a median.
pub(crate) const MEDIAN: usize = 5;
/// Samples running until a verdict is given.
pub(crate) const FIRE: u32 = 3;
/// Samples running without the finding until it is taken back.
pub(crate) const CLEAR: u32 = 10;
