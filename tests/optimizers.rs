//! Every optimizer against PyTorch's numbers, which tests/pytorch/optimizers.py makes.
#[path = "common/numbers.rs"]
mod numbers;

use approx::assert_relative_eq;
use chainrule::{
    optim::{Adagrad, AdamW, Lion, NAdam, RAdam, RmsProp},
    prelude::*,
    with_threads,
};
use numbers::{rows, table};

struct Ab {
    a: Param<f64>,
    b: Param<f64>,
}
module!(impl[] Ab as f64 { a, b });

const SIZES: [(&str, &[usize]); 2] = [("a", &[3, 2]), ("b", &[4])];

fn optimizer(case: &str) -> Box<dyn Optimizer<f64>> {
    match case {
        "sgd" => Box::new(Sgd::new(0.1)),
        "sgd decay" => Box::new(Sgd::new(0.1).weight_decay(0.3)),
        "sgd momentum" => Box::new(Sgd::new(0.05).momentum(0.9).weight_decay(0.02)),
        "sgd dampening" => Box::new(Sgd::new(0.05).momentum(0.8).dampening(0.3).weight_decay(0.02)),
        "sgd nesterov" => Box::new(Sgd::new(0.05).momentum(0.9).nesterov().weight_decay(0.02)),
        "adam" => Box::new(Adam::new(0.01)),
        "adam decay" => Box::new(Adam::new(0.02).betas(0.8, 0.95).epsilon(0.1).weight_decay(0.3)),
        "adam amsgrad" => Box::new(Adam::new(0.02).betas(0.7, 0.6).epsilon(0.05).weight_decay(0.1).amsgrad()),
        "adamw" => Box::new(AdamW::new(0.01)),
        "adamw decay" => Box::new(AdamW::new(0.02).betas(0.8, 0.95).epsilon(0.1).weight_decay(0.3)),
        "adamw amsgrad" => Box::new(AdamW::new(0.02).betas(0.7, 0.6).epsilon(0.05).weight_decay(0.1).amsgrad()),
        "nadam" => Box::new(NAdam::new(0.01)),
        "nadam decay" => Box::new(NAdam::new(0.02).betas(0.8, 0.95).epsilon(0.1).weight_decay(0.3).momentum_decay(0.2)),
        "nadam decoupled" => Box::new(NAdam::new(0.02).weight_decay(0.3).decoupled()),
        "radam" => Box::new(RAdam::new(0.01)),
        "radam decay" => Box::new(RAdam::new(0.02).betas(0.8, 0.95).epsilon(0.1).weight_decay(0.3)),
        "radam decoupled" => Box::new(RAdam::new(0.02).betas(0.9, 0.8).weight_decay(0.3).decoupled()),
        "rmsprop" => Box::new(RmsProp::new(0.01)),
        "rmsprop decay" => Box::new(RmsProp::new(0.02).alpha(0.9).epsilon(0.1).weight_decay(0.3)),
        "rmsprop momentum" => Box::new(RmsProp::new(0.01).alpha(0.9).epsilon(0.05).momentum(0.7).weight_decay(0.1)),
        "rmsprop centered" => Box::new(RmsProp::new(0.01).alpha(0.9).epsilon(0.05).centered().weight_decay(0.1)),
        "rmsprop both" => Box::new(RmsProp::new(0.01).alpha(0.8).epsilon(0.05).momentum(0.6).centered()),
        "adagrad" => Box::new(Adagrad::new(0.1)),
        "adagrad decay" => Box::new(Adagrad::new(0.1).rate_decay(0.2).weight_decay(0.3).start(0.5).epsilon(0.1)),
        "lion" => Box::new(Lion::new(0.01)),
        "lion decay" => Box::new(Lion::new(0.02).betas(0.8, 0.95).weight_decay(0.3)),
        _ => panic!("no optimizer for \"{case}\""),
    }
}

/// The gradients of each step (`None` where there is none), and the values at the start.
struct Inputs {
    start: [Vec<f64>; 2],
    steps: Vec<[Option<Vec<f64>>; 2]>,
}

fn inputs() -> Inputs {
    let all = rows("gradients.csv", 2);
    let find = |step: &str, name: &str| {
        let row = all.iter().find(|(keys, _)| keys[0] == step && keys[1] == name).expect("a row");
        row.1.clone()
    };
    let start = SIZES.map(|(name, _)| find("start", name));
    let count = all.len() / 2 - 1;
    let steps = (0..count)
        .map(|t| SIZES.map(|(name, _)| Some(find(&t.to_string(), name)).filter(|numbers| !numbers.is_empty())));
    Inputs { start, steps: steps.collect() }
}

fn tensor(k: usize, numbers: &[f64]) -> Tensor<f64> {
    Tensor::of(Shape::try_new(SIZES[k].1).expect("a shape"), numbers.to_vec())
}

fn net(inputs: &Inputs) -> Ab {
    let [a, b] = [0, 1].map(|k| Param::new(tensor(k, &inputs.start[k])));
    Ab { a, b }
}

/// A loss with exactly these gradients; a parameter without one is frozen.
fn backward(net: &mut Ab, tape: &mut Tape<f64>, step: &[Option<Vec<f64>>; 2]) -> Grads<f64> {
    let r = tape.begin();
    let mut loss = r.constant(&Tensor::filled([], 0.0));
    for (k, (p, g)) in [&mut net.a, &mut net.b].into_iter().zip(step).enumerate() {
        p.set_role(if g.is_some() { Role::Trained } else { Role::Frozen });
        if let Some(g) = g {
            loss = loss + (r.param(p) * r.constant(&tensor(k, g))).sum();
        }
    }
    loss.backward(net).expect("gradients")
}

fn values(net: &Ab) -> Vec<f64> {
    [&net.a, &net.b].iter().flat_map(|p| p.value.data().to_vec()).collect()
}

#[test]
fn each_optimizer_is_pytorchs() {
    let inputs = inputs();
    let all = rows("optimizers.csv", 2);
    let mut cases: Vec<&str> = all.iter().map(|(keys, _)| &*keys[0]).collect();
    cases.dedup();
    assert!(cases.len() >= 26 && inputs.steps.len() >= 12, "the numbers are missing");
    for case in cases {
        let (mut opt, mut net, mut tape) = (optimizer(case), net(&inputs), Tape::new());
        for (t, step) in inputs.steps.iter().enumerate() {
            let g = backward(&mut net, &mut tape, step);
            opt.step(&mut net, &g).expect("a step");
            let t = t.to_string();
            if let Some((_, expect)) = all.iter().find(|(keys, _)| keys[0] == case && keys[1] == t) {
                let seen = values(&net);
                assert_eq!(seen.len(), expect.len());
                for (i, (a, b)) in seen.iter().zip(expect).enumerate() {
                    assert!((a - b).abs() <= 1e-10 * b.abs().max(1.0), "{case}, step {t}, entry {i}: {a} not {b}");
                }
            }
        }
    }
}

/// The same program in f32 stays near the one in f64.
#[test]
fn f32_stays_near() {
    let inputs = inputs();
    for (case, narrow) in [
        (
            "adamw decay",
            Box::new(AdamW::new(0.02).betas(0.8, 0.95).epsilon(0.1).weight_decay(0.3)) as Box<dyn Optimizer>,
        ),
        ("rmsprop both", Box::new(RmsProp::new(0.01).alpha(0.8).epsilon(0.05).momentum(0.6).centered())),
        ("lion decay", Box::new(Lion::new(0.02).betas(0.8, 0.95).weight_decay(0.3))),
    ] {
        let (mut wide, mut narrow) = (optimizer(case), narrow);
        let mut w = Param::new(tensor(0, &inputs.start[0]));
        let mut n = Param::new(w.value.to::<f32>());
        for step in &inputs.steps {
            let g = tensor(0, step[0].as_ref().expect("always there"));
            narrow.step(&mut n, &Grads::from_iter([("", g.to::<f32>())])).expect("a step");
            wide.step(&mut w, &Grads::from_iter([("", g)])).expect("a step");
        }
        for (a, b) in n.value.data().iter().zip(w.value.data()) {
            assert_relative_eq!(f64::from(*a), *b, epsilon = 1e-5, max_relative = 1e-5);
        }
    }
}

fn bits<F: Real>(mut opt: Box<dyn Optimizer<F>>, size: usize, rows: usize) -> Vec<u64> {
    let rng = &mut Rng::seed(5);
    let mut net = Param::new(Tensor::<F>::normal_of([rows, size / rows], 0.0, 1.0, rng));
    for _ in 0..3 {
        let g = Grads::from_iter([("", Tensor::<F>::normal_of(net.value.shape(), 0.0, 1.0, rng))]);
        opt.step(&mut net, &g).expect("a step");
    }
    net.value.data().iter().map(|x| x.f64().to_bits()).collect()
}

/// A parameter that is cut for threads ends as the same numbers, whatever its size and the number of threads.
#[test]
fn large_parameters_do_not_depend_on_threads() {
    type Make = fn() -> Box<dyn Optimizer>;
    let makes: [Make; 7] = [
        || Box::new(Sgd::new(0.1).momentum(0.9)),
        || Box::new(Adam::new(0.1).amsgrad()),
        || Box::new(RmsProp::new(0.1).centered().momentum(0.5)),
        || Box::new(Adagrad::new(0.1)),
        || Box::new(Lion::new(0.1)),
        || Box::new((chainrule::optim::Agc::new(0.02), AdamW::new(0.1))),
        || Box::new(Sgd::new(0.1)),
    ];
    for make in makes {
        for (size, rows) in [(0, 1), (1, 1), (32_768, 1), (32_769, 1), (100_003, 1), (90_000, 9), (70_000, 35_000)] {
            let one = with_threads(1, || bits(make(), size, rows)).expect("a thread");
            for threads in [2, 3] {
                assert!(one == with_threads(threads, || bits(make(), size, rows)).expect("threads"), "{size}");
            }
        }
    }
}

/// Element by element, so that a cut in the wrong place shows.
#[test]
fn large_parameters_are_many_small_ones() {
    let (size, rng) = (100_003, &mut Rng::seed(3));
    let w = Tensor::<f64>::normal_of([size], 0.0, 1.0, rng);
    let grads: Vec<_> = (0..2).map(|_| Tensor::<f64>::normal_of([size], 0.0, 1.0, rng)).collect();
    for case in ["adam amsgrad", "rmsprop both", "sgd nesterov", "sgd decay", "nadam decay", "lion decay"] {
        let (mut opt, mut whole) = (optimizer(case), Param::new(w.clone()));
        for g in &grads {
            opt.step(&mut whole, &Grads::from_iter([("", g.clone())])).expect("a step");
        }
        for at in (0..size).step_by(1013).chain([size - 1, 32_767, 32_768, 50_047, 50_048]) {
            let (mut opt, mut single) = (optimizer(case), Param::new(Tensor::of([], vec![w.data()[at]])));
            for g in &grads {
                opt.step(&mut single, &Grads::from_iter([("", Tensor::of([], vec![g.data()[at]]))])).expect("a step");
            }
            assert_eq!(whole.value.data()[at].to_bits(), single.value.item().to_bits(), "{case} at {at}");
        }
    }
}

#[test]
fn wrong_settings_are_refused() {
    fn refused(mut opt: impl Optimizer<f64>, expect: &str) {
        let mut p = Param::new(Tensor::filled([], 1.0));
        let g = Grads::from_iter([("", Tensor::filled([], 1.0))]);
        let e = opt.step(&mut p, &g).unwrap_err();
        assert_eq!((e.kind(), &*e.to_string(), p.value.item()), (ErrorKind::BadData, expect, 1.0));
    }
    let needs = "Sgd: nesterov needs momentum above 0 and no dampening";
    refused(Sgd::new(0.1).nesterov(), needs);
    refused(Sgd::new(0.1).momentum(0.5).dampening(0.5).nesterov(), needs);
    refused(Sgd::new(0.1).dampening(-1.0), "Sgd: dampening must be at least 0 and finite in f64, got -1");
    refused(AdamW::new(f64::NAN), "AdamW: the learning rate must be at least 0 and finite in f64, got NaN");
    refused(AdamW::new(0.1).betas(1.0, 0.9), "AdamW: the first beta must be at least 0 and below 1, got 1");
    refused(NAdam::new(0.1).momentum_decay(-2.0), "NAdam: momentum_decay must be at least 0 and finite in f64, got -2");
    refused(RAdam::new(0.1).epsilon(0.0), "RAdam: epsilon must be above 0 and finite in f64, got 0");
    refused(RmsProp::new(0.1).alpha(1.5), "RmsProp: alpha must be at least 0 and below 1, got 1.5");
    refused(RmsProp::new(0.1).momentum(-0.5), "RmsProp: momentum must be at least 0 and below 1, got -0.5");
    refused(Adagrad::new(0.1).start(-1.0), "Adagrad: start must be at least 0 and finite in f64, got -1");
    refused(Adagrad::new(0.1).rate_decay(-1.0), "Adagrad: rate_decay must be at least 0 and finite in f64, got -1");
    refused(Lion::new(0.1).betas(0.9, -0.1), "Lion: the second beta must be at least 0 and below 1, got -0.1");
    refused(
        Lion::new(0.1).weight_decay(f64::INFINITY),
        "Lion: weight_decay must be at least 0 and finite in f64, got inf",
    );
}

#[test]
fn the_numbers_are_all_read() {
    assert_eq!(table("optimizers.csv").len(), 1 + 6 * 26);
}

/// PyTorch's numbers in f32, where nothing may become NaN.
#[test]
fn gradients_whose_squares_overflow() {
    let all = rows("overflow.csv", 1);
    assert!(all.len() >= 20, "the numbers are missing");
    for (case, numbers) in all {
        let mut opt: Box<dyn Optimizer<f32>> = match &*case[0] {
            "radam" => Box::new(RAdam::new(0.1)),
            "radam decay" => Box::new(RAdam::new(0.1).weight_decay(0.1)),
            "rmsprop centered" => Box::new(RmsProp::new(0.1).centered()),
            "rmsprop both" => Box::new(RmsProp::new(0.1).centered().momentum(0.9)),
            other => panic!("{other}"),
        };
        let mut w = Param::new(Tensor::filled([33], 1.0));
        for (t, expect) in numbers[1..].iter().enumerate() {
            let g = if t == 0 { numbers[0] as f32 } else { 1.0 };
            opt.step(&mut w, &Grads::from_iter([("", Tensor::filled([33], g))])).unwrap();
            for x in w.value.data() {
                assert_relative_eq!(*x, *expect as f32, max_relative = 1e-4);
            }
        }
    }
}
