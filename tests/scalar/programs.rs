//! Random programs with sharing, judged by central differences, by the tests' own duals, and by the tensor tape.
use crate::dual::{Dual, Num};
use chainrule::{
    core::TensorLike,
    prelude::{Tape, Tensor},
    scalar::{self, Scalar},
};
use proptest::{prelude::*, test_runner::FileFailurePersistence};

/// One operation on results that are there already.
#[derive(Clone, Copy, Debug)]
struct Step {
    op: u8,
    a: u16,
    b: u16,
    c: f64,
}

const OPS: u8 = 17;
const INPUTS: usize = 4;

/// What a program needs of a number, in the words of none of those who judge.
trait Judge: Copy {
    fn constant(self, c: f64) -> Self;
    fn binary(self, op: u8, b: Self) -> Self;
    fn unary(self, op: u8) -> Self;
}

/// The steps one after the other; values stay between -10 and 10, and away from edges.
fn run<T: Judge>(steps: &[Step], inputs: &[T]) -> T {
    let mut values = inputs.to_vec();
    for step in steps {
        let (a, b) = (values[step.a as usize % values.len()], values[step.b as usize % values.len()]);
        let c = a.constant(step.c);
        values.push(match step.op {
            0 => a.binary(0, b),
            1 => a.binary(1, b),
            2 => a.binary(2, b).unary(0),
            3 => a.binary(2, a).unary(0),                                // one number twice
            4 => a.binary(3, b.binary(2, b).binary(0, a.constant(1.5))), // a / (b^2 + 1.5)
            5 => a.binary(2, c),
            6 => c.binary(1, a),
            7 => c.binary(3, a.binary(2, a).binary(0, a.constant(2.0))), // a constant over something
            8 => a.unary(2).binary(2, b.unary(3)).unary(1),
            9 => a.binary(2, a).binary(0, a.constant(0.5)).unary(4), // ln(a^2 + 0.5)
            10 => a.binary(2, a).binary(0, a.constant(0.7)).unary(5), // sqrt
            11 => a.unary(1).unary(6),                               // exp of a cosine
            12 => a.unary(2),
            13 => a.unary(3),
            op => a.unary(op - 7), // 7, 8, 9
        });
        // Sums grow: what is large is turned into something small, the same by everyone.
        let last = values.len() - 1;
        if step.op < 2 || step.op > 4 {
            values[last] = values[last].binary(2, a.constant(0.4)).unary(0).binary(2, a.constant(2.0));
        }
    }
    let used = values[values.len().saturating_sub(3)..].to_vec();
    used.into_iter().reduce(|a, b| a.binary(2, b).binary(0, a)).unwrap()
}

macro_rules! judge { ($($t:ty, [$($g:tt)*], $constant:expr, $erf:expr, $softplus:expr, $powi:expr;)*) => { $(
    impl<$($g)*> Judge for $t {
        fn constant(self, c: f64) -> Self {
            $constant(self, c)
        }
        fn binary(self, op: u8, b: Self) -> Self {
            match op {
                0 => self + b,
                1 => self - b,
                2 => self * b,
                _ => self / b,
            }
        }
        fn unary(self, op: u8) -> Self {
            match op {
                0 => self.sin(),
                1 => self.cos(),
                2 => self.tanh(),
                3 => self.sigmoid(),
                4 => self.ln(),
                5 => self.sqrt(),
                6 => self.exp(),
                _ => [$erf, $softplus, $powi][usize::from(op) % 3](self),
            }
        }
    }
)* } }
judge! {
    scalar::Var<'t, S>, ['t, S: Scalar], |_, c: f64| c.into(), |x: Self| x.erf(), |x: Self| x.softplus(), |x: Self| -x.powi(2);
    scalar::Trace<'t, f64>, ['t], |_, c: f64| c.into(), |x: Self| x.erf(), |x: Self| x.softplus(), |x: Self| -x.powi(2);
    scalar::Trace<'t, f32>, ['t], |_, c: f64| c.into(), |x: Self| x.erf(), |x: Self| x.softplus(), |x: Self| -x.powi(2);
    scalar::Dual<S, N>, [S: Scalar, const N: usize], |_, c: f64| c.into(), |x: Self| x.erf(), |x: Self| x.softplus(), |x: Self| -x.powi(2);
    scalar::Jet<N, S>, [S: Scalar, const N: usize], |_, c: f64| c.into(), |x: Self| x.erf(), |x: Self| x.softplus(), |x: Self| -x.powi(2);
    chainrule::prelude::Var<'t, f64>, ['t], |x: Self, c: f64| x * 0.0 + c, |x: Self| x.erf(), |x: Self| x.softplus(), |x: Self| -x.powi(2);
}
/// The judges of the tests' own: everything from arithmetic, exp, ln, sqrt, sin and cos.
#[derive(Clone, Copy)]
struct Own<N>(N);
impl<N: Num> Judge for Own<N> {
    fn constant(self, c: f64) -> Self {
        Self(N::c(c))
    }
    fn binary(self, op: u8, b: Self) -> Self {
        Self(match op {
            0 => self.0 + b.0,
            1 => self.0 - b.0,
            2 => self.0 * b.0,
            _ => self.0 / b.0,
        })
    }
    fn unary(self, op: u8) -> Self {
        let x = self.0;
        Self(match op {
            0 => x.sin(),
            1 => x.cos(),
            2 => x.tanh(),
            3 => x.sigmoid(),
            4 => x.ln(),
            5 => x.sqrt(),
            6 => x.exp(),
            _ => [N::erf, N::softplus, |x: N| -x.powi(2)][usize::from(op) % 3](x),
        })
    }
}

fn own(steps: &[Step], x: &[f64]) -> f64 {
    run(steps, &x.iter().map(|&x| Own(x)).collect::<Vec<_>>()).0
}

/// Gradient by forward mode of the tests' own.
fn own_gradient(steps: &[Step], x: &[f64]) -> Vec<f64> {
    let at = |k: usize| {
        let x: Vec<_> = x.iter().enumerate().map(|(j, &v)| Own(Dual { v, d: f64::from(j == k) })).collect();
        run(steps, &x).0.d
    };
    (0..x.len()).map(at).collect()
}

/// Hessian by forward over forward of the tests' own.
fn own_hessian(steps: &[Step], x: &[f64]) -> Vec<Vec<f64>> {
    let at = |i: usize, j: usize| {
        let one = |k: usize| Dual { v: x[k], d: f64::from(k == i) };
        let two = |k: usize| Own(Dual { v: one(k), d: Dual { v: f64::from(k == j), d: 0.0 } });
        run(steps, &(0..x.len()).map(two).collect::<Vec<_>>()).0.d.d
    };
    (0..x.len()).map(|i| (0..x.len()).map(|j| at(i, j)).collect()).collect()
}

/// The first three derivatives along a line, by the tests' own duals.
fn own_along(steps: &[Step], x: &[f64], v: &[f64]) -> [f64; 3] {
    let number = |(&x, &d): (&f64, &f64)| {
        let one = Dual { v: x, d };
        let slope = Dual { v: d, d: 0.0 };
        let two = Dual { v: one, d: slope };
        Own(Dual { v: two, d: Dual { v: slope, d: Dual { v: 0.0, d: 0.0 } } })
    };
    let y = run(steps, &x.iter().zip(v).map(number).collect::<Vec<_>>()).0;
    [y.v.v.d, y.v.d.d, y.d.d.d]
}

fn by_tensors(steps: &[Step], x: &[f64]) -> (f64, Vec<f64>) {
    let mut tape = Tape::new();
    let r = tape.begin();
    let x: Vec<_> = x.iter().map(|&x| r.variable(&Tensor::of([1], vec![x]))).collect();
    let y = run(steps, &x).sum();
    let value = y.item();
    (value, y.grads_of(&x).unwrap().iter().map(|g| g.data()[0]).collect())
}

/// How large a vector is, at least 1: what rounding on the way is measured by.
fn size(x: &[f64]) -> f64 {
    x.iter().fold(1.0, |m, x| m.max(x.abs()))
}

fn close(name: &str, a: &[f64], b: &[f64], tolerance: f64) -> Result<(), TestCaseError> {
    let scale = size(b);
    for (k, (x, y)) in a.iter().zip(b).enumerate() {
        prop_assert!((x - y).abs() <= tolerance * scale, "{name}, entry {k}: {x:e} and {y:e} of {scale:e}");
    }
    prop_assert_eq!(a.len(), b.len());
    Ok(())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..OPS, any::<u16>(), any::<u16>(), 0.3..2.0f64);
    prop::collection::vec(step.prop_map(|(op, a, b, c)| Step { op, a, b, c }), 1..40)
}

fn config() -> ProptestConfig {
    let cases = if std::env::var_os("CHAINRULE_DEEP").is_some() { 20_000 } else { 256 };
    let failure_persistence = Some(Box::new(FileFailurePersistence::WithSource("regressions")) as Box<_>);
    ProptestConfig { cases, failure_persistence, source_file: Some("tests/scalar.rs"), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn gradients_of_random_programs(steps in steps(), x in prop::collection::vec(-1.5..1.5f64, INPUTS)) {
        let (value, g) = scalar::value_and_grad(|x| run(&steps, x), &x);
        close("value", &[value], &[own(&steps, &x)], 1e-12)?;
        close("duals", &g, &own_gradient(&steps, &x), 1e-11)?;
        let (tensor, tg) = by_tensors(&steps, &x);
        close("tensor value", &[value], &[tensor], 1e-12)?;
        close("tensor tape", &g, &tg, 1e-12)?;
        // Forward mode of the crate, all directions at once and along one.
        let duals: Vec<_> = (0..INPUTS).map(|k| scalar::Dual::new(x[k], std::array::from_fn::<_, INPUTS, _>(|j| f64::from(j == k)))).collect();
        close("forward", &g, &run(&steps, &duals).tangent(), 1e-12)?;
        // A program that was recorded elsewhere, replayed here and at other points, gives the bits of a recording.
        replays::<f64>(&steps, &x)?;
        replays::<f32>(&steps, &x)?;
        // A used tape gives the bits of a new one.
        let (mut tape, mut again) = (scalar::Tape::new(), vec![0.0; INPUTS]);
        tape.value_and_grad(|x| run(&steps[..steps.len() / 2], x), &x, &mut again);
        tape.value_and_grad(|x| run(&steps, x), &x, &mut again);
        prop_assert_eq!(&again, &g);
    }

    #[test]
    fn central_differences_of_random_programs(steps in steps(), x in prop::collection::vec(-1.5..1.5f64, INPUTS)) {
        let g = scalar::grad(|x| run(&steps, x), &x);
        let h = f64::EPSILON.cbrt();
        let at = |k: usize, h: f64| {
            let mut x = x.clone();
            x[k] += h;
            own(&steps, &x)
        };
        // What the difference itself is off by: its neighbour with twice the step tells.
        for k in 0..INPUTS {
            let [near, far] = [h, 2.0 * h].map(|h| (at(k, h) - at(k, -h)) / (2.0 * h));
            let allowed = 1e-6 * size(&g) + 2.0 * (near - far).abs();
            prop_assert!((near - g[k]).abs() <= allowed, "entry {k}: {near:e} and {:e}", g[k]);
        }
    }

    #[test]
    fn hessians_of_random_programs(steps in steps(), x in prop::collection::vec(-1.5..1.5f64, INPUTS)) {
        let h = scalar::hessian(|x| run(&steps, x), &x);
        let right = own_hessian(&steps, &x);
        let scale = size(&right.concat());
        close("duals", &h.concat(), &right.concat(), 1e-10)?;
        for i in 0..INPUTS {
            for j in 0..i {
                prop_assert!((h[i][j] - h[j][i]).abs() <= 1e-12 * scale, "{i}, {j}: {:e} and {:e}", h[i][j], h[j][i]);
            }
        }
        let nested = scalar::jacobian(|x| gradient(&steps, x), &x);
        close("reverse over reverse", &nested.concat(), &h.concat(), 1e-12)?;
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn series_of_random_programs(
        steps in steps(),
        x in prop::collection::vec(-1.5..1.5f64, INPUTS),
        v in prop::collection::vec(-1.0..1.0f64, INPUTS),
    ) {
        let line: Vec<_> = x.iter().zip(&v).map(|(&x, &v)| scalar::Jet::<6>::new(x, [v, 0.0, 0.0, 0.0, 0.0, 0.0])).collect();
        let y = run(&steps, &line);
        let (value, g) = scalar::value_and_grad(|x| run(&steps, x), &x);
        prop_assert_eq!(y.value(), value);
        close("own duals", &y.derivatives()[1..4], &own_along(&steps, &x, &v), 1e-9)?;
        close("gradient", &[y.coefficient(1)], &[g.iter().zip(&v).map(|(g, v)| g * v).sum()], 1e-12)?;
        // The series at a step along the line is what differs by the rest: seven orders smaller steps, each.
        let at = |t: f64| own(&steps, &x.iter().zip(&v).map(|(x, v)| x + t * v).collect::<Vec<_>>());
        let series = |t: f64| y.coefficients().iter().rev().fold(0.0, |sum, c| sum * t + c);
        // Next to a program's own scale a coefficient too large for this step says nothing.
        if size(&y.coefficients()) < 100.0 {
            close("a step", &[series(1e-3)], &[at(1e-3)], 1e-9)?;
        }
        // A shorter series is the beginning of a longer one.
        let short: Vec<_> = x.iter().zip(&v).map(|(&x, &v)| scalar::Jet::<2>::new(x, [v, 0.0])).collect();
        prop_assert_eq!(run(&steps, &short).coefficients(), &y.coefficients()[..3]);
    }
}

macro_rules! replays { ($($f:ident)*) => { $(
    impl Replays for $f {
        fn rounded(x: f64) -> $f {
            x as $f
        }
        fn bits(self) -> u64 {
            // A sum of two NaNs may be either of them.
            if self.is_nan() { f64::NAN.to_bits() } else { f64::from(self).to_bits() }
        }
        fn replay(steps: &[Step], x: &[$f], values: &mut [$f], gradients: &mut [$f]) -> usize {
            let mut compiled = scalar::Compiled::record(|x| run(steps, x), &[0.1; INPUTS]);
            let (one, rest) = gradients.split_at_mut(INPUTS);
            values[0] = compiled.value_and_grad(&x[..INPUTS], one);
            compiled.values_and_grads(&x[INPUTS..], &mut values[1..], rest);
            compiled.recordings()
        }
    }
)* } }
trait Replays: Scalar {
    fn rounded(x: f64) -> Self;
    fn bits(self) -> u64;
    fn replay(steps: &[Step], x: &[Self], values: &mut [Self], gradients: &mut [Self]) -> usize;
}
replays! { f32 f64 }

/// One point, then more than the lanes hold.
fn replays<S: Replays>(steps: &[Step], x: &[f64]) -> Result<(), TestCaseError> {
    const POINTS: usize = 40;
    let at = |k: usize| x.iter().map(move |x| if k == 0 { *x } else { (x * k as f64 * 1.37).sin() * 1.5 });
    let points: Vec<S> = (0..POINTS).flat_map(at).map(S::rounded).collect();
    let (mut values, mut gradients) = ([S::zero(); POINTS], vec![S::zero(); POINTS * INPUTS]);
    prop_assert_eq!(S::replay(steps, &points, &mut values, &mut gradients), 1);
    let bits = |x: &[S]| x.iter().map(|x| x.bits()).collect::<Vec<_>>();
    for (k, x) in points.chunks(INPUTS).enumerate() {
        let (value, g) = scalar::value_and_grad(|x| run(steps, x), x);
        prop_assert_eq!(value.bits(), values[k].bits(), "value at point {}", k);
        prop_assert_eq!(bits(&g), bits(&gradients[k * INPUTS..][..INPUTS]), "gradient at point {}", k);
    }
    Ok(())
}

fn gradient<'t>(steps: &[Step], x: &[scalar::Var<'t>]) -> Vec<scalar::Var<'t>> {
    scalar::grad(|x| run(steps, x), x)
}
