//! A figure on its page.
use super::{
    Figure, Line,
    axis::{Axis, Tick},
    palette::{DARK, LIGHT, Scheme, hex},
    text::{Escaped, cut, spread, width},
};
use std::fmt::{self, Write};

const WIDTH: f64 = 800.0;
const LEAST_HEIGHT: f64 = 340.0;
/// Between two names at line ends.
const APART: f64 = 15.0;
const MOST_NAMES: usize = 60;
const WIDEST_NAME: f64 = 240.0;
/// From so many lines on, columns are two pixels wide.
const MANY: usize = 12;
/// From the right edge of the plot to the names.
const LEADER: f64 = 18.0;

/// A pixel, to a tenth.
struct Px(f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round();
        write!(f, "{}", tenths / 10.0 + 0.0)
    }
}

/// A line as it is drawn: its stretches, its lone points, and its last point.
#[derive(Default)]
struct Trace {
    path: String,
    dots: String,
    end: Option<(f64, f64)>,
}

/// What goes where.
struct Page {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Axis,
    y: Axis,
}

impl Figure {
    /// The picture.
    pub fn svg(&self) -> String {
        let page = self.page();
        let mut body = String::new();
        self.draw(&page, &mut body).expect("writing into a string cannot fail");
        let height = page.bottom + if self.x.0.is_empty() { 30.0 } else { 48.0 };
        // Several pictures may stand in one page: each rule of style speaks of its own.
        let id = format!("figure-{:016x}", fnv(&[&self.title, &body]));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"{id}\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" \
             role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n<style>{style}</style>\n\
             <rect class=\"page\" width=\"{w}\" height=\"{h}\" rx=\"6\"/>\n{body}</svg>\n",
            w = Px(WIDTH),
            h = Px(height),
            title = Escaped(&self.title),
            style = self.style(&id),
        )
    }

    fn page(&self) -> Page {
        let shown = |p: &&(f64, f64)| self.x.1.shows(p.0) && self.y.1.shows(p.1);
        let points = || self.lines.iter().flat_map(|line| line.points.iter().filter(shown));
        let x = Axis::over(self.x.1, points().map(|p| p.0));
        let y = Axis::over(self.y.1, points().map(|p| p.1)).with_room(0.04);
        let names = self.named().map(|k| width(&self.lines[k].name).min(WIDEST_NAME)).fold(0.0, f64::max);
        let top =
            16.0 + if self.title.is_empty() { 0.0 } else { 24.0 } + if self.subtitle.is_empty() { 0.0 } else { 20.0 };
        let bottom = top + (APART * self.named().count() as f64).max(LEAST_HEIGHT);
        let ticks = y.ticks(most_y(bottom - top)).iter().map(Tick::width).fold(0.0, f64::max);
        let left = 18.0 + ticks + if self.y.0.is_empty() { 0.0 } else { 22.0 };
        Page { left, right: WIDTH - names - LEADER - 16.0, top, bottom, x, y }
    }

    /// The lines that have a name at their end: all, or as many as have room, with the first and the last.
    fn named(&self) -> impl Iterator<Item = usize> {
        let n = self.lines.len();
        let kept = n.min(MOST_NAMES);
        (0..kept).map(move |k| if kept == n { k } else { k * (n - 1) / (kept - 1) })
    }

    fn draw(&self, page: &Page, to: &mut String) -> fmt::Result {
        self.draw_frame(page, to)?;
        let mut ends = vec![];
        for line in &self.lines {
            let trace = page.trace(self, line);
            ends.push(trace.end);
            write!(to, "<g class=\"c{}\"><title>{}</title>", line.color, Escaped(&line.name))?;
            if !trace.path.is_empty() {
                let dash = if line.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
                write!(to, "<path class=\"line\"{dash} d=\"{}\"/>", trace.path)?;
            }
            if !trace.dots.is_empty() {
                write!(to, "<path class=\"line dot\" d=\"{}\"/>", trace.dots)?;
            }
            writeln!(to, "</g>")?;
        }
        if ends.iter().all(Option::is_none) {
            let (x, y) = (Px((page.left + page.right) / 2.0), Px((page.top + page.bottom) / 2.0));
            writeln!(to, "<text class=\"dim\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">nothing to draw</text>")?;
        }
        self.draw_names(page, &ends, to)
    }

    fn draw_names(&self, page: &Page, ends: &[Option<(f64, f64)>], to: &mut String) -> fmt::Result {
        let named: Vec<usize> = self.named().collect();
        let wished: Vec<f64> = named.iter().map(|k| ends[*k].map_or(page.bottom, |(_, y)| y)).collect();
        let places = spread(&wished, APART, page.top + APART / 2.0, page.bottom - APART / 2.0);
        for (k, y) in named.into_iter().zip(places) {
            let line = &self.lines[k];
            let x = page.right + LEADER;
            write!(to, "<g class=\"c{}\">", line.color)?;
            if let Some((from, at)) = ends[k] {
                let (x, y) = (Px(x - 3.0), Px(y));
                // Across the plot a leader must not look like the line going on.
                let dots = if page.right - from > 4.0 { " stroke-dasharray=\"1 4\"" } else { "" };
                write!(to, "<path class=\"leader\"{dots} d=\"M{} {}L{x} {y}\"/>", Px(from), Px(at))?;
            }
            let name = cut(&line.name, WIDEST_NAME);
            writeln!(to, "<text x=\"{}\" y=\"{}\">{}</text></g>", Px(x), Px(y + 4.0), Escaped(&name))?;
        }
        Ok(())
    }

    /// Titles, grid, numbers and names of the axes.
    fn draw_frame(&self, page: &Page, to: &mut String) -> fmt::Result {
        let (left, right, top, bottom) = (page.left, page.right, page.top, page.bottom);
        let whole = WIDTH - 32.0;
        if !self.title.is_empty() {
            let title = cut(&self.title, whole * 0.78);
            writeln!(to, "<text class=\"title\" x=\"16\" y=\"27\">{}</text>", Escaped(&title))?;
        }
        if !self.subtitle.is_empty() {
            let (text, y) = (cut(&self.subtitle, whole), Px(top - 13.0));
            writeln!(to, "<text class=\"dim\" x=\"16\" y=\"{y}\">{}</text>", Escaped(&text))?;
        }
        for tick in page.y.ticks(most_y(bottom - top)) {
            let y = bottom - tick.at * (bottom - top);
            writeln!(to, "<path class=\"grid\" d=\"M{} {}H{}\"/>", Px(left), Px(y), Px(right))?;
            writeln!(
                to,
                "<text class=\"dim\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{tick}</text>",
                Px(left - 8.0),
                Px(y + 4.0)
            )?;
        }
        for tick in page.x_ticks() {
            let x = Px(left + tick.at * (right - left));
            writeln!(to, "<path class=\"grid\" d=\"M{x} {}V{}\"/>", Px(top), Px(bottom + 4.0))?;
            writeln!(
                to,
                "<text class=\"dim\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{tick}</text>",
                Px(bottom + 18.0)
            )?;
        }
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

    /// One rule of style for each kind of thing, in light and in dark.
    fn style(&self, id: &str) -> String {
        let n = self.lines.iter().map(|line| line.color + 1).max().unwrap_or(0);
        let scheme = |s: &Scheme| {
            let mut rules = format!(
                "#{id} .page{{fill:{}}}#{id} text{{fill:{}}}#{id} .dim{{fill:{}}}#{id} .grid{{stroke:{}}}",
                hex(s.page),
                hex(s.text),
                hex(s.dim),
                hex(s.grid)
            );
            for k in 0..n {
                rules += &format!("#{id} .c{k}{{color:{}}}", hex(s.line(k, n, self.ordered)));
            }
            rules
        };
        format!(
            "#{id}{{font:12px system-ui,sans-serif}}#{id} .title{{font-size:15px;font-weight:600}}\
             #{id} .power{{font-size:9px}}\
             #{id} .line{{fill:none;stroke:currentColor;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}}\
             #{id} .dot{{stroke-width:4}}\
             #{id} .leader{{fill:none;stroke:currentColor;stroke-width:1;opacity:.7}}\n\
             {}\n@media (prefers-color-scheme:dark){{{}}}",
            scheme(&LIGHT),
            scheme(&DARK)
        )
    }
}

impl Tick {
    fn width(&self) -> f64 {
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

impl Page {
    /// As many marks as have room.
    fn x_ticks(&self) -> Vec<Tick> {
        let length = self.right - self.left;
        let fits = |ticks: &Vec<Tick>| {
            let apart = |a: &Tick, b: &Tick| (b.at - a.at) * length > (a.width() + b.width()) / 2.0 + 8.0;
            ticks.windows(2).all(|w| apart(&w[0], &w[1]))
        };
        let mut ticks = [8, 6, 4, 2, 1].map(|most| self.x.ticks(most)).into_iter();
        ticks.find(fits).unwrap_or_default()
    }

    /// A line with its gaps.
    fn trace(&self, figure: &Figure, line: &Line) -> Trace {
        let mut trace = Trace::default();
        let column = if figure.lines.len() > MANY { 2.0 } else { 1.0 };
        let runs = line.points.split(|p| !figure.x.1.shows(p.0) || !figure.y.1.shows(p.1));
        for run in runs.filter(|run| !run.is_empty()) {
            let run: Vec<_> = run.iter().map(|p| self.place(*p)).collect();
            if let [(x, y)] = run[..] {
                trace.dots += &format!("M{} {}h0", Px(x), Px(y));
            } else {
                for (k, (x, y)) in thinned(&run, column).into_iter().enumerate() {
                    trace.path += &format!("{}{} {}", if k == 0 { "M" } else { "L" }, Px(x), Px(y));
                }
            }
            trace.end = run.last().copied();
        }
        trace
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let right = self.left + self.x.place(x) * (self.right - self.left);
        (right, self.bottom - self.y.place(y) * (self.bottom - self.top))
    }
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
    kept.push(run.len() - 1);
    kept.dedup();
    kept.into_iter().map(|k| run[k]).collect()
}

fn most_y(height: f64) -> usize {
    (height / 32.0) as usize
}

/// Fowler, Noll and Vo's hash, variant 1a, of 64 bits.
fn fnv(texts: &[&str]) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    texts.iter().flat_map(|t| t.bytes()).fold(0xcbf2_9ce4_8422_2325, step)
}
