//! Gradient checks for users' own functions, modules and ops: the derivative against finite differences.
mod scalar;

pub use scalar::{scalar_gradcheck, scalar_gradgradcheck};

use crate::{
    core::{Module, Recording, Role, Tape, TensorLike, Var},
    error::{Error, ErrorKind},
    real::Base,
    rng::Rng,
    tensor::{Real, Tensor},
};

/// Inputs with up to this many elements are checked one element at a time, larger ones along random directions.
const ELEMENTS: usize = 64;
/// How many random directions.
const DIRECTIONS: usize = 8;

/// What a gradient check found.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The largest error, relative to the derivative (to its noise, where the derivative is smaller than that).
    pub worst: f64,
    /// How many derivatives were compared.
    pub checked: usize,
}

/// Compares the gradients of `f` at `inputs` with central differences. The result of `f` may have any shape: it is
/// contracted with random numbers, so that a missing factor shows.
///
/// Every element of an input of up to 64 is tried, else 8 random directions. The step is `cbrt(eps) * max(1, |x|)`. The
/// error may be 1e-6 of the derivative and 1e-8 beside it (f32: 2e-2 and 1e-3), and what rounding does to the difference
/// of two values of `f`. Keep away from kinks.
///
/// ```
/// use chainrule::{check::gradcheck, prelude::*};
/// let mut rng = Rng::seed(1);
/// let x = Tensor::<f64>::uniform_of([3, 4], -1.0, 1.0, &mut rng);
/// let w = Tensor::<f64>::uniform_of([2, 4], -1.0, 1.0, &mut rng);
/// let report = gradcheck(&[x, w], |v| v[0].matmul_nt(&v[1]).tanh())?;
/// assert!(report.checked == 20 && report.worst < 1e-8);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::GradCheck`] says which derivative differs and by how much; [`ErrorKind::BadRule`] if a rule gave too little.
///
/// # Panics
/// As `f`.
#[track_caller]
pub fn gradcheck<F: Real, G>(inputs: &[Tensor<F>], f: G) -> Result<Report, Error>
where
    G: for<'t> Fn(&[Var<'t, F>]) -> Var<'t, F>,
{
    let probe = |values: &[Tensor<F>]| {
        let mut tape = Tape::new();
        let r = tape.begin_train(&mut Rng::seed(0));
        let x: Vec<_> = values.iter().map(|t| r.variable(t)).collect();
        Probed::new(f(&x), &x)
    };
    compare(inputs, probe, |i| format!("input {i}"))
}

/// [`gradcheck`] of the gradients themselves: the second derivatives, by the same rules on variables.
///
/// # Errors
/// As [`gradcheck`].
///
/// # Panics
/// As `f`.
#[track_caller]
pub fn gradgradcheck<F: Real, G>(inputs: &[Tensor<F>], f: G) -> Result<Report, Error>
where
    G: for<'t> Fn(&[Var<'t, F>]) -> Var<'t, F>,
{
    gradcheck(inputs, |x| {
        let gradients = contracted(f(x)).grads_recorded(x);
        let parts = gradients.into_iter().enumerate().map(|(k, g)| contracted(g) * (1.0 + k as f64));
        parts.reduce(|a, b| a + b).expect("gradgradcheck needs at least one input")
    })
}

/// [`gradcheck`] with respect to every trained parameter of a module; errors name its path.
///
/// ```
/// use chainrule::{check::gradcheck_module, prelude::*};
/// let mut rng = Rng::seed(1);
/// let net = (Dense::<f64>::new(3, 4, &mut rng), Tanh, Dense::new(4, 2, &mut rng));
/// let x = Tensor::<f64>::uniform_of([5, 3], -1.0, 1.0, &mut rng);
/// gradcheck_module(&net, |r| net.forward(&r.constant(&x)))?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As [`gradcheck`].
///
/// # Panics
/// As `f`.
#[track_caller]
pub fn gradcheck_module<F: Real, G>(net: &impl Module<F>, f: G) -> Result<Report, Error>
where
    G: for<'t> Fn(&'t Recording<F>) -> Var<'t, F>,
{
    let (mut values, mut paths, mut params) = (vec![], vec![], vec![]);
    net.visit(|path, p| {
        if p.role() == Role::Trained {
            values.push(p.value.clone());
            paths.push(path.to_string());
            params.push(p);
        }
    });
    // The parameters are recorded first, as the same nodes that `f` will find, and replaced by other values.
    let probe = |values: &[Tensor<F>]| {
        let mut tape = Tape::new();
        let r = tape.begin_train(&mut Rng::seed(0));
        let x: Vec<_> = params.iter().map(|p| r.param(p)).collect();
        let y = f(r);
        for (x, value) in x.iter().zip(values) {
            r.replace_leaf(*x, value);
        }
        r.replay();
        Probed::new(y, &x)
    };
    compare(&values, probe, |i| format!("\"{}\"", paths[i]))
}

/// The sum of all entries times fixed random numbers.
#[track_caller]
fn contracted<F: Real>(y: Var<'_, F>) -> Var<'_, F> {
    let weights = Tensor::uniform_of(y.shape(), -1.0, 1.0, &mut Rng::seed(0x5eed));
    (y * y.constant(&weights)).sum()
}

/// A contracted function at some inputs.
struct Probed<F: Real> {
    value: f64,
    /// The sum of the absolute values of the entries: rounding is relative to it.
    size: f64,
    gradients: Vec<Tensor<F>>,
}

impl<F: Real> Probed<F> {
    #[track_caller]
    fn new<'t>(y: Var<'t, F>, wrt: &[Var<'t, F>]) -> Result<Self, Error> {
        let size = y.value().data().iter().map(|y| y.f64().abs()).sum();
        let y = contracted(y);
        Ok(Self { value: y.item(), size, gradients: y.grads_of(wrt)? })
    }
}

fn compare<F: Real>(
    inputs: &[Tensor<F>],
    probe: impl Fn(&[Tensor<F>]) -> Result<Probed<F>, Error>,
    name: impl Fn(usize) -> String,
) -> Result<Report, Error> {
    let (mut judge, mut rng) = (Judge::new::<F>("gradcheck"), Rng::seed(0xd1f));
    for (i, (x, g)) in inputs.iter().zip(&probe(inputs)?.gradients).enumerate() {
        let n = x.shape().size();
        let whole = n <= ELEMENTS;
        for k in 0..if whole { n } else { DIRECTIONS } {
            let direction: Vec<f64> = match whole {
                true => (0..n).map(|e| f64::from(e == k)).collect(),
                false => (0..n).map(|_| rng.normal() / (n as f64).sqrt()).collect(),
            };
            let h =
                judge.step(x.data().iter().zip(&direction).map(|(x, d)| x.f64().abs() * d.abs()).fold(0.0, f64::max));
            let moved = |sign: f64| {
                let mut inputs = inputs.to_vec();
                inputs[i] = Tensor::from_fn(x.shape(), |e| x.data()[e].f64() + sign * h * direction[e]);
                probe(&inputs)
            };
            let (up, down) = (moved(1.0)?, moved(-1.0)?);
            let analytic = g.data().iter().zip(&direction).map(|(g, d)| g.f64() * d).sum();
            judge.compare(analytic, [up.value, down.value], up.size + down.size, h, || {
                let place = if whole { "element" } else { "random direction" };
                format!("{} of shape {}, {place} {k}", name(i), x.shape())
            })?;
        }
    }
    Ok(judge.report)
}

/// Compares derivatives with central differences, by the bars of an element type.
struct Judge {
    who: &'static str,
    epsilon: f64,
    relative: f64,
    absolute: f64,
    report: Report,
}

impl Judge {
    fn new<F: Base>(who: &'static str) -> Self {
        let epsilon = F::epsilon().f64();
        let (relative, absolute) = if epsilon < 1e-10 { (1e-6, 1e-8) } else { (2e-2, 1e-3) };
        Self { who, epsilon, relative, absolute, report: Report { worst: 0.0, checked: 0 } }
    }

    /// The step of a difference at a number.
    fn step(&self, x: f64) -> f64 {
        self.epsilon.cbrt() * x.abs().max(1.0)
    }

    /// One derivative, and the values a step up and a step down; rounding of values is relative to `size`.
    fn compare(
        &mut self,
        analytic: f64,
        [up, down]: [f64; 2],
        size: f64,
        h: f64,
        place: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        let numeric = (up - down) / (2.0 * h);
        let noise = self.absolute + 8.0 * self.epsilon * size / h;
        let error = (analytic - numeric).abs() / numeric.abs().max(noise / self.relative);
        self.report.checked += 1;
        if error.is_nan() || error > self.relative {
            let (who, place) = (self.who, place());
            let message = format!("{who}: {place}: the rule gives {analytic:e}, central differences {numeric:e}");
            return Err(Error::new(ErrorKind::GradCheck, message));
        }
        self.report.worst = self.report.worst.max(error);
        Ok(())
    }
}
