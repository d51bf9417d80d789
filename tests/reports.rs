//! What a report writes: tables, lines, pictures, one page.
#[path = "common/stacks.rs"]
mod stacks;

use chainrule::{
    flow::{Monitor, Plot, Report},
    optim::ReportUpdates,
    prelude::*,
};
use stacks::*;

/// A short run of a network with `layers` hidden layers.
fn run(layers: usize, passes: usize, monitor: Monitor) -> Report {
    let mut monitor = monitor;
    let mut net: Stack = stack(&sizes(16, layers), Phi::Tanh, |_| Init::xavier(), &mut Rng::seed(1));
    let (x, y) = batch(16, 16, &mut Rng::seed(2));
    let (mut tape, mut opt) = (Tape::new(), (ReportUpdates, ClipGlobalNorm::new(0.3), Sgd::new(0.1)));
    for _ in 0..passes {
        let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        let g = loss.backward_with(&net, &mut monitor).unwrap();
        monitor.step(&opt.step(&mut net, &g).unwrap());
    }
    monitor.report()
}

fn recurrent() -> Report {
    let rng = &mut Rng::seed(1);
    let net = (Lstm::<f32>::new(3, 8, rng), Dense::new(8, 1, rng));
    let x = Tensor::normal([40, 4, 3], 0.0, 1.0, rng);
    let (mut tape, mut monitor) = (Tape::new(), Monitor::new());
    for _ in 0..5 {
        let loss = net.forward(&tape.begin().constant(&x)).square().mean();
        loss.backward_with(&net, &mut monitor).unwrap();
    }
    monitor.report()
}

/// Up to the last digit, in which readers of JSON differ.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-14 * b.abs()
}

#[test]
fn lines_are_json_and_csv_with_all_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    let report = run(3, 25, Monitor::new().jsonl(&path).unwrap());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), report.jsonl());
    let lines: Vec<serde_json::Value> = report.jsonl().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let sampled = report.samples().len();
    // Four layers, and weight and bias of each.
    assert_eq!((sampled, lines.len()), (21, 21 * 12));
    for (sample, rows) in report.samples().iter().zip(lines.chunks(12)) {
        for (param, row) in sample.params.iter().zip(&rows[4..]) {
            assert_eq!((row["kind"].as_str(), row["layer"].as_str()), (Some("param"), Some(&*param.path)));
            for (name, value) in [("log10_gradient", param.gradient), ("weight", param.value), ("update", param.update)]
            {
                assert!(row[name].as_f64().map_or(!value.is_finite(), |x| close(x, value)), "{name}: {row}");
            }
        }
        for (layer, row) in sample.layers.iter().zip(rows) {
            let number = |name: &str| row[name].as_f64();
            assert_eq!((row["step"].as_u64(), row["layer"].as_str()), (Some(sample.step), Some(&*layer.path)));
            for (name, value) in
                [("log10_signal", layer.signal), ("update", layer.update), ("f_factor", layer.f_factor)]
            {
                assert!(value.is_nan() || close(number(name).unwrap(), value), "{name}: {row}");
            }
            assert_eq!(row["gain"].as_f64().is_none(), &*layer.path == "out");
        }
        assert_eq!(rows[3]["gain"], "nan"); // never left out
        assert!(close(rows[0]["loss"].as_f64().unwrap(), sample.loss));
    }
    let csv = report.csv();
    let table: Vec<Vec<&str>> = csv.lines().map(|l| l.split(',').collect()).collect();
    assert!(table.len() == lines.len() + 1 && table.iter().all(|row| row.len() == table[0].len()));
    for (row, line) in table[1..].iter().zip(&lines) {
        for (name, cell) in table[0].iter().zip(row) {
            let same = match &line[*name] {
                serde_json::Value::Number(n) => close(cell.parse().unwrap(), n.as_f64().unwrap()),
                serde_json::Value::String(s) => s == cell,
                _ => false,
            };
            assert!(same, "{name}: {cell} and {}", line[*name]);
        }
    }
    let time = recurrent().jsonl();
    let last = time.lines().rfind(|l| l.contains("\"kind\":\"time\"")).unwrap();
    let row: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(
        (row["kind"].as_str(), row["op"].as_str(), row["steps"].as_u64()),
        (Some("time"), Some("lstm"), Some(40))
    );
    assert!(row["rho"].as_f64().unwrap() < 1.0);
    let e = Monitor::new().jsonl(folder.path().join("none").join("x")).err().unwrap();
    assert_eq!(e.kind(), ErrorKind::Io);
}

#[test]
fn a_page_stands_by_itself() {
    for layers in [3, 50] {
        let report = run(layers, 30, Monitor::new());
        let page = report.html();
        assert!(page.len() < 500_000, "{} bytes", page.len());
        for outside in ["<script", "src=", "href=", "@import", "url(", "https:"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(page.replace("http://www.w3.org/2000/svg", "").matches("http:").count(), 0);
        let figures = Plot::ALL.iter().filter(|p| report.figure(**p).is_some()).count();
        assert_eq!((page.matches("<svg ").count(), figures), (6, 6)); // nothing in time
        assert!(page.contains("<pre class=\"good\">healthy: gain"), "{report}");
    }
    assert!(recurrent().figure(Plot::Time).is_some());
}

#[test]
fn each_picture_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(4, 25, Monitor::new());
    for (plot, words) in [
        (Plot::Signals, "The signal of each layer"),
        (Plot::Gains, "w, the weights"),
        (Plot::Layers, "The signal by layer and pass"),
        (Plot::Updates, "1e-3"),
        (Plot::Norms, "after clipping"),
        (Plot::Magnitudes, "hidden.3"),
    ] {
        let path = folder.path().join("picture.svg");
        report.save_svg(&path, plot).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>") && svg.contains(words), "{plot:?}");
    }
    let e = report.save_svg(folder.path().join("t.svg"), Plot::Time).unwrap_err();
    assert_eq!(e.to_string(), "save_svg: this run has nothing to show in Time");
    report.save_html(folder.path().join("r.html")).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("r.html")).unwrap(), report.html());
    assert_eq!(report.save_csv(folder.path()).unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn the_table_has_a_line_for_each_layer_and_is_plain_if_asked() {
    let report = run(4, 25, Monitor::new());
    let (text, plain) = (report.to_string(), format!("{report:#}"));
    for name in ["hidden.0", "hidden.3", "out"] {
        assert_eq!(text.lines().filter(|l| l.starts_with(name)).count(), 1, "{text}");
    }
    assert!(text.contains('▁') && plain.is_ascii(), "{plain}");
    assert!(text.contains("monitor cost") && text.contains("25 passes, 21 measured"), "{text}");
}

/// Nine of ten norms lie below the limit.
#[test]
fn clipping_is_advised_from_the_norms_of_the_run() {
    let report = run(4, 60, Monitor::new());
    let advice = report.clip_advice().unwrap();
    let mut norms: Vec<f64> = report.norms().map(|n| n.1).collect();
    norms.sort_by(f64::total_cmp);
    assert_eq!((advice.norms, advice.limit), (60, norms[53]));
    let mean = norms.iter().sum::<f64>() / 60.0;
    assert!((advice.range.0 / (0.5 * mean) - 1.0).abs() < 1e-9 && (advice.range.1 / (10.0 * mean) - 1.0).abs() < 1e-9);
}
