//! Randomness comes from the generator that the caller passes.
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng},
};

/// A seeded generator (ChaCha with 8 rounds) whose numbers do not change between releases, machines or threads.
///
/// ```
/// use chainrule::Rng;
/// let mut rng = Rng::seed(42);
/// let at = rng.position();
/// let first = rng.uniform();
/// assert!((0.0..1.0).contains(&first));
/// assert_eq!(Rng::restore(at).uniform(), first);
/// ```
#[derive(Clone, Debug)]
pub struct Rng {
    seed: u64,
    chacha: ChaCha8Rng,
}

/// Where a generator stands: enough to go on from there, for instance after loading a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The seed.
    pub seed: u64,
    /// How many 32-bit words were drawn.
    pub words: u64,
}

impl Rng {
    /// The generator of this seed.
    pub fn seed(seed: u64) -> Self {
        Self { seed, chacha: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Where it stands.
    pub fn position(&self) -> Position {
        Position { seed: self.seed, words: self.chacha.get_word_pos() as u64 }
    }

    /// A generator that goes on from `at`.
    pub fn restore(at: Position) -> Self {
        let mut rng = Self::seed(at.seed);
        rng.chacha.set_word_pos(at.words.into());
        rng
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.chacha.next_u64()
    }

    /// Uniform in [0, 1), with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        unit(self.bits())
    }

    /// Normal with mean 0 and variance 1.
    ///
    /// # Source
    /// Box and Muller, "A note on the generation of random normal deviates", 1958.
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// Uniform in 0..n, without bias.
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "Rng::below: 0 leaves nothing to draw from");
        let n = n as u64;
        loop {
            // Lemire's multiplication; the few low products that would favour some results are drawn again.
            let product = u128::from(self.bits()) * u128::from(n);
            if product as u64 >= n.wrapping_neg() % n {
                return (product >> 64) as usize;
            }
        }
    }

    /// Puts a slice in random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, slice: &mut [T]) {
        for i in (1..slice.len()).rev() {
            slice.swap(i, self.below(i + 1));
        }
    }
}

/// 53 bits as a number in [0, 1).
#[inline(always)]
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// The finaliser of splitmix64: the counter-based generator of dropout masks.
#[inline(always)]
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
