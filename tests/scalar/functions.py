"""Writes functions.csv: name, x, value, first and second derivative, from 60 digits of mpmath 1.3, rounded to f64.

python functions.py > functions.csv
"""
from mpmath import mp, mpf, inf
import mpmath as m

mp.dps = 60
LN2 = m.log(2)


def normal_cdf(x):
    return m.erfc(-x / m.sqrt(2)) / 2


# name: (function, points)
unit = [-0.999999, -0.9, -0.5, -1e-3, -1e-9, 1e-9, 1e-3, 0.5, 0.9, 0.999999]
near = [-3.0, -1.0, -0.5, -1e-3, -1e-9, 1e-9, 1e-3, 0.5, 1.0, 3.0]
wide = near + [-700.0, -40.0, -20.0, 20.0, 40.0, 700.0]
positive = [1e-300, 1e-9, 1e-3, 0.3, 0.999, 1.001, 2.0, 10.0, 1e9, 1e300]
functions = {
    "recip": (lambda x: 1 / x, [-1e150, -3.0, -1e-3, 1e-3, 0.7, 3.0, 1e9]),
    "square": (lambda x: x * x, near),
    "sqrt": (m.sqrt, positive),
    "cbrt": (m.cbrt, positive),
    "exp": (m.exp, wide),
    "exp2": (lambda x: m.power(2, x), near + [-700.0, 700.0]),
    "exp_m1": (m.expm1, wide),
    "ln": (m.log, positive),
    "ln_1p": (m.log1p, [-0.999, -0.5, -1e-3, -1e-9, 1e-9, 1e-3, 0.5, 3.0, 1e9]),
    "log2": (lambda x: m.log(x) / LN2, positive),
    "log10": (m.log10, positive),
    "sin": (m.sin, near + [1e5]),
    "cos": (m.cos, near + [1e5]),
    "tan": (m.tan, [-1.0, -0.5, -1e-3, 1e-9, 0.5, 1.0]),
    "asin": (m.asin, unit),
    "acos": (m.acos, unit),
    "atan": (m.atan, near + [-1e9, 1e9]),
    "sinh": (m.sinh, wide),
    "cosh": (m.cosh, wide),
    "tanh": (m.tanh, near + [-20.0, 20.0, 300.0]),
    "asinh": (m.asinh, near + [-1e200, -1e9, 1e9, 1e200]),
    "acosh": (m.acosh, [1.000001, 1.001, 1.5, 3.0, 1e9, 1e200]),
    "atanh": (m.atanh, unit),
    "erf": (m.erf, near + [-5.0, 5.0]),
    "erfc": (m.erfc, near + [-5.0, 5.0, 20.0, 26.0]),
    "normal_cdf": (normal_cdf, near + [-37.0, -10.0, 5.0]),
    "normal_pdf": (m.npdf, [-37.0, -3.0, -0.5, -1e-3, 1e-9, 0.5, 2.0, 37.0]),
    "sigmoid": (lambda x: 1 / (1 + m.exp(-x)), near + [-700.0, -40.0, 20.0, 40.0]),
    "log_sigmoid": (lambda x: -m.log1p(m.exp(-x)), near + [-700.0, -40.0, 20.0, 40.0]),
    "softplus": (lambda x: m.log1p(m.exp(x)), near + [-700.0, -40.0, 20.0, 40.0]),
    "ln_gamma": (lambda x: m.log(abs(m.gamma(x))), [-3.3, -0.5, 1e-3, 0.5, 1.5, 1.9, 3.5, 10.5, 100.0, 1e6]),
    "digamma": (lambda x: m.psi(0, x), [-10.7, -3.3, -0.5, 1e-3, 0.5, 1.0, 1.4, 1.4616321449683622, 1.9, 2.5, 9.9, 10.5, 1e3, 1e9]),
    "powf(2.5)": (lambda x: m.power(x, mpf("2.5")), [1e-9, 0.3, 1.0, 3.0, 1e9]),
    "powf(-0.75)": (lambda x: m.power(x, mpf(-0.75)), [1e-9, 0.3, 1.0, 3.0, 1e9]),
    "2.5 powf": (lambda x: m.power(mpf("2.5"), x), near),
    "powi(7)": (lambda x: x**7, near),
    "powi(-3)": (lambda x: x**-3, [-3.0, -0.5, 0.5, 3.0]),
    "hypot(3)": (lambda x: m.sqrt(x * x + 9), near + [1e200]),
    "atan2(3)": (lambda x: m.atan2(x, 3), near + [1e200]),
    "3 atan2": (lambda x: m.atan2(3, x), near),
}


# Derivatives that mpmath has no closed form for come from a difference with 1500 digits.
def derivative(f, x, n):
    with m.workdps(1500):
        h = mpf(10) ** -100 * max(abs(mpf(x)), mpf(10) ** -300 if x == 0 else mpf(0))
        x = mpf(x)
        if n == 1:
            return (f(x + h) - f(x - h)) / (2 * h)
        return (f(x + h) - 2 * f(x) + f(x - h)) / (h * h)


def rounded(y):
    y = mpf(y)
    return repr(float(y))


print("name,x,value,first,second")
for name, (f, points) in functions.items():
    for x in points:
        with m.workdps(1500):
            value = rounded(f(mpf(x)))
        print(",".join([name, repr(x), value, rounded(derivative(f, x, 1)), rounded(derivative(f, x, 2))]))
