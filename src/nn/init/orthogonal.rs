use crate::{
    core::TensorLike,
    rng::Rng,
    tensor::{Real, Shape, Tensor},
};
use std::panic::Location;

/// As many rows as are made orthonormal at once; between such blocks the work is products of matrices.
const BLOCK: usize = 32;

/// `gain` times a random orthogonal matrix, seen as `[shape[0], rest]`: its rows are orthonormal if there are at most as many as
/// columns, else its columns.
#[track_caller]
pub(super) fn orthogonal<F: Real>(shape: Shape, gain: f64, rng: &mut Rng) -> Tensor<F> {
    if shape.rank() < 2 {
        panic!("Init::orthogonal: shape {shape}: a matrix needs at least 2 axes ({})", Location::caller());
    }
    let (out, inn) = (shape[0], shape[1..].iter().product::<usize>());
    let (rows, size) = (out.min(inn), out.max(inn));
    let q = orthonormal_rows(&Tensor::normal_of([rows, size], 0.0, 1.0, rng));
    let (wide, q) = (out <= inn, q.data());
    Tensor::from_fn(shape, |e| gain * if wide { q[e] } else { q[e % inn * size + e / inn] })
}

/// Gram-Schmidt, row after row and twice over, which leaves rows orthogonal to rounding. Of a normal matrix it is a draw from
/// the uniform distribution of orthogonal matrices, as the diagonal of its triangular factor is positive.
///
/// Source: Mezzadri, "How to generate random matrices from the classical compact groups", 2007.
fn orthonormal_rows(x: &Tensor<f64>) -> Tensor<f64> {
    let (rows, size) = x.shape().rows();
    let mut done: Option<Tensor<f64>> = None;
    for start in (0..rows).step_by(BLOCK) {
        let mut block = x.slice(0, start..rows.min(start + BLOCK));
        for _ in 0..2 {
            if let Some(q) = &done {
                block = TensorLike::sub(&block, &block.matmul_nt(q).matmul(q));
            }
            orthonormalise(block.data_mut(), size);
        }
        done = Some(match done {
            Some(q) => Tensor::concat(&[&q, &block], 0),
            None => block,
        });
    }
    done.unwrap_or_else(|| x.clone())
}

fn orthonormalise(block: &mut [f64], size: usize) {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for row in 0..block.len() / size.max(1) {
        let (before, rest) = block.split_at_mut(row * size);
        let v = &mut rest[..size];
        for q in before.chunks_exact(size) {
            let along = dot(q, v);
            v.iter_mut().zip(q).for_each(|(v, q)| *v -= along * q);
        }
        let norm = dot(v, v).sqrt();
        v.iter_mut().for_each(|v| *v /= norm);
    }
}

/// `gain` times rotations of the pairs of units `(0, 1), (2, 3), ..` by angles uniform in a full turn.
pub(super) fn rotations<F: Real>(n: usize, gain: f64, rng: &mut Rng) -> Tensor<F> {
    let mut q = vec![0.0; n * n];
    for k in (0..n).step_by(2) {
        if k + 1 == n {
            q[k * n + k] = gain;
            continue;
        }
        let (sin, cos) = (rng.uniform() * std::f64::consts::TAU).sin_cos();
        (q[k * n + k], q[k * n + k + 1]) = (gain * cos, -gain * sin);
        (q[(k + 1) * n + k], q[(k + 1) * n + k + 1]) = (gain * sin, gain * cos);
    }
    Tensor::from_fn([n, n], |e| q[e])
}
