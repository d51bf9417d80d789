//! Derivatives of functions, as functions.
use super::{
    Dual, Scalar, Tape, Var,
    tape::{same_length, unit},
};

/// The gradient of a function of one result; 0 for a variable that it does not depend on.
///
/// ```
/// use chainrule::scalar;
/// let g = scalar::grad(|x| (x[0] * x[1]).sin() + 2.0 * x[0], &[1.0, 2.0]);
/// assert_eq!(g, [2.0 * 2f64.cos() + 2.0, 2f64.cos()]);
/// ```
///
/// # Panics
/// As `f`, and if it gives a variable of another tape.
#[track_caller]
pub fn grad<S: Scalar, G>(f: G, x: &[S]) -> Vec<S>
where
    G: for<'t> FnOnce(&[Var<'t, S>]) -> Var<'t, S>,
{
    value_and_grad(f, x).1
}

/// The value and the gradient of a function of one result.
///
/// ```
/// use chainrule::scalar;
/// assert_eq!(scalar::value_and_grad(|x| x[0].ln() * x[1], &[1.0, 5.0]), (0.0, vec![5.0, 0.0]));
/// ```
///
/// # Panics
/// As [`grad`].
#[track_caller]
pub fn value_and_grad<S: Scalar, G>(f: G, x: &[S]) -> (S, Vec<S>)
where
    G: for<'t> FnOnce(&[Var<'t, S>]) -> Var<'t, S>,
{
    let mut gradient = vec![S::zero(); x.len()];
    let value = Tape::new().value_and_grad(f, x, &mut gradient);
    (value, gradient)
}

/// The Jacobian of a function of several results: a row of derivatives for each.
///
/// ```
/// use chainrule::scalar;
/// let j = scalar::jacobian(|x| vec![x[0] * x[1], x[0].exp()], &[0.0, 3.0]);
/// assert_eq!(j, [[3.0, 0.0], [1.0, 0.0]]);
/// ```
///
/// # Panics
/// As [`grad`].
#[track_caller]
pub fn jacobian<S: Scalar, G>(f: G, x: &[S]) -> Vec<Vec<S>>
where
    G: for<'t> FnOnce(&[Var<'t, S>]) -> Vec<Var<'t, S>>,
{
    let tape = Tape::new();
    let y = f(&tape.vars(x));
    let mut rows = vec![vec![S::zero(); x.len()]; y.len()];
    for (y, rows) in y.chunks(WIDE).zip(rows.chunks_mut(WIDE)) {
        let outputs: Vec<_> = y.iter().enumerate().map(|(k, &y)| (y, unit(k))).collect();
        tape.0.sweep(&outputs, 0, false, |bars: &[[S; WIDE]]| {
            for (k, row) in rows.iter_mut().enumerate() {
                row.iter_mut().zip(bars).for_each(|(d, bar)| *d = bar[k]);
            }
        });
    }
    rows
}

/// The values of a function of several results, and `y_bar^T J`: for each variable the sum over the results of `y_bar` times
/// the derivative.
///
/// ```
/// use chainrule::scalar;
/// let (y, x_bar) = scalar::vjp(|x| vec![x[0] * x[1], x[0] + x[1]], &[2.0, 3.0], &[1.0, 10.0]);
/// assert_eq!((y, x_bar), (vec![6.0, 5.0], vec![13.0, 12.0]));
/// ```
///
/// # Panics
/// As [`grad`], and if there are not as many results as numbers in `y_bar`.
#[track_caller]
pub fn vjp<S: Scalar, G>(f: G, x: &[S], y_bar: &[S]) -> (Vec<S>, Vec<S>)
where
    G: for<'t> FnOnce(&[Var<'t, S>]) -> Vec<Var<'t, S>>,
{
    let tape = Tape::new();
    let y = f(&tape.vars(x));
    same_length("vjp", "y_bar", y_bar.len(), y.len());
    let outputs: Vec<_> = y.iter().zip(y_bar).map(|(&y, &y_bar)| (y, [y_bar])).collect();
    let x_bar = tape.0.sweep(&outputs, 0, false, |bars| bars[..x.len()].as_flattened().to_vec());
    (y.into_iter().map(Var::value).collect(), x_bar)
}

/// The values of a function of several results, and `J x_dot`: their derivatives in the direction `x_dot`. Forward mode: no tape.
///
/// ```
/// use chainrule::scalar;
/// let (y, y_dot) = scalar::jvp(|x| vec![x[0] * x[1], x[0] + x[1]], &[2.0, 3.0], &[1.0, 10.0]);
/// assert_eq!((y, y_dot), (vec![6.0, 5.0], vec![23.0, 11.0]));
/// ```
///
/// # Panics
/// As `f`, and if `x_dot` has not the length of `x`.
#[track_caller]
pub fn jvp<S: Scalar, G>(f: G, x: &[S], x_dot: &[S]) -> (Vec<S>, Vec<S>)
where
    G: FnOnce(&[Dual<S>]) -> Vec<Dual<S>>,
{
    f(&along("jvp", x, x_dot)).into_iter().map(|y| (y.v, y.d[0])).unzip()
}

/// The value of a function of one result, and its derivative in the direction `x_dot`. Forward mode: no tape.
///
/// ```
/// use chainrule::scalar;
/// assert_eq!(scalar::directional(|x| x[0] * x[1], &[2.0, 3.0], &[1.0, -1.0]), (6.0, 1.0));
/// ```
///
/// # Panics
/// As [`jvp`].
#[track_caller]
pub fn directional<S: Scalar, G>(f: G, x: &[S], x_dot: &[S]) -> (S, S)
where
    G: FnOnce(&[Dual<S>]) -> Dual<S>,
{
    let y = f(&along("directional", x, x_dot));
    (y.v, y.d[0])
}

/// The value and the gradient of a function of a few variables, by forward mode: all derivatives are carried along, and nothing is
/// recorded. Its time grows with the number of variables, that of [`value_and_grad`] does not: it is the faster one for up to about
/// ten, and needs no memory for long loops.
///
/// ```
/// use chainrule::scalar;
/// let (orbit, slopes): (f64, [f64; 2]) = scalar::forward_grad(|[x, r]| (0..1000).fold(x, |x, _| r * x * (1.0 - x)), [0.3, 2.9]);
/// assert!((orbit - 1.9 / 2.9).abs() < 1e-12 && (slopes[1] - 1.0 / 2.9 / 2.9).abs() < 1e-12);
/// ```
///
/// # Panics
/// As `f`.
pub fn forward_grad<S: Scalar, G, const N: usize>(f: G, x: [S; N]) -> (S, [S; N])
where
    G: FnOnce([Dual<S, N>; N]) -> Dual<S, N>,
{
    let y = f(std::array::from_fn(|k| Dual::new(x[k], unit(k))));
    (y.v, y.d)
}

/// The product of the Hessian with a direction, `H x_dot`. Forward over reverse: one pass.
///
/// ```
/// use chainrule::scalar;
/// assert_eq!(scalar::hvp(|x| x[0] * x[0] * x[1], &[2.0, 3.0], &[1.0, 10.0]), [46.0, 4.0]);
/// ```
///
/// # Panics
/// As [`grad`], and if `x_dot` has not the length of `x`.
#[track_caller]
pub fn hvp<S: Scalar, G>(f: G, x: &[S], x_dot: &[S]) -> Vec<S>
where
    G: for<'t> FnOnce(&[Var<'t, Dual<S>>]) -> Var<'t, Dual<S>>,
{
    grad(f, &along("hvp", x, x_dot)).into_iter().map(|g| g.d[0]).collect()
}

/// Directions of a pass of [`hessian`], and results of a sweep of [`jacobian`].
const WIDE: usize = 4;

/// The Hessian of a function of one result, row by row: `h[i][j]` is the derivative of `df/dx[i]` with respect to `x[j]`.
///
/// ```
/// use chainrule::scalar;
/// let h = scalar::hessian(|x| x[0] * x[0] * x[1], &[2.0, 3.0]);
/// assert_eq!(h, [[6.0, 4.0], [4.0, 0.0]]);
/// ```
///
/// # Panics
/// As [`grad`].
#[track_caller]
pub fn hessian<S: Scalar, G>(f: G, x: &[S]) -> Vec<Vec<S>>
where
    G: for<'t> Fn(&[Var<'t, Dual<S, WIDE>>]) -> Var<'t, Dual<S, WIDE>>,
{
    let mut h = vec![vec![S::zero(); x.len()]; x.len()];
    let (mut tape, mut gradient) = (Tape::new(), vec![Dual::constant(S::zero()); x.len()]);
    let mut point: Vec<Dual<S, WIDE>> = x.iter().map(|&x| Dual::constant(x)).collect();
    for start in (0..x.len()).step_by(WIDE) {
        let block = start..x.len().min(start + WIDE);
        for j in block.clone() {
            point[j].d[j - start] = S::one();
        }
        tape.value_and_grad(&f, &point, &mut gradient);
        for (row, g) in h.iter_mut().zip(&gradient) {
            row[block.clone()].copy_from_slice(&g.d[..block.len()]);
        }
        for j in block {
            point[j].d[j - start] = S::zero();
        }
    }
    h
}

#[track_caller]
fn along<S: Scalar>(function: &str, x: &[S], x_dot: &[S]) -> Vec<Dual<S>> {
    same_length(function, "x_dot", x_dot.len(), x.len());
    x.iter().zip(x_dot).map(|(&x, &d)| Dual::new(x, [d])).collect()
}
