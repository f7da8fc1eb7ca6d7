//! Why a benchmark could not be run.

use std::path::Path;

/// Why a benchmark could not be run.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The operating system refused something.
    #[error("{doing} failed: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// The refusal.
        source: std::io::Error,
    },
    /// A program ended with an error, or said something unexpected.
    #[error("{program} {complaint}")]
    Program {
        /// The program.
        program: String,
        /// What is wrong with it.
        complaint: String,
    },
    /// A server's answer is no HTTP that this client reads.
    #[error("an answer is not understood: {0}")]
    Answer(String),
    /// A server refused a request.
    #[error("{operation} was refused with status {status}: {body}")]
    Refused {
        /// The operation.
        operation: String,
        /// The HTTP status.
        status: u16,
        /// What the server said.
        body: String,
    },
    /// A job did not do what it was run for.
    #[error("the job {job} {complaint}")]
    Job {
        /// The job's name.
        job: String,
        /// What is wrong with it.
        complaint: String,
    },
}

impl BenchError {
    /// Wraps what the operating system said, with what was being done.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// A complaint about a program.
    pub fn program(program: &Path, complaint: impl Into<String>) -> Self {
        Self::Program {
            program: program.display().to_string(),
            complaint: complaint.into(),
        }
    }

    /// A complaint about a job.
    pub fn job(job: &str, complaint: impl Into<String>) -> Self {
        Self::Job {
            job: job.to_owned(),
            complaint: complaint.into(),
        }
    }
}
