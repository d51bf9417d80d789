//! Matrix products, by the crate gemm.
use super::threads::available;
use gemm_common::Parallelism;

/// A product `op(a) op(b)` of row-major matrices.
#[derive(Clone, Copy, Debug)]
pub struct Gemm {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// The inner size.
    pub k: usize,
    /// `a` is stored transposed, as `[k, m]`.
    pub ta: bool,
    /// `b` is stored transposed, as `[n, k]`.
    pub tb: bool,
    /// What happens to the old contents of the result.
    pub mode: Accum,
}

/// What a product does with the old contents of its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accum {
    /// Overwrites them.
    Replace,
    /// Adds to them.
    Add,
}

/// Products with fewer multiplications stay on one thread.
const PARALLEL: usize = 48 * 48 * 256;

/// An element type that has products.
pub trait Products: Sized {
    /// `out = op(a) op(b)`, or added to it.
    fn gemm(g: Gemm, a: &[Self], b: &[Self], out: &mut [Self]);
}

macro_rules! gemm { ($f:ident $($function:ident)::+) => { impl Products for $f {
    #[allow(unsafe_code)]
    fn gemm(g: Gemm, a: &[Self], b: &[Self], out: &mut [Self]) {
        let Gemm { m, n, k, ta, tb, mode } = g;
        assert!(a.len() == m * k && b.len() == k * n && out.len() == m * n, "gemm: slices do not match {g:?}");
        if out.is_empty() {
            return;
        }
        let steps = |transposed, rows: usize, columns: usize| if transposed { (1, rows as isize) } else { (columns as isize, 1) };
        let ((a_row, a_column), (b_row, b_column)) = (steps(ta, m, k), steps(tb, k, n));
        // Small products do not even ask: that would start the threads.
        let threads = if m * n * k < PARALLEL { 1 } else { available() };
        let parallelism = if threads == 1 { Parallelism::None } else { Parallelism::Rayon(threads) };
        // The crate prefers column-major results, so it computes out^T = op(b)^T op(a)^T.
        // SAFETY: the assertion above gives each slice exactly the elements that its strides and sizes reach, and `out`
        // is borrowed mutably, so it overlaps neither input.
        unsafe {
            $($function)::+()(
                n, m, k,
                out.as_mut_ptr(), n as isize, 1, mode == Accum::Add,
                b.as_ptr(), b_row, b_column,
                a.as_ptr(), a_row, a_column,
                1.0, 1.0, false, false, false,
                parallelism,
            );
        }
    }
} } }
gemm! { f32 gemm_f32::gemm::f32::get_gemm_fn }
gemm! { f64 gemm_f64::gemm::f64::get_gemm_fn }
