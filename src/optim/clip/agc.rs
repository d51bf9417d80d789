use super::{NonFinite, policy, under};
use crate::{
    core::{Path, check_limit},
    error::{Error, ErrorKind},
    optim::{
        Link, Plan,
        change::unit_norm,
        check_positive,
        groups::{check_pattern, rank},
    },
    tensor::{Real, Shape, Tensor},
};

/// Adaptive gradient clipping: limits the gradient of each unit in proportion to the unit's own weights.
///
/// With `n` the norm of a unit's gradient and `w = max(norm of its weights, epsilon)`, a gradient with `n > clip * w` is
/// multiplied by `clip * w / n`. A unit is one row of the first axis, which makes one output of a weight `[out, in]` or
/// `[out, in, height, width]`; scalars and vectors (also those written as `[n, 1]`) are one unit. Defaults: `clip = 0.01`,
/// `epsilon = 1e-3`. The paper leaves out the last layer: `skip("out")`.
///
/// ```
/// use chainrule::{optim::Agc, prelude::*};
/// let mut w = Param::new(Tensor::new([2, 2], vec![3.0, 4.0, 0.0, 0.0]));
/// let g = Grads::from_iter([("", Tensor::new([2, 2], vec![30.0, 40.0, 0.0, 1e-6]))]);
/// let report = (Agc::new(0.1), Sgd::new(1.0)).step(&mut w, &g)?;
/// assert_eq!(report.units, 1); // 0.5 instead of 50; the second row may have 1e-4
/// assert_eq!(w.value.data(), [2.7, 3.6, 0.0, -1e-6]);
/// # Ok::<(), Error>(())
/// ```
///
/// # Source
/// Brock, De, Smith, Simonyan, "High-performance large-scale image recognition without normalization", 2021, equation 3,
/// and its published code for what a unit is.
#[derive(Clone, Debug)]
pub struct Agc {
    clip: f64,
    epsilon: f64,
    skipped: Vec<String>,
    policy: NonFinite,
}

impl Default for Agc {
    fn default() -> Self {
        Self::new(0.01)
    }
}

impl Agc {
    /// Clips gradients of more than `clip` times the norm of the weights; a step refuses a `clip` that is not above 0.
    pub fn new(clip: f64) -> Self {
        Self { clip, epsilon: 1e-3, skipped: vec![], policy: NonFinite::Error }
    }

    /// With another smallest norm of weights, so that a unit of zeros can leave zero.
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Leaves some parameters alone, by a pattern as in [`Groups`](crate::optim::Groups). May be called several times.
    pub fn skip(mut self, pattern: impl Into<String>) -> Self {
        self.skipped.push(pattern.into());
        self
    }

    policy!();

    /// Clips the units of one parameter; how many.
    fn clip<F: Real>(
        &self,
        plan: &mut Plan<'_, F>,
        slot: usize,
        path: &Path<'_>,
        w: &Tensor<F>,
    ) -> Result<usize, Error> {
        let (count, size) = units(w.shape());
        plan.cut(slot, count);
        let mut clipped = 0;
        for unit in 0..count {
            let Some(weights) = unit_norm(&w.data()[unit * size..][..size], f64::INFINITY) else {
                let message = format!("Agc: the value of \"{path}\" is not finite");
                return Err(Error::new(ErrorKind::BadData, message));
            };
            let (norm, limit) = (plan.unit_norm(slot, unit), self.clip * weights.max(self.epsilon));
            if norm > limit {
                plan.scale_unit(slot, unit, limit / norm);
                clipped += 1;
            }
        }
        Ok(clipped)
    }
}

impl<F: Real> Link<F> for Agc {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        check_limit::<F>("Agc", self.clip)?;
        check_positive::<F>("Agc", "epsilon", self.epsilon)?;
        let table = plan.grads().table().clone();
        self.skipped.iter().try_for_each(|pattern| check_pattern("Agc", pattern, &table))?;
        let Some(()) = under(self.policy, plan, |plan| plan.check_finite("Agc"))? else { return Ok(()) };
        let (mut slots, mut clipped) = (table.entries().iter().enumerate(), Ok(0));
        plan.net().visit_at(&Path::ROOT, &mut |path, p| {
            let Some((slot, entry)) = slots.next() else { return };
            let left = self.skipped.iter().any(|pattern| rank(pattern, &entry.path).is_some());
            if let (Ok(so_far), true) = (&clipped, plan.writes(slot) && !left) {
                clipped = self.clip(plan, slot, path, &p.value).map(|here| so_far + here);
            }
        });
        plan.report_units(clipped?);
        Ok(())
    }
}

/// How many units a parameter has, and the numbers in each.
fn units(shape: Shape) -> (usize, usize) {
    let vector = shape.iter().filter(|n| **n != 1).count() <= 1;
    if vector { (1, shape.size()) } else { (shape[0], shape[1..].iter().product()) }
}
