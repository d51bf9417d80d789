//! Gradient checks for functions of single numbers.
use super::{Judge, Report};
use crate::{
    error::Error,
    real::Base,
    scalar::{self, Dual, Scalar, Tape, Var},
};

/// Compares the gradient of a function of single numbers with central differences of it, in each variable: [`gradcheck`](super::gradcheck)
/// for [`scalar`], with its steps and bars. A formula of one's own ([`Scalar::apply`]) inside is checked with it.
///
/// ```
/// use chainrule::check::scalar_gradcheck;
/// let report = scalar_gradcheck(&[0.5, 2.0], |x| (x[0] * x[1]).sin() + x[1].ln())?;
/// assert!(report.checked == 2 && report.worst < 1e-8);
/// // What `value` takes out of a program has no derivative; differences see it.
/// let e = scalar_gradcheck(&[0.5, 2.0], |x| x[0] * x[1].value()).unwrap_err();
/// assert!(e.to_string().starts_with("scalar_gradcheck: variable 1: the rule gives 0e0, central differences"));
/// # Ok::<(), chainrule::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::GradCheck`](crate::ErrorKind::GradCheck) says which derivative differs and by how much.
///
/// # Panics
/// As `f`.
#[track_caller]
pub fn scalar_gradcheck<F: Scalar + Base, G>(x: &[F], f: G) -> Result<Report, Error>
where
    G: for<'t> Fn(&[Var<'t, F>]) -> Var<'t, F>,
{
    let mut judge = Judge::new::<F>("scalar_gradcheck");
    for (i, analytic) in scalar::grad(&f, x).into_iter().enumerate() {
        let h = judge.step(x[i].f64());
        let [up, down] = moved(x, i, h).map(|x| f(&Tape::new().vars(&x)).value().f64());
        judge.compare(analytic.f64(), [up, down], up.abs() + down.abs(), h, || format!("variable {i}"))?;
    }
    Ok(judge.report)
}

/// Compares the Hessian of a function of single numbers with central differences of its gradient, in each pair of variables.
///
/// ```
/// let report = chainrule::check::scalar_gradgradcheck(&[0.5, 2.0], |x| (x[0] * x[1]).sin() + x[1].ln())?;
/// assert!(report.checked == 4 && report.worst < 1e-8);
/// # Ok::<(), chainrule::Error>(())
/// ```
///
/// # Errors
/// As [`scalar_gradcheck`].
///
/// # Panics
/// As `f`.
#[track_caller]
pub fn scalar_gradgradcheck<F: Scalar + Base, G>(x: &[F], f: G) -> Result<Report, Error>
where
    G: for<'t> Fn(&[Var<'t, Dual<F>>]) -> Var<'t, Dual<F>>,
{
    let mut judge = Judge::new::<F>("scalar_gradgradcheck");
    let (zero, one) = (F::lit(0.0), F::lit(1.0));
    for j in 0..x.len() {
        // Forward over reverse: gradients with their derivatives with respect to x[j].
        let gradient = |x: &[F]| {
            let along = x.iter().enumerate().map(|(k, x)| Dual::new(*x, [if k == j { one } else { zero }]));
            scalar::grad(&f, &along.collect::<Vec<_>>())
        };
        let h = judge.step(x[j].f64());
        let [up, down] = moved(x, j, h).map(|x| gradient(&x));
        let size: f64 = up.iter().chain(&down).map(|g| g.value().f64().abs()).sum();
        for (i, analytic) in gradient(x).into_iter().enumerate() {
            let values = [&up, &down].map(|g| g[i].value().f64());
            judge.compare(analytic.tangent()[0].f64(), values, size, h, || format!("d/dx[{j}] of df/dx[{i}]"))?;
        }
    }
    Ok(judge.report)
}

/// The point with one variable a step up, and a step down.
fn moved<F: Base>(x: &[F], i: usize, h: f64) -> [Vec<F>; 2] {
    [h, -h].map(|h| {
        let mut x = x.to_vec();
        x[i] = F::of(x[i].f64() + h);
        x
    })
}
