//! Digamma and its derivatives in f64.
use std::f64::consts::PI;

/// Digamma for `n = 0`, else its `n`th derivative. NaN at negative whole numbers.
pub(super) fn polygamma(n: u32, x: f64) -> f64 {
    if x == 0.0 && n.is_multiple_of(2) {
        return -f64::INFINITY.copysign(x);
    }
    if x < 0.0 && x.fract() == 0.0 {
        return f64::NAN;
    }
    if x < 0.0 { reflected(n, x) } else { right(n, x) }
}

/// For `x >= 0`.
fn right(n: u32, x: f64) -> f64 {
    if n == 0 { digamma(x) } else { derivative(n, x) }
}

/// `psi_n(x) = (-1)^n psi_n(1 - x) - pi (d/dx)^n cot(pi x)`.
///
/// Source: Abramowitz and Stegun, 6.4.7.
fn reflected(n: u32, x: f64) -> f64 {
    let rest = x - x.round(); // exact, and cot has period pi
    let cot = if rest.abs() <= 0.25 { 1.0 / (PI * rest).tan() } else { (PI * (0.5 - rest.abs())).tan().copysign(rest) };
    let mirrored = if n.is_multiple_of(2) { right(n, 1.0 - x) } else { -right(n, 1.0 - x) };
    mirrored - PI.powi(n as i32 + 1) * cot_derivative(n, cot)
}

/// The `n`th derivative of cot as a polynomial of `c = cot`: each one is `-(1 + c^2)` times the last one's derivative.
fn cot_derivative(n: u32, c: f64) -> f64 {
    let mut p = vec![0.0, 1.0];
    for _ in 0..n {
        let slope: Vec<f64> = (1..p.len()).map(|k| k as f64 * p[k]).collect();
        p = vec![0.0; slope.len() + 2];
        for (k, s) in slope.iter().enumerate() {
            p[k] -= s;
            p[k + 2] -= s;
        }
    }
    p.iter().rev().fold(0.0, |sum, a| sum * c + a)
}

/// `c[0] + c[1] x + ..`
fn polynomial(c: &[f64], x: f64) -> f64 {
    c.iter().rev().fold(0.0, |sum, a| sum * x + a)
}

/// B(2k) / 2k for k = 1..: the asymptotic series of digamma.
const TAIL: [f64; 8] =
    [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32760.0, 1.0 / 12.0, -3617.0 / 8160.0];

/// Digamma for `x >= 0`.
fn digamma(x: f64) -> f64 {
    if x >= 10.0 {
        let z = 1.0 / (x * x);
        return x.ln() - 0.5 / x - z * polynomial(&TAIL, z);
    }
    let (mut x, mut sum) = (x, 0.0);
    while x > 2.0 {
        x -= 1.0;
        sum += 1.0 / x;
    }
    if x < 1.0 {
        sum = -1.0 / x;
        x += 1.0;
    }
    sum + near_root(x)
}

/// Digamma for `1 <= x <= 2` as a multiple of the distance from its root, so that the digits stay there.
///
/// Source: the rational approximation of Boost.Math's `digamma.hpp` (Maddock, 2006), off by 1.2e-18.
fn near_root(x: f64) -> f64 {
    /// The root in three parts, the first two exact.
    const ROOT: [f64; 3] = [
        1_569_415_565.0 / 1_073_741_824.0,
        381_566_830.0 / 1_073_741_824.0 / 1_073_741_824.0,
        9.016_312_093_258_695e-20,
    ];
    const Y: f64 = 0.995_581_626_892_089_8;
    const P: [f64; 6] = [
        0.254_798_510_611_315_5,
        -0.325_550_311_868_044_9,
        -0.650_318_537_708_965,
        -0.289_191_264_447_747_84,
        -0.045_251_321_448_739_06,
        -0.002_071_332_116_774_595,
    ];
    const Q: [f64; 7] = [
        1.0,
        2.076_711_702_373_047,
        1.460_624_290_976_351_5,
        0.435_935_296_926_659_7,
        0.054_151_797_245_674_225,
        0.002_128_498_701_782_114_4,
        -5.578_984_132_167_551e-7,
    ];
    let g = x - ROOT[0] - ROOT[1] - ROOT[2];
    let r = polynomial(&P, x - 1.0) / polynomial(&Q, x - 1.0);
    g * Y + g * r
}

/// The `n`th derivative of digamma for `x >= 0` and `n >= 1`: the recurrence until the asymptotic series has all digits.
///
/// Source: Abramowitz and Stegun, 6.4.6 and 6.4.11. All terms but those of the series have one sign.
fn derivative(n: u32, x: f64) -> f64 {
    let (k, mut x) = (n as i32, x);
    let factorial: f64 = (1..=n).map(f64::from).product();
    let mut sum = 0.0;
    while x < 15.0 + f64::from(n) {
        sum += factorial * x.powi(-k - 1);
        x += 1.0;
    }
    // The terms B(2j) / 2j * (2j + n - 1)! / (2j - 1)! / x^(2j + n), with the quotient of factorials from term to term.
    let (z, mut power, mut series) = (1.0 / (x * x), x.powi(-k), 0.0);
    let mut quotient = factorial * f64::from(n + 1);
    for (j, b) in (1u32..).zip(&TAIL) {
        power *= z;
        series += b * quotient * power;
        quotient *= f64::from(2 * j + n) * f64::from(2 * j + n + 1) / (f64::from(2 * j) * f64::from(2 * j + 1));
    }
    let y = sum + x.powi(-k) * factorial / f64::from(n) + 0.5 * factorial * x.powi(-k - 1) + series;
    if n.is_multiple_of(2) { -y } else { y }
}
