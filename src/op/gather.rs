//! Elements picked one by one along an axis, and their transpose.
use super::shape_error;
use crate::{
    core::{Op, Saved, TensorLike, Vjp},
    error::Error,
    kernel::Picks,
    tensor::{Labels, Real, Shape, Tensor},
};

/// Whether an index fits what it points into: the same rank, ids within the axis, no other axis longer.
fn check(op: &str, into: Shape, axis: usize, index: &Labels) -> Result<(), Error> {
    let shape = index.shape();
    if axis >= into.rank() {
        return Err(shape_error(format!("{op}: axis {axis} of shape {into}, which has {} axes", into.rank())));
    }
    if shape.rank() != into.rank() {
        return Err(shape_error(format!("{op}: an index of shape {shape} for shape {into}: both need as many axes")));
    }
    if let Some(a) = (0..into.rank()).find(|&a| a != axis && shape[a] > into[a]) {
        let message = format!("{op}: an index of shape {shape} for shape {into}: axis {a} of the index is longer");
        return Err(shape_error(message));
    }
    if index.classes() > into[axis] {
        return Err(shape_error(format!(
            "{op}: ids below {} for axis {axis} of shape {into}, which has {} places",
            index.classes(),
            into[axis]
        )));
    }
    Ok(())
}

fn picks<'a>(index: &'a Labels, sizes: &'a Shape, steps: &'a crate::kernel::Axes, axis: usize) -> Picks<'a> {
    Picks { ids: index.ids(), sizes, steps, axis }
}

/// For each element of the index the element of the input at the same place, but along `axis` at that id.
#[derive(Clone, Debug)]
pub struct Gather {
    /// Which axis.
    pub axis: usize,
    /// The places along it, in the shape of the result.
    pub index: Labels,
}
impl Gather {
    pub(crate) fn check(&self, from: Shape) -> Result<(), Error> {
        check("gather", from, self.axis, &self.index)
    }
}
impl<F: Real> Op<F> for Gather {
    const NAME: &'static str = "gather";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        if let Err(e) = self.check(x[0].shape()) {
            super::fail(e);
        }
        let (sizes, steps) = (self.index.shape(), x[0].shape().steps());
        Tensor::build(sizes, |out| F::gather(picks(&self.index, &sizes, &steps, self.axis), x[0].data(), out))
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let x = cx.input(0);
        cx.give(0, || {
            let zeros = x.constant(&Tensor::filled(x.shape(), F::zero()));
            zeros.scatter_add(self.axis, &self.index, &y_bar)
        });
    }
}

/// The first input, to whose places along `axis` elements of the second one are added, in order.
#[derive(Clone, Debug)]
pub struct ScatterAdd {
    /// Which axis.
    pub axis: usize,
    /// The places along it.
    pub index: Labels,
}
impl ScatterAdd {
    pub(crate) fn check(&self, into: Shape, src: Shape) -> Result<(), Error> {
        check("scatter_add", into, self.axis, &self.index)?;
        let shape = self.index.shape();
        if src.rank() == shape.rank() && (0..src.rank()).all(|axis| shape[axis] <= src[axis]) {
            return Ok(());
        }
        Err(shape_error(format!("scatter_add: an index of shape {shape} for a source of shape {src}: it does not fit")))
    }
}
impl<F: Real> Op<F> for ScatterAdd {
    const NAME: &'static str = "scatter_add";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let (into, src) = (x[0].shape(), x[1].shape());
        if let Err(e) = self.check(into, src) {
            super::fail(e);
        }
        let (sizes, steps) = (self.index.shape(), into.steps());
        Tensor::build(into, |out| {
            F::copy(x[0].data(), out);
            F::scatter_add(picks(&self.index, &sizes, &steps, self.axis), &src.steps(), x[1].data(), out);
        })
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let (shape, index) = (cx.input(1).shape(), self.index.shape());
        cx.give(1, || {
            let used = y_bar.gather(self.axis, &self.index);
            // Elements of the source past the index were not used.
            (0..shape.rank())
                .filter(|&axis| index[axis] < shape[axis])
                .fold(used, |g, axis| g.pad_axis(axis, 0, shape[axis]))
        });
        cx.give(0, || y_bar);
    }
}
