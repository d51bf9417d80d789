//! What is timed keeps its promises, too: the same bits for any number of threads and in every run, and no allocation of
//! ours once warm. The counts are of the whole process, so this is one test.
#![allow(unsafe_code, reason = "a counting allocator is unsafe to write")]
#[path = "common/counting.rs"]
mod counting;
#[path = "../benches/workloads/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the bounds and the worker serve the benches")]
mod workloads;

use counting::CALLS;
use std::sync::atomic::Ordering::SeqCst;
use workloads::ALL;

/// Losses of some steps, and the fewest allocations of a warm one.
fn run(workload: &'static workloads::Workload, threads: usize) -> (Vec<u64>, usize) {
    let work = || {
        let mut made = workload.ready();
        let mut fewest = usize::MAX;
        let losses = (0..6).map(|_| {
            let before = CALLS.load(SeqCst);
            let loss = (made.step)();
            fewest = fewest.min(CALLS.load(SeqCst) - before);
            loss.to_bits()
        });
        (losses.collect(), fewest)
    };
    chainrule::with_threads(threads, work).expect("threads can be started")
}

/// What gemm packs, at most two buffers a product on one thread, and the list that `grads_of` returns with its scratch.
fn allowed(name: &str) -> usize {
    match name {
        "mlp_small" => 2 * 8,
        "mlp_deep" => 2 * 26,
        "mlp_large" => 2 * 8,
        "matmul_1024" | "matmul_64" => 2 * 3 + 2,
        // The classifier's; the network has a kernel of its own.
        "rnn_copy" | "lstm_copy" | "lstm_tokens" | "gru_copy" => 2 * 3,
        "adam_5m" | "lstm_large" => 0,
        _ => 2,
    }
}

#[test]
fn the_same_bits_and_no_allocation_of_ours() {
    // A whole training of many steps with a net of its own: the same code as mlp_small.
    for workload in ALL.iter().filter(|workload| workload.name != "digits") {
        let (losses, allocations) = run(workload, 1);
        let name = workload.name;
        assert!(allocations <= allowed(name), "{name}: {allocations} allocations a step");
        for threads in [1, 2, 4] {
            assert_eq!(run(workload, threads).0, losses, "{name} on {threads} threads");
        }
    }
}
