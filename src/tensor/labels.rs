use super::{
    Shape,
    pool::{give_ids, take_ids},
};
use crate::{
    error::{Error, ErrorKind},
    kernel::Storage,
};
use std::panic::Location;

/// Class numbers, checked once when they are made; sharing them is free. They lie along one axis, or in a shape given by
/// [`Labels::reshape`].
///
/// ```
/// use chainrule::Labels;
/// let y = Labels::new([2, 0, 1], 3)?;
/// assert_eq!((y.ids(), y.classes()), (&[2, 0, 1][..], 3));
/// let e = Labels::new([2, 3], 3).unwrap_err();
/// assert_eq!(e.to_string(), "Labels: entry 1 is 3, but there are 3 classes (0 to 2)");
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    ids: Ids,
    classes: usize,
    shape: Shape,
}

/// Shared storage that is recycled; `None` only while dropping.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ids(Option<Storage<u32>>);

impl Drop for Ids {
    fn drop(&mut self) {
        if let Some(ids) = self.0.take() {
            give_ids(ids);
        }
    }
}

impl Labels {
    /// Class numbers below `classes`.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`] names the first entry that is not below `classes`.
    pub fn new(ids: impl IntoIterator<Item = usize>, classes: usize) -> Result<Self, Error> {
        if classes > u32::MAX as usize {
            return Err(Error::new(ErrorKind::BadData, format!("Labels: {classes} classes are more than 2^32 - 1")));
        }
        let mut bad = None;
        let narrow = |(at, id)| {
            if id >= classes && bad.is_none() {
                bad = Some((at, id));
            }
            id as u32
        };
        let ids: Vec<u32> = ids.into_iter().enumerate().map(narrow).collect();
        match bad {
            None => Ok(Self::build([ids.len()].into(), classes, |own| own.copy_from_slice(&ids))),
            Some((at, id)) => {
                let range = if classes == 0 { String::new() } else { format!(" (0 to {})", classes - 1) };
                Err(Error::new(
                    ErrorKind::BadData,
                    format!("Labels: entry {at} is {id}, but there are {classes} classes{range}"),
                ))
            }
        }
    }

    /// Takes a recycled buffer and lets `write` fill it with numbers below `classes`.
    pub(crate) fn build(shape: Shape, classes: usize, write: impl FnOnce(&mut [u32])) -> Self {
        let size = shape.size();
        Self { ids: Ids(Some(take_ids(size).filled(size, write))), classes, shape }
    }

    /// The class numbers, row after row.
    #[inline]
    pub fn ids(&self) -> &[u32] {
        self.ids.0.as_deref().unwrap_or(&[])
    }

    /// How many classes there are.
    #[inline]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The sizes of their axes.
    #[inline]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The same numbers, row after row, in another shape.
    ///
    /// # Panics
    /// If the sizes differ.
    ///
    /// ```
    /// use chainrule::Labels;
    /// let ids = Labels::new([2, 0, 1, 1], 3)?.reshape([2, 2]);
    /// assert_eq!(*ids.shape(), [2, 2]);
    /// # Ok::<(), chainrule::Error>(())
    /// ```
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        if shape.checked_size().is_ok_and(|size| size == self.len()) {
            return Self { shape, ..self.clone() };
        }
        panic!("Labels::reshape: {} labels do not fill shape {shape} ({})", self.len(), Location::caller());
    }

    /// How many labels.
    #[inline]
    pub fn len(&self) -> usize {
        self.ids().len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ids().is_empty()
    }

    /// The labels at `rows`, in that order, along one axis.
    ///
    /// # Panics
    /// If a row is past the end.
    #[track_caller]
    pub fn select(&self, rows: &[usize]) -> Self {
        let own = self.ids();
        for &row in rows {
            assert!(row < own.len(), "Labels::select: row {row} of {} labels", own.len());
        }
        let pick = |ids: &mut [u32]| ids.iter_mut().zip(rows).for_each(|(id, &row)| *id = own[row]);
        Self::build([rows.len()].into(), self.classes, pick)
    }
}
