//! Why `CompilerOptions` cannot be understood.

use crate::framework::Framework;
use crate::literal::{LiteralError, Position};

/// Why `CompilerOptions` were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// They are neither JSON nor a Python literal.
    #[error("CompilerOptions is not valid JSON: {0}")]
    Syntax(#[from] LiteralError),

    /// They can be read, but are no options.
    #[error("CompilerOptions is not valid: {mistake} at {at}")]
    Mistake {
        /// Where it goes wrong.
        at: Position,
        /// What is wrong there.
        mistake: OptionMistake,
    },

    /// An option that the target has no use for.
    #[error("CompilerOptions '{option}' is not supported for {target}. It goes with {with}")]
    Target {
        /// The option.
        option: String,
        /// The target's name.
        target: String,
        /// What it goes with.
        with: &'static str,
    },

    /// An option that the framework has no use for.
    #[error(
        "CompilerOptions '{option}' is not supported for {framework} models. It goes with {with}"
    )]
    Framework {
        /// The option.
        option: String,
        /// The framework.
        framework: Framework,
        /// What it goes with.
        with: &'static str,
    },

    /// Options without which nothing can be built.
    #[error("CompilerOptions must have {missing} for {target}")]
    Missing {
        /// The options, as a list.
        missing: String,
        /// The target's name.
        target: String,
    },
}

/// What can be wrong with options that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionMistake {
    /// The whole is no dictionary.
    #[error("expected a dictionary of options but found {0}")]
    NotADictionary(&'static str),
    /// An option that nobody knows.
    #[error("the option '{0}' is not known")]
    Unknown(String),
    /// The same option under two of its names.
    #[error("the option '{0}' is given twice")]
    Twice(String),
    /// A value that is none of the option's.
    #[error("'{option}' must be {expected}")]
    Value {
        /// The option.
        option: String,
        /// What it should be, with an example.
        expected: &'static str,
    },
}
