//! Clips by unit, by tensor and by history, groups, policies and reports, against plain loops.
use chainrule::{
    core::Path,
    optim::{Agc, ClipNorm, StepReport},
    prelude::*,
};

/// Parameters by name.
struct Named(Vec<(&'static str, Param<f64>)>);

impl Module<f64> for Named {
    fn visit_at<'a>(&'a self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a Param<f64>)) {
        fn walk<'a>(path: &Path<'_>, names: &[&str], p: &'a Param<f64>, f: &mut dyn FnMut(&Path<'_>, &'a Param<f64>)) {
            match names {
                [] => f(path, p),
                [name, rest @ ..] => walk(&path.join(name), rest, p, f),
            }
        }
        self.0.iter().for_each(|(name, p)| walk(path, &name.split('.').collect::<Vec<_>>(), p, f));
    }
    fn visit_mut_at<'a>(&'a mut self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a mut Param<f64>)) {
        fn walk<'a>(
            path: &Path<'_>,
            names: &[&str],
            p: &'a mut Param<f64>,
            f: &mut dyn FnMut(&Path<'_>, &'a mut Param<f64>),
        ) {
            match names {
                [] => f(path, p),
                [name, rest @ ..] => walk(&path.join(name), rest, p, f),
            }
        }
        self.0.iter_mut().for_each(|(name, p)| walk(path, &name.split('.').collect::<Vec<_>>(), p, f));
    }
}

const NAMES: [(&str, &[usize]); 8] = [
    ("fc1.weight", &[4, 3]),
    ("fc1.bias", &[4]),
    ("fc10.weight", &[2, 3, 2, 2]),
    ("fc10.bias", &[]),
    ("thin.weight", &[5, 1]),
    ("none.weight", &[0, 3]),
    ("void.weight", &[3, 0]),
    ("out.weight", &[2, 4]),
];

fn net(seed: u64) -> Named {
    let rng = &mut Rng::seed(seed);
    let value = |shape: &[usize], rng: &mut Rng| {
        let scale = 10f64.powf(2.0 * rng.uniform() - 2.0);
        Tensor::normal_of(Shape::try_new(shape).unwrap(), 0.0, scale, rng)
    };
    let mut net = Named(NAMES.iter().map(|(name, shape)| (*name, Param::new(value(shape, rng)))).collect());
    net.0[0].1.value.data_mut()[3..6].fill(0.0); // a unit of zeros
    net
}

fn grads(seed: u64) -> Grads<f64> {
    net(seed + 1000).0.into_iter().map(|(name, p)| (name, p.value)).collect()
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn flat(g: &Grads<f64>) -> Vec<Vec<f64>> {
    g.iter().map(|(_, g)| g.data().to_vec()).collect()
}

/// What a chain of links leaves of gradients: by a step of plain descent, from the values of `net`.
fn through(net: &mut Named, mut opt: impl Optimizer<f64>, g: &Grads<f64>) -> (Vec<Vec<f64>>, StepReport) {
    let before: Vec<_> = net.0.iter().map(|(_, p)| p.value.clone()).collect();
    let report = opt.step(net, g).unwrap();
    let moved = |(old, (_, p)): (&Tensor<f64>, &(&str, Param<f64>))| {
        old.data().iter().zip(p.value.data()).map(|(a, b)| a - b).collect()
    };
    (before.iter().zip(&net.0).map(moved).collect(), report)
}

fn close(a: &[Vec<f64>], b: &[Vec<f64>]) {
    assert_eq!(a.iter().map(Vec::len).collect::<Vec<_>>(), b.iter().map(Vec::len).collect::<Vec<_>>());
    for (i, (a, b)) in a.iter().flatten().zip(b.iter().flatten()).enumerate() {
        assert!((a - b).abs() <= 1e-12 * a.abs().max(b.abs()).max(1e-2), "entry {i}: {a} and {b}");
    }
}

/// Equation 3 of the paper, unit by unit; and how many units it clips.
fn agc(net: &Named, g: &mut [Vec<f64>], clip: f64, epsilon: f64, skip: &str) -> usize {
    let mut clipped = 0;
    for ((name, p), g) in net.0.iter().zip(g).filter(|((name, _), _)| *name != skip) {
        let rows = match *name {
            "fc1.weight" => 4,
            "fc10.weight" | "out.weight" => 2,
            _ => 1, // vectors, scalars, and what has no numbers
        };
        let size = g.len() / rows;
        for (g, w) in g.chunks_mut(size.max(1)).zip(p.value.data().chunks(size.max(1))) {
            let limit = clip * norm(w).max(epsilon);
            if norm(g) > limit {
                let factor = limit / norm(g);
                g.iter_mut().for_each(|g| *g *= factor);
                clipped += 1;
            }
        }
    }
    clipped
}

#[test]
fn agc_clips_units_in_proportion_to_their_weights() {
    let (mut some, mut none) = (0, 0);
    for seed in 0..100 {
        let clip = 10f64.powf(4.0 * Rng::seed(seed).uniform() - 2.0);
        let (mut net, g) = (net(seed), grads(seed));
        let mut expect = flat(&g);
        let clipped = agc(&net, &mut expect, clip, 1e-3, "out.weight");
        let (seen, report) = through(&mut net, (Agc::new(clip).skip("out"), Sgd::new(1.0)), &g);
        close(&seen, &expect);
        assert_eq!((report.units, report.clipped, report.norm), (clipped, clipped > 0, None));
        some += usize::from(clipped > 2);
        none += usize::from(clipped < 7);
    }
    assert!(some > 20 && none > 20, "the limits were not varied: {some}, {none}");
}

#[test]
fn agc_and_other_links_act_in_the_order_written() {
    let by_norm = |g: &mut [Vec<f64>], limit: f64| {
        let factor = (limit / norm(&g.concat())).min(1.0);
        g.iter_mut().flatten().for_each(|g| *g *= factor);
    };
    let by_value = |g: &mut [Vec<f64>], limit: f64| g.iter_mut().flatten().for_each(|g| *g = g.clamp(-limit, limit));
    let by_tensor = |g: &mut [Vec<f64>], limit: f64| {
        for g in g {
            let factor = (limit / norm(g)).min(1.0);
            g.iter_mut().for_each(|g| *g *= factor);
        }
    };
    for seed in 0..100 {
        let rng = &mut Rng::seed(seed);
        let g = grads(seed);
        let [n, v, t, a] = [0.5, 0.1, 0.2, 0.1].map(|top: f64| top * 10f64.powf(2.0 * rng.uniform() - 1.0));
        let links = (ClipGlobalNorm::new(n), ClipValue::new(v), ClipNorm::new(t), Agc::new(a).epsilon(0.01));
        let (w, mut expect) = (net(seed), flat(&g));
        by_norm(&mut expect, n);
        by_value(&mut expect, v);
        by_tensor(&mut expect, t);
        agc(&w, &mut expect, a, 0.01, "");
        let chain = (links.0, links.1, links.2, links.3.clone(), Sgd::new(1.0));
        close(&through(&mut net(seed), chain, &g).0, &expect);

        let mut expect = flat(&g);
        agc(&w, &mut expect, a, 0.01, "");
        by_value(&mut expect, v);
        by_tensor(&mut expect, t);
        let measured = norm(&expect.concat());
        by_norm(&mut expect, n);
        agc(&w, &mut expect, a / 2.0, 0.01, "");
        by_value(&mut expect, v / 3.0);
        let twice = (links.3, links.1, links.2, links.0, Agc::new(a / 2.0).epsilon(0.01), ClipValue::new(v / 3.0));
        let twice = (twice.0, twice.1, twice.2, twice.3, twice.4, twice.5, Sgd::new(1.0));
        let (seen, report) = through(&mut net(seed), twice, &g);
        close(&seen, &expect);
        assert!((report.norm.unwrap() / measured - 1.0).abs() < 1e-12);
    }
}

#[test]
fn agc_refuses_what_it_cannot_use() {
    let (mut w, g) = (net(1), grads(1));
    let mut text = |agc: Agc| (agc, Sgd::new(1.0)).step(&mut w, &g).unwrap_err().to_string();
    assert_eq!(text(Agc::new(0.0)), "Agc: the limit must be greater than 0 in f64, got 0");
    assert_eq!(text(Agc::new(0.1).epsilon(-1.0)), "Agc: epsilon must be above 0 and finite in f64, got -1");
    assert_eq!(
        text(Agc::default().skip("fc")),
        "Agc: no parameter fits \"fc\"; there are \"fc1.weight\", \"fc1.bias\", \"fc10.weight\", \"fc10.bias\", \
         \"thin.weight\", \"none.weight\", \"void.weight\", \"out.weight\""
    );
    w.0[1].1.value.data_mut()[2] = f64::NAN;
    let e = (Agc::default(), Sgd::new(1.0)).step(&mut w, &g).unwrap_err();
    assert_eq!((e.kind(), &*e.to_string()), (ErrorKind::BadData, "Agc: the value of \"fc1.bias\" is not finite"));
}
