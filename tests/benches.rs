//! The benches' judgements, on made-up measurements: which bars there are, and how a document is written.
#[path = "../benches/roof/bars.rs"]
mod bars;
#[path = "../benches/roof/document.rs"]
mod document;
#[path = "../benches/roof/row.rs"]
mod row;
#[path = "../benches/roof/table.rs"]
mod table;

use bars::{Bar, bars};
use document::{Document, replaced};
use row::{Peer, Peers, Row, median};
use std::fs;

fn peer(us: f64, ours: f64) -> Option<Peer> {
    Some(Peer { us, ratio: ours / us })
}

fn row(name: &'static str, threads: usize, ours: f64, roof: f64) -> Row {
    Row { name, threads, ours, roof: Some(roof), ..Row::default() }
}

fn verdicts(rows: &[Row]) -> Vec<(String, bool)> {
    bars(rows, None).into_iter().map(|Bar { text, met, .. }| (text, met)).collect()
}

#[test]
fn the_roof_counts_for_one_thread_alone() {
    let met = |ours| verdicts(&[row("mlp_small", 1, ours, 100.0), row("mlp_small", 2, 900.0, 100.0)]);
    assert_eq!(met(160.0), [("mlp_small, 1 thread: at most 1.6 times the roof".to_owned(), true)]);
    assert!(!met(161.0)[0].1);
    let tokens = verdicts(&[row("lstm_tokens", 1, 900.0, 100.0)]);
    assert!(tokens.is_empty(), "a token's product is none, so a roof of products says little: {tokens:?}");
    let adam = verdicts(&[row("adam_5m", 1, 121.0, 100.0)]);
    assert_eq!(adam, [("adam_5m, 1 thread: at most 1.2 times the roof".to_owned(), false)]);
}

#[test]
fn the_better_pytorch_is_the_peer() {
    // At 1.3 times the roof, a library must be beaten; at 1.2 and below, 1.05 times its time will do.
    let with = |ours: f64, torch: f64, fused: f64| {
        let peers = Peers { torch: peer(torch, ours), fused: peer(fused, ours), jax: None };
        verdicts(&[Row { peers, ..row("mlp_large", 2, ours, 100.0) }])
    };
    let all = with(131.0, 140.0, 130.0);
    assert_eq!(all.len(), 1);
    assert!(all[0].0.contains("less than the time of PyTorch, which takes 1.30 times the roof"), "{}", all[0].0);
    assert!(!all[0].1 && with(129.0, 140.0, 130.0)[0].1);
    assert!(with(126.0, 140.0, 120.0)[0].1 && !with(127.0, 140.0, 120.0)[0].1);
    assert!(with(126.0, 120.0, 140.0)[0].1, "eager may be the better one");
}

#[test]
fn maps_are_faster_than_both_and_digits_take_half() {
    let with = |name, ours: f64, torch: f64, jax: f64| {
        let peers = Peers { torch: peer(torch, ours), fused: None, jax: peer(jax, ours) };
        verdicts(&[Row { peers, ..row(name, 1, ours, 1.0) }]).into_iter().map(|(_, met)| met).collect::<Vec<_>>()
    };
    assert_eq!(with("tanh_1m", 10.0, 11.0, 9.0), [true, false]);
    assert_eq!(with("softmax_ce", 10.0, 10.0, 11.0), [false, true]);
    // No bar against JAX.
    assert_eq!(with("digits", 50.0, 100.0, 1.0), [true]);
    assert_eq!(with("digits", 51.0, 100.0, 1.0), [false]);
    assert_eq!(with("tiny_chain", 51.0, 100.0, 1.0), [] as [bool; 0]);
}

#[test]
fn two_threads() {
    let met = |name, up| verdicts(&[Row { speedup: Some(up), ..row(name, 2, 1.0, 1.0) }])[0].1;
    assert!(met("matmul_1024", 1.8) && !met("matmul_1024", 1.79));
    assert!(met("mlp_large", 1.7) && !met("mlp_large", 1.69));
    assert!(met("mlp_deep", 1.5) && !met("mlp_deep", 1.49));
    assert!(met("lstm_large", 1.8) && !met("lstm_large", 1.79));
    assert!(met("lstm_copy", 1.5) && !met("lstm_copy", 1.49));
    assert!(met("tiny_chain", 0.975) && !met("tiny_chain", 0.96));
}

#[test]
fn ops_and_memory() {
    let chain = |ours| Row { roof: None, ops: Some(1000.0), ..row("tiny_chain", 1, ours, 1.0) };
    assert!(verdicts(&[chain(75.0)])[0].1 && !verdicts(&[chain(75.1)])[0].1);
    let memory = |mb| bars(&[], Some(mb))[0].met;
    assert!(memory(149.0) && !memory(150.0));
}

#[test]
fn every_line_has_as_many_cells_as_the_head() {
    let peers = Peers { torch: peer(200.0, 100.0), fused: peer(150.0, 100.0), jax: peer(99.0, 100.0) };
    let full = Row { peers, speedup: Some(1.5), ..row("mlp_small", 2, 100.0, 80.0) };
    let rows = [full, Row { roof: None, ops: Some(1000.0), ..row("tiny_chain", 1, 70.0, 1.0) }];
    let cells = |line: &str| line.matches('|').count();
    let [head, rule] = table::HEAD.lines().collect::<Vec<_>>()[..] else { panic!("two lines") };
    assert_eq!(cells(head), cells(rule));
    for row in &rows {
        assert_eq!(cells(&table::line(row)), cells(head));
    }
    assert_eq!(table::line(&rows[0]), "| mlp_small | 2 | 100 | 1.25 | 200 | 150 | 99.0 | 0.67 | 1.01 | 1.50 | 0.0 |");
    assert_eq!(table::line(&rows[1]), "| tiny_chain | 1 | 70.0 | 70.0 ns an op |  |  |  |  |  |  | 0.0 |");
    let lost = table::losses(&rows);
    assert!(lost.contains("mlp_small, 2 threads: 1.01 times the time of JAX") && !lost.contains("PyTorch"), "{lost}");
    assert!(table::losses(&rows[1..]).contains("No other library"));
    let text = table::bars(&bars(&rows, Some(160.0)));
    assert!(text.contains("| **missed** |") && text.ends_with("bars are met."), "{text}");
}

#[test]
fn a_document_is_replaced_between_its_markers() {
    let old = "a\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nb\n";
    let new = replaced(old, "new\ntext\n").expect("both markers");
    assert_eq!(new, "a\n<!-- measured: begin -->\nnew\ntext\n<!-- measured: end -->\nb\n");
    assert_eq!(replaced(&new, "old"), Ok(old.to_owned()));
    for bad in
        ["", "<!-- measured: begin -->", "<!-- measured: end --><!-- measured: begin -->", &format!("{old}{old}")]
    {
        assert!(replaced(bad, "new").is_err(), "{bad}");
    }
}

#[test]
fn a_document_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("page.md");
    assert!(Document::open(&path).is_err(), "no such file");
    let text = "<!-- measured: begin --><!-- measured: end -->";
    fs::write(&path, text).expect("a file");
    let document = Document::open(&path).expect("both markers");
    document.write("numbers").expect("it can be written");
    let written = fs::read_to_string(&path).expect("a file");
    assert_eq!(written, "<!-- measured: begin -->\nnumbers\n<!-- measured: end -->");
    // Somebody took the markers away meanwhile.
    fs::write(&path, "precious").expect("a file");
    assert!(document.write("numbers").is_err());
    assert_eq!(fs::read_to_string(&path).expect("a file"), "precious");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
}

#[test]
fn medians() {
    assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
    assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
    assert!(median(&mut []).is_nan());
}
