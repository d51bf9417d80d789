//! What a training step allocates, and what stays behind. The counts are of the whole process, so this is one test.
#![allow(unsafe_code, reason = "a counting allocator is unsafe to write")]
#![allow(clippy::print_stdout, reason = "the packing of the gemm crate is counted apart, for the reader")]
#[path = "common/counting.rs"]
mod counting;

use chainrule::{
    core::Recorded,
    optim::{
        Agc, AutoClip, NonFinite, ReportUpdates, ZClip,
        schedule::{Cosine, Schedule, Scheduled},
    },
    prelude::*,
    with_threads,
};
use counting::{CALLS, LARGEST, LIVE};
use std::{hint::black_box, sync::atomic::Ordering::SeqCst};

fn calls(f: impl FnOnce()) -> usize {
    let before = CALLS.load(SeqCst);
    f();
    CALLS.load(SeqCst) - before
}

/// The fewest of several measurements: the harness prints from its own thread now and then.
fn fewest(times: usize, mut f: impl FnMut()) -> usize {
    (0..times).map(|_| calls(&mut f)).min().expect("at least one")
}

struct Mlp<F: Real> {
    layers: Vec<Dense<F>>,
}
module!(Mlp<F> { layers });
impl<F: Real> Layer<F> for Mlp<F> {
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
        let (last, hidden) = self.layers.split_last().expect("a layer");
        let h = hidden.iter().fold(x.clone(), |h, layer| layer.forward(&h).tanh());
        last.forward(&h)
    }
}

fn mlp<F: Real>(sizes: &[usize]) -> Mlp<F> {
    let mut rng = Rng::seed(1);
    Mlp { layers: sizes.windows(2).map(|s| Dense::new(s[0], s[1], &mut rng)).collect() }
}

/// An observer that reads everything and keeps nothing.
struct Reads(f64);
impl<F: Real> Observer<F> for Reads {
    fn recording(&mut self, r: &Recorded<'_, F>) -> Result<(), Error> {
        r.each_node(|n| self.0 += n.value.data().first().map_or(0.0, |x| x.f64()));
        Ok(())
    }
    fn signal(&mut self, s: &chainrule::core::Signal<'_, F>) -> Result<(), Error> {
        self.0 += s.bar.norm();
        Ok(())
    }
    fn gradient(&mut self, g: &chainrule::core::Gradient<'_, F>) -> Result<(), Error> {
        self.0 += g.bar.norm();
        Ok(())
    }
}

/// The products of one step, alone: forward, and for each layer by weight and by input (not for the first).
fn products<F: Real>(sizes: &[usize], batch: usize) -> (usize, usize) {
    let (mut count, mut allocations) = (0, 0);
    let mut alone = |m: usize, k: usize, n: usize, ta: bool, tb: bool| {
        let a = Tensor::<F>::filled(if ta { [k, m] } else { [m, k] }, F::one());
        let b = Tensor::<F>::filled(if tb { [n, k] } else { [k, n] }, F::one());
        for _ in 0..3 {
            black_box(a.matmul_with(&b, ta, tb));
        }
        count += 1;
        allocations += fewest(5, || _ = black_box(a.matmul_with(&b, ta, tb)));
    };
    for (i, s) in sizes.windows(2).enumerate() {
        alone(batch, s[0], s[1], false, true);
        alone(s[1], batch, s[0], true, false);
        if i > 0 {
            alone(batch, s[1], s[0], false, false);
        }
    }
    (count, allocations)
}

/// Allocations of a warm step beyond what its bare products make.
fn step<F: Real>(sizes: &[usize], batch: usize, mut opt: impl Optimizer<F>, observed: bool) -> (usize, usize, usize) {
    let (mut net, mut tape) = (mlp::<F>(sizes), Tape::<F>::new());
    let classes = *sizes.last().expect("a size");
    let x = Tensor::<F>::uniform_of([batch, sizes[0]], -1.0, 1.0, &mut Rng::seed(2));
    let y = Labels::new((0..batch).map(|i| i % classes), classes).expect("below");
    let mut one = || {
        let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        let mut g =
            if observed { loss.backward_with(&net, &mut (None::<Reads>, Reads(0.0))) } else { loss.backward(&net) }
                .expect("gradients");
        g.clip_global_norm(1e9).expect("finite");
        g.clip_value(1e9).expect("finite");
        black_box(g.iter().map(|(_, g)| g.norm()).sum::<f64>());
        opt.step(&mut net, &g).expect("a step");
    };
    for _ in 0..5 {
        one();
    }
    let seen = fewest(10, &mut one);
    let (count, packing) = products::<F>(sizes, batch);
    (seen, count, packing)
}

/// Every kind of link, with a schedule.
fn everything() -> impl Optimizer {
    let groups = Groups::new().no_decay("*.bias").rate_factor("layers.0", 0.5).freeze("layers.1.bias");
    let clips = (Agc::default().skip("layers.0"), ClipNorm::new(1.0), AutoClip::default().window(4), ZClip::default());
    let opt = Scheduled::new(AdamW::new(0.01).amsgrad(), Cosine::new(0.01, 100).warm_up(5));
    (groups, ReportUpdates, clips.0, clips.1, clips.2, clips.3, ClipValue::new(0.1), opt)
}

fn a_warm_step_allocates_nothing_of_ours() {
    for threads in [1, 2] {
        let per_product = if threads == 1 { 2 } else { 5 };
        with_threads(threads, || {
            // Products too small to pack: nothing at all may be allocated.
            for sizes in [&[3, 4, 2][..], &[6, 8, 8, 8, 3], &[1, 1], &[2, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 2]] {
                let (seen, count, packing) = step::<f64>(sizes, 4, Sgd::new(0.01), false);
                assert!(seen <= packing, "{sizes:?}: {seen} allocations, {packing} in {count} products");
            }
            for (sizes, batch) in [(&[20, 30, 10][..], 7), (&[64, 128, 128, 10], 64), (&[300, 257, 129, 10], 96)] {
                let links = || (ClipGlobalNorm::new(1.0), ClipValue::new(0.1));
                let ((a, b), (c, d)) = (links(), links());
                for (name, (seen, count, packing)) in [
                    ("Sgd", step::<f32>(sizes, batch, Sgd::new(0.01), false)),
                    ("momentum", step::<f32>(sizes, batch, Sgd::new(0.01).momentum(0.9), false)),
                    ("Adam", step::<f32>(sizes, batch, Adam::new(0.01), false)),
                    ("Adam, observed", step::<f32>(sizes, batch, Adam::new(0.01), true)),
                    ("norm, value, Sgd", step::<f32>(sizes, batch, (a, b, Sgd::new(0.01)), false)),
                    ("value, norm, Adam", step::<f64>(sizes, batch, (d, c, Adam::new(0.01)), true)),
                    ("everything", step::<f32>(sizes, batch, everything(), true)),
                    ("RMSProp, zeroed", step::<f64>(sizes, batch, (b.non_finite(NonFinite::Zero), RmsProp::new(0.01).centered().momentum(0.5)), false)),
                ] {
                    println!("{threads} threads, {sizes:?} x {batch}, {name}: {seen} allocations; {count} products: {packing}");
                    assert!(seen <= packing, "{sizes:?} {name}: {seen} allocations, {packing} in the products");
                    assert!(packing <= per_product * count, "{sizes:?}: {packing} allocations in {count} products");
                }
            }
        })
        .expect("threads");
    }
}

fn two_modules_in_turn_allocate_nothing_of_ours() {
    with_threads(1, || {
        let (mut a, mut b, mut tape) = (mlp::<f32>(&[3, 4, 2]), mlp::<f32>(&[3, 5, 5, 2]), Tape::new());
        let (mut opt_a, mut opt_b) = (Adam::new(0.01), Sgd::new(0.01).momentum(0.5));
        let x = Tensor::ones([4, 3]);
        let mut one = || {
            let g = a.forward(&tape.begin().constant(&x)).square().mean().backward(&a).expect("gradients");
            opt_a.step(&mut a, &g).expect("a step");
            let loss = b.forward(&a.forward(&tape.begin().constant(&x)).tanh().slice(1, 0..1).broadcast_to([4, 3]));
            let g = loss.square().mean().backward_only(&b).expect("gradients");
            opt_b.step(&mut b, &g).expect("a step");
        };
        for _ in 0..5 {
            one();
        }
        let seen = fewest(10, &mut one);
        // The boxes of ops are kept by place: two programs in turn on one tape write each other's anew.
        println!("two modules in turn: {seen} allocations");
        assert!(seen <= 30, "{seen}");
    })
    .expect("a thread");
}

/// A step made of everything that moves, picks and reduces.
fn the_rest_of_the_vocabulary_allocates_nothing_of_ours() {
    let (net, mut tape) = (Param::new(Tensor::<f64>::normal_of([4, 6], 0.0, 1.0, &mut Rng::seed(1))), Tape::new());
    let index = Labels::new((0..8).map(|i| i % 6), 6).expect("below 6").reshape([4, 2]);
    let mut one = || {
        let r = tape.begin();
        let x = r.param(&net);
        let [low, high] = &x.split(1, 3)[..] else { panic!("two parts") };
        let y = TensorLike::stack(&[low, high], 0).flip(&[0, 2]).pad(&[(0, 0), (1, 0), (0, 1)], 0.5);
        let picked = x.gather(1, &index);
        let added = x.scatter_add(1, &index, &picked);
        let hot = r.one_hot(&added.argmax(1), 6);
        let (w, b) = (x.mean_axes(&[0]), x.min_axes(&[0]));
        let rows = (added * hot).layer_norm(&w, &b, 1e-5).elu(0.5).sin();
        let sizes = [
            rows.var(1),
            rows.std_axes(&[0], 0).sum(),
            y.norm(),
            y.logsumexp_axes(&[0, 2]).max(),
            rows.prod_keep(&[0]).sum(),
        ];
        let loss = sizes.into_iter().reduce(|a, b| a + b).expect("a loss");
        black_box(loss.backward(&net).expect("gradients"));
    };
    for _ in 0..5 {
        one();
    }
    let seen = fewest(10, &mut one);
    assert_eq!(seen, 0);
}

struct Words {
    table: Embedding,
    norm: LayerNorm,
    hidden: Residual<Dense>,
}
module!(Words { table, norm, hidden });

/// A padded table used twice, a normalised residual layer, a loss with every setting, a moving average.
fn layers_and_losses_allocate_nothing_of_ours() {
    with_threads(1, || {
        let rng = &mut Rng::seed(1);
        let table = Embedding::new(6, 4, rng).padding(0).expect("a row");
        let mut net = Words { table, norm: LayerNorm::new([4]), hidden: Residual::new(Dense::new(4, 4, rng)) };
        let (mut opt, mut ema, mut tape) = (Adam::new(0.01), Ema::new(0.9).expect("a decay"), Tape::new());
        let (ids, next) = (Labels::new([1, 0, 3, 3], 6).expect("below"), Labels::new([0, 3, 3, 5], 6).expect("below"));
        let loss = CrossEntropy::new().ignore(0).smoothing(0.1).expect("a share").weights(&[1.5; 6]).expect("weights");
        let mut one = || {
            let h = net.hidden.forward(&net.norm.forward(&net.table.forward(tape.begin(), &ids)));
            let g = loss.forward(&net.table.scores(&h), &next).backward(&net).expect("gradients");
            opt.step(&mut net, &g).expect("a step");
            ema.update(&net).expect("finite");
        };
        for _ in 0..5 {
            one();
        }
        let seen = fewest(10, &mut one);
        // The products of the reverse sweep, alone: what they pack is the gemm crate's.
        let (x, y) = (Tensor::ones([4, 4]), Tensor::ones([4, 6]));
        let products = [(&x, &x), (&y, &x)].map(|(y_bar, x)| fewest(5, || _ = black_box(y_bar.matmul_tn(x))));
        let w = Tensor::ones([6, 4]);
        let more = [(&x, &x), (&y, &w)].map(|(y_bar, w)| fewest(5, || _ = black_box(y_bar.matmul(w))));
        let packing = products.iter().chain(&more).sum::<usize>();
        println!("layers and losses: {seen} allocations; 4 products: {packing}");
        assert!(seen <= packing && packing <= 8, "{seen} allocations, {packing} in the products");
    })
    .expect("a thread");
}

fn a_step_with_checkpoints_allocates_nothing_of_ours() {
    with_threads(1, || {
        let sizes = [3, 4, 4, 4, 2];
        let (mut net, mut tape, mut opt) = (mlp::<f32>(&sizes), Tape::new(), Adam::new(0.01));
        let (x, y) = (Tensor::ones([4, 3]), Labels::new([0, 1, 1, 0], 2).expect("below"));
        let mut one = || {
            let h = tape.begin().constant(&x);
            let h = net.layers[..3].iter().fold(h, |h, layer| {
                h.checkpoint(|h| h.checkpoint(|h| layer.forward(h).tanh().softmax()).exp().sigmoid())
            });
            let loss = h.checkpoint(|h| net.layers[3].forward(h).softmax_cross_entropy(&y));
            let g = loss.backward(&net).expect("gradients");
            opt.step(&mut net, &g).expect("a step");
        };
        for _ in 0..5 {
            one();
        }
        let seen = fewest(10, &mut one);
        // Each layer runs forward three times.
        let (_, packing) = products::<f32>(&sizes, 4);
        assert!(seen <= 3 * packing, "{seen} allocations, {packing} in the products");
    })
    .expect("a thread");
}

/// Live bytes after steps 10 and 1,000.
fn growth(mut one: impl FnMut()) -> i64 {
    for _ in 0..10 {
        one();
    }
    let early = LIVE.load(SeqCst);
    for _ in 10..1000 {
        one();
    }
    LIVE.load(SeqCst) - early
}

fn live_bytes_stay() {
    let (mut net, mut tape, x) = (mlp::<f32>(&[6, 8, 3]), Tape::new(), Tensor::ones([4, 6]));
    let (mut opt, mut rng) = (Adam::new(0.01), Rng::seed(1));
    let trained = growth(|| {
        let g = net.forward(&tape.begin().constant(&x)).square().mean().backward(&net).expect("gradients");
        opt.step(&mut net, &g).expect("a step");
    });
    // Never swept: forward, then begin again.
    let forward =
        growth(|| _ = black_box(net.forward(&tape.begin_train(&mut rng).constant(&x)).dropout(0.5).sum().item()));
    let eager = growth(|| _ = black_box(net.forward(&x)));
    let tapes = growth(|| _ = black_box(net.forward(&Tape::new().begin().constant(&x)).square().mean().backward(&net)));
    let clones = growth(|| {
        let copy = Mlp { layers: net.layers.clone() };
        black_box(copy.forward(&tape.begin().constant(&x)).square().mean().backward(&copy).expect("gradients"));
    });
    let higher = growth(|| {
        let r = tape.begin();
        let v = r.variable(&x);
        let first = net.forward(&v).square().mean().grads_recorded(&[v])[0];
        black_box(first.square().sum().grads_of(&[v]).expect("gradients"));
    });
    assert_eq!([trained, forward, eager, tapes, clones, higher], [0; 6]);
}

fn gradients_dropped_on_another_thread_do_not_pile_up() {
    let (net, x) = (mlp::<f32>(&[64, 64, 3]), Tensor::ones([4, 64]));
    let (send, receive) = std::sync::mpsc::sync_channel::<Grads>(0);
    let dropped = std::thread::spawn(move || receive.iter().map(drop).count());
    let mut tape = Tape::new();
    let grown = growth(|| {
        let g = net.forward(&tape.begin().constant(&x)).square().mean().backward(&net).expect("gradients");
        send.send(g).expect("the other thread lives");
    });
    drop(send);
    assert_eq!(dropped.join().expect("no panic"), 1000);
    // One set may be on its way at either reading; 990 of them would be 18 MB.
    assert!(grown.abs() < 3 * 4 * (64 * 64 + 64 * 3 + 67), "{grown} bytes");
}

fn a_million_nodes_on_a_small_stack() {
    let run = || {
        let mut tape = Tape::<f64>::new();
        let x = tape.begin().variable(&Tensor::of([], vec![1.0]));
        let y = (0..1_000_000).fold(x, |y, _| y * 1.000_001);
        let g = y.grads_of(&[x]).expect("gradients");
        assert!((g[0].item() - 1f64.exp()).abs() < 1e-4, "{}", g[0].item());
        let r = tape.begin_eval(); // dropped whole, and begun again
        assert!(r.is_empty());
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).expect("a thread").join().expect("no overflow");
}

fn refusals_allocate_no_storage() {
    LARGEST.store(0, SeqCst);
    assert!(Tensor::<f32>::try_filled([usize::MAX, 2], 0.0).is_err());
    assert!(Tensor::<f64>::try_filled([1 << 33, 1 << 33], 0.0).is_err());
    assert!(Tensor::<f64>::try_filled([1 << 33, 0, 1 << 33], 0.0).is_err());
    assert!(Tensor::try_new([usize::MAX, 3], vec![]).is_err());
    assert!(Tensor::zeros([1 << 40, 0]).try_matmul(&Tensor::zeros([0, 1 << 40])).is_err());
    assert!(Tensor::ones([1]).try_broadcast_to([usize::MAX, 2]).is_err());
    assert!(Tensor::ones([1]).try_reshape([usize::MAX, 2]).is_err());
    // A header that promises 4 GB, and then 3 bytes come.
    let mut file = vec![0, 0, 8, 1, 0xff, 0xff, 0xff, 0xff, 1, 2, 3];
    let e = chainrule::data::Idx::read(&file[..]).unwrap_err();
    assert_eq!(
        e.to_string(),
        "IDX: the header promises 4294967295 bytes of data for shape [4294967295], but the file has 3"
    );
    file[2] = 0x0E; // 32 GB
    assert!(chainrule::data::Idx::read(&file[..]).is_err());
    assert!(LARGEST.load(SeqCst) < 4096, "{} bytes at once", LARGEST.load(SeqCst));
}

#[test]
fn one_after_the_other() {
    // Threads of a pool free their storage at their leisure, so what uses pools comes last.
    let parts: [(&str, fn()); 9] = [
        ("live bytes", live_bytes_stay),
        ("dropped elsewhere", gradients_dropped_on_another_thread_do_not_pile_up),
        ("a million nodes", a_million_nodes_on_a_small_stack),
        ("refusals", refusals_allocate_no_storage),
        ("the vocabulary", the_rest_of_the_vocabulary_allocates_nothing_of_ours),
        ("checkpoints", a_step_with_checkpoints_allocates_nothing_of_ours),
        ("two modules", two_modules_in_turn_allocate_nothing_of_ours),
        ("layers and losses", layers_and_losses_allocate_nothing_of_ours),
        ("a warm step", a_warm_step_allocates_nothing_of_ours),
    ];
    for (name, part) in parts {
        println!("{name}");
        std::thread::spawn(part).join().unwrap_or_else(|_| panic!("{name} failed"));
    }
}
