//! Lines, and the names beside the plot.
use super::{
    Figure, Line, Mark,
    page::{APART, LEADER, Page, Px, WIDEST_NAME},
    text::{Escaped, cut_inside, spread},
};
use std::fmt::{self, Write};

/// From so many lines on, columns are two pixels wide.
const MANY: usize = 12;
/// Columns of a line's decimation: two points each.
const COLUMNS: f64 = 498.0;

/// A line as it is drawn: its stretches, its lone points, and its last point.
#[derive(Default)]
struct Trace {
    path: String,
    dots: String,
    end: Option<(f64, f64)>,
}

/// A name beside the plot, with what it names.
struct Name<'a> {
    text: &'a str,
    class: String,
    end: Option<(f64, f64)>,
}

impl Figure {
    pub(super) fn draw_lines(&self, page: &Page, to: &mut String) -> fmt::Result {
        let over = self.cells().next().is_some();
        let mut ends = vec![];
        for line in &self.lines {
            let trace = page.trace(self, line);
            ends.push(trace.end);
            let class = if over { "over".to_owned() } else { format!("c{}", line.color) };
            write!(to, "<g class=\"{class}\"><title>{}</title>", Escaped(&line.name))?;
            if !trace.path.is_empty() {
                if over {
                    write!(to, "<path class=\"halo\" d=\"{}\"/>", trace.path)?;
                }
                let dash = if line.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
                write!(to, "<path class=\"line\"{dash} d=\"{}\"/>", trace.path)?;
            }
            if !trace.dots.is_empty() {
                write!(to, "<path class=\"line dot\" d=\"{}\"/>", trace.dots)?;
            }
            writeln!(to, "</g>")?;
        }
        let names = self.names(page, &ends);
        if self.marks.is_empty() && ends.iter().all(Option::is_none) {
            let (x, y) = (Px((page.left + page.right) / 2.0), Px((page.top + page.bottom) / 2.0));
            writeln!(to, "<text class=\"dim\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">nothing to draw</text>")?;
        }
        draw_names(page, &names, to)
    }

    fn names(&self, page: &Page, ends: &[Option<(f64, f64)>]) -> Vec<Name<'_>> {
        let of_line = |k: usize| {
            let line = &self.lines[k];
            Name { text: &line.name, class: format!("c{}", line.color), end: ends[k] }
        };
        let level = |mark| match mark {
            &Mark::Level { y, ref name } => {
                Some(Name { text: name, class: "quiet".to_owned(), end: Some((page.right, page.py(y))) })
            }
            _ => None,
        };
        self.named().map(of_line).chain(self.marks.iter().filter_map(level)).collect()
    }
}

fn draw_names(page: &Page, names: &[Name<'_>], to: &mut String) -> fmt::Result {
    let wished: Vec<f64> = names.iter().map(|name| name.end.map_or(page.bottom, |(_, y)| y)).collect();
    let places = spread(&wished, APART, page.top + APART / 2.0, page.bottom - APART / 2.0);
    for (name, y) in names.iter().zip(places) {
        let x = page.right + LEADER;
        write!(to, "<g class=\"{}\">", name.class)?;
        if let Some((from, at)) = name.end {
            let (x, y) = (Px(x - 3.0), Px(y));
            // Across the plot a leader must not look like the line going on.
            let dots = if page.right - from > 4.0 { " stroke-dasharray=\"1 4\"" } else { "" };
            write!(to, "<path class=\"leader\"{dots} d=\"M{} {}L{x} {y}\"/>", Px(from), Px(at))?;
        }
        let text = cut_inside(name.text, WIDEST_NAME);
        writeln!(to, "<text x=\"{}\" y=\"{}\">{}</text></g>", Px(x), Px(y + 4.0), Escaped(&text))?;
    }
    Ok(())
}

impl Page {
    /// A line with its gaps.
    fn trace(&self, figure: &Figure, line: &Line) -> Trace {
        let mut trace = Trace::default();
        let fine = (self.right - self.left) / COLUMNS;
        let column = if figure.lines.len() > MANY { fine.max(2.0) } else { fine };
        let mut lone = vec![];
        let runs = line.points.split(|p| !figure.x.1.shows(p.0) || !figure.y.1.shows(p.1));
        for run in runs.filter(|run| !run.is_empty()) {
            let run: Vec<_> = run.iter().map(|p| self.place(*p)).collect();
            if let [point] = run[..] {
                lone.push(point);
            } else {
                for (k, (x, y)) in thinned(&run, column).into_iter().enumerate() {
                    trace.path += &format!("{}{} {}", if k == 0 { "M" } else { "L" }, Px(x), Px(y));
                }
            }
            trace.end = run.last().copied();
        }
        trace.dots = dots(&lone, column);
        trace
    }
}

/// Points as the data of a path.
pub(super) fn dots(points: &[(f64, f64)], column: f64) -> String {
    thinned(points, column).into_iter().map(|(x, y)| format!("M{} {}h0", Px(x), Px(y))).collect()
}

/// The first and the last point of a run, and of those in one column of pixels the lowest and the highest.
fn thinned(run: &[(f64, f64)], column: f64) -> Vec<(f64, f64)> {
    let of = |p: &(f64, f64)| (p.0 / column).floor();
    let mut kept = vec![0];
    let mut begin = 0;
    for part in run.chunk_by(|a, b| of(a) == of(b)) {
        let by_height = |a: &usize, b: &usize| run[*a].1.total_cmp(&run[*b].1);
        let all = begin..begin + part.len();
        let (lowest, highest) = (all.clone().max_by(by_height), all.min_by(by_height));
        kept.extend(lowest.min(highest).into_iter().chain(lowest.max(highest)));
        begin += part.len();
    }
    kept.push(run.len().saturating_sub(1));
    kept.dedup();
    kept.into_iter().filter_map(|k| run.get(k).copied()).collect()
}
