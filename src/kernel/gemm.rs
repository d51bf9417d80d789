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

/// A product on strided matrices. Pieces of one result share its rows, which slices cannot express.
#[derive(Clone, Copy)]
struct Piece<F> {
    m: usize,
    n: usize,
    k: usize,
    a: *const F,
    /// From one row to the next, and from one column.
    a_steps: (usize, usize),
    b: *const F,
    b_steps: (usize, usize),
    out: *mut F,
    out_step: usize,
    add: bool,
}

// SAFETY: pieces of one product write different elements and only read its inputs.
#[allow(unsafe_code)]
unsafe impl<F> Send for Piece<F> {}

impl<F: Send + Copy> Piece<F> {
    /// Rows before and from `at`.
    fn rows(self, at: usize) -> (Self, Self) {
        let (a, out) = (self.a.wrapping_add(at * self.a_steps.0), self.out.wrapping_add(at * self.out_step));
        (Self { m: at, ..self }, Self { m: self.m - at, a, out, ..self })
    }

    /// Columns before and from `at`.
    fn columns(self, at: usize) -> (Self, Self) {
        let (b, out) = (self.b.wrapping_add(at * self.b_steps.1), self.out.wrapping_add(at));
        (Self { n: at, ..self }, Self { n: self.n - at, b, out, ..self })
    }

    /// Halves, as long as there are threads for them; all bits are the same for any number of threads.
    fn share(self, threads: usize, run: fn(Self)) {
        let Self { m, n, k, .. } = self;
        // The crate adds in another order when both sizes of a result are at most 64 and the inner one is above 512:
        // thin products are always cut down to that, and others never are.
        let thin = m <= 64 && k > 512;
        // Below 256 numbers, or in one row, it has yet other ways.
        let enough = |m: usize, n: usize| m > 1 && n > 1 && m * n >= 1024;
        let (column, row) = ((n / 2).next_multiple_of(64), m / 2);
        let (low, high) = if m * n * k < PARALLEL || (threads == 1 && !thin) {
            return run(self);
        } else if column < n && enough(m, column.min(n - column)) {
            self.columns(column)
        } else if threads > 1 && (row > 64 || k <= 512) && enough(row, n) {
            self.rows(row)
        } else {
            return run(self);
        };
        if threads == 1 {
            low.share(1, run);
            high.share(1, run);
        } else {
            let left = threads / 2;
            rayon::join(move || low.share(left, run), move || high.share(threads - left, run));
        }
    }
}

macro_rules! gemm { ($f:ident $($function:ident)::+) => { impl Products for $f {
    #[allow(unsafe_code)]
    fn gemm(g: Gemm, a: &[Self], b: &[Self], out: &mut [Self]) {
        // The crate prefers column-major results, so it computes out^T = op(b)^T op(a)^T.
        fn run(p: Piece<$f>, parallelism: Parallelism) {
            // SAFETY: the assertion below gives each slice exactly the elements that its strides and sizes reach,
            // `out` is borrowed mutably, so it overlaps neither input, and pieces write different parts of it.
            unsafe {
                $($function)::+()(
                    p.n, p.m, p.k,
                    p.out, p.out_step as isize, 1, p.add,
                    p.b, p.b_steps.0 as isize, p.b_steps.1 as isize,
                    p.a, p.a_steps.0 as isize, p.a_steps.1 as isize,
                    1.0, 1.0, false, false, false,
                    parallelism,
                );
            }
        }
        let Gemm { m, n, k, ta, tb, mode } = g;
        assert!(a.len() == m * k && b.len() == k * n && out.len() == m * n, "gemm: slices do not match {g:?}");
        if out.is_empty() {
            return;
        }
        let threads = if m * n * k < PARALLEL { 1 } else { available() };
        let whole = Piece {
            m, n, k,
            a: a.as_ptr(), a_steps: if ta { (1, m) } else { (k, 1) },
            b: b.as_ptr(), b_steps: if tb { (1, k) } else { (n, 1) },
            out: out.as_mut_ptr(), out_step: n,
            add: mode == Accum::Add,
        };
        if tb {
            // The crate would pack op(b)^T on one thread before the others may begin.
            whole.share(threads, |p| run(p, Parallelism::None));
        } else if threads == 1 {
            run(whole, Parallelism::None);
        } else {
            run(whole, Parallelism::Rayon(threads));
        }
    }
} } }
gemm! { f32 gemm_f32::gemm::f32::get_gemm_fn }
gemm! { f64 gemm_f64::gemm::f64::get_gemm_fn }
