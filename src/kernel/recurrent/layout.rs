//! Where the numbers of a sequence lie.
//!
//! Units go in blocks of [`UNITS`]; the batch is cut into parts that never touch each other. The gates of a part lie
//! `[T][blocks][rows][planes][UNITS]`, so that a tile of a product ends with whole gates, and so that the cotangents of the gates, which
//! are written over them, already are the packed operand of the weights' gradients.
use std::ops::Range;

/// Units of a block: a cache line of f32.
pub(super) const UNITS: usize = 16;
/// Blocks of units whose gates are computed before their cells are: they fill tiles of every width, and stay in the cache.
pub(super) const GROUP: usize = 4;

/// The sizes of a sequence.
#[derive(Clone, Copy, Debug)]
pub struct Dims {
    /// T.
    pub steps: usize,
    /// B.
    pub batch: usize,
    /// I: also the number of tokens.
    pub inputs: usize,
    /// H.
    pub hidden: usize,
}

/// A stretch of the batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) first: usize,
    pub(super) rows: usize,
}

impl Dims {
    /// Blocks of units.
    pub(super) fn blocks(self) -> usize {
        self.hidden.div_ceil(UNITS)
    }

    /// Groups of blocks.
    pub(super) fn groups(self) -> impl Iterator<Item = Range<usize>> {
        let blocks = self.blocks();
        (0..blocks).step_by(GROUP).map(move |u| u..blocks.min(u + GROUP))
    }

    /// How many parts the batch is cut into: by its size alone.
    pub(super) fn parts(self) -> usize {
        if self.batch < 32 { (self.batch / 8).clamp(1, 2) } else { (self.batch / 16).min(8) }
    }

    pub(super) fn part(self, k: usize) -> Part {
        let first = k * self.batch / self.parts();
        Part { first, rows: (k + 1) * self.batch / self.parts() - first }
    }

    /// Numbers of the padded units of all steps, `planes` each, in the first `rows` rows of the batch.
    pub(super) fn cells(self, rows: usize, planes: usize) -> usize {
        self.steps * self.step(rows, planes)
    }

    /// The same for one step.
    pub(super) fn step(self, rows: usize, planes: usize) -> usize {
        self.blocks() * rows * planes * UNITS
    }
}

/// Splits `0..n` into the fewest pieces of at most `most`, as equal as possible: (first, how many).
pub(super) fn row_tiles(n: usize, most: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    let count = n.div_ceil(most);
    (0..count).map(move |k| (k * n / count, (k + 1) * n / count - k * n / count))
}

/// The planes of the gates that take part in a product, in the order of the weight's gates: plane `first + k` holds gate `gates[k]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planes {
    pub(super) first: usize,
    pub(super) gates: &'static [usize],
    /// Planes in all.
    pub(super) of: usize,
}

impl Planes {
    /// Columns of a product over all units.
    pub(super) fn columns(self, dims: Dims) -> usize {
        dims.blocks() * self.gates.len() * UNITS
    }
}
