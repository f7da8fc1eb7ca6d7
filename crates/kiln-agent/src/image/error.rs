//! Why an image cannot be kept or used.

use std::io;
use std::path::PathBuf;

/// Why an image cannot be kept or used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// What was given is no image in a form that is understood.
    #[error("{path} is no image: {reason}")]
    NotAnImage {
        /// What was given.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The image tries what no image may.
    #[error("the image is refused: {0}")]
    Hostile(String),
    /// The image is larger than images may be.
    #[error("the image is refused: it holds more than {limit} {unit}")]
    TooLarge {
        /// The limit that it passes.
        limit: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// The name cannot be an image's.
    #[error("{0:?} is no name of an image")]
    Name(String),
    /// Input or output failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, as a sentence fragment.
        doing: String,
        /// The cause.
        source: io::Error,
    },
}

impl ImageError {
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
