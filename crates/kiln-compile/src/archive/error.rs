//! Why an archive is not taken, in the words that its owner reads.

use std::io;
use std::path::PathBuf;

use crate::framework::Framework;

/// Why an archive or the model in it was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is no gzip, or what is in it is no tar.
    #[error(
        "ClientError: InputConfiguration: Unable to untar input model. Please confirm the model is a tar.gz file ({0})"
    )]
    NotTarGz(String),

    /// An entry that no model needs and that could do harm.
    #[error(
        "ClientError: InputConfiguration: Unable to untar input model. '{path}' is {kind}, which is not allowed"
    )]
    Kind {
        /// The entry, as the archive names it.
        path: String,
        /// What it is, with its article.
        kind: &'static str,
    },

    /// A name that leads elsewhere, or nowhere.
    #[error(
        "ClientError: InputConfiguration: Unable to untar input model. The name '{path}' {problem}"
    )]
    Name {
        /// The entry, as the archive names it.
        path: String,
        /// What is wrong with it, as the end of a sentence.
        problem: &'static str,
    },

    /// Two entries of one name, or a file where a directory is.
    #[error("ClientError: InputConfiguration: Unable to untar input model. '{0}' is there twice")]
    Twice(String),

    /// Too many entries.
    #[error(
        "ClientError: InputConfiguration: Unable to untar input model. It has more than {0} entries"
    )]
    TooMany(usize),

    /// Too many bytes.
    #[error(
        "ClientError: InputConfiguration: Unable to untar input model. It holds more than {bytes} bytes"
    )]
    TooLarge {
        /// The limit.
        bytes: u64,
    },

    /// More than a model could shrink.
    #[error(
        "ClientError: InputConfiguration: Unable to untar input model. It holds more than {ratio} times its own size"
    )]
    Ratio {
        /// The limit.
        ratio: u64,
    },

    /// The model's files are not those of its framework.
    #[error("ClientError: InputConfiguration: {0}")]
    Files(String),

    /// The model's file is of a kind that is not taken.
    #[error(
        "ClientError: InputConfiguration: {file} is {found}. Please make sure the framework you selected, {framework}, is correct."
    )]
    Content {
        /// The file.
        file: String,
        /// What it is, with what to do about it.
        found: &'static str,
        /// The job's framework.
        framework: Framework,
    },

    /// What was unpacked could not be written or read.
    #[error("ServerError: {path} could not be {done}: {source}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// `written` or `read`.
        done: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl ArchiveError {
    pub(super) fn written(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk {
            path,
            done: "written",
            source,
        }
    }

    pub(super) fn read(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk {
            path,
            done: "read",
            source,
        }
    }

    /// What reading the archive failed with: a limit, or that it is broken.
    pub(super) fn unreadable(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(limit) => limit,
            Err(error) => Self::NotTarGz(error.to_string()),
        }
    }
}
