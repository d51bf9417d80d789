//! What stands around the marks: titles, legend, lanes, grid, numbers and names of the axes.
use super::{
    Figure, Line, Mark,
    axis::Tick,
    page::{APART, LEADER, MARGIN, Page, Px, WIDEST_NAME, WIDTH, most_y},
    text::{Escaped, cut, cut_inside, width},
};
use std::fmt::{self, Write};

/// Something that the legend explains.
pub(super) enum Entry<'a> {
    Mark(&'a Mark, &'a str),
    Line(&'a Line),
}

impl Entry<'_> {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Mark(_, name) => name,
            Self::Line(line) => &line.name,
        }
    }
}

impl Figure {
    /// Marks by name, and lines that have no name at their end.
    pub(super) fn legend(&self) -> impl Iterator<Item = Entry<'_>> {
        let over = self.cells().next().is_some();
        let marks = self.marks.iter().filter_map(|mark| Some(Entry::Mark(mark, mark.legend()?)));
        let lines = self.lines.iter().filter(move |_| over).map(Entry::Line);
        marks.chain(lines).filter(|entry| !entry.name().is_empty())
    }

    pub(super) fn draw_frame(&self, page: &Page, to: &mut String) -> fmt::Result {
        let whole = WIDTH - 2.0 * MARGIN;
        if !self.title.is_empty() {
            let title = cut(&self.title, whole * 0.78);
            writeln!(to, "<text class=\"title\" x=\"16\" y=\"27\">{}</text>", Escaped(&title))?;
        }
        if !self.subtitle.is_empty() {
            let (text, y) = (cut(&self.subtitle, whole), Px(page.subtitle));
            writeln!(to, "<text class=\"dim\" x=\"16\" y=\"{y}\">{}</text>", Escaped(&text))?;
        }
        for (entry, (x, y)) in self.legend().zip(&page.legend) {
            writeln!(to, "{}", entry.glyph(*x, *y))?;
            let (x, y, name) = (Px(x + 18.0), Px(y + 4.0), Escaped(entry.name()));
            writeln!(to, "<text class=\"dim\" x=\"{x}\" y=\"{y}\">{name}</text>")?;
        }
        self.draw_lanes(page, to)?;
        if self.rows.is_empty() {
            self.draw_heights(page, to)?;
        } else {
            self.draw_rows(page, to)?;
        }
        self.draw_places(page, to)?;
        self.draw_axis_names(page, to)
    }

    /// Bars above the plot, and their shadow in it.
    fn draw_lanes(&self, page: &Page, to: &mut String) -> fmt::Result {
        for (k, lane) in self.lanes.iter().enumerate() {
            let y = page.lanes + k as f64 * APART;
            write!(to, "<g class=\"t{}\"><title>{}</title>", lane.tone as usize, Escaped(&lane.name))?;
            for (a, b) in page.stretches(&lane.spans, 3.0) {
                let (x, w) = (Px(a), Px(b - a));
                write!(to, "<rect class=\"lane\" x=\"{x}\" y=\"{}\" width=\"{w}\" height=\"9\"/>", Px(y - 4.5))?;
            }
            for (a, b) in page.stretches(&lane.spans, 1.0) {
                let (x, w, h) = (Px(a), Px(b - a), Px(page.bottom - page.top));
                write!(to, "<rect class=\"shade\" x=\"{x}\" y=\"{}\" width=\"{w}\" height=\"{h}\"/>", Px(page.top))?;
            }
            writeln!(to, "</g>")?;
            let (x, y) = (Px(page.right + LEADER), Px(y + 4.0));
            writeln!(to, "<text x=\"{x}\" y=\"{y}\">{}</text>", Escaped(&lane.name))?;
        }
        Ok(())
    }

    fn draw_heights(&self, page: &Page, to: &mut String) -> fmt::Result {
        for tick in page.y.ticks(most_y(page.bottom - page.top)) {
            let y = page.bottom - tick.at * (page.bottom - page.top);
            writeln!(to, "<path class=\"grid\" d=\"M{} {}H{}\"/>", Px(page.left), Px(y), Px(page.right))?;
            let (x, y) = (Px(page.left - 8.0), Px(y + 4.0));
            writeln!(to, "<text class=\"dim\" x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{tick}</text>")?;
        }
        Ok(())
    }

    /// Names of rows: all, or as many as have room, with the first and the last.
    fn draw_rows(&self, page: &Page, to: &mut String) -> fmt::Result {
        let n = self.rows.len();
        let room = (page.py(n as f64) - page.py(0.0)) / n as f64;
        let kept = ((room * n as f64 / (APART - 2.0)) as usize).clamp(1, n);
        for k in (0..kept).map(|k| if kept == n { k } else { k * (n - 1) / (kept - 1).max(1) }) {
            let (x, y) = (Px(page.left - 8.0), Px(page.py(k as f64 + 0.5) + 4.0));
            let name = cut_inside(&self.rows[k], WIDEST_NAME);
            writeln!(to, "<text class=\"dim\" x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{}</text>", Escaped(&name))?;
        }
        Ok(())
    }

    fn draw_places(&self, page: &Page, to: &mut String) -> fmt::Result {
        for tick in page.x_ticks() {
            let x = Px(page.left + tick.at * (page.right - page.left));
            writeln!(to, "<path class=\"grid\" d=\"M{x} {}V{}\"/>", Px(page.top), Px(page.bottom + 4.0))?;
            let y = Px(page.bottom + 18.0);
            writeln!(to, "<text class=\"dim\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{tick}</text>")?;
        }
        Ok(())
    }

    fn draw_axis_names(&self, page: &Page, to: &mut String) -> fmt::Result {
        let (left, right, top, bottom) = (page.left, page.right, page.top, page.bottom);
        if !self.x.0.is_empty() {
            let (x, y, name) = (Px((left + right) / 2.0), Px(bottom + 38.0), cut(&self.x.0, right - left));
            writeln!(to, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{}</text>", Escaped(&name))?;
        }
        if !self.y.0.is_empty() {
            let (y, name) = (Px((top + bottom) / 2.0), cut(&self.y.0, bottom - top));
            let place = format!("transform=\"translate(22 {y}) rotate(-90)\" text-anchor=\"middle\"");
            writeln!(to, "<text {place}>{}</text>", Escaped(&name))?;
        }
        Ok(())
    }
}

impl Page {
    /// Stretches in pixels: inside the plot, at least so wide, joined where they meet.
    fn stretches(&self, spans: &[[f64; 2]], least: f64) -> Vec<(f64, f64)> {
        let mut all: Vec<(f64, f64)> = spans
            .iter()
            .map(|[a, b]| (self.px(*a).clamp(self.left, self.right), self.px(*b).clamp(self.left, self.right)))
            .map(|(a, b)| {
                let (middle, half) = ((a + b) / 2.0, (b - a).max(least) / 2.0);
                (middle - half, middle + half)
            })
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all.into_iter().fold(vec![], |mut joined, (a, b)| {
            match joined.last_mut() {
                Some((_, end)) if a <= *end + 0.5 => *end = b.max(*end),
                _ => joined.push((a, b)),
            }
            joined
        })
    }
}

impl Tick {
    pub(super) fn width(&self) -> f64 {
        width(&self.text) + self.power.map_or(0.0, |k| 0.75 * width(&k.to_string()))
    }
}

/// As text of an SVG.
impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.power.map_or(Ok(()), |k| write!(f, "<tspan class=\"power\" dy=\"-5\">{k}</tspan>"))
    }
}
