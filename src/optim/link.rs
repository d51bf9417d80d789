use super::{
    plan::{Plan, Planned},
    report::StepReport,
};
use crate::{
    core::{Grads, Module, module::tuples},
    error::Error,
    tensor::Real,
};
use std::cell::RefCell;

/// Something before an optimizer that changes gradients, such as a clip.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a link",
    note = "in a tuple, links such as `ClipGlobalNorm` come first and one optimizer comes last"
)]
pub trait Link<F: Real = f32> {
    /// Changes the plan, or fails and changes nothing.
    ///
    /// # Errors
    /// Whatever the link refuses, for instance gradients that are not finite.
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error>;

    /// The step that was planned last is being made: the moment to remember what was seen. Not called for a step that fails
    /// or is skipped.
    fn commit(&mut self) {}
}

/// Something that writes parameters, given gradients: [`apply`](Self::apply) is a loop of [`Plan::apply`].
/// `Box<dyn Optimizer>` is one chosen when the program runs.
pub trait Optimizer<F: Real = f32> {
    /// Checks its settings and state against the plan; changes no parameter.
    ///
    /// # Errors
    /// Settings that make no sense, or state that does not fit the gradients.
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error>;

    /// Writes the parameters; cannot fail.
    fn apply(&mut self, plan: &Plan<'_, F>, net: &mut dyn Module<F>);

    /// The learning rate.
    fn rate(&self) -> f64;

    /// Another learning rate, from the next step on.
    fn set_rate(&mut self, rate: f64);

    /// One step: writes every trained parameter of `net` and commits running statistics.
    ///
    /// # Errors
    /// [`ErrorKind::NoGradient`](crate::ErrorKind::NoGradient) names every trained parameter without a gradient,
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) gradients of another module,
    /// [`ErrorKind::NonFinite`](crate::ErrorKind::NonFinite) the first path whose gradient, or whose next value as a
    /// running statistic, is NaN or infinite. Then nothing has changed.
    fn step(&mut self, net: &mut impl Module<F>, grads: &Grads<F>) -> Result<StepReport, Error>
    where
        Self: Sized,
    {
        let missing = grads.check(net)?;
        let mut plan = Plan::new(grads, net);
        self.plan(&mut plan)?;
        plan.check(missing)?;
        let plan = Plan { grads, net: None, planned: plan.planned };
        if !plan.planned.report.skipped {
            self.apply(&plan, net);
        }
        let Planned { mut report, updates, .. } = plan.planned;
        report.updates = updates.map(RefCell::into_inner).filter(|_| !report.skipped);
        Ok(report)
    }
}

macro_rules! behind { ($($t:ty)*) => { $(
    impl<F: Real, O: Optimizer<F> + ?Sized> Optimizer<F> for $t {
        fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
            (**self).plan(plan)
        }
        fn apply(&mut self, plan: &Plan<'_, F>, net: &mut dyn Module<F>) {
            (**self).apply(plan, net);
        }
        fn rate(&self) -> f64 {
            (**self).rate()
        }
        fn set_rate(&mut self, rate: f64) {
            (**self).set_rate(rate);
        }
    }
)* } }
behind! { &mut O Box<O> }

impl<F: Real, L: Link<F>> Link<F> for Option<L> {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        self.as_mut().map_or(Ok(()), |link| link.plan(plan))
    }
    fn commit(&mut self) {
        if let Some(link) = self {
            link.commit();
        }
    }
}

impl<F: Real, L: Link<F> + ?Sized> Link<F> for Box<L> {
    fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
        (**self).plan(plan)
    }
    fn commit(&mut self) {
        (**self).commit();
    }
}

macro_rules! chains { ($($l:ident $i:tt,)*) => { chains! { @ [] $($l $i,)* } };
    (@ [$($link:ident $i:tt,)*] $last:ident $k:tt,) => {
        impl<F: Real, $($link: Link<F>,)* $last: Optimizer<F>> Optimizer<F> for ($($link,)* $last,) {
            fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
                $(
                    self.$i.plan(plan)?;
                    if plan.skipped() {
                        return Ok(());
                    }
                )*
                self.$k.plan(plan)
            }
            fn apply(&mut self, plan: &Plan<'_, F>, net: &mut dyn Module<F>) {
                $( self.$i.commit(); )*
                self.$k.apply(plan, net);
            }
            fn rate(&self) -> f64 {
                self.$k.rate()
            }
            fn set_rate(&mut self, rate: f64) {
                self.$k.set_rate(rate);
            }
        }
    };
    (@ [$($links:tt)*] $l:ident $i:tt, $($rest:tt)+) => { chains! { @ [$($links)* $l $i,] $($rest)+ } };
}
tuples! { chains }
