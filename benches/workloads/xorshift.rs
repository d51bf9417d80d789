use chainrule::prelude::*;

/// The generator that all sides share.
pub(super) struct Xorshift(u64);

impl Xorshift {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn tensor<const N: usize>(&mut self, shape: [usize; N], lo: f32, hi: f32) -> Tensor {
        let unit = |bits: u64| (bits >> 40) as f32 / (1 << 24) as f32;
        let data = (0..shape.iter().product()).map(|_| unit(self.next()) * (hi - lo) + lo).collect();
        Tensor::new(shape, data)
    }

    pub(super) fn labels(&mut self, n: usize, classes: usize) -> Labels {
        let ids = (0..n).map(|_| ((self.next() >> 33) % classes as u64) as usize);
        Labels::new(ids, classes).expect("below the number of classes")
    }
}
