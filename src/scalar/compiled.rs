//! Programs that are recorded once and repeated at other points.
use super::{
    Scalar, Trace,
    lower::{Path, lower},
    paths::{Batch, Paths},
    recorder::Recorder,
    tape::same_length,
};
use crate::{
    error::{Error, ErrorKind},
    kernel::Programs,
};

/// A function of one result, recorded at one point and repeated at others: its branches are not taken again, but checked.
///
/// Whatever could change the path of the program (comparisons, `is_nan`, casts, ..) was noted with its answer. A point with another
/// answer is never evaluated by the wrong path: [`value_and_grad`](Self::value_and_grad) records anew there,
/// [`try_value_and_grad`](Self::try_value_and_grad) gives an error. Up to eight paths are kept, and a point is tried on each of them
/// before it is recorded; one more takes the place of an old one.
///
/// Values and gradients are those of [`Tape::value_and_grad`](super::Tape::value_and_grad), to the bit, also for several points at a
/// time. Nothing is allocated after the first evaluation of a path.
///
/// ```
/// use chainrule::scalar::Compiled;
/// let mut f = Compiled::record(|x| if x[0] > 0.0 { x[0] * x[1] } else { x[1].exp() }, &[1.0, 2.0]);
/// let mut g = [0.0; 2];
/// assert_eq!((f.value_and_grad(&[3.0, 4.0], &mut g), g, f.recordings()), (12.0, [4.0, 3.0], 1));
/// assert!(f.try_value_and_grad(&[-1.0, 0.0], &mut g).is_err());
/// assert_eq!((f.value_and_grad(&[-1.0, 0.0], &mut g), g, f.recordings()), (1.0, [0.0, 1.0], 2));
///
/// // Several points, one after the other in one slice. Both paths are there now.
/// let (mut y, mut g) = ([0.0; 3], [0.0; 6]);
/// f.values_and_grads(&[-1.0, 0.0, 2.0, 5.0, -3.0, 1.0], &mut y, &mut g);
/// assert_eq!((y[1], &g[2..4], f.recordings()), (10.0, &[5.0, 2.0][..], 2));
/// ```
pub struct Compiled<S, G> {
    f: G,
    paths: Paths<S>,
}

impl<S: Scalar + Programs, G> Compiled<S, G>
where
    G: for<'t> Fn(&[Trace<'t, S>]) -> Trace<'t, S>,
{
    /// Records `f` at `x`.
    ///
    /// # Panics
    /// As `f`, and if it gives a number of another recording.
    #[track_caller]
    pub fn record(f: G, x: &[S]) -> Self {
        let paths = Paths::new(recorded(|x| [f(x)], x));
        Self { f, paths }
    }

    /// How often the function was recorded so far: more than once if points took other branches.
    pub fn recordings(&self) -> usize {
        self.paths.recordings
    }

    /// How many operations and how many guards the path has that was taken last.
    pub fn size(&self) -> (usize, usize) {
        self.paths.size()
    }

    /// The gradient at `x`; records anew if `x` takes another branch.
    ///
    /// ```
    /// use chainrule::scalar::Compiled;
    /// let mut f = Compiled::record(|x| (x[0] * x[1]).exp(), &[0.1, 0.2]);
    /// assert_eq!(f.grad(&[0.0, 3.0]), [3.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// As [`value_and_grad`](Self::value_and_grad).
    #[track_caller]
    pub fn grad(&mut self, x: &[S]) -> Vec<S> {
        let mut gradient = vec![S::zero(); x.len()];
        self.value_and_grad(x, &mut gradient);
        gradient
    }

    /// The value at `x`, with the gradient in `gradient`; records anew if `x` takes another branch.
    ///
    /// # Panics
    /// As `f`, and if `x` or `gradient` has not the length of the recorded point.
    #[track_caller]
    pub fn value_and_grad(&mut self, x: &[S], gradient: &mut [S]) -> S {
        check(&self.paths, "value_and_grad", [x.len(), gradient.len()], [1, 1]);
        let mut value = [S::zero()];
        let Self { f, paths } = self;
        paths.one_or_new(&mut Batch { x, values: &mut value, rows: gradient }, |x| recorded(|x| [f(x)], x));
        value[0]
    }

    /// As [`value_and_grad`](Self::value_and_grad) for points that take a recorded path.
    ///
    /// # Errors
    /// [`ErrorKind::Branch`] if `x` takes none of the paths that are kept; then `gradient` is as before.
    ///
    /// # Panics
    /// If `x` or `gradient` has not the length of the recorded point.
    #[track_caller]
    pub fn try_value_and_grad(&mut self, x: &[S], gradient: &mut [S]) -> Result<S, Error> {
        check(&self.paths, "try_value_and_grad", [x.len(), gradient.len()], [1, 1]);
        let mut value = [S::zero()];
        match self.paths.one(&mut Batch { x, values: &mut value, rows: gradient }) {
            true => Ok(value[0]),
            false => Err(branch("value_and_grad")),
        }
    }

    /// The values and gradients at several points, which stand one after the other in `x` as their gradients do in `gradients`.
    /// Many at a time; points that take another branch are sorted out, and evaluated or recorded by themselves.
    ///
    /// # Panics
    /// As `f`, and if `x` and `gradients` have not the recorded point's length for each number of `values`.
    #[track_caller]
    pub fn values_and_grads(&mut self, x: &[S], values: &mut [S], gradients: &mut [S]) {
        check(&self.paths, "values_and_grads", [x.len(), gradients.len()], [values.len(), 1]);
        let Self { f, paths } = self;
        paths.many(values.len(), &mut Batch { x, values, rows: gradients }, |x| recorded(|x| [f(x)], x));
    }
}

/// A function of `M` results, recorded once and repeated at other points with its Jacobian: as [`Compiled`] otherwise.
///
/// ```
/// use chainrule::scalar::CompiledMany;
/// let mut polar = CompiledMany::record(|x| [x[0] * x[1].cos(), x[0] * x[1].sin()], &[1.0, 0.5]);
/// let mut rows = [0.0; 4];
/// assert_eq!(polar.values_and_jacobian(&[2.0, 0.0], &mut rows), [2.0, 0.0]);
/// assert_eq!(rows, [1.0, 0.0, 0.0, 2.0]);
/// ```
pub struct CompiledMany<S, G, const M: usize> {
    f: G,
    paths: Paths<S>,
}

impl<S: Scalar + Programs, G, const M: usize> CompiledMany<S, G, M>
where
    G: for<'t> Fn(&[Trace<'t, S>]) -> [Trace<'t, S>; M],
{
    /// Records `f` at `x`.
    ///
    /// # Panics
    /// As `f`, and if it gives a number of another recording.
    #[track_caller]
    pub fn record(f: G, x: &[S]) -> Self {
        let paths = Paths::new(recorded(&f, x));
        Self { f, paths }
    }

    /// As [`Compiled::recordings`].
    pub fn recordings(&self) -> usize {
        self.paths.recordings
    }

    /// As [`Compiled::size`].
    pub fn size(&self) -> (usize, usize) {
        self.paths.size()
    }

    /// The values at `x`; their derivatives are put into `rows`, those of a result one after the other. Records anew if `x` takes
    /// another branch.
    ///
    /// # Panics
    /// As `f`, if `x` has not the length of the recorded point, and if `rows` has not `M` times that.
    #[track_caller]
    pub fn values_and_jacobian(&mut self, x: &[S], rows: &mut [S]) -> [S; M] {
        check(&self.paths, "values_and_jacobian", [x.len(), rows.len()], [1, M]);
        let mut values = [S::zero(); M];
        let Self { f, paths } = self;
        paths.one_or_new(&mut Batch { x, values: &mut values, rows }, |x| recorded(&*f, x));
        values
    }

    /// As [`values_and_jacobian`](Self::values_and_jacobian) for points that take a recorded path.
    ///
    /// # Errors
    /// [`ErrorKind::Branch`] if `x` takes none of the paths that are kept; then `rows` is as before.
    ///
    /// # Panics
    /// If the lengths do not fit.
    #[track_caller]
    pub fn try_values_and_jacobian(&mut self, x: &[S], rows: &mut [S]) -> Result<[S; M], Error> {
        check(&self.paths, "try_values_and_jacobian", [x.len(), rows.len()], [1, M]);
        let mut values = [S::zero(); M];
        match self.paths.one(&mut Batch { x, values: &mut values, rows }) {
            true => Ok(values),
            false => Err(branch("values_and_jacobian")),
        }
    }

    /// The same at several points: `M` values for each in `values`, and its `M` rows in `rows`, one point after the other.
    ///
    /// ```
    /// use chainrule::scalar::CompiledMany;
    /// let mut f = CompiledMany::record(|x| [x[0].square(), x[0].exp()], &[1.0]);
    /// let (mut y, mut rows) = ([0.0; 4], [0.0; 4]);
    /// f.values_and_jacobians(&[0.0, 3.0], &mut y, &mut rows);
    /// assert_eq!((&y[..3], rows[2]), (&[0.0, 1.0, 9.0][..], 6.0));
    /// ```
    ///
    /// # Panics
    /// As `f`, and if the lengths do not fit.
    #[track_caller]
    pub fn values_and_jacobians(&mut self, x: &[S], values: &mut [S], rows: &mut [S]) {
        let points = values.len() / M.max(1);
        same_length("values_and_jacobians", "values", values.len(), points * M);
        check(&self.paths, "values_and_jacobians", [x.len(), rows.len()], [points, M]);
        let Self { f, paths } = self;
        paths.many(points, &mut Batch { x, values, rows }, |x| recorded(&*f, x));
    }
}

#[track_caller]
fn check<S: Scalar + Programs>(paths: &Paths<S>, function: &str, [x, rows]: [usize; 2], [points, results]: [usize; 2]) {
    same_length(function, "x", x, points * paths.inputs());
    same_length(function, "gradient", rows, points * results * paths.inputs());
}

#[cold]
fn branch(twin: &str) -> Error {
    let text = format!(
        "scalar::Compiled: the point takes another branch than the recorded one\nhelp: `{twin}` records anew at such points"
    );
    Error::new(ErrorKind::Branch, text)
}

#[track_caller]
fn recorded<S: Scalar + Programs, G, const M: usize>(f: G, x: &[S]) -> Path<S>
where
    G: for<'t> Fn(&[Trace<'t, S>]) -> [Trace<'t, S>; M],
{
    let recorder = Recorder::new(x.len());
    let answers = {
        let x: Vec<_> = (0..).zip(x).map(|(i, &v)| Trace::input(&recorder, i, v)).collect();
        f(&x).map(|y| y.answer(&recorder))
    };
    lower(recorder.into_notes(), &answers)
}
