//! Why a model could not be exported.

use std::io;

use crate::array::ArrayError;
use crate::input_config::FitError;
use crate::python::PythonError;

/// Why a model could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The framework cannot read it, or it has what the new form cannot say.
    #[error("ClientError: InputConfiguration: {0}")]
    Refused(String),
    /// The request says of the inputs what the model does not.
    #[error(transparent)]
    Inputs(#[from] FitError),
    /// There is no exporter for such files.
    #[error("ServerError: there is no exporter for {0}")]
    Unknown(String),
    /// The exporter could not do its work.
    #[error("ServerError: {0}")]
    Python(#[from] PythonError),
    /// What the exporter left behind is not an answer.
    #[error("ServerError: the exporter's answer cannot be read: {0}")]
    Answer(String),
    /// A file could not be read or written.
    #[error("ServerError: {what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// Why it could not be.
        source: io::Error,
    },
}

impl ExportError {
    pub(super) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

impl From<ArrayError> for ExportError {
    fn from(error: ArrayError) -> Self {
        Self::Answer(error.to_string())
    }
}

impl From<serde_json::Error> for ExportError {
    fn from(error: serde_json::Error) -> Self {
        Self::Answer(error.to_string())
    }
}
