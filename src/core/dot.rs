//! A recording as a graph.
use crate::{
    core::{Dump, Stats, dump::write_bytes, record::Record, stats::Seen},
    tensor::Real,
};
use std::fmt::{self, Write};

/// The text of a graph in the language of Graphviz, by `Display`; made by [`Dump::dot`].
pub struct Dot<'d, 'r, F: Real>(pub(super) &'d Dump<'r, F>);

/// Inside a quoted label.
struct Quoted<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Quoted<'_, '_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        s.chars().try_for_each(|c| match c {
            '"' => self.0.write_str("\\\""),
            '\\' => self.0.write_str("\\\\"),
            '\n' => self.0.write_str("\\n"),
            '\r' | '\0' => Ok(()),
            c => self.0.write_char(c),
        })
    }
}

/// How the kinds of nodes look.
fn style<F: Real>(r: &Record<F>, i: usize) -> &'static str {
    let node = &r.nodes[i];
    match (r.is_leaf(i), node.param, node.wants) {
        (true, Some(_), _) => "shape=box, style=filled, fillcolor=\"#cfe2f3\"",
        (true, None, 0) => "shape=box, style=\"filled,dashed\", fillcolor=\"#eeeeee\"",
        (true, None, _) => "shape=ellipse, style=filled, fillcolor=\"#d9ead3\"",
        (false, _, 0) => "shape=box, style=\"rounded,dashed\"",
        (false, ..) => "shape=box, style=rounded",
    }
}

impl<F: Real> Dot<'_, '_, F> {
    fn node(
        &self,
        f: &mut fmt::Formatter<'_>,
        r: &Record<F>,
        i: usize,
        seen: &mut Seen,
        name: &mut String,
    ) -> fmt::Result {
        let (value, kept) = r.count(i, seen, &mut Stats::default());
        write!(f, "n{i} [label=\"")?;
        let label = &mut Quoted(f);
        write!(label, "{i} ")?;
        r.what(i, label)?;
        write!(label, "\n{}", r.values[i].shape())?;
        self.0.name(r, i, name);
        if !name.is_empty() {
            write!(label, "\n{name}")?;
        }
        write!(label, "\nbytes ")?;
        write_bytes(value, label)?;
        if kept > 0 {
            write!(label, ", saved {kept}")?;
        }
        write!(label, "\n{}:{}", r.nodes[i].at.file(), r.nodes[i].at.line())?;
        writeln!(f, "\", {}];", style(r, i))
    }
}

impl<F: Real> fmt::Display for Dot<'_, '_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (r, mut seen, mut name) = (self.0.recording.record.borrow(), Seen::default(), String::new());
        writeln!(f, "digraph recording {{")?;
        writeln!(f, "node [fontname=\"monospace\", fontsize=10];")?;
        // Outer checkpoints before those inside that begin with them.
        let mut frames: Vec<_> = r.checkpoints.iter().map(|c| c.range()).enumerate().collect();
        frames.sort_by_key(|(k, (start, _))| (*start, usize::MAX - k));
        let (mut opened, mut closed) = (0, 0);
        for i in 0..r.nodes.len() {
            while let Some((k, _)) = frames.get(opened).filter(|(_, (start, _))| *start == i) {
                writeln!(f, "subgraph cluster_{k} {{\nlabel=\"checkpoint\"; style=dashed;")?;
                opened += 1;
            }
            self.node(f, &r, i, &mut seen, &mut name)?;
            while r.checkpoints.get(closed).is_some_and(|c| c.range().1 == i + 1) {
                writeln!(f, "}}")?;
                closed += 1;
            }
        }
        for i in 0..r.nodes.len() {
            for x in r.inputs(r.head(i).0) {
                writeln!(f, "n{x} -> n{i};")?;
            }
        }
        write!(f, "}}")
    }
}

/// As `Display`.
impl<F: Real> fmt::Debug for Dot<'_, '_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
