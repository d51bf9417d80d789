//! Recording and differentiating, as a user meets it.
#[path = "common/engine.rs"]
mod engine;

use approx::assert_relative_eq;
use chainrule::{check::gradcheck_module, formula, prelude::*};
use engine::{data, listed, mlp, values};

// ---- backward(&net): paths and modules -----------------------------------------------------------------------------

#[test]
fn trains_and_reads_gradients_by_path_and_by_parameter() -> Result<(), Error> {
    let ((x, y), mut net, mut opt, mut tape) = (data(1), mlp(2), Sgd::new(0.5), Tape::new());
    let (mut first, mut last) = (None, 0.0);
    for _ in 0..200 {
        let r = tape.begin();
        let loss = net.forward(&r.constant(&x)).softmax_cross_entropy(&y);
        let mut g = loss.backward(&net)?;
        let clip = g.clip_global_norm(1.0)?;
        assert!(clip.norm > 0.0 && clip.coef <= 1.0);
        let paths: Vec<_> = g.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]);
        assert!(std::ptr::eq(g.get("out.bias").unwrap(), g.get(net.out.bias.as_ref().unwrap()).unwrap()));
        opt.step(&mut net, &g)?;
        last = loss.item();
        first.get_or_insert(last);
    }
    assert!(last < 0.5 * first.unwrap());
    Ok(())
}

#[test]
fn modules_compose_and_paths_follow_the_module() -> Result<(), Error> {
    let ((x, _), mut a, mut b, mut tape) = (data(1), mlp(1), Dense::new(3, 1, &mut Rng::seed(2)), Tape::new());
    for k in 0..4 {
        // The same parameters under other paths: the cached tables must notice.
        let loss = b.forward(&a.forward(&tape.begin().constant(&x))).sum();
        if k % 2 == 1 {
            let g = loss.backward(&(&mut a.hidden, &mut a.out, &mut b))?;
            assert_eq!(g.iter().last().unwrap().0, "2.bias");
        } else {
            let mut both = (&mut a, &mut b);
            let g = loss.backward(&both)?;
            assert_eq!(g.iter().next().unwrap().0, "0.hidden.weight");
            Sgd::new(0.1).step(&mut both, &g)?;
        }
    }
    Ok(())
}

#[test]
fn vectors_options_and_boxes_are_modules() -> Result<(), Error> {
    let rng = &mut Rng::seed(1);
    let mut net =
        vec![Some(Box::new(Dense::new(6, 6, rng))), None, Some(Box::new(Dense::new(6, 6, rng).without_bias()))];
    let mut tape = Tape::new();
    let g = net.forward(&tape.begin().constant(&data(1).0)).sum().backward(&net)?;
    assert_eq!(
        listed(&g).iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
        ["0.weight", "0.bias", "2.weight"]
    );
    assert_eq!(net.count(), 36 + 6 + 36);
    Sgd::new(0.1).step(&mut net, &g)?;
    Ok(())
}

struct Residual<L> {
    inner: L,
    rate: f64,
}
module!(impl[L: Layer] Residual<L> { inner; skip rate });
impl<L: Layer> Layer for Residual<L> {
    fn forward<T: TensorLike<Elem = f32>>(&self, x: &T) -> T {
        self.inner.forward(x) * self.rate + x
    }
}

#[test]
fn a_stack_chosen_at_run_time_trains_by_path() -> Result<(), Error> {
    let rng = &mut Rng::seed(1);
    let mut net = vec![
        AnyLayer::new(Dense::new(6, 4, rng)),
        AnyLayer::new(Tanh),
        AnyLayer::new(Residual { inner: Dense::new(4, 4, rng), rate: 0.5 }),
    ];
    let ((x, _), mut tape) = (data(3), Tape::new());
    let y = net.forward(&tape.begin().constant(&x));
    assert_eq!(y.value(), net.forward(&x)); // one forward for both
    let loss = (y * y).sum();
    let before = loss.item();
    let g = loss.backward(&net)?;
    let paths: Vec<_> = g.iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["0.weight", "0.bias", "2.inner.weight", "2.inner.bias"]);
    Sgd::new(0.01).step(&mut net, &g)?;
    let y = net.forward(&x);
    assert!((&y * &y).sum().item() < before);
    Ok(())
}

#[test]
fn one_of_several_recorded_modules() -> Result<(), Error> {
    let ((x, _), generator, critic, mut tape) = (data(1), mlp(1), Dense::new(3, 1, &mut Rng::seed(2)), Tape::new());
    let run = |r: &Recording| critic.forward(&generator.forward(&r.constant(&x))).sum().backward_only(&generator);
    let only = run(tape.begin())?;
    let loss = critic.forward(&generator.forward(&tape.begin().constant(&x))).sum();
    let pair = (&mut { generator }, &mut { critic });
    let all = loss.backward(&pair)?;
    assert_eq!(only.iter().count(), 4);
    for (path, g) in only.iter() {
        assert_eq!(g, all.get(&*format!("0.{path}")).unwrap());
    }
    Ok(())
}

#[test]
fn retained_sweeps_agree_with_the_last_one() -> Result<(), Error> {
    let ((x, y), net, mut tape) = (data(1), mlp(2), Tape::new());
    let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
    // The fused rule writes over what it saved only in the last of these.
    let [a, b, c] = [loss.backward_retained(&net)?, loss.backward_retained(&net)?, loss.backward(&net)?];
    assert_eq!(listed(&a), listed(&b));
    assert_eq!(listed(&a), listed(&c));
    Ok(())
}

// ---- gradients of variables and nodes, higher orders -----------------------------------------------------------------

#[test]
fn gradients_of_variables_and_of_inner_nodes() -> Result<(), Error> {
    let (mut tape, t) = (Tape::new(), Tensor::new([2], vec![3.0, 4.0]));
    let r = tape.begin();
    let (x, unused) = (r.variable(&t), r.variable(&t));
    let square = x * x;
    let g = (square * square).sum().grads_of(&[x, square, unused, x])?;
    assert_eq!(g[0].data(), [4.0 * 27.0, 4.0 * 64.0]);
    assert_eq!(g[1].data(), [18.0, 32.0]);
    assert_eq!(g[2].data(), [0.0, 0.0]);
    assert_eq!(g[3], g[0]);

    let r = tape.begin();
    let x = r.variable(&t);
    let square = x * x;
    let g = (square * square).sum().grads_recorded(&[x, square, r.variable(&t)]);
    assert_eq!((g[0].value().data(), g[1].value().data()), (&[108.0, 256.0][..], &[18.0, 32.0][..]));
    assert_eq!(g[2].value().data(), [0.0, 0.0]);
    Ok(())
}

#[test]
fn the_gradient_of_a_leaf_itself_is_one() -> Result<(), Error> {
    let mut tape = Tape::new();
    let x = tape.begin().variable(&Tensor::scalar(3.0));
    assert_eq!(x.grads_recorded(&[x])[0].item(), 1.0);
    assert_eq!(x.grads_of(&[x])?[0].item(), 1.0);
    Ok(())
}

#[test]
fn three_orders_from_one_text() -> Result<(), Error> {
    let mut tape = Tape::<f64>::new();
    let r = tape.begin();
    let at = [0.3, -1.2, 2.0];
    let x = r.variable(&Tensor::of([3], at.to_vec()));
    let first = (x * x * x * x).sum().grads_recorded(&[x])[0];
    let second = first.sum().grads_recorded(&[x])[0];
    let third = second.sum().grads_of(&[x])?;
    for (k, x) in at.iter().enumerate() {
        assert_relative_eq!(first.value().data()[k], 4.0 * x.powi(3), max_relative = 1e-14);
        assert_relative_eq!(second.value().data()[k], 12.0 * x.powi(2), max_relative = 1e-14);
        assert_relative_eq!(third[0].data()[k], 24.0 * x, max_relative = 1e-14);
    }
    // tanh''' = (6 tanh^2 - 2) sech^2
    let r = tape.begin();
    let x = r.variable(&Tensor::of([3], at.to_vec()));
    let second = x.tanh().sum().grads_recorded(&[x])[0].sum().grads_recorded(&[x])[0];
    let third = second.sum().grads_of(&[x])?;
    for (x, g) in at.iter().zip(third[0].data()) {
        let (t, s) = (x.tanh(), 1.0 / x.cosh().powi(2));
        assert_relative_eq!(*g, (6.0 * t * t - 2.0) * s, max_relative = 1e-12, epsilon = 1e-14);
    }
    Ok(())
}

#[test]
fn a_value_used_twice_collects_both_cotangents() -> Result<(), Error> {
    let mut tape = Tape::<f64>::new();
    let r = tape.begin();
    let x = r.variable(&Tensor::of([2], vec![3.0, 4.0]));
    let g = (x.sum() * (x * x).sum() + x.sum()).grads_of(&[x])?;
    assert_eq!(g[0].data(), [25.0 + 7.0 * 6.0 + 1.0, 25.0 + 7.0 * 8.0 + 1.0]);
    Ok(())
}

#[test]
fn diamonds_are_walked_once() -> Result<(), Error> {
    let mut tape = Tape::<f64>::new();
    let x = tape.begin().variable(&Tensor::of([], vec![3.0]));
    // 2^20 paths once, and 2^60 that no walk of paths would finish.
    for depth in [20, 60] {
        let r = x.recording();
        let mut y = x;
        for _ in 0..depth {
            y = y * 0.5 + y * 0.5;
        }
        assert_eq!((y.grads_recorded(&[x])[0].item(), y.item()), (1.0, 3.0));
        assert!(r.len() < 1000);
    }
    Ok(())
}

// ---- parameters: identity and roles -----------------------------------------------------------------------------------

#[test]
fn a_clone_is_another_parameter() -> Result<(), Error> {
    let (mut tape, p) = (Tape::new(), Param::new(Tensor::scalar(3.0)));
    let q = p.clone();
    let r = tape.begin();
    let g = (r.param(&p) * r.param(&q) * r.param(&q)).backward(&vec![p, q])?;
    assert_eq!((g.get("0").unwrap().item(), g.get("1").unwrap().item()), (9.0, 18.0));
    Ok(())
}

struct Tied {
    w: Param<f64>,
}
module!(impl[] Tied as f64 { w });

#[test]
fn a_tied_weight_is_one_parameter_used_twice() -> Result<(), Error> {
    let net = Tied { w: Param::new(Tensor::uniform_of([3, 4], -1.0, 1.0, &mut Rng::seed(1))) };
    let x = Tensor::uniform_of([5, 4], -1.0, 1.0, &mut Rng::seed(2));
    let report = gradcheck_module(&net, |r| {
        let x = r.constant(&x);
        x.matmul_nt(&r.param(&net.w)).tanh().matmul(&r.param(&net.w)).square()
    })?;
    assert_eq!(report.checked, 12);
    let mut tape = Tape::new();
    let r = tape.begin();
    let (w, again) = (r.param(&net.w), r.param(&net.w));
    assert_eq!(r.len(), 1);
    let g = (w * again).sum().backward(&net)?;
    assert_eq!(*g.get("w").unwrap(), &net.w.value * 2.0);
    Ok(())
}

struct Centre<F: Real> {
    mean: Param<F>,
    gain: Param<F>,
}
module!(Centre<F> { mean as "running_mean", gain });
impl<F: Real> Layer<F> for Centre<F> {
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
        let mean = x.param(&self.mean);
        let centred = x.clone() - &mean;
        if x.place().training() {
            x.update(&self.mean, &(mean * 0.9 + x.mean() * 0.1));
        }
        centred * &x.param(&self.gain)
    }
}

#[test]
fn buffers_are_averaged_by_add_and_committed_by_step() -> Result<(), Error> {
    let scalar = |x| Tensor::<f64>::of([], vec![x]);
    let mut net = Centre { mean: Param::buffer(scalar(0.0)), gain: Param::new(scalar(1.0)) };
    let (mut tape, x) = (Tape::new(), Tensor::of([2], vec![2.0, 4.0]));
    let mut run = |net: &Centre<f64>, c: f64| net.forward(&tape.begin().constant(&(&x * c))).sum().backward(net);
    let (mut sum, second, third) = (run(&net, 1.0)?, run(&net, 3.0)?, run(&net, 8.0)?);
    sum.add(&second)?;
    sum.add(&third)?; // gradients are summed, updates averaged over all three
    assert_eq!(listed(&sum), [("gain".to_owned(), vec![6.0 * 12.0])]);
    assert_eq!(net.mean.value.item(), 0.0);
    Sgd::new(0.0).step(&mut net, &sum)?;
    assert_relative_eq!(net.mean.value.item(), 0.1 * 3.0 * (1.0 + 3.0 + 8.0) / 3.0, max_relative = 1e-14);

    let before = net.mean.value.item();
    assert_eq!(net.forward(&x).data()[0], 2.0 - before); // plain tensors use it and leave it alone
    let g = net.forward(&tape.begin_eval().constant(&x)).sum().backward(&net)?;
    assert!(g.get("running_mean").is_none());
    assert_eq!(net.mean.value.item(), before);
    Ok(())
}

#[test]
fn frozen_parameters_are_constants() -> Result<(), Error> {
    let ((x, y), mut net, mut tape) = (data(1), mlp(1), Tape::new());
    net.hidden.weight.set_role(Role::Frozen);
    let before = net.hidden.weight.value.clone();
    let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
    let g = loss.backward(&net)?;
    assert_eq!(g.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["hidden.bias", "out.weight", "out.bias"]);
    Sgd::new(1.0).step(&mut net, &g)?;
    assert_eq!(net.hidden.weight.value, before);
    net.visit_mut(|_, p| p.set_role(Role::Frozen));
    let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
    assert_eq!(loss.backward(&net)?.iter().count(), 0);
    Ok(())
}

// ---- places and modes -----------------------------------------------------------------------------------------------------

struct Embedding<F: Real> {
    table: Param<F>,
}
module!(Embedding<F> { table });
impl<F: Real> Embedding<F> {
    fn forward<P: Place<Elem = F>>(&self, place: P, ids: &Labels) -> P::Array {
        place.param(&self.table).index_select(0, ids)
    }
}

#[test]
fn an_embedding_needs_no_input_tensor() -> Result<(), Error> {
    let mut net = Embedding { table: Param::new(Tensor::<f32>::uniform([5, 2], -1.0, 1.0, &mut Rng::seed(1))) };
    let (mut tape, ids) = (Tape::new(), Labels::new([4, 1, 4], 5)?);
    let y = net.forward(tape.begin(), &ids);
    assert_eq!(y.value(), net.forward(Eager::HERE, &ids));
    let g = y.sum().backward(&net)?;
    assert_eq!(g.get("table").unwrap().data(), [0., 0., 1., 1., 0., 0., 0., 0., 2., 2.]);
    Sgd::new(0.1).step(&mut net, &g)?;
    Ok(())
}

#[test]
fn dropout_draws_where_it_may() -> Result<(), Error> {
    let ((x, _), mut tape, mut rng) = (data(1), Tape::new(), Rng::seed(1));
    assert_eq!(tape.begin_eval().constant(&x).dropout(0.5).value(), x);
    assert_eq!(x.dropout(0.5), x);
    let r = tape.begin_train(&mut rng);
    let v = r.variable(&x);
    let (y, z) = (v.dropout(0.5), v.dropout(0.5));
    let before = y.value();
    assert_ne!(before, z.value()); // another node, another mask
    r.replay();
    assert_eq!(before, y.value());
    let g = y.sum().grads_of(&[v])?;
    assert!(before.data().iter().zip(g[0].data()).all(|(y, g)| (*y == 0.0) == (*g == 0.0)));
    assert!(g[0].data().contains(&0.0) && g[0].data().contains(&2.0));
    // One number is drawn a step: the same seed gives the same masks, the next step others.
    let mut masks = |rng: &mut Rng| tape.begin_train(rng).constant(&x).dropout(0.5).value();
    let (mut a, mut b) = (Rng::seed(5), Rng::seed(5));
    let first = masks(&mut a);
    assert_eq!(first, masks(&mut b));
    assert_ne!(first, masks(&mut a));
    Ok(())
}

// ---- replay -------------------------------------------------------------------------------------------------------------

#[test]
fn a_replay_with_other_ops_and_leaves_is_a_fresh_recording() -> Result<(), Error> {
    fn net<T: TensorLike<Elem = f32>>(m: &engine::Mlp, x: &T, y: &Labels, relu: bool) -> T {
        let h = m.hidden.forward(x);
        m.out.forward(&if relu { h.relu() } else { h.tanh() }).softmax_cross_entropy(y)
    }
    let ((x, y), (x2, _), m) = (data(1), data(9), mlp(4));
    let (mut t1, mut t2) = (Tape::new(), Tape::new());
    let r = t1.begin();
    let leaf = r.constant(&x);
    let replayed = net(&m, &leaf, &y, false);
    replayed.backward_retained(&m)?;
    assert_eq!(r.replace_ops("tanh", formula::Relu {}), 1);
    assert_eq!(r.replace_ops("no such op", formula::Relu {}), 0);
    r.replace_leaf(leaf, &x2);
    r.replay();
    let recorded = net(&m, &t2.begin().constant(&x2), &y, true);
    assert_eq!(replayed.item().to_bits(), recorded.item().to_bits());
    assert_eq!(listed(&replayed.backward(&m)?), listed(&recorded.backward(&m)?));
    Ok(())
}

#[test]
fn two_modules_in_turn_train_as_alone() -> Result<(), Error> {
    let ((x, y), steps) = (data(1), 20);
    let step = |net: &mut engine::Mlp, opt: &mut Adam, tape: &mut Tape| {
        let g = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y).backward(net)?;
        opt.step(net, &g).map(|_| ())
    };
    let (mut a, mut b, mut tape) = (mlp(1), mlp(2), Tape::new());
    let (mut opt_a, mut opt_b) = (Adam::new(0.01), Adam::new(0.01));
    for _ in 0..steps {
        step(&mut a, &mut opt_a, &mut tape)?;
        step(&mut b, &mut opt_b, &mut tape)?;
    }
    for (seed, together) in [(1, values(&a)), (2, values(&b))] {
        let (mut alone, mut opt, mut tape) = (mlp(seed), Adam::new(0.01), Tape::new());
        for _ in 0..steps {
            step(&mut alone, &mut opt, &mut tape)?;
        }
        assert_eq!(values(&alone), together);
    }
    Ok(())
}

#[test]
fn constructors_are_f32() {
    for t in [
        Tensor::new([1], vec![1.0]),
        Tensor::zeros([1]),
        Tensor::ones([1]),
        Tensor::full([1], 2.0),
        Tensor::scalar(3.0),
    ] {
        assert_eq!(std::any::type_name_of_val(&t.data()[0]), "f32");
    }
    assert_eq!(Tensor::new([2], vec![1.0, 2.0]).to::<f64>().data(), [1.0f64, 2.0]);
}
