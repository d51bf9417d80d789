//! What a picture may hold beside lines; the reports use it.
use super::Figure;

/// Something in a picture. Places are numbers of its axes.
#[derive(Clone, Debug)]
pub(crate) enum Mark {
    /// A grey area between two places of the horizontal axis.
    Band { from: f64, to: f64, name: String },
    /// An upright line.
    Upright { x: f64, name: String },
    /// A level line; its name stands beside the plot.
    Level { y: f64, name: String },
    /// Level bars that begin at one place.
    Bars { name: String, color: usize, from: f64, bars: Vec<Bar> },
    /// Short upright lines: place, and from where to where.
    Ticks { name: String, at: Vec<(f64, [f64; 2])> },
    /// Points of the colour of a line.
    Dots { color: usize, points: Vec<(f64, f64)> },
    /// Coloured areas; their numbers have a logarithmic colour bar.
    Cells(Vec<Cell>),
    /// An area above a base; heights in rows.
    Ridge { name: String, color: usize, base: f64, points: Vec<(f64, f64)> },
    /// A text beside the plot.
    Note { y: f64, text: String },
    /// Crosses at the upper edge: numbers that are not finite.
    Broken { xs: Vec<f64>, name: String },
    /// Triangles at the lower edge: zeros, for which a logarithmic axis has no place.
    Zeros { xs: Vec<f64>, name: String },
    /// Short lines at the lower edge.
    Rug { xs: Vec<f64>, name: String },
}

/// A bar from its mark's beginning to `x`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    pub(crate) x: f64,
    pub(crate) y: [f64; 2],
}

/// An area and its number: zero and what is not finite have colours of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) x: [f64; 2],
    pub(crate) y: [f64; 2],
    pub(crate) value: f64,
}

/// Stretches of the horizontal axis: shaded, and drawn as bars in a row of their own above the plot.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) name: String,
    pub(crate) tone: Tone,
    pub(crate) spans: Vec<[f64; 2]>,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    Notice,
    Warn,
    Severe,
}

impl Figure {
    pub(crate) fn rows(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.rows = names.into_iter().collect();
        self
    }

    pub(crate) fn decades(mut self, least: f64) -> Self {
        self.decades = least;
        self
    }

    pub(crate) fn mark(mut self, mark: Mark) -> Self {
        self.marks.push(mark);
        self
    }

    pub(crate) fn marks(mut self, marks: impl IntoIterator<Item = Mark>) -> Self {
        self.marks.extend(marks);
        self
    }

    pub(crate) fn lanes(mut self, lanes: impl IntoIterator<Item = Lane>) -> Self {
        self.lanes.extend(lanes);
        self
    }
}

impl Mark {
    /// The places on the horizontal axis that must be seen.
    pub(super) fn xs(&self) -> Vec<f64> {
        match self {
            Self::Band { from, to, .. } => vec![*from, *to],
            Self::Upright { x, .. } => vec![*x],
            Self::Bars { from, bars, .. } => bars.iter().map(|bar| bar.x).chain([*from]).collect(),
            Self::Ticks { at, .. } => at.iter().map(|tick| tick.0).collect(),
            Self::Dots { points, .. } | Self::Ridge { points, .. } => points.iter().map(|p| p.0).collect(),
            Self::Cells(cells) => cells.iter().flat_map(|cell| cell.x).collect(),
            Self::Broken { xs, .. } | Self::Zeros { xs, .. } | Self::Rug { xs, .. } => xs.clone(),
            Self::Level { .. } | Self::Note { .. } => vec![],
        }
    }

    /// The places on the vertical axis that must be seen.
    pub(super) fn ys(&self) -> Vec<f64> {
        match self {
            Self::Level { y, .. } => vec![*y],
            Self::Dots { points, .. } => points.iter().map(|p| p.1).collect(),
            Self::Cells(cells) => cells.iter().flat_map(|cell| cell.y).collect(),
            _ => vec![],
        }
    }

    /// What the legend calls it.
    pub(super) fn legend(&self) -> Option<&str> {
        match self {
            Self::Band { name, .. }
            | Self::Upright { name, .. }
            | Self::Bars { name, .. }
            | Self::Ticks { name, .. }
            | Self::Broken { name, .. }
            | Self::Zeros { name, .. }
            | Self::Rug { name, .. } => Some(name),
            _ => None,
        }
    }

    pub(super) fn color(&self) -> Option<usize> {
        match self {
            Self::Bars { color, .. } | Self::Dots { color, .. } | Self::Ridge { color, .. } => Some(*color),
            _ => None,
        }
    }
}
