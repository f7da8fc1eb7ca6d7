//! Why a text is neither JSON nor a Python literal.

use super::Position;

/// Why a text could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at {at}")]
pub struct LiteralError {
    /// Where it goes wrong.
    pub at: Position,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong at a place of a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Something else should stand here.
    #[error("expected {expected} but found {found}")]
    Unexpected {
        /// What should stand here.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// A word that is no value.
    #[error("'{0}' is not a value (strings need quotes)")]
    Word(String),
    /// A number that cannot be read.
    #[error("'{0}' is not a number")]
    Number(String),
    /// A number that is too large to be kept.
    #[error("the number {0} is too large")]
    TooLarge(String),
    /// A string that never ends.
    #[error("the string has no closing {0}")]
    Unclosed(char),
    /// A control character within a string.
    #[error("a string must not hold a line break or another control character")]
    Control,
    /// A backslash and what follows.
    #[error("'\\{0}' is not an escape sequence")]
    Escape(String),
    /// A key that is there twice.
    #[error("the key '{0}' is there twice")]
    Duplicate(String),
    /// Values within values.
    #[error("values are nested more than {0} deep")]
    TooDeep(usize),
}
