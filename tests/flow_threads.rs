//! Several networks at once, on several threads: monitors share nothing, and see the same bits.
#[path = "common/stacks.rs"]
mod stacks;

use chainrule::{
    core::data_parallel,
    flow::{Kind, Monitor, Report, Sampling},
    optim::ReportUpdates,
    prelude::*,
    with_threads,
};
use stacks::*;
use std::thread;

/// Everything that a report knows, but for the time it took.
fn told(report: &Report) -> (String, String) {
    (report.verdicts().iter().map(ToString::to_string).collect(), report.jsonl())
}

/// A network of its own, trained for a while; each seed has another fault.
fn train(seed: u64) -> Report {
    let (phi, init) = match seed % 4 {
        0 => (Phi::Sigmoid, normal(0.15)),
        1 => (Phi::Tanh, Init::xavier()),
        2 => (Phi::Relu, normal(1.0)),
        _ => (Phi::Relu, Init::he()),
    };
    let mut net: Stack = stack(&sizes(32, 8), phi, |_| init, &mut Rng::seed(seed));
    let (x, y) = batch(32, 32, &mut Rng::seed(40 + seed));
    let (mut tape, mut opt, mut monitor) = (Tape::new(), (ReportUpdates, Sgd::new(1e-4)), Monitor::new());
    for _ in 0..30 {
        let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        let g = loss.backward_with(&net, &mut monitor).unwrap();
        monitor.step(&opt.step(&mut net, &g).unwrap());
    }
    monitor.report()
}

#[test]
fn eight_networks_on_eight_threads_are_told_apart() {
    let alone: Vec<_> = (0..8).map(|seed| told(&train(seed))).collect();
    let kinds: Vec<_> = (0..4).map(|seed| train(seed).kinds()).collect();
    assert_eq!(kinds, [vec![Kind::Vanishing], vec![Kind::Healthy], vec![Kind::Exploding], vec![Kind::Healthy]]);
    let together: Vec<_> = thread::scope(|s| {
        let threads: Vec<_> = (0..8).map(|seed| s.spawn(move || train(seed))).collect();
        threads.into_iter().map(|t| told(&t.join().unwrap())).collect()
    });
    assert_eq!(together, alone);
}

/// One network, and a part of the batch on each thread with a monitor of its own.
#[test]
fn parts_of_a_batch_have_monitors_of_their_own() {
    let net: Stack = stack(&sizes(32, 8), Phi::Tanh, |_| Init::xavier(), &mut Rng::seed(1));
    let (x, y) = batch(64, 32, &mut Rng::seed(2));
    let part = |k: usize, observer: Option<&mut Monitor>| {
        let (rows, mut observer) = (16 * k..16 * (k + 1), observer);
        let y = Labels::new(y.ids()[rows.clone()].iter().map(|id| *id as usize), 10).unwrap();
        let mut tape = Tape::new();
        let loss = net.forward(&tape.begin().constant(&x.slice(0, rows))).softmax_cross_entropy(&y);
        loss.backward_with(&net, &mut observer)
    };
    let mut monitors: Vec<Monitor> = (0..4).map(|_| Monitor::new()).collect();
    for _ in 0..5 {
        let seen = data_parallel(monitors.iter_mut().enumerate(), |(k, monitor)| part(k, Some(monitor))).unwrap();
        let unseen = data_parallel(0..4, |k| part(k, None)).unwrap();
        assert!(seen.iter().zip(unseen.iter()).all(|((_, a), (_, b))| a.data() == b.data()));
    }
    for (k, monitor) in monitors.iter_mut().enumerate() {
        let mut alone = Monitor::new();
        (0..5).for_each(|_| drop(part(k, Some(&mut alone)).unwrap()));
        assert_eq!(told(&monitor.report()), told(&alone.report()), "part {k}");
        assert_eq!(monitor.report().kinds(), [Kind::Healthy]);
    }
}

/// Large enough for the kernels to share it.
#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let run = |threads| {
        with_threads(threads, || {
            let mut net: Stack = stack(&sizes(256, 4), Phi::Relu, |_| Init::he(), &mut Rng::seed(1));
            let (x, y) = batch(256, 256, &mut Rng::seed(2));
            let (mut tape, mut opt) = (Tape::new(), (ReportUpdates, Sgd::new(0.05)));
            let mut monitor = Monitor::new().sampling(Sampling::Every(1));
            for _ in 0..4 {
                let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
                let g = loss.backward_with(&net, &mut monitor).unwrap();
                monitor.step(&opt.step(&mut net, &g).unwrap());
            }
            let mut bits = vec![];
            net.visit(|_, p| bits.extend(p.value.data().iter().map(|x| x.to_bits())));
            (told(&monitor.report()), bits)
        })
        .unwrap()
    };
    assert_eq!(run(1), run(4));
}
