use crate::{
    core::{Grads, Module, Path, module::tuples},
    error::{Error, ErrorKind},
    kernel::GradientMap,
    tensor::{Real, Tensor, largest, norm_limited},
};

/// What a step will do: the gradients, and how the links so far change them.
///
/// Links only ever scale all gradients or limit their entries, and any sequence of the two is one of each, so an
/// optimizer applies them in the pass that it makes anyway.
pub struct Plan<'a, F: Real> {
    grads: &'a Grads<F>,
    /// `g` becomes `scale * g`, then limited to `-limit..=limit`.
    scale: f64,
    limit: f64,
    finite: bool,
    report: StepReport,
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct StepReport {
    /// The joint norm of the gradients that a link measured, before that link scaled them.
    pub norm: Option<f64>,
    /// The factor by which that link scaled them.
    pub coef: Option<f64>,
    /// Whether a link changed the gradients.
    pub clipped: bool,
}

impl<'a, F: Real> Plan<'a, F> {
    fn new(grads: &'a Grads<F>) -> Self {
        Self { grads, scale: 1.0, limit: f64::INFINITY, finite: false, report: StepReport::default() }
    }

    /// The gradients as they came.
    pub fn grads(&self) -> &'a Grads<F> {
        self.grads
    }

    /// The joint norm of the gradients as the links so far leave them.
    ///
    /// # Errors
    /// [`ErrorKind::NonFinite`](crate::ErrorKind::NonFinite) names `who` and the first path with an entry that is NaN or
    /// infinite.
    pub fn norm(&mut self, who: &str) -> Result<f64, Error> {
        let all = self.grads.trained().map(|(_, g)| g);
        let norm = norm_limited(all, self.limit / self.scale).map_err(|i| self.grads.non_finite(who, i))?;
        self.finite = true;
        Ok(norm * self.scale)
    }

    /// The largest absolute value of an entry of the gradients as the links so far leave them.
    ///
    /// # Errors
    /// As [`norm`](Self::norm).
    pub fn largest(&mut self, who: &str) -> Result<f64, Error> {
        let all = self.grads.trained().map(|(_, g)| g);
        let largest = largest(all).map_err(|i| self.grads.non_finite(who, i))?;
        self.finite = true;
        Ok((largest * self.scale).min(self.limit))
    }

    /// Scales all gradients.
    pub fn scale(&mut self, coef: f64) {
        self.scale *= coef;
        self.limit *= coef;
    }

    /// Limits every entry to `-limit..=limit`.
    pub fn limit(&mut self, limit: f64) {
        self.limit = self.limit.min(limit);
    }

    /// Puts the joint norm that a link measured, and the factor by which it scales, into the report.
    pub fn report_norm(&mut self, norm: f64, coef: f64) {
        self.report.norm = Some(norm);
        self.report.coef = Some(coef);
        self.report.clipped |= coef != 1.0;
    }

    /// Puts into the report that a link changed the gradients.
    pub fn report_clipped(&mut self) {
        self.report.clipped = true;
    }

    /// Calls `write` for each trained parameter of `net` with its path, its value and its gradient as the links leave it,
    /// and commits running statistics: what [`Optimizer::apply`] is made of.
    pub fn apply(&self, net: &mut dyn Module<F>, mut write: impl FnMut(&Path<'_>, &mut Tensor<F>, &Tensor<F>)) {
        if (self.scale, self.limit) == (1.0, f64::INFINITY) {
            return self.grads.apply(net, write);
        }
        let (scale, limit) = (F::of(self.scale), F::of(self.limit));
        self.grads.apply(net, |path, w, g| {
            let mut g = g.clone();
            F::scale_by(scale, g.data_mut());
            F::clamp_abs(g.data_mut(), limit);
            write(path, w, &g);
        });
    }

    /// The change that the links make, for a kernel that applies it in its own pass.
    pub(super) fn map(&self) -> GradientMap<F> {
        GradientMap { scale: F::of(self.scale), limit: F::of(self.limit) }
    }

    /// The change must be one that the element type can hold.
    fn check_map(&self) -> Result<(), Error> {
        let (scale, limit) = (self.scale, self.limit);
        if (scale == 0.0 || F::of(scale).is_normal()) && F::of(limit) >= F::min_positive_value() {
            return Ok(());
        }
        let message =
            format!("step: the links scale gradients by {scale:e} with limit {limit:e}, which {} cannot hold", F::NAME);
        Err(Error::new(ErrorKind::BadData, message))
    }
}

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
}

/// Something that writes parameters, given gradients: [`apply`](Self::apply) is a loop of [`Plan::apply`]. `Box<dyn Optimizer>` is one chosen when the program runs.
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
    /// [`ErrorKind::NonFinite`](crate::ErrorKind::NonFinite) the first path whose gradient is NaN or infinite. Then
    /// nothing has changed.
    fn step(&mut self, net: &mut impl Module<F>, grads: &Grads<F>) -> Result<StepReport, Error>
    where
        Self: Sized,
    {
        grads.check(net)?;
        let mut plan = Plan::new(grads);
        self.plan(&mut plan)?;
        plan.check_map()?;
        if !plan.finite {
            grads.check_finite("step")?;
        }
        self.apply(&plan, net);
        Ok(plan.report)
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
}

macro_rules! chains { ($($l:ident $i:tt,)*) => { chains! { @ [] $($l $i,)* } };
    (@ [$($link:ident $i:tt,)*] $last:ident $k:tt,) => {
        impl<F: Real, $($link: Link<F>,)* $last: Optimizer<F>> Optimizer<F> for ($($link,)* $last,) {
            fn plan(&mut self, plan: &mut Plan<'_, F>) -> Result<(), Error> {
                $( self.$i.plan(plan)?; )*
                self.$k.plan(plan)
            }
            fn apply(&mut self, plan: &Plan<'_, F>, net: &mut dyn Module<F>) {
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
