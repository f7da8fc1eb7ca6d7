//! The data plane: the object-store client, channels, and archives. It moves
//! bytes between an S3 and a directory and knows nothing of job status.

pub mod archive;
pub mod channel;
pub mod file;
mod objects;

pub use objects::{Credentials, Listed, Location, Objects};

/// Why bytes could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The store refused a request.
    #[error("{code}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The store's error code, such as `NoSuchKey`.
        code: String,
        /// The store's sentence.
        message: String,
    },
    /// The store could not be reached, or broke off, after every retry.
    #[error("the object store did not answer: {0}")]
    Unreachable(String),
    /// The store answered something that is not S3.
    #[error("the object store's answer makes no sense: {0}")]
    Protocol(String),
    /// A key cannot be a path in a channel's directory.
    #[error("S3 key: {0} has an illegal char sub-sequence '{1}' in it")]
    IllegalKey(String, &'static str),
    /// Two keys would be one path, or a file would have to be a directory.
    #[error("S3 key: {0} clashes with another object's path")]
    Clash(String),
    /// The local file system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, as a sentence fragment.
        doing: String,
        /// The cause.
        source: std::io::Error,
    },
}

impl DataError {
    /// Names an illegal key with its bucket.
    pub(crate) fn under(self, bucket: &str) -> Self {
        match self {
            Self::IllegalKey(key, part) => Self::IllegalKey(format!("s3://{bucket}/{key}"), part),
            other => other,
        }
    }

    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
