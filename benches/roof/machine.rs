//! Where and with what it was measured.
use std::{env, fs, path::Path, process::Command, thread, time::SystemTime};

/// The processor, as far as the system tells.
pub(crate) fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let cores = thread::available_parallelism().map_or_else(|e| e.to_string(), |n| n.to_string());
    let Some(model) = field("model name") else {
        return format!("{} {} (no /proc/cpuinfo), {cores} processors", env::consts::OS, env::consts::ARCH);
    };
    let flags = field("flags").unwrap_or_default();
    let widest = ["avx512f", "avx2", "avx", "sse2"].into_iter().find(|w| flags.split(' ').any(|flag| flag == *w));
    let number = |name| field(name).unwrap_or_else(|| "?".to_owned());
    let (family, number) = (number("cpu family"), number("model"));
    format!("{model} (family {family}, model {number}, {}), {cores} processors", widest.unwrap_or("no SIMD known"))
}

/// The compiler that is called `rustc` here.
pub(crate) fn rustc() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().ok().filter(|output| output.status.success());
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    text.map_or_else(|| "rustc unknown".to_owned(), |text| text.trim().to_owned())
}

/// The crate whose products are the roof.
pub(crate) fn gemm() -> String {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap_or_default();
    let version = lock.split_once("name = \"gemm-f32\"\nversion = \"").and_then(|(_, rest)| rest.split('"').next());
    format!("gemm-f32 {}", version.unwrap_or("unknown"))
}

/// Today, by the clock of the world.
pub(crate) fn date() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (year, month, day) = civil(since.as_secs() / 86_400);
    format!("{year}-{month:02}-{day:02}")
}

/// The date of a day counted from 1970-01-01.
pub(crate) fn civil(mut day: u64) -> (u64, u64, u64) {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let months = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= months[month] {
        day -= months[month];
        month += 1;
    }
    (year, month as u64 + 1, day + 1)
}

/// The command, without where things lie on this machine.
pub(crate) fn command() -> String {
    let mut words: Vec<String> = vec!["cargo bench --bench roof --".to_owned()];
    let arguments: Vec<String> = env::args().skip(1).flat_map(|a| pieces(&a)).collect();
    let mut before = "";
    for argument in &arguments {
        let name = Path::new(argument).file_name().map_or(argument.clone(), |name| name.to_string_lossy().into_owned());
        match (before, &**argument) {
            ("--python", _) => words.push("PYTHON".to_owned()),
            ("--write", path) if Path::new(path).is_absolute() => words.push(name),
            (_, "--bench") => {}
            (_, other) => words.push(other.to_owned()),
        }
        before = argument;
    }
    words.join(" ")
}

/// `--name=value` in two.
fn pieces(argument: &str) -> Vec<String> {
    let split = argument.starts_with("--").then(|| argument.split_once('=')).flatten();
    split.map_or(vec![argument.to_owned()], |(name, value)| vec![name.to_owned(), value.to_owned()])
}
