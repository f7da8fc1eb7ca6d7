//! Why bytes could not be moved.

use crate::augmented::AugmentedError;
use crate::manifest::ManifestError;

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
    /// The store refused to hand out an object.
    #[error("Unable to download object {uri} ({code}: {message})")]
    NotFetched {
        /// The object.
        uri: String,
        /// The store's error code, such as `NoSuchKey`.
        code: String,
        /// The store's sentence.
        message: String,
    },
    /// The store could not be reached, or broke off, after every retry.
    #[error("the object store did not answer: {0}")]
    Unreachable(String),
    /// The store's certificate is nothing that this machine trusts.
    #[error("the object store cannot be trusted: {0}")]
    Untrusted(String),
    /// The store answered something that is not S3.
    #[error("the object store's answer makes no sense: {0}")]
    Protocol(String),
    /// An object was replaced by another while it was read.
    #[error("{0} was replaced while it was read")]
    Replaced(String),
    /// An object's bytes do not add up to the checksum of what was stored.
    #[error("what arrived of {0} is not what was stored there")]
    Corrupt(String),
    /// A key cannot be a path in a channel's directory.
    #[error("S3 key: {0} has an illegal char sub-sequence '{1}' in it")]
    IllegalKey(String, &'static str),
    /// A key has a segment that no file system takes as a name.
    #[error("S3 key: {0} is too long to be a file's path")]
    LongKey(String),
    /// Two keys would be one path, or a file would have to be a directory.
    #[error("S3 key: {0} clashes with another object's path")]
    Clash(String),
    /// A file of the work's has a name that cannot be a key.
    #[error("a key in S3 is UTF-8, and the name of the file {} is not", .0.display())]
    Nameless(std::path::PathBuf),
    /// The work has made its own directories so that its data cannot be moved.
    #[error("{doing} is not possible as the job has left its directories: {source}")]
    Obstructed {
        /// What was being done, as a sentence fragment.
        doing: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The prefix of a FastFile channel ends inside a name.
    #[error(
        "For FastFile mode, partial S3 prefix is not supported. S3 prefix has to end with a full \
         file or folder. Add a trailing '/' to the S3 prefix if it ends with a folder name that \
         is also a prefix for other folders."
    )]
    PartialPrefix,
    /// A channel cannot be a file system here.
    #[error("FastFile mode is not possible: {0}")]
    NoFastFile(String),
    /// What should name an S3 object or prefix does not.
    #[error("{0} is not an S3 URI")]
    NotS3(String),
    /// A manifest cannot be understood.
    #[error("{uri}: {source}")]
    Manifest {
        /// The manifest.
        uri: String,
        /// What is wrong with it.
        source: ManifestError,
    },
    /// A line of an augmented manifest cannot be understood.
    #[error("{uri}, line {line}: {source}")]
    Augmented {
        /// The manifest.
        uri: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        source: AugmentedError,
    },
    /// An object of a channel that is to be decompressed is not gzip.
    #[error("Unable to decompress object {uri}: {source}")]
    NotGzip {
        /// The object.
        uri: String,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// The lines of an augmented manifest cannot be presented as files.
    #[error("an augmented manifest makes no files; its channel needs Pipe mode")]
    NoFiles,
    /// The disk or the quota of the job's volume is full.
    #[error(
        "no space is left for {0}. Please ensure that there is enough disk space. Please use a \
         larger volume"
    )]
    Full(String),
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
    /// Names the object that could not be fetched.
    #[must_use]
    pub fn fetching(self, bucket: &str, key: &str) -> Self {
        let uri = format!("s3://{bucket}/{key}");
        match self {
            // In trouble for longer than the patience, and no verdict.
            Self::Refused { status, .. } if status >= 500 => {
                Self::Unreachable(format!("{self} (reading {uri})"))
            }
            Self::Refused { code, message, .. } => Self::NotFetched { uri, code, message },
            Self::Unreachable(cause) => Self::Unreachable(format!("{cause} (reading {uri})")),
            other => other,
        }
    }

    /// Whether what was asked for is at fault, and asking again would end the
    /// same way; otherwise it is the store, the network, or this machine.
    #[must_use]
    pub fn is_the_request_s(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status < 500,
            Self::NotFetched { .. }
            | Self::Replaced(_)
            | Self::IllegalKey(..)
            | Self::LongKey(_)
            | Self::Clash(_)
            | Self::Nameless(_)
            | Self::Obstructed { .. }
            | Self::PartialPrefix
            | Self::NotS3(_)
            | Self::Manifest { .. }
            | Self::Augmented { .. }
            | Self::NotGzip { .. }
            | Self::NoFiles
            | Self::Full(_) => true,
            Self::Unreachable(_)
            | Self::Untrusted(_)
            | Self::Protocol(_)
            | Self::Corrupt(_)
            | Self::NoFastFile(_)
            | Self::Io { .. } => false,
        }
    }

    /// Whether the store is away or in trouble, and has been for all the time
    /// that it is given.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Untrusted(_) => true,
            Self::Refused { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// Names an illegal key with its bucket.
    pub(crate) fn under(self, bucket: &str) -> Self {
        match self {
            Self::IllegalKey(key, part) => Self::IllegalKey(format!("s3://{bucket}/{key}"), part),
            Self::LongKey(key) => Self::LongKey(format!("s3://{bucket}/{key}")),
            other => other,
        }
    }

    /// What went wrong in a directory that the work may change as it likes. What
    /// its code can bring about must not look like a fault of this machine.
    pub(crate) fn in_the_works(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        use std::io::ErrorKind;
        let doing = doing.into();
        move |source| match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full(doing),
            ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::AlreadyExists
            | ErrorKind::InvalidFilename
            | ErrorKind::FileTooLarge
            | ErrorKind::PermissionDenied => Self::Obstructed { doing, source },
            _ => Self::Io { doing, source },
        }
    }

    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str) -> DataError {
        DataError::Refused {
            status,
            code: code.to_owned(),
            message: "It said so".to_owned(),
        }
    }

    #[test]
    fn a_failed_fetch_names_its_object() {
        let cases = [
            (
                refused(403, "AccessDenied"),
                true,
                "Unable to download object s3://b/k (AccessDenied: It said so)",
            ),
            (
                refused(503, "SlowDown"),
                false,
                "the object store did not answer: SlowDown: It said so (reading s3://b/k)",
            ),
            (
                DataError::Unreachable("it is away".to_owned()),
                false,
                "the object store did not answer: it is away (reading s3://b/k)",
            ),
            (
                DataError::IllegalKey("k".to_owned(), "//").under("b"),
                true,
                "S3 key: s3://b/k has an illegal char sub-sequence '//' in it",
            ),
            (
                DataError::in_the_works("making the pipe c_1")(std::io::Error::other("odd")),
                false,
                "making the pipe c_1: odd",
            ),
            (
                DataError::in_the_works("making the pipe c_1")(std::io::Error::new(
                    std::io::ErrorKind::AlreadyExists,
                    "it exists",
                )),
                true,
                "making the pipe c_1 is not possible as the job has left its directories: it exists",
            ),
            (
                DataError::Full("s3://b/k".to_owned()),
                true,
                "no space is left for s3://b/k. Please ensure that there is enough disk space. \
                 Please use a larger volume",
            ),
        ];
        for (error, is_the_request_s, text) in cases {
            let error = error.fetching("b", "k");
            assert_eq!(error.to_string(), text);
            assert_eq!(error.is_the_request_s(), is_the_request_s, "{text}");
        }
    }
}
