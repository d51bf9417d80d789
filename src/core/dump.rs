//! A recording as a table.
use crate::{
    core::{Dot, Module, Recording, Stats, record::Record, stats::Seen, table::Table},
    error::Error,
    tensor::Real,
};
use std::{
    fmt::{self, Write},
    sync::Arc,
};

/// A recording to be looked at: a table by `Display`, a graph by [`Dump::dot`]. It shows the recording as it is when it is
/// printed.
pub struct Dump<'r, F: Real> {
    pub(super) recording: &'r Recording<F>,
    pub(super) table: Option<Arc<Table>>,
}

impl<F: Real> Recording<F> {
    /// The recording as a table: for each node its number, op, inputs, shape, bytes, name and line; then totals.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let mut tape = Tape::new();
    /// let r = tape.begin();
    /// let x = r.variable(&Tensor::ones([4, 3]));
    /// let y = x.tanh().watch("h").sum();
    /// let text = r.dump().to_string();
    /// assert!(text.contains("tanh") && text.contains("[4, 3]") && text.contains('h'));
    /// println!("{text}\n{}", r.dump().dot());
    /// ```
    pub fn dump(&self) -> Dump<'_, F> {
        Dump::new(self, None)
    }

    /// [`dump`](Self::dump) that names parameters and the outputs of layers by their paths in `net`.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) if two parameters of `net` have the same path.
    pub fn dump_with(&self, net: &impl Module<F>) -> Result<Dump<'_, F>, Error> {
        let table = Table::of(&mut self.record.borrow_mut().tables, net)?;
        Ok(Dump::new(self, Some(table)))
    }
}

impl<'r, F: Real> Dump<'r, F> {
    pub(super) fn new(recording: &'r Recording<F>, table: Option<Arc<Table>>) -> Self {
        Self { recording, table }
    }

    /// The recording as a graph in the language of Graphviz: `dot -Tsvg`. A node shows what its row of the table does.
    /// Parameters, data and variables are told apart by shape and colour; a checkpoint is a frame around its nodes.
    pub fn dot(&self) -> Dot<'_, 'r, F> {
        Dot(self)
    }

    /// Watch names, else the path.
    pub(super) fn name(&self, r: &Record<F>, i: usize, out: &mut String) {
        out.clear();
        for name in r.watch_names(i) {
            out.push_str(if out.is_empty() { "" } else { ", " });
            out.extend(name.chars().flat_map(visible));
        }
        if out.is_empty() {
            out.extend(r.path(i, self.table.as_deref()).unwrap_or("").chars().flat_map(visible));
        }
    }

    fn each_row(&self, mut f: impl FnMut(&[String; COLUMNS]) -> fmt::Result) -> Result<Stats, fmt::Error> {
        let r = self.recording.record.borrow();
        let (mut seen, mut stats, mut row) = (Seen::default(), Stats::default(), [const { String::new() }; COLUMNS]);
        for i in 0..r.nodes.len() {
            let [id, op, inputs, shape, bytes, saved, name, line] = &mut row;
            for cell in [&mut *id, op, inputs, shape, bytes, saved, line] {
                cell.clear();
            }
            let (value, kept) = r.count(i, &mut seen, &mut stats);
            write!(id, "{i}")?;
            r.what(i, op)?;
            for (k, x) in r.inputs(r.head(i).0).iter().enumerate() {
                write!(inputs, "{}{x}", if k == 0 { "" } else { " " })?;
            }
            write!(shape, "{}", r.values[i].shape())?;
            write_bytes(value, bytes)?;
            if kept > 0 {
                write!(saved, "{kept}")?;
            }
            self.name(&r, i, name);
            write!(line, "{}:{}", r.nodes[i].at.file(), r.nodes[i].at.line())?;
            f(&row)?;
        }
        Ok(stats)
    }
}

/// A control character escaped, as in a string literal: it would break rows, or reach the terminal.
fn visible(c: char) -> impl Iterator<Item = char> {
    let (plain, escaped) = if c.is_control() { (None, Some(c.escape_default())) } else { (Some(c), None) };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// What the value of a node allocates, or why nothing.
pub(super) fn write_bytes(value: Option<usize>, out: &mut impl Write) -> fmt::Result {
    match value {
        None => out.write_str("dropped"),
        Some(0) => out.write_str("shared"),
        Some(n) => write!(out, "{n}"),
    }
}

impl<F: Real> Record<F> {
    /// The op of a node; of a leaf what it is.
    pub(super) fn what(&self, i: usize, out: &mut impl Write) -> fmt::Result {
        let (head, k) = self.head(i);
        if self.is_leaf(i) {
            return out.write_str(match (self.nodes[i].param, self.nodes[i].wants) {
                (Some(_), _) => "param",
                (None, 0) => "constant",
                (None, _) => "variable",
            });
        }
        out.write_str(self.ops[head].name())?;
        if self.nodes[head].outputs > 1 { write!(out, ".{k}") } else { Ok(()) }
    }
}

const COLUMNS: usize = 8;
const TITLES: [&str; COLUMNS] = ["id", "op", "inputs", "shape", "bytes", "saved", "name", "line"];
/// Numbers stand at the right.
const RIGHT: [bool; COLUMNS] = [true, false, false, false, true, true, false, false];

fn write_row(f: &mut fmt::Formatter<'_>, row: &[impl AsRef<str>; COLUMNS], widths: &[usize; COLUMNS]) -> fmt::Result {
    for (k, cell) in row.iter().map(AsRef::as_ref).enumerate() {
        let width = widths[k];
        match (k + 1 == COLUMNS, RIGHT[k]) {
            (true, _) => writeln!(f, "{cell}")?,
            (false, true) => write!(f, "{cell:>width$}  ")?,
            (false, false) => write!(f, "{cell:<width$}  ")?,
        }
    }
    Ok(())
}

/// The table, and a line of totals.
impl<F: Real> fmt::Display for Dump<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = TITLES.map(str::len);
        let stats = self.each_row(|row| {
            widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.chars().count()));
            Ok(())
        })?;
        write_row(f, &TITLES, &widths)?;
        self.each_row(|row| write_row(f, row, &widths))?;
        let Stats { nodes, values, saved, parameters, dropped } = stats;
        write!(
            f,
            "{nodes} nodes, {} bytes: values {values}, saved {saved}, parameters {parameters}; {dropped} values dropped",
            stats.bytes()
        )
    }
}

/// As `Display`.
impl<F: Real> fmt::Debug for Dump<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
