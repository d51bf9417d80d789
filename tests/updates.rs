//! How far a step went: measured inside the loops of the optimizers, which must not change what they write.
use chainrule::{
    optim::{Adagrad, AdamW, ClipGlobalNorm, Groups, Lion, NAdam, Optimizer, Plan, RAdam, ReportUpdates, RmsProp},
    prelude::*,
};

/// Around the loops' lanes, blocks and pieces.
const SIZES: [usize; 9] = [1, 15, 16, 31, 33, 100, 4096 + 5, 32_768 + 40, 70_001];

struct Net<F: Real> {
    w: Param<F>,
}
module!(impl[F: Real] Net<F> as F { w });

fn bits<F: Real>(t: &Tensor<F>) -> Vec<u64> {
    t.data().iter().map(|x| x.f64().to_bits()).collect()
}

/// Three steps with and without a report: the same bits, and norms that are those of the differences.
fn check<F: Real, O: Optimizer<F>>(name: &str, make: impl Fn() -> O) {
    for n in SIZES {
        let mut rng = Rng::seed(n as u64);
        let start = Tensor::<F>::normal_of([n], 0.1, 1.0, &mut rng);
        let (mut plain, mut told) = (Net { w: Param::new(start.clone()) }, Net { w: Param::new(start) });
        let (mut a, mut b) = (make(), (ReportUpdates, make()));
        for step in 0..3 {
            let g = Grads::from_iter([("w", Tensor::normal_of([n], 0.0, 0.5, &mut rng))]);
            let before = told.w.value.clone();
            a.step(&mut plain, &g).unwrap();
            let updates = b.step(&mut told, &g).unwrap().updates.unwrap();
            assert!(bits(&plain.w.value) == bits(&told.w.value), "{name}, {n} numbers, step {step}");
            let change = (&told.w.value - &before).norm();
            for (what, seen, exact) in
                [("change", updates.get("w"), change), ("before", updates.norm_before("w"), before.norm())]
            {
                let seen = seen.unwrap();
                assert!((seen - exact).abs() <= 3e-6 * exact, "{name}, {n} numbers, {what}: {seen} against {exact}");
            }
        }
    }
}

fn all<F: Real>() {
    check("sgd", || Sgd::<F>::new(0.1).weight_decay(0.01));
    check("momentum", || Sgd::<F>::new(0.1).momentum(0.9));
    check("nesterov", || Sgd::<F>::new(0.1).momentum(0.9).nesterov());
    check("clipped", || (ClipGlobalNorm::new(0.5), Sgd::<F>::new(0.1)));
    check("groups", || (Groups::new().rate_factor("w", 0.5), Sgd::<F>::new(0.1)));
    check("adam", || Adam::<F>::new(1e-2));
    check("amsgrad", || Adam::<F>::new(1e-2).amsgrad());
    check("adamw", || AdamW::<F>::new(1e-2));
    check("rmsprop", || RmsProp::<F>::new(1e-2));
    check("rmsprop, momentum", || RmsProp::<F>::new(1e-2).momentum(0.5));
    check("rmsprop, centered", || RmsProp::<F>::new(1e-2).centered().momentum(0.5));
    check("adagrad", || Adagrad::<F>::new(1e-2));
    check("nadam", || NAdam::<F>::new(1e-2));
    check("radam", || RAdam::<F>::new(1e-2));
    check("lion", || Lion::<F>::new(1e-3));
}

#[test]
fn a_report_changes_nothing_and_tells_the_truth_in_f32() {
    all::<f32>();
}

#[test]
fn a_report_changes_nothing_and_tells_the_truth_in_f64() {
    all::<f64>();
}

/// An optimizer of somebody else's, which writes as it likes.
struct Halve;
impl<F: Real> Optimizer<F> for Halve {
    fn plan(&mut self, _: &mut Plan<'_, F>) -> Result<(), Error> {
        Ok(())
    }
    fn apply(&mut self, plan: &Plan<'_, F>, net: &mut dyn Module<F>) {
        plan.apply(net, |update| *update.value = &*update.value * 0.5);
    }
    fn rate(&self) -> f64 {
        1.0
    }
    fn set_rate(&mut self, _: f64) {}
}

#[test]
fn an_optimizer_of_ones_own_is_measured_too() {
    check::<f32, _>("halve", || Halve);
    let mut net = Net { w: Param::new(Tensor::new([2], vec![3.0, 4.0])) };
    let g = Grads::from_iter([("w", Tensor::new([2], vec![1.0, 1.0]))]);
    let updates = (ReportUpdates, Halve).step(&mut net, &g).unwrap().updates.unwrap();
    assert_eq!((updates.get("w"), updates.norm_before("w")), (Some(2.5), Some(5.0)));
}

/// Squares of these changes are none in f32; beyond, as documented, a change counts as 0 or is infinite.
#[test]
fn tiny_and_huge_steps_keep_their_norms() {
    let step = |value: f32, rate: f64| {
        let mut net = Net { w: Param::new(Tensor::full([1000], value)) };
        let g = Grads::from_iter([("w", Tensor::full([1000], 1.0f32))]);
        let before = net.w.value.clone();
        let updates = (ReportUpdates, Sgd::new(rate)).step(&mut net, &g).unwrap().updates.unwrap();
        (updates.get("w").unwrap(), (&net.w.value - &before).norm())
    };
    for (value, rate) in [(1e-18, 1e-20), (1e-12, 1e-12), (1.0, 1e10)] {
        let (seen, exact) = step(value, rate);
        assert!((seen - exact).abs() <= 1e-5 * exact, "{value:e}, {rate:e}: {seen:e} against {exact:e}");
    }
    assert_eq!(step(0.0, 1e-30).0, 0.0);
    assert_eq!(step(1.0, 1e15).0, f64::INFINITY);
}
