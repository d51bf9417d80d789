//! The norms of gradients and signals over passes, against norms taken by hand.
#[path = "common/engine.rs"]
mod engine;

use approx::assert_relative_eq;
use chainrule::{
    core::Phase,
    flow::{GradNorms, preflight, sparkline},
    prelude::*,
};
use engine::{data, mlp};

fn naive(t: &Tensor) -> f64 {
    t.data().iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn norms_are_those_of_the_gradients() -> Result<(), Error> {
    let ((x, y), mut net, mut tape, mut opt) = (data(1), mlp(2), Tape::new(), Sgd::new(0.5));
    let (mut all, mut thinned) = (GradNorms::new(), GradNorms::new().every(3));
    let mut expect: Vec<Vec<f64>> = vec![];
    let mut signals = vec![];
    for _ in 0..8 {
        let r = tape.begin();
        let z = net.hidden.forward(&r.constant(&x));
        let h = z.relu();
        let loss = net.out.forward(&h).watch("logits").softmax_cross_entropy(&y);
        let wanted = loss.grads_recorded(&[z, h]);
        signals.push([naive(&wanted[0].value()), naive(&wanted[1].value())]);
        let mut g = loss.backward_with(&net, &mut (&mut all, &mut thinned))?;
        expect.push(g.iter().map(|(_, g)| naive(g)).collect());
        g.clip_global_norm(1e-3)?; // norms are those before any clipping
        opt.step(&mut net, &g)?;
    }
    assert_eq!((all.passes(), thinned.passes()), (8, 8));
    let paths = ["hidden.weight", "hidden.bias", "out.weight", "out.bias"];
    assert_eq!(all.gradients().map(|s| s.path.as_str()).collect::<Vec<_>>(), paths);
    for (k, path) in paths.iter().enumerate() {
        let (s, t) = (all.gradient(path).unwrap(), thinned.gradient(path).unwrap());
        assert_eq!((s.passes.clone(), t.passes.clone()), ((0..8).collect(), vec![0, 3, 6]));
        for (pass, norm) in s.passes.iter().zip(&s.norms) {
            assert_relative_eq!(*norm, expect[*pass][k], max_relative = 1e-12);
        }
        for (pass, norm) in t.passes.iter().zip(&t.norms) {
            assert_eq!(*norm, s.norms[*pass]);
        }
        assert_eq!((s.first(), s.last()), (s.norms[0], s.norms[7]));
    }
    let seen: Vec<_> = all.signals().map(|(phase, s)| (phase, s.path.as_str())).collect();
    let (pre, post) = (Phase::Pre, Phase::Post);
    assert_eq!(seen, [(pre, "hidden"), (post, "hidden"), (pre, "out"), (Phase::Watch, "logits")]);
    for (k, phase) in [pre, post].into_iter().enumerate() {
        for (pass, norm) in all.signal("hidden", phase).unwrap().norms.iter().enumerate() {
            assert_relative_eq!(*norm, signals[pass][k], max_relative = 1e-5);
        }
    }
    assert_eq!(all.signal("out", pre).unwrap().norms, all.signal("logits", Phase::Watch).unwrap().norms);
    assert!(all.gradient("no such").is_none() && all.signal("hidden", Phase::Watch).is_none());
    Ok(())
}

/// One parameter whose gradient is `c` at each pass.
fn passes(gradients: &[f32], every: usize) -> GradNorms {
    let (p, mut tape, mut norms) = (Param::new(Tensor::scalar(1.0)), Tape::new(), GradNorms::new().every(every));
    for c in gradients {
        let r = tape.begin();
        (r.param(&p) * r.constant(&Tensor::scalar(*c))).backward_with(&(p_ref(&p),), &mut norms).unwrap();
    }
    norms
}

/// A module that only points at a parameter.
fn p_ref(p: &Param) -> At<'_> {
    At(p)
}
struct At<'p>(&'p Param);
impl Module for At<'_> {
    fn visit_at<'a>(
        &'a self,
        path: &chainrule::core::Path<'_>,
        f: &mut dyn FnMut(&chainrule::core::Path<'_>, &'a Param),
    ) {
        f(&path.join("w"), self.0);
    }
    fn visit_mut_at<'a>(
        &'a mut self,
        _: &chainrule::core::Path<'_>,
        _: &mut dyn FnMut(&chainrule::core::Path<'_>, &'a mut Param),
    ) {
        unreachable!("nothing is trained")
    }
}

#[test]
fn the_table_reads_well() {
    let table = |gradients: &[f32]| passes(gradients, 1).to_string();
    let row = |path: &str, first: &str, last: &str, line: &str| format!("{path:9}  {first:>9}  {last:>9}  {line}\n");
    let top = row("parameter", "first", "last", "over 4 passes, log axis 1e-3 to 1e0");
    assert_eq!(table(&[1e-3, 2e-2, 1e-1, 1.0]), top + &row("0.w", "1.00e-3", "1.00e0", "▁▄▆█"));
    // Nothing seen, nothing but zeros, nothing finite: no invented axis.
    assert_eq!(GradNorms::new().to_string(), "no gradients in 0 passes\n");
    let top = |n: usize| row("parameter", "first", "last", &format!("over {n} passes"));
    assert_eq!(table(&[0.0, 0.0]), top(2) + &row("0.w", "0.00e0", "0.00e0", "00"));
    assert_eq!(table(&[f32::NAN]), top(1) + &row("0.w", "NaN", "NaN", "!"));
    assert_eq!(passes(&[1.0; 5], 0).gradient("0.w").unwrap().norms.len(), 5); // every 0th is every one
}

#[test]
fn a_layer_used_twice_has_the_joint_norm_of_its_signals() -> Result<(), Error> {
    let (net, x) = (Dense::new(4, 4, &mut Rng::seed(1)), Tensor::uniform([2, 4], -1.0, 1.0, &mut Rng::seed(2)));
    let (mut tape, mut norms) = (Tape::new(), GradNorms::new());
    let first = net.forward(&tape.begin().constant(&x));
    let second = net.forward(&first.tanh());
    let loss = second.square().sum();
    let wanted = loss.grads_recorded(&[first, second]);
    let joint = naive(&wanted[0].value()).hypot(naive(&wanted[1].value()));
    loss.backward_with(&net, &mut norms)?;
    assert_relative_eq!(norms.signal("", Phase::Pre).unwrap().first(), joint, max_relative = 1e-5);
    Ok(())
}

#[test]
fn sparklines() {
    assert_eq!(sparkline(&[], 1.0, 2.0, 8), "");
    assert_eq!(sparkline(&[1.0], 1.0, 2.0, 0), "");
    assert_eq!(sparkline(&[0.0, -1.0, f64::NAN, f64::INFINITY, 1e-3, 1.0], 1e-3, 1.0, 8), "00!!▁█");
    assert_eq!(sparkline(&[1e-9, 1e9], 1e-3, 1.0, 8), "▁█"); // outside the axis
    assert_eq!(sparkline(&[2.0, 2.0], 2.0, 2.0, 8), "▁▁"); // an axis of one point
    assert_eq!(sparkline(&[2.0], f64::INFINITY, 0.0, 8), "█"); // none at all
    let eight: Vec<f64> = (0..8).map(|k| 10f64.powf(f64::from(k) + 0.5)).collect();
    assert_eq!(sparkline(&eight, 1.0, 1e8, 8), "▁▂▃▄▅▆▇█");
    // More numbers than bars: the median of each stretch, none left out.
    let long: Vec<f64> = (0..100).map(|k| if k % 10 == 0 { 1e8 } else { 1.0 }).collect();
    assert_eq!(sparkline(&long, 1.0, 1e8, 10), "▁".repeat(10));
    assert_eq!(sparkline(&long, 1.0, 1e8, 7).chars().count(), 7);
    assert_eq!(sparkline(&[f64::NAN, 1.0, 1.0], 1.0, 10.0, 1), "▁");
}

/// Also where widths differ: He's weights let a norm through as `sqrt 2`, whatever the next width.
#[test]
fn the_expected_weight_factor_is_that_of_fresh_weights() -> Result<(), Error> {
    let rng = &mut Rng::seed(4);
    let widths = [64, 512, 128, 32];
    let layers = widths.windows(2).map(|w| AnyLayer::new((Dense::with_init(w[0], w[1], Init::he(), rng), Relu)));
    let net = (layers.collect::<Vec<_>>(), Dense::with_init(32, 10, Init::he(), rng));
    let (x, y) = (Tensor::normal([64, 64], 0.0, 1.0, rng), Labels::new((0..64).map(|i| i % 10), 10)?);
    let check = preflight(&net, |r| net.forward(&r.constant(&x)).softmax_cross_entropy(&y))?;
    for layer in &check.samples()[0].layers[..3] {
        assert_relative_eq!(layer.w_expected, 2f64.sqrt(), max_relative = 0.1);
        assert_relative_eq!(layer.w_factor, layer.w_expected, max_relative = 0.2);
    }
    Ok(())
}
