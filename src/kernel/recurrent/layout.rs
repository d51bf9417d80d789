//! Where the numbers of a sequence lie.
//!
//! Units go in blocks of [`UNITS`]; the batch is cut into parts that never touch each other. The gates of a part lie
//! `[T][blocks][rows][planes][UNITS]`, so that a tile of a product ends with whole gates, and so that the cotangents of the gates, which
//! are written over them, already are the packed operand of the weights' gradients.
use std::ops::Range;

/// Units of a block: a cache line of f32.
pub(super) const UNITS: usize = 16;
/// Numbers that may wait for their cells.
const GROUP: usize = 8192;

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

    /// Blocks of units whose gates, `planes` of them, are computed before their cells are: as many as fit into the first cache, of
    /// `rows` rows, and fill whole tiles of `width` in products that have `columns` planes.
    pub(super) fn groups(
        self,
        rows: usize,
        planes: usize,
        columns: usize,
        width: usize,
    ) -> impl Iterator<Item = Range<usize>> {
        let least = if (columns * UNITS).is_multiple_of(width) { 1 } else { width.div_ceil(UNITS) };
        let group = (GROUP / (rows * planes * UNITS).max(1)).max(1).next_multiple_of(least);
        let blocks = self.blocks();
        (0..blocks).step_by(group).map(move |u| u..blocks.min(u + group))
    }

    /// How many parts the batch is cut into: by its size alone.
    pub(super) fn parts(self) -> usize {
        if self.batch < 32 { (self.batch / 8).clamp(1, 2) } else { (self.batch / 16).min(PARTS) }
    }

    pub(super) fn part(self, k: usize) -> Part {
        let first = k * self.batch / self.parts();
        Part { first, rows: (k + 1) * self.batch / self.parts() - first }
    }

    /// The rows of the batch that some parts hold.
    pub(super) fn rows(self, parts: Range<usize>) -> Range<usize> {
        self.part(parts.start).first..self.part(parts.end).first
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

/// As many parts as there may be.
pub(super) const PARTS: usize = 32;

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
    /// Blocks of units one after the other.
    pub(super) const PLAIN: Self = Self { first: 0, gates: &[0], of: 1 };

    /// The block of units of a column of a product, and where it lies in the gates of a row.
    #[inline(always)]
    pub(super) fn place(self, column: usize) -> (usize, usize) {
        let (block, n) = (column / UNITS, self.gates.len());
        (block / n, (self.first + block % n) * UNITS + column % UNITS)
    }

    /// Columns of a product over all units.
    pub(super) fn columns(self, dims: Dims) -> usize {
        dims.blocks() * self.gates.len() * UNITS
    }
}

#[cfg(test)]
mod tests {
    use super::{Dims, UNITS};

    #[test]
    fn groups_fill_whole_tiles() {
        for (planes, columns) in [(1, 1), (4, 4), (4, 3), (4, 1)] {
            for width in [8, 16, 64] {
                for rows in (0..70).chain([100, 125, 129, 1000]) {
                    for hidden in [1, 16, 17, 33, 100, 113, 128, 512, 700] {
                        let dims = Dims { steps: 1, batch: rows, inputs: 1, hidden };
                        let mut end = 0;
                        for blocks in dims.groups(rows, planes, columns, width) {
                            assert_eq!(blocks.start, end);
                            assert!(!blocks.is_empty() && (blocks.start * columns * UNITS).is_multiple_of(width));
                            end = blocks.end;
                        }
                        assert_eq!(end, dims.blocks(), "{planes} {columns} {width} {rows} {hidden}");
                    }
                }
            }
        }
    }

    #[test]
    fn parts_cover_the_batch() {
        for batch in (0..200).chain([1000, 5000]) {
            let dims = Dims { steps: 1, batch, inputs: 1, hidden: 1 };
            let mut end = 0;
            for part in (0..dims.parts()).map(|k| dims.part(k)) {
                assert!(part.first == end && (part.rows > 0 || batch == 0));
                end += part.rows;
            }
            assert!(end == batch && dims.parts() <= super::PARTS);
        }
    }
}
