//! What to run, and how much of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Runs Kiln against its targets and its peers, and prints a table.
#[derive(Debug, Parser)]
#[command(name = "kiln-bench")]
pub struct Options {
    /// The `kiln` program to measure, built for release.
    #[arg(long, value_name = "PROGRAM")]
    pub kiln: PathBuf,
    /// The `moto_server` program to compare with.
    #[arg(long, value_name = "PROGRAM")]
    pub moto_server: PathBuf,
    /// A statically linked busybox, the shell of the jobs that are run.
    #[arg(long, value_name = "PROGRAM", default_value = "/bin/busybox")]
    pub busybox: PathBuf,
    /// Only see that everything runs: few jobs, short times, no script mode.
    /// The figures mean nothing.
    #[arg(long)]
    pub tiny: bool,
}

impl Options {
    /// How many jobs that do nothing are run, one after another.
    pub fn shell_jobs(&self) -> usize {
        if self.tiny { 3 } else { 60 }
    }

    /// How many script-mode jobs are run, one after another.
    pub fn script_jobs(&self) -> usize {
        10
    }

    /// Script mode needs a framework environment of some hundred megabytes.
    pub fn measures_script_mode(&self) -> bool {
        !self.tiny
    }

    /// How many jobs lie in either store.
    pub fn stored_jobs(&self) -> usize {
        if self.tiny { 50 } else { 10_000 }
    }

    /// How long one kind of request is sent.
    pub fn load_time(&self) -> Duration {
        Duration::from_secs(if self.tiny { 1 } else { 5 })
    }
}
