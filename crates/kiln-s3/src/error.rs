//! Why the object store did not do what was asked, and how S3 says so.

use std::io;
use std::path::{Path, PathBuf};

use http::StatusCode;
use kiln_store::objects::ObjectIndexError;
use s3s::S3ErrorCode;

use crate::sealing::SealError;

/// Why the object store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// Another process serves this data directory.
    #[error("another process serves the object store in {}", .0.display())]
    InUse(PathBuf),
    /// The file system refused something.
    #[error("could not {action} {}: {source}", .path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A worker thread ended before its work was done.
    #[error("a worker of the object store stopped before it was done")]
    WorkerGone,
    /// Encryption at rest failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The index refused or failed.
    #[error(transparent)]
    Index(#[from] ObjectIndexError),
    /// The request cannot be fulfilled, for a reason that S3 has a code for.
    #[error("{message}")]
    Refused {
        /// S3's name for the reason.
        code: S3ErrorCode,
        /// The reason in a sentence.
        message: String,
    },
}

impl S3Error {
    /// A refusal with S3's code for it.
    pub(crate) fn refused(code: S3ErrorCode, message: impl Into<String>) -> Self {
        Self::Refused {
            code,
            message: message.into(),
        }
    }

    /// A refusal of something that Kiln does not do.
    pub(crate) fn not_implemented(what: &str) -> Self {
        Self::refused(
            S3ErrorCode::NotImplemented,
            format!("Kiln's embedded S3 does not implement {what}."),
        )
    }

    pub(crate) fn file<'p>(
        action: &'static str,
        path: &'p Path,
    ) -> impl FnOnce(io::Error) -> Self + use<'p> {
        move |source| Self::File {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// Whether a file was not there.
    pub(crate) fn is_missing_file(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    fn code(&self) -> S3ErrorCode {
        match self {
            Self::Refused { code, .. } => code.clone(),
            Self::Index(error) => index_code(error),
            Self::File { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                S3ErrorCode::ServiceUnavailable
            }
            Self::InUse(_) | Self::File { .. } | Self::WorkerGone | Self::Seal(_) => {
                S3ErrorCode::InternalError
            }
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Index(error) => index_message(error).to_owned(),
            other => other.to_string(),
        }
    }
}

fn index_code(error: &ObjectIndexError) -> S3ErrorCode {
    match error {
        ObjectIndexError::NoSuchBucket => S3ErrorCode::NoSuchBucket,
        ObjectIndexError::NoSuchKey => S3ErrorCode::NoSuchKey,
        ObjectIndexError::NoSuchUpload => S3ErrorCode::NoSuchUpload,
        ObjectIndexError::BucketExists => S3ErrorCode::BucketAlreadyOwnedByYou,
        ObjectIndexError::BucketNotEmpty => S3ErrorCode::BucketNotEmpty,
        ObjectIndexError::PreconditionFailed => S3ErrorCode::PreconditionFailed,
        ObjectIndexError::Record(_) | ObjectIndexError::Store(_) => S3ErrorCode::InternalError,
    }
}

/// The words of S3 itself, which some clients show and a few compare.
fn index_message(error: &ObjectIndexError) -> &'static str {
    match error {
        ObjectIndexError::NoSuchBucket => "The specified bucket does not exist",
        ObjectIndexError::NoSuchKey => "The specified key does not exist.",
        ObjectIndexError::NoSuchUpload => {
            "The specified upload does not exist. The upload ID may be invalid, \
             or the upload may have been aborted or completed."
        }
        ObjectIndexError::BucketExists => {
            "Your previous request to create the named bucket succeeded and you already own it."
        }
        ObjectIndexError::BucketNotEmpty => "The bucket you tried to delete is not empty",
        ObjectIndexError::PreconditionFailed => {
            "At least one of the pre-conditions you specified did not hold"
        }
        ObjectIndexError::Record(_) | ObjectIndexError::Store(_) => {
            "We encountered an internal error. Please try again."
        }
    }
}

impl From<S3Error> for s3s::S3Error {
    fn from(error: S3Error) -> Self {
        let code = error.code();
        if matches!(
            code,
            S3ErrorCode::InternalError | S3ErrorCode::ServiceUnavailable
        ) {
            // The message may name paths of the server; it belongs in its log only.
            tracing::error!(%error, "the object store failed");
            return Self::with_source(code, Box::new(error));
        }
        let status = status_of(&code);
        let mut answer = Self::with_message(code, error.message());
        if let Some(status) = status {
            answer.set_status_code(status);
        }
        answer
    }
}

/// The HTTP status of the codes for which s3s knows none.
fn status_of(code: &S3ErrorCode) -> Option<StatusCode> {
    match code {
        S3ErrorCode::Custom(name) if &**name == "InvalidPartNumber" => {
            Some(StatusCode::RANGE_NOT_SATISFIABLE)
        }
        S3ErrorCode::ServerSideEncryptionConfigurationNotFoundError => Some(StatusCode::NOT_FOUND),
        S3ErrorCode::Custom(_) => Some(StatusCode::BAD_REQUEST),
        _ => None,
    }
}
