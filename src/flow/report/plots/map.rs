//! Maps of colours: what stands where, at which pass.
use super::{event::events, label, power};
use crate::flow::{
    Figure, Kind, Report, Sample, TimeSample,
    figure::{Cell, Mark},
    verdict::number,
};

/// Cells of a picture, about.
const CELLS: usize = 5000;

/// Passes that share a column, and its edges.
struct Column<'a> {
    samples: Vec<&'a Sample>,
    x: [f64; 2],
}

/// At most as many columns as a map of so many rows has room for, each as wide as its passes.
fn columns(samples: &[Sample], rows: usize) -> Vec<Column<'_>> {
    let most = (CELLS / rows.max(1)).clamp(40, 280) as f64;
    let (first, last) = (samples[0].step as f64, samples[samples.len() - 1].step as f64);
    let at = |s: &Sample| ((s.step as f64 - first) / (last - first + 1.0) * most) as usize;
    let groups: Vec<&[Sample]> = samples.chunk_by(|a, b| at(a) == at(b)).collect();
    let between = |a: &[Sample], b: &[Sample]| (a[a.len() - 1].step as f64 + b[0].step as f64) / 2.0;
    let inner = groups.windows(2).map(|w| between(w[0], w[1]));
    let edges: Vec<f64> = [first - 0.5].into_iter().chain(inner).chain([last + 0.5]).collect();
    groups.iter().zip(edges.windows(2)).map(|(g, x)| Column { samples: g.iter().collect(), x: [x[0], x[1]] }).collect()
}

/// Of several numbers the one that is most unlike the usual: a decimated map must still show what stands out.
fn extreme(logs: impl Iterator<Item = f64>, usual: f64) -> f64 {
    logs.max_by(|a, b| (a - usual).abs().total_cmp(&(b - usual).abs())).unwrap_or(f64::NAN)
}

fn mean(logs: impl Iterator<Item = f64>) -> f64 {
    let (n, sum) = logs.filter(|x| x.is_finite()).fold((0.0, 0.0), |(n, sum), x| (n + 1.0, sum + x));
    if n == 0.0 { 0.0 } else { sum / n }
}

/// The signal by layer and pass.
pub(super) fn layers(report: &Report) -> Option<Figure> {
    let last = report.samples.last().filter(|s| s.layers.len() > 1 && report.samples.len() > 1)?;
    let columns = columns(&report.samples, last.layers.len());
    let mut cells = vec![];
    for k in 0..last.layers.len() {
        let of = |samples: &mut dyn Iterator<Item = &Sample>| {
            samples.filter_map(|s| s.layers.get(k)).map(|l| l.signal).collect::<Vec<_>>()
        };
        let usual = mean(of(&mut report.samples.iter()).into_iter());
        let y = [k as f64, k as f64 + 1.0];
        cells.extend(columns.iter().map(|column| {
            let logs = of(&mut column.samples.iter().copied());
            Cell { x: column.x, y, value: power(extreme(logs.into_iter(), usual)) }
        }));
    }
    let zeros = if cells.iter().any(|cell| cell.value == 0.0) { "; grey: exactly 0" } else { "" };
    let broken = if cells.iter().any(|cell| !cell.value.is_finite()) { "; red: not finite" } else { "" };
    let new = Figure::new("The signal by layer and pass")
        .subtitle(format!("colour: |dL/dz|, on a logarithmic scale{zeros}{broken}"))
        .x_axis("pass")
        .ordered()
        .rows(last.layers.iter().map(label))
        .mark(Mark::Cells(cells));
    Some(events(new, report, vec![], |_| true))
}

/// The signal of a recurrent layer by time step and pass.
pub(super) fn time(report: &Report) -> Option<Figure> {
    let with: Vec<Sample> = report.samples.iter().filter(|s| !s.time.is_empty()).cloned().collect();
    let last = with.last().filter(|_| with.len() > 1)?;
    let now = &last.time[0];
    let columns = columns(&with, now.profile.len());
    let mut cells: Vec<Cell> =
        columns.iter().flat_map(|c| in_time(&c.samples[c.samples.len() - 1].time[0], c.x)).collect();
    cells.sort_by(|a, b| a.y[0].total_cmp(&b.y[0]).then(a.x[0].total_cmp(&b.x[0])));
    let horizon = columns.iter().map(|c| {
        let sample = c.samples[c.samples.len() - 1];
        (sample.step as f64, horizon(&sample.time[0]).unwrap_or(f64::NAN))
    });
    let new = Figure::new(format!("The signal through time: {} {}", now.path, now.op))
        .subtitle(format!("colour: |dL/dstate|; {}", left(now, last.time.len())))
        .x_axis("pass")
        .y_axis("time step")
        .ordered()
        .mark(Mark::Cells(cells));
    let new = if horizon.clone().any(|p| p.1.is_finite()) {
        new.line("horizon: below it, less than 1 % of the last step's signal is left", horizon.collect::<Vec<_>>())
    } else {
        new
    };
    let matters = |kind| matches!(kind, Kind::VanishingThroughTime | Kind::ExplodingThroughTime | Kind::NonFinite);
    Some(events(new, report, vec![], matters))
}

/// What is left at the last pass, in words.
pub(super) fn left(now: &TimeSample, layers: usize) -> String {
    let more = if layers > 1 { format!("; the first of {layers} recurrent layers") } else { String::new() };
    if now.horizon.is_finite() {
        format!("1 % is left after {} of {} steps{more}", number(now.horizon), now.steps)
    } else {
        format!("it does not fall to 1 % over {} steps{more}", now.steps)
    }
}

/// The time step at which 1 % is left of what the last one has that the loss depends on; `None` before the first.
pub(super) fn horizon(t: &TimeSample) -> Option<f64> {
    let last = steps(t)[t.profile.iter().rposition(|log| *log != f64::NEG_INFINITY)?];
    Some(last - t.horizon).filter(|at| (0.0..last).contains(at))
}

/// The time steps of a profile.
pub(super) fn steps(t: &TimeSample) -> Vec<f64> {
    t.profile_steps().map(|step| step as f64).collect()
}

fn in_time(t: &TimeSample, x: [f64; 2]) -> impl Iterator<Item = Cell> {
    let steps = steps(t);
    let between = |w: &[f64]| (w[0] + w[1]) / 2.0;
    let end = t.steps.saturating_sub(1) as f64 + 0.5;
    let edges: Vec<f64> = [-0.5].into_iter().chain(steps.windows(2).map(between)).chain([end]).collect();
    let cell = move |(k, log): (usize, &f64)| Cell { x, y: [edges[k], edges[k + 1]], value: power(*log) };
    t.profile.iter().enumerate().map(cell).collect::<Vec<_>>().into_iter()
}
