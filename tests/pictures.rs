//! The seven pictures of a report: everything is where its number says, and nothing covers anything else.
#[path = "common/stacks.rs"]
mod stacks;
#[path = "common/svg.rs"]
mod svg;

use chainrule::{
    flow::{LayerSample, Monitor, Plot, Report, Sampling, Severity, Verdict},
    optim::ReportUpdates,
    prelude::*,
};
use stacks::*;
use svg::*;

/// A run whose input at one pass is multiplied.
fn run(layers: usize, phi: Phi, passes: usize, odd: (usize, f64)) -> Report {
    run_clipped(layers, phi, passes, odd, 0.5)
}

fn run_clipped(layers: usize, phi: Phi, passes: usize, odd: (usize, f64), limit: f64) -> Report {
    let mut monitor = Monitor::new().sampling(Sampling::Usual(1));
    let init = |_| match phi {
        Phi::Relu => Init::he(),
        Phi::Sigmoid => Init::lecun(),
        _ => Init::xavier(),
    };
    let mut net: Stack = stack(&sizes(16, layers), phi, init, &mut Rng::seed(1));
    let mut rng = Rng::seed(2);
    let (mut tape, mut opt) = (Tape::new(), (ReportUpdates, ClipGlobalNorm::new(limit), Sgd::new(0.05)));
    for pass in 0..passes {
        let (x, y) = batch(16, 16, &mut rng);
        let x = if pass == odd.0 { &x * odd.1 } else { x };
        let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        if let Ok(g) = loss.backward_with(&net, &mut monitor) {
            monitor.step(&opt.step(&mut net, &g).unwrap());
        }
    }
    monitor.report()
}

/// A network whose weights are all 0: no signal, no gains.
fn still(passes: usize) -> Report {
    let (net, mut monitor) =
        (stack::<f32>(&sizes(16, 4), Phi::Tanh, |_| normal(0.0), &mut Rng::seed(1)), Monitor::new());
    let (x, y) = batch(16, 16, &mut Rng::seed(2));
    let mut tape = Tape::new();
    for _ in 0..passes {
        let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        loss.backward_with(&net, &mut monitor).unwrap();
    }
    monitor.report()
}

const NOTHING_ODD: (usize, f64) = (usize::MAX, 1.0);

fn recurrent(passes: usize, steps: usize) -> Report {
    let rng = &mut Rng::seed(1);
    let net = (Lstm::<f32>::new(3, 8, rng), Dense::new(8, 1, rng));
    let (mut tape, mut monitor) = (Tape::new(), Monitor::new());
    for _ in 0..passes {
        let x = Tensor::normal([steps, 4, 3], 0.0, 1.0, rng);
        let h = net.0.forward(&tape.begin().constant(&x));
        let loss = net.1.forward(&h.slice(0, steps - 1..steps)).square().mean();
        loss.backward_with(&net, &mut monitor).unwrap();
    }
    monitor.report()
}

fn pieces(report: &Report, plot: Plot) -> Vec<Piece> {
    parse(&report.figure(plot).unwrap_or_else(|| panic!("no {plot:?}")).svg())
}

/// A straight axis through two known places.
fn axis((a, at_a): (f64, f64), (b, at_b): (f64, f64)) -> impl Fn(f64) -> f64 {
    move |x| at_a + (x - a) / (b - a) * (at_b - at_a)
}

fn attribute(a: &[(String, String)], key: &str) -> f64 {
    get(a, key).unwrap().parse().unwrap()
}

/// Pixels of passes, from the ends of the first line, whose first and last pass are known.
fn passes(pieces: &[Piece], report: &Report) -> impl Fn(f64) -> f64 {
    let path = numbers(&paths(pieces, "line")[0]);
    let (first, last) = (report.samples()[0].step, report.samples().last().unwrap().step);
    axis((first as f64, path[0]), (last as f64, path[path.len() - 2]))
}

#[test]
fn every_picture_stands_by_itself_and_no_texts_meet() {
    let mut seen = 0;
    for report in [
        run(3, Phi::Tanh, 60, (40, 60.0)),
        run(50, Phi::Tanh, 60, (40, 60.0)),
        run(3, Phi::Sigmoid, 60, NOTHING_ODD),
        run(50, Phi::Sigmoid, 60, NOTHING_ODD),
        run(3, Phi::Relu, 60, (30, f64::INFINITY)),
        run(50, Phi::Relu, 60, (30, f64::INFINITY)),
        run(3, Phi::Sigmoid, 1, NOTHING_ODD),
        run(50, Phi::Sigmoid, 1, NOTHING_ODD),
        recurrent(20, 100),
        recurrent(1, 100),
        still(5),
        still(1),
    ] {
        for (plot, figure) in Plot::ALL.iter().filter_map(|p| Some((p, report.figure(*p)?))) {
            let svg = figure.svg();
            let pieces = parse(&svg);
            let rest = svg.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
            for outside in ["http", "url(", "href", "<script", "<image", "@import", "NaN", "inf "] {
                assert!(!rest.contains(outside), "{plot:?}: {outside}");
            }
            assert!(svg.contains("@media (prefers-color-scheme:dark)"));
            let (width, height) = size(&pieces);
            let texts = texts(&pieces);
            assert!(texts.len() > 5);
            for (k, (a, name)) in texts.iter().enumerate() {
                assert!(a[0] >= 0.0 && a[1] >= 0.0 && a[2] <= width && a[3] <= height, "{plot:?}: {name} is outside");
                for (b, other) in &texts[k + 1..] {
                    let apart = a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
                    assert!(
                        apart,
                        "{plot:?}, {} layers: {name} {a:?} and {other} {b:?}",
                        report.samples()[0].layers.len()
                    );
                }
            }
            seen += 1;
        }
    }
    assert!(seen > 45, "{seen}");
}

#[test]
fn bars_end_at_their_factors() {
    for (layers, phi) in [(3, Phi::Sigmoid), (50, Phi::Tanh)] {
        let report = run(layers, phi, 3, NOTHING_ODD);
        let pieces = pieces(&report, Plot::Gains);
        let band = *all(&pieces, "band").last().unwrap(); // the first is the legend's
        let (left, wide) = (attribute(band, "x"), attribute(band, "width"));
        let px = axis((0.8f64.ln(), left), (1.25f64.ln(), left + wide));
        let unit = numbers(&paths(&pieces, "unit").pop().unwrap())[0];
        assert!((unit - px(0.0)).abs() < 0.11, "the unit line");
        let bars: Vec<Vec<f64>> = all(&pieces, "bar").iter().filter_map(|a| get(a, "d")).map(numbers).collect();
        let inner = &report.samples().last().unwrap().layers[..layers];
        let factors: [fn(&LayerSample) -> f64; 3] = [|l| l.gain, |l| l.f_factor, |l| l.w_factor];
        let expected = factors.iter().flat_map(|f| inner.iter().map(*f));
        assert_eq!(bars.len(), 3 * layers);
        for (bar, factor) in bars.iter().zip(expected) {
            let (lo, hi) = (bar[0], bar[0] + bar[2]);
            let end = if factor < 1.0 { lo } else { hi };
            assert!((end - px(factor.ln())).abs() < 1.0, "{factor}: {end} and {}", px(factor.ln()));
        }
        let rows: Vec<f64> = bars[..layers].iter().map(|bar| bar[1]).collect();
        assert!(rows.windows(2).all(|w| w[1] > w[0] + 9.0), "from the first layer down to the last");
        let ticks = numbers(&paths(&pieces, "tick").pop().unwrap());
        for (tick, layer) in ticks.chunks(3).zip(inner) {
            assert!((tick[0] - px(layer.w_expected.ln())).abs() < 0.2);
        }
    }
}

#[test]
fn cells_have_the_colour_of_their_number() {
    let report = run(5, Phi::Sigmoid, 12, NOTHING_ODD);
    let pieces = pieces(&report, Plot::Layers);
    let signals = || report.samples().iter().flat_map(|s| s.layers.iter().map(|l| l.signal));
    let (lo, hi) = signals().fold((f64::MAX, f64::MIN), |(lo, hi), x| (lo.min(x), hi.max(x)));
    assert!(hi - lo > 2.0);
    let cells: Vec<(usize, Vec<f64>)> = all(&pieces, "cell")
        .iter()
        .filter_map(|a| Some((get(a, "class")?[6..].parse().unwrap(), numbers(get(a, "d")?))))
        .flat_map(|(k, d)| d.chunks(5).map(|c| (k, c.to_vec())).collect::<Vec<_>>())
        .collect();
    let edge = |at: usize, f: fn(f64, f64) -> f64, start| cells.iter().map(|c| c.1[at]).fold(start, f);
    let px = axis((-0.5, edge(0, f64::min, f64::MAX)), (11.5, edge(2, f64::max, 0.0)));
    let py = axis((0.0, edge(1, f64::min, f64::MAX)), (6.0, edge(3, f64::max, 0.0)));
    for sample in report.samples() {
        for (k, layer) in sample.layers.iter().enumerate() {
            let (x, y) = (px(sample.step as f64), py(k as f64 + 0.5));
            let covering: Vec<usize> =
                cells.iter().filter(|(_, c)| c[0] < x && x < c[2] && c[1] < y && y < c[3]).map(|c| c.0).collect();
            let place = (layer.signal - lo) / (hi - lo) * 32.0;
            assert_eq!(covering, [(place as usize).min(31)], "layer {k} at pass {}: {place}", sample.step);
        }
    }
}

#[test]
fn where_a_verdict_stands_the_picture_is_shaded() {
    fn flat<'a>(verdicts: &'a [Verdict], to: &mut Vec<&'a Verdict>) {
        verdicts.iter().for_each(|v| {
            to.push(v);
            flat(&v.under, to);
        });
    }
    let report = run(4, Phi::Tanh, 140, (60, 60.0));
    let mut verdicts = vec![];
    flat(report.verdicts(), &mut verdicts);
    flat(report.past(), &mut verdicts);
    verdicts.retain(|v| v.severity >= Severity::Notice);
    let pieces = pieces(&report, Plot::Signals);
    let px = passes(&pieces, &report);
    let shades: Vec<(f64, f64)> =
        all(&pieces, "shade").iter().map(|a| (attribute(a, "x"), attribute(a, "x") + attribute(a, "width"))).collect();
    let end = px(139.0);
    let mut inside = 0;
    for v in &verdicts {
        let (a, b) = (px(v.steps.start as f64 - 0.5), px(v.steps.end as f64 - 0.5).min(end));
        assert!(shades.iter().any(|s| (s.0 - a).abs() < 0.2 && s.1 > b - 0.2), "{v}: {a} to {b} in {shades:?}");
        assert!(texts(&pieces).iter().any(|t| t.1 == v.kind.name()), "{v} has no name");
        inside += usize::from(v.steps.start > 0);
    }
    assert!(inside > 0 && shades.len() <= verdicts.len(), "{report}");
    let quiet = run(4, Phi::Tanh, 20, NOTHING_ODD);
    assert!(quiet.verdicts().iter().all(|v| v.severity < Severity::Notice), "{quiet}");
    assert!(all(&parse(&quiet.figure(Plot::Signals).unwrap().svg()), "shade").is_empty());
}

#[test]
fn what_is_not_finite_has_a_cross_and_zero_a_triangle() {
    let report = run(4, Phi::Tanh, 30, (12, f64::INFINITY));
    for plot in [Plot::Signals, Plot::Updates, Plot::Norms, Plot::Layers] {
        let pieces = pieces(&report, plot);
        let crosses = paths(&pieces, "broken");
        assert_eq!(crosses.len(), 2, "{plot:?}: the legend's and one more");
        assert_eq!(crosses[1].matches('M').count(), 1);
        assert!(texts(&pieces).iter().any(|t| t.1 == "not finite"));
        if plot != Plot::Layers {
            let at = numbers(&crosses[1])[0] + 4.0;
            assert!((at - passes(&pieces, &report)(12.0)).abs() < 1.1, "{plot:?}");
            assert_eq!(paths(&pieces, "line")[0].matches('M').count(), 2, "{plot:?}: no line across it");
        }
    }
    let healthy = run(4, Phi::Tanh, 30, NOTHING_ODD);
    assert!(paths(&pieces(&healthy, Plot::Signals), "broken").is_empty());
    let still = run(50, Phi::Sigmoid, 30, NOTHING_ODD);
    assert!(still.samples().iter().all(|s| s.layers[0].update == 0.0), "steps below the rounding of f32");
    let zeros = paths(&pieces(&still, Plot::Updates), "zeros");
    assert_eq!(zeros[1].matches('M').count(), 30);
    // Gains of 0 run to the edge and those of 0 / 0 have a cross; layers without a signal say so.
    let dead = self::still(1);
    let gains = pieces(&dead, Plot::Gains);
    assert_eq!((all(&gains, "faint").len(), paths(&gains, "broken").len()), (2, 7));
    let layers = texts(&pieces(&dead, Plot::Layers));
    assert_eq!(layers.iter().filter(|t| t.1 == "exactly 0").count(), 3);
}

#[test]
fn steps_are_held_against_their_limits() {
    let report = run(4, Phi::Tanh, 30, NOTHING_ODD);
    let pieces = pieces(&report, Plot::Updates);
    let rules: Vec<f64> = paths(&pieces, "rule").iter().map(|d| numbers(d)[1]).collect();
    let py = axis((-3.0, rules[0]), (-1.0, rules[2]));
    assert!((py(-2.0) - rules[1]).abs() < 0.11 && rules[0] - rules[2] > 50.0, "{rules:?}");
    for (line, k) in paths(&pieces, "line").iter().zip(0..) {
        let update = report.samples().last().unwrap().layers[k].update;
        assert!((numbers(line).last().unwrap() - py(update.log10())).abs() < 0.5, "layer {k}");
    }
}

#[test]
fn clipping_is_seen() {
    let report = run_clipped(4, Phi::Tanh, 60, NOTHING_ODD, 0.75);
    let pieces = pieces(&report, Plot::Norms);
    let norms: Vec<_> = report.norms().collect();
    let clipped = norms.iter().filter(|n| n.2 < 1.0).count();
    assert!((2..60).contains(&clipped), "{clipped} of 60 were clipped: {norms:?}");
    assert_eq!(paths(&pieces, "rug")[1].matches('M').count(), clipped);
    let before = numbers(&paths(&pieces, "line")[0]);
    let by_size = |k: &usize, m: &usize| norms[*k].1.total_cmp(&norms[*m].1);
    let (least, most) = ((0..60).min_by(by_size).unwrap(), (0..60).max_by(by_size).unwrap());
    let at = |k: usize| (norms[k].1.log10(), before[2 * k + 1]);
    let py = axis(at(least), at(most));
    let limit = report.clip_advice().unwrap().limit.log10();
    assert!((numbers(&paths(&pieces, "rule")[0])[1] - py(limit)).abs() < 0.3);
    let after: Vec<f64> = paths(&pieces, "line")[1].split(['M', 'L']).skip(1).map(|p| numbers(p)[1]).collect();
    assert!(!after.is_empty() && after.iter().all(|y| (y - py(0.75f64.log10())).abs() < 0.3), "{after:?}");
}

#[test]
fn the_horizon_is_where_one_percent_is_left() {
    let report = recurrent(8, 60);
    let pieces = pieces(&report, Plot::Time);
    let t = &report.samples().last().unwrap().time[0];
    assert!((5.0..59.0).contains(&t.horizon), "{}", t.horizon);
    let cells: Vec<f64> = all(&pieces, "cell").iter().filter_map(|a| get(a, "d")).flat_map(numbers).collect();
    let edge = |f: fn(f64, f64) -> f64, start| cells.chunks(5).flat_map(|c| [c[1], c[3]]).fold(start, f);
    let py = axis((-0.5, edge(f64::max, 0.0)), (59.5, edge(f64::min, f64::MAX)));
    let line = numbers(paths(&pieces, "line").last().unwrap());
    assert!((line.last().unwrap() - py(59.0 - t.horizon)).abs() < 0.2);
    // Of one pass there is a line over the steps.
    let one = recurrent(1, 60);
    let pieces = parse(&one.figure(Plot::Time).unwrap().svg());
    let line = numbers(&paths(&pieces, "line")[0]);
    let px = axis((0.0, line[0]), (59.0, line[line.len() - 2]));
    let at = numbers(paths(&pieces, "unit").last().unwrap())[0];
    assert!((at - px(59.0 - one.samples()[0].time[0].horizon)).abs() < 0.2);
}

#[test]
fn ridges_stand_at_the_size_of_their_numbers() {
    let report = run(6, Phi::Sigmoid, 1, NOTHING_ODD);
    let pieces = pieces(&report, Plot::Magnitudes);
    let decade = |pair: &[Piece]| match pair {
        [Piece::Element(_, a), Piece::Text(ten), Piece::Element(_, _), Piece::Text(power)] if ten == "10" => {
            Some((power.parse::<f64>().ok()?, get(a, "x")?.parse::<f64>().ok()?))
        }
        _ => None,
    };
    let decades: Vec<_> = pieces.windows(4).filter_map(decade).collect();
    let px = axis(decades[0], decades[decades.len() - 1]);
    let ridges = all(&pieces, "ridge");
    assert_eq!(ridges.len(), 7);
    for (ridge, layer) in ridges.iter().zip(&report.samples()[0].layers) {
        let points = numbers(get(ridge, "d").unwrap());
        let peak = points.chunks(2).min_by(|a, b| a[1].total_cmp(&b[1])).unwrap()[0];
        // The root of the mean square lies to the right of the peak, by less than a decade.
        let rms = layer.signal - (layer.counts.all as f64).sqrt().log10();
        assert!(peak < px(rms + 0.4) && peak > px(rms - 1.0), "{}: {peak} and {}", layer.path, px(rms));
    }
    let relu = run(4, Phi::Relu, 1, NOTHING_ODD);
    assert!(relu.figure(Plot::Magnitudes).unwrap().svg().contains(" % zero<"));
}

#[test]
fn a_single_pass_has_no_pictures_over_passes() {
    let report = run(4, Phi::Tanh, 1, NOTHING_ODD);
    let there: Vec<Plot> = Plot::ALL.into_iter().filter(|p| report.figure(*p).is_some()).collect();
    assert_eq!(there, [Plot::Gains, Plot::Layers, Plot::Magnitudes]);
    let pieces = pieces(&report, Plot::Layers);
    let line = numbers(&paths(&pieces, "line")[0]);
    let signal = |k: usize| report.samples()[0].layers[k].signal;
    let px = axis((signal(0), line[0]), (signal(4), line[8]));
    assert!((0..5).all(|k| (line[2 * k] - px(signal(k))).abs() < 0.2), "{line:?}");
}

#[test]
fn pages_of_long_and_of_deep_runs_are_small() {
    for (layers, passes) in [(3, 10_000), (12, 2_000), (50, 400)] {
        let report = run(layers, Phi::Tanh, passes, (passes / 2, 60.0));
        let page = report.html();
        assert!(page.len() < 500_000, "{layers} layers, {passes} passes: {} bytes", page.len());
        for plot in [Plot::Signals, Plot::Updates, Plot::Norms] {
            for line in paths(&pieces(&report, plot), "line") {
                assert!(line.matches(['M', 'L']).count() <= 1000, "{plot:?} of {layers} layers");
            }
        }
        let cells = report.figure(Plot::Layers).unwrap().svg().matches('z').count();
        assert!(cells < 6000, "{cells} cells");
    }
}
