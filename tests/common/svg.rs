//! SVG read back: pieces, paths, texts.
#![allow(dead_code, reason = "each test binary uses a part")]

/// An element with its attributes, or a piece of text.
#[derive(Debug)]
pub(crate) enum Piece {
    Element(String, Vec<(String, String)>),
    Text(String),
}

/// The pieces of a well-formed document; it panics on another.
pub(crate) fn parse(svg: &str) -> Vec<Piece> {
    let (mut pieces, mut open, mut rest) = (vec![], vec![], svg.trim_end());
    while !rest.is_empty() {
        let at = rest.find('<').unwrap_or(rest.len());
        let text = &rest[..at];
        assert!(!text.contains('>') && well_escaped(text), "text {text:?}");
        assert!(!open.is_empty() || at == 0, "text outside the root");
        pieces.push(Piece::Text(text.to_owned()));
        rest = &rest[at..];
        let Some(end) = rest.find('>') else { break };
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            assert!(!open.is_empty() || rest.is_empty(), "two roots");
            continue;
        }
        let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut list) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes: Vec<(String, String)> = vec![];
        while let Some((key, more)) = list.split_once("=\"") {
            let (value, more) = more.split_once('"').expect("a closed quote");
            assert!(well_escaped(value) && !value.contains('<'), "{key}: {value:?}");
            assert!(attributes.iter().all(|(k, _)| k != key.trim()), "{key} twice");
            attributes.push((key.trim().to_owned(), value.to_owned()));
            list = more;
        }
        assert_eq!(list.trim(), "", "in {tag:?}");
        pieces.push(Piece::Element(name.to_owned(), attributes));
        if !closed {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    pieces
}

pub(crate) fn well_escaped(text: &str) -> bool {
    let known = ["&lt;", "&gt;", "&amp;", "&quot;"];
    text.chars().all(|c| !c.is_control() || c == '\n')
        && text.match_indices('&').all(|(at, _)| known.iter().any(|k| text[at..].starts_with(k)))
}

pub(crate) fn get<'a>(attributes: &'a [(String, String)], key: &str) -> Option<&'a str> {
    attributes.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
}

/// The data of every path of a class.
pub(crate) fn paths(pieces: &[Piece], class: &str) -> Vec<String> {
    let path = |piece: &Piece| match piece {
        Piece::Element(name, a) if name == "path" && get(a, "class") == Some(class) => get(a, "d").map(str::to_owned),
        _ => None,
    };
    pieces.iter().filter_map(path).collect()
}

/// The points of the first stretch of a path.
pub(crate) fn points(d: &str) -> Vec<(f64, f64)> {
    let stretch = d.split('M').nth(1).expect("a stretch");
    let point =
        |p: &str| p.split_once(' ').map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).expect("two numbers");
    stretch.split('L').map(point).collect()
}

pub(crate) fn size(pieces: &[Piece]) -> (f64, f64) {
    let Piece::Element(_, root) = &pieces[1] else { panic!("no root") };
    let number = |key| get(root, key).unwrap().parse().unwrap();
    assert_eq!(get(root, "viewBox").unwrap(), format!("0 0 {} {}", number("width"), number("height")));
    (number("width"), number("height"))
}

/// A text: its box as left, top, right, bottom, and what it says. Turned texts are left out.
pub(crate) fn texts(pieces: &[Piece]) -> Vec<([f64; 4], String)> {
    let mut found: Vec<(Vec<(String, String)>, String)> = vec![];
    let mut open = false;
    for piece in pieces {
        match piece {
            Piece::Element(name, a) if name == "text" => {
                open = get(a, "transform").is_none();
                if open {
                    found.push((a.clone(), String::new()));
                }
            }
            Piece::Element(name, _) => open &= name == "tspan",
            Piece::Text(t) if open => found.last_mut().expect("an open text").1 += t.trim_end(),
            Piece::Text(_) => {}
        }
    }
    found.into_iter().map(|(a, t)| (bounds(&a, &t), t)).collect()
}

/// As wide as the widest usual font would draw it.
fn bounds(a: &[(String, String)], text: &str) -> [f64; 4] {
    let number = |key| get(a, key).expect("a place").parse::<f64>().expect("a number");
    let (x, y) = (number("x"), number("y"));
    let wide = text.chars().count() as f64 * if get(a, "class") == Some("title") { 9.0 } else { 7.0 };
    let left = match get(a, "text-anchor") {
        Some("end") => x - wide,
        Some("middle") => x - wide / 2.0,
        _ => x,
    };
    [left, y - 9.0, left + wide, y + 2.0]
}

/// The elements of a class among others, with their attributes.
pub(crate) fn all<'a>(pieces: &'a [Piece], class: &str) -> Vec<&'a [(String, String)]> {
    let of = |piece: &'a Piece| match piece {
        Piece::Element(_, a) if get(a, "class").is_some_and(|c| c.split(' ').any(|c| c == class)) => Some(&a[..]),
        _ => None,
    };
    pieces.iter().filter_map(of).collect()
}

/// All numbers in the data of a path.
pub(crate) fn numbers(d: &str) -> Vec<f64> {
    let apart = d.replace(|c: char| c.is_ascii_alphabetic(), " ").replace('-', " -");
    apart.split_whitespace().map(|n| n.parse().expect("a number")).collect()
}
