//! What a run, or a pre-flight check, showed: verdicts, numbers, pictures.
mod html;
mod lines;
mod plots;
mod table;

pub(super) use lines::jsonl;
pub use plots::Plot;

use super::{ClipAdvice, Figure, Kind, Sample, Severity, Verdict};
use crate::error::{Error, ErrorKind};
use std::{
    fs,
    io::{IsTerminal, Write},
    path::Path,
};

/// What watching cost: the time inside of the monitor, without what recurrent layers take to tell their steps and optimizers to
/// measure theirs, in measured passes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Cost {
    /// The share of the time from the first pass to the last; NaN for a single pass.
    pub share: f64,
    /// Seconds.
    pub seconds: f64,
    /// How many passes were measured.
    pub passes: u64,
}

/// What a [`Monitor`](super::Monitor) or a [pre-flight check](super::preflight) saw.
///
/// Printed, it is the verdicts and a table of the layers with a sparkline of their signals on one log axis; with `{:#}` the
/// same in plain ASCII. [`Self::html`] is all of it in one file, with pictures.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) samples: Vec<Sample>,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) past: Vec<Verdict>,
    /// Pass, loss, loss.
    pub(super) losses: Vec<(u64, f64, f64)>,
    /// Pass, norm, factor of clipping.
    pub(super) norms: Vec<(u64, f64, f64)>,
    pub(super) norm_mean: (f64, f64),
    pub(super) clip_rate: Option<(f64, f64)>,
    pub(super) advice: Option<ClipAdvice>,
    pub(super) cost: Cost,
    pub(super) passes: u64,
    pub(super) failed: Option<String>,
}

impl Report {
    /// What stands at the end: one verdict for each cause, the worst first, with what follows from it in
    /// [`Verdict::under`]; [`Kind::Healthy`] or [`Kind::TooShallow`] if nothing is wrong.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// Verdicts that stood for a while.
    pub fn past(&self) -> &[Verdict] {
        &self.past
    }

    /// The kinds of [`Self::verdicts`], in order.
    pub fn kinds(&self) -> Vec<Kind> {
        self.verdicts.iter().map(|v| v.kind).collect()
    }

    /// The verdict of this kind, if it stands.
    pub fn get(&self, kind: Kind) -> Option<&Verdict> {
        self.verdicts.iter().find(|v| v.kind == kind)
    }

    /// The measured passes: all of a short run, evenly thinned out of a long one.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// How many passes there were.
    pub fn passes(&self) -> u64 {
        self.passes
    }

    /// A limit for clipping, from the last 200 norms; `None` without norms.
    pub fn clip_advice(&self) -> Option<ClipAdvice> {
        self.advice
    }

    /// The share of the last 100 steps that were clipped, and their mean factor; `None` before there are so many.
    pub fn clip_rate(&self) -> Option<(f64, f64)> {
        self.clip_rate
    }

    /// The exponential mean of the joint norm (decay 0.97), and its standard deviation.
    pub fn norm_mean(&self) -> (f64, f64) {
        self.norm_mean
    }

    /// Pass and loss over the run; of neighbours that were joined in a long run, the larger loss.
    pub fn losses(&self) -> impl Iterator<Item = (u64, f64)> {
        self.losses.iter().map(|(pass, loss, _)| (*pass, *loss))
    }

    /// Pass, joint norm before clipping, and factor of clipping, over the run; of neighbours that were joined, the larger norm.
    pub fn norms(&self) -> impl Iterator<Item = (u64, f64, f64)> {
        self.norms.iter().copied()
    }

    /// What watching cost.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// For tests.
    ///
    /// # Errors
    /// [`ErrorKind::Observer`] with the text of all verdicts that are a warning or worse, or have one under them.
    pub fn assert_healthy(&self) -> Result<(), Error> {
        let wrong: Vec<String> =
            self.verdicts.iter().filter(|v| v.worst().severity >= Severity::Warn).map(ToString::to_string).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Observer,
            format!("assert_healthy: the gradient flow is not healthy\n{}", wrong.concat()),
        ))
    }

    /// A line for each layer, recurrent layer and parameter (`kind` says which) of each measured pass, with a header; norms as
    /// decimal logarithms but `weight`, what is not known as `nan`.
    pub fn csv(&self) -> String {
        lines::csv(&self.samples)
    }

    /// The same as JSON objects, one a line; what is not known is the string `"nan"`.
    pub fn jsonl(&self) -> String {
        let mut text = String::new();
        self.samples.iter().for_each(|s| jsonl(s, &mut text));
        text
    }

    /// Prints it to standard output: with sparklines on a terminal, in plain ASCII if that is a file or a pipe, or `NO_COLOR` or
    /// `TERM=dumb` ask for it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be written.
    pub fn print(&self) -> Result<(), Error> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let mut out = std::io::stdout().lock();
        let rich = out.is_terminal() && set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb");
        let written = if rich { write!(out, "{self}") } else { write!(out, "{self:#}") };
        written.map_err(|e| Error::io("print", e))
    }

    /// A picture, or `None` if there is nothing to show in it.
    pub fn figure(&self, plot: Plot) -> Option<Figure> {
        plots::figure(self, plot)
    }

    /// All of it in one self-contained page: no script, nothing loaded, light or dark as the reader has it.
    pub fn html(&self) -> String {
        html::page(self)
    }

    /// Writes [`Self::html`].
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be written.
    pub fn save_html(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        save("save_html", path.as_ref(), &self.html())
    }

    /// Writes [`Self::csv`].
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be written.
    pub fn save_csv(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        save("save_csv", path.as_ref(), &self.csv())
    }

    /// Writes [`Self::jsonl`].
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be written.
    pub fn save_jsonl(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        save("save_jsonl", path.as_ref(), &self.jsonl())
    }

    /// Writes one picture.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be written, [`ErrorKind::BadData`] if there is nothing to show in it.
    pub fn save_svg(&self, path: impl AsRef<Path>, plot: Plot) -> Result<(), Error> {
        let nothing = || Error::new(ErrorKind::BadData, format!("save_svg: this run has nothing to show in {plot:?}"));
        save("save_svg", path.as_ref(), &self.figure(plot).ok_or_else(nothing)?.svg())
    }
}

fn save(who: &str, path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|e| Error::io(format!("{who}: {}", path.display()), e))
}
