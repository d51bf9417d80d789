use crate::{
    core::{Module, ParamId, Path, Role},
    error::{Error, ErrorKind},
    tensor::Real,
};
use std::sync::Arc;

/// The parameters of a module, in the order of its visits.
pub(crate) struct Table {
    entries: Vec<Entry>,
    /// Sorted by id, with the index of the entry.
    by_id: Vec<(ParamId, u32)>,
}

pub(crate) struct Entry {
    pub(crate) path: Box<str>,
    pub(crate) id: ParamId,
    pub(crate) role: Role,
}

/// How many tables a tape keeps: programs that train several modules in turn find theirs again.
const KEPT: usize = 8;

impl Table {
    pub(crate) fn new(entries: Vec<Entry>) -> Arc<Self> {
        let mut by_id: Vec<_> = entries.iter().enumerate().map(|(i, e)| (e.id, i as u32)).collect();
        by_id.sort_unstable();
        Arc::new(Self { entries, by_id })
    }

    /// The cached table that still describes the module (ids, roles and paths), else a new one.
    pub(crate) fn of<F: Real>(cached: &mut Vec<Arc<Self>>, net: &dyn Module<F>) -> Result<Arc<Self>, Error> {
        match cached.iter().position(|table| table.describes(net)) {
            Some(at) => cached[..=at].rotate_right(1),
            None => {
                let mut entries: Vec<Entry> = vec![];
                net.visit_at(&Path::ROOT, &mut |path, p| {
                    entries.push(Entry { path: path.to_string().into(), id: p.id, role: p.role() });
                });
                let table = Self::new(entries);
                table.check_unique()?;
                cached.truncate(KEPT - 1);
                cached.insert(0, table);
            }
        }
        Ok(cached[0].clone())
    }

    /// Gradients and optimizer state are kept by path.
    fn check_unique(&self) -> Result<(), Error> {
        let mut paths: Vec<_> = self.entries.iter().map(|e| &*e.path).collect();
        paths.sort_unstable();
        match paths.windows(2).find(|pair| pair[0] == pair[1]) {
            None => Ok(()),
            Some(pair) => Err(Error::new(
                ErrorKind::Mismatch,
                format!("backward: two parameters have the path \"{}\"; rename one in module!", pair[0]),
            )),
        }
    }

    fn describes<F: Real>(&self, net: &dyn Module<F>) -> bool {
        let (mut same, mut i) = (true, 0);
        net.visit_at(&Path::ROOT, &mut |path, p| {
            let entry = self.entries.get(i);
            same = same && entry.is_some_and(|e| e.id == p.id && e.role == p.role() && path.is(&e.path));
            i += 1;
        });
        same && i == self.entries.len()
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    #[inline]
    pub(crate) fn slot(&self, id: ParamId) -> Option<usize> {
        let at = self.by_id.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.by_id[at].1 as usize)
    }

    pub(crate) fn path(&self, id: ParamId) -> Option<&str> {
        Some(&self.entries[self.slot(id)?].path)
    }

    /// The path of the layer that owns a parameter: without the parameter's own name, so empty for the root.
    pub(crate) fn layer(&self, id: ParamId) -> Option<&str> {
        Some(self.path(id)?.rsplit_once('.').map_or("", |(layer, _)| layer))
    }
}
