//! What went wrong in IREE's compiler.

use std::path::PathBuf;
use std::time::Duration;

use super::Diagnostic;

/// Why the compiler made nothing.
#[derive(Debug, thiserror::Error)]
pub enum CompilerError {
    /// The library is not there, or is not the compiler.
    #[error("The compiler {path} cannot be loaded: {source}.", path = .path.display())]
    Load {
        /// The library.
        path: PathBuf,
        /// What the loader said.
        source: libloading::Error,
    },

    /// The library is a compiler of another generation.
    #[error(
        "The compiler speaks version {major}.{minor} of its interface, and version 1 is needed."
    )]
    Version {
        /// The major version that it has.
        major: i32,
        /// The minor version that it has.
        minor: i32,
    },

    /// A path or a flag holds a NUL.
    #[error("{what} holds a NUL character.")]
    Nul {
        /// The path or the flag.
        what: String,
    },

    /// The compiler refused a call, in its own words.
    #[error("The compiler refused {what}: {reason}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Its message.
        reason: String,
    },

    /// The process that it was to work in could not do so.
    #[error("{0}")]
    Apart(String),

    /// It crashed.
    #[error("The compiler crashed ({0}).")]
    Crashed(String),

    /// It was killed, which the system does when memory is short.
    #[error("The compiler was killed.")]
    Killed,

    /// It was not done in time.
    #[error("The compiler was not done within {:.0} s.", .0.as_secs_f64())]
    TooLong(Duration),

    /// The model could not be compiled; the diagnostics say why.
    #[error("The model could not be compiled: {}", summary(.0))]
    Failed(Vec<Diagnostic>),
}

fn summary(diagnostics: &[Diagnostic]) -> &str {
    let first = diagnostics.iter().find(|one| one.is_error());
    first.map_or("the compiler does not say why", Diagnostic::headline)
}
