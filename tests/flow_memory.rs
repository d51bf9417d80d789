//! Memory of a monitor over a million passes: one test, since the counts are of the whole process.
#![allow(unsafe_code, reason = "a counting allocator is unsafe to write")]
#[path = "common/counting.rs"]
mod counting;

use chainrule::{
    flow::{Monitor, Sampling},
    optim::ReportUpdates,
    prelude::*,
};
use counting::{LIVE, PEAK};
use std::sync::atomic::Ordering::SeqCst;

/// Bytes at most from now on, beside those of now.
fn peak_of(run: impl FnOnce()) -> i64 {
    PEAK.store(LIVE.load(SeqCst), SeqCst);
    run();
    PEAK.load(SeqCst)
}

/// What is kept is full long before the first hundred thousand are over; a batch unlike the others comes again and again, so
/// that spikes come and go.
#[test]
fn memory_is_bounded_over_a_million_passes() {
    let mut net = Dense::<f32>::new(1, 1, &mut Rng::seed(1));
    let (mut tape, mut opt) = (Tape::new(), (ReportUpdates, Sgd::new(1e-9)));
    let mut monitor = Monitor::new().sampling(Sampling::Every(4));
    let mut passes = 0u32;
    let mut run = |n: u32, monitor: &mut Monitor| {
        for _ in 0..n {
            passes += 1;
            let x = 1.0 + (passes % 7) as f32 + if passes.is_multiple_of(997) { 1e3 } else { 0.0 };
            let loss = net.forward(&tape.begin().constant(&Tensor::new([1, 1], vec![x]))).square().sum();
            let g = loss.backward_with(&net, monitor).unwrap();
            monitor.step(&opt.step(&mut net, &g).unwrap());
        }
    };
    let before = LIVE.load(SeqCst);
    let first = peak_of(|| run(200_000, &mut monitor));
    let second = peak_of(|| run(200_000, &mut monitor));
    let last = peak_of(|| run(600_000, &mut monitor));
    let kept = [first, second, last].map(|peak| (peak - before) as f64 / 1e6);
    println!(
        "at most {:.2} MB after 200,000 passes, {:.2} MB after 400,000, {:.2} MB after 1,000,000",
        kept[0], kept[1], kept[2]
    );
    assert!(kept[0] < 16.0 && kept[2] < 1.01 * kept[0] && kept[1] < 1.01 * kept[0], "{kept:?} MB");

    let report = monitor.report();
    let samples = report.samples();
    assert!(samples.len() <= 10_001 && samples.len() > 4_000, "{}", samples.len());
    assert!(samples.windows(2).all(|w| w[0].step < w[1].step));
    assert_eq!((samples[0].step, report.passes()), (0, 1_000_000));
    assert!(report.norms().count() <= 2000 && report.losses().count() <= 2000);
    assert!(report.past().len() > 100 && report.past().len() <= 1000, "{}", report.past().len());
    assert!(report.cost().share > 0.0 && report.cost().share < 1.0);
}
