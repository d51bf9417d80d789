//! Folders of IDX files, plain or gz: MNIST and its kin.
use chainrule::{
    data::{Dataset, Idx},
    prelude::*,
};
use flate2::read::GzDecoder;
use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

/// Digits to train on, and one or two sets to test on.
pub struct Digits {
    pub folder: PathBuf,
    pub train: Dataset,
    pub tests: Vec<(&'static str, Dataset)>,
}

/// The digits that lie in the repository.
pub fn repository() -> PathBuf {
    let here = PathBuf::from("data/mnist");
    if here.is_dir() { here } else { Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist") }
}

impl Digits {
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let train = load(folder, "train")?;
        let mut tests = vec![("test", load(folder, "t10k")?)];
        let official = folder.join("official-test");
        if official.is_dir() {
            tests[0].0 = "held-out";
            tests.push(("official test", load(&official, "t10k")?));
        }
        for (name, test) in &tests {
            let (a, b) = (train.x().shape()[1], test.x().shape()[1]);
            if a != b {
                let message = format!("{}: {a} pixels in train, {b} in {name}", folder.display());
                return Err(Error::new(ErrorKind::BadData, message));
            }
        }
        Ok(Self { folder: folder.to_owned(), train, tests })
    }

    /// Only the first so many, for a quick run.
    pub fn part(mut self, train: usize, test: usize) -> Result<Self, Error> {
        self.train = part(&self.train, train)?;
        for (_, all) in &mut self.tests {
            *all = part(all, test)?;
        }
        Ok(self)
    }

    pub fn pixels(&self) -> usize {
        self.train.x().shape()[1]
    }
}

fn part(all: &Dataset, n: usize) -> Result<Dataset, Error> {
    let n = n.min(all.len());
    Dataset::new(all.x().slice(0, 0..n), all.y().select(&(0..n).collect::<Vec<_>>()))
}

/// The images as rows of numbers in 0..=1, with their labels.
fn load(folder: &Path, part: &str) -> Result<Dataset, Error> {
    let images = read(folder, &format!("{part}-images-idx3-ubyte"))?;
    let [n, rows, columns] = *images.shape() else {
        let message =
            format!("{}: {part} images of shape {}, not [n, rows, columns]", folder.display(), images.shape());
        return Err(Error::new(ErrorKind::BadData, message));
    };
    let labels = read(folder, &format!("{part}-labels-idx1-ubyte"))?.labels(10);
    let x = images.tensor(1.0 / 255.0).reshape([n, rows * columns]);
    labels.and_then(|labels| Dataset::new(x, labels)).map_err(|e| e.context(folder.display()))
}

fn read(folder: &Path, name: &str) -> Result<Idx, Error> {
    let (plain, gz) = (folder.join(name), folder.join(format!("{name}.gz")));
    let path = if plain.is_file() { &plain } else { &gz };
    if !path.is_file() {
        let message = format!(
            "no {name} and no {name}.gz in {}: the digits lie in data/mnist of the repository (the published package \
             leaves them out); --data DIR names another folder",
            folder.display()
        );
        return Err(Error::new(ErrorKind::BadData, message));
    }
    let file = BufReader::new(File::open(path).map_err(|e| Error::io(path.display(), e))?);
    let from: Box<dyn Read> = if path == &gz { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
    Idx::read(from).map_err(|e| e.context(path.display()))
}
