//! Pictures: well formed, self-contained, names apart, numbers where they belong, and no panic on any of them.
#[path = "common/svg.rs"]
mod svg;

use chainrule::flow::Figure;
use svg::*;

/// The texts of line names: place and text.
fn names(pieces: &[Piece]) -> Vec<(f64, f64, String)> {
    let name = |pair: &[Piece]| match pair {
        [Piece::Element(tag, a), Piece::Text(t)] if tag == "text" && a.len() == 2 => {
            Some((get(a, "x")?.parse().ok()?, get(a, "y")?.parse().ok()?, t.clone()))
        }
        _ => None,
    };
    pieces.windows(2).filter_map(name).collect()
}

fn lines(n: usize, rate: f64) -> Figure {
    let line = |k: usize| (0..20).map(move |s| (f64::from(s), rate.powi(k as i32) * (1.0 + 0.1 * f64::from(s % 3))));
    let base = Figure::new("norms").x_axis("step").y_axis("norm").log_y().ordered();
    (0..n).fold(base, |f, k| f.line(format!("layers.{k}.weight"), line(k)))
}

#[test]
fn names_do_not_overlap() {
    for (n, rate, named) in
        [(1, 0.5, 1), (3, 0.9999, 3), (50, 0.9999, 50), (50, 0.3, 50), (60, 1.0, 60), (500, 0.9, 60)]
    {
        let pieces = parse(&lines(n, rate).svg());
        let (width, height) = size(&pieces);
        let mut names = names(&pieces);
        // The title has two attributes more or less: what is left are the names of lines.
        names.retain(|(_, _, text)| text.starts_with("layers."));
        assert_eq!(names.len(), named, "{n} lines");
        assert_eq!(names[0].2, "layers.0.weight");
        assert_eq!(names[named - 1].2, format!("layers.{}.weight", n - 1));
        let mut places: Vec<f64> = names.iter().map(|(_, y, _)| *y).collect();
        places.sort_by(f64::total_cmp);
        assert!(places.windows(2).all(|w| w[1] - w[0] > 14.0), "{n} lines at rate {rate}: {places:?}");
        assert!(places[0] > 12.0 && places[named - 1] < height, "{n} lines");
        let line_ends = paths(&pieces, "line").iter().map(|d| points(d).last().unwrap().0).fold(0.0, f64::max);
        for (x, _, text) in &names {
            assert!(*x > line_ends && x + 7.2 * text.len() as f64 <= width, "{text} at {x}");
        }
    }
}

#[test]
fn numbers_stand_where_they_belong() {
    // On a logarithmic axis decades are equally far apart, and marks are at whole ones.
    let decades = (0..9).map(|k| (f64::from(k), 10f64.powi(-k)));
    let svg = Figure::new("t").log_y().line("a", decades).svg();
    let pieces = parse(&svg);
    let all = points(&paths(&pieces, "line")[0]);
    let gap = all[1].1 - all[0].1;
    assert!(gap > 30.0 && all.windows(2).all(|w| (w[1].1 - w[0].1 - gap).abs() < 0.11), "{all:?}");
    let grid: Vec<f64> = paths(&pieces, "grid").iter().filter_map(|d| Some(points_of_grid(d)?.1)).collect();
    assert_eq!(grid.len(), 9);
    assert!(all.iter().all(|(_, y)| grid.iter().any(|g| (g - y).abs() < 0.11)), "{grid:?}");
    for k in 0..9 {
        assert!(svg.contains(&format!("10<tspan class=\"power\" dy=\"-5\">{}</tspan>", -k)), "10^-{k}");
    }
    // On a linear one, numbers are; both axes at once, against places taken by hand.
    let p = points(
        &paths(&parse(&Figure::new("t").log_x().line("a", [(1.0, 0.0), (10.0, 3.0), (1e4, 4.0)]).svg()), "line")[0],
    );
    let part = |i: usize, of: fn((f64, f64)) -> f64| (of(p[i]) - of(p[0])) / (of(p[2]) - of(p[0]));
    assert!((part(1, |p| p.0) - 0.25).abs() < 1e-3 && (part(1, |p| p.1) - 0.75).abs() < 1e-3, "{p:?}");
    assert!(p[2].1 < p[0].1, "up is more");
}

/// A horizontal line of the grid.
fn points_of_grid(d: &str) -> Option<(f64, f64)> {
    let (start, _) = d.strip_prefix('M')?.split_once('H')?;
    start.split_once(' ').map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
}

#[test]
fn what_cannot_be_shown_is_a_gap() {
    let y = [1.0, 2.0, f64::NAN, 3.0, 2.0, 0.0, f64::INFINITY, 5.0, -1.0, 1.0, 4.0];
    let points = || y.into_iter().enumerate().map(|(x, y)| (x as f64, y));
    let log = parse(&Figure::new("t").log_y().line("a", points()).svg());
    assert_eq!(paths(&log, "line")[0].matches('M').count(), 3);
    assert_eq!(paths(&log, "line dot")[0].matches('M').count(), 1); // the 5 alone
    let linear = parse(&Figure::new("t").line("a", points()).svg());
    assert_eq!(paths(&linear, "line")[0].matches('M').count(), 3); // zero and -1 are numbers
    assert!(paths(&linear, "line dot").is_empty());
}

#[test]
fn nothing_panics() {
    let odd =
        [0.0, -0.0, 1.0, -1.0, 5e-324, 1e-300, 1e300, f64::MAX, f64::MIN, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    for (a, b) in odd.iter().flat_map(|a| odd.iter().map(move |b| (*a, *b))) {
        for (log_x, log_y) in [(false, false), (true, false), (false, true), (true, true)] {
            let mut f = Figure::new("t").line("a", [(a, b), (b, a)]).dashed("b", [(1.0, b)]);
            f = if log_x { f.log_x() } else { f };
            f = if log_y { f.log_y() } else { f };
            let svg = f.svg();
            parse(&svg);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{a:e} {b:e}: {svg}");
        }
    }
    let empty = Figure::new("").svg();
    parse(&empty);
    assert!(empty.contains("nothing to draw"));
    assert!(Figure::new("t").line("a", []).dashed("b", [(f64::NAN, 1.0)]).svg().contains("nothing to draw"));
    parse(&Figure::new("t").dashed("first of all", [(0.0, 1.0)]).svg());
}

#[test]
fn texts_are_texts() {
    let evil = "</svg><script>alert(\"&\")</script>\n\u{1}\u{b}";
    let figure = Figure::new(evil).subtitle(evil).x_axis(evil).y_axis(evil).line(evil, [(0.0, 1.0), (1.0, 2.0)]);
    let pieces = parse(&figure.svg());
    assert!(!pieces.iter().any(|p| matches!(p, Piece::Element(name, _) if name == "script")));
    let long = "many words ".repeat(50);
    let figure =
        Figure::new(&*long).subtitle(&*long).x_axis(&*long).y_axis(&*long).line(&*long, [(0.0, 1.0), (1.0, 2.0)]);
    let pieces = parse(&figure.svg());
    let path = points(&paths(&pieces, "line")[0]);
    assert!(path[1].0 - path[0].0 > 300.0, "long names leave room for the lines");
}

#[test]
fn a_picture_is_self_contained_and_follows_the_readers_colours() {
    let svg = lines(9, 0.5).svg();
    let rest = svg.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for outside in ["http", "url(", "href", "<script", "<image", "@import"] {
        assert!(!rest.contains(outside), "{outside}");
    }
    assert!(svg.contains("@media (prefers-color-scheme:dark)"));
    // The same picture is the same text; another one styles other elements.
    assert_eq!(svg, lines(9, 0.5).svg());
    let id = |svg: &str| svg.split("id=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_ne!(id(&svg), id(&lines(9, 0.6).svg()));
    let style = svg.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let rules = style.split(['}', '{']).filter(|part| part.contains('.') || part.contains("text"));
    for selector in rules.filter(|part| !part.contains(':')) {
        assert!(selector.trim().starts_with(&format!("#{}", id(&svg))), "{selector} styles other pictures, too");
    }
}

#[test]
fn long_lines_are_thinned_and_keep_their_peaks() {
    let long = |peak: usize| {
        (0..200_000).map(move |k| (k as f64, if k == peak { 50.0 } else { ((k * 7919) % 1000) as f64 / 1000.0 }))
    };
    let svg = Figure::new("t").line("a", long(77_777)).svg();
    assert!(svg.len() < 60_000, "{} bytes", svg.len());
    let all = points(&paths(&parse(&svg), "line")[0]);
    let (lo, hi) = all.iter().fold((f64::MAX, f64::MIN), |(lo, hi), p| (p.1.min(lo), p.1.max(hi)));
    let peak = all.iter().find(|p| p.1 == lo).unwrap();
    let part = (peak.0 - all[0].0) / (all[all.len() - 1].0 - all[0].0);
    assert!(hi - lo > 250.0 && (part - 77_777.0 / 200_000.0).abs() < 2e-3, "{part}");
    let fifty = (0..50).fold(Figure::new("t"), |f, k| f.line(format!("line {k}"), long(k)));
    assert!(fifty.svg().len() < 500_000);
}
