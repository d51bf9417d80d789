//! For the tests of the engine: caught panics, marked lines, a small network.
#![allow(dead_code, reason = "each test binary uses a part")]
use chainrule::prelude::*;
use std::{
    cell::RefCell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

/// What a panic said, and the line that it blamed.
#[derive(Debug, Default)]
pub(crate) struct Caught {
    pub(crate) text: String,
    pub(crate) file: String,
    pub(crate) line: u32,
}

thread_local! { static CATCHING: RefCell<Option<Caught>> = const { RefCell::new(None) } }

/// Runs `f`, which must panic.
pub(crate) fn caught(f: impl FnOnce()) -> Caught {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let mine = CATCHING.with_borrow_mut(|slot| {
                let (Some(slot), Some(at)) = (slot, info.location()) else { return false };
                (slot.file, slot.line) = (at.file().into(), at.line());
                true
            });
            if !mine {
                default(info);
            }
        }));
    });
    CATCHING.set(Some(Caught::default()));
    let payload = panic::catch_unwind(AssertUnwindSafe(f));
    let mut caught = CATCHING.take().expect("set above");
    let payload = payload.expect_err("a panic");
    caught.text = match payload.downcast_ref::<String>() {
        Some(text) => text.clone(),
        None => payload.downcast_ref::<&str>().expect("a text").to_string(),
    };
    caught
}

/// The line of `source` that ends in `// HERE k`.
pub(crate) fn here(source: &str, k: usize) -> u32 {
    let mark = format!("// HERE {k}");
    source.lines().position(|l| l.ends_with(&mark)).expect("a marked line") as u32 + 1
}

pub(crate) struct Mlp {
    pub(crate) hidden: Dense,
    pub(crate) out: Dense,
}
module!(Mlp { hidden, out });

impl Layer for Mlp {
    fn forward<T: TensorLike<Elem = f32>>(&self, x: &T) -> T {
        self.out.forward(&self.hidden.forward(x).relu())
    }
}

/// 6 inputs, 5 hidden units, 3 classes.
pub(crate) fn mlp(seed: u64) -> Mlp {
    let mut rng = Rng::seed(seed);
    Mlp { hidden: Dense::new(6, 5, &mut rng), out: Dense::new(5, 3, &mut rng) }
}

/// 8 examples for it.
pub(crate) fn data(seed: u64) -> (Tensor, Labels) {
    let x = Tensor::uniform([8, 6], -0.5, 0.5, &mut Rng::seed(seed));
    (x, Labels::new((0..8).map(|i| i % 3), 3).expect("below 3"))
}

/// Every value of a module.
pub(crate) fn values<F: Real>(net: &impl Module<F>) -> Vec<Vec<F>> {
    let mut all = vec![];
    net.visit(|_, p| all.push(p.value.data().to_vec()));
    all
}

/// Path and numbers of every gradient.
pub(crate) fn listed<F: Real>(g: &Grads<F>) -> Vec<(String, Vec<F>)> {
    g.iter().map(|(path, g)| (path.to_owned(), g.data().to_vec())).collect()
}
