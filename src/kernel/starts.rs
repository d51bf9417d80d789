use super::{Axes, MAX_AXES};

/// Where the blocks of a strided walk begin: over `sizes` in row-major order, with one step for each axis.
pub(super) struct Starts<'a> {
    sizes: &'a [usize],
    steps: &'a [usize],
    index: Axes,
    next: usize,
}

impl<'a> Starts<'a> {
    pub(super) fn new(sizes: &'a [usize], steps: &'a [usize]) -> Self {
        Self { sizes, steps, index: [0; MAX_AXES], next: 0 }
    }
}

/// Goes round for ever: zip it with the blocks.
impl Iterator for Starts<'_> {
    type Item = usize;
    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let start = self.next;
        for a in (0..self.sizes.len()).rev() {
            self.index[a] += 1;
            self.next += self.steps[a];
            if self.index[a] < self.sizes[a] {
                break;
            }
            self.next -= self.index[a] * self.steps[a];
            self.index[a] = 0;
        }
        Some(start)
    }
}
