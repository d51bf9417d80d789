//! Other libraries, each in a live process of Python that measures what it is told to, when it is told to.
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

/// Who is measured, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Torch,
    Fused,
    Jax,
}

pub(crate) const KINDS: [Kind; 3] = [Kind::Torch, Kind::Fused, Kind::Jax];

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Torch => "PyTorch",
            Self::Fused => "PyTorch with fused optimizers",
            Self::Jax => "JAX",
        }
    }

    const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Torch => &["--peer", "torch"],
            Self::Fused => &["--peer", "torch", "--opt", "fused"],
            Self::Jax => &["--peer", "jax"],
        }
    }
}

/// One library with one number of threads.
pub(crate) struct Peer {
    pub(crate) kind: Kind,
    pub(crate) threads: usize,
    /// As the library calls itself, with its version.
    pub(crate) version: String,
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    complaints: Arc<Mutex<String>>,
}

/// What it answered.
pub(crate) struct Answer {
    pub(crate) us: f64,
    /// The loss of the first step of all.
    pub(crate) loss: f64,
    /// Which of several forms of the workload it was faster with.
    pub(crate) form: Option<String>,
}

impl Peer {
    /// Starts the process; [`Self::greet`] waits for it, so that several can load at a time.
    pub(crate) fn start(python: &Path, kind: Kind, threads: usize) -> Result<Self, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/python_steps.py");
        let mut command = Command::new(python);
        command.arg(script).args(kind.arguments()).args(["--serve", "--threads", &threads.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().map_err(|e| format!("{} cannot be started: {e}", python.display()))?;
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut errors = process.stderr.take().expect("it is piped");
        let complaints = Arc::new(Mutex::new(String::new()));
        let heard = complaints.clone();
        thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(n @ 1..) = errors.read(&mut part) {
                heard.lock().expect("nobody panics with it").push_str(&String::from_utf8_lossy(&part[..n]));
            }
        });
        Ok(Self { kind, threads, version: String::new(), process, orders, answers, complaints })
    }

    /// Waits until it is ready.
    pub(crate) fn greet(&mut self) -> Result<(), String> {
        let ready = self.answer()?;
        ready["ready"].as_str().ok_or(format!("an answer without a version: {ready}"))?.clone_into(&mut self.version);
        Ok(())
    }

    /// The median step of so many seconds; the first time with the workload, it is built and warmed up before.
    pub(crate) fn measure(&mut self, workload: &str, seconds: f64) -> Result<Answer, String> {
        let orders = self.orders.as_mut().expect("open until the end");
        let sent = writeln!(orders, "{workload} {seconds}").and_then(|()| orders.flush());
        let answer = sent.map_err(|e| e.to_string()).and_then(|()| self.answer())?;
        let number = |x: &Value| x.as_f64().ok_or(format!("no time in {answer}"));
        if let Some(error) = answer["extra"]["error"].as_str() {
            return Err(error.to_owned());
        }
        let form = answer["extra"]["form"].as_str().map(str::to_owned);
        Ok(Answer { us: number(&answer["median_us"])?, loss: number(&answer["extra"]["loss_first"])?, form })
    }

    fn answer(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(1..) => serde_json::from_str(&line).map_err(|e| format!("an answer that is no JSON ({e}): {line}")),
            _ => {
                let ended = self.process.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
                let complaints = self.complaints.lock().expect("nobody panics with it");
                let last = complaints.lines().last().unwrap_or("it gave no reason");
                Err(format!("the process ended ({ended}): {last}"))
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.orders.take());
        drop(self.process.wait());
    }
}

/// All that could be started, and why the others could not.
pub(crate) fn start(python: &Path, threads: &[usize]) -> Result<(Vec<Peer>, Vec<String>), String> {
    let (mut peers, mut notes) = (vec![], vec![]);
    for &threads in threads {
        for kind in KINDS {
            peers.push(Peer::start(python, kind, threads)?);
        }
    }
    peers.retain_mut(|peer| match peer.greet() {
        Ok(()) => true,
        Err(e) => {
            notes.push(format!("{}, {} thread(s): not measured: {e}", peer.kind.name(), peer.threads));
            false
        }
    });
    Ok((peers, notes))
}
