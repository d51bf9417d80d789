//! What a sweep shows, and what happens when its guest misbehaves; threads.
#[path = "common/engine.rs"]
mod engine;

use approx::assert_relative_eq;
use chainrule::{
    core::{Gradient, Op, Phase, Recorded, Saved, Signal, StateNorm, TimeStep, Vjp},
    nn::Dense,
    prelude::*,
};
use engine::{caught, data, here, listed, mlp, values};

/// Writes down every event, and stops at one of them.
#[derive(Default)]
struct Log {
    events: Vec<String>,
    stop: &'static str,
    panic: bool,
}
impl Log {
    fn stopping(stop: &'static str) -> Self {
        Self { stop, ..Self::default() }
    }
    fn note(&mut self, event: String) -> Result<(), Error> {
        self.events.push(event.clone());
        assert!(!self.panic || event != self.stop, "a guest that breaks things");
        if event == self.stop { Err(Error::new(ErrorKind::Observer, format!("enough after {event}"))) } else { Ok(()) }
    }
}
impl Observer for Log {
    fn recording(&mut self, r: &Recorded<'_, f32>) -> Result<(), Error> {
        assert!(!r.recording.is_empty());
        self.note("recording".into())
    }
    fn signal(&mut self, s: &Signal<'_, f32>) -> Result<(), Error> {
        self.note(format!("{:?} {} {}", s.phase, s.path, s.op))
    }
    fn time_step(&mut self, t: &TimeStep<'_>) -> Result<(), Error> {
        assert!(t.step < t.steps && t.gates.is_empty());
        let norms = t.states.iter().map(|s| format!("{} {:.3} {:.3}", s.name, s.total, s.transported));
        self.note(format!("{} {} {} {}", t.path, t.op, t.step, norms.collect::<String>()))
    }
    fn gradient(&mut self, g: &Gradient<'_, f32>) -> Result<(), Error> {
        self.note(format!("gradient {}", g.path))
    }
}

/// In the order of the sweep.
const EVENTS: [&str; 8] = [
    "recording",
    "Pre out linear",
    "gradient out.bias",
    "gradient out.weight",
    "Post hidden relu",
    "Pre hidden linear",
    "gradient hidden.bias",
    "gradient hidden.weight",
];

#[test]
fn events_come_in_the_order_of_the_sweep() -> Result<(), Error> {
    let ((x, y), net, mut tape, mut log) = (data(1), mlp(2), Tape::new(), Log::default());
    let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
    loss.backward_with(&net, &mut log)?;
    assert_eq!(log.events, EVENTS);
    Ok(())
}

/// Keeps what it sees.
#[derive(Default)]
struct Keep(Vec<(String, Phase, u32, Tensor)>, Vec<(String, Tensor)>);
impl Observer for Keep {
    fn signal(&mut self, s: &Signal<'_, f32>) -> Result<(), Error> {
        self.0.push((s.path.into(), s.phase, s.at.line(), s.bar.clone()));
        Ok(())
    }
    fn gradient(&mut self, g: &Gradient<'_, f32>) -> Result<(), Error> {
        self.1.push((g.path.into(), g.bar.clone()));
        Ok(())
    }
}

#[test]
fn signals_are_the_cotangents_of_their_nodes() -> Result<(), Error> {
    let ((x, y), rng) = (data(1), &mut Rng::seed(3));
    let net = (Dense::new(6, 5, rng), Dense::new(5, 3, rng));
    let (mut tape, mut keep) = (Tape::new(), Keep::default());
    let r = tape.begin();
    let z = net.0.forward(&r.constant(&x));
    let h = z.tanh().watch("h"); // HERE 0
    let logits = net.1.forward(&h);
    let loss = logits.softmax_cross_entropy(&y);
    let wanted = loss.grads_recorded(&[z, h, logits]);
    let g = loss.backward_with(&net, &mut keep)?;

    let seen = |path: &str, phase| keep.0.iter().find(|s| s.0 == path && s.1 == phase).unwrap();
    let [z_bar, h_bar, logits_bar] = [0, 1, 2].map(|k| wanted[k].value());
    assert_relative_eq!(seen("0", Phase::Pre).3, z_bar, epsilon = 1e-7);
    assert_relative_eq!(seen("0", Phase::Post).3, h_bar, epsilon = 1e-7);
    assert_relative_eq!(seen("h", Phase::Watch).3, h_bar, epsilon = 1e-7);
    assert_relative_eq!(seen("1", Phase::Pre).3, logits_bar, epsilon = 1e-7);
    assert_eq!(keep.0.len(), 4); // the loss is no activation: it has another shape than its input
    assert_eq!(seen("h", Phase::Watch).2, here(include_str!("observers.rs"), 0));
    assert_eq!(keep.1.len(), 4);
    for (path, bar) in &keep.1 {
        assert_eq!(bar, g.get(&**path).unwrap());
    }
    Ok(())
}

#[test]
fn nodes_are_listed_with_paths_values_and_inputs() -> Result<(), Error> {
    struct Nodes(Vec<(&'static str, Option<String>, Vec<u32>)>);
    impl Observer for Nodes {
        fn recording(&mut self, r: &Recorded<'_, f32>) -> Result<(), Error> {
            r.each_node(|n| {
                assert!(n.index == self.0.len() && n.value.data().iter().all(|x| x.is_finite()));
                self.0.push((n.op, n.path.map(str::to_owned), n.inputs.to_vec()));
            });
            Ok(())
        }
    }
    let ((x, y), net, mut tape, mut nodes) = (data(1), mlp(2), Tape::new(), Nodes(vec![]));
    let r = tape.begin();
    let loss = net.forward(&r.constant(&x)).watch("logits").softmax_cross_entropy(&y);
    loss.backward_with(&net, &mut nodes)?;
    let expect: [(&str, Option<&str>, &[u32]); 9] = [
        ("leaf", None, &[]),
        ("leaf", Some("hidden.weight"), &[]),
        ("leaf", Some("hidden.bias"), &[]),
        ("linear", Some("hidden"), &[0, 1, 2]),
        ("relu", None, &[3]),
        ("leaf", Some("out.weight"), &[]),
        ("leaf", Some("out.bias"), &[]),
        ("linear", Some("logits"), &[4, 5, 6]), // its own name goes before the layer's
        ("softmax_cross_entropy", None, &[7]),
    ];
    assert_eq!(nodes.0.len(), expect.len());
    for (seen, (op, path, inputs)) in nodes.0.iter().zip(expect) {
        assert_eq!((seen.0, seen.1.as_deref(), &seen.2[..]), (op, path, inputs));
    }
    Ok(())
}

/// Cumulative sums as a recurrence: its rule goes back in time and tells of it.
struct Cumulative;
impl Op for Cumulative {
    const NAME: &'static str = "cumulative";
    fn forward(&self, x: &[&Tensor], _: &mut Saved<'_, f32>) -> Tensor {
        let mut h = 0.0;
        Tensor::from_fn(x[0].shape(), |t| {
            h += f64::from(x[0].data()[t]);
            h
        })
    }
    fn vjp<T: TensorLike<Elem = f32>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let n = cx.input(0).shape()[0];
        let mut parts: Vec<T> = vec![];
        for t in (0..n).rev() {
            let here = y_bar.slice(0, t..t + 1);
            let later = parts.last().map_or(f64::NEG_INFINITY, |later| later.value().norm().log10());
            let h_bar = parts.last().map_or(here.clone(), |later| here + later);
            if cx.listening() {
                let total = h_bar.value().norm().log10();
                cx.time_step(t, n, &[StateNorm { name: "h", total, transported: later }], &[]);
            }
            parts.push(h_bar);
        }
        parts.reverse();
        cx.give(0, || T::concat(&parts.iter().collect::<Vec<_>>(), 0));
    }
}

#[test]
fn time_steps_come_from_the_last_to_the_first() -> Result<(), Error> {
    let net = Param::new(Tensor::new([3], vec![1.0, 2.0, 3.0]));
    let (mut tape, mut log) = (Tape::new(), Log::default());
    let run = |r: &Recording, log: &mut Log| {
        let h = TensorLike::apply(Cumulative, &[&r.param(&net)]).tag(&net);
        let g = h.sum().backward_with(&net, log)?;
        Ok::<_, Error>(g.get("").unwrap().data().to_vec())
    };
    assert_eq!(run(tape.begin(), &mut log)?, [3.0, 2.0, 1.0]);
    let steps = [" cumulative 2 h 0.000 -inf", " cumulative 1 h 0.301 0.000", " cumulative 0 h 0.477 0.301"];
    assert_eq!(log.events, ["recording", "Pre  cumulative", steps[0], steps[1], steps[2], "gradient "]);
    let e = run(tape.begin(), &mut Log::stopping(steps[1])).unwrap_err();
    assert_eq!(e.to_string(), format!("enough after {}", steps[1]));
    chainrule::check::gradgradcheck(&[Tensor::ones([4])], |x| TensorLike::apply(Cumulative, &[&x[0]]).square())?;
    Ok(())
}

// ---- guests that misbehave ------------------------------------------------------------------------------------------------

#[test]
fn an_error_ends_the_sweep() {
    let ((x, y), net, mut tape) = (data(1), mlp(2), Tape::new());
    let clean = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y).backward(&net).unwrap();
    for (k, stop) in EVENTS.into_iter().enumerate() {
        // Pairs run in order, and the second does not see what the first refused.
        let mut both = (None::<Log>, (Log::stopping(stop), Log::default()));
        let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        let e = loss.backward_with(&net, &mut both).unwrap_err();
        assert_eq!((e.kind(), e.to_string()), (ErrorKind::Observer, format!("enough after {stop}")));
        assert_eq!(both.1.0.events, EVENTS[..=k]);
        assert_eq!(both.1.1.events, EVENTS[..k]);
        let again = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y).backward(&net).unwrap();
        assert_eq!(listed(&again), listed(&clean));
    }
}

#[test]
fn a_panicking_observer_leaves_everything_as_it_was() -> Result<(), Error> {
    let ((x, y), mut net, mut tape) = (data(1), mlp(2), Tape::new());
    let (before, mut opt) = (values(&net), Sgd::new(0.1).momentum(0.9));
    let clean = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y).backward(&net)?;
    let kept = listed(&clean);
    for stop in EVENTS {
        let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        let text = caught(|| _ = loss.backward_with(&net, &mut Log { panic: true, ..Log::stopping(stop) })).text;
        assert_eq!(text, "a guest that breaks things");
        assert_eq!((values(&net), listed(&clean)), (before.clone(), kept.clone()));
        assert!(loss.item().is_finite());
        let again = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y).backward(&net)?;
        assert_eq!(listed(&again), kept);
    }
    opt.step(&mut net, &clean)?;
    assert_ne!(values(&net), before);
    Ok(())
}

// ---- threads ----------------------------------------------------------------------------------------------------------------

fn send<T: Send>() {}
fn send_sync<T: Send + Sync>() {}

#[test]
fn what_may_travel_is_send_and_sync() {
    send_sync::<(Tensor, Tensor<f64>, Grads, Param, Dense, engine::Mlp, AnyLayer, Labels)>();
    send_sync::<(Adam, Sgd<f64>, Rng, Error)>();
    send::<(Tape, Tape<f64>)>();

    /// Has `ANSWER` of the trait unless the type is `Sync`: then its own goes first.
    struct Probe<T>(std::marker::PhantomData<T>);
    trait Otherwise {
        const SYNC: bool = false;
    }
    impl<T> Otherwise for Probe<T> {}
    impl<T: Sync> Probe<T> {
        const SYNC: bool = true;
    }
    const { assert!(!Probe::<Tape>::SYNC && !Probe::<Recording>::SYNC && Probe::<Tensor>::SYNC) }
}

#[test]
fn a_tape_a_thread_and_gradients_summed_are_the_single_result() -> Result<(), Error> {
    let (net, x) = (mlp(2), Tensor::uniform([32, 6], -1.0, 1.0, &mut Rng::seed(4)));
    let loss = |r: &Recording, x: &Tensor| net.forward(&r.constant(x)).square().sum().backward(&net);
    let whole = loss(Tape::new().begin(), &x)?;
    let parts: Vec<Tensor> = (0..4).map(|k| TensorLike::slice(&x, 0, 8 * k..8 * (k + 1))).collect();
    let threaded: Vec<Grads> = std::thread::scope(|s| {
        let work: Vec<_> = parts.iter().map(|x| s.spawn(|| loss(Tape::new().begin(), x))).collect();
        work.into_iter().map(|w| w.join().expect("no panic")).collect::<Result<_, _>>()
    })?;
    let serial: Vec<Grads> = parts.iter().map(|x| loss(Tape::new().begin(), x)).collect::<Result<_, _>>()?;
    let summed = |all: Vec<Grads>| {
        let mut all = all.into_iter();
        let mut sum = all.next().expect("four");
        all.try_for_each(|g| sum.add(&g)).map(|()| sum)
    };
    let (threaded, serial) = (summed(threaded)?, summed(serial)?);
    assert_eq!(listed(&threaded), listed(&serial));
    for (path, g) in threaded.iter() {
        assert_relative_eq!(*g, *whole.get(path).unwrap(), max_relative = 1e-4, epsilon = 1e-4);
    }
    Ok(())
}

#[test]
fn gradients_of_a_copy_apply_by_path() -> Result<(), Error> {
    let ((x, y), mut net, copy) = (data(1), mlp(2), mlp(3));
    let g = copy.forward(&Tape::new().begin().constant(&x)).softmax_cross_entropy(&y).backward(&copy)?;
    let before = net.out.weight.value.clone();
    Sgd::new(0.5).step(&mut net, &g)?;
    let moved = before - g.get("out.weight").unwrap() * 0.5;
    assert_relative_eq!(net.out.weight.value, moved, max_relative = 1e-6);
    Ok(())
}

#[test]
fn every_node_of_the_sweep_shows_its_cotangent() -> Result<(), Error> {
    #[derive(Default)]
    struct All(f64, usize, Vec<(usize, &'static str, Tensor)>, Vec<(bool, bool, Option<String>)>);
    impl Observer for All {
        fn recording(&mut self, r: &Recorded<'_, f32>) -> Result<(), Error> {
            (self.0, self.1) = (r.loss(), r.root);
            r.each_node(|n| {
                assert_eq!(n.head, n.index);
                self.3.push((n.wants, n.elementwise, n.layer.map(str::to_owned)));
            });
            Ok(())
        }
        fn cotangent(&mut self, c: &chainrule::core::Cotangent<'_, f32>) -> Result<(), Error> {
            self.2.push((c.index, c.op, c.bar.clone()));
            Ok(())
        }
    }
    let ((x, y), net, mut tape, mut all) = (data(1), mlp(2), Tape::new(), All::default());
    let r = tape.begin();
    let loss = net.forward(&r.constant(&x)).watch("logits").softmax_cross_entropy(&y);
    let item = loss.item();
    let g = loss.backward_with(&net, &mut (&mut all, None::<All>))?;
    let seen: Vec<_> = all.2.iter().map(|(i, op, _)| (*i, *op)).collect();
    let expect = [(8, "softmax_cross_entropy"), (7, "linear"), (6, "leaf"), (5, "leaf"), (4, "relu"), (3, "linear")];
    assert_eq!((all.0, all.1, &seen[..6]), (item, 8, &expect[..]));
    assert_eq!((seen[6..].to_vec(), all.2[0].2.data()), (vec![(2, "leaf"), (1, "leaf")], &[1.0][..]));
    assert_eq!(&all.2[2].2, g.get("out.bias").unwrap());
    let named = |i: usize| (all.3[i].0, all.3[i].1, all.3[i].2.as_deref());
    assert_eq!((named(0), named(1)), ((false, false, None), (true, false, None)));
    assert_eq!((named(4), named(7)), ((true, true, None), (true, false, Some("out")))); // watched, yet the layer's
    Ok(())
}
