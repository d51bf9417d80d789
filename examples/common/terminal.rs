//! Progress bars on a terminal, plain lines when piped, no colour where NO_COLOR is set.
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// Bold on a terminal that may have it.
pub fn bold(text: &str) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) || !std::io::stdout().is_terminal();
    if plain { text.to_owned() } else { format!("\x1b[1m{text}\x1b[0m") }
}

/// A bar on stderr while something runs; nothing if stderr is not a terminal.
pub fn progress(what: &str, steps: u64) -> ProgressBar {
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(steps) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} {elapsed}").expect("a valid template");
    bar.set_style(style.progress_chars("=> "));
    bar.set_message(what.to_owned());
    bar
}
