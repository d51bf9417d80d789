//! Progress bars on a terminal, plain lines when piped, no colour where NO_COLOR is set.
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::{cell::Cell, io::IsTerminal};

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

/// Trainings side by side: a bar each on a terminal, else a line on stderr now and then.
#[derive(Default)]
pub struct Progress(MultiProgress);

pub struct Bar {
    bar: Option<ProgressBar>,
    what: String,
    done: Cell<usize>,
    /// Steps from line to line.
    every: usize,
}

impl Progress {
    pub fn bar(&self, what: &str, steps: usize) -> Bar {
        let bar = std::io::stderr().is_terminal().then(|| self.0.add(progress(what, steps as u64)));
        let every = steps.div_ceil(8).next_multiple_of(50);
        Bar { bar, what: what.to_owned(), done: Cell::new(0), every }
    }
}

impl Bar {
    /// One step more; `how` says where it stands.
    pub fn step(&self, how: impl FnOnce() -> String) {
        self.done.set(self.done.get() + 1);
        match &self.bar {
            Some(bar) => bar.inc(1),
            None if self.done.get().is_multiple_of(self.every) => {
                eprintln!("  {}: step {}, {}", self.what, self.done.get(), how());
            }
            None => {}
        }
    }

    pub fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
