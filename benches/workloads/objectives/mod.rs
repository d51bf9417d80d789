//! Eight functions whose gradients are timed, over a trait that every library's numbers can meet.
//!
//! The mixture and the LSTM are ADBench's (Srajer, Kukelova and Fitzgibbon, "A benchmark of selected algorithmic differentiation
//! tools on some problems in computer vision and machine learning", 2018), on its inputs.
mod bundle;
mod finance;
mod lstm;
mod mixture;
mod mlp;
mod number;
mod small;

use std::path::{Path, PathBuf};

pub(crate) use bundle::Bundle;
pub(crate) use finance::BlackScholes;
pub(crate) use lstm::Lstm;
pub(crate) use mixture::Mixture;
pub(crate) use mlp::Mlp;
pub(crate) use number::{Number, Term};
#[allow(unused_imports, reason = "the program of the peers uses them")]
pub(crate) use number::{inherent, with_f64};
pub(crate) use small::{LogSumExp, Lorenz, Rosenbrock};

/// Where a function is differentiated: `count` points of `n` numbers, one after the other; it has `m` results.
pub(crate) struct Points {
    pub(crate) n: usize,
    pub(crate) m: usize,
    pub(crate) count: usize,
    pub(crate) x: Vec<f64>,
}

impl Points {
    fn one(x: Vec<f64>) -> Self {
        Self { n: x.len(), m: 1, count: 1, x }
    }
}

pub(crate) trait Objective {
    const NAME: &'static str;
    /// Whether it has a sum that may be swept term by term: [`Number::scoped_sum`].
    const SCOPES: bool = false;
    fn points(&self) -> Points;
    /// The results at `x` into `y`; with `scoped` sums.
    fn eval<T: Number>(&self, x: &[T], y: &mut [T], scoped: bool);
}

/// The numbers that every library gets.
struct Lcg(u64);

impl Lcg {
    /// Uniform in 0..1.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The numbers of a file of `data/adbench`.
fn data(name: &str) -> Vec<f64> {
    let path = folder().expect("data/adbench lies in the repository, not in the package").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.split_whitespace().map(|word| word.parse().expect("a number")).collect()
}

/// `data/adbench`, which lies above the benches.
fn folder() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|folder| folder.join("data/adbench")).find(|path| path.exists())
}

/// Whether the data are there: not in the package.
#[allow(dead_code, reason = "the program of the peers is never in a package")]
pub(crate) fn has_data() -> bool {
    folder().is_some()
}
