//! What the machine can do: products by the crate gemm itself, a copy, and the streams of an Adam step.
//!
//! Roofs and workloads take turns, and the best rate of the run is the roof: other programs interrupt a product of 20 ms
//! far more often than a step of 0.4 ms, so a roof of the same moment would flatter short steps.
use crate::workloads::{Bound, Made, Step, Worker};
use gemm_common::Parallelism;

/// The best rates so far with one number of threads.
pub(crate) struct Roof {
    products: Worker,
    copies: Worker,
    streams: Worker,
    /// Floating-point operations a second.
    pub(crate) flop: f64,
    /// Bytes a second, read and written, of a copy.
    pub(crate) copied: f64,
    /// The same of an update in place of three arrays by a fourth.
    pub(crate) streamed: f64,
}

impl Roof {
    pub(crate) fn new(threads: usize) -> Self {
        let mut roof = Self {
            products: Worker::new(threads, move || free(product(threads))),
            copies: Worker::new(threads, || free(copy())),
            streams: Worker::new(threads, || free(streams())),
            flop: 0.0,
            copied: 0.0,
            streamed: 0.0,
        };
        for _ in 0..10 {
            roof.again();
        }
        roof
    }

    /// Measures again and keeps what is better.
    pub(crate) fn again(&mut self) {
        let best = |worker: &Worker| worker.run(2).into_iter().min().expect("two").as_secs_f64();
        self.flop = self.flop.max(2.0 * (1u64 << 30) as f64 / best(&self.products));
        self.copied = self.copied.max(2.0 * 4.0 * COPIED as f64 / best(&self.copies));
        self.streamed = self.streamed.max(7.0 * 4.0 * STREAMED as f64 / best(&self.streams));
    }

    /// The least time of a step, in microseconds.
    pub(crate) fn micros(&self, bound: Bound) -> Option<f64> {
        let seconds = match bound {
            Bound::Flop(flop) => flop / self.flop,
            Bound::Bytes(bytes) => bytes / self.copied,
            Bound::Streams(bytes) => bytes / self.streamed,
            Bound::Ops(_) => return None,
        };
        Some(1e6 * seconds)
    }
}

/// Without a check of its value.
fn free(step: Step) -> Made {
    Made { step, loss: 0.0, within: f64::INFINITY }
}

/// A product of 1024^3 by the crate gemm itself, so that the roof does not depend on this crate.
#[allow(unsafe_code, reason = "the function of gemm takes pointers")]
fn product(threads: usize) -> Step {
    const N: usize = 1024;
    let fraction = |i: usize| (i % 1013) as f32 / 1013.0 - 0.5;
    let a: Vec<f32> = (0..N * N).map(fraction).collect();
    let (b, mut out) = (a.clone(), vec![0.0f32; N * N]);
    let parallelism = if threads == 1 { Parallelism::None } else { Parallelism::Rayon(threads) };
    Box::new(move || {
        // SAFETY: all three are N x N with steps (1, N), and `out` is borrowed mutably, so it overlaps neither input.
        unsafe {
            gemm_f32::gemm::f32::get_gemm_fn()(
                N,
                N,
                N,
                out.as_mut_ptr(),
                N as isize,
                1,
                false,
                a.as_ptr(),
                N as isize,
                1,
                b.as_ptr(),
                N as isize,
                1,
                0.0,
                1.0,
                false,
                false,
                false,
                parallelism,
            );
        }
        f64::from(out[0])
    })
}

const COPIED: usize = 1 << 24;

/// A copy beyond the caches, cut in one piece for each thread.
fn copy() -> Step {
    let (x, mut out) = (vec![1.0f32; COPIED], vec![0.0f32; COPIED]);
    Box::new(move || {
        let piece = COPIED.div_ceil(rayon::current_num_threads());
        rayon::scope(|s| {
            for (x, out) in x.chunks(piece).zip(out.chunks_mut(piece)) {
                s.spawn(|_| out.copy_from_slice(x));
            }
        });
        f64::from(out[0])
    })
}

/// As many parameters as mlp_large has.
const STREAMED: usize = 784 * 2048 + 2048 * 2048 + 2048 * 10 + 2048 + 2048 + 10;

/// The least that a step of Adam does to memory: four arrays read, three of them written in place.
fn streams() -> Step {
    let g = vec![1e-6f32; STREAMED];
    let [mut w, mut m, mut v] = [0.5f32; 3].map(|x| vec![x; STREAMED]);
    Box::new(move || {
        let piece = STREAMED.div_ceil(rayon::current_num_threads());
        rayon::scope(|s| {
            let state = m.chunks_mut(piece).zip(v.chunks_mut(piece));
            for ((w, g), (m, v)) in w.chunks_mut(piece).zip(g.chunks(piece)).zip(state) {
                s.spawn(|_| stream(w, g, m, v));
            }
        });
        f64::from(w[0])
    })
}

fn stream(w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
    let n = g.len();
    let (w, m, v) = (&mut w[..n], &mut m[..n], &mut v[..n]);
    for i in 0..n {
        let d = 0.5 * (g[i] - m[i]);
        m[i] += d;
        v[i] += d;
        w[i] -= d;
    }
}
