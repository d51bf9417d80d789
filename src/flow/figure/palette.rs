//! Colours that stand out from a white and from a black page.

/// A colour as red, green and blue.
pub(super) type Rgb = [u8; 3];

/// What a colour scheme consists of.
pub(super) struct Scheme {
    pub(super) page: Rgb,
    pub(super) text: Rgb,
    pub(super) dim: Rgb,
    pub(super) grid: Rgb,
    /// For lines that have no order.
    distinct: [Rgb; 8],
    /// For lines that have one: from the first to the last, ever lighter.
    ramp: [Rgb; 5],
    /// From a notice to what is severe.
    pub(super) tones: [Rgb; 3],
}

pub(super) const LIGHT: Scheme = Scheme {
    page: rgb(0xff_ff_ff),
    text: rgb(0x1f_23_28),
    dim: rgb(0x59_63_6e),
    grid: rgb(0xe1_e6_eb),
    distinct: [
        rgb(0x05_50_ae),
        rgb(0xbc_4c_00),
        rgb(0x1a_7f_37),
        rgb(0x82_50_df),
        rgb(0xcf_22_2e),
        rgb(0x1b_7c_83),
        rgb(0xbf_39_89),
        rgb(0x6e_77_81),
    ],
    ramp: [rgb(0x0d_08_87), rgb(0x6a_00_a8), rgb(0xb1_2a_90), rgb(0xd6_4a_5a), rgb(0xe0_70_10)],
    tones: [rgb(0x9a_67_00), rgb(0xbc_4c_00), rgb(0xcf_22_2e)],
};

pub(super) const DARK: Scheme = Scheme {
    page: rgb(0x0d_11_17),
    text: rgb(0xe6_ed_f3),
    dim: rgb(0x9a_a3_ad),
    grid: rgb(0x26_2c_34),
    distinct: [
        rgb(0x58_a6_ff),
        rgb(0xf0_88_3e),
        rgb(0x3f_b9_50),
        rgb(0xbc_8c_ff),
        rgb(0xff_7b_72),
        rgb(0x39_c5_cf),
        rgb(0xf7_78_ba),
        rgb(0x8b_94_9e),
    ],
    ramp: [rgb(0x5f_6d_f5), rgb(0xa3_6c_f0), rgb(0xe0_74_b0), rgb(0xf5_a0_60), rgb(0xf9_ee_80)],
    tones: [rgb(0xd2_99_22), rgb(0xf0_88_3e), rgb(0xff_7b_72)],
};

const fn rgb(x: u32) -> Rgb {
    let [_, r, g, b] = x.to_be_bytes();
    [r, g, b]
}

impl Scheme {
    /// The colour of line `k` of `n`.
    pub(super) fn line(&self, k: usize, n: usize, ordered: bool) -> Rgb {
        if !ordered && n <= self.distinct.len() {
            return self.distinct[k];
        }
        self.shade(k as f64 / (n - 1).max(1) as f64)
    }

    /// The colour of a place on the ramp, from 0 to 1.
    pub(super) fn shade(&self, part: f64) -> Rgb {
        let at = (self.ramp.len() - 1) as f64 * part;
        let left = (at as usize).min(self.ramp.len() - 2);
        let part = at - left as f64;
        let (a, b) = (self.ramp[left], self.ramp[left + 1]);
        std::array::from_fn(|i| (f64::from(a[i]) * (1.0 - part) + f64::from(b[i]) * part).round() as u8)
    }
}

/// `#0d0887`.
pub(super) fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance and contrast as the Web Content Accessibility Guidelines 2.1 define them.
    fn luminance(c: Rgb) -> f64 {
        let linear = c.map(|x| {
            let x = f64::from(x) / 255.0;
            if x <= 0.04045 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    fn contrast(a: Rgb, b: Rgb) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_and_lines_stand_out_from_the_page() {
        assert!((contrast(rgb(0), rgb(0xff_ff_ff)) - 21.0).abs() < 1e-9);
        for scheme in [LIGHT, DARK] {
            assert!(contrast(scheme.text, scheme.page) > 7.0 && contrast(scheme.dim, scheme.page) > 4.5);
            for (n, ordered) in [(1, false), (8, false), (9, false), (1, true), (3, true), (50, true)] {
                for k in 0..n {
                    let c = contrast(scheme.line(k, n, ordered), scheme.page);
                    assert!(c >= 3.0, "line {k} of {n}, {ordered}: contrast {c:.2}");
                }
            }
        }
    }

    #[test]
    fn an_order_is_seen() {
        for scheme in [LIGHT, DARK] {
            let all: Vec<_> = (0..50).map(|k| luminance(scheme.line(k, 50, true))).collect();
            assert!(all.windows(2).all(|w| w[0] < w[1]), "a ramp grows lighter from line to line");
            assert_eq!(scheme.line(0, 2, true), scheme.ramp[0]);
            assert_eq!(scheme.line(1, 2, true), scheme.ramp[4]);
        }
    }
}
