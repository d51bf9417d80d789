//! Plain loops over vectors: sums, masks, limits.
use super::dispatch::loops;
use crate::{
    real::Base,
    rng::{mix, unit},
};

loops! {
    fn add<F>(a: &'a [F], b: &'a [F], out: &'a mut [F]) {
        zip(a, b, out, |a, b| a + b);
    }
    fn sub<F>(a: &'a [F], b: &'a [F], out: &'a mut [F]) {
        zip(a, b, out, |a, b| a - b);
    }
    fn add_into<F>(out: &'a mut [F], x: &'a [F]) {
        out.iter_mut().zip(x).for_each(|(o, &x)| *o += x);
    }
    /// out += c * x
    fn axpy<F>(c: F, x: &'a [F], out: &'a mut [F]) {
        out.iter_mut().zip(x).for_each(|(o, &x)| *o += c * x);
    }
    /// out += c * (x - out): in this form rounding has no drift.
    fn lerp_into<F>(c: F, x: &'a [F], out: &'a mut [F]) {
        out.iter_mut().zip(x).for_each(|(o, &x)| *o += c * (x - *o));
    }
    fn scale_by<F>(c: F, out: &'a mut [F]) {
        out.iter_mut().for_each(|o| *o = *o * c);
    }

    /// The mask depends on the key and the element alone: a replay draws the same.
    fn dropout<F>(key: u64, p: f64, x: &'a [F], out: &'a mut [F]) {
        let keep = F::of(1.0 / (1.0 - p));
        for (e, (out, &x)) in out.iter_mut().zip(x).enumerate() {
            *out = if unit(mix(key.wrapping_add(e as u64))) < p { F::zero() } else { x * keep };
        }
    }

    /// How many entries were outside `-limit..=limit`.
    fn clamp_abs<F>(x: &'a mut [F], limit: F) -> usize {
        let mut clipped = 0;
        for x in x {
            clipped += usize::from(x.abs() > limit);
            *x = x.min(limit).max(-limit);
        }
        clipped
    }
}

#[inline(always)]
fn zip<F: Base>(a: &[F], b: &[F], out: &mut [F], f: impl Fn(F, F) -> F) {
    let n = out.len();
    let (a, b) = (&a[..n], &b[..n]);
    for e in 0..n {
        out[e] = f(a[e], b[e]);
    }
}
