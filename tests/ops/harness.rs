//! What is checked of every row, whatever its op.
use crate::{
    array::Arr,
    case::{Domain, Draw, Kind, Points},
    dual::{Dual, Num},
};
use chainrule::prelude::*;
use proptest::{
    prelude::*,
    test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner},
};

pub type Dual1 = Dual<f64>;
pub type Dual2 = Dual<Dual<f64>>;
type Checked = Result<(), TestCaseError>;

/// A row of the table.
pub trait Row: Sync {
    fn name(&self) -> &'static str;
    fn shapes(&self, d: &Draw) -> Vec<Vec<usize>>;
    fn domains(&self) -> &'static [Domain];
    /// Relative, against dual numbers.
    fn tolerance(&self) -> f64;
    fn tensor(&self, d: &Draw, x: &[Tensor<f64>]) -> Tensor<f64>;
    fn tensor32(&self, d: &Draw, x: &[Tensor]) -> Tensor;
    fn var<'t>(&self, d: &Draw, x: &[Var<'t, f64>]) -> Var<'t, f64>;
    fn var32<'t>(&self, d: &Draw, x: &[Var<'t>]) -> Var<'t>;
    fn dual(&self, d: &Draw, x: &[Arr<Dual1>]) -> Arr<Dual1>;
    fn dual2(&self, d: &Draw, x: &[Arr<Dual2>]) -> Arr<Dual2>;

    fn domain(&self, i: usize) -> Domain {
        self.domains()[i.min(self.domains().len() - 1)]
    }
    fn inputs(&self, d: &Draw) -> Vec<Tensor<f64>> {
        let (mut points, mut grid) = (Points::new(d.seed), vec![]);
        let shapes = self.shapes(d).into_iter().enumerate();
        shapes.map(|(i, shape)| self.domain(i).draw(&shape, &mut points, &mut grid)).collect()
    }
}

/// Runs a property on 256 random cases, or 100,000 if `CHAINRULE_DEEP` is set.
pub fn cases(row: &dyn Row, property: fn(&dyn Row, &Draw) -> Checked) {
    let cases = if std::env::var_os("CHAINRULE_DEEP").is_some() { 100_000 } else { 256 };
    let failure_persistence = Some(Box::new(FileFailurePersistence::WithSource("regressions")) as Box<_>);
    let config = Config { cases, failure_persistence, source_file: Some("tests/ops.rs"), ..Config::default() };
    if let Err(e) = TestRunner::new(config).run(&Draw::any(), |d| property(row, &d)) {
        panic!("{}: {e}", row.name());
    }
}

/// `|a - b| <= absolute + relative * scale`, or both NaN, or both the same infinity.
#[track_caller]
fn close(what: &str, a: f64, b: f64, absolute: f64, relative: f64) -> Checked {
    let same = a == b || (a.is_nan() && b.is_nan());
    prop_assert!(same || (a - b).abs() <= absolute + relative, "{what}: {a:e} against {b:e}");
    Ok(())
}

/// A quotient over `h` must come close. Where a function bends within `h` (a standard deviation of numbers that are nearly
/// equal, a high power), its own error is larger than the tolerance: then the quotients of shorter steps must come close.
fn converges(what: &str, value: f64, h: f64, quotient: impl Fn(f64) -> f64, tolerance: impl Fn(f64) -> f64) -> Checked {
    let tries = [1.0, 1.0 / 8.0, 1.0 / 64.0].map(|share| h * share);
    let near = |h: &f64| {
        let oracle = quotient(*h);
        value == oracle || (value - oracle).abs() <= tolerance(oracle) || (value.is_nan() && oracle.is_nan())
    };
    if tries.iter().any(near) {
        return Ok(());
    }
    let oracles = tries.map(quotient);
    prop_assert!(false, "{what}: {value:e} against {oracles:?} over steps of {tries:?}");
    Ok(())
}

/// Every element of an input of up to 64, else 8 random directions.
fn directions(n: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut points = Points::new(seed ^ 0xd12);
    match n {
        0..=64 => (0..n).map(|k| (0..n).map(|e| f64::from(e == k)).collect()).collect(),
        _ => (0..8).map(|_| (0..n).map(|_| points.within(-0.2, 0.2)).collect()).collect(),
    }
}

fn dot<'a>(a: impl IntoIterator<Item = &'a f64>, b: impl IntoIterator<Item = &'a f64>) -> f64 {
    a.into_iter().zip(b).map(|(a, b)| a * b).sum()
}

fn lift<N: Num>(t: &Tensor<f64>, f: impl Fn(usize, f64) -> N) -> Arr<N> {
    Arr { shape: t.shape().to_vec(), data: t.data().iter().enumerate().map(|(e, &x)| f(e, x)).collect() }
}

/// All inputs as dual numbers, with tangent `direction` for the inputs of which `moved` is true.
fn tangents(x: &[Tensor<f64>], direction: &[f64], moved: impl Fn(usize) -> bool) -> Vec<Arr<Dual1>> {
    let part = |k: usize, e: usize| if moved(k) { direction[e] } else { 0.0 };
    x.iter().enumerate().map(|(k, t)| lift(t, |e, v| Dual { v, d: part(k, e) })).collect()
}

/// A program at a point, with the weights of its outputs.
struct Probe<'a> {
    row: &'a dyn Row,
    d: &'a Draw,
    x: &'a [Tensor<f64>],
    w: &'a [f64],
}

impl Probe<'_> {
    /// Difference quotient of `<w, f>` along `v`, from the differences over 1, 2, .. steps with these shares.
    fn quotient(&self, i: usize, v: &[f64], h: f64, shares: &[f64]) -> f64 {
        let at = |step: f64| {
            let mut moved = self.x.to_vec();
            moved[i] = Tensor::from_fn(self.x[i].shape(), |e| self.x[i].data()[e] + step * v[e]);
            self.row.tensor(self.d, &moved)
        };
        let part = |(k, share): (usize, &f64)| {
            let step = h * (k + 1) as f64;
            let (above, below) = (at(step), at(-step));
            let difference: Vec<f64> = above.data().iter().zip(below.data()).map(|(a, b)| a - b).collect();
            share * dot(self.w, &difference) / h
        };
        shares.iter().enumerate().map(part).sum()
    }
}

/// The gradient of `<w, f(x)>`: two reverse sweeps, difference quotients of two orders, and forward mode.
pub fn first_order(row: &dyn Row, d: &Draw) -> Checked {
    let x = row.inputs(d);
    let mut tape = Tape::new();
    let r = tape.begin();
    let vars: Vec<_> = x.iter().map(|t| r.variable(t)).collect();
    let y = row.var(d, &vars);
    let plain = row.tensor(d, &x);
    prop_assert_eq!(&*y.shape(), &*plain.shape());
    let bits = |t: &Tensor<f64>| t.data().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    prop_assert_eq!(bits(&y.value()), bits(&plain), "recorded against plain");

    let w: Tensor<f64> = Points::new(!d.seed).tensor(&y.shape());
    let loss = (y * r.constant(&w)).sum();
    let generic: Vec<_> = loss.grads_recorded(&vars).iter().map(|g| g.value()).collect();
    let fused = loss.grads_of(&vars).unwrap();

    let naive = row.dual(d, &tangents(&x, &[], |_| false));
    prop_assert_eq!(&naive.shape[..], &plain.shape()[..]);
    for (a, b) in plain.data().iter().zip(&naive.data) {
        close("value", *a, b.v, 1e-13, row.tolerance() * b.v.abs().max(1.0))?;
    }
    let probe = Probe { row, d, x: &x, w: w.data() };
    for i in 0..x.len() {
        for (a, b) in fused[i].data().iter().zip(generic[i].data()) {
            close("fused against generic", *a, *b, 1e-13, 1e-12 * b.abs())?;
        }
        for v in directions(x[i].shape().size(), d.seed) {
            let reverse = dot(fused[i].data(), &v);
            let forward = row.dual(d, &tangents(&x, &v, |k| k == i));
            let terms: Vec<f64> = forward.data.iter().zip(w.data()).map(|(y, w)| y.d * w).collect();
            let condition: f64 = terms.iter().map(|t| t.abs()).sum();
            let forward = terms.iter().sum();
            let what = |oracle| format!("input {i}, direction {v:?}, {oracle}");
            close(&what("dual numbers"), reverse, forward, 1e-13, row.tolerance() * condition)?;

            if row.domain(i).points == Kind::Switch || row.name() == "detach" {
                continue;
            }
            let reach = |(e, x): (usize, &f64)| if v[e] == 0.0 { f64::INFINITY } else { row.domain(i).reach(*x) };
            let reach = x[i].data().iter().enumerate().map(reach).fold(f64::INFINITY, f64::min);
            let h = f64::EPSILON.cbrt() * reach;
            let central = |h| probe.quotient(i, &v, h, &[0.5]);
            let tolerance = |oracle: f64| 1e-8 + 1e-6 * oracle.abs();
            converges(&what("central differences"), reverse, h, central, tolerance)?;
            let h = f64::EPSILON.powf(1.0 / 7.0) * reach;
            let stencil = |h| probe.quotient(i, &v, h, &[0.75, -0.15, 1.0 / 60.0]);
            converges(&what("stencil of order 6"), reverse, h, stencil, |_| 1e-10 + 1e-9 * condition)?;
        }
    }
    alone(row, d, &x, &w, &fused)
}

/// A constant operand changes nothing for the other ones.
fn alone(row: &dyn Row, d: &Draw, x: &[Tensor<f64>], w: &Tensor<f64>, all: &[Tensor<f64>]) -> Checked {
    for i in 0..if x.len() > 1 { x.len() } else { 0 } {
        let mut tape = Tape::new();
        let r = tape.begin();
        let vars: Vec<_> =
            x.iter().enumerate().map(|(k, t)| if k == i { r.variable(t) } else { r.constant(t) }).collect();
        let g = (row.var(d, &vars) * r.constant(w)).sum().grads_of(&vars[i..=i]).unwrap();
        prop_assert_eq!(g[0].data(), all[i].data(), "input {} alone", i);
    }
    Ok(())
}

/// One variable in every place it fits, in two uses of the op and once by itself.
pub fn shared(row: &dyn Row, d: &Draw) -> Checked {
    let d = &d.square();
    let mut x = row.inputs(d);
    let fits: Vec<bool> = (0..x.len())
        .map(|k| x[k].shape() == x[0].shape() && row.domain(k).points == row.domain(0).points)
        .map(|same| same && row.domain(0).points != Kind::Switch)
        .collect();
    // The last place has the narrowest domain.
    let last = fits.iter().rposition(|fits| *fits).unwrap_or(0);
    let common = x[last].clone();
    for k in 0..x.len() {
        if fits[k] {
            x[k] = common.clone();
        }
    }
    let mut tape = Tape::new();
    let r = tape.begin();
    let shared = r.variable(&common);
    let vars: Vec<_> = x.iter().zip(&fits).map(|(t, fits)| if *fits { shared } else { r.constant(t) }).collect();
    let (y, again) = (row.var(d, &vars), row.var(d, &vars));
    let w: Tensor<f64> = Points::new(!d.seed).tensor(&y.shape());
    let u: Tensor<f64> = Points::new(d.seed ^ 7).tensor(&common.shape());
    let loss = ((y + again * 0.5) * r.constant(&w)).sum() + (shared * r.constant(&u)).sum();
    let g = loss.grads_of(&[shared]).unwrap();
    for v in directions(common.shape().size(), d.seed) {
        let forward = row.dual(d, &tangents(&x, &v, |k| fits[k]));
        let terms: Vec<f64> = forward.data.iter().zip(w.data()).map(|(y, w)| 1.5 * y.d * w).collect();
        let condition = terms.iter().map(|t| t.abs()).sum::<f64>() + 1.0;
        let expected = terms.iter().sum::<f64>() + dot(u.data(), &v);
        close("one variable, many uses", dot(g[0].data(), &v), expected, 0.0, row.tolerance() * condition)?;
    }
    Ok(())
}

/// The Hessian of `<w, q(f(x))>` with `q(y) = y + y^2 / 2` times a random vector: reverse over reverse against dual
/// over dual. `q` gives linear ops a second derivative and makes the upstream depend on `x`.
pub fn second_order(row: &dyn Row, d: &Draw) -> Checked {
    let x = row.inputs(d);
    let mut points = Points::new(!d.seed);
    let mut tape = Tape::new();
    let r = tape.begin();
    let vars: Vec<_> = x.iter().map(|t| r.variable(t)).collect();
    let y = row.var(d, &vars);
    let w: Tensor<f64> = points.tensor(&y.shape());
    let along: Vec<Tensor<f64>> = x.iter().map(|t| points.tensor(&t.shape())).collect();
    let loss = ((y + y.square() * 0.5) * r.constant(&w)).sum();
    let slopes = loss.grads_recorded(&vars).into_iter().zip(&along).map(|(g, v)| (g * r.constant(v)).sum());
    let slope = slopes.reduce(|a, b| a + b).unwrap();
    let hessian = slope.grads_of(&vars).unwrap();
    for i in 0..x.len() {
        for v in directions(x[i].shape().size(), d.seed) {
            let lifted = x.iter().enumerate().map(|(k, t)| {
                lift(t, |e, x| Dual {
                    v: Dual { v: x, d: along[k].data()[e] },
                    d: Dual { v: if k == i { v[e] } else { 0.0 }, d: 0.0 },
                })
            });
            let y = row.dual2(d, &lifted.collect::<Vec<_>>());
            let terms = y.data.iter().zip(w.data()).map(|(&y, &w)| ((y + y * y * Num::c(0.5)) * Num::c(w)).d.d);
            let terms: Vec<f64> = terms.collect();
            let condition: f64 = terms.iter().map(|t| t.abs()).sum();
            let what = format!("input {i}, direction {v:?}, second order");
            close(&what, dot(hessian[i].data(), &v), terms.iter().sum(), 1e-10, 1e-9 * condition)?;
        }
    }
    Ok(())
}

/// Value and gradient in f32 against the same program in f64.
pub fn single_precision(row: &dyn Row, d: &Draw) -> Checked {
    let x: Vec<Tensor> = row.inputs(d).iter().map(Tensor::to).collect();
    let wide: Vec<Tensor<f64>> = x.iter().map(Tensor::to).collect();
    let (mut tape, mut tape_wide) = (Tape::new(), Tape::new());
    let (r, r_wide) = (tape.begin(), tape_wide.begin());
    let vars: Vec<_> = x.iter().map(|t| r.variable(t)).collect();
    let vars_wide: Vec<_> = wide.iter().map(|t| r_wide.variable(t)).collect();
    let (y, y_wide) = (row.var32(d, &vars), row.var(d, &vars_wide));
    let plain = row.tensor32(d, &x);
    let bits = |t: &Tensor| t.data().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    prop_assert_eq!(bits(&y.value()), bits(&plain), "recorded against plain");
    let largest = |t: &Tensor<f64>| t.data().iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    let scale = largest(&y_wide.value());
    for (a, b) in plain.data().iter().zip(y_wide.value().data()) {
        close("value", f64::from(*a), *b, 1e-6, 1e-4 * b.abs().max(0.01 * scale))?;
    }
    let w: Tensor = Points::new(!d.seed).tensor(&y.shape());
    let loss = (y * r.constant(&w)).sum();
    let generic: Vec<_> = loss.grads_recorded(&vars).iter().map(|g| g.value()).collect();
    let fused = loss.grads_of(&vars).unwrap();
    let exact = (y_wide * r_wide.constant(&w.to())).sum().grads_of(&vars_wide).unwrap();
    for (i, g) in exact.iter().enumerate() {
        let scale = largest(g);
        for (e, b) in g.data().iter().enumerate() {
            let tolerance = 1e-4 * b.abs().max(0.01 * scale);
            close("gradient", f64::from(fused[i].data()[e]), *b, 1e-5, tolerance)?;
            close("generic gradient", f64::from(generic[i].data()[e]), *b, 1e-5, tolerance)?;
        }
    }
    Ok(())
}
