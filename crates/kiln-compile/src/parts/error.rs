//! Why a target's parts could not be made.

/// Why a target's parts could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    /// The operating system refused something.
    #[error("{doing} failed: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// The refusal.
        source: std::io::Error,
    },

    /// The compiler is not the one that the sources are known to build with.
    #[error("The compiler is zig {found}, where zig {wanted} is needed.")]
    Version {
        /// What the program said.
        found: String,
        /// The version that is pinned.
        wanted: &'static str,
    },

    /// The compiler or the linker refused something.
    #[error("zig could not {what}: {said}")]
    Refused {
        /// What it was to do, as a verb and its object.
        what: String,
        /// Its own words.
        said: String,
    },
}

impl PartsError {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
