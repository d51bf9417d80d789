use crate::{
    core::{Param, Path, Recording, Role, Summary, access},
    error::Error,
    tensor::{Real, Tensor},
};

/// A tree of parameters, made by [`module!`](crate::module). Tuples, `Vec`s, `Option`s and `Box`es of modules are
/// modules, and so is `&mut M`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a module of `{F}` parameters",
    note = "write `module!({Self} {{ field, .. }});`, or pass `&mut` where a shared reference stands inside a tuple"
)]
pub trait Module<F: Real = f32> {
    /// Calls `f` for each parameter with its path, in a fixed order.
    fn visit_at<'a>(&'a self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a Param<F>));
    /// The same, for writing.
    fn visit_mut_at<'a>(&'a mut self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a mut Param<F>));

    /// Calls `f` for each parameter with its path.
    fn visit<'a>(&'a self, mut f: impl FnMut(&Path<'_>, &'a Param<F>))
    where
        Self: Sized,
    {
        self.visit_at(&Path::ROOT, &mut f);
    }

    /// Calls `f` for each parameter with its path, for writing.
    fn visit_mut<'a>(&'a mut self, mut f: impl FnMut(&Path<'_>, &'a mut Param<F>))
    where
        Self: Sized,
    {
        self.visit_mut_at(&Path::ROOT, &mut f);
    }

    /// How many numbers its parameters hold, running statistics included.
    fn count(&self) -> usize
    where
        Self: Sized,
    {
        let mut count = 0;
        self.visit(|_, p| count += p.value.shape().size());
        count
    }

    /// The parameter at a path.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let net = (Dense::<f32>::new(3, 2, &mut Rng::seed(1)), Relu);
    /// assert_eq!(*net.param("0.weight")?.value.shape(), [2, 3]);
    /// let e = net.param("0.wieght").unwrap_err();
    /// assert_eq!(e.to_string(), "param: there is no parameter \"0.wieght\"; near it: \"0.weight\"");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) if there is none; it names similar paths.
    fn param(&self, path: &str) -> Result<&Param<F>, Error>
    where
        Self: Sized,
    {
        access::find(self, "param", path)
    }

    /// The same, for writing.
    ///
    /// # Errors
    /// As [`param`](Self::param).
    fn param_mut(&mut self, path: &str) -> Result<&mut Param<F>, Error>
    where
        Self: Sized,
    {
        access::find_mut(self, "param_mut", path)
    }

    /// Gives the parameter at a path another value; its identity and role stay.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) if there is no such path,
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) if the parameter has another shape. Then nothing has changed.
    fn set(&mut self, path: &str, value: Tensor<F>) -> Result<(), Error>
    where
        Self: Sized,
    {
        access::set(self, path, value)
    }

    /// Takes the values of all parameters, buffers included, from another module with the same paths and shapes, of
    /// whatever type. Roles and identities stay.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let (mut rng, x) = (Rng::seed(1), Tensor::ones([1, 3]));
    /// let net = (Dense::new(3, 2, &mut rng), Relu);
    /// let mut best = net.clone();
    /// // .. train, and when the validation loss falls:
    /// best.copy_from(&net)?;
    /// assert_eq!(best.forward(&x), net.forward(&x));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) lists every missing and unexpected path and every other shape. Then
    /// nothing has changed.
    fn copy_from(&mut self, other: &impl Module<F>) -> Result<(), Error>
    where
        Self: Sized,
    {
        access::copy(self, other)
    }

    /// Takes the mean of the values of several modules with its own paths and shapes, buffers included.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) as [`copy_from`](Self::copy_from),
    /// [`ErrorKind::BadData`](crate::ErrorKind::BadData) if there are no modules. Then nothing has changed.
    fn average(&mut self, nets: &[&impl Module<F>]) -> Result<(), Error>
    where
        Self: Sized,
    {
        access::average(self, nets, &vec![1.0; nets.len()])
    }

    /// The same with a weight for each module; weights are divided by their sum.
    ///
    /// # Errors
    /// As [`average`](Self::average); [`ErrorKind::BadData`](crate::ErrorKind::BadData) also if the weights are not as many as
    /// the modules, one is negative or not finite, or all are 0.
    fn weighted_average(&mut self, nets: &[&impl Module<F>], weights: &[f64]) -> Result<(), Error>
    where
        Self: Sized,
    {
        access::average(self, nets, weights)
    }

    /// Freezes the trained parameters at or below a path, such as `"encoder"` or `"encoder.0.weight"`; everything for `""`.
    /// They are constants from the next recording on. Returns how many parameters changed their role.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let mut net = (Dense::new(3, 4, &mut Rng::seed(1)), Dense::new(4, 2, &mut Rng::seed(2)));
    /// assert_eq!(net.freeze("0")?, 2);
    /// let mut tape = Tape::new();
    /// let g = net.forward(&tape.begin().constant(&Tensor::ones([1, 3]))).sum().backward(&net)?;
    /// assert_eq!(g.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["1.weight", "1.bias"]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) if no parameter lies there; it names similar paths.
    fn freeze(&mut self, path: &str) -> Result<usize, Error>
    where
        Self: Sized,
    {
        access::exchange(self, "freeze", path, Role::Trained, Role::Frozen)
    }

    /// Makes the frozen parameters at or below a path trained ones, also those that were made by
    /// [`Param::frozen`]. Buffers stay buffers. Returns how many parameters changed their role.
    ///
    /// # Errors
    /// As [`freeze`](Self::freeze).
    fn unfreeze(&mut self, path: &str) -> Result<usize, Error>
    where
        Self: Sized,
    {
        access::exchange(self, "unfreeze", path, Role::Frozen, Role::Trained)
    }

    /// What it is made of: a table of its parameters, for `println!("{}", net.summary())`.
    fn summary(&self) -> Summary
    where
        Self: Sized,
    {
        Summary::of(self)
    }

    /// The same with the shape of each layer's output in a forward pass that was recorded.
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let net = (Dense::new(3, 4, &mut Rng::seed(1)), Relu, Dense::new(4, 2, &mut Rng::seed(2)));
    /// let mut tape = Tape::new();
    /// let r = tape.begin_eval();
    /// net.forward(&r.constant(&Tensor::zeros([5, 3])));
    /// println!("{}", net.summary_on(r));
    /// # assert!(net.summary_on(r).to_string().contains("[5, 4]"));
    /// ```
    fn summary_on(&self, recording: &Recording<F>) -> Summary
    where
        Self: Sized,
    {
        Summary::of(self).with_outputs(self, recording)
    }
}

/// `net.get("hidden.weight")`, for structs: [`module!`](crate::module!) gives it to them. (A method of [`Module`] would
/// hide the `get` of a `Vec` of layers.)
pub trait ByPath<F: Real = f32>: Module<F> {
    /// The parameter at a path: [`Module::param`].
    ///
    /// ```
    /// use chainrule::prelude::*;
    /// let net = Dense::<f32>::new(3, 4, &mut Rng::seed(1));
    /// assert_eq!(*net.get("weight")?.value.shape(), [4, 3]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) if no parameter lies there; it names similar paths.
    fn get(&self, path: &str) -> Result<&Param<F>, Error>
    where
        Self: Sized,
    {
        self.param(path)
    }
}

impl<F: Real> Module<F> for Param<F> {
    fn visit_at<'a>(&'a self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a Param<F>)) {
        f(path, self);
    }
    fn visit_mut_at<'a>(&'a mut self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a mut Param<F>)) {
        f(path, self);
    }
}

macro_rules! forward { ($($t:ty)*) => { $(
    impl<F: Real, M: Module<F> + ?Sized> Module<F> for $t {
        fn visit_at<'a>(&'a self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a Param<F>)) {
            (**self).visit_at(path, f);
        }
        fn visit_mut_at<'a>(&'a mut self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a mut Param<F>)) {
            (**self).visit_mut_at(path, f);
        }
    }
)* } }
forward! { &mut M Box<M> }

impl<F: Real, M: Module<F>> Module<F> for Option<M> {
    fn visit_at<'a>(&'a self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a Param<F>)) {
        self.iter().for_each(|m| m.visit_at(path, f));
    }
    fn visit_mut_at<'a>(&'a mut self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a mut Param<F>)) {
        self.iter_mut().for_each(|m| m.visit_mut_at(path, f));
    }
}

impl<F: Real, M: Module<F>> Module<F> for Vec<M> {
    fn visit_at<'a>(&'a self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a Param<F>)) {
        self.iter().enumerate().for_each(|(i, m)| m.visit_at(&path.index(i), f));
    }
    fn visit_mut_at<'a>(&'a mut self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a mut Param<F>)) {
        self.iter_mut().enumerate().for_each(|(i, m)| m.visit_mut_at(&path.index(i), f));
    }
}

/// `$each! { A 0, B 1, .. }` for tuples of one to twelve.
macro_rules! tuples {
    ($each:ident) => {
        $crate::core::module::tuples! { @ $each [] A 0, B 1, C 2, D 3, E 4, G 5, H 6, I 7, J 8, K 9, L 10, M 11, }
    };
    (@ $each:ident [$($done:tt)*]) => {};
    (@ $each:ident [$($done:tt)*] $m:ident $i:tt, $($rest:tt)*) => {
        $each! { $($done)* $m $i, }
        $crate::core::module::tuples! { @ $each [$($done)* $m $i,] $($rest)* }
    };
}
pub(crate) use tuples;

macro_rules! modules { ($($m:ident $i:tt,)*) => {
    impl<F: Real, $($m: Module<F>),*> Module<F> for ($($m,)*) {
        fn visit_at<'a>(&'a self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a Param<F>)) {
            $(self.$i.visit_at(&path.index($i), f);)*
        }
        fn visit_mut_at<'a>(&'a mut self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a mut Param<F>)) {
            $(self.$i.visit_mut_at(&path.index($i), f);)*
        }
    }
} }
tuples! { modules }

/// Makes a struct a [`Module`]: its listed fields are modules themselves ([`Param`]s, layers, `Vec`s, tuples).
///
/// | form | for |
/// | --- | --- |
/// | `module!(Net { hidden, out })` | a plain struct of f32 layers |
/// | `module!(Net { hidden as "fc1", out })` | another name in paths |
/// | `module!(Net { hidden; skip rate, size })` | fields that hold no parameters |
/// | `module!(Net as f64 { hidden, out })` | a plain struct of f64 layers |
/// | `module!(Net<F> { hidden, out })` | generic over the element type |
/// | `module!(impl[L: Layer] Net<L> { inner })` | any generics, f32 |
/// | `module!(impl[F: Real, L: Layer<F>] Net<F, L> as F { inner })` | any generics, any element type |
///
/// Fields have names: a tuple struct cannot be listed.
///
/// The fields are destructured, so a forgotten one does not compile:
/// ```compile_fail,E0027
/// use chainrule::prelude::*;
/// struct Net { hidden: Dense, out: Dense }
/// module!(Net { hidden });
/// ```
#[macro_export]
macro_rules! module {
    (impl[$($generics:tt)*] $name:ty as $f:ty { $($fields:tt)* }) => { $crate::module!(@ [$($generics)*] $name, $f, $($fields)*); };
    (impl[$($generics:tt)*] $name:ty { $($fields:tt)* }) => { $crate::module!(@ [$($generics)*] $name, f32, $($fields)*); };
    ($name:ident as $f:ty { $($fields:tt)* }) => { $crate::module!(@ [] $name, $f, $($fields)*); };
    ($name:ident { $($fields:tt)* }) => { $crate::module!(@ [] $name, f32, $($fields)*); };
    ($name:ident<$f:ident> { $($fields:tt)* }) => { $crate::module!(@ [$f: $crate::Real] $name<$f>, $f, $($fields)*); };
    (@ [$($generics:tt)*] $name:ty, $f:ty, $($field:ident $(as $rename:literal)?),* $(,)? $(; skip $($skip:ident),* $(,)?)?) => {
        #[allow(unused_variables)]
        impl<$($generics)*> $crate::core::Module<$f> for $name {
            fn visit_at<'a>(&'a self, path: &$crate::core::Path<'_>, f: &mut dyn FnMut(&$crate::core::Path<'_>, &'a $crate::core::Param<$f>)) {
                let Self { $($field,)* $($($skip: _,)*)? } = self;
                $($crate::core::Module::visit_at($field, &path.field(stringify!($name), $crate::module!(@name $field $($rename)?)), f);)*
            }
            fn visit_mut_at<'a>(&'a mut self, path: &$crate::core::Path<'_>, f: &mut dyn FnMut(&$crate::core::Path<'_>, &'a mut $crate::core::Param<$f>)) {
                let Self { $($field,)* $($($skip: _,)*)? } = self;
                $($crate::core::Module::visit_mut_at($field, &path.field(stringify!($name), $crate::module!(@name $field $($rename)?)), f);)*
            }
        }
        impl<$($generics)*> $crate::core::ByPath<$f> for $name {}
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $rename:literal) => { $rename };
}
