//! The activations as a picture, and in plain text.
use crate::chain::{ALL, Activation};
use chainrule::flow::Figure;

const REACH: f64 = 5.0;
const COLUMNS: usize = 61;
const ROWS: usize = 11;

/// `*` is the function, `o` its derivative; what is above 1 is left out.
pub fn text(f: Activation) -> String {
    let bottom = if f == Activation::Tanh { -1.0 } else { 0.0 };
    let row = |y: f64| ((1.0 - y) / (1.0 - bottom) * (ROWS - 1) as f64).round();
    let zero = row(0.0) as usize;
    let mut page = vec![[' '; COLUMNS]; ROWS];
    page[zero] = ['-'; COLUMNS];
    page.iter_mut().for_each(|row| row[COLUMNS / 2] = '|');
    for column in 0..COLUMNS {
        let z = REACH * (2.0 * column as f64 / (COLUMNS - 1) as f64 - 1.0);
        for (mark, y) in [('*', f.value(z)), ('o', f.slope(z))].into_iter().filter(|(_, y)| *y <= 1.0) {
            page[row(y) as usize][column] = mark;
        }
    }
    let side = |k| match k {
        0 => "1",
        k if k == zero => "0",
        _ if k == ROWS - 1 => "-1",
        _ => "",
    };
    let line = |(k, row): (usize, &[char; COLUMNS])| {
        let row: String = row.iter().collect();
        format!("{:>4} {}\n", side(k), row.trim_end())
    };
    let lines: String = page.iter().enumerate().map(line).collect();
    let half = COLUMNS / 2;
    format!("{lines}     {:<half$}0{:>half$}\n", -REACH, REACH)
}

/// The same as SVG, up to 1.5.
pub fn figure() -> Figure {
    let low = |y: f64| if y <= 1.5 { y } else { f64::NAN };
    let z = || (-500..=500).map(|k| f64::from(k) * REACH / 500.0);
    let empty = Figure::new("Activations f and their derivatives f'").subtitle("f' dashed").x_axis("z");
    ALL.into_iter().fold(empty, |figure, f| {
        let figure = figure.line(f.name(), z().map(|z| (z, low(f.value(z)))));
        figure.dashed(format!("{}'", f.name()), z().map(|z| (z, f.slope(z))))
    })
}
