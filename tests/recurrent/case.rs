//! Random networks with data for them.
use chainrule::{
    core::Path,
    nn::{Nonlinearity, Recurrent, State},
    prelude::*,
};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
    sample::select,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Tanh,
    Relu,
    Linear,
    Lstm,
    Gru,
}

pub const KINDS: [Kind; 5] = [Kind::Tanh, Kind::Relu, Kind::Linear, Kind::Lstm, Kind::Gru];

impl Kind {
    pub fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
            _ => 1,
        }
    }
}

/// A program: `<upstream, outputs>` as a function of weights, input and first state.
#[derive(Clone, Debug)]
pub struct Case {
    pub kind: Kind,
    pub steps: usize,
    pub batch: usize,
    pub inputs: usize,
    /// Units of each layer.
    pub widths: Vec<usize>,
    pub bias: bool,
    pub state: bool,
    pub tokens: bool,
    /// Which outputs the loss looks at: all `h`, the last ones, the last `c`.
    pub seen: [bool; 3],
    /// Which leaves get gradients: `w_ih`, `w_hh`, `b_ih`, `b_hh`, `x`, `h0`, `c0`.
    pub wanted: [bool; 7],
    pub seed: u64,
}

fn strategy(
    steps: Vec<usize>,
    batch: Vec<usize>,
    inputs: Vec<usize>,
    widths: Vec<usize>,
    layers: usize,
) -> impl Strategy<Value = Case> {
    let sizes = (select(steps), select(batch), select(inputs), vec(select(widths), 1..=layers));
    let switches = (any::<[bool; 3]>(), any::<[bool; 3]>(), prop_oneof![Just([true; 7]), any::<[bool; 7]>()]);
    (select(KINDS.to_vec()), sizes, switches, any::<u64>()).prop_map(|(kind, sizes, switches, seed)| {
        let (steps, batch, inputs, widths) = sizes;
        let ([bias, state, tokens], mut seen, wanted) = switches;
        // There are no tokens of no class; and a loss looks at something.
        let tokens = tokens && inputs > 0;
        seen[0] |= !seen[1] && (!seen[2] || kind != Kind::Lstm);
        Case { kind, steps, batch, inputs, widths, bias, state, tokens, seen, wanted, seed }
    })
}

/// Small ones, the empty ones among them.
pub fn small() -> impl Strategy<Value = Case> {
    strategy((0..7).collect(), (0..6).collect(), (0..6).collect(), vec![1, 2, 3, 5], 3)
}

/// Ones that meet all tails of vectors and blocks of batches and of time.
pub fn large() -> impl Strategy<Value = Case> {
    let steps = vec![1, 2, 5, 13, 40];
    strategy(steps, vec![1, 5, 16, 17, 33, 40], vec![0, 1, 3, 10, 17], vec![1, 3, 16, 17, 33, 64, 70], 2)
}

/// Numbers for a case, and a direction in which its leaves move.
#[derive(Clone, Debug)]
pub struct Values {
    /// `w_ih`, `w_hh`, and the biases if there are any, of each layer.
    pub params: Vec<Tensor<f64>>,
    pub x: Tensor<f64>,
    pub tokens: Labels,
    pub h: Vec<Tensor<f64>>,
    /// Of an LSTM.
    pub c: Vec<Tensor<f64>>,
    /// For all `h`, the last ones, the last `c`.
    pub upstream: Vec<Tensor<f64>>,
}

impl Case {
    pub fn params_per_layer(&self) -> usize {
        if self.bias { 4 } else { 2 }
    }

    pub fn values(&self) -> Values {
        let rng = &mut Rng::seed(self.seed);
        // From contracting to growing; nothing holds the growth of what is linear, and then f32 has no digits left.
        let most = if matches!(self.kind, Kind::Linear | Kind::Relu) { 1.0 } else { 2.0 };
        let gain = most * (0.25 + 0.75 * rng.uniform());
        let mut draw = |shape: &[usize], bound: f64| {
            Tensor::<f64>::uniform_of(Shape::try_new(shape).expect("small"), -bound, bound, rng)
        };
        let (gates, batch) = (self.kind.gates(), self.batch);
        let (mut params, mut inputs) = (vec![], self.inputs);
        for &h in &self.widths {
            let bound = gain / (h as f64).sqrt();
            params.extend([draw(&[gates * h, inputs], bound), draw(&[gates * h, h], bound)]);
            if self.bias {
                params.extend([draw(&[gates * h], 0.7), draw(&[gates * h], 0.7)]);
            }
            inputs = h;
        }
        let x = draw(&[self.steps, batch, self.inputs], 1.5);
        let mut states = || self.widths.iter().map(|&h| draw(&[batch, h], 1.0)).collect::<Vec<_>>();
        let h = states();
        let c = if self.kind == Kind::Lstm { states() } else { vec![] };
        let last = self.widths[self.widths.len() - 1];
        let mut upstream = vec![draw(&[self.steps, batch, last], 1.0)];
        upstream.extend(h.iter().chain(&c).map(|t| draw(&t.shape(), 1.0)));
        let ids = (0..self.steps * batch).map(|_| rng.below(self.inputs.max(1)));
        let tokens = Labels::new(ids, self.inputs.max(1)).expect("below");
        let tokens = tokens.reshape([self.steps, batch]);
        let x = if self.tokens { Tensor::one_hot_of(&tokens, self.inputs) } else { x };
        Values { params, x, tokens, h, c, upstream }
    }

    /// Whether leaf `k` gets a gradient: parameters in their order, `x`, `h0` and `c0` of each layer.
    pub fn wants(&self, k: usize) -> bool {
        let (params, layers) = (self.params_per_layer() * self.widths.len(), self.widths.len());
        match k.checked_sub(params) {
            None => self.wanted[k % self.params_per_layer()],
            Some(0) => self.wanted[4] && !self.tokens,
            Some(k) => self.state && self.wanted[if k <= layers { 5 } else { 6 }],
        }
    }

    /// The factor of each output's part of the loss: of all `h`, the last ones, the last `c`.
    pub fn seen(&self, output: usize) -> bool {
        self.seen[if output == 0 { 0 } else { 1 + (output - 1) / self.widths.len() }]
    }
}

impl Values {
    /// As f32 holds them.
    pub fn rounded(&self) -> Self {
        let all = |t: &[Tensor<f64>]| t.iter().map(|t| t.to::<f32>().to::<f64>()).collect::<Vec<_>>();
        let one = |t: &Tensor<f64>| t.to::<f32>().to::<f64>();
        let Self { params, x, tokens, h, c, upstream } = self;
        let (params, upstream) = (all(params), all(upstream));
        Self { params, x: one(x), tokens: tokens.clone(), h: all(h), c: all(c), upstream }
    }

    /// All leaves, in the order of [`Case::wants`].
    pub fn leaves(&self) -> impl Iterator<Item = &Tensor<f64>> {
        self.params.iter().chain([&self.x]).chain(&self.h).chain(&self.c)
    }

    /// Leaves moved by `step` along a direction.
    pub fn moved(&self, along: &[Tensor<f64>], step: f64) -> Self {
        let mut along = along.iter();
        let mut next = |t: &Tensor<f64>| {
            let v = along.next().expect("one for each leaf").data();
            Tensor::<f64>::of(t.shape(), t.data().iter().zip(v).map(|(x, v)| x + step * v).collect())
        };
        let params = self.params.iter().map(&mut next).collect();
        let x = next(&self.x);
        let h = self.h.iter().map(&mut next).collect();
        let c = self.c.iter().map(&mut next).collect();
        Self { params, x, h, c, ..self.clone() }
    }
}

/// Any of the networks.
#[derive(Clone)]
pub enum Net<F: Real> {
    Rnn(Rnn<F>),
    Lstm(Lstm<F>),
    Gru(Gru<F>),
}

/// The same expression for each.
macro_rules! each {
    ($net:expr, $n:ident => $e:expr) => {
        match $net {
            $crate::case::Net::Rnn($n) => $e,
            $crate::case::Net::Lstm($n) => $e,
            $crate::case::Net::Gru($n) => $e,
        }
    };
}

impl<F: Real> Module<F> for Net<F> {
    fn visit_at<'a>(&'a self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a Param<F>)) {
        each!(self, n => n.visit_at(path, f));
    }
    fn visit_mut_at<'a>(&'a mut self, path: &Path<'_>, f: &mut dyn FnMut(&Path<'_>, &'a mut Param<F>)) {
        each!(self, n => n.visit_mut_at(path, f));
    }
}

impl<F: Real> Net<F> {
    pub fn run<T: TensorLike<Elem = F>>(&self, x: &T, state: Option<&State<T>>) -> (T, State<T>) {
        each!(self, n => n.run(x, state))
    }

    pub fn run_tokens<P: Place<Elem = F>>(
        &self,
        place: P,
        tokens: &Labels,
        state: Option<&State<P::Array>>,
    ) -> (P::Array, State<P::Array>) {
        each!(self, n => n.run_tokens(place, tokens, state))
    }

    /// With the weights of a case; those that want no gradient are frozen.
    pub fn new(case: &Case, params: &[Tensor<f64>]) -> Self {
        let rng = &mut Rng::seed(0);
        let sizes: Vec<(usize, usize)> =
            [case.inputs].iter().chain(&case.widths).copied().zip(case.widths.iter().copied()).collect();
        macro_rules! stack {
            ($cell:ident) => {{
                let cells = sizes.iter().map(|&(i, h)| $cell::<F>::new(i, h, rng)).collect();
                let net = Recurrent::of(cells).expect("widths that fit");
                if case.bias { net } else { net.without_bias() }
            }};
        }
        let mut net = match case.kind {
            Kind::Tanh => Self::Rnn(stack!(RnnCell)),
            Kind::Relu => Self::Rnn(stack!(RnnCell).nonlinearity(Nonlinearity::Relu)),
            Kind::Linear => Self::Rnn(stack!(RnnCell).nonlinearity(Nonlinearity::Linear)),
            Kind::Lstm => Self::Lstm(stack!(LstmCell)),
            Kind::Gru => Self::Gru(stack!(GruCell)),
        };
        let mut paths = vec![];
        net.visit(|path, p| paths.push((path.to_string(), p.value.shape())));
        assert_eq!(paths.len(), params.len());
        for (k, ((path, shape), value)) in paths.into_iter().zip(params).enumerate() {
            assert_eq!(shape, value.shape(), "{path}");
            net.set(&path, value.to()).expect("the shape fits");
            if !case.wants(k) {
                net.freeze(&path).expect("it is there");
            }
        }
        net
    }
}
