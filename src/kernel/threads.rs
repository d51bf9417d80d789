//! Threads: work is cut by size alone, so the result does not depend on how many there are.
use crate::error::{Error, ErrorKind};

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
