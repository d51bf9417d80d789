//! The parameters of a program of single numbers, as a module: what optimizers, links and observers know by path.
use crate::{
    core::{self, Grads, Module, Observer, Op, Param, Path, Role, Saved, Table, TensorLike, Vjp},
    error::{Error, ErrorKind},
    scalar::{Scalar, Tape, Var},
    tensor::{Real, Tensor},
};
use std::{fmt, ops::Range, sync::Arc};

/// Parameters of a program of [`scalar::Var`](Var)s: `N` named groups of numbers, f64 or f32.
///
/// It is a [`Module`] with a parameter of shape `[len]` for each group, and gradients are [`Grads`]; so every optimizer, link,
/// schedule and checkpoint works on it as on tensors, bit for bit, with the groups' names as paths.
///
/// ```
/// use chainrule::{optim::Numbers, prelude::*, scalar};
/// let data = [(0.0, 1.0), (1.0, 3.1), (2.0, 4.9)];
/// let mut model = Numbers::new([("slope", vec![0.0f64]), ("offset", vec![0.0])]);
/// let (mut tape, mut opt) = (scalar::Tape::new(), (ClipGlobalNorm::new(10.0), Adam::new(0.1)));
/// for _ in 0..500 {
///     let (_loss, grads) = model.value_and_grad(&mut tape, |[w, b]| {
///         data.iter().map(|(x, y)| (w[0] * *x + b[0] - *y).square()).sum()
///     })?;
///     opt.step(&mut model, &grads)?;
/// }
/// assert!((model.values("slope")[0] - 1.95).abs() < 1e-3);
/// # Ok::<(), Error>(())
/// ```
/// A group is frozen by [`Module::freeze`]; its numbers stay variables of the program, but get no gradient. Roles, values and
/// whatever else belongs to a module are reached as for any other: `model.param("slope")?`.
///
/// A gradient that is not finite is refused where others are: by the optimizer's step, which names the group and changes nothing,
/// unless a clip before it says otherwise ([`NonFinite`](super::NonFinite)). A number that the loss does not depend on has
/// gradient 0, as in [`scalar::grad`](crate::scalar::grad).
#[derive(Clone)]
pub struct Numbers<F: Real, const N: usize> {
    groups: [(Box<str>, Param<F>); N],
    /// The flat point and gradient, and the paths: kept, so that a warm evaluation allocates nothing.
    point: Vec<F>,
    gradient: Vec<F>,
    tables: Vec<Arc<Table>>,
}

impl<F: Real + Scalar, const N: usize> Numbers<F, N> {
    /// Named groups of numbers, all trained.
    ///
    /// # Panics
    /// If a name is empty or stands twice; [`try_new`](Self::try_new) returns an error instead.
    #[track_caller]
    pub fn new(groups: [(&str, Vec<F>); N]) -> Self {
        match Self::try_new(groups) {
            Ok(numbers) => numbers,
            Err(e) => panic!("{e}"),
        }
    }

    /// [`new`](Self::new) with an error instead of a panic.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`] if a name is empty or stands twice: gradients and the optimizer's state are kept by name.
    pub fn try_new(groups: [(&str, Vec<F>); N]) -> Result<Self, Error> {
        for (k, (name, _)) in groups.iter().enumerate() {
            let fault = match () {
                () if name.is_empty() => format!("group {k} has no name"),
                () if groups[..k].iter().any(|(other, _)| other == name) => {
                    format!("two groups have the name \"{name}\"")
                }
                () => continue,
            };
            let help = "help: gradients and the state of optimizers are kept by name";
            return Err(Error::new(ErrorKind::BadData, format!("Numbers::new: {fault}\n{help}")));
        }
        let groups = groups.map(|(name, x)| (name.into(), Param::new(Tensor::of([x.len()], x))));
        Ok(Self { groups, point: vec![], gradient: vec![], tables: vec![] })
    }

    /// The numbers of a group.
    ///
    /// # Panics
    /// If there is no such group; [`Module::param`] returns an error instead.
    #[track_caller]
    pub fn values(&self, name: &str) -> &[F] {
        match self.groups.iter().find(|(group, _)| **group == *name) {
            Some((_, p)) => p.value.data(),
            None => panic!("Numbers::values: there is no group \"{name}\", but {:?}", self.names()),
        }
    }

    /// The numbers of every group, in the order of [`new`](Self::new): `let [w, m] = model.all();`, for the program on plain
    /// numbers.
    pub fn all(&self) -> [&[F]; N] {
        self.groups.each_ref().map(|(_, p)| p.value.data())
    }

    /// The names of the groups, in the order of [`new`](Self::new).
    pub fn names(&self) -> [&str; N] {
        self.groups.each_ref().map(|(name, _)| &**name)
    }

    /// All numbers in one vector, group after group: a point for other evaluations, such as
    /// [`scalar::Compiled`](crate::scalar::Compiled).
    pub fn flat(&self) -> Vec<F> {
        self.all().concat()
    }

    /// The loss and its gradients. The function gets a slice of variables for each group, in the order of [`new`](Self::new).
    ///
    /// Nothing is allocated after the first evaluation, if the function allocates nothing and the gradients are dropped.
    ///
    /// # Errors
    /// [`ErrorKind::NoGradient`] if the loss is a constant: it depends on no number of the model.
    ///
    /// # Panics
    /// As `loss`, and if it gives a variable of another tape.
    #[track_caller]
    pub fn value_and_grad<G>(&mut self, tape: &mut Tape<F>, loss: G) -> Result<(F, Grads<F>), Error>
    where
        G: for<'t> FnOnce([&[Var<'t, F>]; N]) -> Var<'t, F>,
    {
        let value = self.evaluate(tape, loss)?;
        let gradient = std::mem::take(&mut self.gradient);
        let grads = self.sorted(&gradient);
        self.gradient = gradient;
        Ok((value, grads?))
    }

    /// [`value_and_grad`](Self::value_and_grad) that shows itself to an observer, such as
    /// [`flow::Monitor`](crate::flow::Monitor), as a recording of one op, `program`, on the groups. It allocates.
    ///
    /// ```
    /// use chainrule::{flow::GradNorms, optim::Numbers, prelude::*, scalar};
    /// let mut model = Numbers::new([("w", vec![3.0, 4.0])]);
    /// let mut norms = GradNorms::new();
    /// model.value_and_grad_with(&mut scalar::Tape::new(), |[w]| (w[0] * w[0] + w[1] * w[1]) * 0.5, &mut norms)?;
    /// assert_eq!(norms.gradient("w").unwrap().norms, [5.0]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`value_and_grad`](Self::value_and_grad), and the first error of the observer.
    ///
    /// # Panics
    /// As [`value_and_grad`](Self::value_and_grad).
    #[track_caller]
    pub fn value_and_grad_with<G>(
        &mut self,
        tape: &mut Tape<F>,
        loss: G,
        observer: &mut impl Observer<F>,
    ) -> Result<(F, Grads<F>), Error>
    where
        G: for<'t> FnOnce([&[Var<'t, F>]; N]) -> Var<'t, F>,
    {
        let value = self.evaluate(tape, loss)?;
        let mut recordings = core::Tape::new();
        let r = recordings.begin();
        let x = self.groups.each_ref().map(|(_, p)| r.param(p));
        let program = Program { value, gradients: self.ranges().map(|range| tensor(&self.gradient[range])) };
        let loss = core::Var::apply(program, &x.each_ref());
        Ok((value, loss.backward_with(&*self, observer)?))
    }

    /// Gradients that were computed otherwise: a number for each of [`flat`](Self::flat). Those of frozen groups are left out.
    ///
    /// ```
    /// use chainrule::{optim::Numbers, prelude::*, scalar::Compiled};
    /// let mut model = Numbers::new([("w", vec![3.0]), ("v", vec![1.0, 2.0])]);
    /// let mut f = Compiled::record(|x| x[0] * x[1] * x[2], &model.flat());
    /// let mut flat = [0.0; 3];
    /// f.value_and_grad(&model.flat(), &mut flat);
    /// let grads = model.grads_from(&flat)?;
    /// assert_eq!(grads.get("v").unwrap().data(), [6.0, 3.0]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if there are not as many.
    pub fn grads_from(&mut self, flat: &[F]) -> Result<Grads<F>, Error> {
        let count = self.count();
        if flat.len() != count {
            let sizes: Vec<_> =
                self.groups.iter().map(|(name, p)| format!("\"{name}\" {}", p.value.data().len())).collect();
            let message = format!("grads_from: {} numbers for a model of {count}: {}", flat.len(), sizes.join(", "));
            return Err(Error::new(ErrorKind::Mismatch, message));
        }
        self.sorted(flat)
    }

    /// The value of the loss; its derivatives are left in `self.gradient`.
    #[track_caller]
    fn evaluate<G>(&mut self, tape: &mut Tape<F>, loss: G) -> Result<F, Error>
    where
        G: for<'t> FnOnce([&[Var<'t, F>]; N]) -> Var<'t, F>,
    {
        let ranges = self.ranges();
        self.point.clear();
        self.groups.iter().for_each(|(_, p)| self.point.extend_from_slice(p.value.data()));
        self.gradient.resize(self.point.len(), F::lit(0.0));
        let mut constant = false;
        let value = tape.value_and_grad(
            |x| {
                let y = loss(ranges.map(|range| &x[range]));
                constant = y.is_constant();
                y
            },
            &self.point,
            &mut self.gradient,
        );
        if constant && self.groups.iter().any(|(_, p)| p.role() == Role::Trained) {
            return Err(no_gradient(&self.names()));
        }
        Ok(value)
    }

    /// Where each group stands in the flat point.
    fn ranges(&self) -> [Range<usize>; N] {
        let mut end = 0;
        self.groups.each_ref().map(|(_, p)| {
            let start = end;
            end += p.value.data().len();
            start..end
        })
    }

    /// A flat gradient by path.
    fn sorted(&mut self, flat: &[F]) -> Result<Grads<F>, Error> {
        let mut tables = std::mem::take(&mut self.tables);
        let table = Table::of(&mut tables, self);
        self.tables = tables;
        let mut grads = Grads::new(table?);
        for ((_, p), range) in self.groups.iter().zip(self.ranges()) {
            if p.role() == Role::Trained {
                grads.put(p.id, tensor(&flat[range]));
            }
        }
        Ok(grads)
    }
}

fn tensor<F: Real>(x: &[F]) -> Tensor<F> {
    Tensor::build([x.len()], |out| F::copy(x, out))
}

#[cold]
fn no_gradient(names: &[&str]) -> Error {
    let message = format!(
        "value_and_grad: the loss is a constant: it depends on no number of {names:?}\n\
         help: `.value()` and `Var::constant` cut derivatives off"
    );
    Error::new(ErrorKind::NoGradient, message)
}

impl<F: Real, const N: usize> Module<F> for Numbers<F, N> {
    fn visit_at<'a>(&'a self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a Param<F>)) {
        self.groups.iter().for_each(|(name, p)| f(&path.join(name), p));
    }
    fn visit_mut_at<'a>(&'a mut self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a mut Param<F>)) {
        self.groups.iter_mut().for_each(|(name, p)| f(&path.join(name), p));
    }
}

impl<F: Real, const N: usize> fmt::Debug for Numbers<F, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.groups.iter().map(|(name, p)| (name, p.value.data()))).finish()
    }
}

/// A scalar program that was evaluated already, as an op of tensors. It never leaves its function: its rule has no second order.
struct Program<F: Real, const N: usize> {
    value: F,
    gradients: [Tensor<F>; N],
}

impl<F: Real, const N: usize> Op<F> for Program<F, N> {
    const NAME: &'static str = "program";

    fn forward(&self, _: &[&Tensor<F>], _: &mut Saved<'_, F>) -> Tensor<F> {
        Tensor::filled([], self.value)
    }

    fn vjp<T: TensorLike<Elem = F>>(&self, cx: &mut Vjp<'_, T>, y_bar: T) {
        for (k, gradient) in self.gradients.iter().enumerate() {
            // The loss itself, so y_bar is 1.
            cx.give(k, || y_bar.constant(gradient));
        }
    }
}
