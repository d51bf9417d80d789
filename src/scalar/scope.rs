//! Sub-computations that are swept at once (preaccumulation): what stays of them is a record for each of their inputs.
use super::{
    Scalar, Var,
    sweep::{guarded, zeros},
    tape::{Memory, Record, foreign},
};

/// `f(inputs)`, recorded apart and swept at once: only its derivatives with respect to `inputs` stay on the tape.
///
/// For parts with many operations and few inputs: the tape stays short, so that it fits into the processor's caches. The
/// derivatives are those without the scope.
///
/// ```
/// use chainrule::scalar;
/// let g: Vec<f64> = scalar::grad(
///     |x| {
///         let orbit = scalar::scope(&x[..2], |x| (0..100).fold(x[0], |z, _| x[1] * z * (1.0 - z)));
///         orbit * x[2] // the hundred steps are two records now
///     },
///     &[0.3, 2.9, 1.0],
/// );
/// assert!((g[2] - 1.9 / 2.9).abs() < 1e-4);
/// ```
///
/// # Panics
/// As `f`, and if variables of two tapes meet: `f` may use nothing but its arguments and constants.
#[track_caller]
pub fn scope<'t, S: Scalar, G>(inputs: &[Var<'t, S>], f: G) -> Var<'t, S>
where
    G: for<'s> FnOnce(&[Var<'s, S>]) -> Var<'s, S>,
{
    let mut f = Some(f);
    sum_over(inputs, [()], |x, ()| f.take().expect("one term")(x))
}

/// The sum of `f(inputs, term)` over `terms`, each recorded apart and swept at once, as in [`scope`]: for losses that are sums
/// over data. The tape needs room for one term, whatever their number.
///
/// ```
/// use chainrule::scalar;
/// let data = [(0.0, 1.0), (1.0, 3.1), (2.0, 4.9)];
/// let g: Vec<f64> = scalar::grad(|w| scalar::sum_over(w, &data, |w, (x, y)| (w[0] * *x + w[1] - *y).square()), &[2.0, 1.0]);
/// assert!((g[0] - 0.2).abs() < 1e-12 && g[1].abs() < 1e-12);
/// ```
///
/// # Panics
/// As [`scope`].
#[track_caller]
pub fn sum_over<'t, S: Scalar, I, G>(inputs: &[Var<'t, S>], terms: impl IntoIterator<Item = I>, mut f: G) -> Var<'t, S>
where
    G: for<'s> FnMut(&[Var<'s, S>], I) -> Var<'s, S>,
{
    let outer = inputs.iter().find(|x| !x.is_constant()).map(|x| x.at);
    if inputs.iter().any(|x| !x.is_constant() && outer.is_some_and(|at| !x.at.beside(at))) {
        foreign();
    }
    let Some(outer) = outer.and_then(|at| at.records()) else {
        let constants: Vec<_> = inputs.iter().map(|x| Var::constant(x.v)).collect();
        return terms
            .into_iter()
            .map(|term| f(&constants, term))
            .inspect(|y| {
                if !y.is_constant() {
                    foreign()
                }
            })
            .fold(Var::constant(S::zero()), |sum, y| Var::constant(sum.v + y.v));
    };
    let mut inner = outer.more.inner.take().unwrap_or_default();
    let mut total = S::zero();
    let result = inner.with_vars(inputs.iter().map(|x| x.v), |tape, x| {
        let mut bars = tape.0.more.bars.take();
        for term in terms {
            let y = f(x, term);
            total += y.v;
            tape.0.add_swept(y, x.len(), &mut bars);
        }
        let bars_of_inputs = zeros(&mut bars, x.len());
        let result = combination(total, inputs, bars_of_inputs);
        bars_of_inputs.fill(S::zero());
        tape.0.more.bars.replace(bars);
        result
    });
    outer.more.inner.replace(Some(inner));
    result
}

impl<S: Scalar> Memory<S> {
    /// Adds the derivatives of `y` with respect to the first `inputs` records, and forgets all others.
    #[track_caller]
    fn add_swept(&self, y: Var<'_, S>, inputs: usize, bars: &mut Vec<S>) {
        if self.owns(&y) {
            let bars = zeros(bars, inputs.max(y.at.index() as usize + 1));
            bars[y.at.index() as usize] += y.d;
            // No second try, as in `sweep`: the terms before are in the sums already.
            self.pass::<false, 1>(bars.as_chunks_mut().0, inputs, guarded);
        }
        self.truncate(inputs);
    }
}

/// A number with a record for each input but the first: the sum of their products with `slopes`, as derivative.
fn combination<'t, S: Scalar>(value: S, inputs: &[Var<'t, S>], slopes: &[S]) -> Var<'t, S> {
    let mut sum = Var::constant(value);
    for (x, slope) in inputs.iter().zip(slopes) {
        let d = slope.chain(x.d);
        if x.is_constant() || d.nothing() {
            continue;
        }
        sum = match () {
            () if sum.is_constant() => Var { d, ..*x },
            () if sum.at == x.at => Var { d: sum.d + d, ..sum },
            () => {
                let record = Record { d0: sum.d, d1: d, i0: sum.at.index(), i1: x.at.index() };
                Var::node(value, sum.at.push(x.at, record, foreign))
            }
        };
    }
    Var { v: value, ..sum }
}
