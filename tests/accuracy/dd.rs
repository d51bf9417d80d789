//! Double-double numbers (about 31 digits): the reference for the accuracy of both element types.
//!
//! Source: Dekker, "A floating-point technique for extending the available precision", 1971. The functions are series
//! and continued fractions of Abramowitz and Stegun; nothing calls the standard library's.
use std::ops::{Add, Div, Mul, Neg, Sub};

/// The unevaluated sum `hi + lo`.
#[derive(Clone, Copy, Debug)]
pub struct Dd {
    pub hi: f64,
    pub lo: f64,
}

fn fast_two_sum(a: f64, b: f64) -> Dd {
    let hi = a + b;
    Dd { hi, lo: b - (hi - a) }
}
fn two_sum(a: f64, b: f64) -> Dd {
    let hi = a + b;
    let part = hi - a;
    Dd { hi, lo: (a - (hi - part)) + (b - part) }
}
fn two_product(a: f64, b: f64) -> Dd {
    let hi = a * b;
    Dd { hi, lo: a.mul_add(b, -hi) }
}

impl From<f64> for Dd {
    fn from(x: f64) -> Self {
        Self { hi: x, lo: 0.0 }
    }
}
impl Add for Dd {
    type Output = Self;
    fn add(self, b: Self) -> Self {
        let (high, low) = (two_sum(self.hi, b.hi), two_sum(self.lo, b.lo));
        let sum = fast_two_sum(high.hi, high.lo + low.hi);
        fast_two_sum(sum.hi, sum.lo + low.lo)
    }
}
impl Neg for Dd {
    type Output = Self;
    fn neg(self) -> Self {
        Self { hi: -self.hi, lo: -self.lo }
    }
}
impl Sub for Dd {
    type Output = Self;
    fn sub(self, b: Self) -> Self {
        self + -b
    }
}
impl Mul for Dd {
    type Output = Self;
    fn mul(self, b: Self) -> Self {
        let p = two_product(self.hi, b.hi);
        fast_two_sum(p.hi, p.lo + (self.hi * b.lo + self.lo * b.hi))
    }
}
impl Div for Dd {
    type Output = Self;
    fn div(self, b: Self) -> Self {
        let first = self.hi / b.hi;
        let rest = self - b * first.into();
        let second = rest.hi / b.hi;
        let rest = rest - b * second.into();
        Self::from(first) + second.into() + (rest.hi / b.hi).into()
    }
}

const LN_2: Dd = Dd { hi: std::f64::consts::LN_2, lo: 2.319_046_813_846_299_6e-17 };
pub const PI: Dd = Dd { hi: std::f64::consts::PI, lo: 1.224_646_799_147_353_2e-16 };

/// Multiplied by a power of two, in steps that neither overflow nor round early.
fn shifted(x: f64, n: i32) -> f64 {
    let half = n / 2;
    x * 2f64.powi(half) * 2f64.powi(n - half)
}

impl Dd {
    pub fn of(x: f64) -> Self {
        x.into()
    }
    pub fn abs(self) -> Self {
        if self.hi < 0.0 { -self } else { self }
    }

    /// `e^x = m 2^n` with `m` near 1: no overflow, no underflow.
    fn exp_scaled(self) -> (Self, i32) {
        let n = (self.hi / LN_2.hi).round();
        let r = (self - LN_2 * n.into()) * Self::of(1.0 / 256.0);
        let (mut term, mut sum) = (r, r);
        for k in 2..16 {
            term = term * r / Self::of(f64::from(k));
            sum = sum + term;
        }
        // (1 + s)^2 = 1 + (2 s + s^2), eight times.
        for _ in 0..8 {
            sum = sum + sum + sum * sum;
        }
        (sum + Self::of(1.0), n as i32)
    }

    /// Of numbers whose exponential f64 can hold with all digits; 0 and infinity far out.
    pub fn exp(self) -> Self {
        if self.hi.abs() > 700.0 {
            return if self.hi > 0.0 { Self::of(f64::INFINITY) } else { Self::of(0.0) };
        }
        let (m, n) = self.exp_scaled();
        Self { hi: shifted(m.hi, n), lo: shifted(m.lo, n) }
    }

    /// `e^x` rounded once, also where it is subnormal.
    pub fn exp_rounded(self) -> f64 {
        let (m, n) = self.exp_scaled();
        // Below -1022 the last bits go: their sum is rounded in one step by adding them to a number of that size.
        shifted(m.hi + m.lo, n)
    }

    /// Newton's iteration on exp.
    pub fn ln(self) -> Self {
        if self.hi <= 0.0 {
            return Self::of(self.hi.ln());
        }
        let mut y = Self::of(self.hi.ln());
        for _ in 0..2 {
            let (m, n) = (-y).exp_scaled();
            let product = self * m;
            let ratio = Self { hi: shifted(product.hi, n), lo: shifted(product.lo, n) };
            y = y + ratio - Self::of(1.0);
        }
        y
    }

    pub fn sqrt(self) -> Self {
        let root = Self::of(self.hi.sqrt());
        if root.hi == 0.0 { root } else { (root + self / root) * Self::of(0.5) }
    }

    /// `e^x - 1`
    pub fn exp_m1(self) -> Self {
        if self.hi.abs() > 0.5 {
            return self.exp() - Self::of(1.0);
        }
        let (mut term, mut sum) = (self, self);
        for k in 2..30 {
            term = term * self / Self::of(f64::from(k));
            sum = sum + term;
        }
        sum
    }

    /// `ln(1 + x)` by the series of atanh near 0.
    pub fn ln_1p(self) -> Self {
        if !(-0.5..=1.0).contains(&self.hi) {
            return (Self::of(1.0) + self).ln();
        }
        let z = self / (self + Self::of(2.0));
        let square = z * z;
        let (mut power, mut sum) = (z, z);
        for k in 1..36 {
            power = power * square;
            sum = sum + power / Self::of(f64::from(2 * k + 1));
        }
        sum + sum
    }

    /// The series of sin and cos, after whole quarters of the circle are taken off.
    pub fn sin(self) -> Self {
        let n = (self.hi / std::f64::consts::FRAC_PI_2).round();
        let r = self - PI * Self::of(0.5) * n.into();
        let series = |first: Self, start: u32| {
            let (mut term, mut sum) = (first, first);
            for k in (start..50).step_by(2) {
                term = -term * r * r / Self::of(f64::from(k * (k + 1)));
                sum = sum + term;
            }
            sum
        };
        match n.rem_euclid(4.0) {
            0.0 => series(r, 2),
            1.0 => series(Self::of(1.0), 1),
            2.0 => -series(r, 2),
            _ => -series(Self::of(1.0), 1),
        }
    }

    pub fn cos(self) -> Self {
        (self + PI * Self::of(0.5)).sin()
    }

    pub fn tanh(self) -> Self {
        let below = (self.abs() * Self::of(-2.0)).exp_m1();
        let y = -below / (below + Self::of(2.0));
        if self.hi < 0.0 { -y } else { y }
    }

    pub fn sigmoid(self) -> Self {
        let e = (-self.abs()).exp();
        let n = if self.hi < 0.0 { e } else { Self::of(1.0) };
        n / (e + Self::of(1.0))
    }

    /// `s(x) s(-x)`
    pub fn logistic_slope(self) -> Self {
        self.sigmoid() * (-self).sigmoid()
    }

    pub fn softplus(self) -> Self {
        let rest = (-self.abs()).exp().ln_1p();
        if self.hi > 0.0 { self + rest } else { rest }
    }

    pub fn gauss(self) -> Self {
        (-(self * self)).exp()
    }

    /// Abramowitz and Stegun 7.1.6, a series of one sign.
    pub fn erf(self) -> Self {
        if self.hi.abs() > 3.0 {
            return if self.hi > 0.0 { Self::of(1.0) - self.erfc() } else { (-self).erfc() - Self::of(1.0) };
        }
        let square = self * self;
        let (mut term, mut sum) = (self, self);
        for n in 1..80 {
            term = term * square * Self::of(2.0) / Self::of(f64::from(2 * n + 1));
            sum = sum + term;
        }
        sum * self.gauss() * Self::of(2.0) / PI.sqrt()
    }

    /// On the right a continued fraction, 7.1.14.
    pub fn erfc(self) -> Self {
        if self.hi < 2.0 {
            return Self::of(1.0) - self.erf();
        }
        let mut tail = self;
        for k in (1..=200).rev() {
            tail = self + Self::of(f64::from(k) / 2.0) / tail;
        }
        self.gauss() / (tail * PI.sqrt())
    }

    /// The normal distribution function.
    pub fn normal(self) -> Self {
        (-self / Self::of(2.0).sqrt()).erfc() * Self::of(0.5)
    }

    /// Its density.
    pub fn density(self) -> Self {
        (self / Self::of(2.0).sqrt()).gauss() / (PI + PI).sqrt()
    }

    pub fn powi(self, n: i32) -> Self {
        let power = (0..n.abs()).fold(Self::of(1.0), |p, _| p * self);
        if n < 0 { Self::of(1.0) / power } else { power }
    }
}

/// The published digits stand in tables, not in our code: e, ln 10, erfc(1), erfc(5), tanh(1), Phi(-10), sin(1), cos(100), ln 3.
#[test]
fn the_reference_agrees_with_published_digits() {
    let close = |a: Dd, hi: f64, lo: f64| {
        let error = (a - Dd { hi, lo }).hi.abs();
        assert!(error < 1e-28 * hi.abs(), "{a:?} against {hi:e} + {lo:e}");
    };
    close(Dd::of(1.0).exp(), std::f64::consts::E, 1.445_646_891_729_250_2e-16);
    close(Dd::of(10.0).ln(), std::f64::consts::LN_10, -2.170_756_223_382_249_4e-16);
    close(Dd::of(2.0).sqrt(), std::f64::consts::SQRT_2, -9.667_293_313_452_913e-17);
    let digits = |a: Dd, published: f64| assert!((a.hi - published).abs() <= 2.0 * f64::EPSILON * published.abs());
    digits(Dd::of(1.0).erfc(), 0.157_299_207_050_285_13);
    digits(Dd::of(5.0).erfc(), 1.537_459_794_428_035e-12);
    digits(Dd::of(0.5).erf(), 0.520_499_877_813_046_5);
    digits(Dd::of(1.0).tanh(), 0.761_594_155_955_764_9);
    digits(Dd::of(1.0).sin(), 0.841_470_984_807_896_5);
    digits(Dd::of(100.0).cos(), 0.862_318_872_287_683_9);
    digits(Dd::of(2.0).ln_1p(), 1.098_612_288_668_109_7);
    digits(Dd::of(-10.0).normal(), 7.619_853_024_160_527e-24);
}
