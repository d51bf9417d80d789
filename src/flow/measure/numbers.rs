//! The numbers of one tensor.
use crate::tensor::{Real, Tensor, root};

/// `||t||` to six digits: squares are added in f64, those of a short block in the element type where its range allows.
pub(crate) fn norm<F: Real>(t: &Tensor<F>) -> f64 {
    root(F::quick_squares(t.data())).unwrap_or_else(|| t.norm())
}

/// `log10 ||t||`; minus infinity for 0, NaN or infinity if an entry is.
pub(crate) fn log_norm<F: Real>(t: &Tensor<F>) -> f64 {
    norm(t).log10()
}

/// How many numbers of each kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// All numbers.
    pub all: usize,
    /// Not a number.
    pub nan: usize,
    /// Infinite.
    pub infinite: usize,
    /// Closer to 0 than the smallest normal number.
    pub subnormal: usize,
    /// Exactly 0.
    pub zero: usize,
}

impl Counts {
    pub(crate) fn of<F: Real>(t: &Tensor<F>, finite: bool) -> Self {
        let [zero, small] = F::tiny(t.data());
        let count = |f: fn(&F) -> bool| if finite { 0 } else { t.data().iter().filter(|x| f(x)).count() };
        let (nan, infinite) = (count(|x| x.is_nan()), count(|x| x.is_infinite()));
        Self { all: t.data().len(), nan, infinite, subnormal: small - zero, zero }
    }
}

/// What an activation's outputs say: the mean of its slope over the largest slope, the share of saturated outputs. NaN for what
/// they do not say, see [`LayerSample`](super::LayerSample).
pub(crate) fn slopes<F: Real>(op: &str, h: &Tensor<F>) -> (f64, f64) {
    let n = h.data().len().max(1) as f64;
    let (scale, shift, bar) = match op {
        "tanh" => (1.0, 0.0, 0.97),
        // 4 h (1 - h) = 1 - t^2 and t = 2 h - 1 = tanh(z / 2); tanh(4.18 / 2) = 0.9698.
        "sigmoid" => (2.0, -1.0, (4.18f64 / 2.0).tanh()),
        "hardtanh" => return (mean(h, |y| f64::from(y.abs() < 1.0)), f64::NAN),
        "softplus" => return (mean(h, |y| -(-y).exp_m1()), f64::NAN),
        "log_sigmoid" => return (mean(h, |y| -y.exp_m1()), f64::NAN),
        "selu" => return (mean(h, selu_slope), f64::NAN),
        _ => return (f64::NAN, f64::NAN),
    };
    let (slope, saturated) = F::bends(F::of(scale), F::of(shift), F::of(bar), h.data());
    (slope / n, saturated as f64 / n)
}

fn mean<F: Real>(h: &Tensor<F>, slope: impl Fn(f64) -> f64) -> f64 {
    h.data().iter().map(|h| slope(h.f64())).sum::<f64>() / h.data().len().max(1) as f64
}

/// From the output `scale alpha (e^x - 1)` left of 0, over the largest slope, `scale alpha` at 0.
fn selu_slope(y: f64) -> f64 {
    const ALPHA: f64 = 1.673_263_242_354_377_2;
    const SCALE: f64 = 1.050_700_987_355_480_5;
    if y > 0.0 { 1.0 / ALPHA } else { 1.0 + y / (SCALE * ALPHA) }
}

/// For each unit (the last axis) of a ReLU, in how many rows it is above 0.
pub(crate) fn active<F: Real>(h: &Tensor<F>) -> Vec<u32> {
    let mut counts = vec![0; h.shape().last().copied().unwrap_or(1).max(1)];
    F::active(h.data(), &mut counts);
    counts
}

/// Counts of magnitudes by powers of two: `bins[k]` is for `2^(k - OFFSET)`. Of many numbers, some thousands evenly spread are counted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Magnitudes(pub(crate) Vec<u32>);

impl Magnitudes {
    pub(crate) const OFFSET: i32 = 160;
    const BINS: usize = 320;
    const COUNTED: usize = 4096;

    pub(crate) fn of<F: Real>(t: &Tensor<F>) -> Self {
        let mut bins = vec![0; Self::BINS];
        let stride = (t.data().len() / Self::COUNTED).max(1);
        for x in t.data().iter().step_by(if stride.is_multiple_of(2) { stride + 1 } else { stride }) {
            let bits = x.f64().abs().to_bits();
            if bits != 0 {
                let power = (bits >> 52) as i32 - 1023 + Self::OFFSET;
                bins[power.clamp(0, Self::BINS as i32 - 1) as usize] += 1;
            }
        }
        Self(bins)
    }
}
