//! The price, written once over any number, and its sensitivities by hand.
use chainrule::scalar::Scalar;
use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Side {
    Call,
    Put,
}

impl Side {
    pub fn name(self) -> &'static str {
        if self == Self::Call { "call" } else { "put" }
    }

    fn sign(self) -> f64 {
        if self == Self::Call { 1.0 } else { -1.0 }
    }
}

/// Where the numbers of an option stand: spot, strike, rate, volatility, time.
pub const S: usize = 0;
pub const K: usize = 1;
pub const R: usize = 2;
pub const V: usize = 3;
pub const T: usize = 4;

/// The price of a European option by Black and Scholes: `w (s N(w d1) - k e^(-rt) N(w d2))` with `w` = 1 for a call and -1 for a
/// put. Each side has its own tail of N, so that also a price of 1e-200 has its digits.
pub fn price<X: Scalar>(side: Side, x: &[X]) -> X {
    let (s, k, r, v, t) = (x[S], x[K], x[R], x[V], x[T]);
    let (w, deviation) = (X::lit(side.sign()), v * t.sqrt());
    let d1 = ((s / k).ln() + (r + v.square() * X::lit(0.5)) * t) / deviation;
    w * (s * (w * d1).normal_cdf() - k * (-r * t).exp() * (w * (d1 - deviation)).normal_cdf())
}

/// A sensitivity: its sign, and the variables that the price is differentiated by.
pub struct Greek {
    pub name: &'static str,
    pub sign: f64,
    pub by: &'static [usize],
}

const fn greek(name: &'static str, sign: f64, by: &'static [usize]) -> Greek {
    Greek { name, sign, by }
}

/// The clock runs against the time that an option has left: hence the signs of theta and charm.
pub const GREEKS: [Greek; 8] = [
    greek("delta   dP/ds", 1.0, &[S]),
    greek("vega    dP/dv", 1.0, &[V]),
    greek("theta  -dP/dt", -1.0, &[T]),
    greek("rho     dP/dr", 1.0, &[R]),
    greek("gamma   d2P/ds2", 1.0, &[S, S]),
    greek("vanna   d2P/ds dv", 1.0, &[S, V]),
    greek("volga   d2P/dv2", 1.0, &[V, V]),
    greek("charm  -d2P/ds dt", -1.0, &[S, T]),
];

/// A closed form, and the size of the terms that it is the sum of: near a zero the digits are those of the terms.
#[derive(Clone, Copy)]
pub struct Closed {
    pub value: f64,
    pub size: f64,
}

fn sum<const N: usize>(terms: [f64; N]) -> Closed {
    Closed { value: terms.iter().sum(), size: terms.iter().map(|x| x.abs()).sum() }
}

/// The same as [`GREEKS`], from the textbook.
pub fn closed(side: Side, x: &[f64; 5]) -> [Closed; 8] {
    let &[s, k, r, v, t] = x;
    let (w, (d1, d2)) = (side.sign(), d(x));
    let (root, discounted) = (t.sqrt(), k * (-r * t).exp());
    let density = (-0.5 * d1 * d1).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let (n1, n2) = (Scalar::normal_cdf(w * d1), Scalar::normal_cdf(w * d2));
    let vega = s * density * root;
    let d1_by_t = [r / (v * root), -d2 / (2.0 * t)].map(|x| -density * x);
    // What goes through 0 with d1 or d2 has the digits of a deviation of 1.
    let crossing = |value: f64, scale: f64| Closed { value, size: value.abs().max(scale) };
    [
        sum([w * n1]),
        sum([vega]),
        sum([-s * density * v / (2.0 * root), -w * r * discounted * n2]),
        sum([w * t * discounted * n2]),
        sum([density / (s * v * root)]),
        crossing(-density * d2 / v, density / v),
        crossing(vega * d1 * d2 / v, vega / v),
        crossing(d1_by_t.iter().sum(), d1_by_t[0].abs() + density / (2.0 * t)),
    ]
}

fn d(&[s, k, r, v, t]: &[f64; 5]) -> (f64, f64) {
    let deviation = v * t.sqrt();
    let d1 = ((s / k).ln() + (r + 0.5 * v * v) * t) / deviation;
    (d1, d1 - deviation)
}

/// By how much rounding grows: the chain rule gives `s N'(d1) - k e^(-rt) N'(d2)`, which is 0 on paper. Rounding d once changes
/// N'(d) by `d^2` roundings; they stand beside a tail that is `|d|` times smaller than its density, and are divided by `v sqrt(t)`.
pub fn conditioning(x: &[f64; 5]) -> f64 {
    let (d1, d2) = d(x);
    d1.abs().max(d2.abs()).max(1.0).powi(3) * (1.0 / (x[V] * x[T].sqrt())).max(1.0)
}

/// How many roundings the two may differ by, for each unit of [`conditioning`].
pub const ROUNDINGS: f64 = 16.0;
