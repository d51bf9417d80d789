//! One line for each layer, recurrent layer and parameter of each measured pass.
use crate::flow::{LayerSample, ParamSample, Sample, TimeSample};
use std::fmt::Write;

/// A number, for both forms; `None` is a name.
enum Cell<'a> {
    Text(&'a str),
    Number(f64),
    Count(u64),
}
use Cell::{Count, Number, Text};

const NAMES: [&str; 35] = [
    "step",
    "loss",
    "log10_norm",
    "clip_coef",
    "log10_total",
    "rate",
    "kind",
    "layer",
    "op",
    "log10_signal",
    "gain",
    "f_factor",
    "w_factor",
    "w_expected",
    "forward",
    "log10_gradient",
    "weight",
    "update",
    "slope",
    "saturated",
    "silent",
    "dead",
    "entries",
    "nan",
    "inf",
    "subnormal",
    "zero",
    "steps",
    "rho",
    "horizon",
    "gate",
    "log10_gate_product",
    "probed_rho",
    "probed_horizon",
    "span",
];

fn shared(s: &Sample) -> Vec<Cell<'_>> {
    vec![Count(s.step), Number(s.loss), Number(s.norm), Number(s.coef), Number(s.total), Number(s.rate)]
}

fn layer<'a>(s: &Sample, l: &'a LayerSample) -> Vec<Cell<'a>> {
    let nan = || Number(f64::NAN);
    let counts = [l.counts.all, l.counts.nan, l.counts.infinite, l.counts.subnormal, l.counts.zero];
    let numbers = [
        l.signal,
        l.gain,
        l.f_factor,
        l.w_factor,
        l.w_expected,
        l.forward,
        l.gradient,
        l.weight,
        l.update,
        l.slope,
        l.saturated,
        l.silent,
        l.dead,
    ];
    let mut row = vec![Text("layer"), Text(&l.path), Text(l.activation.unwrap_or(""))];
    row.extend(numbers.map(Number));
    row.extend(counts.map(|n| Count(n as u64)));
    row.extend((0..7).map(|_| nan()));
    row.push(Number(s.span));
    row
}

fn time<'a>(s: &Sample, t: &'a TimeSample) -> Vec<Cell<'a>> {
    let mut row = vec![Text("time"), Text(&t.path), Text(t.op)];
    row.extend((0..18).map(|_| Number(f64::NAN)));
    row.extend([
        Count(t.steps as u64),
        Number(t.rho),
        Number(t.horizon),
        Number(t.gate),
        Number(t.gate_product),
        Number(t.probed_rho),
        Number(t.probed_horizon),
        Number(s.span),
    ]);
    row
}

/// A parameter: its gradient, norm and last change.
fn param<'a>(s: &Sample, p: &'a ParamSample) -> Vec<Cell<'a>> {
    let nan = || Number(f64::NAN);
    let mut row = vec![Text("param"), Text(&p.path), Text("")];
    row.extend((0..6).map(|_| nan()));
    row.extend([Number(p.gradient), Number(p.value), Number(p.update)]);
    row.extend((0..16).map(|_| nan()));
    row.push(Number(s.span));
    row
}

fn rows(s: &Sample) -> impl Iterator<Item = Vec<Cell<'_>>> {
    let layers = s.layers.iter().map(move |l| layer(s, l));
    let rest = s.time.iter().map(move |t| time(s, t)).chain(s.params.iter().map(move |p| param(s, p)));
    layers.chain(rest).map(move |row| shared(s).into_iter().chain(row).collect())
}

fn number(x: f64) -> String {
    match x {
        x if x.is_nan() => "nan".into(),
        x if x == f64::INFINITY => "inf".into(),
        x if x == f64::NEG_INFINITY => "-inf".into(),
        x => format!("{x:e}"),
    }
}

pub(super) fn csv(samples: &[Sample]) -> String {
    let mut text = NAMES.join(",") + "\n";
    for row in samples.iter().flat_map(rows) {
        let cells: Vec<String> = row
            .iter()
            .map(|cell| match cell {
                Text(t) if t.contains([',', '"', '\n']) => format!("\"{}\"", t.replace('"', "\"\"")),
                Text(t) => (*t).to_owned(),
                Number(x) => number(*x),
                Count(n) => n.to_string(),
            })
            .collect();
        text += &(cells.join(",") + "\n");
    }
    text
}

/// Adds the lines of one pass.
pub(crate) fn jsonl(sample: &Sample, text: &mut String) {
    for row in rows(sample) {
        text.push('{');
        for (k, (name, cell)) in NAMES.iter().zip(&row).enumerate() {
            let comma = if k == 0 { "" } else { "," };
            let value = match cell {
                Text(t) => quoted(t),
                Number(x) if x.is_finite() => number(*x),
                Number(x) => format!("\"{}\"", number(*x)), // JSON has no word for it
                Count(n) => n.to_string(),
            };
            // A String takes whatever is written.
            let _ = write!(text, "{comma}\"{name}\":{value}");
        }
        text.push_str("}\n");
    }
}

fn quoted(t: &str) -> String {
    let mut out = String::from("\"");
    for c in t.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if (c as u32) < 0x20 => out += &format!("\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out + "\""
}
