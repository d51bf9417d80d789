//! Times of the workloads as ratios to the roof, measured in the same run:
//! `cargo bench --bench roof -- --threads 1,2 --seconds 4 --only mlp_small,tiny_chain`.
//!
//! The roof of a step is its floating-point operations at the rate of the crate gemm on a product of 1024^3, called
//! directly, or its bytes at the rate of a copy of 64 MB, both with the same number of threads. Roof and workloads
//! take turns, and the best rate of the run is the roof: other programs interrupt a product of 20 ms far more often than
//! a step of 0.4 ms, so a roof of the same moment would flatter short steps.
#![allow(clippy::print_stdout, reason = "prints a table")]
mod workloads;

use clap::Parser;
use gemm_common::Parallelism;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};
use workloads::{ALL, Bound, Step, Worker, Workload};

/// Times of the workloads as ratios to the roof of this machine.
#[derive(Parser)]
struct Options {
    /// Numbers of threads.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    threads: Vec<usize>,
    /// How long each workload is measured.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// These workloads alone.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// One step of each, without times.
    #[arg(long)]
    test: bool,
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    for name in &options.only {
        assert!(
            ALL.iter().any(|w| w.name == name),
            "{name} is none of {:?}",
            ALL.iter().map(|w| w.name).collect::<Vec<_>>()
        );
    }
    let chosen = ALL.iter().filter(|w| options.only.is_empty() || options.only.iter().any(|name| name == w.name));
    if options.test || !options.bench {
        for w in chosen {
            drop(w.ready());
            println!("{}: ok", w.name);
        }
        return;
    }
    println!("| workload | threads | median us | best us | roof us | ratio | quartiles | speed-up | allocations |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: |");
    let roofs = options.threads.iter().map(|&t| (Worker::new(t, move || product(t)), Worker::new(t, copy)));
    let roofs: Vec<_> = roofs.collect();
    let mut rates: Vec<Rates> = vec![(0.0, 0.0); roofs.len()];
    for _ in 0..10 {
        for (roof, rates) in roofs.iter().zip(&mut rates) {
            try_roof(roof, rates);
        }
    }
    for w in chosen {
        measure(w, &options, &roofs, &mut rates);
    }
    println!();
    for (t, (flop, bytes)) in options.threads.iter().zip(&rates) {
        let (gflops, copied) = (flop / 1e9, bytes / 1e9);
        println!(
            "{t} thread(s): gemm 1024^3 {gflops:.0} GFLOP/s, copy {copied:.1} GB/s (read and written), the best of the run"
        );
    }
}

/// The best rates of products and copies so far.
type Rates = (f64, f64);

fn try_roof((products, copies): &(Worker, Worker), (flop, bytes): &mut Rates) {
    let best = |worker: &Worker| worker.run(2).into_iter().min().expect("two").as_secs_f64();
    *flop = flop.max(2.0 * (1u64 << 30) as f64 / best(products));
    *bytes = bytes.max(COPIED / best(copies));
}

/// What one number of threads gave.
#[derive(Default)]
struct Side {
    micros: Vec<f64>,
    /// Medians of the rounds.
    rounds: Vec<f64>,
    allocations: f64,
}

fn measure(w: &'static Workload, options: &Options, roofs: &[(Worker, Worker)], rates: &mut [Rates]) {
    let workers: Vec<_> = options.threads.iter().map(|&t| Worker::new(t, || w.ready())).collect();
    let mut sides: Vec<Side> = workers.iter().map(|_| Side::default()).collect();
    for worker in &workers {
        worker.run(3);
    }
    // About 20 ms of steps in a round.
    let step = workers[0].run(3).into_iter().min().expect("three").as_secs_f64();
    let steps = ((0.02 / step) as usize).clamp(1, 200);
    let (start, mut rounds) = (Instant::now(), 0);
    while rounds < 5 || start.elapsed().as_secs_f64() < options.seconds {
        rounds += 1;
        for (i, (worker, side)) in workers.iter().zip(&mut sides).enumerate() {
            try_roof(&roofs[i], &mut rates[i]);
            let (all, middle) = micros(worker.run(steps));
            side.micros.extend(all);
            side.rounds.push(middle);
        }
    }
    for (worker, side) in workers.iter().zip(&mut sides) {
        let before = ALLOCATIONS.load(Relaxed);
        worker.run(20);
        // The order and the list of times are this bench's own.
        side.allocations = (ALLOCATIONS.load(Relaxed) - before).saturating_sub(2) as f64 / 20.0;
    }
    let single = sides[0].rounds.clone();
    for ((side, &threads), &(flops, copied)) in sides.iter_mut().zip(&options.threads).zip(&*rates) {
        let mut ups: Vec<f64> = single.iter().zip(&side.rounds).map(|(one, here)| one / here).collect();
        let up = if threads == options.threads[0] { String::new() } else { format!("{:.2}", median(&mut ups)) };
        let us = median(&mut side.micros);
        let best = side.micros[0];
        side.rounds.sort_by(f64::total_cmp);
        let n = side.rounds.len();
        let (low, high) = (side.rounds[n / 4], side.rounds[3 * n / 4]);
        let (name, allocations) = (w.name, side.allocations);
        let roof = match w.bound {
            Bound::Ops(ops) => {
                let ns = 1000.0 / ops;
                let (each, low, high) = (us * ns, low * ns, high * ns);
                println!(
                    "| {name} | {threads} | {us:.1} | {best:.1} | | {each:.1} ns an op | {low:.1}-{high:.1} ns | {up} | {allocations:.1} |"
                );
                continue;
            }
            Bound::Flop(flop) => flop / flops * 1e6,
            Bound::Bytes(bytes) => bytes / copied * 1e6,
        };
        let (ratio, low, high) = (us / roof, low / roof, high / roof);
        println!(
            "| {name} | {threads} | {us:.1} | {best:.1} | {roof:.1} | {ratio:.2} | {low:.2}-{high:.2} | {up} | {allocations:.1} |"
        );
    }
}

/// In microseconds, with their median.
fn micros(times: Vec<Duration>) -> (Vec<f64>, f64) {
    let mut times: Vec<f64> = times.iter().map(|t| t.as_secs_f64() * 1e6).collect();
    let middle = median(&mut times);
    (times, middle)
}

/// Sorts.
fn median(x: &mut [f64]) -> f64 {
    x.sort_by(f64::total_cmp);
    match x.len() {
        0 => f64::NAN,
        n => 0.5 * (x[(n - 1) / 2] + x[n / 2]),
    }
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

/// Bytes read and written by a copy.
const COPIED: f64 = 2.0 * 4.0 * LENGTH as f64;
const LENGTH: usize = 1 << 24;

/// A copy beyond the caches, cut in one piece for each thread.
fn copy() -> Step {
    let (x, mut out) = (vec![1.0f32; LENGTH], vec![0.0f32; LENGTH]);
    Box::new(move || {
        let piece = LENGTH / rayon::current_num_threads();
        rayon::scope(|s| {
            for (x, out) in x.chunks(piece).zip(out.chunks_mut(piece)) {
                s.spawn(|_| out.copy_from_slice(x));
            }
        });
        f64::from(out[0])
    })
}

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
struct Counting;

#[allow(unsafe_code, reason = "the trait is unsafe; calls are only counted and passed on")]
// SAFETY: every method is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(p, layout) }
    }
    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(p, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
