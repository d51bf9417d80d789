//! For tests of refusals: a panic with an exact text that blames the line of the call.
#![allow(dead_code, reason = "each test binary uses a part")]
use crate::engine::{Caught, caught};
use std::panic::Location;

/// The panic of `f`, which blames a line of the call.
#[track_caller]
fn blamed(f: impl FnOnce()) -> (String, u32) {
    let at = Location::caller();
    let Caught { text, file, line } = caught(f);
    let near = file == at.file() && at.line() <= line && line <= at.line() + 8;
    assert!(near, "{text}: blames {file}:{line}, not {at}");
    (text, line)
}

/// `f` panics with exactly this text, then its own line in brackets.
#[track_caller]
pub(crate) fn refused(text: &str, f: impl FnOnce()) {
    let (seen, line) = blamed(f);
    let (rest, file) = (seen.strip_prefix(text), Location::caller().file());
    let rest = rest.unwrap_or_else(|| panic!("{seen}\ninstead of\n{text}"));
    assert!(rest.starts_with(&format!(" ({file}:{line}:")) && rest.ends_with(')'), "{seen}");
}

/// The same, for texts without the line: only the panic itself blames it.
#[track_caller]
pub(crate) fn blames(text: &str, f: impl FnOnce()) {
    assert_eq!(blamed(f).0, text);
}

/// Refused on plain tensors and on variables.
macro_rules! both {
    ($text:expr, [$($shape:expr),*], |$x:ident| $call:expr) => {{
        let t: Vec<Tensor> = vec![$(Tensor::zeros($shape)),*];
        $crate::refused::refused($text, || {
            let $x = &t[..];
            let _ = $call;
        });
        let mut tape = Tape::new();
        let r = tape.begin_train(&mut Rng::seed(1));
        let v: Vec<Var<'_>> = t.iter().map(|t| r.variable(t)).collect();
        $crate::refused::refused($text, || {
            let $x = &v[..];
            let _ = $call;
        });
        // The refusal left nothing behind.
        if let Some(x) = v.first() && x.shape().size() > 0 {
            assert_eq!((*x * 2.0).sum().grads_of(&[*x]).unwrap()[0].data()[0], 2.0);
        }
    }};
}
