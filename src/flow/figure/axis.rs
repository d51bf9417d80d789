//! Where a number stands on an axis, and which numbers are written beside it.

/// How an axis runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Linear,
    Log,
}

/// The stretch of numbers that a picture shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    kind: Kind,
    /// In drawn units: numbers (a quarter of them where their difference might overflow), or decades.
    lo: f64,
    hi: f64,
    unit: f64,
    whole: bool,
}

/// A mark on an axis.
pub(super) struct Tick {
    /// 0 at the low end, 1 at the high end.
    pub(super) at: f64,
    pub(super) text: String,
    /// The decade of `10^k`, whose text is only its `10`.
    pub(super) power: Option<i32>,
}

impl Kind {
    /// A logarithmic axis has no place for zero and for what is below; none has one for what is not finite.
    pub(super) fn shows(self, v: f64) -> bool {
        v.is_finite() && (self == Self::Linear || v > 0.0)
    }
}

impl Axis {
    /// An axis over all numbers that it can show.
    pub(super) fn over(kind: Kind, all: impl Iterator<Item = f64>) -> Self {
        let (mut lo, mut hi, mut whole) = (f64::INFINITY, f64::NEG_INFINITY, kind == Kind::Linear);
        for v in all.filter(|v| kind.shows(*v)) {
            let v = if kind == Kind::Log { v.log10() } else { v };
            (lo, hi, whole) = (lo.min(v), hi.max(v), whole && v.fract() == 0.0);
        }
        if lo > hi {
            (lo, hi, whole) = (0.0, 1.0, false);
        }
        let unit = if lo.abs().max(hi.abs()) < 0.2 * f64::MAX { 1.0 } else { 0.25 };
        (lo, hi) = (lo * unit, hi * unit);
        // Numbers that differ in their last digits alone are one number.
        if hi - lo <= 1e-9 * lo.abs().max(hi.abs()) {
            let room = match kind {
                Kind::Log => 0.5,
                Kind::Linear if lo == 0.0 => 0.5,
                Kind::Linear => (0.1 * lo.abs()).max(f64::MIN_POSITIVE),
            };
            (lo, hi) = (lo - room, hi + room);
        }
        Self { kind, lo, hi, unit, whole }
    }

    /// A linear axis from one number to another, upwards or downwards.
    pub(super) fn exact(lo: f64, hi: f64) -> Self {
        Self { kind: Kind::Linear, lo, hi, unit: 1.0, whole: true }
    }

    /// The same, but not shorter than this: numbers, or decades.
    pub(super) fn at_least(self, length: f64) -> Self {
        let room = (length - (self.hi - self.lo)).max(0.0) / 2.0;
        Self { lo: self.lo - room, hi: self.hi + room, ..self }
    }

    /// The same with some room at both ends, as parts of its length.
    pub(super) fn with_room(self, part: f64) -> Self {
        let room = part * (self.hi - self.lo);
        Self { lo: self.lo - room, hi: self.hi + room, ..self }
    }

    /// 0 at the low end, 1 at the high end.
    pub(super) fn place(&self, v: f64) -> f64 {
        let v = if self.kind == Kind::Log { v.log10() } else { v * self.unit };
        (v - self.lo) / (self.hi - self.lo)
    }

    /// About `most` marks.
    pub(super) fn ticks(&self, most: usize) -> Vec<Tick> {
        if self.kind == Kind::Linear {
            return self.round_numbers(self.lo, self.hi, most);
        }
        if self.hi - self.lo >= 2.0 {
            return self.decades(most);
        }
        let ticks = self.one_two_five();
        let (lo, hi) = (10f64.powf(self.lo), 10f64.powf(self.hi).min(f64::MAX));
        if ticks.len() >= 3 { ticks } else { self.round_numbers(lo, hi, most) }
    }

    fn decades(&self, most: usize) -> Vec<Tick> {
        let (first, last) = (self.lo.ceil() as i32, self.hi.floor() as i32);
        let steps = [1, 2, 3, 5, 10, 20, 50, 100, 200];
        let step = steps.into_iter().find(|step| (last - first) / step < most as i32).unwrap_or(500);
        let on_step = (first..=last).filter(|k| k.rem_euclid(step) == 0);
        let tick =
            |k: i32| Tick { at: (f64::from(k) - self.lo) / (self.hi - self.lo), text: "10".to_owned(), power: Some(k) };
        on_step.map(tick).collect()
    }

    fn one_two_five(&self) -> Vec<Tick> {
        let decades = self.lo.floor() as i32..=self.hi.floor() as i32;
        let all = decades.flat_map(|k| [1.0, 2.0, 5.0].map(|m: f64| (m, k)));
        let tick = |(m, k): (f64, i32)| {
            let u = m.log10() + f64::from(k);
            let inside = (self.lo..=self.hi).contains(&u) && u < f64::MAX.log10();
            inside.then(|| Tick {
                at: (u - self.lo) / (self.hi - self.lo),
                text: number(m * 10f64.powi(k), 10f64.powi(k)),
                power: None,
            })
        };
        all.filter_map(tick).collect()
    }

    /// Multiples of 1, 2 or 5 times a power of ten between two drawn numbers.
    fn round_numbers(&self, lo: f64, hi: f64, most: usize) -> Vec<Tick> {
        let raw = (hi - lo) / most.max(1) as f64;
        let power = 10f64.powf(raw.log10().floor());
        let factor = [1.0, 2.0, 5.0].into_iter().find(|m| raw <= m * power * (1.0 + 1e-9)).unwrap_or(10.0);
        let step = if self.whole { (factor * power).max(1.0) } else { factor * power };
        let (first, last) = ((lo / step).ceil(), (hi / step).floor());
        // Where doubles are too coarse to count in such steps, the axis stays bare.
        if !(step.is_normal() && last - first <= 100.0) {
            return vec![];
        }
        let numbers = (0..=(last - first) as u32).map(|i| (first + f64::from(i)) * step / self.unit);
        numbers
            .filter(|v| v.is_finite())
            .map(|v| Tick { at: self.place(v), text: number(v, step / self.unit), power: None })
            .collect()
    }
}

/// A number with the digits that a step of the axis needs.
fn number(v: f64, step: f64) -> String {
    let magnitude = v.abs().log10().floor();
    let digits = (step.log10() + 1e-9).floor();
    if v == 0.0 {
        "0".to_owned()
    } else if (-4.0..6.0).contains(&magnitude) {
        format!("{v:.*}", (-digits).clamp(0.0, 17.0) as usize)
    } else {
        format!("{v:.*e}", (magnitude - digits).clamp(0.0, 17.0) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(kind: Kind, all: &[f64], most: usize) -> Vec<String> {
        let ticks = Axis::over(kind, all.iter().copied()).ticks(most);
        assert!(ticks.iter().all(|t| (-1e-9..=1.0 + 1e-9).contains(&t.at)), "a mark outside the axis");
        ticks.into_iter().map(|t| t.power.map_or(t.text, |k| format!("10^{k}"))).collect()
    }

    #[test]
    fn round_numbers_are_written() {
        assert_eq!(texts(Kind::Linear, &[0.0, 0.5, 1.0], 5), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(Kind::Linear, &[-3.0, 7.5], 6), ["-2", "0", "2", "4", "6"]); // below the lowest: no mark
        assert_eq!(texts(Kind::Linear, &[0.0, 2.0], 8), ["0", "1", "2"]); // whole numbers: no halves
        assert_eq!(texts(Kind::Linear, &[1e7, 2e7], 4), ["1.0e7", "1.5e7", "2.0e7"]);
        assert_eq!(texts(Kind::Linear, &[-2e-7, 2e-7], 4), ["-2e-7", "-1e-7", "0", "1e-7", "2e-7"]);
        assert_eq!(texts(Kind::Log, &[1e-8, 1.0], 10), (-8..=0).map(|k| format!("10^{k}")).collect::<Vec<_>>());
        assert_eq!(
            texts(Kind::Log, &[1e-200, 1e100], 8),
            ["10^-200", "10^-150", "10^-100", "10^-50", "10^0", "10^50", "10^100"]
        );
        assert_eq!(texts(Kind::Log, &[1.0, 90.0], 8), ["1", "2", "5", "10", "20", "50"]);
        assert_eq!(texts(Kind::Log, &[0.302, 0.348], 5), ["0.31", "0.32", "0.33", "0.34"]);
    }

    #[test]
    fn no_number_is_too_strange() {
        let odd = [0.0, 1.0, -1.0, 5e-324, f64::MIN_POSITIVE, 1e-300, 1.0 + f64::EPSILON, 1e15, f64::MAX, f64::MIN];
        for kind in [Kind::Linear, Kind::Log] {
            for (a, b) in odd.iter().flat_map(|a| odd.iter().map(move |b| (*a, *b))) {
                let axis = Axis::over(kind, [a, f64::NAN, f64::INFINITY, b].into_iter()).with_room(0.04);
                for v in [a, b].into_iter().filter(|v| kind.shows(*v)) {
                    assert!((0.0..=1.0).contains(&axis.place(v)), "{kind:?} {a:e} {b:e}: {v:e} is outside");
                }
                let ticks = axis.ticks(8);
                assert!(ticks.len() <= 20 && ticks.iter().all(|t| t.at.is_finite()), "{kind:?} {a:e} {b:e}");
            }
            assert!(Axis::over(kind, [f64::NAN].into_iter()).ticks(5).len() > 1);
        }
    }
}
