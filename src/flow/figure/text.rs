//! Texts of a picture: escaped, cut to a width, and kept apart.
use std::fmt;

/// The size of all texts but the title, in pixels.
pub(super) const SIZE: f64 = 12.0;

/// About how wide a text is; a picture does not know its reader's fonts, so this is rather too much.
pub(super) fn width(text: &str) -> f64 {
    text.chars().map(|c| SIZE * if c.is_ascii() { 0.6 } else { 1.0 }).sum()
}

/// The text, or its beginning if it is wider.
pub(super) fn cut(text: &str, most: f64) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if width(&kept) + width("m…") > most {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}

/// The text, or its beginning and its end if it is wider: paths differ at both.
pub(super) fn cut_inside(text: &str, most: f64) -> String {
    let whole: Vec<char> = text.chars().collect();
    let kept = |k: usize| {
        let (head, tail) = (k / 2, whole.len() - (k - k / 2));
        whole[..head].iter().chain(&['…']).chain(&whole[tail..]).collect::<String>()
    };
    if width(text) <= most {
        return text.to_owned();
    }
    (0..whole.len()).rev().map(kept).find(|text| width(text) <= most).unwrap_or_else(|| "…".to_owned())
}

/// A text as XML has it. Characters that XML forbids become spaces.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => f.write_str(" ")?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

/// Places as near as can be to the wished ones, in their order, at least `apart` from each other and inside `lo..=hi`
/// (which must have room for all).
///
/// It is the least-squares solution: subtracting `k * apart` leaves a monotone regression, solved by pooling neighbours
/// that are out of order.
pub(super) fn spread(wished: &[f64], apart: f64, lo: f64, hi: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wished.len()).collect();
    order.sort_by(|a, b| wished[*a].total_cmp(&wished[*b]));
    let mut pools: Vec<(f64, usize)> = vec![];
    for (k, i) in order.iter().enumerate() {
        let (mut mean, mut n) = (wished[*i] - k as f64 * apart, 1);
        while let Some((before, m)) = pools.pop_if(|(before, _)| *before > mean) {
            (mean, n) = ((mean * n as f64 + before * m as f64) / (n + m) as f64, n + m);
        }
        pools.push((mean, n));
    }
    let last = (hi - (wished.len().max(1) - 1) as f64 * apart).max(lo);
    let shared = pools.into_iter().flat_map(|(mean, n)| std::iter::repeat_n(mean.clamp(lo, last), n));
    let mut places = vec![0.0; wished.len()];
    for (k, (i, at)) in order.iter().zip(shared).enumerate() {
        places[*i] = at + k as f64 * apart;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let text = "a<b> & \"c\"\n\u{1}é";
        assert_eq!(Escaped(text).to_string(), "a&lt;b&gt; &amp; &quot;c&quot;  é");
    }

    #[test]
    fn texts_are_cut() {
        assert_eq!(cut("short", 100.0), "short");
        let long = cut(&"é".repeat(50), 100.0);
        assert!(long.ends_with('…') && width(&long) <= 100.0 && long.chars().count() > 5, "{long}");
        assert_eq!(cut("abc", 0.0), "…");
        assert_eq!(cut_inside("short", 100.0), "short");
        assert_eq!(cut_inside("encoder.layers.17.dense", 100.0), "encode….dense");
        assert_eq!(cut_inside("abc", 0.0), "…");
    }

    #[test]
    fn places_are_kept_apart() {
        assert_eq!(spread(&[], 10.0, 0.0, 100.0), []);
        assert_eq!(spread(&[50.0, 20.0], 10.0, 0.0, 100.0), [50.0, 20.0]); // far enough: as wished
        assert_eq!(spread(&[50.0, 50.0, 50.0], 10.0, 0.0, 100.0), [40.0, 50.0, 60.0]); // shared evenly
        assert_eq!(spread(&[-5.0, 2.0, 200.0], 10.0, 0.0, 100.0), [0.0, 10.0, 100.0]); // inside
        let many: Vec<f64> = (0..50).map(|k| f64::from(k * 7919 % 13)).collect();
        let places = spread(&many, 10.0, 0.0, 490.0);
        let mut sorted = places.clone();
        sorted.sort_by(f64::total_cmp);
        assert!(sorted.windows(2).all(|w| w[1] - w[0] > 10.0 - 1e-9) && sorted[0] >= 0.0 && sorted[49] <= 490.0 + 1e-9);
        assert!(many.iter().zip(&places).all(|(a, p)| many.iter().zip(&places).all(|(b, q)| a >= b || p < q)));
    }
}
