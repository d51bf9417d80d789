//! An op without a row fails.
use crate::{
    array::Arr,
    case::{Domain, Draw},
    harness::{Dual1, Dual2, Row},
    rows,
};
use chainrule::prelude::*;
use std::{collections::BTreeSet, fs, path::Path};

/// A row with given shapes.
pub struct Shaped(pub &'static dyn Row, pub [Vec<usize>; 2]);
impl Row for Shaped {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn shapes(&self, _: &Draw) -> Vec<Vec<usize>> {
        self.1.to_vec()
    }
    fn domains(&self) -> &'static [Domain] {
        self.0.domains()
    }
    fn tolerance(&self) -> f64 {
        self.0.tolerance()
    }
    fn tensor(&self, d: &Draw, x: &[Tensor<f64>]) -> Tensor<f64> {
        self.0.tensor(d, x)
    }
    fn tensor32(&self, d: &Draw, x: &[Tensor]) -> Tensor {
        self.0.tensor32(d, x)
    }
    fn var<'t>(&self, d: &Draw, x: &[Var<'t, f64>]) -> Var<'t, f64> {
        self.0.var(d, x)
    }
    fn var32<'t>(&self, d: &Draw, x: &[Var<'t>]) -> Var<'t> {
        self.0.var32(d, x)
    }
    fn dual(&self, d: &Draw, x: &[Arr<Dual1>]) -> Arr<Dual1> {
        self.0.dual(d, x)
    }
    fn dual2(&self, d: &Draw, x: &[Arr<Dual2>]) -> Arr<Dual2> {
        self.0.dual2(d, x)
    }
}

fn source(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// `Tanh {}, tanh, (x) = ...`: the methods of the formula table.
fn formulas() -> Vec<String> {
    let table = source("src/formula/table.rs");
    let rows =
        table.split_once("macro_rules! elementwise").unwrap().1.split_once("pub(crate) use elementwise").unwrap().0;
    let method = |line: &str| Some(line.split_once("}, ")?.1.split_once(", (")?.0.to_string());
    rows.lines().filter(|line| !line.trim_start().starts_with("///")).filter_map(method).collect()
}

/// The methods of `TensorLike` that make a value from values.
fn vocabulary() -> Vec<String> {
    let like = source("src/core/like.rs");
    let body = like.split_once("pub trait TensorLike").unwrap().1.to_string();
    let body = body + &source("src/core/like/reductions.rs") + &source("src/core/like/places.rs");
    let no_ops = [
        "apply",
        "apply_many",
        "place",
        "value",
        "shape",
        "tag",
        "watch",
        "through_dyn",
        "accumulate",
        "accumulate_at",
        "composed_vjp",
        "map_vjp",
        "constant",
        "checkpoint",
        "checkpoint_many",
        "param",
        "update",
    ];
    let names = body.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
    let names = names.map(|rest| rest.split(['(', '<']).next().unwrap().to_string());
    names.filter(|name| !no_ops.contains(&&name[..])).filter(|name| !name.starts_with("try_")).collect()
}

/// The names of the ops that have a file in `src/op`.
fn ops() -> Vec<String> {
    let mut names = vec![];
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/op")).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            continue; // recurrent: tests/recurrent.rs
        }
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let constants = lines.filter_map(|line| line.split_once("const NAME: &'static str = \""));
        names.extend(constants.map(|(_, rest)| rest.split('"').next().unwrap().to_string()));
        // Ops made by a macro: `Add add add_slices, ...`
        if let Some((_, list)) = text.split_once("\nsums! {") {
            let rows = list.lines().filter(|line| line.ends_with(';') && !line.trim().starts_with("//"));
            names.extend(rows.filter_map(|line| line.split_whitespace().nth(1).map(String::from)));
        }
    }
    names
}

#[test]
fn every_op_has_a_row() {
    let known: BTreeSet<&str> = rows().iter().map(|row| row.name()).collect();
    let (formulas, vocabulary) = (formulas(), vocabulary());
    assert!(formulas.len() >= 36 && vocabulary.len() >= 25, "the sources are not read as meant");
    for method in formulas.iter().chain(&vocabulary) {
        assert!(known.contains(&method[..]), "{method} has no row in tests/ops.rs");
    }
}

#[test]
fn every_op_is_reached_by_a_row() {
    let mut reached = BTreeSet::new();
    for row in rows() {
        let d = Draw { sizes: vec![2, 3], picks: [1; 12], seed: 1 };
        let mut tape = Tape::new();
        let r = tape.begin();
        let x: Vec<_> = row.inputs(&d).iter().map(|t| r.variable(t)).collect();
        row.var(&d, &x);
        r.each_node(|node| {
            reached.insert(node.op);
        });
    }
    let ops = ops();
    assert!(ops.len() >= 17, "the sources are not read as meant: {ops:?}");
    for op in ops {
        assert!(reached.contains(&op[..]), "no row of tests/ops.rs reaches the op {op}");
    }
}
