//! Derivatives of tensor functions, as functions: gradients, products with Jacobians and Hessians, whole Jacobians and
//! Hessians.
//!
//! A function is a closure over recorded values, `|x| x[0].matmul(&x[1]).tanh()`, written in the call (bound to a name
//! first, the compiler does not see that its result lives where its arguments do; then write a `fn`). Each call records it once, as what it
//! is on plain tensors: evaluation, in which dropout is the identity, and parameters of modules are constants.
//! Without inputs they return an error of kind [`ErrorKind::Shape`].
//! Functions may be nested: `f(x).grads_recorded(x)` inside a closure is a gradient that can be differentiated again.
//!
//! | function | gives | sweeps |
//! | --- | --- | --- |
//! | [`grad`], [`value_and_grad`] | the gradients of a scalar function | 1 |
//! | [`vjp`] | `y_bar^T J` | 1 |
//! | [`jvp`] | `J x_dot` | 2 |
//! | [`hvp`] | `H x_dot` | 2 |
//! | [`jacobian`] | `J`, for each input | one for each element of the value |
//! | [`hessian`] | `H`, in blocks | 1, and one for each element of the inputs |
use crate::{
    core::{Recording, Tape, TensorLike, Var},
    error::{Error, ErrorKind},
    tensor::{Real, Shape, Tensor},
};

/// The gradients of a scalar function, one for each input; zeros for an input that it does not depend on.
///
/// ```
/// use chainrule::{prelude::*, transform};
/// let (a, b) = (Tensor::new([2], vec![1.0, 2.0]), Tensor::new([2], vec![3.0, 4.0]));
/// let g = transform::grad(|x| (x[0].square() * x[1]).sum(), &[a, b])?;
/// assert_eq!((g[0].data(), g[1].data()), (&[6.0, 16.0][..], &[1.0, 4.0][..]));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Shape`] if the value of `f` is not a single number; [`ErrorKind::BadRule`] if an op's rule gave too little.
///
/// # Panics
/// As `f`.
#[track_caller]
pub fn grad<F: Real, G>(f: G, x: &[Tensor<F>]) -> Result<Vec<Tensor<F>>, Error>
where
    G: for<'t> FnOnce(&[Var<'t, F>]) -> Var<'t, F>,
{
    let mut tape = Tape::new();
    let (x, y) = recorded("grad", tape.begin_eval(), f, x)?;
    scalar("grad", y)?;
    first_order(y, &x)
}

/// The value of a scalar function, and its gradients.
///
/// ```
/// use chainrule::{prelude::*, transform};
/// let x = Tensor::new([2], vec![1.0, 2.0]);
/// let (y, g) = transform::value_and_grad(|x| x[0].square().sum(), &[x])?;
/// assert_eq!((y, g[0].data()), (5.0, &[2.0, 4.0][..]));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As [`grad`].
///
/// # Panics
/// As `f`.
#[track_caller]
pub fn value_and_grad<F: Real, G>(f: G, x: &[Tensor<F>]) -> Result<(f64, Vec<Tensor<F>>), Error>
where
    G: for<'t> FnOnce(&[Var<'t, F>]) -> Var<'t, F>,
{
    let mut tape = Tape::new();
    let (x, y) = recorded("value_and_grad", tape.begin_eval(), f, x)?;
    scalar("value_and_grad", y)?;
    let value = y.item();
    Ok((value, first_order(y, &x)?))
}

/// The value of a function of any shape, and for each input `y_bar^T J`: the sum over the value's elements of `y_bar`
/// times their derivatives. Reverse mode, one sweep.
///
/// ```
/// use chainrule::{prelude::*, transform};
/// let x = Tensor::new([2], vec![3.0, 4.0]);
/// let (y, x_bar) = transform::vjp(|x| x[0].square(), &[x], &Tensor::new([2], vec![1.0, 10.0]))?;
/// assert_eq!((y.data(), x_bar[0].data()), (&[9.0, 16.0][..], &[6.0, 80.0][..]));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Shape`] if `y_bar` has another shape than the value; [`ErrorKind::BadRule`] if an op's rule gave too
/// little.
///
/// # Panics
/// As `f`.
#[track_caller]
pub fn vjp<F: Real, G>(f: G, x: &[Tensor<F>], y_bar: &Tensor<F>) -> Result<(Tensor<F>, Vec<Tensor<F>>), Error>
where
    G: for<'t> FnOnce(&[Var<'t, F>]) -> Var<'t, F>,
{
    let mut tape = Tape::new();
    let r = tape.begin_eval();
    let (x, y) = recorded("vjp", r, f, x)?;
    if y_bar.shape() != y.shape() {
        let message = format!("vjp: a cotangent of shape {} for a value of shape {}", y_bar.shape(), y.shape());
        return Err(Error::new(ErrorKind::Shape, message));
    }
    r.restrict_to(&x);
    Ok((y.value(), Var::pulled(&[(y, y_bar.clone())], &x)?))
}

/// The value of a function of any shape, and `J x_dot`: its derivative along a direction, one tangent for each input.
///
/// By two reverse sweeps: `y_bar^T J` is linear in `y_bar`, and its derivative with respect to `y_bar`, along `x_dot`, is
/// `J x_dot`.
///
/// ```
/// use chainrule::{prelude::*, transform};
/// let x = Tensor::new([2], vec![3.0, 4.0]);
/// let (_, y_dot) = transform::jvp(|x| x[0].square(), &[x], &[Tensor::new([2], vec![1.0, 10.0])])?;
/// assert_eq!(y_dot.data(), [6.0, 80.0]);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Shape`] if there is not one tangent of its shape for each input; [`ErrorKind::BadRule`] if an op's rule
/// gave too little.
///
/// # Panics
/// As `f`; if an op's rule gives too little where it is recorded.
///
/// # Source
/// Townsend, "A new trick for calculating Jacobian vector products", 2017.
#[track_caller]
pub fn jvp<F: Real, G>(f: G, x: &[Tensor<F>], x_dot: &[Tensor<F>]) -> Result<(Tensor<F>, Tensor<F>), Error>
where
    G: for<'t> FnOnce(&[Var<'t, F>]) -> Var<'t, F>,
{
    check_tangents("jvp", x, x_dot)?;
    let mut tape = Tape::new();
    let r = tape.begin_eval();
    let (x, y) = recorded("jvp", r, f, x)?;
    r.restrict_to(&x);
    let value = y.value();
    let y_bar = r.variable(&Tensor::filled(y.shape(), F::zero()));
    let x_bar = y.vjp_recorded(y_bar, &x);
    r.restrict_to(&[y_bar]);
    Ok((value, Var::pulled(&along(x_bar, x_dot), &[y_bar])?.swap_remove(0)))
}

/// `H x_dot`, for each input: the Hessian of a scalar function times a direction, without the Hessian. Reverse mode over
/// reverse mode: the derivative of the gradients, contracted with `x_dot`.
///
/// ```
/// use chainrule::{prelude::*, transform};
/// let x = Tensor::<f64>::of([2], vec![1.0, 2.0]);
/// let h = transform::hvp(|x| x[0].powi(3).sum(), &[x], &[Tensor::of([2], vec![1.0, 1.0])])?;
/// assert_eq!(h[0].data(), [6.0, 12.0]);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As [`jvp`], and [`ErrorKind::Shape`] if the value of `f` is not a single number.
///
/// # Panics
/// As [`jvp`].
///
/// # Source
/// Pearlmutter, "Fast exact multiplication by the Hessian", 1994 (there by forward mode).
#[track_caller]
pub fn hvp<F: Real, G>(f: G, x: &[Tensor<F>], x_dot: &[Tensor<F>]) -> Result<Vec<Tensor<F>>, Error>
where
    G: for<'t> FnOnce(&[Var<'t, F>]) -> Var<'t, F>,
{
    check_tangents("hvp", x, x_dot)?;
    let mut tape = Tape::new();
    let r = tape.begin_eval();
    let (x, y) = recorded("hvp", r, f, x)?;
    scalar("hvp", y)?;
    r.restrict_to(&x);
    let g = y.vjp_recorded(y.constant(&y.one()), &x);
    Var::pulled(&along(g, x_dot), &x)
}

/// The Jacobian of a function of any shape: for each input a tensor of shape `[..y, ..x]`. One recording, one reverse
/// sweep for each element of the value.
///
/// ```
/// use chainrule::{prelude::*, transform};
/// let x = Tensor::new([2], vec![3.0, 4.0]);
/// let j = transform::jacobian(|x| x[0].square() * 0.5, &[x])?;
/// assert_eq!(j[0], Tensor::new([2, 2], vec![3.0, 0.0, 0.0, 4.0]));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Shape`] if the shapes of the value and an input together have more than six axes, or more elements than
/// memory can hold; [`ErrorKind::BadRule`] if an op's rule gave too little.
///
/// # Panics
/// As `f`.
#[track_caller]
pub fn jacobian<F: Real, G>(f: G, x: &[Tensor<F>]) -> Result<Vec<Tensor<F>>, Error>
where
    G: for<'t> FnOnce(&[Var<'t, F>]) -> Var<'t, F>,
{
    let mut tape = Tape::new();
    let r = tape.begin_eval();
    let (x, y) = recorded("jacobian", r, f, x)?;
    r.restrict_to(&x);
    rows("jacobian", y, &x)
}

/// The Hessian of a scalar function, in blocks: `h[i][j]` has the shape `[..x_i, ..x_j]`; of one input it is `h[0][0]`.
/// One reverse sweep of the recorded gradients for each element of the inputs.
///
/// ```
/// use chainrule::{prelude::*, transform};
/// let x = Tensor::<f64>::of([2], vec![1.0, 2.0]);
/// let h = transform::hessian(|x| x[0].powi(3).sum(), &[x])?;
/// assert_eq!(h[0][0], Tensor::of([2, 2], vec![6.0, 0.0, 0.0, 12.0]));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As [`jacobian`], for the shapes of each two inputs, and [`ErrorKind::Shape`] if the value of `f` is not a single number.
///
/// # Panics
/// As [`jvp`].
#[track_caller]
pub fn hessian<F: Real, G>(f: G, x: &[Tensor<F>]) -> Result<Vec<Vec<Tensor<F>>>, Error>
where
    G: for<'t> FnOnce(&[Var<'t, F>]) -> Var<'t, F>,
{
    let mut tape = Tape::new();
    let r = tape.begin_eval();
    let (x, y) = recorded("hessian", r, f, x)?;
    scalar("hessian", y)?;
    r.restrict_to(&x);
    let g = y.vjp_recorded(y.constant(&y.one()), &x);
    g.into_iter().map(|g| rows("hessian", g, &x)).collect()
}

type Recorded<'t, F> = (Vec<Var<'t, F>>, Var<'t, F>);

/// The inputs as variables, and the value.
#[track_caller]
fn recorded<'t, F: Real, G>(who: &str, r: &'t Recording<F>, f: G, x: &[Tensor<F>]) -> Result<Recorded<'t, F>, Error>
where
    G: FnOnce(&[Var<'t, F>]) -> Var<'t, F>,
{
    if x.is_empty() {
        return Err(Error::new(ErrorKind::Shape, format!("{who}: no inputs: there is nothing to differentiate by")));
    }
    let x: Vec<_> = x.iter().map(|t| r.variable(t)).collect();
    let y = f(&x);
    Ok((x, y))
}

fn first_order<'t, F: Real>(y: Var<'t, F>, x: &[Var<'t, F>]) -> Result<Vec<Tensor<F>>, Error> {
    y.recording().restrict_to(x);
    y.grads_of(x)
}

/// One sweep for each element of `y`, each into a row of the Jacobians.
fn rows<'t, F: Real>(who: &str, y: Var<'t, F>, x: &[Var<'t, F>]) -> Result<Vec<Tensor<F>>, Error> {
    let zeros = |x: &Var<'_, F>| Tensor::try_filled(joined(who, y.shape(), x.shape())?, F::zero());
    let mut all = x.iter().map(zeros).collect::<Result<Vec<_>, Error>>()?;
    for k in 0..y.shape().size() {
        let row = Var::pulled(&[(y, Tensor::from_fn(y.shape(), |e| f64::from(e == k)))], x)?;
        for (whole, row) in all.iter_mut().zip(row) {
            let n = row.shape().size();
            whole.data_mut()[k * n..(k + 1) * n].copy_from_slice(row.data());
        }
    }
    Ok(all)
}

/// The seeds of a derivative along a direction.
fn along<'t, F: Real>(x_bar: Vec<Var<'t, F>>, x_dot: &[Tensor<F>]) -> Vec<(Var<'t, F>, Tensor<F>)> {
    x_bar.into_iter().zip(x_dot.iter().cloned()).collect()
}

fn joined(who: &str, y: Shape, x: Shape) -> Result<Shape, Error> {
    let both = [&*y, &*x].concat();
    Shape::try_new(&both).map_err(|_| {
        let message =
            format!("{who}: shapes {y} and {x} together have {} axes, but at most 6 are supported", both.len());
        Error::new(ErrorKind::Shape, message)
    })
}

fn scalar<F: Real>(who: &str, y: Var<'_, F>) -> Result<(), Error> {
    if y.shape().size() == 1 {
        return Ok(());
    }
    let message = format!(
        "{who}: the value of the function has shape {}, it is not a single number; sum() or mean() make one, vjp and \
         jacobian take any shape",
        y.shape()
    );
    Err(Error::new(ErrorKind::Shape, message))
}

fn check_tangents<F: Real>(who: &str, x: &[Tensor<F>], x_dot: &[Tensor<F>]) -> Result<(), Error> {
    let error = |message| Err(Error::new(ErrorKind::Shape, message));
    if x.len() != x_dot.len() {
        return error(format!("{who}: {} tangents for {} inputs", x_dot.len(), x.len()));
    }
    match x.iter().zip(x_dot).position(|(x, x_dot)| x.shape() != x_dot.shape()) {
        None => Ok(()),
        Some(i) => {
            let (x, x_dot) = (x[i].shape(), x_dot[i].shape());
            error(format!("{who}: a tangent of shape {x_dot} for input {i} of shape {x}"))
        }
    }
}
