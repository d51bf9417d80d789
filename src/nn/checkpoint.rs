use crate::{
    core::{Layer, Module, Param, Path, Place, TensorLike},
    tensor::Real,
};

/// A layer whose inner values are dropped after the forward pass and computed again in the sweep:
/// [`TensorLike::checkpoint`] as a layer. Paths are those of the layer inside.
///
/// A stack of `n` equal blocks, each in a checkpoint, keeps `n` results and the inner values of one block.
///
/// ```
/// use chainrule::{nn::Checkpoint, prelude::*};
/// let mut rng = Rng::seed(1);
/// let blocks: Vec<_> = (0..4).map(|_| Checkpoint((Dense::new(8, 8, &mut rng), Tanh, Dense::new(8, 8, &mut rng)))).collect();
/// let mut tape = Tape::new();
/// let g = blocks.forward(&tape.begin().constant(&Tensor::ones([3, 8]))).square().mean().backward(&blocks)?;
/// assert!(g.get("3.2.weight").is_some());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Checkpoint<L>(pub L);

impl<F: Real, L: Module<F>> Module<F> for Checkpoint<L> {
    fn visit_at<'a>(&'a self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a Param<F>)) {
        self.0.visit_at(path, f);
    }
    fn visit_mut_at<'a>(&'a mut self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a mut Param<F>)) {
        self.0.visit_mut_at(path, f);
    }
}

impl<F: Real, L: Layer<F>> Layer<F> for Checkpoint<L> {
    // Not by `checkpoint(|x| ..)`: inside a closure the caller's line would be lost.
    #[track_caller]
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
        let start = x.place().open_checkpoint();
        let y = self.0.forward(x);
        x.place().close_checkpoint(start, &[&y]);
        y
    }
}
