//! Why an environment is not to be had.

use std::path::PathBuf;

use crate::shelf::ShelfError;

/// Why an environment could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The configuration names an environment that does not exist.
    #[error("there is no environment called {0:?}")]
    Unknown(String),
    /// No usable Python on the search path.
    #[error("framework environments need Python 3.10 or newer with pip, and none is on the PATH")]
    NoPython,
    /// The Python that was found is too old or too new for the packages.
    #[error(
        "no environment for {wanted} runs on this machine's Python {python}; Python 3.11 runs them all"
    )]
    Python {
        /// What was asked for.
        wanted: String,
        /// The version that was found.
        python: String,
    },
    /// A tool that builds the environment failed.
    #[error("{doing} failed ({status}):\n{last_lines}")]
    Tool {
        /// What was being done.
        doing: String,
        /// How the tool ended.
        status: String,
        /// The end of what it said.
        last_lines: String,
    },
    /// It could not be put where environments are kept.
    #[error(transparent)]
    Kept(#[from] ShelfError),
    /// Input or output failed.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl EnvironmentError {
    pub(super) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}
