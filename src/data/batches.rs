use crate::{
    core::TensorLike,
    error::{Error, ErrorKind},
    rng::Rng,
    tensor::{Labels, Real, Tensor},
};

/// Examples with their classes.
///
/// ```
/// use chainrule::{data::Dataset, prelude::*};
/// let data = Dataset::new(Tensor::zeros([10, 4]), Labels::new((0..10).map(|i| i % 3), 3)?)?;
/// let mut rng = Rng::seed(1);
/// let sizes: Vec<_> = data.batches(4, &mut rng).map(|(x, y)| (x.shape()[0], y.len())).collect();
/// assert_eq!(sizes, [(4, 4), (4, 4), (2, 2)]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dataset<F: Real = f32> {
    x: Tensor<F>,
    y: Labels,
}

impl<F: Real> Dataset<F> {
    /// Examples along the first axis of `x`, one label each.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if the numbers of examples and labels differ.
    pub fn new(x: Tensor<F>, y: Labels) -> Result<Self, Error> {
        if x.shape().first() == Some(&y.len()) {
            return Ok(Self { x, y });
        }
        let message = format!(
            "Dataset: examples of shape {} with {} labels: each place of the first axis needs one",
            x.shape(),
            y.len()
        );
        Err(Error::new(ErrorKind::Shape, message))
    }

    /// The examples.
    pub fn x(&self) -> &Tensor<F> {
        &self.x
    }

    /// The labels.
    pub fn y(&self) -> &Labels {
        &self.y
    }

    /// How many examples.
    pub fn len(&self) -> usize {
        self.y.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.y.is_empty()
    }

    /// One pass over all examples in random order, `size` at a time; the last batch may be smaller. The order is drawn at
    /// once, so `rng` is free again.
    ///
    /// # Panics
    /// If `size` is 0.
    #[track_caller]
    pub fn batches(&self, size: usize, rng: &mut Rng) -> Batches<'_, F> {
        let mut batches = self.batches_in_order(size);
        rng.shuffle(&mut batches.order);
        batches
    }

    /// The same in the order of the data.
    ///
    /// # Panics
    /// If `size` is 0.
    #[track_caller]
    pub fn batches_in_order(&self, size: usize) -> Batches<'_, F> {
        assert!(size > 0, "batches: a batch needs at least 1 example");
        Batches { data: self, order: (0..self.len()).collect(), size, next: 0 }
    }
}

/// The batches of one pass, made by [`Dataset::batches`].
#[derive(Clone, Debug)]
pub struct Batches<'a, F: Real = f32> {
    data: &'a Dataset<F>,
    order: Vec<usize>,
    size: usize,
    next: usize,
}

impl<F: Real> Iterator for Batches<'_, F> {
    type Item = (Tensor<F>, Labels);

    fn next(&mut self) -> Option<Self::Item> {
        let rows = &self.order[self.next..self.order.len().min(self.next.saturating_add(self.size))];
        if rows.is_empty() {
            return None;
        }
        self.next += rows.len();
        let (x, inner) = (self.data.x.data(), self.data.x.shape()[1..].iter().product::<usize>());
        let batch = Tensor::build(self.data.x.shape().with(0, rows.len()), |out| {
            for (i, &row) in rows.iter().enumerate() {
                F::copy(&x[row * inner..][..inner], &mut out[i * inner..][..inner]);
            }
        });
        Some((batch, self.data.y.select(rows)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.order.len() - self.next).div_ceil(self.size);
        (left, Some(left))
    }
}

impl<F: Real> ExactSizeIterator for Batches<'_, F> {}

/// The share of rows of `logits` (`[rows, classes]`) whose largest entry is at the label; NaN for no rows. The first of
/// several largest counts; a row with a NaN counts as wrong.
///
/// # Panics
/// If the number of rows or classes differs from the labels'.
#[track_caller]
pub fn accuracy<F: Real>(logits: &Tensor<F>, labels: &Labels) -> f64 {
    let shape = TensorLike::shape(logits);
    assert!(
        *shape == [labels.len(), labels.classes()],
        "accuracy: logits {shape} with {} labels of {} classes: a row for each label and a column for each class are needed",
        labels.len(),
        labels.classes()
    );
    let right = |row: &[F], label: u32| {
        let top = row[label as usize];
        row.iter().enumerate().all(|(k, &x)| if k < label as usize { x < top } else { x <= top })
    };
    let rows = logits.data().chunks_exact(labels.classes().max(1)).zip(labels.ids());
    rows.filter(|(row, label)| right(row, **label)).count() as f64 / labels.len() as f64
}
