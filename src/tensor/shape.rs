use crate::{
    error::{Error, ErrorKind},
    kernel::{Axes, MAX_AXES},
};
use std::{fmt, ops::Deref};

/// The sizes of up to six axes; `[]` is the shape of a single number. It dereferences to a slice.
///
/// ```
/// use chainrule::Shape;
/// let shape = Shape::from([2, 3]);
/// assert_eq!((shape.rank(), shape.size(), &shape[..]), (2, 6, &[2, 3][..]));
/// ```
// Unused axes are zero, so that copying and comparing are a few instructions: both run several times an op.
#[derive(Clone, Copy, Eq)]
pub struct Shape {
    axes: Axes,
    rank: usize,
}

impl Shape {
    /// The most axes a shape can have.
    pub const MAX_RANK: usize = MAX_AXES;
    /// The shape of a single number.
    pub const SCALAR: Self = Self { axes: [0; MAX_AXES], rank: 0 };

    /// From a slice, for shapes known only when the program runs.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] for more than six axes.
    pub fn try_new(sizes: &[usize]) -> Result<Self, Error> {
        if sizes.len() > Self::MAX_RANK {
            let message = format!("Shape: {sizes:?} has {} axes, but at most 6 are supported", sizes.len());
            return Err(Error::new(ErrorKind::Shape, message));
        }
        let mut axes = [0; MAX_AXES];
        axes[..sizes.len()].copy_from_slice(sizes);
        Ok(Self { axes, rank: sizes.len() })
    }

    /// The shape of these sizes, of which there are at most six.
    pub(crate) fn collect(sizes: impl IntoIterator<Item = usize>) -> Self {
        let mut shape = Self::SCALAR;
        for size in sizes {
            shape.axes[shape.rank] = size;
            shape.rank += 1;
        }
        shape
    }

    /// The same, with another size of one axis.
    #[inline]
    pub(crate) fn with(mut self, axis: usize, size: usize) -> Self {
        self.axes[axis] = size;
        self
    }

    /// How many axes.
    #[inline]
    pub fn rank(self) -> usize {
        self.rank
    }

    /// How many elements a tensor of this shape has.
    #[inline]
    pub fn size(self) -> usize {
        self.iter().product()
    }

    /// The number of elements, unless it overflows. Nor may the other sizes overflow if one is zero: steps and blocks
    /// are products of some of them.
    pub(crate) fn checked_size(self) -> Result<usize, Error> {
        let others = self.iter().filter(|size| **size != 0).try_fold(1usize, |n, &size| n.checked_mul(size));
        match others.filter(|&n| n <= isize::MAX as usize / 8) {
            Some(n) => Ok(if self.contains(&0) { 0 } else { n }),
            None => Err(self.too_large()),
        }
    }

    #[cold]
    fn too_large(self) -> Error {
        Error::new(ErrorKind::Shape, format!("shape {self} has more elements than memory can hold"))
    }

    /// Sizes before `axis`, of `axis`, and after it, multiplied up: the tensor as blocks.
    #[inline]
    pub(crate) fn around(self, axis: usize) -> (usize, usize, usize) {
        (self[..axis].iter().product(), self[axis], self[axis + 1..].iter().product())
    }

    /// The last axis and the product of all others; of a scalar (1, 1).
    #[inline]
    pub(crate) fn rows(self) -> (usize, usize) {
        match self.split_last() {
            Some((&n, rows)) => (rows.iter().product(), n),
            None => (1, 1),
        }
    }

    /// The step of each axis in row-major order.
    pub(crate) fn steps(self) -> Axes {
        let mut steps = [0; MAX_AXES];
        let mut step = 1;
        for axis in (0..self.rank).rev() {
            steps[axis] = step;
            step *= self.axes[axis];
        }
        steps
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    #[inline]
    fn from(shape: [usize; N]) -> Self {
        const { assert!(N <= Self::MAX_RANK, "a shape has at most six axes") } // a compile error for the caller
        let mut axes = [0; MAX_AXES];
        axes[..N].copy_from_slice(&shape);
        Self { axes, rank: N }
    }
}

/// For shapes known only when the program runs; [`Shape::try_new`] returns an error instead of a panic.
impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Self {
        Self::try_new(sizes).unwrap_or_else(|e| panic!("{e}"))
    }
}

impl Deref for Shape {
    type Target = [usize];
    #[inline]
    fn deref(&self) -> &[usize] {
        &self.axes[..self.rank]
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &**self)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &**self)
    }
}

/// Without a branch or a call (to which comparing the arrays would be compiled).
impl PartialEq for Shape {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        let mut differ = self.rank ^ other.rank;
        for i in 0..MAX_AXES {
            differ |= self.axes[i] ^ other.axes[i];
        }
        differ == 0
    }
}
