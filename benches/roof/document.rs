//! The part of a document that is written by this bench.
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// A document whose markers were found.
pub(crate) struct Document {
    path: PathBuf,
}

impl Document {
    /// Looks before anything is measured whether the file can be written to later.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let document = Self { path: path.to_owned() };
        document.replaced("").map(|_| document)
    }

    /// Replaces the text between the markers, or leaves the file as it was.
    pub(crate) fn write(&self, text: &str) -> Result<(), String> {
        let whole = self.replaced(text)?;
        let beside = self.path.with_extension("md.new");
        let written = fs::write(&beside, whole).and_then(|()| fs::rename(&beside, &self.path));
        written.map_err(|e| {
            // What could not be moved is of no use.
            drop(fs::remove_file(&beside));
            self.failed(&e)
        })
    }

    fn replaced(&self, text: &str) -> Result<String, String> {
        let old = fs::read_to_string(&self.path).map_err(|e| self.failed(&e))?;
        replaced(&old, text).map_err(|e| format!("{}: {e}", self.path.display()))
    }

    fn failed(&self, e: &io::Error) -> String {
        format!("{}: {e}", self.path.display())
    }
}

/// `old` with `text` between the markers, each on a line of its own.
pub(crate) fn replaced(old: &str, text: &str) -> Result<String, String> {
    let once = |marker: &str| match old.match_indices(marker).collect::<Vec<_>>()[..] {
        [(at, _)] => Ok(at),
        ref all => Err(format!("{} times {marker}, which must be there once", all.len())),
    };
    let (begin, end) = (once(BEGIN)?, once(END)?);
    if end < begin {
        return Err(format!("{END} stands before {BEGIN}"));
    }
    let (before, after) = (&old[..begin + BEGIN.len()], &old[end..]);
    Ok(format!("{before}\n{}\n{after}", text.trim_matches('\n')))
}
