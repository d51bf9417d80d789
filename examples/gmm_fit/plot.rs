//! The plane in plain text.
use crate::mixture::{Component, Point};

const ROWS: usize = 31;
/// Signs are about twice as high as wide.
const COLUMNS: usize = 93;

/// Points as dots, the ellipse of two deviations of each component as its letter, found means as `+`, true ones as `x`, and both
/// in one place as `*`.
pub fn text(data: &[Point], found: &[Component], truth: &[Component]) -> String {
    let reach = |axis: usize| {
        let all = || data.iter().map(|p| p[axis]);
        (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max))
    };
    let ((left, right), (bottom, top)) = (reach(0), reach(1));
    // One scale for both axes, so that circles are round.
    let unit = ((right - left) / (COLUMNS - 1) as f64).max((top - bottom) / (2 * (ROWS - 1)) as f64);
    let place = |[x, y]: Point| {
        let (row, column) = (((top - y) / (2.0 * unit)).round(), ((x - left) / unit).round());
        let inside = (0.0..ROWS as f64).contains(&row) && (0.0..COLUMNS as f64).contains(&column);
        inside.then_some((row as usize, column as usize))
    };
    let mut page = vec![[' '; COLUMNS]; ROWS];
    let mut put = |point: Point, mark: char| {
        if let Some((row, column)) = place(point) {
            page[row][column] = mark;
        }
    };
    data.iter().for_each(|p| put(*p, '.'));
    for (c, letter) in found.iter().zip('A'..) {
        let [xx, xy, yy] = c.covariance;
        let (a, b) = (xx.sqrt(), (yy - xy * xy / xx).sqrt());
        for step in 0..200 {
            let (sin, cos) = (std::f64::consts::TAU * f64::from(step) / 200.0).sin_cos();
            put([c.mean[0] + 2.0 * a * cos, c.mean[1] + 2.0 * (xy / xx * a * cos + b * sin)], letter);
        }
    }
    for (c, t) in found.iter().zip(truth) {
        put(c.mean, '+');
        put(t.mean, if place(c.mean) == place(t.mean) { '*' } else { 'x' });
    }
    page.iter().map(|row| format!("    {}\n", row.iter().collect::<String>().trim_end())).collect()
}
