//! Numbers that scripts in tests/pytorch made, one row of text a line.
#![allow(dead_code, reason = "each test file uses its part")]

/// The lines of a file, in cells.
pub fn table(file: &str) -> Vec<Vec<String>> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pytorch").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// The rows below the title: so many words, and numbers after them.
pub fn rows(file: &str, words: usize) -> Vec<(Vec<String>, Vec<f64>)> {
    let number = |cell: &String| cell.parse().unwrap_or_else(|_| panic!("{file}: {cell} is no number"));
    let rows = table(file).into_iter().skip(1);
    rows.map(|row| (row[..words].to_vec(), row[words..].iter().map(number).collect())).collect()
}
