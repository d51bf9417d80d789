//! x over time: the truth, what was seen of it, and the fit with its forecast.
use chainrule::flow::Figure;

pub struct Curves {
    pub truth: Vec<(f64, f64)>,
    pub data: Vec<(f64, f64)>,
    pub fit: Vec<(f64, f64)>,
    /// Where the data ends.
    pub end: f64,
}

const ROWS: usize = 17;
const COLUMNS: usize = 100;
const REACH: f64 = 20.0;

impl Curves {
    /// From one time to another: `o` is the data, `*` the fit, `.` the truth where it is not under them.
    pub fn text(&self, from: f64, to: f64) -> String {
        let mut page = vec![[' '; COLUMNS]; ROWS];
        let column = |t: f64| ((t - from) / (to - from) * (COLUMNS - 1) as f64).round() as usize;
        let row = |x: f64| ((REACH - x.clamp(-REACH, REACH)) / (2.0 * REACH) * (ROWS - 1) as f64).round() as usize;
        page.iter_mut().for_each(|row| row[column(self.end)] = '|');
        for (mark, points) in [('.', &self.truth), ('*', &self.fit), ('o', &self.data)] {
            for (t, x) in points.iter().filter(|(t, _)| (from..=to).contains(t)) {
                page[row(*x)][column(*t)] = mark;
            }
        }
        let side = |k: usize| match k {
            0 => "20",
            k if k == ROWS / 2 => "x 0",
            k if k == ROWS - 1 => "-20",
            _ => "",
        };
        let line = |(k, row): (usize, &[char; COLUMNS])| {
            let row: String = row.iter().collect();
            format!("    {:>3} {}\n", side(k), row.trim_end())
        };
        let page: String = page.iter().enumerate().map(line).collect();
        let (end, at) = (format!("{}", self.end), column(self.end));
        format!("{page}        {from:<at$}{end}{to:>rest$}\n", rest = COLUMNS - at - end.len())
    }

    pub fn figure(&self, noise: f64) -> Figure {
        // A point between gaps is a dot.
        let dots = self.data.iter().flat_map(|&(t, x)| [(t, x), (t, f64::NAN)]);
        Figure::new("Lorenz's system: x(t) from noisy observations")
            .subtitle(format!("noise {noise}; the data ends at t = {}, what follows is the fit's forecast", self.end))
            .x_axis("t")
            .y_axis("x")
            .line("observed", dots)
            .line("truth", self.truth.iter().copied())
            .line("fit", self.fit.iter().copied())
    }
}
