//! FLOW's row 21: NaN, infinity and overflow at each op of a chain, forward and backward: the first op is named, with its first pass.
#[path = "common/stacks.rs"]
mod stacks;

use chainrule::{
    core::{Op, Saved, Vjp},
    flow::{Cause, Direction, Kind, Monitor, Origin, Sampling, Severity},
    prelude::*,
};
use stacks::*;

const LAYERS: usize = 6;
/// The pass of the fault.
const PASS: u64 = 3;

/// Passes everything on, with one number of its output replaced.
#[derive(Clone, Copy)]
struct Fault {
    value: f32,
    entry: usize,
}
impl Op for Fault {
    const NAME: &'static str = "fault";
    fn forward(&self, x: &[&Tensor], _: &mut Saved<'_, f32>) -> Tensor {
        let mut y = x[0].clone();
        y.data_mut()[self.entry] = self.value;
        y
    }
    fn vjp<T: TensorLike<Elem = f32>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        cx.give(0, || y_bar);
    }
}

/// Passes values on, and multiplies what comes back.
#[derive(Clone, Copy)]
struct FaultBack(f64);
impl Op for FaultBack {
    const NAME: &'static str = "fault_back";
    fn forward(&self, x: &[&Tensor], _: &mut Saved<'_, f32>) -> Tensor {
        x[0].clone()
    }
    fn vjp<T: TensorLike<Elem = f32>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        cx.give(0, || y_bar.scale(self.0));
    }
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Forward(f32),
    Backward(f64),
    /// Of finite numbers, by a product that is too large.
    Overflow,
}

/// Passes with a fault behind layer `k` from [`PASS`] on; the text of the first error, and its origin.
fn run(k: usize, place: Place, seed: u64, mut monitor: Monitor) -> (String, Origin) {
    let net: Stack = stack(&sizes(8, LAYERS), Phi::Tanh, |_| Init::xavier(), &mut Rng::seed(seed));
    let (x, y) = batch(4, 8, &mut Rng::seed(100 + seed));
    let (mut tape, mut errors) = (Tape::new(), vec![]);
    for pass in 0..PASS + 3 {
        let mut h = tape.begin().constant(&x);
        for (i, layer) in net.hidden.iter().enumerate() {
            h = layer.forward(&h);
            if i == k && pass >= PASS {
                h = match place {
                    Place::Forward(value) => TensorLike::apply(Fault { value, entry: 5 + k }, &[&h]), // FORWARD
                    Place::Backward(value) => TensorLike::apply(FaultBack(value), &[&h]),             // BACKWARD
                    Place::Overflow => h * 1e38 * 1e38,                                               // OVERFLOW
                };
            }
            h = if i == k { h.sin() } else { h.tanh() }; // of infinity no number
        }
        let loss = net.out.forward(&h).softmax_cross_entropy(&y);
        match loss.backward_with(&net, &mut monitor) {
            Err(e) if pass >= PASS => errors.push(e),
            Err(e) => panic!("pass {pass}: {e}"),
            Ok(_) => assert!(pass < PASS, "{place:?} behind layer {k} was not seen"),
        }
    }
    assert!(errors.iter().all(|e| e.kind() == ErrorKind::NonFinite));
    let verdicts = monitor.verdicts();
    let [verdict] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!((verdict.kind, verdict.severity), (Kind::NonFinite, Severity::Critical));
    assert_eq!(verdict.steps, PASS..PASS + 1, "the first pass");
    let Cause::Op(origin) = &verdict.cause else { panic!("{verdict:?}") };
    (errors[0].to_string(), (**origin).clone())
}

fn line(mark: &str) -> u32 {
    include_str!("flow_not_finite.rs").lines().position(|l| l.ends_with(mark)).unwrap() as u32 + 1
}

#[test]
fn the_first_op_is_named_wherever_it_stands() {
    for seed in 0..20 {
        for k in 0..LAYERS {
            let layer = format!("hidden.{k}");
            for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let (text, origin) = run(k, Place::Forward(value), seed, Monitor::new());
                assert_eq!((origin.op, origin.direction), ("fault", Direction::Forward), "{text}");
                assert_eq!((origin.layer.as_deref(), origin.at.line()), (Some(&*layer), line("// FORWARD")), "{text}");
                assert_eq!((origin.entry, origin.count), (5 + k, (1, 32)), "{text}");
                assert!(origin.value.is_nan() == value.is_nan() && text.contains("pass 3: fault at "), "{text}");
            }
            for value in [f64::NAN, f64::INFINITY] {
                let (text, origin) = run(k, Place::Backward(value), seed, Monitor::new());
                assert_eq!((origin.op, origin.direction), ("fault_back", Direction::Backward), "{text}");
                assert_eq!((origin.layer.as_deref(), origin.at.line()), (Some(&*layer), line("// BACKWARD")), "{text}");
            }
            let (text, origin) = run(k, Place::Overflow, seed, Monitor::new());
            assert_eq!((origin.op, origin.direction), ("scale", Direction::Forward), "{text}");
            assert_eq!((origin.layer.as_deref(), origin.at.line()), (Some(&*layer), line("// OVERFLOW")), "{text}");
            assert!(origin.value.is_infinite(), "{text}");
        }
    }
}

/// A pass that is not measured is looked at if its loss is not finite; what a rule made is seen at the next layer's signal.
#[test]
fn it_is_found_in_passes_that_are_not_measured() {
    for k in 0..LAYERS {
        let off = || Monitor::new().sampling(Sampling::Off);
        let (text, origin) = run(k, Place::Forward(f32::NAN), 1, off());
        assert_eq!((origin.op, origin.direction, origin.entry), ("fault", Direction::Forward, 5 + k), "{text}");
        let (text, origin) = run(k, Place::Backward(f64::NAN), 1, off());
        assert_eq!(origin.direction, Direction::Signal, "{text}");
        assert_eq!(origin.layer.as_deref(), Some(&*format!("hidden.{k}")), "{text}");
    }
}
