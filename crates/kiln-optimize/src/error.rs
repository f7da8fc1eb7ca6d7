//! Why a model was not optimized, in the words that its owner reads.
//!
//! What the owner can mend begins with `ClientError: `, what the machine did with
//! `ServerError: `.

use std::io;
use std::path::PathBuf;

use crate::safetensors::Fault;

/// Why a model was not optimized.
#[derive(Debug, thiserror::Error)]
pub enum OptimizeError {
    /// A file of weights is not what it should be.
    #[error("ClientError: {file} {fault}")]
    Weights {
        /// The file, as the model's directory names it.
        file: String,
        /// What is wrong with it, as the end of a sentence.
        fault: Fault,
    },

    /// The files of the model do not make one.
    #[error("ClientError: {0}")]
    Model(String),

    /// `config.json` does not say what is needed, or says it wrongly.
    #[error("ClientError: config.json {0}")]
    Config(String),

    /// The data to calibrate with is not usable.
    #[error("ClientError: {0}")]
    Calibration(String),

    /// What was asked for cannot be done with this model.
    #[error("ClientError: {0}")]
    Unsupported(String),

    /// A tensor was not written as a whole, which is a mistake of Kiln's.
    #[error("ServerError: {written} of the {size} bytes of {tensor} were written to {file}")]
    Unwritten {
        /// The tensor.
        tensor: String,
        /// The file.
        file: PathBuf,
        /// How many bytes were written.
        written: u64,
        /// How many it has.
        size: u64,
    },

    /// What was written and read again is not what it was made of.
    #[error(
        "ServerError: {tensor} in {file} is not what the model has, so the disk or the memory of this machine fails"
    )]
    Differs {
        /// The tensor.
        tensor: String,
        /// The file.
        file: PathBuf,
    },

    /// A file could not be written or read.
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

impl OptimizeError {
    /// For `map_err`: the file could not be written.
    pub fn written(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk {
            path,
            done: "written",
            source,
        }
    }

    /// For `map_err`: the file could not be read.
    pub fn read(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk {
            path,
            done: "read",
            source,
        }
    }
}
