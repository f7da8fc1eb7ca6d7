//! Why an invocation failed, and the exit status that says so.

use crate::query::QueryError;
use crate::usage;

/// Why an invocation failed. The texts are those of the AWS CLI.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line cannot be read.
    #[error("{usage}aws: error: {0}", usage = usage::usage())]
    Usage(String),
    /// There are words left that mean nothing.
    #[error("{usage}\nUnknown options: {0}", usage = usage::usage())]
    UnknownOptions(String),
    /// A parameter is not what it should be.
    #[error("\n{0}")]
    Parameter(String),
    /// The request is not what the model says.
    #[error("\nParameter validation failed:\n{0}")]
    Validation(String),
    /// What is needed to call at all is not configured.
    #[error("{0}")]
    Configuration(String),
    /// The service refused.
    #[error(
        "\nAn error occurred ({code}) when calling the {operation} operation{retries}: {message}"
    )]
    Service {
        operation: String,
        code: String,
        message: String,
        /// How often the call was tried again, if until the end.
        retries: String,
    },
    /// The query cannot be applied to the answer.
    #[error("\n{0}")]
    Query(Box<QueryError>),
    /// Anything else.
    #[error("\n{0}")]
    General(String),
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Self::Query(Box::new(error))
    }
}

impl Failure {
    /// The exit status, as version 2 of the AWS CLI has it.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::UnknownOptions(_) | Self::Parameter(_) | Self::Validation(_) => {
                252
            }
            Self::Configuration(_) => 253,
            Self::Service { .. } => 254,
            Self::Query(_) | Self::General(_) => 255,
        }
    }

    /// There are no keys to sign with.
    pub(crate) fn no_credentials() -> Self {
        Self::Configuration(
            "Unable to locate credentials. You can configure credentials by running \"aws \
             configure\"."
                .to_owned(),
        )
    }

    /// A parameter that cannot be read.
    pub(crate) fn parsing(option: &str, reason: impl std::fmt::Display) -> Self {
        Self::Parameter(format!("Error parsing parameter '{option}': {reason}"))
    }
}
