//! What goes where on the page.
use super::{
    Figure, Mark,
    axis::{Axis, Kind, Tick},
    text::width,
};
use std::fmt;

pub(super) const WIDTH: f64 = 800.0;
/// From an edge of the page to what is nearest to it.
pub(super) const MARGIN: f64 = 16.0;
/// From the right edge of the plot to the names.
pub(super) const LEADER: f64 = 18.0;
/// Between two names beside the plot, or lanes above it.
pub(super) const APART: f64 = 15.0;
pub(super) const WIDEST_NAME: f64 = 240.0;
/// A colour bar with its numbers.
pub(super) const BAR: f64 = 14.0;
const LEAST_HEIGHT: f64 = 340.0;
const MOST_NAMES: usize = 60;
const LEGEND: f64 = 18.0;
/// A picture of rows is between so high; a row is at most so high.
const ROWS: (f64, f64) = (150.0, 900.0);
const TALLEST_ROW: f64 = 60.0;
/// Rows that a ridge may rise above the plot's first.
const HEADROOM: f64 = 0.6;

/// A pixel, to a tenth.
pub(super) struct Px(pub(super) f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round();
        write!(f, "{}", tenths / 10.0 + 0.0)
    }
}

/// The edges of the plot, its axes, and the colour axis of its cells.
pub(super) struct Page {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) heat: Option<Axis>,
    /// Entries of the legend: place and line.
    pub(super) legend: Vec<(f64, f64)>,
    /// The baselines of the subtitle and of the first lane.
    pub(super) subtitle: f64,
    pub(super) lanes: f64,
}

impl Page {
    pub(super) fn of(figure: &Figure) -> Self {
        let (x, y, heat) = (figure.across(), figure.upwards(), figure.heat());
        let subtitle = 10.0 + if figure.title.is_empty() { 0.0 } else { 24.0 } + 13.0;
        let above = if figure.subtitle.is_empty() { subtitle - 7.0 } else { subtitle + 13.0 };
        let (legend, lines) = figure.legend_places(above);
        let lanes = above + LEGEND * lines as f64 + if lines > 0 { 4.0 } else { 0.0 };
        let top = lanes + figure.lanes.len() as f64 * APART + if figure.lanes.is_empty() { 0.0 } else { 3.0 };
        let bottom = top + figure.height();
        let numbers = || y.ticks(most_y(bottom - top)).iter().map(Tick::width).fold(0.0, f64::max);
        let names = || figure.rows.iter().map(|name| width(name).min(WIDEST_NAME)).fold(0.0, f64::max);
        let ticks = if figure.rows.is_empty() { numbers() } else { names() };
        let left = 18.0 + ticks + if figure.y.0.is_empty() { 0.0 } else { 22.0 };
        let beside = figure.names_beside().map(|name| width(name).min(WIDEST_NAME)).fold(0.0, f64::max);
        let bar = heat.map_or(0.0, |axis| {
            BAR + 6.0 + axis.ticks(most_y(bottom - top)).iter().map(Tick::width).fold(0.0, f64::max)
        });
        let right = WIDTH - MARGIN - LEADER - beside.max(bar);
        Self { left, right, top, bottom, x, y, heat, legend, subtitle, lanes }
    }

    /// The pixels of a place.
    pub(super) fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.px(x), self.py(y))
    }

    pub(super) fn px(&self, x: f64) -> f64 {
        self.left + self.x.place(x) * (self.right - self.left)
    }

    pub(super) fn py(&self, y: f64) -> f64 {
        self.bottom - self.y.place(y) * (self.bottom - self.top)
    }

    /// As many marks as have room.
    pub(super) fn x_ticks(&self) -> Vec<Tick> {
        let length = self.right - self.left;
        let fits = |ticks: &Vec<Tick>| {
            let apart = |a: &Tick, b: &Tick| (b.at - a.at) * length > (a.width() + b.width()) / 2.0 + 8.0;
            ticks.windows(2).all(|w| apart(&w[0], &w[1]))
        };
        let mut ticks = [8, 6, 4, 2, 1].map(|most| self.x.ticks(most)).into_iter();
        ticks.find(fits).unwrap_or_default()
    }
}

impl Figure {
    fn across(&self) -> Axis {
        let lines = self.lines.iter().flat_map(|line| &line.points);
        let shown = lines.filter(|p| self.x.1.shows(p.0) && (self.y.1.shows(p.1) || !self.rows.is_empty()));
        let axis = self.long_enough(
            Axis::over(self.x.1, shown.map(|p| p.0).chain(self.marks.iter().flat_map(Mark::xs))),
            self.x.1,
        );
        if !self.rows.is_empty() && self.x.1 == Kind::Log { axis.with_room(0.03) } else { axis }
    }

    fn upwards(&self) -> Axis {
        let rows = self.rows.len() as f64;
        if rows > 0.0 {
            let ridges = self.marks.iter().any(|mark| matches!(mark, Mark::Ridge { .. }));
            return Axis::exact(rows, if ridges { -HEADROOM } else { 0.0 });
        }
        let lines = self.lines.iter().flat_map(|line| &line.points);
        let shown = lines.filter(|p| self.x.1.shows(p.0) && self.y.1.shows(p.1));
        let marks = || self.marks.iter().flat_map(Mark::ys);
        if self.cells().next().is_some() {
            let (lo, hi) = marks().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), y| (lo.min(y), hi.max(y)));
            return Axis::exact(lo, hi);
        }
        self.long_enough(Axis::over(self.y.1, shown.map(|p| p.1).chain(marks())), self.y.1).with_room(0.04)
    }

    fn long_enough(&self, axis: Axis, kind: Kind) -> Axis {
        if kind == Kind::Log { axis.at_least(self.decades) } else { axis }
    }

    /// The colour axis: at least a decade, so that noise is not shown as an event.
    fn heat(&self) -> Option<Axis> {
        self.cells().next()?;
        Some(Axis::over(Kind::Log, self.cells().map(|cell| cell.value)).at_least(1.0))
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &super::Cell> {
        self.marks.iter().filter_map(|mark| if let Mark::Cells(cells) = mark { Some(cells) } else { None }).flatten()
    }

    fn height(&self) -> f64 {
        let names = self.names_beside().count() as f64;
        if self.rows.is_empty() {
            return (APART * names).max(LEAST_HEIGHT);
        }
        let rows = self.rows.len() as f64;
        (rows * TALLEST_ROW).min((rows * 18.0).max(LEAST_HEIGHT)).clamp(ROWS.0, ROWS.1)
    }

    /// The lines that have a name at their end: all, or as many as have room, with the first and the last; none over cells,
    /// whose colour bar stands there.
    pub(super) fn named(&self) -> impl Iterator<Item = usize> {
        let n = if self.cells().next().is_some() { 0 } else { self.lines.len() };
        let kept = n.min(MOST_NAMES);
        let all = (0..kept).map(move |k| if kept == n { k } else { k * (n - 1) / (kept - 1) });
        all.filter(|k| !self.lines[*k].name.is_empty())
    }

    fn names_beside(&self) -> impl Iterator<Item = &str> {
        let lines = self.named().map(|k| self.lines[k].name.as_str());
        let marks = self.marks.iter().filter_map(|mark| match mark {
            Mark::Level { name, .. } | Mark::Note { text: name, .. } => Some(name.as_str()),
            _ => None,
        });
        lines.chain(marks).chain(self.lanes.iter().map(|lane| lane.name.as_str()))
    }

    /// Where each entry of the legend stands, and how many lines there are.
    fn legend_places(&self, above: f64) -> (Vec<(f64, f64)>, usize) {
        let (mut x, mut line) = (MARGIN, 0);
        let mut places = vec![];
        for entry in self.legend() {
            let length = 18.0 + width(entry.name()) + 16.0;
            if x > MARGIN && x + length > WIDTH - MARGIN {
                (x, line) = (MARGIN, line + 1);
            }
            places.push((x, above + LEGEND * line as f64));
            x += length;
        }
        let lines = if places.is_empty() { 0 } else { line + 1 };
        (places, lines)
    }
}

/// So many numbers have room on an upright axis.
pub(super) fn most_y(height: f64) -> usize {
    (height / 32.0) as usize
}
