//! The image that the shell jobs run in: a static busybox, a program that says
//! when it began, and one that writes many lines.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::BenchError;

/// What a job's `TrainingImage` says.
pub const NAME: &str = "kiln-bench-shell";

const PROBE: &str = include_str!("probe.c");
const TALKER: &str = include_str!("talker.c");
/// What the probe prints before the time.
const BEGAN: &str = "kiln-bench began ";
const DIRECTORIES: [&str; 7] = ["bin", "etc", "tmp", "proc", "sys", "dev", "opt/ml"];

const APPLETS: [&str; 6] = ["sh", "sleep", "cat", "dd", "head", "mv"];

/// Lays out the root file system in `directory` and returns it.
pub fn make(directory: &Path, busybox: &Path) -> Result<PathBuf, BenchError> {
    let root = directory.join("rootfs");
    let laid_out = || {
        for name in DIRECTORIES {
            std::fs::create_dir_all(root.join(name))?;
        }
        std::fs::copy(busybox, root.join("bin/busybox"))?;
        for applet in APPLETS {
            symlink("busybox", root.join("bin").join(applet))?;
        }
        std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")
    };
    laid_out().map_err(BenchError::io("laying out the shell image"))?;
    compile(directory, PROBE, &root.join("bin/probe"))?;
    compile(directory, TALKER, &root.join("bin/talker"))?;
    Ok(root)
}

fn compile(directory: &Path, text: &str, program: &Path) -> Result<(), BenchError> {
    let source = directory.join("program.c");
    std::fs::write(&source, text).map_err(BenchError::io("writing a program"))?;
    let compiler = Path::new("cc");
    let status = Command::new(compiler)
        .args(["-static", "-O1", "-o"])
        .args([program, &source])
        .status()
        .map_err(BenchError::io("running the C compiler"))?;
    match status.success() {
        true => Ok(()),
        false => Err(BenchError::program(compiler, "could not build a program")),
    }
}

/// When the probe said that it began, in nanoseconds since the epoch.
pub fn began(lines: &[String]) -> Option<u128> {
    times(lines).first().copied()
}

/// When each probe said that it began, in nanoseconds since the epoch.
pub fn times(lines: &[String]) -> Vec<u128> {
    let said = lines.iter().filter_map(|line| line.strip_prefix(BEGAN));
    said.filter_map(|time| time.trim().parse().ok()).collect()
}

/// A shell entrypoint that runs a line of script.
pub fn entrypoint(script: &str) -> [&str; 3] {
    ["/bin/sh", "-c", script]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_found_among_other_lines() {
        for (lines, expected) in [
            (vec![], None),
            (vec!["hello", "kiln-bench began 17"], Some(17)),
            (vec!["kiln-bench began soon"], None),
        ] {
            let lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
            assert_eq!(began(&lines), expected, "{lines:?}");
        }
    }
}
