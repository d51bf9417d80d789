//! Clips by unit, by tensor and by history, groups, policies and reports, against plain loops.
use chainrule::{
    core::Path,
    optim::{
        Adagrad, AdamW, Agc, AutoClip, ClipNorm, Groups, Link, Lion, NAdam, NonFinite, RAdam, ReportUpdates, RmsProp,
        StepReport, ZClip,
    },
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

// ---- by history ---------------------------------------------------------------------------------------------------------

/// Norms of many sizes, with zeros, repeats and spikes.
fn history(seed: u64, count: usize) -> Vec<f64> {
    let rng = &mut Rng::seed(seed);
    let draw = |rng: &mut Rng| match (rng.uniform() * 10.0) as u32 {
        0 => 0.0,
        1 => 1.0,
        2 => 50.0 * rng.uniform(),
        _ => 1.0 + rng.uniform(),
    };
    (0..count).map(|_| draw(rng)).collect()
}

fn one(x: f64) -> Grads<f64> {
    Grads::from_iter([("w", Tensor::of([2], vec![0.6 * x, -0.8 * x]))])
}

fn start() -> Named {
    Named(vec![("w", Param::new(Tensor::of([2], vec![0.0; 2])))])
}

#[test]
fn autoclip_clips_at_a_percentile_of_what_it_saw() {
    for (seed, percentile, window) in
        [(1, 10.0, usize::MAX), (2, 0.0, 7), (3, 100.0, 5), (4, 37.5, 20), (5, 50.0, 1), (6, 90.0, 2)]
    {
        let (mut seen, mut w, mut clipped) = (vec![], start(), 0);
        let mut opt = (AutoClip::new(percentile).window(window), Sgd::new(1.0));
        for (step, norm) in history(seed, 120).into_iter().enumerate() {
            if step % 11 == 5 {
                // A step that fails, before or after the clip has planned, leaves no trace.
                assert!(opt.step(&mut w, &one(f64::NAN)).is_err());
                opt.set_rate(-1.0);
                assert!(opt.step(&mut w, &one(1e9)).is_err());
                opt.set_rate(1.0);
            }
            seen.push(norm);
            let mut last: Vec<f64> = seen[seen.len().saturating_sub(window)..].to_vec();
            last.sort_by(f64::total_cmp);
            let place = percentile / 100.0 * (last.len() - 1) as f64;
            let (low, high) = (last[place.floor() as usize], last[place.ceil() as usize]);
            let limit = low + (high - low) * place.fract();
            let report = opt.step(&mut w, &one(norm)).unwrap();
            let expect = if limit > 0.0 && norm > limit { limit / norm } else { 1.0 };
            assert!((report.norm.unwrap() - norm).abs() <= 1e-12 * norm, "step {step}");
            assert!(
                (report.coef.unwrap() - expect).abs() < 1e-12,
                "{percentile}, step {step}: {report:?}, not {expect}"
            );
            clipped += usize::from(report.clipped);
        }
        assert!(percentile == 100.0 || window == 1 || clipped > 10, "{percentile}: {clipped}");
    }
    let text = |clip: AutoClip| (clip, Sgd::new(1.0)).step(&mut start(), &one(1.0)).unwrap_err().to_string();
    let needs = "AutoClip: a percentile from 0 to 100 and a window of at least 1 are needed, got";
    assert_eq!(text(AutoClip::new(-1.0).window(3)), format!("{needs} -1 and 3"));
    assert_eq!(text(AutoClip::default().window(0)), format!("{needs} 10 and 0"));
    assert!(text(AutoClip::new(f64::NAN)).starts_with(needs));
}

#[test]
fn zclip_clips_spikes() {
    for (seed, threshold, alpha, warm_up) in [(1, 2.5, 0.97, 25), (2, 1.0, 0.5, 1), (3, 0.3, 0.9, 4)] {
        let (mut first, mut mean, mut variance, mut w, mut clipped) = (vec![], 0.0, 0.0, start(), 0);
        let mut opt = (ZClip::new(threshold).alpha(alpha).warm_up(warm_up), Sgd::new(1.0));
        for (step, norm) in history(seed, 150).into_iter().enumerate() {
            if step % 11 == 5 {
                assert!(opt.step(&mut w, &one(f64::INFINITY)).is_err());
                opt.set_rate(-1.0);
                assert!(opt.step(&mut w, &one(1e9)).is_err());
                opt.set_rate(1.0);
            }
            let mut kept = norm;
            if first.len() == warm_up {
                let z = (norm - mean) / (f64::sqrt(variance) + 1e-6);
                if z > threshold && mean > 0.0 {
                    kept = mean + threshold * threshold / z * f64::sqrt(variance);
                }
                mean = alpha * mean + (1.0 - alpha) * kept;
                variance = alpha * variance + (1.0 - alpha) * (kept - mean) * (kept - mean);
            } else {
                first.push(norm);
                mean = first.iter().sum::<f64>() / first.len() as f64;
                variance = first.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / first.len() as f64;
            }
            let report = opt.step(&mut w, &one(norm)).unwrap();
            let expect = if kept < norm { kept / norm } else { 1.0 };
            assert!(
                (report.coef.unwrap() - expect).abs() < 1e-10,
                "{threshold}, step {step}: {report:?}, not {expect}"
            );
            clipped += usize::from(report.clipped);
        }
        assert!(clipped > 3, "{threshold}: {clipped}");
    }
    let text = |clip: ZClip| (clip, Sgd::new(1.0)).step(&mut start(), &one(1.0)).unwrap_err().to_string();
    assert_eq!(text(ZClip::new(0.0)), "ZClip: the threshold must be above 0 and finite in f64, got 0");
    assert_eq!(text(ZClip::default().alpha(1.0)), "ZClip: alpha must be at least 0 and below 1, got 1");
    assert_eq!(text(ZClip::default().warm_up(0)), "ZClip: at least 1 step of warm-up is needed, got 0");
}

#[test]
fn zclip_lets_training_begin_after_zeros() {
    let (mut opt, mut w) = ((ZClip::default().warm_up(2), Sgd::new(1.0)), start());
    for norm in [0.0, 0.0, 3.0] {
        assert_eq!(opt.step(&mut w, &one(norm)).unwrap().coef, Some(1.0));
    }
}

#[test]
fn autoclip_lets_training_go_on_after_zeros() {
    let (norms, factors) = ([0.0, 0.0, 1.0, 2.0, 4.0, 4.0], [1.0, 1.0, 1.0, 0.25, 0.25, 0.375]);
    for values in [false, true] {
        let mut net = start();
        let (link, mut sum) = (values.then(|| ClipValue::new(9.0)), 0.0);
        let mut opt = (link, AutoClip::new(50.0), Sgd::new(1.0));
        for (n, factor) in norms.into_iter().zip(factors) {
            let report = opt.step(&mut net, &one(n)).unwrap();
            assert_eq!((report.norm, report.coef), (Some(n), Some(factor)));
            sum += n * factor;
            assert!((norm(net.0[0].1.value.data()) - sum).abs() <= 1e-12);
        }
    }
}

// ---- by tensor ------------------------------------------------------------------------------------------------------------

#[test]
fn each_tensor_by_its_own_norm_at_any_scale() {
    for scale in [1.0, 1e200, 1e-200] {
        let g = || -> Grads<f64> {
            let parts = [vec![3.0, 4.0], vec![0.0, 0.5], vec![]];
            let scaled = parts.map(|p| Tensor::of([p.len()], p.iter().map(|x| x * scale).collect()));
            ["a", "b", "c"].into_iter().zip(scaled).collect()
        };
        let mut clipped = g();
        assert_eq!(clipped.clip_norm(2.0 * scale).unwrap(), 1);
        close(&flat(&clipped), &[vec![1.2 * scale, 1.6 * scale], vec![0.0, 0.5 * scale], vec![]]);
        let zeros = |n| Param::new(Tensor::filled([n], 0.0));
        let mut w = Named(vec![("a", zeros(2)), ("b", zeros(2)), ("c", zeros(0))]);
        let (seen, report) = through(&mut w, (ClipNorm::new(2.0 * scale), Sgd::new(1.0)), &g());
        close(&seen, &flat(&clipped));
        assert_eq!((report.units, report.clipped), (1, true));
        assert_eq!(g().clip_norm(100.0 * scale).unwrap(), 0);
    }
    let mut bad = grads(1);
    bad.iter_mut().nth(1).unwrap().1.data_mut()[0] = f64::NAN;
    let before = format!("{:?}", flat(&bad));
    let e = bad.clip_norm(1.0).unwrap_err();
    assert!(e.to_string().starts_with("clip_norm: the gradient of \"fc1.bias\" is not finite: entry 0 of 4 is NaN"));
    assert_eq!(bad.clip_norm(0.0).unwrap_err().kind(), ErrorKind::BadData);
    assert_eq!(format!("{:?}", flat(&bad)), before);
}

// ---- policies -------------------------------------------------------------------------------------------------------------

fn broken(seed: u64) -> (Grads<f64>, Grads<f64>) {
    let (mut bad, mut zeroed) = (grads(seed), grads(seed));
    for (slot, entry, x) in [(0, 2, f64::NAN), (0, 5, f64::INFINITY), (7, 3, f64::NEG_INFINITY)] {
        bad.iter_mut().nth(slot).unwrap().1.data_mut()[entry] = x;
        zeroed.iter_mut().nth(slot).unwrap().1.data_mut()[entry] = 0.0;
    }
    (bad, zeroed)
}

fn every_clip(policy: NonFinite) -> Vec<Box<dyn Link<f64>>> {
    vec![
        Box::new(ClipGlobalNorm::new(0.3).non_finite(policy)),
        Box::new(ClipValue::new(0.1).non_finite(policy)),
        Box::new(ClipNorm::new(0.2).non_finite(policy)),
        Box::new(Agc::new(0.1).non_finite(policy)),
        Box::new(AutoClip::default().non_finite(policy)),
        Box::new(ZClip::default().non_finite(policy)),
    ]
}

fn all(net: &Named) -> Vec<Vec<f64>> {
    net.0.iter().map(|(_, p)| p.value.data().to_vec()).collect()
}

#[test]
fn policies_for_gradients_that_are_not_finite() {
    let (bad, zeroed) = broken(3);
    let untouched = format!("{:?}", flat(&bad));
    let names = ["ClipGlobalNorm", "ClipValue", "ClipNorm", "Agc", "AutoClip", "ZClip"];
    for (link, name) in every_clip(NonFinite::Error).into_iter().zip(names) {
        let mut w = net(3);
        let e = (link, Sgd::new(1.0)).step(&mut w, &bad).unwrap_err();
        let expect = format!("{name}: the gradient of \"fc1.weight\" is not finite: entry 2 of 12 is NaN");
        assert_eq!((e.kind(), e.to_string()), (ErrorKind::NonFinite, expect));
        assert_eq!(all(&w), all(&net(3)));
    }
    for link in every_clip(NonFinite::Skip) {
        let (mut w, mut reference) = (net(3), net(3));
        let mut opt = (link, Sgd::new(1.0).momentum(0.9));
        let report = opt.step(&mut w, &bad).unwrap();
        assert_eq!((report.skipped, report.zeroed, report.clipped, report.norm), (true, 0, false, None));
        assert_eq!(all(&w), all(&reference));
        // Nor has any state moved: the next step is a first one.
        opt.0 = Box::new(ClipValue::new(1e9));
        opt.step(&mut w, &zeroed).unwrap();
        Sgd::new(1.0).momentum(0.9).step(&mut reference, &zeroed).unwrap();
        assert_eq!(all(&w), all(&reference));
    }
    for (link, clean) in every_clip(NonFinite::Zero).into_iter().zip(every_clip(NonFinite::Error)) {
        let (mut w, mut reference) = (net(3), net(3));
        let mut report = (link, Adam::new(0.1)).step(&mut w, &bad).unwrap();
        assert_eq!((report.skipped, report.zeroed), (false, 3));
        report.zeroed = 0;
        assert_eq!((clean, Adam::new(0.1)).step(&mut reference, &zeroed).unwrap(), report);
        assert_eq!(all(&w), all(&reference));
    }
    assert_eq!(format!("{:?}", flat(&bad)), untouched);
}

#[test]
fn a_skipped_step_commits_nothing() {
    let mut w =
        Named(vec![("mean", Param::buffer(Tensor::filled([], 0.0))), ("w", Param::new(Tensor::filled([], 1.0)))]);
    let mut tape = Tape::new();
    let mut step = |w: &mut Named, x: f64| {
        let r = tape.begin();
        let x = r.constant(&Tensor::filled([], x));
        x.update(&w.0[0].1, &x);
        let g = (r.param(&w.0[1].1) * x).backward(w).unwrap();
        (ClipGlobalNorm::new(1.0).non_finite(NonFinite::Skip), Sgd::new(0.5)).step(w, &g).unwrap().skipped
    };
    assert!(step(&mut w, f64::NAN));
    assert_eq!((w.0[0].1.value.item(), w.0[1].1.value.item()), (0.0, 1.0));
    assert!(!step(&mut w, 1.0));
    assert_eq!((w.0[0].1.value.item(), w.0[1].1.value.item()), (1.0, 0.5));
}

// ---- groups ---------------------------------------------------------------------------------------------------------------

/// A step of decoupled decay from ones with zero gradients shows rate times decay of each parameter.
fn shrinks(groups: Groups) -> Vec<f64> {
    let paths = ["fc1.weight", "fc1.bias", "fc10.weight", "fc10.bias", "a.b.weight", "a.b.bias", "a.bias"];
    let mut w = Named(paths.iter().map(|p| (*p, Param::new(Tensor::filled([], 1.0)))).collect());
    let g: Grads<f64> = paths.iter().map(|p| (*p, Tensor::filled([], 0.0))).collect();
    (groups, AdamW::new(0.1).weight_decay(0.5)).step(&mut w, &g).unwrap();
    w.0.iter().map(|(_, p)| ((1.0 - p.value.item()) * 1e9).round() / 1e9).collect()
}

#[test]
fn the_most_special_pattern_wins() {
    let d = 0.05;
    assert_eq!(shrinks(Groups::new()), [d; 7]);
    assert_eq!(shrinks(Groups::new().rate_factor("fc1", 0.1)), [0.005, 0.005, d, d, d, d, d]);
    assert_eq!(shrinks(Groups::new().no_decay("*.bias")), [d, 0.0, d, 0.0, d, 0.0, 0.0]);
    assert_eq!(shrinks(Groups::new().freeze("").unfreeze("a.b")), [0.0, 0.0, 0.0, 0.0, d, d, 0.0]);
    // A whole path before an end before a beginning; more steps before fewer; else the last.
    let all = Groups::new()
        .weight_decay("a.bias", 2.0)
        .weight_decay("*.b.bias", 3.0)
        .no_decay("*.bias")
        .weight_decay("a", 4.0)
        .weight_decay("a.b", 5.0)
        .weight_decay("", 6.0)
        .weight_decay("fc10", 7.0)
        .weight_decay("fc10", 8.0);
    assert_eq!(shrinks(all), [0.6, 0.0, 0.8, 0.0, 0.5, 0.3, 0.2]);
    // The three settings are found one by one.
    let mixed = Groups::new().rate_factor("a", 10.0).weight_decay("a.b", 0.1).no_decay("fc1");
    assert_eq!(shrinks(mixed), [0.0, 0.0, d, d, 0.1, 0.1, 0.5]);
}

#[test]
fn groups_reach_every_optimizer() {
    type Make = fn() -> Box<dyn Optimizer<f64>>;
    let make: [Make; 10] = [
        || Box::new(Sgd::new(0.1)),
        || Box::new(Sgd::new(0.1).momentum(0.9)),
        || Box::new(Adam::new(0.1)),
        || Box::new(AdamW::new(0.1)),
        || Box::new(NAdam::new(0.1).decoupled()),
        || Box::new(RAdam::new(0.1)),
        || Box::new(RmsProp::new(0.1)),
        || Box::new(Adagrad::new(0.1)),
        || Box::new(Lion::new(0.1)),
        || Box::new((ClipValue::new(1e9), Sgd::new(0.1))),
    ];
    for make in make {
        let (mut w, before) = (net(1), net(1));
        let groups = Groups::new().rate_factor("fc1", 0.5).weight_decay("out", 0.3).freeze("fc10");
        let mut opt = (groups, make());
        let (mut slow, mut other) = (make(), make());
        slow.set_rate(0.05);
        let (mut halved, mut whole) = (net(1), net(1));
        let mut decayed = false;
        for seed in 0..4 {
            let g = grads(seed);
            opt.step(&mut w, &g).unwrap();
            slow.step(&mut halved, &g).unwrap();
            other.step(&mut whole, &g).unwrap();
        }
        for (i, (name, p)) in w.0.iter().enumerate() {
            let x = p.value.data();
            match *name {
                "fc1.weight" | "fc1.bias" => close(&[x.to_vec()], &[halved.0[i].1.value.data().to_vec()]),
                "fc10.weight" | "fc10.bias" => assert_eq!(x, before.0[i].1.value.data()),
                "out.weight" => decayed = x != whole.0[i].1.value.data(),
                _ => assert_eq!(x, whole.0[i].1.value.data()),
            }
        }
        assert!(decayed);
    }
}

#[test]
fn frozen_groups_are_not_measured_and_keep_their_state() {
    let mut g = grads(5);
    let others =
        norm(&g.iter().filter(|(p, _)| *p != "out.weight").flat_map(|(_, g)| g.data().to_vec()).collect::<Vec<_>>());
    g.iter_mut().last().unwrap().1.data_mut()[0] = f64::NAN;
    let mut w = net(5);
    let mut opt = (Groups::new().freeze("out"), ClipGlobalNorm::new(1e9), Adam::new(0.1));
    let report = opt.step(&mut w, &g).unwrap();
    assert!((report.norm.unwrap() / others - 1.0).abs() < 1e-12);
    opt.step(&mut w, &g).unwrap();
    // Set free: its first step, so that its size is the rate's.
    opt.0 = Groups::new();
    let before = w.0[7].1.value.clone();
    opt.step(&mut w, &grads(5)).unwrap();
    for (a, b) in w.0[7].1.value.data().iter().zip(before.data()) {
        assert!(((a - b).abs() - 0.1).abs() < 1e-5);
    }
    let e =
        (ClipGlobalNorm::new(1.0), Groups::new().freeze("out"), Adam::new(0.1)).step(&mut w, &grads(5)).unwrap_err();
    assert_eq!(
        e.to_string(),
        "Groups: what freezes stands before the links that clip, which have measured all gradients"
    );
}

#[test]
fn a_frozen_group_needs_no_gradient() {
    let mut w = Named(vec![("a", Param::new(Tensor::filled([], 1.0))), ("b", Param::new(Tensor::filled([], 1.0)))]);
    let mut tape = Tape::new();
    let r = tape.begin();
    let g = r.param(&w.0[0].1).square().backward(&w).unwrap();
    let e = (Groups::new().freeze("a"), Sgd::new(0.1)).step(&mut w, &g).unwrap_err();
    assert_eq!(e.to_string(), "step: no gradient for \"b\": not on the path from the loss; freeze it if that is meant");
    (Groups::new().freeze("b"), Sgd::new(0.25)).step(&mut w, &g).unwrap();
    assert_eq!((w.0[0].1.value.item(), w.0[1].1.value.item()), (0.5, 1.0));
}

#[test]
fn groups_refuse_what_they_cannot_use() {
    let text = |groups: Groups| (groups, Sgd::new(1.0)).step(&mut net(1), &grads(1)).unwrap_err().to_string();
    let there = "there are \"fc1.weight\", \"fc1.bias\", \"fc10.weight\", \"fc10.bias\", \"thin.weight\", \"none.weight\", \
                 \"void.weight\", \"out.weight\"";
    for pattern in ["fc", "fc1.", "*.weigh", "bias", "weight.fc1", "*", "fc1.weight.x"] {
        assert_eq!(text(Groups::new().no_decay(pattern)), format!("Groups: no parameter fits \"{pattern}\"; {there}"));
    }
    let factor = text(Groups::new().rate_factor("fc1", -1.0));
    assert_eq!(factor, "Groups: the rate factor of \"fc1\" must be at least 0 and finite in f64, got -1");
    let decay = text(Groups::new().weight_decay("fc1", f64::NAN));
    assert_eq!(decay, "Groups: the weight decay of \"fc1\" must be at least 0 and finite in f64, got NaN");
    let mut w = Param::new(Tensor::scalar(1.0));
    let g = Grads::from_iter([("", Tensor::scalar(1.0))]);
    let e = (Groups::new().rate_factor("", 1e30), Sgd::new(1e30)).step(&mut w, &g).unwrap_err();
    assert_eq!(
        e.to_string(),
        format!("Sgd: the learning rate of a group must be at least 0 and finite in f32, got {}", 1e30 * 1e30)
    );
    assert_eq!(w.value.item(), 1.0);
}

// ---- reports --------------------------------------------------------------------------------------------------------------

#[test]
fn updates_are_reported_by_path_if_asked_for() {
    let (mut w, before) = (net(2), net(2));
    let links = (Groups::new().freeze("thin"), ReportUpdates, ClipGlobalNorm::new(0.1));
    let report = (links.0, links.1, links.2, Adam::new(0.1)).step(&mut w, &grads(2)).unwrap();
    let updates = report.updates.as_ref().unwrap();
    assert_eq!(updates.iter().count(), 7);
    for ((name, p), (_, old)) in w.0.iter().zip(&before.0) {
        let moved: Vec<f64> = p.value.data().iter().zip(old.value.data()).map(|(a, b)| a - b).collect();
        match updates.get(name) {
            Some(seen) => assert!((seen - norm(&moved)).abs() < 1e-14, "{name}: {seen}"),
            None => assert_eq!(*name, "thin.weight"),
        }
    }
    assert_eq!(updates.get("fc"), None);
    assert!(Adam::new(0.1).step(&mut w, &grads(2)).unwrap().updates.is_none());
}
