use crate::{
    error::{Error, ErrorKind},
    rng::Rng,
};

/// A normal distribution without what lies outside two bounds; made by [`Init::truncated_normal`](super::Init).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TruncatedNormal {
    mean: f64,
    std: f64,
    lo: f64,
    hi: f64,
}

impl TruncatedNormal {
    pub(super) fn new(mean: f64, std: f64, lo: f64, hi: f64) -> Result<Self, Error> {
        let numbers = mean.is_finite() && std > 0.0 && std.is_finite() && !lo.is_nan() && !hi.is_nan();
        // Bounds so close that no number lies between them, seen from the mean, leave nothing to draw.
        if numbers && (lo - mean) / std < (hi - mean) / std {
            return Ok(Self { mean, std, lo, hi });
        }
        let message = format!(
            "truncated_normal: needs a finite mean, a standard deviation greater than 0 and lo < hi, got mean {mean}, \
             standard deviation {std}, bounds {lo} and {hi}"
        );
        Err(Error::new(ErrorKind::BadData, message))
    }

    pub(super) fn draw(self, rng: &mut Rng) -> f64 {
        let Self { mean, std, lo, hi } = self;
        let (a, b) = ((lo - mean) / std, (hi - mean) / std);
        let z = if b < 0.0 { -standard(-b, -a, rng) } else { standard(a, b, rng) };
        (mean + std * z).clamp(lo, hi)
    }
}

/// From the standard normal distribution between `a` and `b`, of which `b` is not negative; each way of proposing is used
/// where it accepts a good share.
///
/// Source: Robert, "Simulation of truncated normal variables", 1995.
fn standard(a: f64, b: f64, rng: &mut Rng) -> f64 {
    let rate = a / 2.0 + a.hypot(2.0) / 2.0; // a sum or a square could overflow
    loop {
        let (z, accept) = if a <= 0.0 && b - a > 2.5 {
            (rng.normal(), 1.0)
        } else if a <= 0.0 || b - a < 1.0 / rate {
            let (z, densest) = (a + (b - a) * rng.uniform(), a.max(0.0));
            (z, ((densest - z) * (densest + z) / 2.0).exp())
        } else {
            let z = a - (1.0 - rng.uniform()).ln() / rate;
            (z, (-(z - rate) * (z - rate) / 2.0).exp())
        };
        if (a..=b).contains(&z) && rng.uniform() < accept {
            return z;
        }
    }
}
