//! The product over some axes.
use super::reduce::Reduction;
use crate::{
    core::{Op, Saved, TensorLike, Vjp},
    tensor::{Real, Tensor},
};
use smallvec::SmallVec;

/// The product over some axes. Its derivative is the product of all others, found without a division: zeros are right.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    pub(crate) over: Reduction,
}
impl<F: Real> Op<F> for Product {
    const NAME: &'static str = "prod";
    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        self.over.run_rows(x[0], F::products)
    }
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let x = cx.input(0);
        cx.give(0, || {
            let others = self.over.unrows(&products_of_others(&self.over.rows(x)), x.shape());
            TensorLike::chain(&self.over.wide(&y_bar, x), &others)
        });
    }
}

/// For each element of a row `[rows, n]` the product of all others. Upwards through a tree, in which the two halves of a row
/// are multiplied until one number is left; then down again, each half by what the other one holds: O(n) work and O(log n)
/// ops, each of which has its own rule.
fn products_of_others<T: TensorLike>(x: &T) -> T {
    let part = |t: &T, from, to| t.slice(1, from..to);
    let mut levels = SmallVec::<[T; 16]>::new();
    let mut level = x.clone();
    while level.shape()[1] > 1 {
        let (n, half) = (level.shape()[1], level.shape()[1].div_ceil(2));
        let mut product = TensorLike::mul(&part(&level, 0, n - half), &part(&level, half, n));
        if n % 2 == 1 {
            product = T::concat(&[&product, &part(&level, half - 1, half)], 1);
        }
        levels.push(std::mem::replace(&mut level, product));
    }
    let mut others = x.constant(&Tensor::filled(level.shape(), num_traits::one()));
    while let Some(level) = levels.pop() {
        let (n, half) = (level.shape()[1], level.shape()[1].div_ceil(2));
        let above = part(&others, 0, n - half);
        let low = TensorLike::mul(&above, &part(&level, half, n));
        let high = TensorLike::mul(&above, &part(&level, 0, n - half));
        let alone = (n % 2 == 1).then(|| part(&others, half - 1, half));
        others = match &alone {
            Some(alone) => T::concat(&[&low, alone, &high], 1),
            None => T::concat(&[&low, &high], 1),
        };
    }
    others
}
