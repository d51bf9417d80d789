//! What all optimizers have in common: a learning rate, weight decay, and what they remember of each parameter by path.
use super::{Plan, check_setting};
use crate::{
    core::{Module, Path},
    error::{Error, ErrorKind},
    kernel::Step,
    tensor::{Real, Tensor},
};

#[derive(Clone)]
pub(super) struct Common<F: Real> {
    pub(super) rate: f64,
    pub(super) decay: f64,
    memories: Vec<Memory<F>>,
}

/// What is remembered of one parameter.
#[derive(Clone)]
struct Memory<F: Real> {
    path: Box<str>,
    /// How many steps this parameter made.
    steps: u64,
    /// A running product, of the optimizer that needs one.
    product: f64,
    /// Tensors of the parameter's shape.
    tensors: Vec<Tensor<F>>,
}

/// One parameter in one step.
pub(super) struct Turn<'a, F: Real> {
    /// Its learning rate.
    pub(super) rate: f64,
    /// Its weight decay.
    pub(super) decay: f64,
    /// The number of this step, from 1.
    pub(super) t: f64,
    /// A running product, 1 before the first step.
    pub(super) product: &'a mut f64,
    update: super::Update<'a, F>,
    tensors: &'a mut [Tensor<F>],
}

impl<F: Real> Turn<'_, F> {
    /// For a kernel that takes as many tensors of state as there are.
    pub(super) fn step<const N: usize>(&mut self) -> Step<'_, F, N> {
        let mut tensors = self.tensors.iter_mut();
        Step {
            maps: self.update.maps,
            w: self.update.value.data_mut(),
            g: self.update.raw.data(),
            moved: self.update.moved.as_deref_mut(),
            state: std::array::from_fn(|_| tensors.next().expect("as many as the optimizer asks for").data_mut()),
        }
    }
}

impl<F: Real> Common<F> {
    pub(super) fn new(rate: f64) -> Self {
        Self { rate, decay: 0.0, memories: vec![] }
    }

    /// The settings must make sense, and what is remembered must have the shapes of the gradients.
    pub(super) fn check(&self, who: &str, plan: &Plan<'_, F>) -> Result<(), Error> {
        check_setting::<F>(who, "the learning rate", self.rate)?;
        check_setting::<F>(who, "weight_decay", self.decay)?;
        for group in &plan.planned.lists.groups {
            check_setting::<F>(who, "the learning rate of a group", self.rate * group.rate)?;
            check_setting::<F>(who, "the weight decay of a group", group.decay.unwrap_or(0.0))?;
        }
        let mut next = 0;
        for (path, g) in plan.grads().trained() {
            let Some(at) = find(&self.memories, next, |p| p == path) else { continue };
            next = at + 1;
            if let Some(t) = self.memories[at].tensors.first()
                && g.shape() != t.shape()
            {
                let (was, is) = (t.shape(), g.shape());
                let message = format!(
                    "{who}: \"{path}\" had shape {was} in earlier steps and has {is} now; start with a new optimizer"
                );
                return Err(Error::new(ErrorKind::Mismatch, message));
            }
        }
        Ok(())
    }

    /// Calls `turn` for each parameter that the plan writes, with `count` tensors of state that begin as `start`.
    pub(super) fn apply(
        &mut self,
        plan: &Plan<'_, F>,
        net: &mut dyn Module<F>,
        count: usize,
        start: f64,
        mut turn: impl FnMut(Turn<'_, F>),
    ) {
        let Self { rate, decay, memories } = self;
        let mut next = 0;
        plan.apply_here(net, |update| {
            let at = find(memories, next, |p| update.path().is(p));
            let at = at.unwrap_or_else(|| {
                memories.push(Memory::new(update.path()));
                memories.len() - 1
            });
            next = at + 1;
            let Memory { steps, product, tensors, .. } = &mut memories[at];
            let shape = update.value.shape();
            // Allocates only the first time.
            while tensors.len() < count {
                tensors.push(Tensor::filled(shape, F::of(start)));
            }
            *steps += 1;
            let (rate, decay) = (update.rate(*rate), update.decay(*decay));
            turn(Turn { rate, decay, t: *steps as f64, product, update, tensors });
        });
    }
}

impl<F: Real> Memory<F> {
    fn new(path: &Path<'_>) -> Self {
        Self { path: path.to_string().into(), steps: 0, product: 1.0, tensors: vec![] }
    }
}

/// Modules are visited in one order, so the memory of a parameter is probably the next one.
fn find<F: Real>(memories: &[Memory<F>], next: usize, is: impl Fn(&str) -> bool) -> Option<usize> {
    if memories.get(next).is_some_and(|m| is(&m.path)) {
        return Some(next);
    }
    memories.iter().position(|m| is(&m.path))
}

/// The learning rate of an optimizer with a field `common`.
macro_rules! rate {
    () => {
        fn rate(&self) -> f64 {
            self.common.rate
        }

        fn set_rate(&mut self, rate: f64) {
            self.common.rate = rate;
        }
    };
}
pub(super) use rate;

/// A running mean in the element type: what stays, and what the new value adds (1 - beta, taken in f64).
pub(super) fn mean<F: Real>(beta: f64) -> (F, F) {
    (F::of(beta), F::of(1.0 - beta))
}
