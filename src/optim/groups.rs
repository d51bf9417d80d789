use super::{Link, Plan, check_setting, plan::Group};
use crate::{
    core::Table,
    error::{Error, ErrorKind},
    tensor::Real,
};

/// A link that gives some parameters their own learning rate or weight decay, or freezes them; for any optimizer.
///
/// A pattern is the beginning of a path, in whole steps (`"fc1"` is for `fc1.weight`, not for `fc10.weight`; `""` is for
/// all), or `*.` and the end of one (`"*.bias"`). Where several patterns fit, each of the three settings is taken from the
/// most special pattern that has it: a whole path, else an end, else a beginning; the one with more steps, else the one
/// written last.
///
/// Learning rates are factors, so a schedule or [`set_rate`](super::Optimizer::set_rate) moves those of all groups in
/// proportion. Frozen parameters are not written, nor is their state; their gradients may be missing or not finite, and are
/// not part of the norms that later links measure. Stands before the links that clip.
///
/// ```
/// use chainrule::{optim::{AdamW, Groups}, prelude::*};
/// let groups = Groups::new().rate_factor("encoder", 0.1).no_decay("*.bias").freeze("encoder.embedding");
/// let mut opt = (groups, ClipGlobalNorm::new(1.0), AdamW::new(1e-3));
/// # let mut net = Param::new(Tensor::scalar(1.0));
/// # let g = Grads::from_iter([("", Tensor::scalar(1.0))]);
/// let e = opt.step(&mut net, &g).unwrap_err(); // this module has no encoder
/// assert!(e.to_string().starts_with("Groups: no parameter fits \"encoder\""));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Groups {
    rules: Vec<(String, Setting)>,
}

#[derive(Clone, Copy, Debug)]
enum Setting {
    Rate(f64),
    Decay(f64),
    Frozen(bool),
}

impl Groups {
    /// No groups: every parameter is as the optimizer has it.
    pub fn new() -> Self {
        Self::default()
    }

    fn with(mut self, pattern: impl Into<String>, setting: Setting) -> Self {
        self.rules.push((pattern.into(), setting));
        self
    }

    /// The learning rate is `factor` times the optimizer's.
    pub fn rate_factor(self, pattern: impl Into<String>, factor: f64) -> Self {
        self.with(pattern, Setting::Rate(factor))
    }

    /// The weight decay is this, instead of the optimizer's.
    pub fn weight_decay(self, pattern: impl Into<String>, decay: f64) -> Self {
        self.with(pattern, Setting::Decay(decay))
    }

    /// No weight decay: `no_decay("*.bias")`.
    pub fn no_decay(self, pattern: impl Into<String>) -> Self {
        self.weight_decay(pattern, 0.0)
    }

    /// These parameters stay as they are.
    pub fn freeze(self, pattern: impl Into<String>) -> Self {
        self.with(pattern, Setting::Frozen(true))
    }

    /// These are trained, though a wider pattern freezes them: `freeze("").unfreeze("head")`.
    pub fn unfreeze(self, pattern: impl Into<String>) -> Self {
        self.with(pattern, Setting::Frozen(false))
    }

    fn check(&self, table: &Table) -> Result<(), Error> {
        for (pattern, setting) in &self.rules {
            check_pattern("Groups", pattern, table)?;
            let (what, x) = match *setting {
                Setting::Rate(factor) => ("rate factor", factor),
                Setting::Decay(decay) => ("weight decay", decay),
                Setting::Frozen(_) => continue,
            };
            // A warm step allocates nothing, so the words come only with an error.
            if !(x.is_finite() && x >= 0.0) {
                return check_setting::<f64>("Groups", &format!("the {what} of \"{pattern}\""), x);
            }
        }
        Ok(())
    }

    fn set(&self, path: &str, group: &mut Group) {
        let mut ranks = [0; 3];
        for (pattern, setting) in &self.rules {
            let Some(rank) = rank(pattern, path) else { continue };
            let best = &mut ranks[match setting {
                Setting::Rate(_) => 0,
                Setting::Decay(_) => 1,
                Setting::Frozen(_) => 2,
            }];
            if rank < *best {
                continue;
            }
            *best = rank;
            match *setting {
                Setting::Rate(factor) => group.rate = factor,
                Setting::Decay(decay) => group.decay = Some(decay),
                Setting::Frozen(frozen) => group.frozen = frozen,
            }
        }
    }
}

impl<F: Real> Link<F> for Groups {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        let table = plan.grads().table().clone();
        self.check(&table)?;
        let freezes = self.rules.iter().any(|(_, setting)| matches!(setting, Setting::Frozen(true)));
        if freezes && plan.measured() {
            let message = "Groups: what freezes stands before the links that clip, which have measured all gradients";
            return Err(Error::new(ErrorKind::BadData, message));
        }
        let groups = &mut plan.planned.lists.groups;
        groups.resize(table.entries().len(), Group::NONE);
        for (entry, group) in table.entries().iter().zip(groups) {
            self.set(&entry.path, group);
        }
        Ok(())
    }
}

/// How special a pattern that fits a path is; `None` if it does not fit.
pub(super) fn rank(pattern: &str, path: &str) -> Option<usize> {
    let steps = pattern.split('.').count();
    if pattern == path {
        return Some(usize::MAX);
    }
    if let Some(end) = pattern.strip_prefix("*.") {
        let fits = path == end || path.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'));
        return fits.then_some((1 << 20) + steps);
    }
    if pattern.is_empty() {
        return Some(0);
    }
    path.strip_prefix(pattern).is_some_and(|rest| rest.starts_with('.')).then_some(steps)
}

/// A pattern must fit some parameter, trained or not.
pub(super) fn check_pattern(who: &str, pattern: &str, table: &Table) -> Result<(), Error> {
    let entries = table.entries();
    if entries.iter().any(|e| rank(pattern, &e.path).is_some()) {
        return Ok(());
    }
    let shown = entries.iter().take(20).map(|e| format!("\"{}\"", e.path)).collect::<Vec<_>>().join(", ");
    let more = if entries.len() > 20 { format!(" and {} more", entries.len() - 20) } else { String::new() };
    let message = format!("{who}: no parameter fits \"{pattern}\"; there are {shown}{more}");
    Err(Error::new(ErrorKind::BadData, message))
}
