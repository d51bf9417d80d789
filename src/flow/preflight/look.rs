//! One pass under the eyes of a monitor, and the exact horizon of each recurrent layer.
use crate::{
    core::{Module, Observer, Recorded, Recording, Tape, TensorLike, TimeStep, Var},
    error::{Error, ErrorKind},
    flow::{Monitor, Report, ThroughTime, measure::Chain, verdict::judge_once},
    rng::Rng,
    tensor::{Real, Tensor},
};

/// Places on the recording: hidden activations, and the longest run of each recurrent layer, with its path and steps.
#[derive(Default)]
struct Places {
    activations: Vec<usize>,
    runs: Vec<(String, usize, usize)>,
}

impl<F: Real> Observer<F> for Places {
    fn recording(&mut self, recorded: &Recorded<'_, F>) -> Result<(), Error> {
        self.activations = hidden_activations(&Chain::read(recorded));
        Ok(())
    }

    fn time_step(&mut self, step: &TimeStep<'_>) -> Result<(), Error> {
        match self.runs.iter_mut().find(|(path, ..)| path == step.path) {
            Some(run) if run.2 < step.steps => (run.1, run.2) = (step.index, step.steps),
            Some(_) => {}
            None => self.runs.push((step.path.to_owned(), step.index, step.steps)),
        }
        Ok(())
    }
}

/// The functions of one value between the first layer and the last one; not those that open a product, as a gate does.
fn hidden_activations(chain: &Chain) -> Vec<usize> {
    let [first, .., last] = &chain.stages[..] else { return vec![] };
    let gate = |i| {
        let opens = |reader: usize| {
            let inputs = chain.inputs(reader);
            chain.nodes[reader].op == "mul" && inputs.iter().all(|x| chain.nodes[*x as usize].wants)
        };
        chain.readers(i).any(opens)
    };
    let one = |i: &usize| chain.nodes[*i].elementwise && chain.inputs(*i).len() == 1 && !gate(*i);
    let (start, end) = (first.input.map_or(0, |i| i + 1), last.input.unwrap_or(last.signal));
    (start..=end).filter(one).collect()
}

/// Looks at what `record` records, if it records anything, and where its hidden activations are. A recurrent layer is judged by a second pass, whose loss looks
/// at one step of it only: with a loss at every step the rates of single steps may read up to twice too short.
pub(super) fn look<F: Real, N: Module<F>>(
    net: &N,
    seed: u64,
    tape: &mut Tape<F>,
    record: &dyn for<'t> Fn(&'t Recording<F>) -> Option<Var<'t, F>>,
) -> Result<Option<(Report, Vec<usize>)>, Error> {
    let (mut monitor, mut places) = (Monitor::preflight(), Places::default());
    let Some(loss) = record(tape.begin_train(&mut Rng::seed(seed))) else { return Ok(None) };
    match loss.backward_with(net, &mut (&mut monitor, &mut places)) {
        Err(e) if e.kind() != ErrorKind::NonFinite => return Err(e),
        _ => {}
    }
    let mut report = monitor.report();
    let Some(sample) = report.samples.last_mut().filter(|s| !s.time.is_empty()) else {
        return Ok(Some((report, places.activations)));
    };
    for (path, index, steps) in places.runs {
        let r = tape.begin_train(&mut Rng::seed(seed));
        if record(r).is_none() {
            continue;
        }
        r.keep_checkpoints(); // the states of a layer inside one are read below
        let mut seen = ThroughTime::new();
        at_one_step(Var::at(r, index), seed).backward_with(net, &mut seen)?;
        // The sweep begins with this run; the layers below it come later, and are listed before.
        let Some(probe) = seen.layers().last().filter(|probe| probe.path == path && probe.steps() == steps) else {
            continue;
        };
        for time in sample.time.iter_mut().filter(|t| *t.path == *path) {
            (time.probed_rho, time.probed_horizon) = probe.fate();
        }
    }
    report.verdicts = judge_once(sample);
    Ok(Some((report, places.activations)))
}

/// A random reading of the last of all states `[T, B, H]`.
fn at_one_step<F: Real>(states: Var<'_, F>, seed: u64) -> Var<'_, F> {
    let shape = states.shape();
    let steps = shape[0];
    let readout = Tensor::normal_of([1, shape[1], shape[2]], 0.0, 1.0, &mut Rng::seed(seed));
    (states.slice(0, steps - 1..steps) * states.constant(&readout)).sum()
}
