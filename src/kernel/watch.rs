//! What is read of a tensor while a network is watched: one pass over memory each, at the speed of memory.
use super::{dispatch::loops, reduce::lanes, threads::sum_of_pieces};
use crate::{formula::Lanes, real::Base};

const WIDTH: usize = 64;
/// Numbers that are added in the element type before they are added in f64: 64 in each lane.
const BLOCK: usize = WIDTH * 64;

/// The sum of squares to about six digits, at twice the speed of the exact one; it overflows and underflows as f64 does.
pub(super) fn squares<F: Lanes>(x: &[F]) -> f64 {
    sum_of_pieces(x.len(), |piece| quick(&x[piece]))
}

/// `f` of each element, added in lanes of the element type.
#[inline(always)]
pub(super) fn sums<F: Base>(x: &[F], f: impl Fn(F) -> F) -> f64 {
    // Four arrays of 16, not one of 64, which the compiler keeps in memory.
    let zeros = [F::zero(); 16];
    let (mut a, mut b, mut c, mut d) = (zeros, zeros, zeros, zeros);
    let chunks = x.chunks_exact(WIDTH);
    let tail: f64 = chunks.remainder().iter().map(|x| f(*x).f64()).sum();
    for x in chunks {
        for l in 0..16 {
            a[l] += f(x[l]);
            b[l] += f(x[l + 16]);
            c[l] += f(x[l + 32]);
            d[l] += f(x[l + 48]);
        }
    }
    for l in 0..16 {
        a[l] = (a[l] + b[l]) + (c[l] + d[l]);
    }
    across(a) + tail
}

/// The sum of 16 lanes, by halves.
#[inline(always)]
pub(super) fn across<F: Base>(lanes: [F; 16]) -> f64 {
    let mut wide = lanes.map(Base::f64);
    for half in [8, 4, 2, 1] {
        for l in 0..half {
            wide[l] += wide[l + half];
        }
    }
    wide[0]
}

/// Whether a sum of squares in f32 has lost nothing to the ends of its range.
fn sound(sum: f64) -> bool {
    (1e-24..1e30).contains(&sum)
}

loops! {
    fn quick<F>(x: &'a [F]) -> f64 {
        let mut sum = 0.0;
        for x in x.chunks(BLOCK) {
            let part = sums(x, |x| x * x);
            sum += if sound(part) { part } else { lanes(x, |x| x.f64() * x.f64()) };
        }
        sum
    }

    /// Whether no entry is NaN or infinite: 0 times a number is 0 for all others.
    fn all_finite<F>(x: &'a [F]) -> bool {
        sums(x, |x| x * F::zero()) == 0.0
    }

    /// How many entries are 0, and how many are closer to 0 than the smallest normal number (0 included).
    fn tiny<F>(x: &'a [F]) -> [usize; 2] {
        let (mut zero, mut small) = (0, 0);
        for x in x.chunks(1 << 16) {
            let (mut zeros, mut smalls) = (0u32, 0u32);
            for x in x {
                zeros += u32::from(*x == F::zero());
                smalls += u32::from(x.abs() < F::min_positive_value());
            }
            (zero, small) = (zero + zeros as usize, small + smalls as usize);
        }
        [zero, small]
    }

    /// Adds to `counts`, for each column of rows as long as it, in how many rows the entry is above 0.
    fn active<F>(x: &'a [F], counts: &'a mut [u32]) {
        let n = counts.len().max(1);
        for row in x.chunks_exact(n) {
            for (count, x) in counts.iter_mut().zip(row) {
                *count += u32::from(*x > F::zero());
            }
        }
    }

    /// With `t = scale * x + shift`: the sum of `(1 - t) (1 + t)`, and how many `t` are outside of `-bar..=bar`.
    fn bends<F>(scale: F, shift: F, bar: F, x: &'a [F]) -> (f64, usize) {
        let (mut sum, mut count) = (0.0, 0.0);
        for x in x.chunks(BLOCK) {
            let t = |x: F| x * scale + shift;
            sum += sums(x, |x| (F::one() - t(x)) * (F::one() + t(x)));
            count += sums(x, |x| if t(x).abs() > bar { F::one() } else { F::zero() });
        }
        (sum, count as usize)
    }
}
