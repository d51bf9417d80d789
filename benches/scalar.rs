//! Gradients of functions of single numbers, by criterion: `cargo bench --bench scalar -- mixture`. Beside other libraries:
//! benches/peers/README.md.
#![allow(missing_docs, reason = "the macros of criterion make an undocumented function")]
#[path = "workloads/objectives/mod.rs"]
mod objectives;

use chainrule::scalar::{Compiled, Tape, Trace, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use objectives::{BlackScholes, Bundle, LogSumExp, Lorenz, Lstm, Mixture, Mlp, Number, Objective, Points, Rosenbrock};
use std::{hint::black_box, time::Duration};

fn all(c: &mut Criterion) {
    objective::<_, 1>(c, Mixture::new);
    objective::<_, 2>(c, || Bundle);
    objective::<_, 1>(c, || BlackScholes);
    objective::<_, 1>(c, || Rosenbrock);
    objective::<_, 1>(c, || Lorenz);
    objective::<_, 1>(c, Lstm::new);
    objective::<_, 1>(c, Mlp::new);
    objective::<_, 1>(c, || LogSumExp);
}

fn results<O: Objective, T: Number, const M: usize>(f: &O, x: &[T], scoped: bool) -> [T; M] {
    let mut y = [x[0]; M];
    f.eval(x, &mut y, scoped);
    y
}

/// All gradients of an objective: recorded, recorded with scopes, replayed.
fn objective<O: Objective, const M: usize>(c: &mut Criterion, make: impl Fn() -> O) {
    if !objectives::has_data() {
        return;
    }
    let f = make();
    let points = f.points();
    assert_eq!(points.m, M);
    let mut gradients = vec![0.0; points.x.len() * M];
    for scoped in [false, true].into_iter().take(1 + usize::from(O::SCOPES)) {
        let mut tape = Tape::new();
        c.bench_function(&format!("{}/{}", O::NAME, if scoped { "scoped" } else { "recording" }), |b| {
            b.iter(|| {
                each::<M>(&points, &mut gradients, |x, g| {
                    tape.value_and_jacobian(|x: &[Var<'_>]| results::<_, _, M>(&f, x, scoped), x, g);
                });
            });
        });
    }
    if M == 1 {
        let mut values = vec![0.0; points.count];
        let mut compiled =
            Compiled::record(|x: &[Trace<'_>]| results::<_, _, 1>(&f, x, false)[0], &points.x[..points.n]);
        c.bench_function(&format!("{}/replay", O::NAME), |b| {
            b.iter(|| {
                compiled.values_and_grads(&points.x, &mut values, &mut gradients);
                black_box(&gradients);
            });
        });
    }
}

fn each<const M: usize>(points: &Points, gradients: &mut [f64], mut f: impl FnMut(&[f64], &mut [f64])) {
    for (x, g) in points.x.chunks_exact(points.n).zip(gradients.chunks_exact_mut(points.n * M)) {
        f(black_box(x), g);
    }
    black_box(gradients);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    targets = all
}
criterion_main!(benches);
