//! Softmax and cross-entropy along the last axis.
use super::dispatch::loops;
use crate::{formula::Lane, real::Base};

/// max, then exp(x - max) into `out`: (max, sum of the exponentials).
#[inline(always)]
fn exponentials<F: Base, L: Lane<F>>(x: &[F], out: &mut [F]) -> (F, F) {
    let max = super::reduce::fold(x, F::neg_infinity(), |m, x| if x > m { x } else { m });
    for (o, &x) in out.iter_mut().zip(x) {
        *o = L::load(x - max).exp().store();
    }
    (max, F::of(super::reduce::total(out)))
}

loops! {
    fn softmax<F>(n: usize, x: &'a [F], out: &'a mut [F]) {
        for (out, x) in out.chunks_exact_mut(n).zip(x.chunks_exact(n)) {
            let (_, sum) = exponentials::<F, L>(x, out);
            out.iter_mut().for_each(|o| *o = *o / sum);
        }
    }

    fn log_softmax<F>(n: usize, x: &'a [F], out: &'a mut [F]) {
        for (out, x) in out.chunks_exact_mut(n).zip(x.chunks_exact(n)) {
            let (max, sum) = exponentials::<F, L>(x, out);
            let ln = sum.ln();
            out.iter_mut().zip(x).for_each(|(o, &x)| *o = (x - max) - ln);
        }
    }

    /// The softmax into `out`, and the sum over rows of `-ln p[label]`, which does not underflow when p does.
    fn softmax_nll<F>(n: usize, x: &'a [F], labels: &'a [u32], out: &'a mut [F]) -> f64 {
        let mut loss = 0.0;
        for ((out, x), &label) in out.chunks_exact_mut(n).zip(x.chunks_exact(n)).zip(labels) {
            let (max, sum) = exponentials::<F, L>(x, out);
            loss += sum.f64().ln() - (x[label as usize] - max).f64();
            let scale = F::one() / sum;
            out.iter_mut().for_each(|o| *o = *o * scale);
        }
        loss
    }

    /// p := (p - one_hot(labels)) * c
    fn nll_grad<F>(n: usize, p: &'a mut [F], labels: &'a [u32], c: F) {
        for (p, &label) in p.chunks_exact_mut(n).zip(labels) {
            p[label as usize] = p[label as usize] - F::one();
            p.iter_mut().for_each(|p| *p = *p * c);
        }
    }
}
