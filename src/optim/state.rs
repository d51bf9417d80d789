use crate::{
    core::{Grads, Path},
    error::{Error, ErrorKind},
    tensor::{Real, Tensor},
};

/// What an optimizer remembers of each parameter, by path: `N` tensors of its shape and the number of its steps.
#[derive(Clone)]
pub(super) struct State<F: Real, const N: usize> {
    entries: Vec<Entry<F, N>>,
    /// Where the next parameter probably is: modules are visited in one order.
    next: usize,
}

#[derive(Clone)]
pub(super) struct Entry<F: Real, const N: usize> {
    path: Box<str>,
    /// How many steps this parameter made.
    pub(super) steps: u64,
    pub(super) tensors: [Tensor<F>; N],
}

impl<F: Real, const N: usize> State<F, N> {
    pub(super) fn new() -> Self {
        Self { entries: vec![], next: 0 }
    }

    /// State must have the shapes of the gradients.
    pub(super) fn check(&self, who: &str, grads: &Grads<F>) -> Result<(), Error> {
        for entry in &self.entries {
            if let (Some(g), Some(t)) = (grads.get(&*entry.path), entry.tensors.first())
                && g.shape() != t.shape()
            {
                let message = format!(
                    "{who}: \"{}\" had shape {} in earlier steps and has {} now; start with a new optimizer",
                    entry.path,
                    t.shape(),
                    g.shape()
                );
                return Err(Error::new(ErrorKind::Mismatch, message));
            }
        }
        Ok(())
    }

    pub(super) fn begin(&mut self) {
        self.next = 0;
    }

    /// The entry of a parameter; zeros the first time. Allocates only then.
    pub(super) fn entry(&mut self, path: &Path<'_>, w: &Tensor<F>) -> &mut Entry<F, N> {
        let here = self.entries.get(self.next).is_some_and(|e| path.is(&e.path));
        let at = if here { Some(self.next) } else { self.entries.iter().position(|e| path.is(&e.path)) };
        let at = at.unwrap_or_else(|| {
            let zeros = std::array::from_fn(|_| Tensor::filled(w.shape(), F::zero()));
            self.entries.push(Entry { path: path.to_string().into(), steps: 0, tensors: zeros });
            self.entries.len() - 1
        });
        self.next = at + 1;
        &mut self.entries[at]
    }
}
