//! The cells again, twice: step by step from ordinary ops, and as loops over numbers of any kind. Nothing here is the
//! crate's recurrent code.
use crate::{
    case::{Case, Kind, Net, Values},
    dual::Num,
};
use chainrule::{nn::State, prelude::*};

/// A recorded program: its leaves that want gradients, its outputs (all `h`, the last `h` and `c` of each layer), and
/// the loss.
pub struct Program<'t, F: Real> {
    pub leaves: Vec<(usize, Var<'t, F>)>,
    pub outputs: Vec<Var<'t, F>>,
    pub loss: Var<'t, F>,
    /// How near the sums of ReLU's came to 0, where their derivative jumps.
    pub kink: f64,
}

impl<'t, F: Real> Program<'t, F> {
    fn new(r: &'t Recording<F>, case: &Case, values: &Values, all: &[Var<'t, F>], outputs: Vec<Var<'t, F>>) -> Self {
        let leaves = all.iter().copied().enumerate().filter(|(k, _)| case.wants(*k)).collect();
        let seen = outputs.iter().zip(&values.upstream).enumerate().filter(|(k, _)| case.seen(*k));
        let parts = seen.map(|(_, (y, up))| (*y * r.constant(&up.to())).sum());
        let loss = parts.reduce(|a, b| a + b).expect("something is seen");
        Self { leaves, outputs, loss, kink: f64::INFINITY }
    }

    pub fn wanted(&self) -> Vec<Var<'t, F>> {
        self.leaves.iter().map(|(_, v)| *v).collect()
    }

    /// The gradient, recorded, times a direction.
    pub fn slope(&self, along: &[Tensor<f64>]) -> Var<'t, F> {
        let gradients = self.loss.grads_recorded(&self.wanted());
        let parts = gradients.into_iter().zip(&self.leaves);
        let parts = parts.map(|(g, (k, _))| (g * g.constant(&along[*k].to())).sum());
        parts.reduce(|a, b| a + b).expect("a leaf")
    }
}

/// Leaves other than parameters.
fn data<'t, F: Real>(r: &'t Recording<F>, case: &Case, values: &Values) -> Vec<Var<'t, F>> {
    let data = values.leaves().enumerate().skip(values.params.len());
    data.map(|(k, t)| if case.wants(k) { r.variable(&t.to()) } else { r.constant(&t.to()) }).collect()
}

/// The crate's layers.
pub fn layers<'t, F: Real>(r: &'t Recording<F>, case: &Case, values: &Values, net: &Net<F>) -> Program<'t, F> {
    let mut all = vec![];
    net.visit(|_, p| all.push(r.param(p)));
    let data = data(r, case, values);
    all.extend(&data);
    let (h, c) = data[1..].split_at(case.widths.len());
    let state = State { h: h.iter().copied().collect(), c: c.iter().copied().collect() };
    let state = case.state.then_some(&state);
    let (y, last) = if case.tokens { net.run_tokens(r, &values.tokens, state) } else { net.run(&data[0], state) };
    let outputs = [y].into_iter().chain(last.h).chain(last.c).collect();
    Program::new(r, case, values, &all, outputs)
}

/// The same from ordinary ops.
pub fn composed<'t, F: Real>(r: &'t Recording<F>, case: &Case, values: &Values) -> Program<'t, F> {
    let param = |(k, t): (usize, &Tensor<f64>)| if case.wants(k) { r.variable(&t.to()) } else { r.constant(&t.to()) };
    let mut all: Vec<_> = values.params.iter().enumerate().map(param).collect();
    let weights: Vec<Vec<_>> = all.chunks(case.params_per_layer()).map(<[_]>::to_vec).collect();
    let data = data(r, case, values);
    all.extend(&data);
    let (h, c) = data[1..].split_at(case.widths.len());
    let zero = |t: &Var<'t, F>| *t * 0.0;
    let first = |t: &[Var<'t, F>]| t.iter().map(|t| if case.state { *t } else { zero(t).detach() }).collect::<Vec<_>>();
    let (mut h, mut c) = (first(h), first(c));
    let (mut steps, mut kink) = (vec![], f64::INFINITY);
    for t in 0..case.steps {
        let mut x = data[0].slice(0, t..t + 1).reshape([case.batch, case.inputs]);
        for (layer, w) in weights.iter().enumerate() {
            let bias = |k: usize, z: Var<'t, F>| w.get(2 + k).map_or(z, |b| z + *b);
            let into = bias(0, x.matmul(&w[0].transpose(0, 1)));
            let from = bias(1, h[layer].matmul(&w[1].transpose(0, 1)));
            (h[layer], x) = {
                let new = match case.kind {
                    Kind::Tanh => (into + from).tanh(),
                    Kind::Relu => {
                        let z = into + from;
                        kink = z.value().data().iter().fold(kink, |least, z| least.min(z.f64().abs()));
                        z.relu()
                    }
                    Kind::Linear => into + from,
                    Kind::Lstm => {
                        let gates = (into + from).split(1, case.widths[layer]);
                        let (keep, take) = (gates[1].sigmoid() * c[layer], gates[0].sigmoid() * gates[2].tanh());
                        c[layer] = keep + take;
                        c[layer].tanh() * gates[3].sigmoid()
                    }
                    Kind::Gru => {
                        let (a, b) = (into.split(1, case.widths[layer]), from.split(1, case.widths[layer]));
                        let (reset, update) = ((a[0] + b[0]).sigmoid(), (a[1] + b[1]).sigmoid());
                        let new = (a[2] + b[2] * reset).tanh();
                        (update * -1.0 + 1.0) * new + update * h[layer]
                    }
                };
                (new, new)
            };
        }
        steps.push(x);
    }
    let y = match steps[..] {
        [] => r.constant(&Tensor::filled([0, case.batch, case.widths[case.widths.len() - 1]], F::zero())),
        _ => Var::stack(&steps.iter().collect::<Vec<_>>(), 0),
    };
    let outputs = [y].into_iter().chain(h).chain(c).collect();
    Program { kink, ..Program::new(r, case, values, &all, outputs) }
}

/// The loss, by loops over numbers; leaves in the order of [`Case::wants`].
pub fn scalar<N: Num>(case: &Case, values: &Values, leaves: &[Vec<N>]) -> N {
    let outputs = outputs(case, leaves);
    let mut loss = N::c(0.0);
    for (_, (y, up)) in outputs.iter().zip(&values.upstream).enumerate().filter(|(k, _)| case.seen(*k)) {
        loss = y.iter().zip(up.data()).fold(loss, |sum, (y, up)| sum + *y * N::c(*up));
    }
    loss
}

/// All `h`, the last `h` and `c` of each layer, by loops over numbers.
pub fn outputs<N: Num>(case: &Case, leaves: &[Vec<N>]) -> Vec<Vec<N>> {
    let (per, layers) = (case.params_per_layer(), case.widths.len());
    let rest = &leaves[per * layers..];
    let first = |k: usize| rest[k].iter().map(|v| if case.state { *v } else { N::c(0.0) }).collect::<Vec<N>>();
    let mut h: Vec<Vec<N>> = (1..=layers).map(first).collect();
    let mut c: Vec<Vec<N>> = (1 + layers..rest.len()).map(first).collect();
    let mut all = vec![];
    let row = |w: &[N], x: &[N]| w.iter().zip(x).fold(N::c(0.0), |sum, (w, x)| sum + *w * *x);
    for t in 0..case.steps {
        let mut x = rest[0][t * case.batch * case.inputs..][..case.batch * case.inputs].to_vec();
        let mut inputs = case.inputs;
        for (layer, w) in leaves[..per * layers].chunks(per).enumerate() {
            let units = case.widths[layer];
            let mut next = h[layer].clone();
            for b in 0..case.batch {
                let (x, past) = (&x[b * inputs..][..inputs], &h[layer][b * units..][..units]);
                let bias = |k: usize, unit: usize| w.get(2 + k).map_or(N::c(0.0), |b| b[unit]);
                let into = |unit: usize| row(&w[0][unit * inputs..][..inputs], x) + bias(0, unit);
                let from = |unit: usize| row(&w[1][unit * units..][..units], past) + bias(1, unit);
                for u in 0..units {
                    let gate = |k: usize| into(k * units + u) + from(k * units + u);
                    next[b * units + u] = match case.kind {
                        Kind::Tanh => gate(0).tanh(),
                        Kind::Relu => gate(0) * gate(0).step(),
                        Kind::Linear => gate(0),
                        Kind::Lstm => {
                            let c = &mut c[layer][b * units + u];
                            *c = gate(1).sigmoid() * *c + gate(0).sigmoid() * gate(2).tanh();
                            gate(3).sigmoid() * c.tanh()
                        }
                        Kind::Gru => {
                            let (reset, update) = (gate(0).sigmoid(), gate(1).sigmoid());
                            let new = (into(2 * units + u) + reset * from(2 * units + u)).tanh();
                            (N::c(1.0) - update) * new + update * past[u]
                        }
                    };
                }
            }
            h[layer] = next;
            (x, inputs) = (h[layer].clone(), units);
        }
        all.extend(x);
    }
    [all].into_iter().chain(h).chain(c).collect()
}
