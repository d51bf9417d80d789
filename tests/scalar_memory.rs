//! What the scalar tape allocates. The counts are of the whole process, so this is one test.
#![allow(unsafe_code, reason = "a counting allocator is unsafe to write")]
#[path = "common/counting.rs"]
mod counting;

use chainrule::{
    optim::{Adam, ClipGlobalNorm, Numbers, Optimizer},
    scalar::{Compiled, CompiledMany, Scalar, Tape, scope, sum_over},
};
use counting::{CALLS, LARGEST, LIVE, PEAK};
use std::sync::atomic::Ordering::SeqCst;

fn calls(f: impl FnOnce()) -> usize {
    let before = CALLS.load(SeqCst);
    f();
    CALLS.load(SeqCst) - before
}

/// The fewest of several measurements: the harness prints from its own thread now and then.
fn fewest(mut f: impl FnMut()) -> usize {
    (0..5).map(|_| calls(&mut f)).min().expect("at least one")
}

/// 400,000 records, in the first evaluation in chunks, then in one piece.
fn long<T: Scalar>(x: &[T]) -> T {
    let mut y = x[0];
    for k in 0..200_000 {
        y = (y * x[k % x.len()]).sin() + x[0];
    }
    y
}

fn nothing_after_warm_up() {
    let x: Vec<f64> = (0..100).map(|k| f64::from(k) * 0.01).collect();
    let (mut tape, mut g) = (Tape::new(), vec![0.0; x.len()]);
    for _ in 0..2 {
        tape.value_and_grad(|x| long(x), &x, &mut g);
    }
    let right = g.clone();
    assert_eq!(fewest(|| _ = tape.value_and_grad(|x| long(x), &x, &mut g)), 0);
    assert_eq!(g, right);
    // Also a smaller program, and handles made by hand.
    let small = || {
        let t = tape.begin();
        let x = [t.var(0.5), t.var(2.0)];
        let y = (x[0] * x[1]).exp() + x[1];
        y.grads_into(&x, &mut g[..2]);
    };
    assert_eq!(fewest(small), 0);
    // Scopes and Jacobians.
    let mut scoped = || {
        tape.value_and_grad(
            |x| sum_over(&x[..3], 0..100, |x, k| scope(&x[1..], |x| x[0] * x[1]) * x[0] * f64::from(k)),
            &x,
            &mut g,
        );
        tape.value_and_jacobian(|x| [x[0] * x[1], x[1].exp()], &x[..2], &mut g[..4]);
    };
    scoped();
    assert_eq!(fewest(scoped), 0);
    // Recorded programs: one point, many, both branches, zero times infinity, several results.
    let points: Vec<f64> = (0..300).map(|k| f64::from(k % 7) * 0.5).collect();
    let (mut values, mut gradients) = ([0.0; 100], [0.0; 300]);
    let mut compiled =
        Compiled::record(|x| if x[0] > x[1] { x[0] * x[1] } else { (x[0] - x[1]).sqrt() * x[2] }, &[2.0, 1.0, 0.0]);
    let mut jacobian = CompiledMany::record(|x| [x[0] * x[1], x[2].exp()], &[1.0, 2.0, 3.0]);
    let mut replays = || {
        compiled.values_and_grads(&points, &mut values, &mut gradients);
        compiled.value_and_grad(&[1.0, 1.0, 0.0], &mut gradients[..3]);
        compiled.value_and_grad(&[2.0, 1.0, 0.0], &mut gradients[..3]);
        jacobian.values_and_jacobian(&[1.0, 2.0, 3.0], &mut gradients[..6]);
        jacobian.values_and_jacobians(&points[..150], &mut values, &mut gradients);
    };
    replays();
    replays();
    assert_eq!(fewest(replays), 0);
    let live = LIVE.load(SeqCst);
    for _ in 0..50 {
        tape.value_and_grad(|x| long(x), &x, &mut g);
    }
    assert!(LIVE.load(SeqCst) - live < 4096, "memory grows");
}

/// A chain as long as `n`, on a stack of 256 KiB; with 24 bytes for a record and 8 for its cotangent.
fn chain(n: usize) {
    let live = LIVE.load(SeqCst);
    LARGEST.store(0, SeqCst);
    let run = move || {
        let tape = Tape::new();
        let (x, y) = (tape.var(1.0), tape.var(1e-9));
        let mut z = x;
        for _ in 0..n {
            z *= y + 1.0;
        }
        assert!((z.value() / (n as f64 * 1e-9).exp() - 1.0).abs() < 1e-6);
        let g = z.grads_of(&[x, y]);
        assert!((g[0] - z.value()).abs() < 1e-9 && (g[1] / (n as f64 * z.value()) - 1.0).abs() < 1e-6);
        assert_eq!(tape.len(), n + 2);
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).expect("a thread").join().expect("no overflow");
    let peak = PEAK.load(SeqCst) - live;
    assert!(peak < 33 * n as i64 + (4 << 20), "{peak} bytes for {n} records");
    assert!(LARGEST.load(SeqCst) <= 8 * (n + 2), "a piece of {} bytes", LARGEST.load(SeqCst));
}

/// A whole step of training.
fn nothing_with_an_optimizer() {
    let mut model = Numbers::new([("w", vec![0.5; 40]), ("v", vec![1.0; 3])]);
    let (mut tape, mut opt) = (Tape::new(), (ClipGlobalNorm::new(1.0), Adam::new(1e-3)));
    let mut step = || {
        let (_, grads) =
            model.value_and_grad(&mut tape, |[w, v]| w.iter().map(|w| (*w * v[0]).sin() + v[1]).sum()).unwrap();
        opt.step(&mut model, &grads).unwrap();
    };
    for _ in 0..3 {
        step();
    }
    assert_eq!(fewest(step), 0);
}

#[test]
fn memory() {
    nothing_after_warm_up();
    nothing_with_an_optimizer();
    chain(if cfg!(debug_assertions) { 10_000_000 } else { 30_000_000 });
}
