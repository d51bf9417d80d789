//! Arrows point downwards: the floors of the crate, read from its sources.
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Lowest first; a room may use its own floor and those below it.
const FLOORS: [&[&str]; 8] = [
    &["error", "real", "rng"],
    &["formula"],
    &["kernel"],
    &["tensor", "scalar"],
    &["core", "op"],
    &["transform", "nn", "check"],
    &["optim"],
    &["flow", "save", "data"],
];

/// The front door sees everything.
const DOORS: [&str; 2] = ["lib", "prelude"];

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// Every source file with the room it is in.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, room: Option<&str>, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().and_then(|s| s.to_str()).expect("a name").to_owned();
            let room = room.unwrap_or(&name);
            if path.is_dir() {
                walk(&path, Some(room), found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push((path.clone(), room.to_owned()));
            }
        }
    }
    let mut found = vec![];
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), None, &mut found);
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// The code without comments; strings may stay.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.find("//").map_or(line, |at| &line[..at]));
    lines.collect::<Vec<_>>().join("\n")
}

/// What `crate::x`, `crate::{x, y::{..}}` and the like name at depth one. `$crate` in a macro is the user's business.
fn named(code: &str) -> Vec<String> {
    let mut names = vec![];
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c == '$' || c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = code[at + "crate::".len()..].trim_start();
        let Some(list) = rest.strip_prefix('{') else {
            names.push(rest.chars().take_while(|c| c.is_alphanumeric() || "_*".contains(*c)).collect());
            continue;
        };
        let (mut depth, mut word) = (1, String::new());
        for c in list.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 1 && (c.is_alphanumeric() || "_*".contains(c)) {
                word.push(c);
            } else if depth <= 1 && ",:}".contains(c) && !word.is_empty() {
                names.push(std::mem::take(&mut word));
                // The rest of this path is inside the room.
                if c == ':' {
                    word.push('#');
                }
            }
            if word.starts_with('#') && (c == ',' || depth == 0) {
                word.clear();
            }
            if depth == 0 {
                break;
            }
        }
    }
    names.retain(|name| !name.starts_with('#'));
    names
}

#[test]
fn names_are_read_rightly() {
    let text = "use crate::{\n core::{A, b::C}, error::Error,\n op::*, tensor,\n};\nfn f(x: crate::rng::Rng) { $crate::module!() }";
    assert_eq!(named(text), ["core", "error", "op", "tensor", "rng"]);
    assert_eq!(named("use crate::*; use crate::{*};"), ["*", "*"]);
    assert_eq!(code("a // crate::b\nc"), "a \nc");
}

#[test]
fn arrows_point_downwards() {
    let mut seen = 0;
    for (file, room) in sources().into_iter().filter(|(_, room)| !DOORS.contains(&&**room)) {
        let own = floor(&room).unwrap_or_else(|| panic!("{}: no floor for {room}", file.display()));
        let text = code(&fs::read_to_string(&file).expect("text"));
        assert!(!text.contains("super::super"), "{}: a path that may leave its room unseen", file.display());
        for name in named(&text) {
            // Macros at the root of the crate belong to the room that defines them.
            let name = if name == "module" { "core" } else { &name };
            let below = floor(name).unwrap_or_else(|| panic!("{}: `crate::{name}` is no room", file.display()));
            assert!(below <= own, "{}: {room} uses {name}, which is above it", file.display());
            seen += 1;
        }
    }
    assert!(seen > 100, "only {seen} paths were read");
}

#[test]
fn unsafe_is_only_in_the_kernels() {
    for (file, room) in sources() {
        let text = code(&fs::read_to_string(&file).expect("text"));
        let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        let found = words.filter(|word| *word == "unsafe" || *word == "unsafe_code").count();
        assert!(found == 0 || room == "kernel", "{}: unsafe outside kernel/", file.display());
    }
}

#[test]
fn files_hold_one_idea() {
    for (file, _) in sources() {
        let lines = fs::read_to_string(&file).expect("text").lines().count();
        assert!(lines < 450, "{}: {lines} lines", file.display());
    }
}
