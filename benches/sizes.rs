//! Single ops and optimizer steps from 16 numbers to ten million, by criterion: `cargo bench --bench sizes -- tanh`.
//!
//! `value` computes on tensors; `reverse` records the op, and computes the gradient of its dot product with a fixed tensor.
#![allow(missing_docs, reason = "the macros of criterion make an undocumented function")]
#[allow(dead_code, reason = "the workloads serve the other benches")]
mod workloads;

use chainrule::{optim::Optimizer, prelude::*};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;
use workloads::{Made, Step, Worker};

const SIZES: [usize; 6] = [16, 256, 4_096, 65_536, 1_000_000, 10_000_000];
const THREADS: [usize; 2] = [1, 2];

fn numbers(shape: Shape, seed: u64) -> Tensor {
    Tensor::uniform(shape, -2.0, 2.0, &mut Rng::seed(seed))
}

/// One row.
fn row(n: usize) -> Shape {
    [n].into()
}

/// Rows of 1,000, or one row where there are fewer; `n / 1000 * 1000` numbers.
fn rows(n: usize) -> Shape {
    if n < 1000 { [1, n].into() } else { [n / 1000, 1000].into() }
}

fn timed(c: &mut Criterion, name: &str, n: usize, make: impl Fn() -> Step + Copy + Send + 'static) {
    for threads in THREADS {
        let mut group = c.benchmark_group(format!("{name}/{threads}thread"));
        group.throughput(Throughput::Elements(n as u64));
        // The data are made when the bench is chosen, and given back after it.
        let mut worker = None;
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            let made = move || Made { step: make(), loss: f64::NAN, within: f64::NAN };
            let worker = worker.get_or_insert_with(|| Worker::new(threads, made));
            b.iter_custom(|steps| worker.total(steps as usize));
        });
        group.finish();
    }
}

/// An op, in the vocabulary of tensors and of recorded values.
macro_rules! op {
    ($c:ident, $name:literal, $shape:ident, $x:ident => $y:expr) => {
        for n in SIZES {
            let shape = $shape(n);
            timed($c, concat!($name, "/value"), shape.size(), move || {
                let x = numbers(shape, 1);
                Box::new(move || {
                    let $x = &x;
                    let y: Tensor = $y;
                    f64::from(y.data()[0])
                })
            });
            timed($c, concat!($name, "/reverse"), shape.size(), move || {
                let (x, w, mut tape) = (numbers(shape, 1), numbers(shape, 2), Tape::new());
                Box::new(move || {
                    let r = tape.begin();
                    let $x = &r.variable(&x);
                    let y = $y.dot(&r.constant(&w));
                    y.grads_of(&[*$x]).expect("the rules are complete");
                    y.item()
                })
            });
        }
    };
}

fn ops(c: &mut Criterion) {
    op!(c, "tanh", row, x => x.tanh());
    op!(c, "sigmoid", row, x => x.sigmoid());
    op!(c, "exp", row, x => x.exp());
    op!(c, "gelu", row, x => x.gelu());
    op!(c, "gelu_tanh", row, x => x.gelu_tanh());
    op!(c, "softmax", rows, x => x.softmax());
}

/// A step on one parameter, with a gradient that stays the same.
fn optimizer<O: Optimizer + 'static>(c: &mut Criterion, name: &str, opt: fn() -> O) {
    for n in SIZES {
        timed(c, name, n, move || {
            let (mut p, w, mut opt) = (Param::new(numbers(row(n), 1)), numbers(row(n), 2), opt());
            let g = {
                let mut tape = Tape::new();
                let r = tape.begin();
                r.param(&p).dot(&r.constant(&w)).backward(&p).expect("it is visited")
            };
            Box::new(move || {
                opt.step(&mut p, &g).expect("the gradients are finite");
                f64::from(p.value.data()[0])
            })
        });
    }
}

fn optimizers(c: &mut Criterion) {
    optimizer(c, "sgd_momentum", || Sgd::new(1e-6).momentum(0.9));
    optimizer(c, "adam", || Adam::new(1e-6));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300));
    targets = ops, optimizers
}
criterion_main!(benches);
