//! Vectors of the processor, and the shape of a register tile that suits them.
use crate::kernel::dispatch;
use crate::real::Base;
use pulp::{Simd, WithSimd};

/// What the product tiles need of a vector. Every method must be inlined into the function that has the processor's features.
pub trait Wide<F>: Copy {
    type V: Copy;
    const LANES: usize;
    fn splat(self, x: F) -> Self::V;
    /// The first `LANES` numbers.
    fn load(self, x: &[F]) -> Self::V;
    fn store(self, x: &mut [F], v: Self::V);
    /// `a b + c`
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Runs a loop as a function of its own that has the processor's features.
    fn apart(self, k: impl Apart);
}

/// A loop that needs all registers: inlined into a larger function, its accumulators spill (measured: 2.5 times the time of a step).
/// `go` must be `#[inline(always)]`.
pub trait Apart {
    fn go(self);
}

/// A loop over register tiles of up to `ROWS` rows by `V` vectors; `run` must be `#[inline(always)]`.
pub trait Tiled<F> {
    fn run<S: Wide<F>, const V: usize, const ROWS: usize>(self, s: S);
}

/// `$tile` with a constant `$r` that equals `$n`, at least 1 and at most `$most`; arms above that are dead and vanish.
macro_rules! with_rows {
    (@ $r:ident $n:literal $tile:expr) => {{
        const $r: usize = $n;
        $tile
    }};
    ($n:expr, $most:expr, $r:ident => $tile:expr) => {
        match $n {
            1 => with_rows!(@ $r 1 $tile),
            2 => with_rows!(@ $r 2 $tile),
            3 if $most >= 3 => with_rows!(@ $r 3 $tile),
            4 if $most >= 4 => with_rows!(@ $r 4 $tile),
            5 if $most >= 5 => with_rows!(@ $r 5 $tile),
            6 if $most >= 6 => with_rows!(@ $r 6 $tile),
            n => unreachable!("a tile of {n} rows"),
        }
    };
}
pub(super) use with_rows;

/// An element type with its tiles.
pub trait Tiles: Base {
    /// How many columns a tile has.
    fn tile_width() -> usize;
    /// How many rows.
    fn tile_rows() -> usize;
    /// Runs a loop with the widest vectors of this processor.
    #[doc(hidden)]
    fn tiled<K: Tiled<Self>>(k: K);
}

/// A vector type of pulp.
#[derive(Clone, Copy)]
struct Of<S>(S);

struct Go<K>(K);
impl<K: Apart> WithSimd for Go<K> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.0.go();
    }
}
#[inline(never)]
fn with_features<S: Simd>(s: S, k: impl Apart) {
    s.vectorize(Go(k));
}
#[inline(never)]
fn without_features(k: impl Apart) {
    k.go();
}

macro_rules! wide {
    ($f:ident $lanes:ident $v:ident $splat:ident $as_simd:ident $as_mut_simd:ident $mul_add:ident) => {
        impl<S: Simd> Wide<$f> for Of<S> {
            type V = S::$v;
            const LANES: usize = S::$lanes;
            #[inline(always)]
            fn splat(self, x: $f) -> S::$v {
                self.0.$splat(x)
            }
            #[inline(always)]
            fn load(self, x: &[$f]) -> S::$v {
                S::$as_simd(x).0[0]
            }
            #[inline(always)]
            fn store(self, x: &mut [$f], v: S::$v) {
                S::$as_mut_simd(x).0[0] = v;
            }
            #[inline(always)]
            fn mul_add(self, a: S::$v, b: S::$v, c: S::$v) -> S::$v {
                self.0.$mul_add(a, b, c)
            }
            #[inline(always)]
            fn apart(self, k: impl Apart) {
                with_features(self.0, k);
            }
        }
    };
}
wide! { f32 F32_LANES f32s splat_f32s as_simd_f32s as_mut_simd_f32s mul_add_f32s }
wide! { f64 F64_LANES f64s splat_f64s as_simd_f64s as_mut_simd_f64s mul_add_f64s }

/// Arrays of `N` numbers, multiplied, then added, which the compiler vectorises with what every processor of a kind has.
#[derive(Clone, Copy)]
struct Array<const N: usize>;

impl<F: Base, const N: usize> Wide<F> for Array<N> {
    type V = [F; N];
    const LANES: usize = N;
    #[inline(always)]
    fn splat(self, x: F) -> [F; N] {
        [x; N]
    }
    #[inline(always)]
    fn load(self, x: &[F]) -> [F; N] {
        *x.first_chunk().expect("a whole vector")
    }
    #[inline(always)]
    fn store(self, x: &mut [F], v: [F; N]) {
        x[..N].copy_from_slice(&v);
    }
    #[inline(always)]
    fn mul_add(self, a: [F; N], b: [F; N], mut c: [F; N]) -> [F; N] {
        for l in 0..N {
            c[l] = a[l] * b[l] + c[l];
        }
        c
    }
    #[inline(always)]
    fn apart(self, k: impl Apart) {
        without_features(k);
    }
}

/// A loop inside a function that has the processor's features.
#[cfg(target_arch = "x86_64")]
struct Inside<F, K, const V: usize>(K, std::marker::PhantomData<F>);
#[cfg(target_arch = "x86_64")]
impl<F, K: Tiled<F>, const V: usize> Inside<F, K, V> {
    fn new(k: K) -> Self {
        Self(k, std::marker::PhantomData)
    }
}

macro_rules! tiles {
    ($f:ident, $plain:literal, $wide:literal) => {
        #[cfg(target_arch = "x86_64")]
        impl<K: Tiled<$f>, const V: usize> WithSimd for Inside<$f, K, V> {
            type Output = ();
            #[inline(always)]
            fn with_simd<S: Simd>(self, s: S) {
                // Six rows: 24 accumulators of 32 registers, or 12 of 16; one more would spill.
                self.0.run::<_, V, 6>(Of(s));
            }
        }

        impl Tiles for $f {
            fn tile_width() -> usize {
                #[cfg(target_arch = "x86_64")]
                match dispatch::arch() {
                    Some(pulp::x86::Arch::V4(_)) if $wide => return 64,
                    Some(pulp::x86::Arch::V4(_) | pulp::x86::Arch::V3(_)) => return 2 * 32 / size_of::<$f>(),
                    _ => {}
                }
                4 * $plain
            }

            fn tile_rows() -> usize {
                #[cfg(target_arch = "x86_64")]
                if let Some(pulp::x86::Arch::V4(_) | pulp::x86::Arch::V3(_)) = dispatch::arch() {
                    return 6;
                }
                2
            }

            #[inline]
            fn tiled<K: Tiled<$f>>(k: K) {
                #[cfg(target_arch = "x86_64")]
                match dispatch::arch() {
                    Some(pulp::x86::Arch::V4(s)) if const { $wide } => {
                        return Simd::vectorize(s, Inside::<$f, K, 4>::new(k));
                    }
                    Some(pulp::x86::Arch::V4(s)) => return Simd::vectorize(*s, Inside::<$f, K, 2>::new(k)),
                    Some(pulp::x86::Arch::V3(s)) => return Simd::vectorize(s, Inside::<$f, K, 2>::new(k)),
                    _ => {}
                }
                k.run::<_, 4, 2>(Array::<$plain>);
            }
        }
    };
}
tiles! { f32, 4, true }
tiles! { f64, 2, false }
