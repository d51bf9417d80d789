//! The most memory that a workload takes, measured in a process that does nothing else.
use crate::workloads::{Worker, Workload};
use std::{env, fs, process::Command};

const STEPS: usize = 10;

/// Runs the workload in a child of this program; in MB of 10^6 bytes.
pub(crate) fn of_child(w: &Workload, threads: usize) -> Result<f64, String> {
    let program = env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new(program);
    command.args(["--alone", w.name, "--threads", &threads.to_string(), "--bench"]);
    let output = command.output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| {
        let errors = String::from_utf8_lossy(&output.stderr);
        format!("{}: {}", output.status, errors.lines().last().unwrap_or("no reason was given"))
    })
}

/// What the child does.
pub(crate) fn alone(w: &'static Workload, threads: usize) -> Result<f64, String> {
    Worker::new(threads, || w.ready()).run(STEPS);
    let status = fs::read_to_string("/proc/self/status").map_err(|e| format!("/proc/self/status: {e}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.map(|kb| kb * 1024.0 / 1e6).ok_or("/proc/self/status has no VmHWM".to_owned())
}
