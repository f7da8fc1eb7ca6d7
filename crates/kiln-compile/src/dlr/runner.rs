//! Running a compiled model in a process of its own, under an emulator where it
//! is another architecture's.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::tensor_file::{decode, encode};
use super::{DlrError, Tensor};
use crate::target::{Arch, Os, Platform};

/// How often it is looked whether the process has ended.
const PATIENCE: Duration = Duration::from_millis(2);

/// A user-mode emulator of qemu, and the folder of the C library that programs
/// of its architecture need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emulator {
    /// The emulator's program.
    pub program: PathBuf,
    /// What takes the place of `/` for the emulated program.
    pub root: PathBuf,
}

impl Emulator {
    /// The emulator for a platform, where this machine has one with a C
    /// library for it.
    #[must_use]
    pub fn of(platform: &Platform) -> Option<Self> {
        if platform.os != Os::Linux {
            return None;
        }
        let (name, root) = match platform.arch {
            Arch::X86_64 => ("x86_64", "/usr/x86_64-linux-gnu"),
            Arch::X86 => ("i386", "/usr/i686-linux-gnu"),
            Arch::Arm64 => ("aarch64", "/usr/aarch64-linux-gnu"),
            Arch::ArmEabihf => ("arm", "/usr/arm-linux-gnueabihf"),
            Arch::ArmEabi => ("arm", "/usr/arm-linux-gnueabi"),
        };
        let root = PathBuf::from(root);
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&folders)
            .flat_map(|folder| {
                [format!("qemu-{name}-static"), format!("qemu-{name}")]
                    .map(|name| folder.join(name))
            })
            .find(|program| program.is_file())?;
        root.join("lib").is_dir().then_some(Self { program, root })
    }
}

/// The program that runs a model without a client (native/runner.c).
#[derive(Debug, Clone)]
pub struct Runner {
    /// The program among the platform's parts.
    pub program: PathBuf,
    /// What runs it, if the machine cannot itself.
    pub emulator: Option<Emulator>,
    /// When it is killed.
    pub limit: Duration,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// The model's outputs.
    pub outputs: Vec<Tensor>,
    /// How long each run took.
    pub times: Vec<Duration>,
}

impl Runner {
    /// Runs the model in a folder so many times on the same inputs.
    pub fn run(&self, folder: &Path, inputs: &[Tensor], repeat: u32) -> Result<Ran, DlrError> {
        for input in inputs {
            input.check()?;
        }
        let room = tempfile::tempdir().map_err(DlrError::io("Making a folder to run in"))?;
        let (given, made) = (room.path().join("inputs"), room.path().join("outputs"));
        std::fs::write(&given, encode(inputs)).map_err(DlrError::io("Writing the inputs"))?;
        let mut command = self.command();
        command
            .arg(folder)
            .arg(&given)
            .arg(&made)
            .arg(repeat.to_string());
        finish(command, self.limit)?;
        let bytes = std::fs::read(&made).map_err(DlrError::io("Reading the outputs"))?;
        let mut outputs = decode(&bytes)?;
        let times = outputs.pop().ok_or(DlrError::Tensors("it has no times"))?;
        let times = times.bytes.chunks_exact(8).map(|bytes| {
            let nanoseconds = bytes.try_into().map_or(0, u64::from_le_bytes);
            Duration::from_nanos(nanoseconds)
        });
        let times = times.collect();
        Ok(Ran { outputs, times })
    }

    fn command(&self) -> Command {
        let Some(Emulator { program, root }) = &self.emulator else {
            return Command::new(&self.program);
        };
        let mut command = Command::new(program);
        command.arg("-L").arg(root).arg(&self.program);
        command
    }
}

/// Waits for the process, but no longer than it may take.
fn finish(mut command: Command, limit: Duration) -> Result<(), DlrError> {
    let end = Instant::now() + limit;
    let waiting = || DlrError::io("Running the model's process");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(waiting())?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(waiting())? {
            break status;
        }
        if Instant::now() >= end {
            child
                .kill()
                .and_then(|()| child.wait())
                .map_err(waiting())?;
            let reason = format!("did not end within {} seconds", limit.as_secs());
            return Err(DlrError::Runner(reason));
        }
        thread::sleep(PATIENCE);
    };
    if status.success() {
        return Ok(());
    }
    let mut said = Vec::new();
    if let Some(mut from) = child.stderr.take() {
        from.read_to_end(&mut said).map_err(waiting())?;
    }
    let said = String::from_utf8_lossy(&said);
    let said = said
        .trim()
        .trim_start_matches("runner: ")
        .trim_end_matches('.');
    Err(DlrError::Runner(format!("ended with {status}: {said}")))
}
