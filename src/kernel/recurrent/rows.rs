//! Rows of a matrix that threads write apart.
#![allow(unsafe_code)]
use std::{marker::PhantomData, ops::Range, slice};

/// A matrix `[rows][width]` that several threads fill, each its own rows. (A list of mutable slices would do, too: one for each step and
/// part of the batch, allocated at each call.)
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, F> {
    first: *mut F,
    rows: usize,
    width: usize,
    lives: PhantomData<&'a mut [F]>,
}

// SAFETY: it is a `&mut [F]` whose parts are handed out under the conditions of `write`.
unsafe impl<F: Send> Send for Rows<'_, F> {}
// SAFETY: the same.
unsafe impl<F: Send + Sync> Sync for Rows<'_, F> {}

impl<'a, F> Rows<'a, F> {
    /// # Panics
    /// If the numbers are not whole rows.
    pub(super) fn new(x: &'a mut [F], width: usize) -> Self {
        assert!(width == 0 || x.len().is_multiple_of(width), "whole rows");
        let rows = x.len().checked_div(width).unwrap_or(0);
        Self { first: x.as_mut_ptr(), rows, width, lives: PhantomData }
    }

    fn check(&self, rows: &Range<usize>) {
        assert!(rows.start <= rows.end && (self.width == 0 || rows.end <= self.rows), "rows of the matrix");
    }

    /// Rows to write.
    ///
    /// # Safety
    /// While the result lives, no other reference to one of these rows exists.
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn write(&self, rows: Range<usize>) -> &mut [F] {
        self.check(&rows);
        // SAFETY: the rows lie inside the matrix, and the caller has them alone.
        unsafe { slice::from_raw_parts_mut(self.first.add(rows.start * self.width), rows.len() * self.width) }
    }

    /// Rows to read.
    ///
    /// # Safety
    /// While the result lives, nobody writes to one of these rows.
    pub(super) unsafe fn read(&self, rows: Range<usize>) -> &[F] {
        self.check(&rows);
        // SAFETY: the rows lie inside the matrix, and nobody writes to them.
        unsafe { slice::from_raw_parts(self.first.add(rows.start * self.width), rows.len() * self.width) }
    }
}
