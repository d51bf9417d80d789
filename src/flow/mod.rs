//! Gradient flow: what reaches each layer on the way back, what is wrong with it, and pictures of it.
mod figure;
mod grad_norms;
mod measure;
mod monitor;
mod omega;
mod preflight;
mod report;
mod through_time;
mod verdict;

pub use figure::Figure;
pub use grad_norms::{GradNorms, Series, sparkline};
pub use measure::{Counts, Direction, LayerSample, Origin, ParamSample, Sample, TimeSample};
pub use monitor::{AskUpdates, Control, Monitor, Sampling};
pub use omega::Omega;
pub use preflight::{Preflight, preflight};
pub use report::{Cost, Plot, Report};
pub use through_time::{InTime, ThroughTime, probe};
pub use verdict::{Cause, Change, ClipAdvice, Evidence, Kind, Limit, Metric, Outcome, Remedy, Severity, Verdict};
