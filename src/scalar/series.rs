//! How a function of a series is found from its derivative alone: `y' = f'(x) x'`, coefficient by coefficient.
//!
//! `f'(x)` is a row's `partials`, evaluated once over [`Term`]s, which writes down the series it is made of. Coefficient `k` of y needs
//! those of f'(x) up to `k - 1`, which may need those of y up to `k - 1`: so each one can be asked for when those before it are known.
use super::Scalar;
use crate::formula::*;
use num_traits::Float;
use std::{any::TypeId, cell::RefCell, ops};

/// What has a series without a derivative: sums, products and quotients.
#[derive(Clone, Copy)]
pub(super) enum Arithmetic {
    Sum,
    Difference,
    Product,
    /// The product in which a zero wins, also at order 0.
    Chain,
    Quotient,
}
use Arithmetic::{Difference, Product, Quotient, Sum};

/// Whether two formulas are one.
pub(super) fn is<A: 'static, B: 'static>() -> bool {
    TypeId::of::<A>() == TypeId::of::<B>()
}

/// Whether a formula is arithmetic, and which.
pub(super) fn arithmetic<O: 'static>() -> Option<Arithmetic> {
    match () {
        () if is::<O, Plus>() => Some(Sum),
        () if is::<O, Minus>() => Some(Difference),
        () if is::<O, Mul>() => Some(Product),
        () if is::<O, Div>() => Some(Quotient),
        () if is::<O, Chain>() => Some(Arithmetic::Chain),
        () => None,
    }
}

impl Arithmetic {
    /// Order 0.
    pub(super) fn value<S: Scalar>(self, a: S, b: S) -> S {
        match self {
            Sum => a + b,
            Difference => a - b,
            Product => a * b,
            Arithmetic::Chain => a.chain(b),
            Quotient => a / b,
        }
    }

    /// Order `k > 0`, of series that are 0 from `ends` on; `y` is the result, up to the order before.
    pub(super) fn coefficient<S: Scalar>(
        self,
        k: usize,
        ends: (usize, usize),
        a: impl Fn(usize) -> S,
        b: impl Fn(usize) -> S,
        y: impl Fn(usize) -> S,
    ) -> S {
        match self {
            Sum => a(k) + b(k),
            Difference => a(k) - b(k),
            Product | Arithmetic::Chain => {
                let terms = (k + 1).saturating_sub(ends.1)..ends.0.min(k + 1);
                added(terms.map(|j| a(j).chain(b(k - j))))
            }
            Quotient => {
                let rest = a(k) - added((1..ends.1.min(k + 1)).map(|j| b(j).chain(y(k - j))));
                if rest.nothing() { S::zero() } else { rest / b(0) }
            }
        }
    }

    /// From where on the result is 0.
    fn end(self, a: usize, b: usize) -> usize {
        match self {
            Sum | Difference => a.max(b),
            Product | Arithmetic::Chain => a.saturating_add(b - 1),
            Quotient if b == 1 => a,
            Quotient => usize::MAX,
        }
    }
}

fn added<S: Scalar>(terms: impl Iterator<Item = S>) -> S {
    terms.reduce(|a, b| a + b).unwrap_or_else(S::zero)
}

/// A series, by its place.
type Id = usize;

#[derive(Clone, Copy)]
enum Kind {
    /// All of it is known.
    Given,
    Negative(Id),
    Arithmetic(Arithmetic, Id, Id),
    /// A function of one or two series: they and its partial derivatives.
    Function([Option<[Id; 2]>; 2]),
}

struct Series<S> {
    kind: Kind,
    /// Coefficients from here on are 0.
    end: usize,
    /// How many coefficients can be asked for.
    len: usize,
    known: Vec<S>,
}

/// All series that the derivative of a function leads to.
pub(super) struct Solver<S> {
    series: Vec<Series<S>>,
    /// Formulas without attributes and what they were applied to: sine leads to cosine and cosine to the same sine.
    met: Vec<(TypeId, Vec<Id>, Id)>,
}

impl<S: Scalar> Solver<S> {
    /// The first `len` coefficients of `op(x)`, for series that are 0 from an end on.
    pub(super) fn solve<O: Formula<M>, const M: usize>(
        op: O,
        len: usize,
        x: [(usize, impl Fn(usize) -> S); M],
        mut put: impl FnMut(usize, S),
    ) {
        let solver = RefCell::new(Self { series: vec![], met: vec![] });
        let x = x.map(|(end, x)| Term::given(&solver, (0..end).map(x).collect(), len));
        let y = Term::function(op, x).id;
        let mut solver = solver.into_inner();
        for k in 0..len {
            put(k, solver.coefficient(y, k));
        }
    }

    /// Coefficient `k`, found now if it was not asked for before.
    fn coefficient(&mut self, id: Id, k: usize) -> S {
        if k >= self.series[id].end {
            return S::zero();
        }
        while self.series[id].known.len() <= k {
            let next = self.series[id].known.len();
            let c = self.next(id, next);
            self.series[id].known.push(c);
        }
        self.series[id].known[k]
    }

    /// What was found before. A coefficient that was not is a mistake of this file, never a 0.
    fn read(&self, id: Id) -> impl Fn(usize) -> S + '_ {
        let Series { end, known, .. } = &self.series[id];
        move |k| if k < *end { known[k] } else { S::zero() }
    }

    /// The first coefficient that is not known.
    fn next(&mut self, id: Id, k: usize) -> S {
        match self.series[id].kind {
            Kind::Given => S::zero(),
            Kind::Negative(a) => -self.coefficient(a, k),
            Kind::Arithmetic(arithmetic, a, b) => {
                let ends = (self.series[a].end, self.series[b].end);
                // All up to k, so that the sums below read only.
                self.coefficient(a, k);
                self.coefficient(b, k);
                let [a, b, y] = [a, b, id].map(|id| self.read(id));
                arithmetic.coefficient(k, ends, a, b, y)
            }
            Kind::Function(partials) => {
                let each = partials.into_iter().flatten().map(|[x, p]| {
                    let end = self.series[x].end.min(k + 1);
                    if end > 1 {
                        self.coefficient(x, k);
                        self.coefficient(p, k - 1);
                    }
                    let (x, p) = (self.read(x), self.read(p));
                    let terms = (1..end).map(|j| (x(j) * S::lit(j as f64)).chain(p(k - j)));
                    added(terms)
                });
                added(each) / S::lit(k as f64)
            }
        }
    }
}

/// A series of which so many coefficients are wanted, as a number of formulas.
struct Term<'a, S> {
    solver: &'a RefCell<Solver<S>>,
    id: Id,
    len: usize,
}
impl<S> Clone for Term<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S> Copy for Term<'_, S> {}

impl<'a, S: Scalar> Term<'a, S> {
    fn new(solver: &'a RefCell<Solver<S>>, kind: Kind, end: usize, len: usize, known: Vec<S>) -> Self {
        let series = &mut solver.borrow_mut().series;
        series.push(Series { kind, end: end.min(len), len, known });
        Self { solver, id: series.len() - 1, len }
    }

    fn given(solver: &'a RefCell<Solver<S>>, known: Vec<S>, len: usize) -> Self {
        Self::new(solver, Kind::Given, known.len(), len, known)
    }

    /// A number that stays.
    fn constant(self, c: S) -> Self {
        Self::given(self.solver, vec![c], self.len)
    }

    fn value(self) -> S {
        self.solver.borrow().series[self.id].known[0]
    }

    fn number(self) -> S::Number {
        self.value().number()
    }

    fn end(self) -> usize {
        self.solver.borrow().series[self.id].end
    }

    /// The same series with fewer coefficients.
    fn shorter(self, len: usize) -> Self {
        Self { len: len.min(self.len), ..self }
    }

    fn arithmetic(self, b: Self, arithmetic: Arithmetic) -> Self {
        let (len, end) = (self.len.min(b.len), arithmetic.end(self.end(), b.end()));
        let y = arithmetic.value(self.value(), b.value());
        Self::new(self.solver, Kind::Arithmetic(arithmetic, self.id, b.id), end, len, vec![y])
    }

    /// op(x): its partial derivatives are written down, too, one coefficient shorter, and theirs, until none is left.
    #[inline(never)]
    fn function<O: Formula<M>, const M: usize>(op: O, x: [Self; M]) -> Self {
        const { assert!(M == 1 || M == 2, "single numbers have formulas of one and of two") }
        let solver = x[0].solver;
        let len = x.iter().map(|x| x.len).min().unwrap_or(0);
        let key = x.map(|x| x.id);
        let plain = size_of::<O>() == 0;
        if plain && let Some(id) = solver.borrow().met(TypeId::of::<O>(), &key, len) {
            return Self { solver, id, len };
        }
        let y = S::of(op.value(x.map(Self::number)));
        let end = if x.iter().all(|x| x.end() == 1) { 1 } else { len };
        let y = Self::new(solver, Kind::Function([None; 2]), end, len, vec![y]);
        if plain {
            solver.borrow_mut().met.push((TypeId::of::<O>(), key.to_vec(), y.id));
        }
        if end > 1 {
            let partials = op.partials(x.map(|x| x.shorter(len - 1)), y.shorter(len - 1));
            let mut pairs = [None; 2];
            for (pair, (x, p)) in pairs.iter_mut().zip(x.iter().zip(partials)) {
                *pair = Some([x.id, p.id]);
            }
            solver.borrow_mut().series[y.id].kind = Kind::Function(pairs);
        }
        y
    }
}

impl<S> Solver<S> {
    fn met(&self, op: TypeId, x: &[Id], len: usize) -> Option<Id> {
        let mut met = self.met.iter().filter(|(other, inputs, _)| *other == op && inputs == x);
        met.find(|(.., id)| self.series[*id].len >= len).map(|(.., id)| *id)
    }
}

macro_rules! operator { ($($op:ident $method:ident $arithmetic:expr;)*) => { $(
    impl<S: Scalar> ops::$op for Term<'_, S> {
        type Output = Self;
        fn $method(self, b: Self) -> Self {
            self.arithmetic(b, $arithmetic)
        }
    }
)* } }
operator! { Add add Sum; Sub sub Difference; Mul mul Product; Div div Quotient; }

impl<S: Scalar> ops::Neg for Term<'_, S> {
    type Output = Self;
    fn neg(self) -> Self {
        Self::new(self.solver, Kind::Negative(self.id), self.end(), self.len, vec![-self.value()])
    }
}

macro_rules! rows { ($($method:ident($($x:ident: $ty:ty),*) = $row:expr;)*) => { $(
    fn $method(self $(, $x: $ty)*) -> Self {
        Self::function($row, [self])
    }
)* } }
macro_rules! pairs { ($($method:ident $row:ident;)*) => { $(
    fn $method(self, b: Self) -> Self {
        Self::function($row {}, [self, b])
    }
)* } }

impl<S: Scalar> Number for Term<'_, S> {
    fn lit(self, c: f64) -> Self {
        self.constant(S::lit(c))
    }
    rows! {
        abs() = Abs {}; exp() = Exp {}; ln() = Ln {}; exp_m1() = ExpM1 {}; ln_1p() = Ln1p {}; sin() = Sin {}; cos() = Cos {};
        tan() = Tan {}; sqrt() = Sqrt {}; recip() = Recip {}; powi(n: i32) = Powi { n }; powf(p: f64) = Powf { p };
        tanh() = Tanh {}; sech2() = Sech2 {}; sigmoid() = Sigmoid {}; sigmoid_slope() = SigmoidSlope {};
        softplus() = Softplus {}; relu() = Relu {}; erf() = Erf {}; erfc() = Erfc {}; gauss() = Gauss {};
        normal_cdf() = NormalCdf {}; normal_pdf() = NormalPdf {};
    }
    pairs! { maximum Maximum; minimum Minimum; }
    fn sign(self) -> Self {
        self.constant(S::of(Number::sign(self.number())))
    }
    fn step(self) -> Self {
        self.constant(S::of(Number::step(self.number())))
    }
    fn gt(self, b: Self) -> Self {
        self.constant(S::of(Number::gt(self.number(), b.number())))
    }
    fn ge(self, b: Self) -> Self {
        self.constant(S::of(Number::ge(self.number(), b.number())))
    }
    fn where_cond(self, a: Self, b: Self) -> Self {
        if self.value().is_zero() { b } else { a }
    }
    fn chain(self, slope: Self) -> Self {
        self.arithmetic(slope, Arithmetic::Chain)
    }
}

impl<S: Scalar> Functions for Term<'_, S> {
    rows! {
        exp2() = Exp2 {}; log2() = Log2 {}; log10() = Log10 {}; cbrt() = Cbrt {}; asin() = Asin {}; acos() = Acos {};
        atan() = Atan {}; sinh() = Sinh {}; cosh() = Cosh {}; asinh() = Asinh {}; acosh() = Acosh {}; atanh() = Atanh {};
        ln_gamma() = LnGamma {}; polygamma(n: u32) = Polygamma { n };
    }
    pairs! { pow Pow; hypot Hypot; atan2 Atan2; remainder Remainder; }
    fn round(self) -> Self {
        self.constant(Float::round(self.value()))
    }
}
