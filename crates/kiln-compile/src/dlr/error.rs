//! Why a compiled model could not be run.

/// Why a compiled model could not be run.
#[derive(Debug, thiserror::Error)]
pub enum DlrError {
    /// The model's loader is not there, or is not for this machine.
    #[error("The model's loader cannot be used: {0}")]
    Load(#[from] libloading::Error),

    /// The model said why itself.
    #[error("{0}")]
    Model(String),

    /// An input does not hold what its shape and type say.
    #[error("The input {name:?} has {found} bytes, where its shape and type make {wanted}.")]
    Length {
        /// The input.
        name: String,
        /// How long it is.
        found: usize,
        /// How long it would have to be.
        wanted: usize,
    },

    /// An input is of another type than the model's.
    #[error("The input {name:?} is of type {found}, where the model takes {wanted}.")]
    Type {
        /// The input.
        name: String,
        /// Its type.
        found: String,
        /// The model's.
        wanted: String,
    },

    /// The model has no such input or output.
    #[error("The model has no {0}.")]
    Missing(String),

    /// The program that runs a model in a process of its own failed.
    #[error("The model's process {0}.")]
    Runner(String),

    /// A file of tensors is broken.
    #[error("The file of tensors is broken: {0}.")]
    Tensors(&'static str),

    /// The operating system refused something.
    #[error("{doing} failed: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// The refusal.
        source: std::io::Error,
    },
}

impl DlrError {
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
