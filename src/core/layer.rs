use crate::{
    core::{Module, Param, Path, TensorLike, Var, module::tuples},
    tensor::{Real, Tensor},
};

/// A forward pass from one value to one value; training (`T = Var`) and inference without a tape (`T = Tensor`) share it.
///
/// A layer without parameters is a module with nothing to visit. Tuples and `Vec`s of layers run one after the other.
///
/// ```
/// use chainrule::prelude::*;
/// struct Residual<L> { inner: L, rate: f64 }
/// module!(impl[L: Layer] Residual<L> { inner; skip rate });
/// impl<L: Layer> Layer for Residual<L> {
///     fn forward<T: TensorLike<Elem = f32>>(&self, x: &T) -> T {
///         self.inner.forward(x) * self.rate + x
///     }
/// }
/// let net = (Residual { inner: Tanh, rate: 0.5 }, Relu);
/// assert_eq!(net.forward(&Tensor::zeros([2])).data(), [0.0, 0.0]);
/// ```
// Not `track_caller`: an op in a user's forward reports the user's line there, not the line of the training loop.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer of `{F}`",
    note = "implement `Layer<{F}>`; layers of another element type do not mix"
)]
pub trait Layer<F: Real = f32>: Module<F> {
    /// The forward pass.
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T;
}

/// A [`Layer`] as an object; implemented for every layer that is `Send` and `Sync`.
pub trait DynLayer<F: Real = f32>: Module<F> + Send + Sync {
    /// Forward without a tape.
    #[track_caller]
    fn on_tensor(&self, x: &Tensor<F>) -> Tensor<F>;
    /// Forward on a recording.
    #[track_caller]
    fn on_var<'t>(&self, x: &Var<'t, F>) -> Var<'t, F>;
}

impl<F: Real, L: Layer<F> + Send + Sync> DynLayer<F> for L {
    #[track_caller]
    fn on_tensor(&self, x: &Tensor<F>) -> Tensor<F> {
        self.forward(x)
    }
    #[track_caller]
    fn on_var<'t>(&self, x: &Var<'t, F>) -> Var<'t, F> {
        self.forward(x)
    }
}

/// A layer chosen when the program runs: stacks of mixed layers, trained and listed by path like any other.
///
/// ```
/// use chainrule::prelude::*;
/// let mut rng = Rng::seed(1);
/// let mut net = vec![AnyLayer::new(Dense::new(4, 3, &mut rng)), AnyLayer::new(Tanh)];
/// net.push(AnyLayer::new(Dense::new(3, 2, &mut rng)));
/// let mut paths = vec![];
/// net.visit(|path, _| paths.push(path.to_string()));
/// assert_eq!(paths, ["0.weight", "0.bias", "2.weight", "2.bias"]);
/// assert_eq!(*net.forward(&Tensor::zeros([5, 4])).shape(), [5, 2]);
/// ```
pub struct AnyLayer<F: Real = f32>(Box<dyn DynLayer<F>>);

impl<F: Real> AnyLayer<F> {
    /// Boxes a layer.
    pub fn new(layer: impl Layer<F> + Send + Sync + 'static) -> Self {
        Self(Box::new(layer))
    }
}

impl<F: Real> Module<F> for AnyLayer<F> {
    fn visit_at<'a>(&'a self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a Param<F>)) {
        self.0.visit_at(path, f);
    }
    fn visit_mut_at<'a>(&'a mut self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a mut Param<F>)) {
        self.0.visit_mut_at(path, f);
    }
}

impl<F: Real> Layer<F> for AnyLayer<F> {
    #[track_caller]
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
        x.through_dyn(&*self.0)
    }
}

/// One after the other.
impl<F: Real, L: Layer<F>> Layer<F> for Vec<L> {
    #[track_caller]
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
        let mut x = x.clone();
        for layer in self {
            x = layer.forward(&x);
        }
        x
    }
}

/// The layer, or the identity.
impl<F: Real, L: Layer<F>> Layer<F> for Option<L> {
    #[track_caller]
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
        match self {
            Some(layer) => layer.forward(x),
            None => x.clone(),
        }
    }
}

impl<F: Real, L: Layer<F> + ?Sized> Layer<F> for Box<L> {
    #[track_caller]
    fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
        (**self).forward(x)
    }
}

macro_rules! sequences { ($($l:ident $i:tt,)*) => {
    /// One after the other.
    impl<F: Real, $($l: Layer<F>),*> Layer<F> for ($($l,)*) {
        #[track_caller]
        fn forward<T: TensorLike<Elem = F>>(&self, x: &T) -> T {
            let x = x.clone();
            $( let x = self.$i.forward(&x); )*
            x
        }
    }
} }
tuples! { sequences }
