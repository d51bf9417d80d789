//! The workloads that are timed: sizes, data and optimizers are fixed, so that other libraries can be timed on the same.
//! f32; a training step is forward, loss, backward, clip where named, optimizer step, and the loss read at the end.
use chainrule::{optim::Optimizer, prelude::*, with_threads};
use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// One step; returns its loss.
pub(crate) type Step = Box<dyn FnMut() -> f64>;

/// What a step cannot be faster than.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    /// Floating-point operations of its matrix products.
    Flop(f64),
    /// Bytes: inputs read once, gradients written once.
    Bytes(f64),
    /// None; the time is given for each of so many ops.
    Ops(f64),
}

#[derive(Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) bound: Bound,
    make: fn() -> Made,
}

struct Made {
    step: Step,
    /// What the first loss must be.
    loss: f64,
    within: f64,
}

impl Workload {
    /// The step, after one that gave the right loss.
    pub(crate) fn ready(&self) -> Step {
        let mut made = (self.make)();
        let loss = (made.step)();
        let (name, expected, within) = (self.name, made.loss, made.within);
        assert!((loss - expected).abs() <= within, "{name}: the first loss is {loss}, not {expected} +- {within}");
        made.step
    }
}

const SMALL: &[usize] = &[784, 128, 128, 10];
const DEEP: &[usize] = &[784, 256, 256, 256, 256, 256, 256, 256, 256, 10];
const LARGE: &[usize] = &[784, 2048, 2048, 10];
const MILLION: usize = 1_000_000;

macro_rules! map {
    ($name:ident $method:ident $formula:expr) => {
        Workload {
            name: stringify!($name),
            bound: Bound::Bytes(3.0 * 4.0 * MILLION as f64),
            make: || {
                let (x, w) =
                    (Xorshift::new(2).tensor([MILLION], -2.0, 2.0), Xorshift::new(3).tensor([MILLION], -1.0, 1.0));
                let formula: fn(f64) -> f64 = $formula;
                let loss = x.data().iter().zip(w.data()).map(|(&x, &w)| formula(x.into()) * f64::from(w)).sum();
                gradients([x], loss, 1.0, move |[x]| (x.$method() * x.constant(&w)).sum())
            },
        }
    };
}

pub(crate) const ALL: &[Workload] = &[
    Workload {
        name: "mlp_small",
        bound: Bound::Flop(flop(SMALL, 64)),
        make: || mlp(SMALL, Sigmoid, 64, Sgd::new(0.1)),
    },
    Workload {
        name: "mlp_deep",
        bound: Bound::Flop(flop(DEEP, 128)),
        make: || mlp(DEEP, Relu, 128, (ClipGlobalNorm::new(1.0), Sgd::new(0.01).momentum(0.9))),
    },
    Workload {
        name: "mlp_large",
        bound: Bound::Flop(flop(LARGE, 512)),
        make: || mlp(LARGE, Relu, 512, Adam::new(1e-3)),
    },
    Workload { name: "matmul_1024", bound: Bound::Flop(6.0 * (1u64 << 30) as f64), make: || matmul(1024) },
    Workload { name: "matmul_64", bound: Bound::Flop(6.0 * (1u64 << 18) as f64), make: || matmul(64) },
    Workload { name: "tiny_chain", bound: Bound::Ops(1000.0), make: tiny_chain },
    map! { tanh_1m tanh f64::tanh },
    map! { sigmoid_1m sigmoid |x| 1.0 / (1.0 + (-x).exp()) },
    map! { exp_1m exp f64::exp },
    map! { gelu_1m gelu_tanh |x| 0.5 * x * (1.0 + (0.797_884_560_802_865_4 * (x + 0.044_715 * x.powi(3))).tanh()) },
    map! { gelu_erf_1m gelu |x| 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2) },
    Workload { name: "softmax_ce", bound: Bound::Bytes(2.0 * 4.0 * 1024.0 * 10_000.0), make: softmax_ce },
];

/// Three products for each layer, without the gradient of the data.
const fn flop(sizes: &[usize], batch: usize) -> f64 {
    let (mut products, mut i) = (0, 0);
    while i + 1 < sizes.len() {
        products += if i == 0 { 2 } else { 3 } * sizes[i] * sizes[i + 1];
        i += 1;
    }
    (2 * batch * products) as f64
}

/// A classifier with PyTorch's initialisation, trained on noise.
fn mlp<A: Layer + Copy + 'static>(
    sizes: &[usize],
    activation: A,
    batch: usize,
    mut opt: impl Optimizer + 'static,
) -> Made {
    let mut rng = Rng::seed(0);
    let [widths @ .., last, classes] = sizes else { unreachable!("at least two sizes") };
    let widths: Vec<usize> = widths.iter().chain([last]).copied().collect();
    let hidden: Vec<_> = widths.windows(2).map(|w| (Dense::new(w[0], w[1], &mut rng), activation)).collect();
    let mut net = (hidden, Dense::new(*last, *classes, &mut rng));
    let mut r = Xorshift::new(1);
    let (x, y) = (r.tensor([batch, sizes[0]], 0.0, 1.0), r.labels(batch, *classes));
    let mut tape = Tape::new();
    let step = move || {
        let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        let g = loss.backward(&net).expect("the whole net is visited");
        opt.step(&mut net, &g).expect("the gradients are finite");
        loss.item()
    };
    // A fresh classifier knows nothing.
    Made { step: Box::new(step), loss: (*classes as f64).ln(), within: 0.2 }
}

/// The gradients of a scalar with respect to all `leaves`.
fn gradients<const N: usize>(
    leaves: [Tensor; N],
    loss: f64,
    within: f64,
    f: impl for<'t> Fn([Var<'t>; N]) -> Var<'t> + 'static,
) -> Made {
    let mut tape = Tape::new();
    let step = move || {
        let r = tape.begin();
        let leaves = std::array::from_fn(|i| r.variable(&leaves[i]));
        let y = f(leaves);
        y.grads_of(&leaves).expect("the rules are complete");
        y.item()
    };
    Made { step: Box::new(step), loss, within }
}

/// 1,000 ops on 16 numbers.
fn tiny_chain() -> Made {
    let mut r = Xorshift::new(2);
    let leaves = [r.tensor([16], -1.0, 1.0), r.tensor([16], 0.9, 1.1), r.tensor([16], -0.1, 0.1)];
    let of = |t: usize, e: usize| f64::from(leaves[t].data()[e]);
    let chain = |e| {
        (0..1000).fold(of(0, e), |y, i| match i % 3 {
            0 => y * of(1, e),
            1 => y + of(2, e),
            _ => y.tanh(),
        })
    };
    let loss = (0..16).map(chain).sum();
    gradients(leaves, loss, 1e-3, |[x, a, b]| {
        let mut y = x;
        for i in 0..1000 {
            y = match i % 3 {
                0 => y * a,
                1 => y + b,
                _ => y.tanh(),
            };
        }
        y.sum()
    })
}

/// Three products of `n^3`.
fn matmul(n: usize) -> Made {
    let mut r = Xorshift::new(2);
    let (a, b, w) =
        (r.tensor([n, n], -1.0, 1.0), r.tensor([n, n], -1.0, 1.0), Xorshift::new(3).tensor([n, n], -1.0, 1.0));
    let mut loss = 0.0;
    let mut row = vec![0.0; n];
    for (a, w) in a.data().chunks_exact(n).zip(w.data().chunks_exact(n)) {
        row.fill(0.0);
        for (&a, b) in a.iter().zip(b.data().chunks_exact(n)) {
            row.iter_mut().zip(b).for_each(|(y, &b)| *y += f64::from(a) * f64::from(b));
        }
        loss += row.iter().zip(w).map(|(y, &w)| y * f64::from(w)).sum::<f64>();
    }
    gradients([a, b], loss, 1e-3 * n as f64, move |[a, b]| (a.matmul(&b) * a.constant(&w)).sum())
}

fn softmax_ce() -> Made {
    let (rows, n) = (1024, 10_000);
    let x = Xorshift::new(4).tensor([rows, n], -2.0, 2.0);
    let y = Xorshift::new(2).labels(rows, n);
    let nll = |(x, &label): (&[f32], &u32)| {
        x.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln() - f64::from(x[label as usize])
    };
    let loss = x.data().chunks_exact(n).zip(y.ids()).map(nll).sum::<f64>() / rows as f64;
    gradients([x], loss, 1e-4, move |[x]| x.softmax_cross_entropy(&y))
}

/// The generator that all sides share.
struct Xorshift(u64);

impl Xorshift {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn tensor<const N: usize>(&mut self, shape: [usize; N], lo: f32, hi: f32) -> Tensor {
        let unit = |bits: u64| (bits >> 40) as f32 / (1 << 24) as f32;
        let data = (0..shape.iter().product()).map(|_| unit(self.next()) * (hi - lo) + lo).collect();
        Tensor::new(shape, data)
    }

    fn labels(&mut self, n: usize, classes: usize) -> Labels {
        let ids = (0..n).map(|_| ((self.next() >> 33) % classes as u64) as usize);
        Labels::new(ids, classes).expect("below the number of classes")
    }
}

/// A thread that keeps one step ready and has the crate's kernels use a fixed number of threads: buffers are recycled
/// by thread, and steps with different numbers of threads can take turns.
pub(crate) struct Worker {
    orders: Sender<usize>,
    times: Receiver<Vec<Duration>>,
}

impl Worker {
    pub(crate) fn new(threads: usize, make: impl FnOnce() -> Step + Send + 'static) -> Self {
        let (orders, inbox) = channel();
        let (outbox, times) = channel();
        let work = move || {
            let mut step = make();
            for steps in inbox {
                let time = |_| {
                    let start = Instant::now();
                    std::hint::black_box(step());
                    start.elapsed()
                };
                outbox.send((0..steps).map(time).collect()).expect("the asker waits");
            }
        };
        thread::spawn(move || with_threads(threads, work).expect("threads can be started"));
        Self { orders, times }
    }

    /// The time of each of so many steps.
    pub(crate) fn run(&self, steps: usize) -> Vec<Duration> {
        self.orders.send(steps).expect("the worker lives");
        self.times.recv().expect("the worker's check and steps succeed")
    }
}
