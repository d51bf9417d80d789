//! What a recording looks like when it is printed, and how large it says it is.
use chainrule::{
    core::{OpMany, Outputs, Recorded, Saved, Vjp},
    nn::Checkpoint,
    prelude::*,
};
use std::fmt::{self, Write};

/// Both ends of a list.
struct Ends;
impl<F: Real> OpMany<F> for Ends {
    const NAME: &'static str = "ends";
    fn forward(&self, x: &[&Tensor<F>], saved: &mut Saved<'_, F>) -> Outputs<Tensor<F>> {
        saved.keep(&x[0].exp());
        let n = x[0].shape()[0];
        Outputs::from_iter([x[0].slice(0, 0..1), x[0].slice(0, n - 1..n)])
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>) {
        let n = cx.input(0).shape()[0];
        cx.none(0);
        if let Some(y_bar) = cx.y_bar(0) {
            cx.give_at(0, 0, 0..1, || y_bar);
        }
        if let Some(y_bar) = cx.y_bar(1) {
            cx.give_at(0, 0, n - 1..n, || y_bar);
        }
    }
}

/// Rows of cells; titles first, totals left out.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<_> = text.lines().collect();
    let table = &lines[..lines.len() - 1];
    let starts: Vec<_> = ["id", "op", "inputs", "shape", "bytes", "saved", "name", "line"]
        .iter()
        .map(|title| table[0].find(title).expect("a title"))
        .collect();
    // Numbers end where their title ends, all others begin where it begins.
    let mut borders = vec![0, starts[1], starts[2], starts[3]];
    let end = |k: usize, title: &str| starts[k] + title.len();
    borders.extend([end(4, "bytes"), end(5, "saved")]);
    table
        .iter()
        .map(|line| {
            let head =
                [(0, borders[1]), (borders[1], borders[2]), (borders[2], borders[3])].map(|(a, b)| line[a..b].trim());
            let sizes = line[borders[3]..borders[4]].trim();
            let (shape, bytes) = sizes.rsplit_once("  ").expect("two cells");
            let saved = line[borders[4]..borders[5]].trim();
            let (name, at) = (line[starts[6]..starts[7]].trim(), line[starts[7]..].trim());
            head.into_iter().chain([shape.trim(), bytes.trim(), saved, name, at]).collect()
        })
        .collect()
}

/// Allocated for so many f32.
fn size(numbers: usize) -> String {
    (64 + (4 * numbers).next_multiple_of(64)).to_string()
}

#[test]
fn a_table_of_every_node() {
    let mut tape = Tape::new();
    let r = tape.begin();
    let p = Param::new(Tensor::ones([3, 8]));
    let x = r.variable(&Tensor::ones([4, 8]));
    let data = r.constant(&Tensor::ones([4, 8]));
    let at = line!() + 1;
    let h = (x + data).matmul_nt(&r.param(&p)).watch("h");
    let flat = h.reshape([12]).watch("a").watch("b");
    let ends = Var::apply_many(Ends, &[&flat]);
    let _ = ends[1].sum();
    let text = r.dump().to_string();
    let table = rows(&text);
    let line = |k: u32| format!("{}:{}", file!(), at + k);
    let cell = |i: usize, k: usize| table[i + 1][k];
    assert_eq!(table[0], ["id", "op", "inputs", "shape", "bytes", "saved", "name", "line"]);
    assert_eq!(table.len(), 1 + 9);
    let ops: Vec<_> = (0..9).map(|i| cell(i, 1)).collect();
    assert_eq!(ops, ["variable", "constant", "add", "param", "matmul", "reshape", "ends.0", "ends.1", "sum"]);
    let inputs: Vec<_> = (0..9).map(|i| cell(i, 2)).collect();
    assert_eq!(inputs, ["", "", "0 1", "", "2 3", "4", "5", "5", "7"]);
    let shapes: Vec<_> = (0..9).map(|i| cell(i, 3)).collect();
    assert_eq!(shapes, ["[4, 8]", "[4, 8]", "[4, 8]", "[3, 8]", "[4, 3]", "[12]", "[1]", "[1]", "[]"]);
    let bytes: Vec<_> = (0..9).map(|i| cell(i, 4).to_owned()).collect();
    let shared = || "shared".to_owned();
    let expected = [size(32), size(32), size(32), size(24), size(12), shared(), shared(), shared(), size(1)];
    assert_eq!(bytes, expected);
    assert_eq!((cell(6, 5), cell(7, 5), cell(4, 5)), (&*size(12), "", ""));
    assert_eq!((cell(4, 6), cell(5, 6), cell(0, 6)), ("h", "a, b", ""));
    assert_eq!((cell(4, 7), cell(5, 7)), (&*line(0), &*line(1)));
    // Totals are the sums of the columns.
    let stats = r.stats();
    let column = |k: usize, of: &dyn Fn(&str) -> bool| -> usize {
        table[1..].iter().filter(|row| of(row[1])).filter_map(|row| row[k].parse::<usize>().ok()).sum()
    };
    assert_eq!(stats.nodes, 9);
    assert_eq!(stats.parameters, column(4, &|op| op == "param"));
    assert_eq!(stats.values, column(4, &|op| op != "param"));
    assert_eq!(stats.saved, column(5, &|_| true));
    let totals = format!(
        "9 nodes, {} bytes: values {}, saved {}, parameters {}; 0 values dropped",
        stats.bytes(),
        stats.values,
        stats.saved,
        stats.parameters
    );
    assert_eq!(text.lines().last(), Some(&*totals));
    assert_eq!(format!("{:?}", r.dump()), text);
}

#[test]
fn a_module_gives_its_paths() -> Result<(), Error> {
    let mut rng = Rng::seed(1);
    let net = (Dense::new(3, 2, &mut rng), Tanh, Dense::new(2, 1, &mut rng));
    let mut tape = Tape::new();
    let r = tape.begin();
    let loss = net.forward(&r.constant(&Tensor::ones([4, 3]))).sum();
    let text = r.dump_with(&net)?.to_string();
    let names: Vec<_> = rows(&text)[1..].iter().map(|row| (row[1].to_owned(), row[6].to_owned())).collect();
    let name = |op: &str, name: &str| (op.to_owned(), name.to_owned());
    assert_eq!(names[1..4], [name("param", "0.weight"), name("param", "0.bias"), name("linear", "0")]);
    assert_eq!(names[5..8], [name("param", "2.weight"), name("param", "2.bias"), name("linear", "2")]);
    assert!(rows(&r.dump().to_string())[1..].iter().all(|row| row[6].is_empty()));
    // Two parameters of one path.
    struct Twice(Param, Param);
    impl Module for Twice {
        fn visit_at<'a>(
            &'a self,
            path: &chainrule::core::Path<'_>,
            f: &mut dyn FnMut(&chainrule::core::Path<'_>, &'a Param),
        ) {
            self.0.visit_at(path, f);
            self.1.visit_at(path, f);
        }
        fn visit_mut_at<'a>(
            &'a mut self,
            path: &chainrule::core::Path<'_>,
            f: &mut dyn FnMut(&chainrule::core::Path<'_>, &'a mut Param),
        ) {
            self.0.visit_mut_at(path, f);
            self.1.visit_mut_at(path, f);
        }
    }
    let twice = Twice(Param::new(Tensor::ones([1])), Param::new(Tensor::ones([1])));
    assert_eq!(r.dump_with(&twice).unwrap_err().kind(), ErrorKind::Mismatch);

    // An observer sees the same, with paths.
    struct Print(String);
    impl Observer for Print {
        fn recording(&mut self, r: &Recorded<'_, f32>) -> Result<(), Error> {
            self.0 = r.dump().to_string();
            Ok(())
        }
    }
    let mut print = Print(String::new());
    loss.backward_with(&net, &mut print)?;
    assert_eq!(print.0, text);
    // After backward the parameters are given up; the rest can still be printed.
    let table = r.dump().to_string();
    let dropped: Vec<_> = rows(&table)[1..].iter().filter(|row| row[4] == "dropped").map(|row| row[1]).collect();
    assert_eq!((dropped, r.stats().parameters), (vec!["param"; 4], 0));
    Ok(())
}

#[test]
fn checkpoints_are_seen() {
    let mut rng = Rng::seed(1);
    let net = Checkpoint((Dense::new(3, 2, &mut rng), Tanh, Checkpoint(Dense::new(2, 2, &mut rng)), Tanh));
    let mut tape = Tape::new();
    let r = tape.begin();
    let _ = net.forward(&r.constant(&Tensor::ones([4, 3]))).sum();
    let text = r.dump().to_string();
    let dropped: Vec<_> = rows(&text)[1..].iter().filter(|row| row[4] == "dropped").map(|row| row[1]).collect();
    assert_eq!((dropped, r.stats().dropped), (vec!["linear", "tanh", "linear"], 3));
    assert!(text.ends_with("; 3 values dropped"), "{text}");
    let (nodes, edges, frames) = parse(&r.dump().dot().to_string());
    assert_eq!((nodes.len(), edges.len()), (10, 9));
    // The outer frame holds all but the data and the sum, the inner one the second layer.
    assert_eq!(frames, [(5, 8), (1, 9)]);
}

type Pairs = Vec<(usize, usize)>;

/// Reads the graph: labels with attributes, edges, and the nodes from and to which each frame goes.
fn parse(text: &str) -> (Vec<(String, String)>, Pairs, Pairs) {
    let (mut nodes, mut edges, mut frames, mut open) = (vec![], vec![], vec![], vec![]);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("digraph recording {"));
    for line in lines {
        let number = |s: &str| s.trim().strip_prefix('n').and_then(|s| s.parse::<usize>().ok()).expect("a node");
        let is_node = line.contains(" [label=\"");
        if let Some((a, b)) = line.strip_suffix(';').filter(|_| !is_node).and_then(|l| l.split_once(" -> ")) {
            edges.push((number(a), number(b)));
        } else if line.starts_with("subgraph cluster_") {
            open.push(nodes.len());
        } else if line == "}" {
            frames.extend(open.pop().map(|from| (from, nodes.len())));
        } else if let Some((id, rest)) = line.split_once(" [label=\"") {
            assert_eq!(number(id), nodes.len());
            // To the first quote that is not escaped.
            let (mut label, mut chars) = (String::new(), rest.chars());
            loop {
                match chars.next().expect("a closing quote") {
                    '"' => break,
                    '\\' => label.push(match chars.next().expect("an escaped character") {
                        'n' => '\n',
                        c => c,
                    }),
                    c => label.push(c),
                }
            }
            let attributes = chars.as_str().strip_suffix("];").expect("the end of attributes");
            assert_eq!(attributes.matches('"').count() % 2, 0);
            nodes.push((label, attributes.to_owned()));
        }
    }
    assert!(open.is_empty());
    (nodes, edges, frames)
}

#[test]
fn a_graph_that_graphviz_can_read() -> Result<(), Error> {
    let mut tape = Tape::new();
    let r = tape.begin();
    let p = Param::new(Tensor::ones([2, 2]));
    let odd = "a \"quoted\" \\ name]; -> }";
    let line = line!() + 1;
    let (x, c) = (r.variable(&Tensor::ones([2, 2])), r.constant(&Tensor::ones([2, 2])));
    let y = (x.matmul(&r.param(&p)) * c.exp()).watch(odd);
    let ends = Var::apply_many(Ends, &[&y]);
    let (nodes, edges, frames) = parse(&r.dump_with(&p)?.dot().to_string());
    let (mut labels, mut rest) = (vec![], vec![]);
    for (label, _) in &nodes {
        let (at, _) = label.match_indices('\n').nth_back(1).expect("bytes and a line");
        labels.push(&label[..at]);
        rest.push(&label[at + 1..]);
    }
    let named = format!("5 mul\n[2, 2]\n{odd}");
    let expected =
        ["0 variable\n[2, 2]", "1 constant\n[2, 2]", "2 param\n[2, 2]", "3 matmul\n[2, 2]", "4 exp\n[2, 2]", &named];
    assert_eq!(labels[..6], expected);
    assert_eq!(labels[6..], ["6 ends.0\n[1, 2]", "7 ends.1\n[1, 2]"]);
    let at = |k: u32| format!("{}:{}", file!(), line + k);
    assert_eq!(rest[3], format!("bytes {}\n{}", size(4), at(1)));
    assert_eq!(rest[6], format!("bytes shared, saved {}\n{}", size(4), at(2)));
    assert_eq!(edges, [(0, 3), (2, 3), (1, 4), (3, 5), (4, 5), (5, 6), (5, 7)]);
    assert!(frames.is_empty());
    // Data, variables, parameters and results are told apart.
    let styles: std::collections::HashSet<_> = [0, 1, 2, 3].iter().map(|&i| &nodes[i].1).collect();
    assert_eq!(styles.len(), 4);
    assert_eq!(ends.len(), 2);
    Ok(())
}

#[test]
fn names_with_control_characters_stay_in_their_row() {
    let mut tape = Tape::new();
    let r = tape.begin();
    let _ = r.variable(&Tensor::ones([2])).tanh().watch("a\nb\tc\u{1b}[31m\u{85}").exp().watch("\r\0 plain \u{e9}");
    let text = r.dump().to_string();
    let names: Vec<_> = rows(&text)[1..].iter().map(|row| row[6]).collect();
    assert_eq!(names, ["", r"a\nb\tc\u{1b}[31m\u{85}", "\\r\\u{0} plain \u{e9}"]);
    let graph = r.dump().dot().to_string();
    assert!(!graph.contains(|c: char| c.is_control() && c != '\n'));
    assert!(parse(&graph).0[1].0.contains(r"a\nb\tc\u{1b}[31m\u{85}"));
}

#[test]
fn an_empty_recording() {
    let mut tape = Tape::<f64>::new();
    let r = tape.begin();
    assert_eq!(r.stats(), Default::default());
    assert_eq!(r.dump().to_string().lines().count(), 2);
    assert_eq!(parse(&r.dump().dot().to_string()).0.len(), 0);
}

/// Counts and forgets.
struct Length(usize);
impl fmt::Write for Length {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0 += s.len();
        Ok(())
    }
}

#[test]
fn a_million_nodes_on_a_small_stack() {
    let run = || {
        let mut tape = Tape::<f64>::new();
        let r = tape.begin();
        let x = r.variable(&Tensor::of([], vec![1.0]));
        let _ = (0..1_000_000).fold(x, |y, _| y * 1.000_001);
        let (mut table, mut graph) = (Length(0), Length(0));
        write!(table, "{}", r.dump()).expect("no error");
        write!(graph, "{}", r.dump().dot()).expect("no error");
        assert!(table.0 > 50_000_000 && graph.0 > 50_000_000, "{} {}", table.0, graph.0);
        assert_eq!(r.stats().nodes, 1_000_001);
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).expect("a thread").join().expect("no overflow");
}
