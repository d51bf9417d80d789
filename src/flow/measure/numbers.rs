//! The numbers of one tensor.
use crate::tensor::{Real, Tensor};

/// `log10 ||t||`, squares added in f64; minus infinity for 0, NaN or infinity if an entry is.
pub(crate) fn log_norm<F: Real>(t: &Tensor<F>) -> f64 {
    t.norm().log10()
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
        let x = t.data();
        let tiny = F::min_positive_value();
        let (mut zero, mut small) = (0u32, 0u32);
        for x in x {
            zero += u32::from(*x == F::zero());
            small += u32::from(x.abs() < tiny);
        }
        let count = |f: fn(&F) -> bool| if finite { 0 } else { x.iter().filter(|x| f(x)).count() };
        Self {
            all: x.len(),
            nan: count(|x| x.is_nan()),
            infinite: count(|x| x.is_infinite()),
            subnormal: (small - zero) as usize,
            zero: zero as usize,
        }
    }
}

/// What an activation's outputs say: the mean of its slope over the largest slope, the share of saturated outputs. NaN for what
/// they do not say, see [`LayerSample`](super::LayerSample).
pub(crate) fn slopes<F: Real>(op: &str, h: &Tensor<F>) -> (f64, f64) {
    let (mut slope, mut saturated) = (0.0, 0u32);
    let n = h.data().len().max(1) as f64;
    match op {
        "tanh" => {
            let bar = F::of(0.97);
            for h in h.data() {
                slope += ((F::one() - *h) * (F::one() + *h)).f64();
                saturated += u32::from(h.abs() > bar);
            }
        }
        "sigmoid" => {
            // |2 h - 1| = tanh(|z| / 2), and tanh(4.18 / 2) = 0.9698.
            let (bar, four, two) = (F::of((4.18f64 / 2.0).tanh()), F::of(4.0), F::of(2.0));
            for h in h.data() {
                slope += (four * *h * (F::one() - *h)).f64();
                saturated += u32::from((two * *h - F::one()).abs() > bar);
            }
        }
        "relu" => {
            let on = h.data().iter().fold(0u32, |on, h| on + u32::from(*h > F::zero()));
            return (f64::from(on) / n, f64::NAN);
        }
        "hardtanh" => {
            let inside = h.data().iter().fold(0u32, |n, h| n + u32::from(h.abs() < F::one()));
            return (f64::from(inside) / n, f64::NAN);
        }
        "softplus" => return (mean(h, |y| -(-y).exp_m1()), f64::NAN),
        "log_sigmoid" => return (mean(h, |y| -y.exp_m1()), f64::NAN),
        "selu" => return (mean(h, selu_slope), f64::NAN),
        _ => return (f64::NAN, f64::NAN),
    }
    (slope / n, f64::from(saturated) / n)
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

/// For each unit (the last axis), whether it is 0 in every row.
pub(crate) fn silent<F: Real>(h: &Tensor<F>, active: &mut Vec<bool>) -> usize {
    let width = h.shape().last().copied().unwrap_or(1).max(1);
    active.clear();
    active.resize(width, false);
    for row in h.data().chunks_exact(width) {
        for (active, h) in active.iter_mut().zip(row) {
            *active |= *h != F::zero();
        }
    }
    h.data().len() / width
}

/// Counts of magnitudes by powers of two: `bins[k]` is for `2^(k - OFFSET)`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Magnitudes(pub(crate) Vec<u32>);

impl Magnitudes {
    pub(crate) const OFFSET: i32 = 160;
    const BINS: usize = 320;

    pub(crate) fn of<F: Real>(t: &Tensor<F>) -> Self {
        let mut bins = vec![0; Self::BINS];
        for x in t.data() {
            let bits = x.f64().abs().to_bits();
            if bits != 0 {
                let power = (bits >> 52) as i32 - 1023 + Self::OFFSET;
                bins[power.clamp(0, Self::BINS as i32 - 1) as usize] += 1;
            }
        }
        Self(bins)
    }
}
