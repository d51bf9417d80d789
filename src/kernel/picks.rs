//! Single elements picked along an axis by an index of the same rank.
use super::{Axes, starts::Starts};
use crate::real::Base;

/// Which elements.
#[derive(Clone, Copy, Debug)]
pub struct Picks<'a> {
    /// One for each element of the index.
    pub ids: &'a [u32],
    /// The shape of the index.
    pub sizes: &'a [usize],
    /// The steps of what is picked from.
    pub steps: &'a Axes,
    /// Along which axis an id counts.
    pub axis: usize,
}

impl Picks<'_> {
    /// Calls `f(e, place)` for each element `e` of the index, in order.
    #[inline(always)]
    fn each(self, mut f: impl FnMut(usize, usize)) {
        let Some((&inner, outer)) = self.sizes.split_last() else { return };
        if self.ids.is_empty() {
            return;
        }
        let mut steps = *self.steps;
        steps[self.axis] = 0;
        let (step, last) = (self.steps[self.axis], steps[outer.len()]);
        for (row, (ids, start)) in self.ids.chunks_exact(inner).zip(Starts::new(outer, &steps)).enumerate() {
            for (j, &id) in ids.iter().enumerate() {
                f(row * inner + j, start + j * last + id as usize * step);
            }
        }
    }
}

pub(super) fn gather<F: Base>(p: Picks<'_>, x: &[F], out: &mut [F]) {
    p.each(|e, place| out[e] = x[place]);
}

/// `x` may be larger than the index along every axis; `src` are its steps.
pub(super) fn scatter_add<F: Base>(p: Picks<'_>, src: &[usize], x: &[F], out: &mut [F]) {
    let Some((&inner, outer)) = p.sizes.split_last() else { return };
    let mut rows = Starts::new(outer, src);
    let mut start = 0;
    p.each(|e, place| {
        if e % inner == 0 {
            start = rows.next().unwrap_or(0);
        }
        out[place] += x[start + e % inner];
    });
}
