//! What a sweep shows of itself.
use crate::{
    core::{Dump, Recording, Role, module::tuples, table::Table},
    error::Error,
    tensor::{Real, Tensor},
};
use std::{panic::Location, sync::Arc};

/// Where a [`Signal`] was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// dL/dz: at the output of a layer's own arithmetic, before its activation.
    Pre,
    /// dL/dh: at the elementwise op that consumes it, that is after the activation.
    Post,
    /// At a node named by [`TensorLike::watch`](crate::TensorLike::watch).
    Watch,
}

/// The recording, once before the sweep.
#[non_exhaustive]
pub struct Recorded<'a, F: Real> {
    /// Forward values, ops and lines.
    pub recording: &'a Recording<F>,
    /// The node of the scalar with which the sweep begins: the loss.
    pub root: usize,
    pub(crate) table: &'a Arc<Table>,
}

/// One node of a recording.
#[non_exhaustive]
pub struct RecordedNode<'a, F: Real> {
    /// Its place on the recording.
    pub index: usize,
    /// The op's name; `leaf` for data, variables and parameters.
    pub op: &'static str,
    /// The line that recorded it.
    pub at: &'static Location<'static>,
    /// Its value.
    pub value: &'a Tensor<F>,
    /// The nodes it was computed from.
    pub inputs: &'a [u32],
    /// The node whose op computed it: itself, unless it is a further output of an op with several.
    pub head: usize,
    /// Whether it leads back to something differentiable; a constant does not.
    pub wants: bool,
    /// Whether each number depends on the number at the same place of each input only.
    pub elementwise: bool,
    /// Of a layer's output (before the activation) the layer's path, watched or not.
    pub layer: Option<&'a str>,
    /// Of a parameter its path; of a layer's output (before the activation) the layer's path; of a watched node its name.
    pub path: Option<&'a str>,
}

impl<F: Real> Recorded<'_, F> {
    /// The paths of the module's trained parameters, in its order.
    pub fn trained(&self) -> impl Iterator<Item = &str> {
        self.table.entries().iter().filter(|e| e.role == Role::Trained).map(|e| &*e.path)
    }

    /// The recording as a table or a graph that names parameters and layers by path.
    pub fn dump(&self) -> Dump<'_, F> {
        Dump::new(self.recording, Some(self.table.clone()))
    }

    /// The loss.
    pub fn loss(&self) -> f64 {
        self.recording.record.borrow().values[self.root].item()
    }

    /// Calls `f` for every node from the first.
    pub fn each_node(&self, f: impl FnMut(RecordedNode<'_, F>)) {
        self.recording.walk(Some(self.table), f);
    }
}

/// The complete cotangent of one node, whatever it is.
#[non_exhaustive]
pub struct Cotangent<'a, F: Real> {
    /// The node's place on the recording.
    pub index: usize,
    /// The op of the node; `leaf` for variables and parameters.
    pub op: &'static str,
    /// The line that recorded the node.
    pub at: &'static Location<'static>,
    /// The cotangent, with the node's shape.
    pub bar: &'a Tensor<F>,
}

/// A back-propagated signal at a tagged node.
#[non_exhaustive]
pub struct Signal<'a, F: Real> {
    /// The path of the layer, or the name given to `watch`.
    pub path: &'a str,
    /// Where it was taken.
    pub phase: Phase,
    /// The op of the node.
    pub op: &'static str,
    /// The line that recorded the node.
    pub at: &'static Location<'static>,
    /// The cotangent, with the node's shape.
    pub bar: &'a Tensor<F>,
}

/// What a recurrent op saw at one step of its sweep, which goes from the last step to the first.
#[non_exhaustive]
pub struct TimeStep<'a> {
    /// The path of the layer (empty if it has none).
    pub path: &'a str,
    /// The op that reports.
    pub op: &'static str,
    /// The line that recorded the op.
    pub at: &'static Location<'static>,
    /// Its place on the recording: what tells the windows of one layer apart.
    pub index: usize,
    /// The step, counted from 0.
    pub step: usize,
    /// How many steps the sequence has.
    pub steps: usize,
    /// The cotangent of each state: `h`, and an LSTM's `c`.
    pub states: &'a [StateNorm],
    /// The mean of each gate over units and batch.
    pub gates: &'a [GateMean],
}

/// Norms of the cotangent `g_t = dL/ds_t` of a state `s` at one step. Squares are added in f64, and logarithms are kept, so that a
/// norm is known where f32 could not hold it. (The cotangents themselves are numbers of the network: in f32 they end near 1e-38.)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StateNorm {
    /// The state's name: `h` or `c`.
    pub name: &'static str,
    /// `log10 ||g_t||`; minus infinity for 0.
    pub total: f64,
    /// `log10 ||J_t^T g_{t+1}||`: without what the loss says about this step itself, only what came from the step after. Its
    /// distance from the `total` of the step after is Pascanu's ratio. At the last step minus infinity, unless a `c` goes on from it: an
    /// `h` that goes on does so as an output.
    pub transported: f64,
}

/// The mean of a gate's values at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateMean {
    /// The gate's name: `i`, `f`, `o` of an LSTM; `r`, `z` of a GRU.
    pub name: &'static str,
    /// Its mean.
    pub mean: f64,
}

/// The accumulated gradient of a parameter.
#[non_exhaustive]
pub struct Gradient<'a, F: Real> {
    /// The parameter's path.
    pub path: &'a str,
    /// The line that recorded the parameter.
    pub at: &'static Location<'static>,
    /// Its gradient, before any clipping.
    pub bar: &'a Tensor<F>,
}

/// Sees a sweep as it passes, from the loss backwards: an argument of [`Var::backward_with`](crate::Var::backward_with).
///
/// Every method has an empty default. An error ends the sweep and is returned by `backward_with`. Tuples and
/// `Option`s of observers are observers. Without an observer the cost is one branch a node.
///
/// ```
/// use chainrule::{core::{Gradient, Signal}, prelude::*};
/// struct Print;
/// impl Observer for Print {
///     fn signal(&mut self, s: &Signal<'_, f32>) -> Result<(), Error> {
///         Ok(println!("{} {:?} {:.3e}", s.path, s.phase, s.bar.norm()))
///     }
///     fn gradient(&mut self, g: &Gradient<'_, f32>) -> Result<(), Error> {
///         Ok(println!("{} {:.3e}", g.path, g.bar.norm()))
///     }
/// }
/// let mut rng = Rng::seed(1);
/// let net = (Dense::new(3, 4, &mut rng), Sigmoid, Dense::new(4, 1, &mut rng));
/// let mut tape = Tape::new();
/// let loss = net.forward(&tape.begin().constant(&Tensor::ones([2, 3]))).square().mean();
/// let g = loss.backward_with(&net, &mut Print)?;
/// # assert_eq!(g.iter().count(), 4);
/// # Ok::<(), Error>(())
/// ```
#[allow(unused_variables)]
pub trait Observer<F: Real = f32> {
    /// Once before the sweep: forward values, ops, lines.
    fn recording(&mut self, recorded: &Recorded<'_, F>) -> Result<(), Error> {
        Ok(())
    }
    /// Each node that the sweep reaches, leaves included, before any other event of that node.
    fn cotangent(&mut self, cotangent: &Cotangent<'_, F>) -> Result<(), Error> {
        Ok(())
    }
    /// Each tagged node, before and after its activation, and each watched node.
    fn signal(&mut self, signal: &Signal<'_, F>) -> Result<(), Error> {
        Ok(())
    }
    /// Whether it wants to hear of time steps: a recurrent layer looks at every cell for them.
    fn wants_time_steps(&self) -> bool {
        true
    }
    /// Each time step of a recurrent layer.
    fn time_step(&mut self, step: &TimeStep<'_>) -> Result<(), Error> {
        Ok(())
    }
    /// Each trained parameter, once its gradient is complete.
    fn gradient(&mut self, gradient: &Gradient<'_, F>) -> Result<(), Error> {
        Ok(())
    }
    /// Once after the sweep, if nothing stopped it.
    fn swept(&mut self) -> Result<(), Error> {
        Ok(())
    }
    /// Asked after a sweep: whether [`Self::gradient`] would have failed for an entry that is not finite. An optimizer need not
    /// read the gradients once more to find out, then.
    fn checks_gradients(&self) -> bool {
        false
    }
}

macro_rules! passed_on { ($($event:ident($ty:ty))*) => {
    impl<F: Real, O: Observer<F>> Observer<F> for Option<O> {
        fn wants_time_steps(&self) -> bool {
            self.as_ref().is_some_and(|o| o.wants_time_steps())
        }
        fn checks_gradients(&self) -> bool {
            self.as_ref().is_some_and(|o| o.checks_gradients())
        }
        fn swept(&mut self) -> Result<(), Error> {
            self.as_mut().map_or(Ok(()), |o| o.swept())
        }
        $( fn $event(&mut self, event: &$ty) -> Result<(), Error> {
            self.as_mut().map_or(Ok(()), |o| o.$event(event))
        } )*
    }
    impl<F: Real, O: Observer<F> + ?Sized> Observer<F> for &mut O {
        fn wants_time_steps(&self) -> bool {
            (**self).wants_time_steps()
        }
        fn checks_gradients(&self) -> bool {
            (**self).checks_gradients()
        }
        fn swept(&mut self) -> Result<(), Error> {
            (**self).swept()
        }
        $( fn $event(&mut self, event: &$ty) -> Result<(), Error> {
            (**self).$event(event)
        } )*
    }
} }
macro_rules! listening { ($($o:ident $i:tt,)*) => {
    impl<F: Real, $($o: Observer<F>),*> Observer<F> for ($($o,)*) {
        fn recording(&mut self, event: &Recorded<'_, F>) -> Result<(), Error> {
            $( self.$i.recording(event)?; )*
            Ok(())
        }
        fn cotangent(&mut self, event: &Cotangent<'_, F>) -> Result<(), Error> {
            $( self.$i.cotangent(event)?; )*
            Ok(())
        }
        fn signal(&mut self, event: &Signal<'_, F>) -> Result<(), Error> {
            $( self.$i.signal(event)?; )*
            Ok(())
        }
        fn wants_time_steps(&self) -> bool {
            $( self.$i.wants_time_steps() || )* false
        }
        fn checks_gradients(&self) -> bool {
            $( self.$i.checks_gradients() || )* false
        }
        fn swept(&mut self) -> Result<(), Error> {
            $( self.$i.swept()?; )*
            Ok(())
        }
        fn time_step(&mut self, event: &TimeStep<'_>) -> Result<(), Error> {
            $( self.$i.time_step(event)?; )*
            Ok(())
        }
        fn gradient(&mut self, event: &Gradient<'_, F>) -> Result<(), Error> {
            $( self.$i.gradient(event)?; )*
            Ok(())
        }
    }
} }
tuples! { listening }
passed_on! { recording(Recorded<'_, F>) cotangent(Cotangent<'_, F>) signal(Signal<'_, F>) time_step(TimeStep<'_>) gradient(Gradient<'_, F>) }
