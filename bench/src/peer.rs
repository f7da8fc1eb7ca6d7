//! Peers of the compilers: a script in Python that makes models and measures what
//! others do with them, and what both sides are measured by.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use kiln_compile::target::{Arch, Os, Platform};
use nix::time::{ClockId, clock_gettime};
use serde_json::Value;

use crate::error::BenchError;

/// Runs a script that leaves models and answers in a folder, and reads the figures
/// that it prints last.
pub fn measure(
    python: &Path,
    script: &str,
    folder: &Path,
    tiny: bool,
) -> Result<Value, BenchError> {
    let mut command = Command::new(python);
    command.args(["-c", script]).arg(folder);
    if tiny {
        command.arg("tiny");
    }
    let printed = output(python, &mut command)?;
    let last = printed.lines().last().unwrap_or_default();
    serde_json::from_str(last).map_err(|error| BenchError::program(python, error.to_string()))
}

/// Where the packages of a Python's environment are.
pub fn packages(python: &Path) -> Result<PathBuf, BenchError> {
    let ask = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let printed = output(python, Command::new(python).args(["-c", ask]))?;
    Ok(PathBuf::from(printed.trim()))
}

/// This machine, with a processor as LLVM names it, or the least one of its kind.
pub fn native(cpu: Option<&str>) -> Platform {
    Platform {
        os: Os::Linux,
        arch: if cfg!(target_arch = "aarch64") {
            Arch::Arm64
        } else {
            Arch::X86_64
        },
        cpu: cpu.map(str::to_owned),
        features: Vec::new(),
    }
}

/// A file of numbers of single precision.
pub fn floats(path: &Path) -> Result<Vec<f32>, BenchError> {
    let bytes = std::fs::read(path);
    let bytes = bytes.map_err(BenchError::io(format!("reading {}", path.display())))?;
    let numbers = bytes.as_chunks().0.iter();
    Ok(numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// How long this process has been at work.
pub fn cpu_time() -> Result<Duration, BenchError> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    time.map(Duration::from)
        .map_err(|errno| BenchError::io("reading the clock")(errno.into()))
}

fn output(program: &Path, command: &mut Command) -> Result<String, BenchError> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(BenchError::io(format!("running {}", program.display())))?;
    if !output.status.success() {
        let complaint = format!("failed ({})", output.status);
        return Err(BenchError::program(program, complaint));
    }
    String::from_utf8(output.stdout).map_err(|_| BenchError::program(program, "printed no text"))
}
