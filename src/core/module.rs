use crate::{
    core::{Param, Path},
    tensor::Real,
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
                $($crate::core::Module::visit_at($field, &path.join($crate::module!(@name $field $($rename)?)), f);)*
            }
            fn visit_mut_at<'a>(&'a mut self, path: &$crate::core::Path<'_>, f: &mut dyn FnMut(&$crate::core::Path<'_>, &'a mut $crate::core::Param<$f>)) {
                let Self { $($field,)* $($($skip: _,)*)? } = self;
                $($crate::core::Module::visit_mut_at($field, &path.join($crate::module!(@name $field $($rename)?)), f);)*
            }
        }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $rename:literal) => { $rename };
}
