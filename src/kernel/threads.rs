//! Threads: work is cut by size alone, so the result does not depend on how many there are.
use crate::error::{Error, ErrorKind};
use std::ops::Range;

/// Below this many numbers a loop stays on its thread: handing over costs microseconds.
pub(super) const PIECE: usize = 1 << 15;

/// Runs `f` with `threads` threads for all kernels inside it, instead of one for each processor.
///
/// Results have the same bits for any number of threads.
///
/// # Errors
/// [`ErrorKind::BadData`] if `threads` is 0 or the threads cannot be started.
///
/// ```
/// use chainrule::prelude::*;
/// let total = chainrule::with_threads(1, || Tensor::full([1000], 0.5).sum().item())?;
/// assert_eq!(total, 500.0);
/// # Ok::<(), Error>(())
/// ```
pub fn with_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> Result<R, Error> {
    if threads == 0 {
        return Err(Error::new(ErrorKind::BadData, "with_threads: at least 1 thread is needed, got 0"));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| Error::new(ErrorKind::BadData, format!("with_threads({threads}): {e}")))?;
    Ok(pool.install(f))
}

/// How many threads a product or a loop may use here.
pub(super) fn available() -> usize {
    rayon::current_num_threads()
}

/// Runs both, on two threads if there are.
pub(super) fn both<A: Send, B: Send>(a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
    let (mut a, mut b) = ((Some(a), None), (Some(b), None));
    join(&mut || a.1 = a.0.take().map(|a| a()), &mut || b.1 = b.0.take().map(|b| b()));
    (a.1.expect("it ran"), b.1.expect("it ran"))
}

/// Not generic: a copy of rayon's machinery for each kernel would be a third of what is compiled here.
fn join(a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
    if available() == 1 {
        a();
        b();
    } else {
        rayon::join(a, b);
    }
}

/// The sum of `f` over pieces of `0..len`, added in pairs.
pub(super) fn sum_of_pieces(len: usize, f: impl Fn(Range<usize>) -> f64 + Sync) -> f64 {
    fn halves(Range { start, end }: Range<usize>, f: &(impl Fn(Range<usize>) -> f64 + Sync)) -> f64 {
        if end - start <= PIECE {
            return f(start..end);
        }
        let middle = start + ((end - start) / 2).next_multiple_of(64);
        let (low, high) = both(|| halves(start..middle, f), || halves(middle..end, f));
        low + high
    }
    halves(0..len, &f)
}
