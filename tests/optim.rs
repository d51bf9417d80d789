//! Optimizers against plain loops written from the published definitions; clips and links against their compositions.
#[path = "common/engine.rs"]
mod engine;

use approx::assert_relative_eq;
use chainrule::{optim::StepReport, prelude::*};
use engine::values;

type Params = Vec<Param<f64>>;

fn params(seed: u64) -> Params {
    let rng = &mut Rng::seed(seed);
    [vec![3, 2], vec![5], vec![]]
        .iter()
        .map(|shape| Param::new(Tensor::uniform_of(Shape::try_new(shape).unwrap(), -1.0, 1.0, rng)))
        .collect()
}

/// The gradient of each parameter at a step: any numbers will do, small and large ones.
fn gradient(step: usize, k: usize, n: usize) -> Vec<f64> {
    let rng = &mut Rng::seed(1000 * step as u64 + k as u64);
    (0..n).map(|_| rng.normal() * 10f64.powf(4.0 * rng.uniform() - 3.0)).collect()
}

/// A loss that has exactly these gradients; frozen parameters are left out.
fn backward(net: &Params, tape: &mut Tape<f64>, step: usize) -> Grads<f64> {
    let r = tape.begin();
    let mut loss = r.constant(&Tensor::filled([], 0.0));
    for (k, p) in net.iter().enumerate().filter(|(_, p)| p.role() == Role::Trained) {
        let shape = p.value.shape();
        loss = loss + (r.param(p) * r.constant(&Tensor::of(shape, gradient(step, k, shape.size())))).sum();
    }
    loss.backward(net).unwrap()
}

/// One parameter under one optimizer, as the papers have it.
#[derive(Clone)]
struct Naive {
    w: Vec<f64>,
    m: Vec<f64>,
    v: Vec<f64>,
    t: i32,
}

#[derive(Clone, Copy)]
struct Settings {
    rate: f64,
    decay: f64,
    betas: (f64, f64),
    epsilon: f64,
}

impl Naive {
    fn all(net: &Params) -> Vec<Self> {
        let zeros = |p: &Param<f64>| vec![0.0; p.value.shape().size()];
        net.iter().map(|p| Self { w: p.value.data().to_vec(), m: zeros(p), v: zeros(p), t: 0 }).collect()
    }
    /// PyTorch's: `b = momentum b + g`, the first `b` is `g`; `w -= rate b`.
    fn sgd(&mut self, g: &[f64], rate: f64, momentum: f64, decay: f64) {
        self.t += 1;
        for e in 0..g.len() {
            let d = g[e] + decay * self.w[e];
            self.m[e] = if self.t == 1 { d } else { momentum * self.m[e] + d };
            self.w[e] -= rate * self.m[e];
        }
    }
    /// Kingma and Ba, Algorithm 1.
    fn adam(&mut self, g: &[f64], s: Settings) {
        self.t += 1;
        let (b1, b2) = s.betas;
        for e in 0..g.len() {
            let d = g[e] + s.decay * self.w[e];
            self.m[e] = b1 * self.m[e] + (1.0 - b1) * d;
            self.v[e] = b2 * self.v[e] + (1.0 - b2) * d * d;
            let (m, v) = (self.m[e] / (1.0 - b1.powi(self.t)), self.v[e] / (1.0 - b2.powi(self.t)));
            self.w[e] -= s.rate * m / (v.sqrt() + s.epsilon);
        }
    }
}

fn close(net: &Params, naive: &[Naive]) {
    for (p, naive) in net.iter().zip(naive) {
        for (a, b) in p.value.data().iter().zip(&naive.w) {
            assert_relative_eq!(a, b, max_relative = 1e-10, epsilon = 1e-10);
        }
    }
}

/// 50 steps; the second parameter is frozen in some of them.
fn run(opt: &mut impl Optimizer<f64>, mut naive: impl FnMut(&mut Naive, &[f64])) {
    let (mut net, mut tape) = (params(1), Tape::new());
    let mut plain = Naive::all(&net);
    for step in 0..50 {
        let frozen = step % 7 == 3 || (20..25).contains(&step);
        net[1].set_role(if frozen { Role::Frozen } else { Role::Trained });
        let g = backward(&net, &mut tape, step);
        assert_eq!(opt.step(&mut net, &g).unwrap(), StepReport::default());
        for (k, plain) in plain.iter_mut().enumerate().filter(|(k, _)| !(frozen && *k == 1)) {
            naive(plain, &gradient(step, k, plain.w.len()));
        }
    }
    close(&net, &plain);
}

#[test]
fn sgd() {
    for (rate, momentum, decay) in
        [(0.1, 0.0, 0.0), (0.1, 0.0, 0.03), (0.05, 0.9, 0.0), (0.05, 0.7, 0.01), (0.0, 0.9, 0.1)]
    {
        let mut opt = Sgd::new(rate).momentum(momentum).weight_decay(decay);
        run(&mut opt, |p, g| p.sgd(g, rate, momentum, decay));
    }
}

#[test]
fn adam() {
    let usual = Settings { rate: 0.01, decay: 0.0, betas: (0.9, 0.999), epsilon: 1e-8 };
    run(&mut Adam::new(0.01), |p, g| p.adam(g, usual));
    for s in [
        Settings { decay: 0.05, ..usual },
        Settings { betas: (0.0, 0.0), ..usual },
        Settings { betas: (0.5, 0.9), ..usual },
        // Large enough to see whether it stands inside the root, outside, or before the correction.
        Settings { epsilon: 0.3, ..usual },
    ] {
        let mut opt = Adam::new(s.rate).betas(s.betas.0, s.betas.1).epsilon(s.epsilon).weight_decay(s.decay);
        run(&mut opt, |p, g| p.adam(g, s));
    }
}

#[test]
fn adam_forgets_the_size_of_gradients() {
    // The first step is the rate, in the direction of the sign, for gradients of any size.
    let mut p = Param::new(Tensor::<f64>::of([3], vec![0.0; 3]));
    let g = Grads::from_iter([("", Tensor::of([3], vec![1e-3, -1e5, 1e100]))]);
    Adam::new(0.1).step(&mut p, &g).unwrap();
    for (w, expect) in p.value.data().iter().zip([-0.1, 0.1, -0.1]) {
        assert_relative_eq!(*w, expect, max_relative = 1e-4);
    }
}

struct Ab {
    a: Param<f64>,
    b: Param<f64>,
}
module!(impl[] Ab as f64 { a, b });
struct Ba {
    b: Param<f64>,
    a: Param<f64>,
}
module!(impl[] Ba as f64 { b, a });

#[test]
fn state_follows_paths() {
    let start = |x: f64| Param::new(Tensor::of([2], vec![x, -x]));
    let grads = |ab: bool, step: usize| {
        let [a, b] = [0, 1].map(|k| Tensor::of([2], gradient(step, k, 2)));
        Grads::from_iter(if ab { [("a", a), ("b", b)] } else { [("b", b), ("a", a)] })
    };
    let mut opt = Adam::new(0.1);
    let (mut net, mut naive) = (Ab { a: start(1.0), b: start(2.0) }, vec![]);
    for p in [&net.a, &net.b] {
        naive.extend(Naive::all(&vec![p.clone()]));
    }
    for step in 0..9 {
        if step % 3 == 1 {
            let mut other = Ba { b: net.b, a: net.a };
            opt.step(&mut other, &grads(false, step)).unwrap();
            net = Ab { a: other.a, b: other.b };
        } else {
            opt.step(&mut net, &grads(true, step)).unwrap();
        }
        for (k, naive) in naive.iter_mut().enumerate() {
            naive.adam(&gradient(step, k, 2), Settings { rate: 0.1, decay: 0.0, betas: (0.9, 0.999), epsilon: 1e-8 });
        }
    }
    close(&vec![net.a, net.b], &naive);
}

// ---- clipping -----------------------------------------------------------------------------------------------------------

fn grads(parts: &[&[f64]]) -> Grads<f64> {
    parts.iter().enumerate().map(|(i, x)| (format!("p{i}"), Tensor::of([x.len()], x.to_vec()))).collect()
}

fn flat(g: &Grads<f64>) -> Vec<f64> {
    g.iter().flat_map(|(_, g)| g.data().to_vec()).collect()
}

/// What a link leaves of gradients: a step of plain descent from 0 with rate 1.
fn through(mut opt: impl Optimizer<f64>, g: &Grads<f64>) -> (Vec<f64>, StepReport) {
    struct Named(Vec<(String, Param<f64>)>);
    impl Module<f64> for Named {
        fn visit_at<'a>(
            &'a self,
            path: &chainrule::core::Path<'_>,
            f: &mut dyn FnMut(&chainrule::core::Path<'_>, &'a Param<f64>),
        ) {
            self.0.iter().for_each(|(name, p)| f(&path.join(name), p));
        }
        fn visit_mut_at<'a>(
            &'a mut self,
            path: &chainrule::core::Path<'_>,
            f: &mut dyn FnMut(&chainrule::core::Path<'_>, &'a mut Param<f64>),
        ) {
            self.0.iter_mut().for_each(|(name, p)| f(&path.join(name), p));
        }
    }
    let zeros = |g: &Tensor<f64>| Param::new(Tensor::filled(g.shape(), 0.0));
    let mut net = Named(g.iter().map(|(path, g)| (path.to_owned(), zeros(g))).collect());
    let report = opt.step(&mut net, g).unwrap();
    (net.0.iter().flat_map(|(_, p)| p.value.data().iter().map(|x| -x).collect::<Vec<_>>()).collect(), report)
}

fn close_all(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert_relative_eq!(*a, *b, max_relative = 1e-12);
    }
}

#[test]
fn the_global_norm_at_any_scale() {
    for scale in [1.0, 1e200, 1e-200, 1e-308, 1e307] {
        let parts: [&[f64]; 3] = [&[3.0 * scale], &[0.0, -4.0 * scale], &[12.0 * scale]];
        for limit in [2.6 * scale, 100.0 * scale] {
            let (mut g, expect) = (grads(&parts), 13.0 * scale);
            assert_relative_eq!(g.norm(), expect, max_relative = 1e-14);
            let factor = if limit < expect { 0.2 } else { 1.0 };
            let (linked, report) = through((ClipGlobalNorm::new(limit), Sgd::new(1.0)), &g);
            let clip = g.clip_global_norm(limit).unwrap();
            assert_relative_eq!(clip.norm, expect, max_relative = 1e-14);
            assert_relative_eq!(clip.coef, factor, max_relative = 1e-14);
            assert_eq!(clip.clipped, factor < 1.0);
            assert_eq!((report.norm, report.coef, report.clipped), (Some(clip.norm), Some(clip.coef), clip.clipped));
            // Of numbers that have only a few bits left, nothing more can be asked.
            let slack = if scale < 1e-300 { 1e-14 * scale.max(1e-309) } else { 0.0 };
            for (seen, x) in flat(&g).iter().chain(&linked).zip([3.0, 0.0, -4.0, 12.0, 3.0, 0.0, -4.0, 12.0]) {
                assert_relative_eq!(*seen, x * scale * factor, max_relative = 1e-14, epsilon = slack.max(5e-323));
            }
        }
    }
    let mut mixed = grads(&[&[1e200, 1e-200], &[1.0, 0.0]]);
    assert_eq!(mixed.clip_global_norm(1.0).unwrap().norm, 1e200);
    close_all(&flat(&mixed), &[1.0, 0.0, 1e-200, 0.0]);
    let mut nothing = grads(&[&[0.0, 0.0], &[]]);
    assert_eq!(nothing.clip_global_norm(1.0).unwrap().norm, 0.0);
    assert_eq!(grads(&[]).clip_global_norm(1.0).unwrap().norm, 0.0);
    let mut single = Grads::from_iter([("w", Tensor::new([2], vec![3e38, 3e38]))]);
    assert_relative_eq!(single.clip_global_norm(2f64.sqrt()).unwrap().norm, 3e38 * 2f64.sqrt(), max_relative = 1e-6);
    assert_relative_eq!(single.get("w").unwrap().data()[0], 1.0, max_relative = 1e-5);
}

#[test]
fn values_at_any_scale() {
    let parts: [&[f64]; 2] = [&[1e200, -1e-200, 0.5, -0.5], &[-3.0, 0.0, 0.49]];
    let expect = [0.5, -1e-200, 0.5, -0.5, -0.5, 0.0, 0.49];
    let (linked, report) = through((ClipValue::new(0.5), Sgd::new(1.0)), &grads(&parts));
    let mut g = grads(&parts);
    let done = g.clip_value(0.5).unwrap();
    assert_eq!((done.clipped, done.entries, report.clipped, report.norm), (2, 7, true, None));
    assert_eq!((flat(&g), linked), (expect.to_vec(), expect.to_vec()));
    assert!(!through((ClipValue::new(1e201), Sgd::new(1.0)), &grads(&parts)).1.clipped);
    assert_eq!(g.clip_value(f64::INFINITY).unwrap().clipped, 0);
}

#[test]
fn links_act_in_the_order_written() {
    let by_norm = |g: &[f64], limit: f64| -> Vec<f64> {
        let norm = g.iter().map(|x| x * x).sum::<f64>().sqrt();
        g.iter().map(|x| x * (limit / norm).min(1.0)).collect()
    };
    let by_value = |g: &[f64], limit: f64| -> Vec<f64> { g.iter().map(|x| x.clamp(-limit, limit)).collect() };
    let rng = &mut Rng::seed(1);
    for _ in 0..200 {
        let x: Vec<f64> = (0..9).map(|_| rng.normal() * 10f64.powf(3.0 * rng.uniform() - 1.0)).collect();
        let g = grads(&[&x[..4], &x[4..5], &x[5..]]);
        let [v, n, v2] = [0.5, 2.0, 0.1].map(|top| top * 10f64.powf(2.0 * rng.uniform() - 1.0));
        let (value, norm) = (ClipValue::new(v), ClipGlobalNorm::new(n));
        let (seen, report) = through((value, norm, Sgd::new(1.0)), &g);
        close_all(&seen, &by_norm(&by_value(&x, v), n));
        let measured = by_value(&x, v).iter().map(|x| x * x).sum::<f64>().sqrt();
        assert_relative_eq!(report.norm.unwrap(), measured, max_relative = 1e-12);
        assert_eq!(report.clipped, seen != x);
        close_all(&through((norm, value, Sgd::new(1.0)), &g).0, &by_value(&by_norm(&x, n), v));
        let all = (value, Some(norm), None::<ClipValue>, ClipValue::new(v2), Sgd::new(1.0));
        close_all(&through(all, &g).0, &by_value(&by_norm(&by_value(&x, v), n), v2));
        let twice = (norm, ClipValue::new(v2), ClipGlobalNorm::new(0.1), Sgd::new(1.0));
        close_all(&through(twice, &g).0, &by_norm(&by_value(&by_norm(&x, n), v2), 0.1));
    }
}

#[test]
fn rates_can_be_set_through_links() {
    let mut opt = (ClipValue::new(1.0), Adam::<f64>::new(0.1));
    Optimizer::<f64>::set_rate(&mut opt, 0.2);
    assert_eq!((Optimizer::<f64>::rate(&opt), Optimizer::<f64>::rate(&opt.1)), (0.2, 0.2));
    let mut p = Param::new(Tensor::filled([], 1.0));
    let mut sgd = Sgd::new(1.0);
    let mut borrowed = (&mut sgd,); // an optimizer lent to a chain
    borrowed.set_rate(0.25);
    borrowed.step(&mut p, &Grads::from_iter([("", Tensor::filled([], 1.0))])).unwrap();
    assert_eq!(p.value.item(), 0.75);
}

// ---- a step that fails ----------------------------------------------------------------------------------------------------

struct Running {
    w: Param<f64>,
    mean: Param<f64>,
}
module!(impl[] Running as f64 { w, mean });

impl Running {
    fn new() -> Self {
        let buffer = Param::buffer(Tensor::filled([], 0.0));
        Self { w: Param::new(Tensor::of([2], vec![1.0, -1.0])), mean: buffer }
    }
    fn backward(&self, x: [f64; 2]) -> Grads<f64> {
        let mut tape = Tape::new();
        let r = tape.begin();
        let x = r.constant(&Tensor::of([2], x.to_vec()));
        x.update(&self.mean, &x.mean());
        (r.param(&self.w) * x).sum().backward(self).unwrap()
    }
}

#[test]
fn a_failing_step_changes_nothing() {
    let mut failing = Running::new();
    let mut clean = Running::new();
    let mut opt = (Some(ClipGlobalNorm::new(1.0)), ClipValue::new(0.7), Adam::new(0.1));
    let mut reference = opt.clone();
    for step in 0..6 {
        let before = values(&failing);
        let good = failing.backward([1.0 + step as f64, -2.0]);
        for bad in [f64::NAN, f64::INFINITY] {
            let bad = failing.backward([bad, 1.0]);
            let e = opt.step(&mut failing, &bad).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::NonFinite);
        }
        let link = opt.0.take();
        let bad = failing.backward([f64::NAN, 1.0]);
        assert!(opt.step(&mut failing, &bad).is_err());
        opt.0 = link;
        let limit = std::mem::replace(&mut opt.1.limit, -1.0);
        assert_eq!(opt.step(&mut failing, &good).unwrap_err().kind(), ErrorKind::BadData);
        opt.1.limit = limit;
        Optimizer::<f64>::set_rate(&mut opt, f64::NAN);
        assert_eq!(opt.step(&mut failing, &good).unwrap_err().kind(), ErrorKind::BadData);
        Optimizer::<f64>::set_rate(&mut opt, 0.1);
        let foreign = grads(&[&[1.0, 2.0]]);
        assert_eq!(opt.step(&mut failing, &foreign).unwrap_err().kind(), ErrorKind::Mismatch);
        assert_eq!(values(&failing), before);
        opt.step(&mut failing, &good).unwrap();
        let good = clean.backward([1.0 + step as f64, -2.0]);
        reference.step(&mut clean, &good).unwrap();
        assert_eq!(values(&failing), values(&clean)); // its state had not moved either
    }
    assert_eq!(failing.mean.value.item(), 2.0);
}
