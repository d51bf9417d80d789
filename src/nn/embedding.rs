use super::Init;
use crate::{
    core::{Param, Place, TensorLike},
    error::{Error, ErrorKind},
    module,
    rng::Rng,
    tensor::{Labels, Real, Shape, Tensor},
};
use std::panic::Location;

/// A table of vectors, `[num, dim]`: each id becomes its row. Repeated ids add their gradients.
///
/// It has no input tensor, so its forward asks where to work: on a recording, or [`Eager`](crate::Eager).
///
/// ```
/// use chainrule::prelude::*;
/// let mut rng = Rng::seed(1);
/// let table = Embedding::<f32>::new(100, 16, &mut rng);
/// let ids = Labels::new([7, 0, 7, 99, 1, 2], 100)?;
/// assert_eq!(*table.forward(Eager::HERE, &ids).shape(), [6, 16]);
/// let mut tape = Tape::new();
/// let r = tape.begin();
/// let x = table.forward(r, &ids.reshape([2, 3])); // two sentences of three words
/// assert_eq!(*x.shape(), [2, 3, 16]);
/// let g = x.sum().backward(&table)?;
/// assert_eq!(g.get("weight").unwrap().at([7, 0]), 2.0);
/// # Ok::<(), Error>(())
/// ```
///
/// A tied output layer is the same `Param` used once more: [`Embedding::scores`].
#[derive(Clone, Debug)]
pub struct Embedding<F: Real = f32> {
    /// `[num, dim]`.
    pub weight: Param<F>,
    padding: Option<usize>,
}
module!(Embedding<F> { weight; skip padding });

impl<F: Real> Embedding<F> {
    /// Vectors from `N(0, 1)`, PyTorch's default.
    pub fn new(num: usize, dim: usize, rng: &mut Rng) -> Self {
        Self::with_init(num, dim, Init::Normal { mean: 0.0, std: 1.0 }, rng)
    }

    /// Vectors by `init`.
    pub fn with_init(num: usize, dim: usize, init: Init, rng: &mut Rng) -> Self {
        Self { weight: Param::new(init.tensor([num, dim], rng)), padding: None }
    }

    /// The row of this id becomes 0 and gets no gradient from look-ups: it stands for "nothing here".
    ///
    /// # Errors
    /// [`ErrorKind::BadData`] if there is no such row.
    pub fn padding(mut self, id: usize) -> Result<Self, Error> {
        let (num, dim) = (self.len(), self.dim());
        if id >= num {
            let message = format!("Embedding: padding index {id}, but there are {num} vectors");
            return Err(Error::new(ErrorKind::BadData, message));
        }
        self.weight.value.data_mut()[id * dim..(id + 1) * dim].fill(F::zero());
        self.padding = Some(id);
        Ok(self)
    }

    /// How many vectors there are.
    pub fn len(&self) -> usize {
        self.weight.value.shape()[0]
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The size of a vector.
    pub fn dim(&self) -> usize {
        self.weight.value.shape()[1]
    }

    /// The vector of each id: `[ids.shape().., dim]`.
    ///
    /// # Panics
    /// If `ids` may exceed the table, or have six axes already.
    #[track_caller]
    pub fn forward<P: Place<Elem = F>>(&self, place: P, ids: &Labels) -> P::Array {
        let shape = ids.shape();
        if shape.rank() == Shape::MAX_RANK {
            panic!("Embedding: ids of shape {shape} leave no axis for the vectors: at most 6 ({})", Location::caller());
        }
        let w = place.param(&self.weight);
        let mut y = w.index_select(0, ids);
        if let Some(padding) = self.padding {
            let kept = Tensor::from_fn([ids.len(), 1], |i| f64::from(ids.ids()[i] as usize != padding));
            y = place.constant(&kept).where_cond(&y, &y.detach());
        }
        if shape.rank() != 1 {
            y = y.reshape(Shape::collect(shape.iter().copied().chain([self.dim()])));
        }
        y.tag(&self.weight)
    }

    /// `h w^T` for `h` of `[.., dim]`: how well each vector fits, `[.., num]`. As the last layer of a network that begins with
    /// this table, it ties the weights: one parameter, two uses, whose gradients add.
    ///
    /// # Panics
    /// If the last axis of `h` is not `dim`, or there are fewer than two axes.
    #[track_caller]
    pub fn scores<T: TensorLike<Elem = F>>(&self, h: &T) -> T {
        h.matmul_nt(&h.param(&self.weight))
    }
}
