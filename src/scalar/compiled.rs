//! Programs that are recorded once and repeated at other points.
use super::{
    Scalar, Trace,
    tape::same_length,
    trace::{Operand, Program, Pull, Recorder},
};
use crate::{
    error::{Error, ErrorKind},
    real::Base,
};
use std::cell::RefCell;

/// Points that are evaluated together.
const LANES: usize = 8;

/// A function of one result, recorded at one point and repeated at others: its branches are not taken again, but checked.
///
/// Whatever could change the path of the program (comparisons, `is_nan`, casts, ..) was noted with its answer. A point with another
/// answer is never evaluated by the wrong path: [`value_and_grad`](Self::value_and_grad) records anew there,
/// [`try_value_and_grad`](Self::try_value_and_grad) gives an error.
///
/// It is no faster yet than recording every time by [`Tape::value_and_grad`](super::Tape::value_and_grad), and slower for one point at
/// a time: what it gives is one path for all points, and word of those that leave it.
///
/// ```
/// use chainrule::scalar::Compiled;
/// let mut f = Compiled::record(|x| if x[0] > 0.0 { x[0] * x[1] } else { x[1].exp() }, &[1.0, 2.0]);
/// let mut g = [0.0; 2];
/// assert_eq!((f.value_and_grad(&[3.0, 4.0], &mut g), g, f.recordings()), (12.0, [4.0, 3.0], 1));
/// assert!(f.try_value_and_grad(&[-1.0, 0.0], &mut g).is_err());
/// assert_eq!((f.value_and_grad(&[-1.0, 0.0], &mut g), g, f.recordings()), (1.0, [0.0, 1.0], 2));
///
/// // Several points, one after the other in one slice.
/// let (mut y, mut g) = ([0.0; 3], [0.0; 6]);
/// f.values_and_grads(&[-1.0, 0.0, 2.0, 5.0, -3.0, 1.0], &mut y, &mut g);
/// assert_eq!((y[1], &g[2..4]), (10.0, &[5.0, 2.0][..]));
/// ```
pub struct Compiled<S, G> {
    f: G,
    program: Program<S>,
    /// Which result is the function's, or a constant.
    result: Operand<S>,
    recordings: usize,
    room: Room<S>,
}

/// Values and cotangents of every result for some points, kept.
struct Room<S> {
    values: Vec<S>,
    bars: Vec<S>,
}

impl<S: Scalar + Base, G> Compiled<S, G>
where
    G: for<'t> Fn(&[Trace<'t, S>]) -> Trace<'t, S>,
{
    /// Records `f` at `x`.
    ///
    /// # Panics
    /// As `f`, and if it gives a number of another recording.
    #[track_caller]
    pub fn record(f: G, x: &[S]) -> Self {
        let (program, result) = recorded(&f, x);
        Self { f, program, result, recordings: 1, room: Room { values: vec![], bars: vec![] } }
    }

    /// How often the function was recorded so far: more than once if points took another branch.
    pub fn recordings(&self) -> usize {
        self.recordings
    }

    /// How many operations and how many guards there are.
    pub fn size(&self) -> (usize, usize) {
        (self.program.steps.len(), self.program.guards.len())
    }

    /// The value at `x`, with the gradient in `gradient`; records anew if `x` takes another branch.
    ///
    /// # Panics
    /// As `f`, and if `x` or `gradient` has not the length of the recorded point.
    #[track_caller]
    pub fn value_and_grad(&mut self, x: &[S], gradient: &mut [S]) -> S {
        self.check("value_and_grad", x.len(), gradient.len(), 1);
        if !self.forward(x, 1) {
            (self.program, self.result) = recorded(&self.f, x);
            self.recordings += 1;
            assert!(
                self.forward(x, 1),
                "scalar::Compiled: the function takes another branch at one and the same point"
            );
        }
        let mut value = [S::zero()];
        self.backward(1, &mut value, gradient);
        value[0]
    }

    /// As [`value_and_grad`](Self::value_and_grad) for points that take the recorded path.
    ///
    /// # Errors
    /// [`ErrorKind::Branch`] if `x` takes another branch; then `gradient` is as before.
    ///
    /// # Panics
    /// If `x` or `gradient` has not the length of the recorded point.
    #[track_caller]
    pub fn try_value_and_grad(&mut self, x: &[S], gradient: &mut [S]) -> Result<S, Error> {
        self.check("try_value_and_grad", x.len(), gradient.len(), 1);
        if !self.forward(x, 1) {
            let text = "scalar::Compiled: the point takes another branch than the recorded one\n\
                        help: `value_and_grad` records anew at such points";
            return Err(Error::new(ErrorKind::Branch, text));
        }
        let mut value = [S::zero()];
        self.backward(1, &mut value, gradient);
        Ok(value[0])
    }

    /// The values and gradients at several points, which stand one after the other in `x` as their gradients do in `gradients`.
    /// Eight at a time; points that take another branch are recorded one by one.
    ///
    /// # Panics
    /// As `f`, and if `x` and `gradients` have not the recorded point's length for each number of `values`.
    #[track_caller]
    pub fn values_and_grads(&mut self, x: &[S], values: &mut [S], gradients: &mut [S]) {
        let n = self.program.inputs;
        self.check("values_and_grads", x.len(), gradients.len(), values.len());
        for (block, values) in values.chunks_mut(LANES).enumerate() {
            let at = block * LANES * n..block * LANES * n + values.len() * n;
            let (x, gradients) = (&x[at.clone()], &mut gradients[at]);
            if self.forward(x, values.len()) {
                self.backward(values.len(), values, gradients);
                continue;
            }
            for (k, value) in values.iter_mut().enumerate() {
                *value = self.value_and_grad(&x[k * n..(k + 1) * n], &mut gradients[k * n..(k + 1) * n]);
            }
        }
    }

    #[track_caller]
    fn check(&self, function: &str, x: usize, gradient: usize, points: usize) {
        same_length(function, "x", x, points * self.program.inputs);
        same_length(function, "gradient", gradient, points * self.program.inputs);
    }

    /// All results at `points` points; whether every guard holds at all of them.
    fn forward(&mut self, x: &[S], points: usize) -> bool {
        let Program { inputs, steps, guards } = &self.program;
        let values = &mut self.room.values;
        values.clear();
        values.resize((inputs + steps.len()) * points, S::zero());
        for (k, x) in x.iter().enumerate() {
            values[k % inputs * points + k / inputs] = *x;
        }
        let place = |i: u32| i as usize * points..(i as usize + 1) * points;
        for (k, step) in steps.iter().enumerate() {
            let (below, here) = values.split_at_mut((inputs + k) * points);
            step.op.value(&below[place(step.a)], &below[place(step.b)], &mut here[..points]);
        }
        guards.iter().all(|guard| {
            (0..points).all(|p| {
                let [a, b] = guard.operands.map(|operand| match operand {
                    Operand::Result(i) => values[i as usize * points + p],
                    Operand::Constant(c) => c,
                });
                (guard.holds)(a, b)
            })
        })
    }

    /// The values of the function and its gradients, after [`forward`](Self::forward).
    fn backward(&mut self, points: usize, values: &mut [S], gradients: &mut [S]) {
        let Program { inputs, steps, .. } = &self.program;
        let Room { values: all, bars } = &mut self.room;
        let place = |i: u32| i as usize * points..(i as usize + 1) * points;
        bars.clear();
        bars.resize(all.len(), S::zero());
        match self.result {
            Operand::Constant(c) => values.fill(c),
            Operand::Result(i) => {
                values.copy_from_slice(&all[place(i)]);
                bars[place(i)].fill(S::one());
            }
        }
        let (mut p, mut q) = ([S::zero(); LANES], [S::zero(); LANES]);
        let (p, q) = (&mut p[..points], &mut q[..points]);
        for (k, step) in steps.iter().enumerate().rev() {
            let (below, here) = bars.split_at_mut((inputs + k) * points);
            let (y, y_bar) = (&all[(inputs + k) * points..(inputs + k + 1) * points], &here[..points]);
            if y_bar.iter().all(|bar| bar.nothing()) {
                continue;
            }
            step.op.pull(Pull { a: &all[place(step.a)], b: &all[place(step.b)], y, y_bar }, p, q);
            // Add, never assign: a value used twice receives one cotangent per use.
            below[place(step.a)].iter_mut().zip(&*p).for_each(|(bar, p)| *bar += *p);
            below[place(step.b)].iter_mut().zip(&*q).for_each(|(bar, q)| *bar += *q);
        }
        for (k, gradient) in gradients.iter_mut().enumerate() {
            *gradient = bars[k % inputs * points + k / inputs];
        }
    }
}

#[track_caller]
fn recorded<S: Scalar + Base, G>(f: &G, x: &[S]) -> (Program<S>, Operand<S>)
where
    G: for<'t> Fn(&[Trace<'t, S>]) -> Trace<'t, S>,
{
    let inputs = u32::try_from(x.len()).expect("at most 2^32 variables");
    let recorder = Recorder(RefCell::new(Program { inputs: x.len(), steps: vec![], guards: vec![] }));
    let x: Vec<_> = (0..inputs).zip(x).map(|(i, &v)| Trace { v, i, tape: Some(&recorder) }).collect();
    let y = f(&x);
    let result = match y.tape {
        Some(tape) if !std::ptr::eq(tape, &recorder) => super::tape::foreign(),
        Some(_) => Operand::Result(y.i),
        None => Operand::Constant(y.v),
    };
    (recorder.0.into_inner(), result)
}
