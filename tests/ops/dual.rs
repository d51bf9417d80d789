//! Forward mode of the tests' own. Only arithmetic, exp, ln, sqrt, sin and cos have derivatives here; every other function is
//! composed of them, so nothing is shared with the crate's table of derivatives.
use std::ops::{Add, Div, Mul, Neg, Sub};

pub trait Num:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    fn c(x: f64) -> Self;
    /// The value without its derivatives.
    fn re(self) -> f64;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn sqrt(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;

    fn abs(self) -> Self {
        if self.re() < 0.0 { -self } else { self }
    }
    fn sign(self) -> Self {
        Self::c(f64::from(self.re() > 0.0) - f64::from(self.re() < 0.0))
    }
    fn step(self) -> Self {
        Self::c(f64::from(self.re() > 0.0))
    }
    fn powi(self, n: i32) -> Self {
        let power = (0..n.abs()).fold(Self::c(1.0), |p, _| p * self);
        if n < 0 { Self::c(1.0) / power } else { power }
    }
    fn powf(self, p: f64) -> Self {
        (self.ln() * Self::c(p)).exp()
    }
    fn tanh(self) -> Self {
        let e = (self + self).exp();
        (e - Self::c(1.0)) / (e + Self::c(1.0))
    }
    fn sigmoid(self) -> Self {
        Self::c(1.0) / (Self::c(1.0) + (-self).exp())
    }
    fn softplus(self) -> Self {
        (Self::c(1.0) + self.exp()).ln()
    }
    /// Abramowitz and Stegun 7.1.6: all terms have one sign.
    fn erf(self) -> Self {
        let square = self * self;
        let (mut term, mut sum) = (self, self);
        for n in 1..90 {
            term = term * square * Self::c(2.0 / f64::from(2 * n + 1));
            sum = sum + term;
        }
        sum * (-square).exp() * Self::c(2.0 / std::f64::consts::PI.sqrt())
    }
    fn erfc(self) -> Self {
        Self::c(1.0) - self.erf()
    }
    fn normal_cdf(self) -> Self {
        Self::c(0.5) * (Self::c(1.0) + (self / Self::c(2f64.sqrt())).erf())
    }
    fn gelu(self) -> Self {
        self * self.normal_cdf()
    }
    fn gelu_tanh(self) -> Self {
        let angle = Self::c((2.0 / std::f64::consts::PI).sqrt()) * (self + Self::c(0.044715) * self * self * self);
        self * Self::c(0.5) * (Self::c(1.0) + angle.tanh())
    }
    /// At ties each gets half the derivative.
    fn larger(self, b: Self) -> Self {
        match self.re() - b.re() {
            d if d > 0.0 => self,
            d if d < 0.0 => b,
            _ => (self + b) * Self::c(0.5),
        }
    }
    fn smaller(self, b: Self) -> Self {
        -(-self).larger(-b)
    }
}

impl Num for f64 {
    fn c(x: f64) -> f64 {
        x
    }
    fn re(self) -> f64 {
        self
    }
    fn exp(self) -> f64 {
        f64::exp(self)
    }
    fn ln(self) -> f64 {
        f64::ln(self)
    }
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
    fn sin(self) -> f64 {
        f64::sin(self)
    }
    fn cos(self) -> f64 {
        f64::cos(self)
    }
}

/// A value and its derivative in one direction; nested, also the mixed second derivative.
#[derive(Clone, Copy, Debug)]
pub struct Dual<N> {
    pub v: N,
    pub d: N,
}

impl<N: Num> Add for Dual<N> {
    type Output = Self;
    fn add(self, b: Self) -> Self {
        Self { v: self.v + b.v, d: self.d + b.d }
    }
}
impl<N: Num> Sub for Dual<N> {
    type Output = Self;
    fn sub(self, b: Self) -> Self {
        Self { v: self.v - b.v, d: self.d - b.d }
    }
}
impl<N: Num> Mul for Dual<N> {
    type Output = Self;
    fn mul(self, b: Self) -> Self {
        Self { v: self.v * b.v, d: self.v * b.d + self.d * b.v }
    }
}
impl<N: Num> Div for Dual<N> {
    type Output = Self;
    fn div(self, b: Self) -> Self {
        let v = self.v / b.v;
        Self { v, d: (self.d - v * b.d) / b.v }
    }
}
impl<N: Num> Neg for Dual<N> {
    type Output = Self;
    fn neg(self) -> Self {
        Self { v: -self.v, d: -self.d }
    }
}
impl<N: Num> Num for Dual<N> {
    fn c(x: f64) -> Self {
        Self { v: N::c(x), d: N::c(0.0) }
    }
    fn re(self) -> f64 {
        self.v.re()
    }
    fn exp(self) -> Self {
        let v = self.v.exp();
        Self { v, d: v * self.d }
    }
    fn ln(self) -> Self {
        Self { v: self.v.ln(), d: self.d / self.v }
    }
    fn sqrt(self) -> Self {
        let v = self.v.sqrt();
        Self { v, d: self.d / (v + v) }
    }
    fn sin(self) -> Self {
        Self { v: self.v.sin(), d: self.d * self.v.cos() }
    }
    fn cos(self) -> Self {
        Self { v: self.v.cos(), d: -self.d * self.v.sin() }
    }
}
