//! Training steps and single ops, by criterion: `cargo bench --bench steps -- mlp_small`.
#![allow(missing_docs, reason = "the macros of criterion make an undocumented function")]
#[allow(dead_code, reason = "the bounds serve the other bench")]
mod workloads;

use criterion::{Criterion, criterion_group, criterion_main};
use std::time::Duration;
use workloads::{ALL, Worker};

fn steps(c: &mut Criterion) {
    for workload in ALL.iter().filter(|w| w.missing().is_none()) {
        for threads in [1, 2] {
            let mut worker = None;
            c.bench_function(&format!("{}/{threads}thread", workload.name), |b| {
                let worker = worker.get_or_insert_with(|| Worker::new(threads, || workload.ready()));
                b.iter_custom(|steps| worker.run(steps as usize).iter().sum::<Duration>());
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = steps
}
criterion_main!(benches);
