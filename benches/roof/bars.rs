//! What is asked of each workload, and whether it was reached.
use super::row::{Peer, Row};

/// A bar with what was measured.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) text: String,
    pub(crate) measured: String,
    pub(crate) met: bool,
}

/// Times the roof with one thread.
const ROOF: &[(&str, f64)] = &[
    ("mlp_small", 1.6),
    ("mlp_deep", 1.4),
    ("mlp_large", 1.15),
    ("matmul_1024", 1.05),
    ("matmul_64", 1.5),
    ("adam_5m", 1.2),
    ("rnn_copy", 1.8),
    ("lstm_copy", 1.3),
    ("gru_copy", 1.3),
    ("lstm_large", 1.2),
];

/// The least speed-up by a second thread; of all others, that they are not slower than 1.03 times one thread.
const SPEEDUP: &[(&str, f64)] =
    &[("matmul_1024", 1.8), ("lstm_large", 1.8), ("mlp_large", 1.7), ("mlp_deep", 1.5), ("lstm_copy", 1.5)];
const SLOWER: f64 = 1.03;

/// Faster than the others where they take more than this many times the roof, and within `NEAR` of them elsewhere.
const FAR: f64 = 1.2;
const NEAR: f64 = 1.05;
const BY_ROOF: &[&str] = &[
    "mlp_small",
    "mlp_deep",
    "mlp_large",
    "matmul_1024",
    "matmul_64",
    "rnn_copy",
    "lstm_copy",
    "gru_copy",
    "lstm_large",
];

/// Faster than the others.
const FASTER: &[&str] = &["tanh_1m", "sigmoid_1m", "exp_1m", "gelu_1m", "gelu_erf_1m", "softmax_ce"];

const NANOSECONDS_AN_OP: f64 = 75.0;
const MEGABYTES: f64 = 150.0;

fn of(table: &[(&str, f64)], name: &str) -> Option<f64> {
    table.iter().find(|(n, _)| *n == name).map(|(_, bar)| *bar)
}

/// Every bar of what was measured.
pub(crate) fn bars(rows: &[Row], megabytes: Option<f64>) -> Vec<Bar> {
    let mut bars: Vec<Bar> = rows.iter().flat_map(|row| own(row).into_iter().chain(against(row))).collect();
    bars.extend(megabytes.map(|mb| Bar {
        text: format!("mlp_large: peak memory of the process below {MEGABYTES} MB"),
        measured: format!("{mb:.0} MB"),
        met: mb < MEGABYTES,
    }));
    bars
}

/// Those without another library.
fn own(row: &Row) -> Vec<Bar> {
    let (name, threads) = (row.name, row.threads);
    let mut bars = vec![];
    if let (Some(bar), Some(times), 1) = (of(ROOF, name), row.times_roof(), threads) {
        bars.push(Bar {
            text: format!("{name}, 1 thread: at most {bar} times the roof"),
            measured: format!("{times:.2}"),
            met: times <= bar,
        });
    }
    if let (Some(ops), 1) = (row.ops, threads) {
        let each = 1000.0 * row.ours / ops;
        bars.push(Bar {
            text: format!("{name}, 1 thread: at most {NANOSECONDS_AN_OP} ns an op"),
            measured: format!("{each:.1} ns"),
            met: each <= NANOSECONDS_AN_OP,
        });
    }
    if let (Some(up), 2) = (row.speedup, threads) {
        bars.push(match of(SPEEDUP, name) {
            Some(bar) => Bar {
                text: format!("{name}: two threads at least {bar} times as fast as one"),
                measured: format!("{up:.2}"),
                met: up >= bar,
            },
            None => Bar {
                text: format!("{name}: two threads take at most {SLOWER} times the time of one"),
                measured: format!("{:.2}", 1.0 / up),
                met: 1.0 / up <= SLOWER,
            },
        });
    }
    bars
}

/// Those against other libraries.
fn against(row: &Row) -> Vec<Bar> {
    let bar = |(library, Peer { us, ratio }): (&'static str, Peer)| {
        let (most, met, why) = if row.name == "digits" {
            let half = library == "PyTorch";
            half.then_some((0.5, ratio <= 0.5, String::new()))?
        } else if FASTER.contains(&row.name) {
            (1.0, ratio < 1.0, String::new())
        } else if BY_ROOF.contains(&row.name) {
            let times = us / row.roof?;
            let why = format!(", which takes {times:.2} times the roof");
            if times > FAR { (1.0, ratio < 1.0, why) } else { (NEAR, ratio <= NEAR, why) }
        } else {
            return None;
        };
        let than = if most == 1.0 { "less than".to_owned() } else { format!("at most {most} times") };
        Some(Bar {
            text: format!("{}, {}: {than} the time of {library}{why}", row.name, threads(row.threads)),
            measured: format!("{ratio:.2}"),
            met,
        })
    };
    row.others().filter_map(bar).collect()
}

pub(crate) fn threads(n: usize) -> String {
    if n == 1 { "1 thread".to_owned() } else { format!("{n} threads") }
}
