//! What links do to the gradient of one tensor, and norms of what they leave.
use crate::{
    core::scale,
    error::{Error, ErrorKind},
    kernel::GradientMap,
    tensor::{Real, Tensor, root},
};

/// The change must be one that the element type can hold, in one factor or in two.
pub(super) fn check_map<F: Real>(map: GradientMap) -> Result<(), Error> {
    let GradientMap { scale, limit } = map;
    if F::of(scale).is_finite() && limit > 0.0 {
        return Ok(());
    }
    let message =
        format!("step: the links scale gradients by {scale:e} with limit {limit:e}, which {} cannot hold", F::NAME);
    Err(Error::new(ErrorKind::BadData, message))
}

/// Whether the element type holds both numbers with all their digits.
pub(super) fn is_whole<F: Real>(map: GradientMap) -> bool {
    (map.scale == 0.0 || F::of(map.scale).is_normal()) && F::of(map.limit) >= F::min_positive_value()
}

/// Changes a gradient, one stretch of equal length for each map.
pub(super) fn change<F: Real>(g: &mut Tensor<F>, maps: &[GradientMap]) {
    if maps.iter().all(|map| *map == GradientMap::IDENTITY) || g.shape().size() == 0 {
        return;
    }
    let size = g.shape().size() / maps.len();
    for (part, map) in g.data_mut().chunks_exact_mut(size).zip(maps) {
        scale(part, map.scale);
        F::clamp_abs(part, F::of(map.limit));
    }
}

/// The norm of finite numbers limited to `-limit..=limit`; `None` if one is not finite.
pub(super) fn unit_norm<F: Real>(x: &[F], limit: f64) -> Option<f64> {
    if limit == f64::INFINITY
        && let Some(norm) = root(F::sum_squares(x))
    {
        return Some(norm);
    }
    let unit = F::max_abs(x);
    if !unit.is_finite() {
        return None;
    }
    let unit = unit.min(limit);
    Some(if unit == 0.0 { 0.0 } else { unit * F::sum_squares_scaled(x, unit, limit).sqrt() })
}

/// A joint norm of norms, which neither overflows nor underflows on the way.
#[derive(Default)]
pub(super) struct Joint {
    unit: f64,
    total: f64,
}

impl Joint {
    pub(super) fn add(&mut self, norm: f64) {
        if norm > self.unit {
            self.total = self.total * (self.unit / norm).powi(2) + 1.0;
            self.unit = norm;
        } else if self.unit > 0.0 {
            self.total += (norm / self.unit).powi(2);
        }
    }

    pub(super) fn norm(&self) -> f64 {
        self.unit * self.total.sqrt()
    }
}
