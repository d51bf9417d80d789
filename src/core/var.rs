use crate::{
    core::{Composed, DynLayer, Op, OpMany, Outputs, Param, Recording, TensorLike, Vjp},
    formula::Number,
    kernel::MapOp,
    tensor::{RELEASED, Real, Shape, Tensor},
};
use std::{borrow::Cow, fmt, panic::Location};

/// A recorded value: a place on a recording. `Copy`; mathematics on it is the vocabulary of [`TensorLike`].
pub struct Var<'t, F: Real = f32> {
    pub(super) rec: &'t Recording<F>,
    pub(super) id: u32,
}

impl<F: Real> Clone for Var<'_, F> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}
impl<F: Real> Copy for Var<'_, F> {}

impl<'t, F: Real> Var<'t, F> {
    #[cold]
    #[track_caller]
    fn lost(self) -> ! {
        let (r, mut op) = (self.rec.record.borrow(), String::new());
        let _ = r.what(self.id as usize, &mut op); // a string takes it all
        panic!("{op}, recorded at {}: {RELEASED} ({})", r.nodes[self.id as usize].at, Location::caller());
    }

    /// The value at a place of a recording, known from an observer.
    pub(crate) fn at(rec: &'t Recording<F>, index: usize) -> Self {
        Self { rec, id: index as u32 }
    }

    /// Where it lives.
    pub fn recording(self) -> &'t Recording<F> {
        self.rec
    }

    /// The only number of a value of one element, as f64; good after `backward`, too.
    ///
    /// # Panics
    /// If there is not exactly one, or it was given up (see [`value`](TensorLike::value)).
    #[track_caller]
    pub fn item(self) -> f64 {
        let r = self.rec.record.borrow();
        let value = &r.values[self.id as usize];
        if value.is_released() {
            self.lost();
        }
        value.item()
    }

    /// The op that made it, and the line that recorded it.
    pub fn origin(self) -> (&'static str, &'static Location<'static>) {
        let r = self.rec.record.borrow();
        (r.ops[self.id as usize].name(), r.nodes[self.id as usize].at)
    }
}

impl<F: Real> fmt::Debug for Var<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = self.rec.record.borrow();
        write!(f, "Var {} {} {:?}", self.id, r.ops[self.id as usize].name(), r.values[self.id as usize])
    }
}

#[cold]
#[track_caller]
fn no_input(op: &str) -> ! {
    panic!("{op}: nothing to work on: an op needs an input ({})", Location::caller())
}

impl<'t, F: Real> TensorLike for Var<'t, F> {
    type Elem = F;
    type Place = &'t Recording<F>;

    #[track_caller]
    #[inline]
    fn apply<O: Op<F>>(op: O, inputs: &[&Self]) -> Self {
        let Some(first) = inputs.first() else { no_input(O::NAME) };
        first.rec.record(op, inputs)
    }
    #[track_caller]
    fn apply_many<O: OpMany<F>>(op: O, inputs: &[&Self]) -> Outputs<Self> {
        let Some(first) = inputs.first() else { no_input(O::NAME) };
        first.rec.record_many(op, inputs)
    }
    fn place(&self) -> &'t Recording<F> {
        self.rec
    }
    #[track_caller]
    fn value(&self) -> Tensor<F> {
        let value = self.rec.with_value(*self, Tensor::clone);
        if value.is_released() {
            self.lost();
        }
        value
    }
    fn shape(&self) -> Shape {
        self.rec.with_value(*self, |t| t.shape())
    }
    fn tag(self, p: &Param<F>) -> Self {
        self.rec.tag(self, p);
        self
    }
    fn watch(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.rec.watch(self, name.into());
        self
    }
    #[track_caller]
    fn through_dyn(&self, layer: &dyn DynLayer<F>) -> Self {
        layer.on_var(self)
    }
    #[track_caller]
    fn accumulate(&mut self, g: Self) {
        *self = TensorLike::add(self, &g);
    }
    fn accumulate_at(slot: &mut Option<Self>, shape: Shape, axis: usize, start: usize, g: Self) {
        let g = g.pad_axis(axis, start, shape[axis]);
        match slot {
            Some(sum) => sum.accumulate(g),
            empty => *empty = Some(g),
        }
    }
    #[track_caller]
    fn composed_vjp<C: Composed<F>>(op: &C, cx: &mut Vjp<'_, Self>) {
        Self::composed_vjp(op, cx);
    }
    fn map_vjp<O: MapOp<N>, const N: usize>(op: O, cx: &mut Vjp<'_, Self>, y_bar: Self) {
        let x: [Self; N] = std::array::from_fn(|k| *cx.input(k));
        for (i, partial) in op.partials(x, *cx.output(0)).into_iter().enumerate() {
            cx.give(i, || TensorLike::chain(&y_bar, &partial).sum_to(x[i].shape()));
        }
    }
}

macro_rules! recorded { ($($method:ident($($arg:ident: $ty:ty)?))*; $($binary:ident)*) => {
    /// A formula of the table, written over recorded values: its ops are recorded, which gives the higher orders.
    impl<F: Real> Number for Var<'_, F> {
        #[track_caller]
        fn lit(self, c: f64) -> Self {
            self.rec.constant(&Tensor::filled(Shape::SCALAR, F::of(c)))
        }
        $(
            #[track_caller]
            fn $method(self $(, $arg: $ty)?) -> Self { TensorLike::$method(&self $(, $arg)?) }
        )*
        $(
            #[track_caller]
            fn $binary(self, b: Self) -> Self { TensorLike::$binary(&self, &b) }
        )*
        #[track_caller]
        fn where_cond(self, a: Self, b: Self) -> Self {
            TensorLike::where_cond(&self, &a, &b)
        }
    }
} }
recorded! {
    abs() sign() step() exp() ln() exp_m1() ln_1p() sin() cos() tan() sqrt() recip() powi(n: i32) powf(p: f64) tanh() sech2() sigmoid() sigmoid_slope()
    softplus() relu() erf() erfc() gauss() normal_cdf() normal_pdf();
    maximum minimum gt ge chain
}
