//! Lines on a logarithmic axis, in plain text.

const ROWS: usize = 17;
const COLUMNS: usize = 84;

/// Lines of decimal logarithms by `x` from 0 to `most`, each drawn with its mark; an axis of decades on the left, `note`d ones
/// dotted. Where lines meet, the first of them is seen. What lies below `lowest` is left out.
pub fn text(lines: &[(char, Vec<(f64, f64)>)], most: f64, lowest: f64, note: (f64, &str)) -> String {
    let all = || lines.iter().flat_map(|(_, points)| points).map(|(_, y)| *y).filter(|y| y.is_finite());
    let top = all().fold(0.0, f64::max).ceil();
    let bottom = all().fold(0.0, f64::min).max(lowest).floor().min(top - 1.0);
    let row = |y: f64| ((top - y) / (top - bottom) * (ROWS - 1) as f64).round();
    let mut page = vec![[' '; COLUMNS]; ROWS];
    if (bottom..=top).contains(&note.0) {
        page[row(note.0) as usize] = ['.'; COLUMNS];
    }
    for (mark, points) in lines.iter().rev() {
        for (x, y) in points.iter().filter(|(_, y)| (bottom..=top).contains(y)) {
            page[row(*y) as usize][(x / most * (COLUMNS - 1) as f64).round() as usize] = *mark;
        }
    }
    let decade = |k: usize| top - (top - bottom) * k as f64 / (ROWS - 1) as f64;
    let line = |(k, row): (usize, &[char; COLUMNS])| {
        let side = if k % 4 == 0 { format!("1e{:.0}", decade(k)) } else { String::new() };
        let row: String = row.iter().collect();
        format!("{side:>7} |{}\n", row.trim_end())
    };
    let page: String = page.iter().enumerate().map(line).collect();
    let right = format!("{most}");
    let noted = if (bottom..=top).contains(&note.0) { format!("{:9}... {}\n", "", note.1) } else { String::new() };
    format!("{page}{:>7} +{}\n{:9}0{right:>width$}\n{noted}", "", "-".repeat(COLUMNS), "", width = COLUMNS - 1)
}
