//! What a command's exit status says to a script.

use std::io;
use std::process::ExitCode;

use super::Failure;
use super::describe::job::Job;
use crate::connection::ConnectionError;
use crate::terminal::plain;
use crate::transfer::TransferError;

const REFUSED: u8 = 1;
const NO_SERVER: u8 = 3;
const JOB_FAILED: u8 = 4;
const JOB_STOPPED: u8 = 5;
const INTERRUPTED: u8 = 130;
const BROKEN_PIPE: u8 = 141;

/// Ends of a job that are not what the command was to bring about.
#[derive(Debug, thiserror::Error)]
pub enum JobEnd {
    /// It failed.
    #[error("the {kind} job {name} failed: {reason}")]
    Failed {
        /// The job's kind, as a word.
        kind: &'static str,
        /// The job.
        name: String,
        /// Why, as the job has it.
        reason: String,
    },
    /// It was stopped.
    #[error("the training job {0} was stopped")]
    Stopped(String),
    /// It goes on, as the person who followed it asked.
    #[error("{0} goes on; follow it with: kiln logs -f {0}, or stop it with: kiln stop {0}")]
    LeftRunning(String),
}

impl JobEnd {
    /// The end of a job that failed.
    pub fn failed(job: &Job) -> Self {
        Self::Failed {
            kind: job.kind().word(),
            name: job.name().to_owned(),
            reason: plain(job.text("FailureReason").trim_end()),
        }
    }
}

/// Says on standard error why a command failed, and answers its exit status.
pub fn explain(error: &Failure) -> ExitCode {
    let status = status(error);
    if status != BROKEN_PIPE {
        eprintln!("kiln: {error}");
    }
    ExitCode::from(status)
}

fn status(error: &Failure) -> u8 {
    if let Some(end) = error.downcast_ref::<JobEnd>() {
        return match end {
            JobEnd::Failed { .. } => JOB_FAILED,
            JobEnd::Stopped(_) => JOB_STOPPED,
            JobEnd::LeftRunning(_) => INTERRUPTED,
        };
    }
    if let Some(error) = error.downcast_ref::<ConnectionError>() {
        return match error {
            ConnectionError::NotRunning(_) | ConnectionError::Away { .. } => NO_SERVER,
            ConnectionError::NoKey(_)
            | ConnectionError::WrongKey(_)
            | ConnectionError::NoUrl(_) => REFUSED,
        };
    }
    if let Some(TransferError::Interrupted) = error.downcast_ref() {
        return INTERRUPTED;
    }
    // Whoever read the output has seen enough, which is no failure to speak of.
    let output = error.downcast_ref::<io::Error>().map(io::Error::kind);
    match output {
        Some(io::ErrorKind::BrokenPipe) => BROKEN_PIPE,
        _ => REFUSED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_can_tell_the_ends_apart() {
        let name = || "job".to_owned();
        let failed = JobEnd::Failed {
            kind: "training",
            name: name(),
            reason: "it did".to_owned(),
        };
        let cases: [(Failure, u8); 7] = [
            ("anything else".into(), 1),
            (ConnectionError::NotRunning("/data".into()).into(), 3),
            (failed.into(), 4),
            (JobEnd::Stopped(name()).into(), 5),
            (JobEnd::LeftRunning(name()).into(), 130),
            (TransferError::Interrupted.into(), 130),
            (io::Error::from(io::ErrorKind::BrokenPipe).into(), 141),
        ];
        for (error, expected) in cases {
            assert_eq!(status(&error), expected, "{error}");
        }
    }
}
