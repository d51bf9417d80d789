use super::Made;
use chainrule::with_threads;
use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// A thread that keeps one step ready and has the crate's kernels use a fixed number of threads: buffers are recycled
/// by thread, and steps with different numbers of threads can take turns.
pub(crate) struct Worker {
    /// So many times, and so many steps in each.
    orders: Sender<(usize, usize)>,
    times: Receiver<Vec<Duration>>,
    /// What the first loss must be, and how far from it a right one may be.
    #[allow(dead_code, reason = "serves the comparison with other libraries")]
    pub(crate) first: (f64, f64),
}

impl Worker {
    /// Returns when the step is made.
    pub(crate) fn new(threads: usize, make: impl FnOnce() -> Made + Send + 'static) -> Self {
        let (orders, inbox) = channel();
        let (outbox, times) = channel();
        let (made, first) = channel();
        let work = move || {
            let Made { mut step, loss, within } = make();
            made.send((loss, within)).expect("the asker waits");
            for (times, steps) in inbox {
                let time = |_| {
                    let start = Instant::now();
                    for _ in 0..steps {
                        std::hint::black_box(step());
                    }
                    start.elapsed()
                };
                outbox.send((0..times).map(time).collect()).expect("the asker waits");
            }
        };
        thread::spawn(move || with_threads(threads, work).expect("threads can be started"));
        let first = first.recv().expect("the worker's check succeeds");
        Self { orders, times, first }
    }

    /// The time of each of so many steps.
    pub(crate) fn run(&self, steps: usize) -> Vec<Duration> {
        self.ask((steps, 1))
    }

    /// The time of so many steps together: a clock would disturb short ones.
    #[allow(dead_code, reason = "one bench has short steps")]
    pub(crate) fn total(&self, steps: usize) -> Duration {
        self.ask((1, steps)).into_iter().sum()
    }

    fn ask(&self, order: (usize, usize)) -> Vec<Duration> {
        self.orders.send(order).expect("the worker lives");
        self.times.recv().expect("the worker's steps succeed")
    }
}
