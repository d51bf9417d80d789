//! Marks: areas, bars, cells, ridges, and signs at the edges.
use super::{
    Cell, Figure, Mark,
    axis::Kind,
    bar::level,
    frame::Entry,
    line::dots,
    page::{LEADER, Page, Px},
    style::LEVELS,
    text::{Escaped, cut},
};
use std::fmt::{self, Write};

impl Figure {
    /// What lies below the grid's lines and above them, in the order in which it was added.
    pub(super) fn draw_marks(&self, page: &Page, to: &mut String) -> fmt::Result {
        for mark in &self.marks {
            self.draw_mark(mark, page, to)?;
        }
        Ok(())
    }

    fn draw_mark(&self, mark: &Mark, page: &Page, to: &mut String) -> fmt::Result {
        let (top, bottom) = (page.top, page.bottom);
        match mark {
            Mark::Band { from, to: end, .. } => {
                let (x, w) = (page.px(*from), page.px(*end) - page.px(*from));
                let (x, y, w, h) = (Px(x), Px(top), Px(w), Px(bottom - top));
                writeln!(to, "<rect class=\"band\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"/>")
            }
            Mark::Upright { x, .. } => {
                writeln!(to, "<path class=\"unit\" d=\"M{} {}V{}\"/>", Px(page.px(*x)), Px(top), Px(bottom))
            }
            Mark::Level { y, .. } => {
                let (a, b, y) = (Px(page.left), Px(page.right), Px(page.py(*y)));
                writeln!(to, "<path class=\"rule\" d=\"M{a} {y}H{b}\"/>")
            }
            Mark::Bars { name, color, from, bars } => {
                write!(to, "<g class=\"c{color}\"><title>{}</title>", Escaped(name))?;
                for bar in bars {
                    page.draw_bar(self.x.1, *from, bar.x, bar.y, to)?;
                }
                writeln!(to, "</g>")
            }
            Mark::Ticks { at, .. } => {
                let shown = at.iter().filter(|(x, _)| self.x.1.shows(*x));
                let d =
                    shown.map(|(x, [a, b])| format!("M{} {}V{}", Px(page.px(*x)), Px(page.py(*a)), Px(page.py(*b))));
                writeln!(to, "<path class=\"tick\" d=\"{}\"/>", d.collect::<String>())
            }
            Mark::Dots { color, points } => {
                let places: Vec<_> = points.iter().filter(|p| self.x.1.shows(p.0)).map(|p| page.place(*p)).collect();
                writeln!(to, "<path class=\"c{color} line spot\" d=\"{}\"/>", dots(&places, 0.5))
            }
            Mark::Cells(cells) => page.draw_cells(cells, to),
            Mark::Ridge { name, color, base, points } => page.draw_ridge(name, *color, *base, points, to),
            Mark::Note { y, text } => {
                let (x, y) = (Px(page.right + LEADER), Px(page.py(*y) + 4.0));
                writeln!(to, "<text class=\"dim\" x=\"{x}\" y=\"{y}\">{}</text>", Escaped(text))
            }
            Mark::Broken { xs, .. } => page.draw_signs("broken", cross, xs, top + 7.0, to),
            Mark::Zeros { xs, .. } => page.draw_signs("zeros", triangle, xs, bottom - 7.0, to),
            Mark::Rug { xs, .. } => page.draw_signs("rug", stroke, xs, bottom - 6.0, to),
        }
    }
}

fn cross(x: f64, y: f64) -> String {
    format!("M{} {}l8 8m0 -8l-8 8", Px(x - 4.0), Px(y - 4.0))
}

fn triangle(x: f64, y: f64) -> String {
    format!("M{} {}h8l-4 7z", Px(x - 4.0), Px(y - 3.5))
}

fn stroke(x: f64, y: f64) -> String {
    format!("M{} {}v10", Px(x), Px(y - 5.0))
}

impl Page {
    /// A sign for each place, but only one for each column of two pixels.
    fn draw_signs(
        &self,
        class: &str,
        sign: fn(f64, f64) -> String,
        xs: &[f64],
        y: f64,
        to: &mut String,
    ) -> fmt::Result {
        let mut places: Vec<i64> = xs.iter().map(|x| (self.px(*x) / 2.0).round() as i64).collect();
        places.sort_unstable();
        places.dedup();
        let d: String = places.into_iter().map(|x| sign(2.0 * x as f64, y)).collect();
        // On cells, a sign is seen by its rim.
        if self.heat.is_some() {
            write!(to, "<path class=\"halo\" d=\"{d}\"/>")?;
        }
        writeln!(to, "<path class=\"{class}\" d=\"{d}\"/>")
    }

    /// What an axis has no place for runs to its end, and is faint; a number that is not known is a cross.
    fn draw_bar(&self, axis: Kind, from: f64, x: f64, [a, b]: [f64; 2], to: &mut String) -> fmt::Result {
        let (begin, a, b) = (self.px(from), self.py(a), self.py(b));
        if x.is_nan() {
            return write!(to, "<path class=\"broken\" d=\"{}\"/>", cross(begin, (a + b) / 2.0));
        }
        let faint = !axis.shows(x);
        let end = if !faint {
            self.px(x)
        } else if x > from {
            self.right
        } else {
            self.left
        };
        let (lo, w) = (begin.min(end), (end - begin).abs());
        let (lo, w) = if w < 1.5 { (begin - 0.75, 1.5) } else { (lo, w) };
        let class = if faint { "bar faint" } else { "bar" };
        write!(to, "<path class=\"{class}\" d=\"M{} {}h{}v{}h{}z\"/>", Px(lo), Px(a), Px(w), Px(b - a), Px(-w))
    }

    /// One path for each colour; neighbours in a row that have the same colour are one.
    fn draw_cells(&self, cells: &[Cell], to: &mut String) -> fmt::Result {
        let Some(heat) = &self.heat else { return Ok(()) };
        let mut paths = vec![String::new(); LEVELS + 2];
        let joined =
            cells.chunk_by(|a, b| a.y == b.y && a.x[1] == b.x[0] && level(heat, a.value) == level(heat, b.value));
        for run in joined {
            let (first, last) = (run[0], run[run.len() - 1]);
            let (x0, x1) = (self.px(first.x[0]), self.px(last.x[1]));
            let (y0, y1) = (self.py(first.y[0]), self.py(first.y[1]));
            paths[level(heat, first.value)] += &format!("M{} {}H{}V{}H{}z", Px(x0), Px(y0), Px(x1), Px(y1), Px(x0));
        }
        for (k, d) in paths.iter().enumerate().filter(|(_, d)| !d.is_empty()) {
            writeln!(to, "<path class=\"cell k{k}\" d=\"{d}\"/>")?;
        }
        Ok(())
    }

    fn draw_ridge(&self, name: &str, color: usize, base: f64, points: &[(f64, f64)], to: &mut String) -> fmt::Result {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return Ok(()) };
        let mut d = format!("M{} {}", Px(self.px(first.0)), Px(self.py(base)));
        for (x, height) in points {
            d += &format!("L{} {}", Px(self.px(*x)), Px(self.py(base - height)));
        }
        d += &format!("L{} {}z", Px(self.px(last.0)), Px(self.py(base)));
        writeln!(to, "<path class=\"c{color} ridge\" d=\"{d}\"><title>{}</title></path>", Escaped(&cut(name, 400.0)))
    }
}

impl Entry<'_> {
    /// What it looks like, small.
    pub(super) fn glyph(&self, x: f64, y: f64) -> String {
        let middle = x + 6.0;
        let block = |class: String| {
            format!("<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"12\" height=\"10\"/>", Px(x), Px(y - 5.0))
        };
        let path = |class: &str, d: String| format!("<path class=\"{class}\" d=\"{d}\"/>");
        match self {
            Self::Line(_) => format!(
                "<g class=\"over\">{}{}</g>",
                path("halo", format!("M{} {}h12", Px(x), Px(y))),
                path("line", format!("M{} {}h12", Px(x), Px(y)))
            ),
            Self::Mark(mark, _) => match mark {
                Mark::Band { .. } => block("band".to_owned()),
                Mark::Bars { color, .. } => block(format!("c{color} bar")),
                Mark::Ticks { .. } => path("tick", stroke(middle, y)),
                Mark::Broken { .. } => path("broken", cross(middle, y)),
                Mark::Zeros { .. } => path("zeros", triangle(middle, y)),
                Mark::Rug { .. } => path("rug", stroke(middle, y)),
                _ => path("unit", stroke(middle, y)),
            },
        }
    }
}
