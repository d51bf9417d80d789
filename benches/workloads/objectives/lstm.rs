//! ADBench's LSTM: its gates are diagonal.
use super::{Number, Objective, Points, data};

pub(crate) struct Lstm {
    layers: usize,
    cells: usize,
    steps: usize,
    parameters: Vec<f64>,
    state: Vec<f64>,
    sequence: Vec<f64>,
}

impl Lstm {
    /// 200 characters of the file.
    pub(crate) fn new() -> Self {
        let numbers = data("lstm_l2_c1024.txt");
        let (layers, cells, steps) = (numbers[0] as usize, numbers[2] as usize, 200);
        let (parameters, rest) = numbers[3..].split_at(8 * layers * cells + 3 * cells);
        let (state, sequence) = rest.split_at(2 * layers * cells);
        let [parameters, state, sequence] = [parameters, state, &sequence[..steps * cells]].map(<[f64]>::to_vec);
        Self { layers, cells, steps, parameters, state, sequence }
    }

    /// A step of one layer: `x` becomes its output. Weights and biases of the four gates stand one after the other.
    #[inline(always)]
    fn layer<T: Number>(&self, p: &[T], state: &mut [T], x: &mut [T]) {
        let b = self.cells;
        let (w, bias) = p.split_at(4 * b);
        let (h, c) = state.split_at_mut(b);
        for j in 0..b {
            let forget = sigmoid(x[j].mul_add(w[j], bias[j]));
            let ingate = sigmoid(h[j].mul_add(w[b + j], bias[b + j]));
            let output = sigmoid(x[j].mul_add(w[2 * b + j], bias[2 * b + j]));
            let change = h[j].mul_add(w[3 * b + j], bias[3 * b + j]).tanh();
            c[j] = ingate.mul_add(change, c[j] * forget);
            h[j] = output * c[j].tanh();
            x[j] = h[j];
        }
    }
}

#[inline(always)]
fn sigmoid<T: Number>(x: T) -> T {
    (-x).exp().plus(1.0).div_from(1.0)
}

impl Objective for Lstm {
    const NAME: &'static str = "lstm";
    fn points(&self) -> Points {
        Points::one(self.parameters.clone())
    }
    fn eval<T: Number>(&self, p: &[T], y: &mut [T], _: bool) {
        let b = self.cells;
        let (gates, extra) = p.split_at(8 * self.layers * b);
        let mut state: Vec<T> = self.state.iter().map(|&v| T::constant(v)).collect();
        let mut x = vec![p[0]; b];
        let mut total: Option<T> = None;
        for t in 0..self.steps - 1 {
            let (now, next) = self.sequence[t * b..(t + 2) * b].split_at(b);
            for j in 0..b {
                x[j] = extra[j].times(now[j]);
            }
            for (layer, state) in gates.chunks_exact(8 * b).zip(state.chunks_exact_mut(2 * b)) {
                self.layer(layer, state, &mut x);
            }
            for j in 0..b {
                x[j] = x[j].mul_add(extra[b + j], extra[2 * b + j]);
            }
            let sum = x[1..].iter().fold(x[0].exp(), |sum, x| sum + x.exp());
            let log = sum.plus(2.0).ln();
            for j in (0..b).filter(|&j| next[j] != 0.0) {
                let term = (x[j] - log).times(next[j]);
                total = Some(total.map_or(term, |total| total + term));
            }
        }
        y[0] = total.expect("characters").times(-1.0 / ((self.steps - 1) * b) as f64);
    }
}
