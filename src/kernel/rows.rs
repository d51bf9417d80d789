//! Softmax and cross-entropy along the last axis.
use super::{
    dispatch::loops,
    threads::{PIECE, both},
};
use crate::{
    formula::{Lane, Lanes},
    real::Base,
};

/// What each row of logits should be: cross-entropy with the distribution that gives every class `each` times its weight,
/// and the label `own` more (see [`Targets::shares`]).
#[derive(Clone, Copy, Debug)]
pub struct Targets<'a> {
    /// One class for each row.
    pub labels: &'a [u32],
    /// One for each class; none: all 1.
    pub weights: Option<&'a [f64]>,
    /// A label whose rows count nothing.
    pub ignore: Option<u32>,
    /// The share of the distribution that is spread over all classes.
    pub smoothing: f64,
}

impl Targets<'_> {
    /// The weight of the rows of a label: 0 if it is ignored.
    #[inline(always)]
    pub fn weight(&self, label: u32) -> f64 {
        if self.ignore == Some(label) { 0.0 } else { self.weighted(label as usize, 1.0) }
    }

    /// `x` times the weight of a class; 0 for weight 0, whatever `x` is.
    #[inline(always)]
    pub fn weighted(&self, class: usize, x: f64) -> f64 {
        match self.weights {
            None => x,
            Some(w) if w[class] == 0.0 => 0.0,
            Some(w) => w[class] * x,
        }
    }

    /// The rows before and from `at`.
    fn split_at(self, at: usize) -> (Self, Self) {
        let (low, high) = self.labels.split_at(at);
        (Self { labels: low, ..self }, Self { labels: high, ..self })
    }

    /// `own` and `each` for a row of a label.
    #[inline(always)]
    pub fn shares(&self, label: u32, classes: usize) -> (f64, f64) {
        if self.ignore == Some(label) {
            return (0.0, 0.0);
        }
        ((1.0 - self.smoothing) * self.weight(label), self.smoothing / classes as f64)
    }
}

/// Row by row: the softmax.
pub(super) fn softmax<F: Lanes>(n: usize, x: &[F], out: &mut [F]) {
    by_rows(n, x, out, softmax_rows);
}

/// Row by row: its logarithm.
pub(super) fn log_softmax<F: Lanes>(n: usize, x: &[F], out: &mut [F]) {
    by_rows(n, x, out, log_softmax_rows);
}

/// Where to cut rows of `n` in two, if they are worth two threads.
fn cut(n: usize, len: usize) -> Option<usize> {
    let rows = len / n;
    (len > PIECE && rows > 1).then_some(rows / 2)
}

fn by_rows<F: Lanes>(n: usize, x: &[F], out: &mut [F], run: fn(usize, &[F], &mut [F])) {
    let Some(at) = cut(n, out.len()) else { return run(n, x, out) };
    let (x, out) = (x.split_at(at * n), out.split_at_mut(at * n));
    both(|| by_rows(n, x.0, out.0, run), || by_rows(n, x.1, out.1, run));
}

/// The softmax into `out`, and the sum over rows of `-ln p[label]`.
pub(super) fn softmax_nll<F: Lanes>(n: usize, x: &[F], labels: &[u32], out: &mut [F]) -> f64 {
    let Some(at) = cut(n, out.len()) else { return softmax_nll_rows(n, x, labels, out) };
    let (x, labels, out) = (x.split_at(at * n), labels.split_at(at), out.split_at_mut(at * n));
    let (low, high) = both(|| softmax_nll(n, x.0, labels.0, out.0), || softmax_nll(n, x.1, labels.1, out.1));
    low + high
}

/// `p = (p - one_hot(labels)) * c`.
pub(super) fn nll_grad<F: Lanes>(n: usize, p: &mut [F], labels: &[u32], c: F) {
    let Some(at) = cut(n, p.len()) else { return nll_grad_rows(n, p, labels, c) };
    let (labels, p) = (labels.split_at(at), p.split_at_mut(at * n));
    both(|| nll_grad(n, p.0, labels.0, c), || nll_grad(n, p.1, labels.1, c));
}

/// The softmax into `p`, the loss of each row into `losses` unless that is empty; returns their sum.
pub(super) fn cross_entropy<F: Lanes>(t: Targets<'_>, n: usize, x: &[F], p: &mut [F], losses: &mut [F]) -> f64 {
    let Some(at) = cut(n, p.len()) else { return cross_entropy_rows(t, n, x, p, losses) };
    let (t, x, p) = (t.split_at(at), x.split_at(at * n), p.split_at_mut(at * n));
    let losses = losses.split_at_mut(at.min(losses.len()));
    let low = || cross_entropy(t.0, n, x.0, p.0, losses.0);
    let (low, high) = both(low, || cross_entropy(t.1, n, x.1, p.1, losses.1));
    low + high
}

/// The cotangent of the logits from the softmax: see the loop.
pub(super) fn cross_entropy_grad<F: Lanes>(t: Targets<'_>, n: usize, p: &mut [F], y_bar: &[F], c: f64) {
    let Some(at) = cut(n, p.len()) else { return cross_entropy_grad_rows(t, n, p, y_bar, c) };
    let (t, p) = (t.split_at(at), p.split_at_mut(at * n));
    let y_bar = if y_bar.len() == 1 { (y_bar, y_bar) } else { y_bar.split_at(at) };
    both(|| cross_entropy_grad(t.0, n, p.0, y_bar.0, c), || cross_entropy_grad(t.1, n, p.1, y_bar.1, c));
}

/// max, then exp(x - max) into `out`: (max, sum of the exponentials).
#[inline(always)]
fn exponentials<F: Base, L: Lane<F>>(x: &[F], out: &mut [F]) -> (F, F) {
    let max = super::reduce::fold(x, F::neg_infinity(), |m, x| if x > m { x } else { m });
    for (o, &x) in out.iter_mut().zip(x) {
        *o = L::load(x - max).exp().store();
    }
    (max, F::of(super::reduce::total(out)))
}

/// `p = p * c`, but 0 where one of them is exactly 0.
#[inline(always)]
fn chain<F: Base>(p: &mut [F], c: F) {
    if c == F::zero() {
        p.fill(F::zero());
    } else if c.is_finite() {
        p.iter_mut().for_each(|p| *p = *p * c);
    } else {
        p.iter_mut().filter(|p| **p != F::zero()).for_each(|p| *p = *p * c);
    }
}

loops! {
    fn softmax_rows<F>(n: usize, x: &'a [F], out: &'a mut [F]) {
        for (out, x) in out.chunks_exact_mut(n).zip(x.chunks_exact(n)) {
            let (_, sum) = exponentials::<F, L>(x, out);
            out.iter_mut().for_each(|o| *o = *o / sum);
        }
    }

    fn log_softmax_rows<F>(n: usize, x: &'a [F], out: &'a mut [F]) {
        for (out, x) in out.chunks_exact_mut(n).zip(x.chunks_exact(n)) {
            let (max, sum) = exponentials::<F, L>(x, out);
            let ln = sum.ln();
            out.iter_mut().zip(x).for_each(|(o, &x)| *o = (x - max) - ln);
        }
    }

    /// The softmax into `out`, and the sum over rows of `-ln p[label]`, which does not underflow when p does.
    fn softmax_nll_rows<F>(n: usize, x: &'a [F], labels: &'a [u32], out: &'a mut [F]) -> f64 {
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
    fn nll_grad_rows<F>(n: usize, p: &'a mut [F], labels: &'a [u32], c: F) {
        for (p, &label) in p.chunks_exact_mut(n).zip(labels) {
            p[label as usize] = p[label as usize] - F::one();
            chain(p, c);
        }
    }

    /// The softmax into `p`, the loss of each row into `losses` unless that is empty; returns their sum. A row that counts
    /// nothing gets 0 in both.
    fn cross_entropy_rows<F>(t: Targets<'a>, n: usize, x: &'a [F], p: &'a mut [F], losses: &'a mut [F]) -> f64 {
        let mut total = 0.0;
        losses.fill(F::zero()); // also where there are no classes
        for (row, (p, x)) in p.chunks_exact_mut(n).zip(x.chunks_exact(n)).enumerate() {
            let label = t.labels[row];
            let (own, each) = t.shares(label, n);
            let mut loss = 0.0;
            if own == 0.0 && each == 0.0 {
                p.fill(F::zero());
            } else {
                let (max, sum) = exponentials::<F, L>(x, p);
                let ln = sum.f64().ln();
                if own != 0.0 {
                    loss += own * (ln - (x[label as usize] - max).f64());
                }
                if each != 0.0 {
                    let parts = x.iter().enumerate().map(|(c, &x)| t.weighted(c, ln - (x - max).f64()));
                    loss += each * parts.sum::<f64>();
                }
                let scale = F::one() / sum;
                p.iter_mut().for_each(|p| *p = *p * scale);
            }
            if let Some(out) = losses.get_mut(row) {
                *out = F::of(loss);
            }
            total += loss;
        }
        total
    }

    /// What `cross_entropy` gives, for log-probabilities instead of logits.
    fn nll<F>(t: Targets<'a>, n: usize, x: &'a [F], losses: &'a mut [F]) -> f64 {
        let mut total = 0.0;
        for (row, &label) in t.labels.iter().enumerate() {
            let (own, each) = t.shares(label, n);
            let mut loss = if own == 0.0 { 0.0 } else { -own * x[row * n + label as usize].f64() };
            if each != 0.0 {
                let parts = x[row * n..][..n].iter().enumerate().map(|(c, x)| t.weighted(c, -x.f64()));
                loss += each * parts.sum::<f64>();
            }
            if let Some(out) = losses.get_mut(row) {
                *out = F::of(loss);
            }
            total += loss;
        }
        total
    }

    /// p := the cotangent of the logits, given the softmax, for a cotangent `y_bar * c` of each row's loss (`y_bar` has one
    /// entry a row, or one for all).
    fn cross_entropy_grad_rows<F>(t: Targets<'a>, n: usize, p: &'a mut [F], y_bar: &'a [F], c: f64) {
        let weights: f64 = (0..n).map(|class| t.weighted(class, 1.0)).sum();
        for (row, p) in p.chunks_exact_mut(n).enumerate() {
            let label = t.labels[row];
            let (own, each) = t.shares(label, n);
            if own == 0.0 && each == 0.0 {
                p.fill(F::zero());
                continue;
            }
            chain(p, F::of(own + each * weights));
            if each != 0.0 {
                p.iter_mut().enumerate().for_each(|(c, p)| *p = *p - F::of(t.weighted(c, each)));
            }
            if own != 0.0 {
                p[label as usize] = p[label as usize] - F::of(own);
            }
            let y_bar = y_bar[if y_bar.len() == 1 { 0 } else { row }].f64();
            chain(p, F::of(if y_bar == 0.0 { 0.0 } else { y_bar * c }));
        }
    }
}
