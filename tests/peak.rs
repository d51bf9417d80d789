//! The peak of a step as the tape counts it, against an allocator that counts; what checkpoints save. The counts are of the
//! whole process, so this is one test.
#![allow(unsafe_code, reason = "a counting allocator is unsafe to write")]
#![allow(clippy::print_stdout, reason = "for the reader")]
#[path = "common/counting.rs"]
mod counting;

use chainrule::{nn::Checkpoint, prelude::*};
use counting::{LIVE, PEAK};
use std::sync::atomic::Ordering::SeqCst;

/// What `f` needs beyond what there is, on a thread of its own, and what it returns. (Not inside `with_threads`: threads of a
/// pool free their storage at their leisure.)
fn measured<R: Send>(f: impl FnOnce() -> R + Send) -> (usize, R) {
    std::thread::scope(|s| {
        let thread = s.spawn(|| {
            let before = LIVE.load(SeqCst);
            PEAK.store(before, SeqCst);
            let result = f();
            ((PEAK.load(SeqCst) - before) as usize, result)
        });
        thread.join().expect("no panic")
    })
}

/// The highest peak of some steps of Adam, as the tape counts it.
fn steps<F: Real, L: Layer<F>>(net: &mut L, batch: usize, width: usize, n: usize) -> usize {
    let x = Tensor::<F>::uniform_of([batch, width], -1.0, 1.0, &mut Rng::seed(2));
    let (mut tape, mut opt, mut peak) = (Tape::new(), (ClipGlobalNorm::new(1.0), Adam::new(1e-3)), 0);
    for _ in 0..n {
        let loss = net.forward(&tape.begin().constant(&x)).square().mean();
        let g = loss.backward(net).expect("gradients");
        opt.step(net, &g).expect("a step");
        peak = peak.max(tape.peak_bytes());
    }
    peak
}

/// The tape does not count the gemm crate's packing, its own lists (2 MB), and free storage that fits nothing else: a tenth
/// of the whole where layers have much the same width, two fifths where they have not.
fn the_tape_counts_what_the_allocator_sees() {
    fn check<F: Real>(sizes: &[usize], batch: usize, free: f64) {
        let (allocated, peak) = measured(|| {
            let mut rng = Rng::seed(1);
            let mut net: Vec<_> = sizes.windows(2).map(|s| (Dense::<F>::new(s[0], s[1], &mut rng), Tanh)).collect();
            steps::<F, _>(&mut net, batch, sizes[0], 3)
        });
        println!("{} {sizes:?} x {batch}: allocator {allocated}, tape {peak}", F::NAME);
        assert!(peak <= allocated, "{sizes:?}: allocator {allocated}, tape {peak}");
        let most = peak as f64 * (1.0 + free) + f64::from(2 << 20);
        assert!(allocated as f64 <= most, "{sizes:?}: allocator {allocated}, tape {peak}");
    }
    check::<f32>(&[784, 512, 512, 512, 10], 256, 0.1);
    check::<f64>(&[300, 700, 41, 900, 7], 500, 0.4);
    check::<f32>(&[64; 33], 2048, 0.1);
}

/// `n` blocks of `k` values of `batch x width` numbers: without checkpoints the sweep finds `n k` of them, with them `n` and
/// those of one block.
fn checkpoints_keep_one_block() {
    let (n, depth, width, batch) = (16, 4, 64, 4096);
    let block = |rng: &mut Rng| (0..depth).map(|_| (Dense::<f32>::new(width, width, rng), Tanh)).collect::<Vec<_>>();
    let plain = || {
        let mut rng = Rng::seed(1);
        let mut net: Vec<_> = (0..n).map(|_| block(&mut rng)).collect();
        steps::<f32, _>(&mut net, batch, width, 2)
    };
    let wrapped = || {
        let mut rng = Rng::seed(1);
        let mut net: Vec<_> = (0..n).map(|_| Checkpoint(block(&mut rng))).collect();
        steps::<f32, _>(&mut net, batch, width, 2)
    };
    // Checkpoints of four blocks around those of one: fewer results are kept, of four times as many blocks.
    let nested = || {
        let mut rng = Rng::seed(1);
        let mut four = |_| Checkpoint((0..4).map(|_| Checkpoint(block(&mut rng))).collect::<Vec<_>>());
        let mut net: Vec<_> = (0..4).map(&mut four).collect();
        steps::<f32, _>(&mut net, batch, width, 2)
    };
    let one = batch * width * 4;
    let parameters = 4 * n * depth * (width * width + width) * 4; // with gradients and two moments
    let k = 2 * depth;
    // Beside that: data, the loss, two or three cotangents on their way.
    for (name, run, values) in [
        ("plain", &plain as &(dyn Fn() -> usize + Sync), n * k),
        ("checkpoints", &wrapped, n + k - 1),
        ("nested", &nested, 4 + 4 + k - 2),
    ] {
        let (allocated, peak) = measured(run);
        let expected = (values + 5) * one + parameters;
        println!("{name}: allocator {allocated}, tape {peak}, expected at most {expected}");
        assert!(peak <= expected && peak > expected - 5 * one, "{name}: {peak}, expected {expected}");
        assert!(allocated <= peak + peak / 10 + (2 << 20), "{name}: allocator {allocated}, tape {peak}");
    }
}

/// An LSTM keeps six numbers a cell, four gates, `c` and `h`; a step takes at most a fifth more, beside the data, the cotangent of
/// the outputs, and the weights with their gradients.
fn a_sequence_keeps_six_numbers_a_cell() {
    let (t, b, n) = (128, 64, 128);
    let run = || {
        let mut rng = Rng::seed(1);
        let (net, mut tape) = (Lstm::new(n, n, &mut rng), Tape::new());
        let x = Tensor::normal([t, b, n], 0.0, 1.0, &mut rng);
        let mut peak = 0;
        for _ in 0..2 {
            net.forward(&tape.begin().constant(&x)).sum().backward(&net).expect("gradients");
            peak = peak.max(tape.peak_bytes());
        }
        peak
    };
    let (allocated, peak) = measured(run);
    let (cell, weights) = (4 * t * b * n, 4 * 8 * n * (n + 1));
    let expected = 2 * cell + 6 * cell + 6 * cell / 5 + 2 * weights;
    println!("lstm: allocator {allocated}, tape {peak}, expected at most {expected}");
    assert!(peak <= expected, "{peak}, expected {expected}");
}

/// What `stats` says of a recording is what beginning anew gives back.
fn stats_are_what_the_recording_holds() {
    let mut tape = Tape::<f32>::new();
    let x = Tensor::ones([100, 100]);
    let before = {
        tape.begin();
        tape.peak_bytes()
    };
    let r = tape.begin();
    let y = r.variable(&x).tanh().softmax().reshape([10_000]).slice(0, 5..700).exp();
    let _ = y.log_softmax();
    let stats = r.stats();
    let peak = tape.peak_bytes();
    // The data was there before; everything recorded is still held.
    let held = stats.bytes() - (64 + (4usize * 10_240).next_multiple_of(64));
    assert_eq!(peak - before, held);
}

#[test]
fn one_after_the_other() {
    the_tape_counts_what_the_allocator_sees();
    checkpoints_keep_one_block();
    a_sequence_keeps_six_numbers_a_cell();
    stats_are_what_the_recording_holds();
}
