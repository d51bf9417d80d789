//! An op of one's own, in one `impl Op`: used in a network, checked in first and second order, and run on plain tensors.
use chainrule::{
    check::{gradcheck, gradgradcheck},
    core::{Op, Saved, Vjp},
    prelude::*,
};

/// Softsign: `y = x / (1 + |x|)`, with `dy/dx = 1 / (1 + |x|)^2`.
struct Softsign;

impl<F: Real> Op<F> for Softsign {
    const NAME: &'static str = "softsign";

    fn forward(&self, x: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        x[0] / (x[0].abs() + 1.0)
    }

    // Written over the vocabulary, so that it also runs on recorded values: that gives all higher orders.
    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        let x = cx.input(0);
        cx.give(0, || y_bar / &(x.abs() + 1.0).square());
    }
}

/// The op as a method.
trait SoftsignExt: TensorLike {
    #[track_caller]
    fn softsign(&self) -> Self {
        Self::apply(Softsign, &[self])
    }
}
impl<T: TensorLike> SoftsignExt for T {}

struct Net {
    hidden: Dense,
    out: Dense,
}
module!(Net { hidden, out });

impl Layer for Net {
    fn forward<T: TensorLike<Elem = f32>>(&self, x: &T) -> T {
        self.out.forward(&self.hidden.forward(x).softsign())
    }
}

fn main() -> Result<(), Error> {
    // The rule against central differences, away from the kink of |x| in second order.
    let x = Tensor::<f64>::of([6], vec![-3.0, -1.0, -0.2, 0.3, 1.0, 2.5]);
    let first = gradcheck(std::slice::from_ref(&x), |x| x[0].softsign())?;
    let second = gradgradcheck(&[x], |x| x[0].softsign())?;
    println!("softsign: worst error {:.1e} in first order, {:.1e} in second", first.worst, second.worst);

    // In a network that learns the sign of x0 * x1.
    let mut rng = Rng::seed(7);
    let mut net = Net { hidden: Dense::new(2, 16, &mut rng), out: Dense::new(16, 2, &mut rng) };
    let x = Tensor::uniform([256, 2], -1.0, 1.0, &mut rng);
    let y = Labels::new(x.data().chunks(2).map(|p| usize::from(p[0] * p[1] > 0.0)), 2)?;
    let (mut opt, mut tape) = (Adam::new(0.02), Tape::new());
    let mut losses = vec![];
    for _ in 0..300 {
        let r = tape.begin();
        let loss = net.forward(&r.constant(&x)).softmax_cross_entropy(&y);
        let g = loss.backward(&net)?;
        opt.step(&mut net, &g)?;
        losses.push(loss.item());
    }
    let accuracy = chainrule::data::accuracy(&net.forward(&x), &y);
    println!("loss {:.3} -> {:.3}, accuracy {:.1} %", losses[0], losses[299], 100.0 * accuracy);
    assert!(accuracy > 0.95, "a network with softsign learns the sign of a product");
    Ok(())
}
