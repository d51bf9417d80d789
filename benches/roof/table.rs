//! Rows and bars as Markdown.
use super::{bars::Bar, bars::threads, row::Row};
use std::fmt::Write;

pub(crate) const HEAD: &str = "\
| workload | threads | ours us | times the roof | torch us | torch fused us | jax us | ours/torch | ours/jax | speed-up | allocations |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

/// A line of the table.
pub(crate) fn line(row: &Row) -> String {
    let us = |us: f64| if us < 100.0 { format!("{us:.1}") } else { format!("{us:.0}") };
    let time = |x: Option<f64>| x.map(us).unwrap_or_default();
    let ratio = |x: Option<f64>| x.map(|x| format!("{x:.2}")).unwrap_or_default();
    let roof = match row.ops {
        Some(ops) => format!("{:.1} ns an op", 1000.0 * row.ours / ops),
        None => ratio(row.times_roof()),
    };
    let peers = &row.peers;
    let cells = [
        row.name.to_owned(),
        row.threads.to_string(),
        us(row.ours),
        roof,
        time(peers.torch.map(|p| p.us)),
        time(peers.fused.map(|p| p.us)),
        time(peers.jax.map(|p| p.us)),
        ratio(row.torch().map(|p| p.ratio)),
        ratio(peers.jax.map(|p| p.ratio)),
        ratio(row.speedup),
        format!("{:.1}", row.allocations),
    ];
    format!("| {} |", cells.join(" | "))
}

/// Every bar with what was measured.
pub(crate) fn bars(bars: &[Bar]) -> String {
    let mut text = String::from("| bar | measured | |\n| --- | ---: | --- |\n");
    for Bar { text: bar, measured, met } in bars {
        let verdict = if *met { "met" } else { "**missed**" };
        writeln!(text, "| {bar} | {measured} | {verdict} |").expect("strings grow");
    }
    let met = bars.iter().filter(|bar| bar.met).count();
    write!(text, "\n{met} of {} bars are met.", bars.len()).expect("strings grow");
    text
}

/// What takes longer than another library does.
pub(crate) fn losses(rows: &[Row]) -> String {
    let mut slower = vec![];
    let mut compared = false;
    for row in rows {
        for (library, peer) in row.others() {
            compared = true;
            if peer.ratio > 1.0 {
                let (name, n, ratio) = (row.name, threads(row.threads), peer.ratio);
                slower.push(format!("- {name}, {n}: {ratio:.2} times the time of {library}"));
            }
        }
    }
    match (compared, slower.is_empty()) {
        (false, _) => "No other library was measured.".to_owned(),
        (true, true) => "Nowhere slower than another library that was measured.".to_owned(),
        (true, false) => format!("Slower than another library:\n\n{}", slower.join("\n")),
    }
}
