//! Modules by path: reading, writing, copying, averaging, freezing, listing; moving averages; tied weights.
#[path = "common/engine.rs"]
mod engine;

use chainrule::{check::gradcheck_module, core::Path, prelude::*};
use engine::{data, mlp, values};

fn text(e: Error, kind: ErrorKind) -> String {
    assert_eq!(e.kind(), kind);
    e.to_string()
}

fn mixed(seed: u64) -> (Vec<AnyLayer>, Option<Dense>, Option<Dense>) {
    let rng = &mut Rng::seed(seed);
    let deep = (Dense::new(3, 3, rng), Relu, vec![Dense::new(3, 3, rng)]);
    (vec![AnyLayer::new(Residual::new(deep)), AnyLayer::new(LayerNorm::new([3]))], None, Some(Dense::new(3, 2, rng)))
}

fn paths(net: &impl Module) -> Vec<String> {
    let mut all = vec![];
    net.visit(|path, _| all.push(path.to_string()));
    all
}

// ---- by path --------------------------------------------------------------------------------------------------------------

#[test]
fn parameters_are_read_and_written_by_path() -> Result<(), Error> {
    let mut net = mlp(1);
    assert!(std::ptr::eq(net.param("hidden.weight")?, &net.hidden.weight));
    net.param_mut("out.bias")?.value = Tensor::new([3], vec![1.0, 2.0, 3.0]);
    assert_eq!(net.out.bias.as_ref().unwrap().value.data(), [1.0, 2.0, 3.0]);
    net.set("hidden.bias", Tensor::ones([5]))?;
    assert_eq!(net.hidden.bias.as_ref().unwrap().value.data(), [1.0; 5]);
    // Every path of tuples, vectors, options, boxed layers.
    let mut net = mixed(1);
    for path in paths(&net) {
        let shape = net.param(&path)?.value.shape();
        net.set(&path, Tensor::full(shape, 7.0))?;
    }
    assert!(values(&net).iter().flatten().all(|x| *x == 7.0));
    assert_eq!(paths(&net)[..3], ["0.0.inner.0.weight", "0.0.inner.0.bias", "0.0.inner.2.0.weight"]);
    // A parameter alone is a module, whose path is empty.
    let mut p = Param::new(Tensor::scalar(1.0));
    p.set("", Tensor::scalar(2.0))?;
    assert_eq!(p.param("")?.value.item(), 2.0);
    Ok(())
}

#[test]
fn a_path_that_is_not_there_names_its_neighbours() {
    let mut net = mlp(1);
    let before = values(&net);
    let mut unknown = |path: &str| text(net.set(path, Tensor::scalar(1.0)).unwrap_err(), ErrorKind::Mismatch);
    assert_eq!(unknown("hiden.weight"), "set: there is no parameter \"hiden.weight\"; near it: \"hidden.weight\"");
    assert_eq!(unknown("bias"), "set: there is no parameter \"bias\"; near it: \"hidden.bias\", \"out.bias\"");
    assert_eq!(unknown("hidden"), "set: there is no parameter \"hidden\"; near it: \"hidden.weight\", \"hidden.bias\"");
    assert_eq!(
        unknown("encoder.3.gamma"),
        "set: there is no parameter \"encoder.3.gamma\"; there are: \"hidden.weight\", \"hidden.bias\", \"out.weight\" and 1 more"
    );
    let e = text(net.param_mut("x").unwrap_err(), ErrorKind::Mismatch);
    assert!(e.starts_with("param_mut: there is no parameter \"x\""), "{e}");
    let e = text(Module::<f32>::param(&Relu, "weight").unwrap_err(), ErrorKind::Mismatch);
    assert_eq!(e, "param: there is no parameter \"weight\"; the module has none");
    let e = text(net.set("out.weight", Tensor::zeros([3, 4])).unwrap_err(), ErrorKind::Shape);
    assert_eq!(e, "set: \"out.weight\" has shape [3, 5], the new value [3, 4]");
    assert_eq!(values(&net), before);
}

// ---- copies and averages ---------------------------------------------------------------------------------------------------

#[test]
fn copies_take_values_and_leave_the_rest() -> Result<(), Error> {
    let (mut a, b) = (mixed(1), mixed(2));
    a.freeze("2")?;
    let stranger = values(&b);
    a.copy_from(&b)?;
    assert_eq!(values(&a), stranger);
    assert_eq!(a.param("2.weight")?.role(), Role::Frozen);
    // Another type with the same paths.
    let mut source = Dense::<f32>::new(3, 3, &mut Rng::seed(5));
    let mut target = vec![Dense::new(3, 3, &mut Rng::seed(6))];
    target.copy_from(&(&mut source,))?;
    assert_eq!(values(&target), values(&source));
    // The two are apart: training one leaves the other.
    let (mut tape, (x, y)) = (Tape::new(), data(1));
    let (mut net, mut kept) = (mlp(1), mlp(2));
    kept.copy_from(&net)?;
    let before = values(&net);
    let g = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y).backward(&net)?;
    Sgd::new(0.1).step(&mut net, &g)?;
    assert_eq!(values(&kept), before);
    assert_ne!(values(&net), before);
    Ok(())
}

#[test]
fn what_does_not_fit_is_listed_and_nothing_copied() {
    let rng = &mut Rng::seed(1);
    struct Net {
        a: Dense,
        b: Dense,
        c: Dense,
    }
    struct Other {
        a: Dense,
        b: Dense,
        d: Dense,
    }
    module!(Net { a, b, c });
    module!(Other { a, b, d });
    let mut net = Net { a: Dense::new(2, 3, rng), b: Dense::new(2, 2, rng), c: Dense::new(1, 1, rng) };
    let other = Other {
        a: Dense::new(2, 4, rng),
        b: Dense::new(2, 2, rng).without_bias(),
        d: Dense::new(1, 1, rng).without_bias(),
    };
    let before = values(&net);
    let e = text(net.copy_from(&other).unwrap_err(), ErrorKind::Mismatch);
    assert_eq!(
        e,
        "copy_from: the modules differ: missing \"b.bias\", \"c.bias\", \"c.weight\"; unexpected \"d.weight\"; \"a.bias\" has \
         shape [3] here and [4] there; \"a.weight\" has shape [3, 2] here and [4, 2] there"
    );
    let e = text(net.average(&[&other]).unwrap_err(), ErrorKind::Mismatch);
    assert!(e.starts_with("average: the modules differ: missing \"b.bias\""), "{e}");
    assert_eq!(values(&net), before);
}

#[test]
fn averages_are_those_of_the_formula() -> Result<(), Error> {
    let nets = [mlp(1), mlp(2), mlp(3)];
    let mut mean = mlp(4);
    mean.average(&[&nets[0], &nets[1], &nets[2]])?;
    let all: Vec<_> = nets.iter().map(values).collect();
    for (k, mean) in values(&mean).iter().enumerate() {
        for (e, mean) in mean.iter().enumerate() {
            let naive = (0..3).map(|i| f64::from(all[i][k][e])).sum::<f64>() / 3.0;
            assert!((f64::from(*mean) - naive).abs() <= 1e-7 * naive.abs().max(1.0));
        }
    }
    let mut weighted = mlp(4);
    weighted.weighted_average(&[&nets[0], &nets[1]], &[3.0, 1.0])?;
    let (a, b, w) = (all[0][0][0], all[1][0][0], values(&weighted)[0][0]);
    assert!((w - (0.75 * a + 0.25 * b)).abs() < 1e-7);
    // A module of weight 0 does not count, whatever it holds.
    let mut lost = mlp(4);
    lost.set("hidden.bias", Tensor::full([5], f32::NAN))?;
    weighted.weighted_average(&[&lost, &nets[1]], &[0.0, 1.0])?;
    assert_eq!(values(&weighted), all[1]);
    // Of equal modules, to the bit; and of itself and others.
    mean.average(&[&nets[0], &nets[0], &nets[0]])?;
    assert_eq!(values(&mean), all[0]);
    let before = values(&mean);
    for weights in [&[1.0][..], &[0.0, 0.0], &[1.0, -1.0], &[1.0, f64::NAN], &[f64::INFINITY, 1.0]] {
        let e = mean.weighted_average(&[&nets[0], &nets[1]], weights).unwrap_err();
        let message = format!(
            "average: 2 modules with weights {weights:?}: one of at least 0 for each is needed, not all of them 0"
        );
        assert_eq!(text(e, ErrorKind::BadData), message);
    }
    let none: [&engine::Mlp; 0] = [];
    assert_eq!(mean.average(&none).unwrap_err().kind(), ErrorKind::BadData);
    assert_eq!(values(&mean), before);
    Ok(())
}

// ---- roles ------------------------------------------------------------------------------------------------------------------

#[test]
fn freezing_by_path() -> Result<(), Error> {
    struct Net {
        enc: Dense,
        encoder: (Dense, Dense),
        mean: Param,
    }
    module!(Net { enc, encoder, mean });
    let rng = &mut Rng::seed(1);
    let mut net = Net {
        enc: Dense::new(2, 2, rng),
        encoder: (Dense::new(2, 2, rng), Dense::new(2, 2, rng)),
        mean: Param::buffer(Tensor::zeros([2])),
    };
    let frozen = |net: &Net| {
        let mut all = vec![];
        net.visit(|path, p| {
            if p.role() == Role::Frozen {
                all.push(path.to_string())
            }
        });
        all
    };
    assert_eq!(net.freeze("enc")?, 2); // not "encoder", which only begins so
    assert_eq!(frozen(&net), ["enc.weight", "enc.bias"]);
    assert_eq!(net.freeze("enc")?, 0);
    assert_eq!(net.freeze("encoder.1.bias")?, 1);
    assert_eq!(net.unfreeze("enc.weight")?, 1);
    assert_eq!(frozen(&net), ["enc.bias", "encoder.1.bias"]);
    assert_eq!(net.freeze("")?, 4); // everything but the buffer
    assert_eq!(net.mean.role(), Role::Buffer);
    assert_eq!(net.unfreeze("")?, 6);
    let e = text(net.freeze("encodr").unwrap_err(), ErrorKind::Mismatch);
    assert_eq!(
        e,
        "freeze: there is no parameter \"encodr\"; near it: \"encoder.0.weight\", \"encoder.0.bias\", \"encoder.1.weight\""
    );
    assert_eq!(net.unfreeze("encoder.").unwrap_err().kind(), ErrorKind::Mismatch);
    assert!(frozen(&net).is_empty());
    Ok(())
}

#[test]
fn a_frozen_part_stays_while_the_rest_learns() -> Result<(), Error> {
    let ((x, y), mut net, mut opt, mut tape) = (data(1), mlp(2), Sgd::new(0.5), Tape::new());
    for (freeze, moved) in [("hidden", [false, false, true, true]), ("out", [true, true, false, false])] {
        net.unfreeze("")?;
        net.freeze(freeze)?;
        let before = values(&net);
        let g = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y).backward(&net)?;
        opt.step(&mut net, &g)?;
        for (k, (a, b)) in values(&net).iter().zip(&before).enumerate() {
            assert_eq!(a != b, moved[k], "{freeze} {k}");
        }
    }
    Ok(())
}

// ---- summary ----------------------------------------------------------------------------------------------------------------

/// A language model in small: the output layer is the table of the input once more.
struct Tied {
    table: Embedding<f64>,
    hidden: Dense<f64>,
    seen: Param<f64>,
}
module!(Tied as f64 { table, hidden, seen });

impl Tied {
    fn new(seed: u64) -> Self {
        let rng = &mut Rng::seed(seed);
        let hidden = Dense::new(3, 3, rng);
        Self { table: Embedding::new(5, 3, rng), hidden, seen: Param::buffer(Tensor::filled([], 0.0)) }
    }

    fn forward<P: Place<Elem = f64>>(&self, place: P, ids: &Labels) -> P::Array {
        self.table.scores(&self.hidden.forward(&self.table.forward(place, ids)).tanh())
    }
}

#[test]
fn summaries_read_as_said() -> Result<(), Error> {
    let mut net = Tied::new(1);
    net.freeze("hidden.bias")?;
    assert_eq!(
        net.summary().to_string(),
        "\
path           layer      role     shape   count  bytes
table.weight   Embedding  trained  [5, 3]     15    120
hidden.weight  Dense      trained  [3, 3]      9     72
hidden.bias    Dense      frozen   [3]         3     24
seen           Tied       buffer   []          1      8
28 numbers in 4 parameters, 224 bytes: 24 trained, 3 frozen, 1 in buffers"
    );
    let mut tape = Tape::new();
    let r = tape.begin_eval();
    net.forward(r, &Labels::new([1, 2, 3, 4], 5)?);
    net.hidden.forward(&r.constant(&Tensor::filled([2, 3], 0.0)));
    net.hidden.forward(&r.constant(&Tensor::filled([2, 3], 1.0)));
    assert_eq!(
        net.summary_on(r).to_string(),
        "\
path           layer      role     shape   output         count  bytes
table.weight   Embedding  trained  [5, 3]  [4, 3]            15    120
hidden.weight  Dense      trained  [3, 3]  [4, 3] [2, 3]      9     72
hidden.bias    Dense      frozen   [3]                        3     24
seen           Tied       buffer   []                         1      8
28 numbers in 4 parameters, 224 bytes: 24 trained, 3 frozen, 1 in buffers"
    );
    let summary = net.summary();
    assert_eq!((summary.count(), summary.bytes(), summary.rows.len()), (28, 224, 4));
    assert_eq!(summary.count_of(Role::Trained), 24);
    let none =
        "path  layer  role  shape  count  bytes\n0 numbers in 0 parameters, 0 bytes: 0 trained, 0 frozen, 0 in buffers";
    assert_eq!(Module::<f32>::summary(&Relu).to_string(), none);
    Ok(())
}

#[test]
fn layers_are_named_where_module_says_it() {
    let net = mixed(1);
    let layers: Vec<_> = net.summary().rows.iter().map(|row| row.layer.unwrap_or("-")).collect();
    assert_eq!(layers, ["Dense", "Dense", "Dense", "Dense", "LayerNorm", "LayerNorm", "Dense", "Dense"]);
    // A module written by hand, with one parameter under two names.
    struct Hand(Param);
    impl Module for Hand {
        fn visit_at<'a>(&'a self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a Param)) {
            f(&path.join("once"), &self.0);
            f(&path.join("again"), &self.0);
        }
        fn visit_mut_at<'a>(&'a mut self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a mut Param)) {
            f(&path.join("once"), &mut self.0);
        }
    }
    let summary = Hand(Param::new(Tensor::zeros([2]))).summary();
    assert_eq!((summary.rows.len(), summary.count(), summary.rows[0].layer), (1, 2, None));
    struct Plain {
        list: Vec<Param>,
    }
    module!(Plain { list });
    let plain = Plain { list: vec![Param::new(Tensor::zeros([2]))] };
    assert_eq!((plain.summary().rows[0].layer, &*plain.summary().rows[0].path), (Some("Plain"), "list.0"));
}

// ---- tied weights ---------------------------------------------------------------------------------------------------------------

#[test]
fn a_tied_weight_is_one_parameter_used_twice() -> Result<(), Error> {
    let (mut net, mut tape) = (Tied::new(1), Tape::new());
    let (ids, next) = (Labels::new([1, 2, 3, 1], 5)?, Labels::new([2, 3, 1, 4], 5)?);
    gradcheck_module(&net, |r| net.forward(r, &ids).softmax_cross_entropy(&next))?;
    // The gradient is the sum of those of two parameters with the same value.
    let twin = net.table.clone();
    let r = tape.begin();
    let h = net.hidden.forward(&net.table.forward(r, &ids)).tanh();
    let apart = twin.scores(&h).softmax_cross_entropy(&next);
    let mut both = (&mut net.table, &mut net.hidden, twin);
    let apart = apart.backward(&both)?;
    let (a, b) = (apart.get("0.weight").unwrap().clone(), apart.get("2.weight").unwrap().clone());
    assert!(a.norm() > 0.0 && b.norm() > 0.0);
    both.2.weight.value = Tensor::filled([5, 3], 0.0);

    let g = net.forward(tape.begin(), &ids).softmax_cross_entropy(&next).backward(&net)?;
    let sum = &a + &b;
    let tied = g.get("table.weight").unwrap();
    for (t, s) in tied.data().iter().zip(sum.data()) {
        assert!((t - s).abs() < 1e-14, "{t} {s}");
    }
    assert_eq!(g.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["table.weight", "hidden.weight", "hidden.bias"]);
    // One step of the optimizer.
    let before = net.table.weight.value.clone();
    Sgd::new(0.5).step(&mut net, &g)?;
    for (e, w) in net.table.weight.value.data().iter().enumerate() {
        assert!((w - (before.data()[e] - 0.5 * tied.data()[e])).abs() < 1e-15);
    }
    Ok(())
}

// ---- moving averages --------------------------------------------------------------------------------------------------------------

/// `net` with `x` in every place.
fn filled(net: &mut Dense<f64>, x: f64) -> &Dense<f64> {
    net.visit_mut(|_, p| p.value = Tensor::filled(p.value.shape(), x));
    net
}

#[test]
fn moving_averages_are_those_of_the_formula() -> Result<(), Error> {
    let mut net = Dense::<f64>::new(2, 3, &mut Rng::seed(1));
    let series = [1.0, -2.0, 0.5, 4.0, 3.0];
    for decay in [0.0, 0.5, 0.99] {
        let (mut plain, mut corrected) = (Ema::new(decay)?, Ema::new(decay)?.bias_corrected());
        let mut average = series[0];
        for (t, x) in series.into_iter().enumerate() {
            plain.update(filled(&mut net, x))?;
            corrected.update(&net)?;
            average = decay * average + (1.0 - decay) * x;
            let shares: Vec<f64> = (0..=t).map(|k| decay.powi((t - k) as i32)).collect();
            let weighted: f64 = shares.iter().zip(series).map(|(share, x)| share * x).sum();
            for (ema, expect) in [(&plain, average), (&corrected, weighted / shares.iter().sum::<f64>())] {
                let mut eval = net.clone();
                ema.store_into(&mut eval)?;
                assert!(values(&eval).iter().flatten().all(|w| (w - expect).abs() < 1e-14), "{decay} {t} {expect}");
            }
        }
        assert_eq!((plain.steps(), net.param("bias")?.value.data()), (5, &[3.0; 3][..]));
    }
    Ok(())
}

#[test]
fn a_moving_average_does_not_drift_and_takes_buffers_as_they_are() -> Result<(), Error> {
    // In f32, 0.9999 x + 1e-4 x is not x; after many steps the difference would show.
    let mut net =
        (Param::new(Tensor::scalar(0.3)), Param::buffer(Tensor::scalar(0.0)), Param::frozen(Tensor::scalar(5.0)));
    let mut ema = Ema::new(0.9999)?;
    for t in 0..10_000 {
        net.1.value = Tensor::scalar(t as f32);
        ema.update(&net)?;
    }
    let mut eval = net.clone();
    ema.store_into(&mut eval)?;
    assert_eq!(values(&eval), [[0.3], [9999.0], [5.0]]);
    // Without parameters there is nothing to do.
    Ema::<f32>::new(0.5)?.update(&Relu)
}

#[test]
fn swapping_there_and_back() -> Result<(), Error> {
    let (mut net, x) = (mlp(1), data(1).0);
    let (mut ema, first) = (Ema::new(0.9)?, mlp(1));
    let no_average = |e: Error, who: &str| {
        assert_eq!(text(e, ErrorKind::BadData), format!("{who}: there is no average yet; update it first"));
    };
    no_average(ema.swap(&mut net).unwrap_err(), "Ema::swap");
    no_average(ema.store_into(&mut net).unwrap_err(), "Ema::store_into");
    ema.update(&net)?;
    let trained = mlp(2);
    net.copy_from(&trained)?;
    ema.swap(&mut net)?;
    assert_eq!(net.forward(&x), first.forward(&x));
    let e = text(ema.update(&net).unwrap_err(), ErrorKind::BadData);
    assert_eq!(e, "Ema::update: the average is in the network; swap it back first");
    let e = text(ema.store_into(&mut mlp(3)).unwrap_err(), ErrorKind::BadData);
    assert_eq!(e, "Ema::store_into: the average is in a network; swap it back first");
    ema.swap(&mut net)?;
    assert_eq!(values(&net), values(&trained));
    ema.update(&net)?;

    // What is refused changes nothing.
    let mut before = mlp(5);
    ema.store_into(&mut before)?;
    net.param_mut("out.bias")?.value.data_mut()[1] = f32::NAN;
    assert_eq!(text(ema.update(&net).unwrap_err(), ErrorKind::NonFinite), "Ema::update: \"out.bias\" is not finite");
    let mismatch = |e: Error| text(e, ErrorKind::Mismatch);
    assert_eq!(
        mismatch(ema.update(&(Dense::new(2, 2, &mut Rng::seed(1)),)).unwrap_err()),
        "Ema::update: \"0.weight\" where the average has \"hidden.weight\""
    );
    let mut other = mlp(1);
    other.hidden = Dense::new(6, 4, &mut Rng::seed(1));
    assert_eq!(
        mismatch(ema.store_into(&mut other).unwrap_err()),
        "Ema::store_into: \"hidden.weight\" has shape [4, 6], the average [5, 6]"
    );
    let mut short = mlp(1);
    short.out = Dense::new(5, 3, &mut Rng::seed(1)).without_bias();
    assert_eq!(mismatch(ema.swap(&mut short).unwrap_err()), "Ema::swap: the network has no \"out.bias\"");
    let mut small = Ema::new(0.9)?;
    small.update(&short)?;
    assert_eq!(mismatch(small.update(&mlp(1)).unwrap_err()), "Ema::update: the average has no \"out.bias\"");
    let mut after = mlp(6);
    ema.store_into(&mut after)?;
    assert_eq!(values(&after), values(&before));
    assert_eq!(ema.steps(), 2);
    for decay in [1.0, -0.1, f64::NAN] {
        let message = format!("Ema: the decay must be at least 0 and below 1, got {decay}");
        assert_eq!(text(Ema::<f32>::new(decay).unwrap_err(), ErrorKind::BadData), message);
    }
    Ok(())
}
