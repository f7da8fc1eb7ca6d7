//! Why a model was not optimized, in the words that its owner reads.
//!
//! What the owner can mend begins with `ClientError: `, what the machine did with
//! `ServerError: `.

use std::io;
use std::path::PathBuf;

use crate::layout::LayoutError;
use crate::options::OptionsError;
use crate::quantize::QuantizeError;
use crate::safetensors::Fault;

/// Why a model was not optimized.
#[derive(Debug, thiserror::Error)]
pub enum OptimizeError {
    /// The options are not taken.
    #[error("ClientError: {0}")]
    Options(#[from] OptionsError),

    /// The weights of a tensor cannot be quantized.
    #[error("ClientError: {tensor}: {error}")]
    Quantize {
        /// The tensor.
        tensor: String,
        /// Why.
        error: QuantizeError,
    },

    /// The weights of a tensor cannot be stored in the format.
    #[error("ClientError: {tensor}: {error}")]
    Layout {
        /// The tensor.
        tensor: String,
        /// Why.
        error: LayoutError,
    },

    /// There is no room for the result, or for what is kept until it is there.
    #[error("ClientError: {what} {needed}, and {free} are left on this disk")]
    Space {
        /// What takes the room, as the beginning of a sentence.
        what: &'static str,
        /// Its bytes, as a person reads them.
        needed: String,
        /// The bytes that are left.
        free: String,
    },

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
    #[error(
        "ServerError: {written} of the {size} bytes from byte {begin} on were written to {file}"
    )]
    Unwritten {
        /// Where the tensor begins in the file.
        begin: u64,
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
    /// For `map_err`: a part of a weight cannot be quantized, before which there are so many
    /// rows and columns.
    pub(crate) fn weights(
        tensor: &str,
        rows: usize,
        columns: usize,
    ) -> impl FnOnce(QuantizeError) -> Self {
        move |error| Self::Quantize {
            tensor: tensor.to_owned(),
            error: moved(error, rows, columns),
        }
    }

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

/// What is wrong with a part, of the whole weight.
fn moved(mut error: QuantizeError, rows: usize, columns: usize) -> QuantizeError {
    match &mut error {
        QuantizeError::NotFinite { row, column, .. } => {
            *row += rows;
            *column += columns;
        }
        QuantizeError::TooLarge { row, .. } => *row += rows,
        _ => {}
    }
    error
}
