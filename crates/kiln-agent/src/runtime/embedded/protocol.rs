//! What an agent and its shim say to each other: one specification on disk,
//! then reports as lines of JSON one way and signal numbers the other way, over
//! a socket. When the agent's end of the socket closes, the container dies.

use std::io;
use std::net::IpAddr;
use std::os::fd::RawFd;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::tolerance::Tolerance;
use crate::runtime::{Container, Exit, RuntimeError};

/// The name of the specification in the instance's scratch directory.
pub const SPEC_FILE: &str = "shim.json";

/// Everything that a shim must know to run one container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShimSpec {
    /// The container.
    pub container: Container,
    /// The inherited descriptor of the container's network namespace.
    pub network_namespace: RawFd,
    /// The name servers that the container may ask.
    pub resolvers: Vec<IpAddr>,
    /// What the machine may lack.
    pub tolerance: Tolerance,
}

impl ShimSpec {
    /// Reads the specification that [`ShimSpec::write`] wrote.
    ///
    /// # Errors
    /// When the file cannot be read or is no specification.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = std::fs::read(path)?;
        serde_json::from_slice(&text).map_err(io::Error::from)
    }

    /// Writes the specification, readable by its owner only: it holds the job's
    /// environment.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&serde_json::to_vec(self)?)
    }
}

/// What a shim tells its agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// The container's first process runs its own program.
    Running,
    /// The container cannot run, or can no longer be watched.
    Refused(Refusal),
    /// The container ended and none of its processes is alive.
    Ended(Exit),
}

impl Report {
    /// The report as one line.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn to_line(&self) -> io::Result<String> {
        let mut line = serde_json::to_string(self)?;
        line.push('\n');
        Ok(line)
    }

    /// The report that a line holds.
    ///
    /// # Errors
    /// When the line holds none.
    pub fn from_line(line: &str) -> io::Result<Self> {
        serde_json::from_str(line).map_err(io::Error::from)
    }
}

/// Why a shim did not run a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The image's fault.
    #[error("the image cannot be used: {0}")]
    Image(String),
    /// The command's fault.
    #[error("{message}")]
    Command {
        /// What a container runtime says.
        message: String,
        /// 127 or 126.
        code: i32,
    },
    /// The machine's fault.
    #[error("{0}")]
    Machine(String),
}

impl Refusal {
    /// A refusal by the machine, from what was being done and why it failed.
    pub fn machine(doing: &str, error: &dyn std::error::Error) -> Self {
        Self::Machine(format!("{doing}: {}", causes(error)))
    }
}

impl From<Refusal> for RuntimeError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Image(reason) => Self::Image(reason),
            Refusal::Command { message, code } => Self::Command { message, code },
            Refusal::Machine(reason) => Self::Machine(reason),
        }
    }
}

/// An error with all that caused it, without saying anything twice.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusals() -> impl Strategy<Value = Refusal> {
        prop_oneof![
            any::<String>().prop_map(Refusal::Image),
            any::<String>().prop_map(Refusal::Machine),
            (any::<String>(), any::<i32>())
                .prop_map(|(message, code)| Refusal::Command { message, code }),
        ]
    }

    fn reports() -> impl Strategy<Value = Report> {
        prop_oneof![
            Just(Report::Running),
            refusals().prop_map(Report::Refused),
            any::<i32>().prop_map(|code| Report::Ended(Exit::Code(code))),
            any::<i32>().prop_map(|signal| Report::Ended(Exit::Signal(signal))),
            Just(Report::Ended(Exit::OutOfMemory)),
        ]
    }

    proptest! {
        #[test]
        fn a_report_is_one_line_and_comes_back(report in reports()) {
            let line = report.to_line().unwrap();
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert_eq!(Report::from_line(line.trim_end()).unwrap(), report);
        }
    }

    #[test]
    fn a_cause_that_repeats_its_error_is_said_once() {
        let inner = io::Error::other("no such thing");
        let outer = RuntimeError::Io {
            doing: "reading".to_owned(),
            source: inner,
        };
        assert_eq!(causes(&outer), "reading: no such thing");
    }
}
