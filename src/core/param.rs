use crate::tensor::{Real, Tensor};
use std::{
    fmt,
    num::NonZeroU64,
    sync::atomic::{AtomicU64, Ordering},
};

/// What identifies a [`Param`] on a recording. No result depends on its number.
pub type ParamId = NonZeroU64;

/// What may change a [`Param`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Changed by an optimizer; a step without a gradient for it is an error.
    Trained,
    /// A constant: no gradient is computed.
    Frozen,
    /// A running statistic: changed by `x.update(&param, value)`, not by gradients.
    Buffer,
}

/// A plain value with an identity: what a module is made of.
///
/// A clone is another parameter, with an identity of its own: on one recording the two are two leaves. A tied weight
/// is one `Param` used twice in a forward pass.
///
/// ```
/// use chainrule::prelude::*;
/// let p = Param::new(Tensor::scalar(3.0));
/// let mut tape = Tape::new();
/// let r = tape.begin();
/// let x = r.param(&p);
/// let g = (x * x).backward(&p)?;
/// assert_eq!(g.get(&p).unwrap().item(), 6.0);
/// # Ok::<(), Error>(())
/// ```
pub struct Param<F: Real = f32> {
    pub(crate) id: ParamId,
    role: Role,
    /// Its value; free to be read and written between steps.
    pub value: Tensor<F>,
}

impl<F: Real> Clone for Param<F> {
    fn clone(&self) -> Self {
        Self { id: fresh(), role: self.role, value: self.value.clone() }
    }
}

pub(crate) fn fresh() -> ParamId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    ParamId::new(NEXT.fetch_add(1, Ordering::Relaxed)).expect("fewer than 2^64 parameters")
}

impl<F: Real> Param<F> {
    /// A trained parameter.
    pub fn new(value: Tensor<F>) -> Self {
        Self { id: fresh(), role: Role::Trained, value }
    }

    /// A running statistic, changed by [`TensorLike::update`](crate::TensorLike::update).
    pub fn buffer(value: Tensor<F>) -> Self {
        Self { role: Role::Buffer, ..Self::new(value) }
    }

    /// A constant that is saved and listed with the module.
    pub fn frozen(value: Tensor<F>) -> Self {
        Self { role: Role::Frozen, ..Self::new(value) }
    }

    /// Its role.
    #[inline]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Gives it another role, from the next recording on.
    pub fn set_role(&mut self, role: Role) {
        self.role = role;
    }
}

impl<F: Real> fmt::Debug for Param<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Param {:?} {:?}", self.role, self.value)
    }
}
