//! One pass under the eyes of a monitor, and the exact horizon of each recurrent layer.
use crate::{
    core::{Module, Observer, Recording, Tape, TensorLike, TimeStep, Var},
    error::{Error, ErrorKind},
    flow::{Monitor, Report, ThroughTime, verdict::judge_once},
    rng::Rng,
    tensor::{Real, Tensor},
};

/// The longest run of each recurrent layer: its path, its place on the recording, its steps.
#[derive(Default)]
struct Runs(Vec<(String, usize, usize)>);

impl<F: Real> Observer<F> for Runs {
    fn time_step(&mut self, step: &TimeStep<'_>) -> Result<(), Error> {
        match self.0.iter_mut().find(|(path, ..)| path == step.path) {
            Some(run) if run.2 < step.steps => (run.1, run.2) = (step.index, step.steps),
            Some(_) => {}
            None => self.0.push((step.path.to_owned(), step.index, step.steps)),
        }
        Ok(())
    }
}

/// Looks at what `record` records, if it records anything. A recurrent layer is judged by a second pass, whose loss looks
/// at one step of it only: with a loss at every step the rates of single steps may read up to twice too short.
pub(super) fn look<F: Real, N: Module<F>>(
    net: &N,
    seed: u64,
    tape: &mut Tape<F>,
    record: &dyn for<'t> Fn(&'t Recording<F>) -> Option<Var<'t, F>>,
) -> Result<Option<Report>, Error> {
    let (mut monitor, mut runs) = (Monitor::preflight(), Runs::default());
    let Some(loss) = record(tape.begin_train(&mut Rng::seed(seed))) else { return Ok(None) };
    match loss.backward_with(net, &mut (&mut monitor, &mut runs)) {
        Err(e) if e.kind() != ErrorKind::NonFinite => return Err(e),
        _ => {}
    }
    let mut report = monitor.report();
    let Some(sample) = report.samples.last_mut().filter(|s| !s.time.is_empty()) else { return Ok(Some(report)) };
    for (path, index, steps) in runs.0 {
        let r = tape.begin_train(&mut Rng::seed(seed));
        if record(r).is_none() {
            continue;
        }
        let mut seen = ThroughTime::new();
        at_one_step(Var::at(r, index), seed).backward_with(net, &mut seen)?;
        // The sweep begins with this run; the layers below it come later, and are listed before.
        let Some(probe) = seen.layers().last().filter(|probe| probe.path == path && probe.steps() == steps) else {
            continue;
        };
        for time in sample.time.iter_mut().filter(|t| *t.path == *path) {
            time.probed_rho = probe.rho().unwrap_or(f64::NAN);
            time.probed_horizon = probe.horizon().unwrap_or(f64::NAN);
        }
    }
    report.verdicts = judge_once(sample);
    Ok(Some(report))
}

/// A random reading of the last of all states `[T, B, H]`.
fn at_one_step<F: Real>(states: Var<'_, F>, seed: u64) -> Var<'_, F> {
    let shape = states.shape();
    let steps = shape[0];
    let readout = Tensor::normal_of([1, shape[1], shape[2]], 0.0, 1.0, &mut Rng::seed(seed));
    (states.slice(0, steps - 1..steps) * states.constant(&readout)).sum()
}
