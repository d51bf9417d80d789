//! Matrix products.
use super::{fail, shape::common_shape, shape_error};
use crate::{
    core::{Op, Saved, TensorLike, Vjp},
    error::Error,
    kernel::{Accum, Gemm},
    tensor::{Real, Shape, Tensor},
};

/// The product of the last two axes, over a batch of the others. Closed under its own rule: the four transpositions
/// need no transposed copies.
#[derive(Clone, Copy, Debug)]
pub struct MatMul {
    /// The first operand is transposed.
    pub ta: bool,
    /// The second operand is transposed.
    pub tb: bool,
}

/// A product of two shapes.
struct Plan {
    batch: Shape,
    m: usize,
    k: usize,
    n: usize,
}

impl Plan {
    fn new(a: Shape, b: Shape, ta: bool, tb: bool) -> Result<Self, Error> {
        let ([.., a1, a2], [.., b1, b2]) = (&*a, &*b) else {
            return Err(shape_error(format!(
                "matmul: {a} x {b}: each operand needs at least 2 axes; reshape a vector"
            )));
        };
        let (m, k) = if ta { (*a2, *a1) } else { (*a1, *a2) };
        let (l, n) = if tb { (*b2, *b1) } else { (*b1, *b2) };
        let mark = |t| if t { "^T" } else { "" };
        if k != l {
            let (ta, tb) = (mark(ta), mark(tb));
            return Err(shape_error(format!("matmul: {a}{ta} x {b}{tb}: inner sizes {k} and {l} differ")));
        }
        let batch = |s: Shape| Shape::collect(s[..s.rank() - 2].iter().copied());
        let batch = common_shape("batches", batch(a), batch(b)).map_err(|e| e.context(format!("matmul: {a} x {b}")))?;
        let plan = Self { batch, m, k, n };
        // Operands of inner size 0 are small, however large the product is.
        plan.shape().checked_size().map_err(|e| e.context("matmul"))?;
        Ok(plan)
    }

    fn shape(&self) -> Shape {
        Shape::collect(self.batch.iter().copied().chain([self.m, self.n]))
    }

    fn gemm(&self, ta: bool, tb: bool) -> Gemm {
        Gemm { m: self.m, n: self.n, k: self.k, ta, tb, mode: Accum::Replace }
    }
}

impl MatMul {
    pub(crate) fn check(a: Shape, b: Shape, ta: bool, tb: bool) -> Result<(), Error> {
        Plan::new(a, b, ta, tb).map(|_| ())
    }

    /// Whether the batch of `a` can be taken as further rows: one product instead of many.
    fn folds(self, a: Shape, b: Shape) -> bool {
        !self.ta && a.rank() > 2 && b.rank() == 2
    }
}

/// `[.., m, k]` as `[rows, k]`.
fn folded(shape: Shape) -> [usize; 2] {
    let (rows, k) = shape.rows();
    [rows, k]
}

impl<F: Real> Op<F> for MatMul {
    const NAME: &'static str = "matmul";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let Self { ta, tb } = *self;
        let (a, b) = (x[0], x[1]);
        let plan = match Plan::new(a.shape(), b.shape(), ta, tb) {
            Ok(plan) => plan,
            Err(e) => fail(e),
        };
        let mut gemm = plan.gemm(ta, tb);
        if self.folds(a.shape(), b.shape()) {
            gemm.m = folded(a.shape())[0];
            return Tensor::build(plan.shape(), |out| product(gemm, a.data(), b.data(), out));
        }
        let (a_size, b_size, size) = (plan.m * plan.k, plan.k * plan.n, plan.m * plan.n);
        let (a_starts, b_starts) = (Starts::new(a.shape(), plan.batch), Starts::new(b.shape(), plan.batch));
        Tensor::build(plan.shape(), |out| {
            for i in 0..plan.batch.size() {
                let a = &a.data()[a_starts.at(i) * a_size..][..a_size];
                let b = &b.data()[b_starts.at(i) * b_size..][..b_size];
                product(gemm, a, b, &mut out[i * size..][..size]);
            }
        })
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let (a, b, Self { ta, tb }) = (cx.input(0), cx.input(1), *self);
        cx.give(0, || {
            let a_bar = if ta { b.matmul_with(&y_bar, tb, true) } else { y_bar.matmul_with(b, false, !tb) };
            a_bar.sum_to(a.shape())
        });
        cx.give(1, || {
            if self.folds(a.shape(), b.shape()) {
                let (a, y_bar) = (a.reshape(folded(a.shape())), y_bar.reshape(folded(y_bar.shape())));
                return if tb { y_bar.matmul_tn(&a) } else { a.matmul_tn(&y_bar) };
            }
            let b_bar = if tb { y_bar.matmul_with(a, true, ta) } else { a.matmul_with(&y_bar, !ta, false) };
            b_bar.sum_to(b.shape())
        });
    }
}

/// The product, from transposed copies of what would be packed transposed anyway: our copies are faster, they recycle their
/// memory, and untransposed products are faster on several threads.
fn product<F: Real>(g: Gemm, a: &[F], b: &[F], out: &mut [F]) {
    // Up to 128 columns the crate does not pack `a`.
    if g.ta && g.m >= 16 && g.n > 128 {
        let a = Tensor::build([g.m, g.k], |copy| F::transpose(g.k, g.m, a, copy));
        return product(Gemm { ta: false, ..g }, a.data(), b, out);
    }
    // One row, or few results, are dot products along `b` as it lies.
    if g.tb && g.m > 1 && g.n >= 16 && g.m * g.n > 256 {
        let b = Tensor::build([g.k, g.n], |copy| F::transpose(g.n, g.k, b, copy));
        return F::gemm(Gemm { tb: false, ..g }, a, b.data(), out);
    }
    F::gemm(g, a, b, out);
}

/// Which matrix of an operand belongs to each place of the broadcast batch.
struct Starts {
    batch: Shape,
    own: Shape,
}

impl Starts {
    fn new(operand: Shape, batch: Shape) -> Self {
        Self { batch, own: Shape::collect(operand[..operand.rank() - 2].iter().copied()) }
    }

    fn at(&self, mut i: usize) -> usize {
        let (mut start, mut step) = (0, 1);
        for axis in (0..self.batch.rank()).rev() {
            let place = i % self.batch[axis];
            i /= self.batch[axis];
            if let Some(own) = (axis + self.own.rank()).checked_sub(self.batch.rank()) {
                start += if self.own[own] == 1 { 0 } else { place * step };
                step *= self.own[own];
            }
        }
        start
    }
}

/// `x w^T + b`, with weights `[out, in]`: the bias is where the product starts from.
#[derive(Clone, Copy, Debug)]
pub struct Linear;
impl<F: Real> Op<F> for Linear {
    const NAME: &'static str = "linear";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        let [shape, w, b] = [x[0].shape(), x[1].shape(), x[2].shape()];
        let (rows, k) = shape.rows();
        let &[n, inputs] = &*w else {
            fail(shape_error(format!("linear: weight of shape {w}, not [out, in]")));
        };
        if shape.rank() == 0 || k != inputs {
            fail(shape_error(format!("linear: {shape} with weight {w}: the layer takes {inputs} inputs, got {k}")));
        }
        if *b != [n] {
            fail(shape_error(format!("linear: bias {b} with weight {w}, which has {n} outputs")));
        }
        let gemm = Gemm { m: rows, n, k, ta: false, tb: true, mode: Accum::Add };
        let shape = shape.with(shape.rank() - 1, n);
        if let Err(e) = shape.checked_size() {
            fail(e.context("linear"));
        }
        Tensor::build(shape, |out| {
            F::strided(&[rows, n], &[0, 1], x[2].data(), out);
            product(gemm, x[0].data(), x[1].data(), out);
        })
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let (x, w, b) = (cx.input(0), cx.input(1), cx.input(2));
        cx.give(1, || y_bar.reshape(folded(y_bar.shape())).matmul_tn(&x.reshape(folded(x.shape()))));
        cx.give(2, || y_bar.sum_to(b.shape()));
        cx.give(0, || match x.shape().rank() {
            1 => y_bar.reshape(folded(y_bar.shape())).matmul(w).reshape(x.shape()),
            _ => y_bar.matmul(w),
        });
    }
}
