//! Where a picture or a report will be written: found out before the work, written whole or not at all.
use chainrule::{
    flow::{Figure, Report},
    prelude::*,
};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};
use tempfile::{Builder, NamedTempFile};

/// A file that can be written.
pub struct Picture {
    /// As the user named it.
    named: PathBuf,
    /// Where links end.
    file: PathBuf,
}

impl Picture {
    /// Makes sure that the file can be written, and changes nothing.
    pub fn open(named: &Path) -> Result<Self, Error> {
        let failed = |e: io::Error| Error::io(named.display(), e);
        let file = match fs::canonicalize(named) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => named.to_owned(),
            Err(e) => return Err(failed(e)),
        };
        let picture = Self { named: named.to_owned(), file };
        match fs::metadata(&picture.file) {
            Ok(known) if known.is_dir() => return Err(failed(io::ErrorKind::IsADirectory.into())),
            Ok(known) if known.permissions().readonly() => return Err(failed(io::ErrorKind::PermissionDenied.into())),
            Ok(known) if !known.is_file() => fs::OpenOptions::new().write(true).open(&picture.file).map(drop),
            _ => picture.beside().map(drop),
        }
        .map_err(failed)?;
        Ok(picture)
    }

    /// A new file in the same folder, gone when dropped.
    fn beside(&self) -> io::Result<NamedTempFile> {
        if self.file.file_name().is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file"));
        }
        let folder = self.file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("no folder {}", folder.display())));
        }
        let mut builder = Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        // Its error names a file that the user never wrote.
        builder.tempfile_in(folder).map_err(|e| e.kind().into())
    }

    /// Writes the picture, whole or not at all, and says so.
    pub fn write(&self, figure: &Figure) -> Result<(), Error> {
        self.put(&figure.svg())?;
        println!("The picture is in {}\n", self.named.display());
        Ok(())
    }

    /// Writes a report as a page, whole or not at all, and says so.
    pub fn write_report(&self, report: &Report) -> Result<(), Error> {
        self.put(&report.html())?;
        println!("The report is in {}\n", self.named.display());
        Ok(())
    }

    fn put(&self, text: &str) -> Result<(), Error> {
        let failed = |e: io::Error| Error::io(self.named.display(), e);
        if fs::metadata(&self.file).is_ok_and(|known| !known.is_file()) {
            // A device or a pipe: nothing there to be replaced.
            fs::write(&self.file, text).map_err(failed)?;
        } else {
            let mut new = self.beside().map_err(failed)?;
            new.write_all(text.as_bytes()).map_err(failed)?;
            if let Ok(known) = fs::metadata(&self.file) {
                new.as_file().set_permissions(known.permissions()).map_err(failed)?;
            }
            new.as_file().sync_all().map_err(failed)?;
            new.persist(&self.file).map_err(|e| failed(e.error))?;
        }
        Ok(())
    }
}
