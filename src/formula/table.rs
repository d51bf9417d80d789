use crate::formula::Number;

/// A formula and its partial derivatives, for any kind of number.
pub trait Elementwise<const N: usize>: Copy + Send + Sync + 'static {
    /// Its name in messages, recordings and observers.
    const NAME: &'static str;
    /// f(x).
    fn value<S: Number>(self, x: [S; N]) -> S;
    /// The partial derivative for each input, at `x` with `y = f(x)`.
    fn partials<S: Number>(self, x: [S; N], y: S) -> [S; N];
}

/// The table. A row is: what it does, type { attributes }, method, (inputs) = value; output => [a partial per input].
macro_rules! elementwise {
    ($generate:ident) => {
        $generate! {
            /// `-x`.
            Neg {}, neg, (x) = -x; y => [x.lit(-1.0)];
            /// `|x|`. Derivative `sign(x)`, which is 0 at 0.
            Abs {}, abs, (x) = x.abs(); y => [x.sign()];
            /// -1, 0 or 1: 0 at 0, unlike `f64::signum`. Derivative 0.
            Sign {}, sign, (x) = x.sign(); y => [x.lit(0.0)];
            /// 1 where `x > 0`, else 0 (Heaviside with 0 at 0). Derivative 0.
            Step {}, step, (x) = x.step(); y => [x.lit(0.0)];
            /// `x * c`.
            Scale { c: f64 }, scale, (x) = x * x.lit(c); y => [x.lit(c)];
            /// `x / c`.
            DivScalar { c: f64 }, div_scalar, (x) = x / x.lit(c); y => [x.lit(1.0 / c)];
            /// `x + c`.
            AddScalar { c: f64 }, add_scalar, (x) = x + x.lit(c); y => [x.lit(1.0)];
            /// `e^x`.
            Exp {}, exp, (x) = x.exp(); y => [y];
            /// The natural logarithm: -inf at 0, NaN below. Derivative `1/x`.
            Ln {}, ln, (x) = x.ln(); y => [x.recip()];
            /// `e^x - 1`, exact near 0.
            ExpM1 {}, exp_m1, (x) = x.exp_m1(); y => [x.exp()];
            /// `ln(1 + x)`, exact near 0: -inf at -1, NaN below. Derivative `1/(1 + x)`.
            Ln1p {}, ln_1p, (x) = x.ln_1p(); y => [(x + x.lit(1.0)).recip()];
            /// Sine, of an angle in radians.
            Sin {}, sin, (x) = x.sin(); y => [x.cos()];
            /// Cosine, of an angle in radians.
            Cos {}, cos, (x) = x.cos(); y => [-x.sin()];
            /// Tangent, of an angle in radians. Derivative `1 + tan^2(x)`.
            Tan {}, tan, (x) = x.tan(); y => [y * y + y.lit(1.0)];
            /// Square root: NaN below 0. Derivative `1/(2 sqrt x)`, infinite at 0.
            Sqrt {}, sqrt, (x) = x.sqrt(); y => [y.recip() * y.lit(0.5)];
            /// `1/x`. Derivative `-1/x^2`.
            Recip {}, recip, (x) = x.recip(); y => [-(y * y)];
            /// `x^2`.
            Square {}, square, (x) = x * x; y => [x * x.lit(2.0)];
            /// `x^n` for a whole `n`. `x^0 = 1` everywhere, with derivative 0.
            Powi { n: i32 }, powi, (x) = x.powi(n);
                y => [if n == 0 { x.lit(0.0) } else { x.powi(n.saturating_sub(1)) * x.lit(f64::from(n)) }];
            /// `x^p` for a real `p`: NaN for negative `x` unless `p` is whole. `x^0 = 1` everywhere, with derivative 0.
            Powf { p: f64 }, powf, (x) = x.powf(p);
                y => [if p == 0.0 { x.lit(0.0) } else { x.powf(p - 1.0) * x.lit(p) }];
            /// Hyperbolic tangent. Derivative `sech^2(x)`, exact in both tails.
            Tanh {}, tanh, (x) = x.tanh(); y => [x.sech2()];
            #[doc(hidden)]
            /// `1 - tanh^2(x)`, exact in both tails: the derivative of tanh.
            Sech2 {}, sech2, (x) = x.sech2(); y => [(y * x.tanh()) * x.lit(-2.0)];
            /// The logistic function `s(x) = 1/(1 + e^-x)`, exact in both tails. Derivative `s(x) s(-x)`.
            Sigmoid {}, sigmoid, (x) = x.sigmoid(); y => [x.sigmoid_slope()];
            #[doc(hidden)]
            /// `s(x) s(-x)`, exact in both tails: the derivative of the sigmoid.
            SigmoidSlope {}, sigmoid_slope, (x) = x.sigmoid_slope(); y => [-(y * (x * x.lit(0.5)).tanh())];
            /// `ln(1 + e^x)`, without overflow. Derivative `sigmoid(x)`.
            Softplus {}, softplus, (x) = x.softplus(); y => [x.sigmoid()];
            /// `ln(sigmoid(x))`, exact in both tails. Derivative `sigmoid(-x)`.
            LogSigmoid {}, log_sigmoid, (x) = -(-x).softplus(); y => [(-x).sigmoid()];
            /// `max(x, 0)`. At 0 the derivative is taken as 0.
            Relu {}, relu, (x) = x.relu(); y => [x.step()];
            /// `x` where positive, else `slope * x`. At 0 the derivative is taken as `slope`.
            LeakyRelu { slope: f64 }, leaky_relu, (x) = x.gt(x.lit(0.0)).where_cond(x, x * x.lit(slope));
                y => [x.gt(x.lit(0.0)).where_cond(x.lit(1.0), x.lit(slope))];
            /// `x` where positive, else `alpha (e^x - 1)`. At 0 the derivative is taken as `alpha`.
            ///
            /// Source: Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential linear
            /// units", 2015.
            Elu { alpha: f64 }, elu, (x) = x.gt(x.lit(0.0)).where_cond(x, x.exp_m1() * x.lit(alpha));
                y => [x.gt(x.lit(0.0)).where_cond(x.lit(1.0), x.exp() * x.lit(alpha))];
            /// `scale x` where positive, else `scale alpha (e^x - 1)`, with constants that keep mean 0 and variance 1 from
            /// layer to layer. At 0 the derivative is taken as `scale alpha`.
            ///
            /// Source: Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", 2017.
            Selu {}, selu, (x) = x.gt(x.lit(0.0)).where_cond(x * x.lit(SELU_SCALE), x.exp_m1() * x.lit(SELU_LEFT));
                y => [x.gt(x.lit(0.0)).where_cond(x.lit(SELU_SCALE), x.exp() * x.lit(SELU_LEFT))];
            /// `x` limited to -1..=1, NaN at NaN. At -1 and 1 the derivative is taken as 0, unlike that of [`clamp`](Clamp).
            Hardtanh {}, hardtanh, (x) = x.maximum(x.lit(-1.0)).minimum(x.lit(1.0));
                y => [x.lit(1.0).gt(x.abs())];
            /// `x Phi(x)`, Phi the normal distribution function: GELU by the error function, exact in the left tail.
            ///
            /// Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016.
            Gelu {}, gelu, (x) = x.chain(x.normal_cdf()); y => [x.normal_cdf() + x.chain(x.normal_pdf())];
            /// `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`: GELU by tanh, exact in the left tail.
            ///
            /// Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016.
            GeluTanh {}, gelu_tanh, (x) = x.chain(gelu_angle(x).sigmoid());
                y => [gelu_angle(x).sigmoid() + x.chain(gelu_angle(x).sigmoid_slope()).chain(gelu_angle_slope(x))];
            /// `x sigmoid(x)`, also called swish.
            Silu {}, silu, (x) = x.chain(x.sigmoid()); y => [x.sigmoid() + x.chain(x.sigmoid_slope())];
            /// The error function `2/sqrt(pi) integral of e^-t^2 from 0 to x`.
            Erf {}, erf, (x) = x.erf(); y => [x.gauss() * x.lit(FRAC_2_SQRT_PI)];
            /// `1 - erf(x)`, exact on the right, where `1 - erf(x)` would have no digits left.
            Erfc {}, erfc, (x) = x.erfc(); y => [x.gauss() * x.lit(-FRAC_2_SQRT_PI)];
            #[doc(hidden)]
            /// `e^-x^2`.
            Gauss {}, gauss, (x) = x.gauss(); y => [y.chain(x) * x.lit(-2.0)];
            /// The normal distribution function `Phi(x)`, exact in the left tail. Derivative: the normal density.
            NormalCdf {}, normal_cdf, (x) = x.normal_cdf(); y => [x.normal_pdf()];
            /// The normal density `e^(-x^2/2) / sqrt(2 pi)`.
            NormalPdf {}, normal_pdf, (x) = x.normal_pdf(); y => [-(y.chain(x))];
            /// `x` limited to `lo..=hi`, NaN at NaN. The derivative is 1 from `lo` to `hi`, both included, else 0.
            Clamp { lo: f64, hi: f64 }, clamp, (x) = x.maximum(x.lit(lo)).minimum(x.lit(hi));
                y => [x.ge(x.lit(lo)) * x.lit(hi).ge(x)];
            /// `a * b`, with broadcasting.
            Mul {}, mul, (a, b) = a * b; y => [b, a];
            /// `a / b`, with broadcasting.
            Div {}, div, (a, b) = a / b; y => [b.recip(), -(y / b)];
            /// The larger one, NaN if either is NaN, with broadcasting. At ties each gets half the derivative.
            Maximum {}, maximum, (a, b) = a.maximum(b);
                y => [(a.gt(b) + a.ge(b)) * a.lit(0.5), (b.gt(a) + b.ge(a)) * b.lit(0.5)];
            /// The smaller one, NaN if either is NaN, with broadcasting. At ties each gets half the derivative.
            Minimum {}, minimum, (a, b) = a.minimum(b);
                y => [(b.gt(a) + b.ge(a)) * a.lit(0.5), (a.gt(b) + a.ge(b)) * b.lit(0.5)];
            /// 1 where `a > b`, else 0, with broadcasting. Derivative 0.
            Gt {}, gt, (a, b) = a.gt(b); y => [a.lit(0.0), b.lit(0.0)];
            /// 1 where `a >= b`, else 0, with broadcasting. Derivative 0.
            Ge {}, ge, (a, b) = a.ge(b); y => [a.lit(0.0), b.lit(0.0)];
            #[doc(hidden)]
            /// The product of the chain rule: `a * b`, but 0 where either is exactly 0, even if the other is not finite.
            Chain {}, chain, (a, b) = a.chain(b); y => [b, a];
            /// `a` where `self` is not 0, else `b` (`where` in other libraries), with broadcasting. The branch that is
            /// not taken gets exactly 0, whatever its value; the condition gets 0.
            WhereCond {}, where_cond, (c, a, b) = c.where_cond(a, b);
                y => [c.lit(0.0), c.where_cond(c.lit(1.0), c.lit(0.0)), c.where_cond(c.lit(0.0), c.lit(1.0))];
        }
    };
}
pub(crate) use elementwise;

const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
/// The scale times alpha, 1.6732632423543772.
const SELU_LEFT: f64 = SELU_SCALE * 1.673_263_242_354_377_2;
const FRAC_2_SQRT_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI;
/// 2 sqrt(2 / pi): (1 + tanh u) / 2 = sigmoid(2 u)
const GELU_TANH: f64 = 1.595_769_121_605_730_7;
const GELU_CUBIC: f64 = 0.044_715;

#[inline(always)]
fn gelu_angle<S: Number>(x: S) -> S {
    x * (x * x * x.lit(GELU_TANH * GELU_CUBIC) + x.lit(GELU_TANH))
}

#[inline(always)]
fn gelu_angle_slope<S: Number>(x: S) -> S {
    x * x * x.lit(3.0 * GELU_TANH * GELU_CUBIC) + x.lit(GELU_TANH)
}

/// The number of inputs of a row.
macro_rules! arity { ($($x:ident),+) => { [$(stringify!($x)),+].len() } }
pub(crate) use arity;

macro_rules! types { ($($(#[$doc:meta])* $op:ident { $($attr:ident: $ty:ty),* }, $method:ident, ($($x:ident),+) = $v:expr; $y:ident => $d:expr;)*) => { $(
    $(#[$doc])*
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct $op {
        $(#[doc = "An attribute of the formula."] pub $attr: $ty),*
    }

    #[allow(unused_variables)]
    impl Elementwise<{ arity!($($x),+) }> for $op {
        const NAME: &'static str = stringify!($method);
        #[inline(always)]
        fn value<S: Number>(self, [$($x),+]: [S; arity!($($x),+)]) -> S {
            let Self { $($attr),* } = self;
            $v
        }
        #[inline(always)]
        fn partials<S: Number>(self, [$($x),+]: [S; arity!($($x),+)], $y: S) -> [S; arity!($($x),+)] {
            let Self { $($attr),* } = self;
            $d
        }
    }
)* } }
elementwise!(types);
