//! The copying task: ten symbols are said, and must be repeated after a long silence.
use chainrule::prelude::*;
use std::f64::consts::LN_2;

/// How many symbols are to be remembered, and how many there are to choose from.
pub const SAID: usize = 10;
const SYMBOLS: usize = 8;
/// Blank, the symbols, and the marker that asks for them.
pub const INPUTS: usize = SYMBOLS + 2;
pub const OUTPUTS: usize = SYMBOLS + 1;

/// A batch of sequences of `t + 20` steps: ten symbols, `t - 1` blanks, a marker, ten blanks.
pub struct Copying {
    /// `[t + 20, B]`.
    pub said: Labels,
    /// `[t + 20, B]`: blanks, then the ten symbols.
    pub wanted: Labels,
    /// `[10, B]`: the ten symbols.
    pub recall: Labels,
}

impl Copying {
    pub fn draw(t: usize, batch: usize, rng: &mut Rng) -> Result<Self, Error> {
        let symbols: Vec<usize> = (0..SAID * batch).map(|_| 1 + rng.below(SYMBOLS)).collect();
        let rows = |all: Vec<usize>, classes| {
            let steps = all.len() / batch;
            Labels::new(all, classes).map(|labels| labels.reshape([steps, batch]))
        };
        let blanks = |steps: usize| vec![0; steps * batch];
        let said = [symbols.clone(), blanks(t - 1), vec![INPUTS - 1; batch], blanks(SAID)].concat();
        let wanted = [blanks(t + SAID), symbols.clone()].concat();
        Ok(Self { said: rows(said, INPUTS)?, wanted: rows(wanted, OUTPUTS)?, recall: rows(symbols, OUTPUTS)? })
    }
}

/// The recall loss of a network that remembers nothing: `ln 8`.
pub const RECALL_BASELINE: f64 = 3.0 * LN_2;

/// The loss over all steps of a network that remembers nothing.
pub fn standard_baseline(t: usize) -> f64 {
    SAID as f64 * RECALL_BASELINE / (t + 2 * SAID) as f64
}

/// Solved: every symbol of a fresh batch is right, and its recall loss is below 5 % of the baseline.
pub fn solved(recall_loss: f64, right: f64) -> bool {
    right == 1.0 && recall_loss < 0.05 * RECALL_BASELINE
}
