//! A module by paths: reading, writing, copying, averaging, roles. What fails changes nothing.
use crate::{
    core::{Module, Param, Path, Role},
    error::{Error, ErrorKind},
    tensor::{Real, Tensor},
};
use std::collections::BTreeMap;

pub(super) fn find<'a, F: Real>(net: &'a dyn Module<F>, who: &str, path: &str) -> Result<&'a Param<F>, Error> {
    let mut found = None;
    net.visit_at(&Path::ROOT, &mut |at, p| {
        if found.is_none() && at.is(path) {
            found = Some(p);
        }
    });
    found.ok_or_else(|| unknown(net, who, path))
}

pub(super) fn find_mut<'a, F: Real>(
    net: &'a mut dyn Module<F>,
    who: &str,
    path: &str,
) -> Result<&'a mut Param<F>, Error> {
    find(net, who, path)?;
    let mut found = None;
    net.visit_mut_at(&Path::ROOT, &mut |at, p| {
        if found.is_none() && at.is(path) {
            found = Some(p);
        }
    });
    Ok(found.expect("both visits see the same paths"))
}

pub(super) fn set<F: Real>(net: &mut dyn Module<F>, path: &str, value: Tensor<F>) -> Result<(), Error> {
    let p = find_mut(net, "set", path)?;
    if p.value.shape() != value.shape() {
        let message = format!("set: \"{path}\" has shape {}, the new value {}", p.value.shape(), value.shape());
        return Err(Error::new(ErrorKind::Shape, message));
    }
    p.value = value;
    Ok(())
}

pub(super) fn exchange<F: Real>(
    net: &mut dyn Module<F>,
    who: &str,
    path: &str,
    from: Role,
    to: Role,
) -> Result<usize, Error> {
    let (mut seen, mut changed) = (path.is_empty(), 0);
    net.visit_mut_at(&Path::ROOT, &mut |at, p| {
        let at = at.to_string();
        if path.is_empty() || at.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
            seen = true;
            if p.role() == from {
                p.set_role(to);
                changed += 1;
            }
        }
    });
    if seen { Ok(changed) } else { Err(unknown(net, who, path)) }
}

pub(super) fn copy<F: Real>(net: &mut dyn Module<F>, other: &dyn Module<F>) -> Result<(), Error> {
    let theirs = by_path("copy_from", other)?;
    check_same("copy_from", &by_path("copy_from", net)?, &theirs)?;
    write(net, |path, _| theirs[path].value.clone());
    Ok(())
}

pub(super) fn average<F: Real, M: Module<F>>(
    net: &mut dyn Module<F>,
    others: &[&M],
    weights: &[f64],
) -> Result<(), Error> {
    let total: f64 = weights.iter().sum();
    let usable = weights.iter().all(|w| *w >= 0.0) && total > 0.0 && total.is_finite();
    if others.len() != weights.len() || !usable {
        let message = format!(
            "average: {} modules with weights {weights:?}: one of at least 0 for each is needed, not all of them 0",
            others.len()
        );
        return Err(Error::new(ErrorKind::BadData, message));
    }
    let mut all = vec![];
    for other in others {
        let theirs = by_path("average", *other)?;
        check_same("average", &by_path("average", net)?, &theirs)?;
        all.push(theirs);
    }
    write(net, |path, p| {
        let counted = all.iter().zip(weights).filter(|(_, w)| **w > 0.0);
        let parts: Vec<_> = counted.map(|(net, w)| (net[path].value.data(), w / total)).collect();
        Tensor::from_fn(p.value.shape(), |e| parts.iter().map(|(x, w)| x[e].f64() * w).sum())
    });
    Ok(())
}

fn write<F: Real>(net: &mut dyn Module<F>, value: impl Fn(&str, &Param<F>) -> Tensor<F>) {
    net.visit_mut_at(&Path::ROOT, &mut |path, p| p.value = value(&path.to_string(), p));
}

type ByPath<'a, F> = BTreeMap<String, &'a Param<F>>;

fn by_path<'a, F: Real>(who: &str, net: &'a dyn Module<F>) -> Result<ByPath<'a, F>, Error> {
    let (mut all, mut twice) = (BTreeMap::new(), None);
    net.visit_at(&Path::ROOT, &mut |path, p| {
        if all.insert(path.to_string(), p).is_some() {
            twice = Some(path.to_string());
        }
    });
    match twice {
        None => Ok(all),
        Some(path) => Err(Error::new(
            ErrorKind::Mismatch,
            format!("{who}: two parameters have the path \"{path}\"; rename one in module!"),
        )),
    }
}

/// Lists all that differs.
fn check_same<F: Real>(who: &str, mine: &ByPath<'_, F>, theirs: &ByPath<'_, F>) -> Result<(), Error> {
    let quoted = |a: &ByPath<'_, F>, b: &ByPath<'_, F>| -> String {
        let only: Vec<_> = a.keys().filter(|path| !b.contains_key(*path)).map(|path| format!("\"{path}\"")).collect();
        only.join(", ")
    };
    let mut differences = vec![];
    for (what, paths) in [("missing", quoted(mine, theirs)), ("unexpected", quoted(theirs, mine))] {
        if !paths.is_empty() {
            differences.push(format!("{what} {paths}"));
        }
    }
    for (path, p) in mine {
        if let Some(q) = theirs.get(path).filter(|q| q.value.shape() != p.value.shape()) {
            let (p, q) = (p.value.shape(), q.value.shape());
            differences.push(format!("\"{path}\" has shape {p} here and {q} there"));
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Mismatch, format!("{who}: the modules differ: {}", differences.join("; "))))
}

/// At most so many paths are suggested.
const SUGGESTED: usize = 3;

#[cold]
fn unknown<F: Real>(net: &dyn Module<F>, who: &str, path: &str) -> Error {
    let mut known: Vec<(usize, String)> = vec![];
    net.visit_at(&Path::ROOT, &mut |at, _| {
        let at = at.to_string();
        // What is asked for may also be a group of parameters.
        let ends = at.match_indices('.').map(|(end, _)| end).chain([at.len()]);
        let nearest = ends.map(|end| distance(path, &at[..end])).min();
        let near = nearest.map_or(0, |d| if at.ends_with(&format!(".{path}")) { 0 } else { d });
        known.push((near, at));
    });
    let near = |(d, at): &&(usize, String)| *d <= 1 + path.len().min(at.len()) / 4;
    let mut best: Vec<_> = known.iter().filter(near).collect();
    best.sort_by_key(|(d, _)| *d); // stable: the module's order among equals
    let (intro, listed): (_, Vec<&str>) = match best.is_empty() {
        false => ("near it", best.iter().take(SUGGESTED).map(|(_, at)| &**at).collect()),
        true => ("there are", known.iter().take(SUGGESTED).map(|(_, at)| &**at).collect()),
    };
    let rest = if best.is_empty() && known.len() > SUGGESTED {
        format!(" and {} more", known.len() - SUGGESTED)
    } else {
        String::new()
    };
    let listed: Vec<_> = listed.iter().map(|at| format!("\"{at}\"")).collect();
    let help = match listed.is_empty() {
        true => "the module has none".to_string(),
        false => format!("{intro}: {}{rest}", listed.join(", ")),
    };
    Error::new(ErrorKind::Mismatch, format!("{who}: there is no parameter \"{path}\"; {help}"))
}

/// How many characters must be changed, added or taken away (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let best = (diagonal + usize::from(x != *y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}
