/// What a formula of the table may use.
///
/// Lanes of plain numbers implement it (the fused kernels) and so does [`Var`](crate::Var): the same formula then
/// records ops, which gives every higher order. Each method is a row of the table, so each has a derivative.
///
/// Not sealed: the tests of this crate implement it for dual numbers, to judge the table by forward mode.
pub trait Number:
    Copy
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::Neg<Output = Self>
{
    /// The constant `c`; `self` only says where it lives.
    fn lit(self, c: f64) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// -1, 0 or 1; 0 at 0, NaN at NaN.
    fn sign(self) -> Self;
    /// 1 where positive, else 0.
    fn step(self) -> Self;
    /// Exponential.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// exp(x) - 1, without losing digits near 0.
    fn exp_m1(self) -> Self;
    /// ln(1 + x), without losing digits near 0.
    fn ln_1p(self) -> Self;
    /// Sine.
    fn sin(self) -> Self;
    /// Cosine.
    fn cos(self) -> Self;
    /// Tangent.
    fn tan(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// 1 / x.
    fn recip(self) -> Self;
    /// A whole power.
    fn powi(self, n: i32) -> Self;
    /// A real power.
    fn powf(self, p: f64) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// 1 - tanh^2, without losing digits in the tails.
    fn sech2(self) -> Self;
    /// 1 / (1 + exp(-x)).
    fn sigmoid(self) -> Self;
    /// s (1 - s) with s = sigmoid(x), without losing digits in the tails.
    fn sigmoid_slope(self) -> Self;
    /// ln(1 + exp(x)).
    fn softplus(self) -> Self;
    /// max(x, 0), NaN at NaN.
    fn relu(self) -> Self;
    /// The error function.
    fn erf(self) -> Self;
    /// 1 - erf, without losing digits on the right.
    fn erfc(self) -> Self;
    /// exp(-x^2).
    fn gauss(self) -> Self;
    /// The normal distribution function.
    fn normal_cdf(self) -> Self;
    /// The normal density.
    fn normal_pdf(self) -> Self;
    /// The larger one; NaN if either is NaN.
    fn maximum(self, b: Self) -> Self;
    /// The smaller one; NaN if either is NaN.
    fn minimum(self, b: Self) -> Self;
    /// 1 where self > b, else 0.
    fn gt(self, b: Self) -> Self;
    /// 1 where self >= b, else 0.
    fn ge(self, b: Self) -> Self;
    /// `a` where self is not 0, else `b`.
    fn where_cond(self, a: Self, b: Self) -> Self;
    /// The product of the chain rule: self * slope, and 0 where either is exactly 0, even if the other is not finite.
    fn chain(self, slope: Self) -> Self;
}
