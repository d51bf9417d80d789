//! Pictures as SVG.
mod axis;
mod bar;
mod draw;
mod fill;
mod frame;
mod line;
mod mark;
mod page;
mod palette;
mod style;
mod text;

pub(crate) use mark::{Bar, Cell, Lane, Mark, Tone};

use axis::Kind;

/// A line chart, written as one self-contained SVG: no script, nothing loaded, the fonts of the reader.
///
/// It paints its own page and follows the reader's light or dark colour scheme. Every line has its name at its end; names
/// do not overlap (with more lines than 60, some stay without; pointing at a line shows its name). What an axis cannot
/// show (NaN, infinities, and on a logarithmic axis zero and below) is a gap in the line; a lone point is a dot. Of a line
/// with more than about 1,000 points, the lowest and the highest of neighbours are kept.
///
/// ```
/// use chainrule::flow::Figure;
/// let shrinking = |rate: f64| (0..100).map(move |step| (f64::from(step), rate.powi(step)));
/// let figure = Figure::new("Three rates").x_axis("step").y_axis("norm").log_y();
/// let figure = [0.9, 0.8, 0.5].into_iter().fold(figure, |f, rate| f.line(format!("rate {rate}"), shrinking(rate)));
/// let svg = figure.svg();
/// assert!(svg.starts_with("<svg ") && svg.contains("rate 0.5"));
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("rates.svg");
/// std::fs::write(path, svg)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Figure {
    title: String,
    subtitle: String,
    x: (String, Kind),
    y: (String, Kind),
    ordered: bool,
    lines: Vec<Line>,
    /// Names of rows, from the top, in place of numbers on the vertical axis: row `k` is from `k` to `k + 1`.
    rows: Vec<String>,
    /// Logarithmic axes are at least so many decades long: noise must not look like an event.
    decades: f64,
    marks: Vec<Mark>,
    lanes: Vec<Lane>,
}

#[derive(Clone, Debug)]
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
    /// Which colour it has; a dashed line has that of the line before it.
    color: usize,
    dashed: bool,
}

impl Figure {
    /// An empty picture with linear axes.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            subtitle: String::new(),
            x: (String::new(), Kind::Linear),
            y: (String::new(), Kind::Linear),
            ordered: false,
            lines: vec![],
            rows: vec![],
            decades: 0.0,
            marks: vec![],
            lanes: vec![],
        }
    }

    /// A smaller line below the title.
    pub fn subtitle(mut self, text: impl Into<String>) -> Self {
        self.subtitle = text.into();
        self
    }

    /// Names the horizontal axis.
    pub fn x_axis(mut self, name: impl Into<String>) -> Self {
        self.x.0 = name.into();
        self
    }

    /// Names the vertical axis.
    pub fn y_axis(mut self, name: impl Into<String>) -> Self {
        self.y.0 = name.into();
        self
    }

    /// Makes the horizontal axis logarithmic.
    pub fn log_x(mut self) -> Self {
        self.x.1 = Kind::Log;
        self
    }

    /// Makes the vertical axis logarithmic.
    pub fn log_y(mut self) -> Self {
        self.y.1 = Kind::Log;
        self
    }

    /// The lines have an order, such as that of layers: their colours run from dark to light. (More than eight lines
    /// always have such colours; fewer are as different as can be.)
    pub fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// Adds a line through points `(x, y)`, in their order.
    pub fn line(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let color = self.colors();
        self.with(Line { name: name.into(), points: points.into_iter().collect(), color, dashed: false })
    }

    /// Adds a dashed line in the colour of the line before it: a limit, a derivative, another run of the same.
    pub fn dashed(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let color = self.colors().saturating_sub(1);
        self.with(Line { name: name.into(), points: points.into_iter().collect(), color, dashed: true })
    }

    fn with(mut self, line: Line) -> Self {
        self.lines.push(line);
        self
    }

    fn colors(&self) -> usize {
        self.lines.last().map_or(0, |line| line.color + 1)
    }
}
