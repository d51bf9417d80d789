use crate::{
    core::Grads,
    error::{Error, ErrorKind},
    kernel::with_threads,
    tensor::Real,
};
use std::{panic, thread};

/// The sum of the gradients of several parts, each on a thread of its own: data parallelism.
///
/// `f` records and sweeps one part on a tape of its own; its kernels use that one thread. Gradients are added in the order
/// of the parts, so the result does not depend on which one is ready first. (Scoped threads, not tasks of a pool: a task
/// that is stolen while a tape is borrowed could come back to that tape.)
///
/// ```
/// use chainrule::{core::data_parallel, prelude::*};
/// let mut rng = Rng::seed(1);
/// let mut net = (Dense::new(4, 8, &mut rng), Tanh, Dense::new(8, 1, &mut rng));
/// let x = Tensor::uniform([6, 4], -1.0, 1.0, &mut rng);
/// let mut g = data_parallel([0..3, 3..6], |rows| {
///     let mut tape = Tape::new();
///     net.forward(&tape.begin().constant(&x.slice(0, rows))).square().mean().backward(&net)
/// })?;
/// g.scale(0.5); // the mean of two means
/// Sgd::new(0.1).step(&mut net, &g)?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// The error of the first part that has one; [`ErrorKind::BadData`] if there are no parts.
///
/// # Panics
/// If `f` does.
pub fn data_parallel<F: Real, T: Send>(
    parts: impl IntoIterator<Item = T>,
    f: impl Fn(T) -> Result<Grads<F>, Error> + Sync,
) -> Result<Grads<F>, Error> {
    let f = &f;
    let results: Vec<_> = thread::scope(|s| {
        let run = |part| s.spawn(move || with_threads(1, || f(part))?);
        let threads: Vec<_> = parts.into_iter().map(run).collect();
        threads.into_iter().map(|t| t.join().unwrap_or_else(|panic| panic::resume_unwind(panic))).collect()
    });
    let mut results = results.into_iter();
    let first = results.next().unwrap_or_else(|| {
        Err(Error::new(ErrorKind::BadData, "data_parallel: there are no parts to take gradients of"))
    });
    results.try_fold(first?, |mut sum, g| {
        sum.add(&g?)?;
        Ok(sum)
    })
}
