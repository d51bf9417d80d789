//! Clips and checks of a step at the ends of the range of numbers.
use chainrule::{
    optim::{Agc, AutoClip, ClipNorm, Link, NonFinite, Plan, Update, ZClip},
    prelude::*,
};

/// What a step of rate 1 takes from a parameter of zeros, if gradients are its entries.
fn taken<F: Real>(link: impl Link<F>, g: &[f64]) -> Vec<f64> {
    let mut w = Param::new(Tensor::<F>::filled([g.len()], F::zero()));
    let g = Grads::from_iter([("", Tensor::of([g.len()], g.iter().map(|x| F::of(*x)).collect::<Vec<_>>()))]);
    (link, Sgd::new(1.0)).step(&mut w, &g).expect("a step");
    w.value.data().iter().map(|x| -x.f64()).collect()
}

fn close(seen: &[f64], expect: &[f64]) {
    assert_eq!(seen.len(), expect.len());
    for (a, b) in seen.iter().zip(expect) {
        assert!((a - b).abs() <= 1e-5 * b.abs(), "{seen:?} not {expect:?}");
    }
}

/// The factor is too small for a normal number of the element type.
#[test]
fn huge_gradients_are_clipped() {
    close(&taken::<f32>(ClipGlobalNorm::new(1.0), &[2e38]), &[1.0]);
    close(&taken::<f32>(ClipGlobalNorm::new(5.0), &[3e38, 0.0, -3e38, 2e38]), &[3.198_011, 0.0, -3.198_011, 2.132_007]);
    close(&taken::<f32>(ClipGlobalNorm::new(1e-6), &[3e38]), &[1e-6]);
    close(&taken::<f32>(ClipNorm::new(1.0), &[2e38]), &[1.0]);
    close(&taken::<f32>(Agc::new(0.01), &[2e33]), &[1e-5]);
    close(&taken::<f64>(ClipGlobalNorm::new(1.0), &[1.7e308]), &[1.0]);
    close(&taken::<f64>(ClipNorm::new(1.0), &[1.7e308]), &[1.0]);
    close(&taken::<f64>(Agc::new(0.01), &[1.7e308]), &[1e-5]);
}

struct Pair {
    a: Param,
    b: Param,
}
module!(Pair { a, b });

fn pair() -> Pair {
    Pair { a: Param::new(Tensor::zeros([2, 2])), b: Param::new(Tensor::zeros([0, 2])) }
}

/// An optimizer of a user's, of rate 1.
struct Plain;
impl Optimizer for Plain {
    fn plan(&mut self, _: &mut Plan<'_, f32>) -> Result<(), Error> {
        Ok(())
    }
    fn apply(&mut self, plan: &Plan<'_, f32>, net: &mut dyn Module) {
        plan.apply(net, |update: Update<'_, f32>| *update.value = &*update.value - &update.gradient());
    }
    fn rate(&self) -> f64 {
        1.0
    }
    fn set_rate(&mut self, _: f64) {}
}

/// One unit has a factor that f32 cannot hold and the next one none; links stand before and behind.
#[test]
fn huge_units_beside_small_ones() {
    fn check(opt: &mut impl Optimizer, expect: [f64; 4]) {
        let mut net = pair();
        let g = Tensor::new([2, 2], vec![2e38, 0.0, 1e-6, -1e-6]);
        let g = Grads::from_iter([("a", g), ("b", Tensor::zeros([0, 2]))]);
        opt.step(&mut net, &g).expect("a step");
        let seen: Vec<_> = net.a.value.data().iter().map(|x| -f64::from(*x)).collect();
        close(&seen, &expect);
        assert_eq!(g.get("a").unwrap().data(), [2e38, 0.0, 1e-6, -1e-6]);
    }
    // A weight of zeros counts as 1e-3.
    let unit = 1e-5 / 2e38;
    assert!(!(unit as f32).is_normal());
    check(&mut (Agc::new(0.01), Sgd::new(1.0)), [1e-5, 0.0, 1e-6, -1e-6]);
    check(&mut (Agc::new(0.01), Plain), [1e-5, 0.0, 1e-6, -1e-6]);
    check(&mut (Agc::new(0.01), ClipValue::new(5e-7), Plain), [5e-7, 0.0, 5e-7, -5e-7]);
    // 1e-47 is 0 in f32.
    check(&mut (ClipValue::new(1e38), ClipGlobalNorm::new(1e-3), Plain), [1e-3, 0.0, 0.0, 0.0]);
}

/// A factor of 0 left a limit of 0, which was refused.
#[test]
fn a_link_may_scale_by_zero() {
    struct Nothing;
    impl<F: Real> Link<F> for Nothing {
        fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
            plan.scale(0.0);
            Ok(())
        }
    }
    let mut w = Param::new(Tensor::scalar(1.0));
    let g = Grads::from_iter([("", Tensor::scalar(3.0))]);
    let report = (ClipValue::new(1.0), Nothing, ClipGlobalNorm::new(1.0), Sgd::new(1.0)).step(&mut w, &g).unwrap();
    assert_eq!((w.value.item(), report.norm), (1.0, Some(0.0)));
}

/// What no element type can hold is still an error.
#[test]
fn factors_without_sense_are_refused() {
    struct By(f64);
    impl Link<f32> for By {
        fn plan(&mut self, plan: &mut Plan<'_, f32>) -> Result<(), Error> {
            plan.scale(self.0);
            Ok(())
        }
    }
    for by in [1e39, f64::NAN, f64::INFINITY] {
        let mut w = Param::new(Tensor::scalar(1.0));
        let e = (By(by), Sgd::new(1.0)).step(&mut w, &Grads::from_iter([("", Tensor::scalar(3.0))])).unwrap_err();
        assert!(e.kind() == ErrorKind::BadData && e.to_string().contains("which f32 cannot hold"), "{e}");
        assert_eq!(w.value.item(), 1.0);
    }
}

struct Running {
    mean: Param,
    w: Param,
    count: Param,
}
module!(Running { mean, w, count });

/// A running statistic that is not finite was committed, though every gradient was finite.
#[test]
fn running_statistics_that_are_not_finite() {
    type Clip = fn(NonFinite) -> Box<dyn Link<f32>>;
    let clips: [Clip; 6] = [
        |p| Box::new(ClipGlobalNorm::new(1e3).non_finite(p)),
        |p| Box::new(ClipValue::new(1e3).non_finite(p)),
        |p| Box::new(ClipNorm::new(1e3).non_finite(p)),
        |p| Box::new(Agc::new(1e3).non_finite(p)),
        |p| Box::new(AutoClip::new(90.0).non_finite(p)),
        |p| Box::new(ZClip::new(2.0).non_finite(p)),
    ];
    let new = || Running {
        mean: Param::buffer(Tensor::new([2], vec![1.0, 2.0])),
        w: Param::new(Tensor::scalar(1.0)),
        count: Param::buffer(Tensor::scalar(0.0)),
    };
    let mut tape = Tape::new();
    let mut step = |opt: &mut dyn Optimizer, bad: f32, net: &mut Running| {
        let r = tape.begin();
        let w = r.param(&net.w);
        w.update(&net.mean, &r.constant(&Tensor::new([2], vec![3.0, bad])));
        w.update(&net.count, &r.constant(&Tensor::scalar(7.0)));
        let g = w.square().backward(net)?;
        Optimizer::step(&mut &mut *opt, net, &g)
    };
    let values = |net: &Running| [net.mean.value.data(), net.w.value.data(), net.count.value.data()].concat();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut net = new();
        let e = step(&mut Sgd::new(0.25), bad, &mut net).unwrap_err();
        let text = format!("step: the running statistic \"mean\" is not finite: entry 1 of 2 is {bad}");
        assert_eq!((e.kind(), e.to_string()), (ErrorKind::NonFinite, text));
        assert_eq!(values(&net), [1.0, 2.0, 1.0, 0.0]);
        for clip in clips {
            let e = step(&mut (clip(NonFinite::Error), Sgd::new(0.25)), bad, &mut net).unwrap_err();
            assert!(e.to_string().contains("the running statistic \"mean\" is not finite"), "{e}");
            assert_eq!(values(&net), [1.0, 2.0, 1.0, 0.0]);
            assert!(step(&mut (clip(NonFinite::Skip), Sgd::new(0.25)), bad, &mut net).unwrap().skipped);
            assert_eq!(values(&net), [1.0, 2.0, 1.0, 0.0]);
            let mut other = new();
            let report = step(&mut (clip(NonFinite::Zero), Sgd::new(0.25)), bad, &mut other).unwrap();
            assert_eq!((report.skipped, report.zeroed), (false, 0));
            assert_eq!(values(&other), [1.0, 2.0, 0.5, 7.0]);
        }
        step(&mut Sgd::new(0.25), 4.0, &mut net).unwrap();
        assert_eq!(values(&net), [3.0, 4.0, 0.5, 7.0]);
    }
}
