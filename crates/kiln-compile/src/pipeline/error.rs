//! Why a model was not compiled, as its job's `FailureReason` says it.

use std::io;

use super::verification::VerificationError;
use crate::archive::ArchiveError;
use crate::dlr::DlrError;
use crate::exported::ExportError;
use crate::front::RequestError;
use crate::input_config::FitError;
use crate::neural::NeuralError;
use crate::neural::compiler::CompilerError;
use crate::python::PythonError;

/// Why a model was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The request is one that is refused before a job is made of it.
    #[error("ClientError: InputConfiguration: {0}")]
    Request(#[from] RequestError),
    /// The archive is not what it should be.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// What was said of the inputs is not the model's.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// Its framework's exporter has not made of it what can be read.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The model, or what was said of it, cannot be compiled as it is.
    #[error("ClientError: InputConfiguration: {0}")]
    Input(String),
    /// The compiler cannot make the target's code of it.
    #[error("ClientError: CompilationError: Unable to compile model for {target}: {reason}")]
    Build {
        /// The target.
        target: String,
        /// Why.
        reason: String,
    },
    /// The compiler of neural networks cannot make code of it.
    #[error(transparent)]
    Network(NeuralError),
    /// The artifact is not right.
    #[error("ServerError: The artifact did not pass its verification: {0}")]
    Verification(String),
    /// A tool was killed, which the system does when memory is short.
    #[error("ServerError: {0}")]
    Killed(String),
    /// A tool did not do its work.
    #[error("ServerError: {0}")]
    Tool(String),
    /// A file could not be read or written.
    #[error("ServerError: {what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it could not be.
        source: io::Error,
    },
}

impl CompileError {
    /// Whether something was killed, which the system does when memory is short.
    #[must_use]
    pub fn is_of_a_kill(&self) -> bool {
        matches!(
            self,
            Self::Killed(_) | Self::Export(ExportError::Python(PythonError::Killed { .. }))
        )
    }

    /// Wraps what went wrong with a file.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }
}

impl From<PythonError> for CompileError {
    fn from(error: PythonError) -> Self {
        match error {
            PythonError::Killed { .. } => Self::Killed(error.to_string()),
            error => Self::Tool(error.to_string()),
        }
    }
}

impl From<NeuralError> for CompileError {
    fn from(error: NeuralError) -> Self {
        match error {
            NeuralError::Compiler(CompilerError::Killed) => Self::Killed(error.to_string()),
            NeuralError::Compiler(_) | NeuralError::File { .. } => Self::Tool(error.to_string()),
            NeuralError::Differs(reason) => Self::Verification(reason),
            NeuralError::Operators(_)
            | NeuralError::Rejected(_)
            | NeuralError::Target(_)
            | NeuralError::TooLong(_)
            | NeuralError::TooSlow(_)
            | NeuralError::Name(_) => Self::Network(error),
        }
    }
}

impl From<VerificationError> for CompileError {
    fn from(error: VerificationError) -> Self {
        Self::Verification(error.to_string())
    }
}

impl From<DlrError> for CompileError {
    fn from(error: DlrError) -> Self {
        Self::Verification(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_is_known_wherever_it_was() {
        let killed = || PythonError::Killed { script: "x.py" };
        assert!(CompileError::from(killed()).is_of_a_kill());
        assert!(CompileError::from(ExportError::from(killed())).is_of_a_kill());
        let compiler = NeuralError::from(CompilerError::Killed);
        assert!(CompileError::from(compiler).is_of_a_kill());
        assert!(!CompileError::Tool("it was killed".to_owned()).is_of_a_kill());
        assert_eq!(
            CompileError::from(killed()).to_string(),
            "ServerError: x.py was killed"
        );
    }
}
