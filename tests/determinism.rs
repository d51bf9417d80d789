//! The same bits for any number of threads, in every run, observed or not.
use chainrule::{flow::GradNorms, prelude::*, with_threads};

/// How often each program runs anew.
fn runs() -> usize {
    if std::env::var_os("CHAINRULE_DEEP").is_some() { 10 } else { 3 }
}

fn bits<F: Real>(t: &Tensor<F>) -> Vec<u64> {
    t.data().iter().map(|x| x.f64().to_bits()).collect()
}

/// `f` gives the same bits with 1, 2, 3 and 4 threads and in every run.
fn same_bits(what: &str, f: impl Fn() -> Vec<u64> + Sync) {
    let first = with_threads(1, &f).expect("a thread");
    assert!(!first.is_empty());
    for threads in [1, 2, 3, 4] {
        for run in 0..runs() {
            let again = with_threads(threads, &f).expect("threads");
            let differ = first.iter().zip(&again).filter(|(a, b)| a != b).count();
            assert!(first == again, "{what}: {differ} of {} differ, {threads} threads, run {run}", first.len());
        }
    }
}

fn product<F: Real>(m: usize, k: usize, n: usize) {
    let rng = &mut Rng::seed(7);
    let a = Tensor::<F>::normal_of([m, k], 0.0, 1.0, rng);
    let b = Tensor::<F>::normal_of([k, n], 0.0, 1.0, rng);
    let (at, bt) = (a.transpose(0, 1), b.transpose(0, 1));
    let what = format!("{} {m}x{k}x{n}", F::NAME);
    for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
        let (a, b) = (if ta { &at } else { &a }, if tb { &bt } else { &b });
        same_bits(&format!("{what} {ta} {tb}"), || bits(&a.matmul_with(b, ta, tb)));
    }
    // From a start that is not zero, as a dense layer has it.
    let (w, bias) = (bt, Tensor::<F>::normal_of([n], 0.0, 1.0, rng));
    same_bits(&format!("{what} linear"), || bits(&a.linear(&w, &bias)));
}

#[test]
fn products_of_odd_shapes() {
    for (m, k, n) in [(513, 771, 129), (97, 1031, 61), (257, 65, 511)] {
        product::<f32>(m, k, n);
        product::<f64>(m, k, n);
    }
}

#[test]
fn products_that_are_tall_flat_or_thin() {
    for (m, k, n) in
        [(4099, 17, 11), (11, 17, 4099), (3, 30_011, 9), (1, 2048, 1024), (2048, 1024, 1), (2, 5000, 65), (700, 1, 900)]
    {
        product::<f32>(m, k, n);
        product::<f64>(m, k, n);
    }
}

#[test]
fn products_on_both_sides_of_every_threshold() {
    // Around 48 * 48 * 256 multiplications, where threads come in.
    for k in [255, 256, 257] {
        product::<f32>(48, k, 48);
    }
    product::<f64>(96, 64, 96);
    product::<f32>(64, 784, 128);
}

#[test]
fn products_of_random_shapes() {
    let (rng, count) = (&mut Rng::seed(0xcafe), if runs() > 3 { 2000 } else { 40 });
    for _ in 0..count {
        // Products of about 2^20 to 2^24 multiplications, in every proportion.
        let [m, n] = [0, 1].map(|_| 1 + (2f64.powf(11.0 * rng.uniform())) as usize);
        let k = (1 << (20 + rng.below(5))) / (m * n) + 1;
        let (a, b) = (Tensor::<f32>::normal([m, k], 0.0, 1.0, rng), Tensor::<f32>::normal([n, k], 0.0, 1.0, rng));
        let run = |threads| with_threads(threads, || bits(&a.matmul_nt(&b))).expect("threads");
        let one = run(1);
        assert!(one == run(2) && one == run(4), "{m}x{k}x{n}");
    }
}

#[test]
fn elementwise_ops_and_sums_of_large_tensors() {
    fn program<F: Real>() {
        let rng = &mut Rng::seed(3);
        let x = Tensor::<F>::normal_of([200_003], 0.0, 2.0, rng);
        let wide = Tensor::<F>::normal_of([500, 407], 0.0, 2.0, rng);
        let row = Tensor::<F>::normal_of([407], 0.0, 2.0, rng);
        same_bits("maps", || {
            [x.tanh(), x.sigmoid(), x.exp(), x.gelu(), &x * &x, &x + &x].iter().flat_map(bits).collect()
        });
        same_bits("sums", || {
            bits(&x.sum()).into_iter().chain(bits(&wide.sum_axes(&[0]))).chain(bits(&wide.sum_axes(&[1]))).collect()
        });
        same_bits("norms", || vec![x.norm().to_bits(), x.max().item().to_bits()]);
        same_bits("gradients", || {
            let mut tape = Tape::new();
            let r = tape.begin();
            let (w, b) = (r.variable(&wide), r.variable(&row));
            let y = ((w * b + b).gelu().softmax() * w.tanh()).sum_axes(&[0]).square().mean();
            y.grads_of(&[w, b]).expect("gradients").iter().flat_map(bits).collect()
        });
        same_bits("batched", || {
            let a = Tensor::<F>::normal_of([5, 64, 65], 0.0, 1.0, &mut Rng::seed(1));
            bits(&a.matmul_nt(&a))
        });
    }
    program::<f32>();
    program::<f64>();
}

struct Net<F: Real>(Dense<F>, Dense<F>, Dense<F>);
impl<F: Real> Module<F> for Net<F> {
    fn visit_at<'a>(
        &'a self,
        path: &chainrule::core::Path<'_>,
        f: &mut dyn FnMut(&chainrule::core::Path<'_>, &'a Param<F>),
    ) {
        for (i, layer) in [&self.0, &self.1, &self.2].into_iter().enumerate() {
            layer.visit_at(&path.index(i), f);
        }
    }
    fn visit_mut_at<'a>(
        &'a mut self,
        path: &chainrule::core::Path<'_>,
        f: &mut dyn FnMut(&chainrule::core::Path<'_>, &'a mut Param<F>),
    ) {
        for (i, layer) in [&mut self.0, &mut self.1, &mut self.2].into_iter().enumerate() {
            layer.visit_mut_at(&path.index(i), f);
        }
    }
}

/// A few steps of a large network; the bits of every weight.
fn trained<F: Real>(observed: bool) -> Vec<u64> {
    let rng = &mut Rng::seed(42);
    let mut net = Net::<F>(Dense::new(784, 512, rng), Dense::new(512, 512, rng), Dense::new(512, 10, rng));
    let x = Tensor::<F>::uniform_of([512, 784], 0.0, 1.0, rng);
    let y = Labels::new((0..512).map(|i| i * 7 % 10), 10).expect("below 10");
    let mut opt = (ClipGlobalNorm::new(0.5), Adam::new(1e-3).weight_decay(1e-4));
    let (mut tape, mut norms) = (Tape::new(), observed.then(GradNorms::new));
    for _ in 0..3 {
        let r = tape.begin_train(rng);
        let h = net.0.forward(&r.constant(&x)).tanh().dropout(0.1).watch("h");
        let loss = net.2.forward(&net.1.forward(&h).gelu()).softmax_cross_entropy(&y);
        let g = if observed { loss.backward_with(&net, &mut norms) } else { loss.backward(&net) }.expect("gradients");
        opt.step(&mut net, &g).expect("a step");
    }
    let mut all = vec![];
    net.visit(|_, p| all.extend(bits(&p.value)));
    all
}

#[test]
fn a_training_run() {
    let once = |what: &str, f: &(dyn Fn() -> Vec<u64> + Sync)| {
        let first = with_threads(1, f).expect("a thread");
        let more = if runs() > 3 { vec![1, 2, 3, 4, 2, 2, 4, 1, 2, 4] } else { vec![2, 4] };
        for threads in more {
            assert!(first == with_threads(threads, f).expect("threads"), "{what}: {threads} threads");
        }
        first
    };
    let plain = once("f32", &|| trained::<f32>(false));
    once("f64", &|| trained::<f64>(false));
    assert!(plain == trained::<f32>(true), "observed runs differ");
    assert!(plain == trained::<f32>(false), "on the global threads");
}
