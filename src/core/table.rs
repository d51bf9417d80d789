use crate::{
    core::{Module, ParamId, Path, Role},
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
const KEPT: usize = 4;

impl Table {
    pub(crate) fn new(entries: Vec<Entry>) -> Arc<Self> {
        let mut by_id: Vec<_> = entries.iter().enumerate().map(|(i, e)| (e.id, i as u32)).collect();
        by_id.sort_unstable();
        Arc::new(Self { entries, by_id })
    }

    /// The cached table that still describes the module (ids, roles and paths), else a new one.
    pub(crate) fn of<F: Real>(cached: &mut Vec<Arc<Self>>, net: &dyn Module<F>) -> Arc<Self> {
        if let Some(table) = cached.iter().find(|table| table.describes(net)) {
            return table.clone();
        }
        let mut entries = vec![];
        net.visit_at(&Path::ROOT, &mut |path, p| {
            entries.push(Entry { path: path.to_string().into(), id: p.id, role: p.role() });
        });
        cached.truncate(KEPT - 1);
        cached.insert(0, Self::new(entries));
        cached[0].clone()
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

    /// The path of the layer that owns a parameter: without the parameter's own name.
    pub(crate) fn layer(&self, id: ParamId) -> Option<&str> {
        let path = self.path(id)?;
        Some(path.rsplit_once('.').map_or(path, |(layer, _)| layer))
    }
}
