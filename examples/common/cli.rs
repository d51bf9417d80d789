//! Command lines: a wrong value is one line on stderr.
use clap::{ArgMatches, Parser, parser::ValueSource};

/// The options, and how they were found.
pub fn read<O: Parser>() -> (O, ArgMatches) {
    let parsed = O::command().try_get_matches();
    let matches = parsed.unwrap_or_else(|e| if e.use_stderr() { refuse(&e.to_string()) } else { e.exit() });
    (O::from_arg_matches(&matches).unwrap_or_else(|e| refuse(&e.to_string())), matches)
}

/// Whether the user gave an option of this name.
pub fn given(matches: &ArgMatches, name: &str) -> bool {
    matches.value_source(name) == Some(ValueSource::CommandLine)
}

/// One line on stderr, and the exit code of a wrong command line.
pub fn refuse(message: &str) -> ! {
    let mut lines = message.lines().map(str::trim);
    let line = lines.next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    let values = lines.find(|line| line.starts_with("[possible values")).unwrap_or("(--help lists the options)");
    eprintln!("error: {line} {values}");
    std::process::exit(2)
}

/// Ends a program that failed.
pub fn end(done: Result<(), chainrule::Error>) {
    if let Err(e) = done {
        eprintln!("error: {e}");
        std::process::exit(1);
    }
}

pub fn any_number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "not a whole number".to_owned())
}

pub fn at_least_one(text: &str) -> Result<usize, String> {
    match any_number(text)? {
        0 => Err("must be at least 1".to_owned()),
        n => Ok(n),
    }
}

pub fn a_few(text: &str) -> Result<usize, String> {
    match any_number(text)? {
        n @ 1..=256 => Ok(n),
        _ => Err("must be 1 to 256".to_owned()),
    }
}

pub fn positive(text: &str) -> Result<f64, String> {
    match finite(text) {
        Ok(x) if x > 0.0 => Ok(x),
        _ => Err("not a number above 0".to_owned()),
    }
}

pub fn finite(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(|| "not a finite number".to_owned())
}
