/// Which passes are measured; the others cost next to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sampling {
    /// Passes 0 to 19, then every `n`-th.
    Usual(u64),
    /// Every `n`-th, from the first on.
    Every(u64),
    /// Passes 0 to 19, then ever fewer: about 24 for each tenfold of passes.
    Log,
    /// None; losses, norms and numbers that are not finite are still seen.
    Off,
}

/// As [`Sampling::Usual`] with every tenth.
impl Default for Sampling {
    fn default() -> Self {
        Self::Usual(10)
    }
}

impl Sampling {
    /// Whether a pass is measured.
    pub fn takes(self, step: u64) -> bool {
        const START_UP: u64 = 20;
        match self {
            Self::Usual(n) => step < START_UP || step.is_multiple_of(n.max(1)),
            Self::Every(n) => step.is_multiple_of(n.max(1)),
            // The first step in each tenth of the logarithm.
            Self::Log => step < START_UP || rung(step) != rung(step - 1),
            Self::Off => false,
        }
    }
}

fn rung(step: u64) -> u64 {
    (24.0 * (step as f64).log10()).floor() as u64
}
