//! Filter patterns: which log events FilterLogEvents answers with.
//!
//! A pattern in braces is about the members of events that are JSON objects, one
//! in brackets about the columns of events that are rows, and every other one
//! about the words that events hold.

mod columns;
mod condition;
mod cursor;
mod json;
mod terms;

#[cfg(test)]
mod tests;

use self::columns::Columns;
use self::cursor::Cursor;
use self::json::Members;
use self::terms::Terms;

/// Characters of a pattern at most: the API's limit.
const LONGEST: usize = 1024;

/// A pattern that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PatternError {
    #[error("Invalid filter pattern: it is longer than {LONGEST} characters.")]
    TooLong,
    #[error("Invalid filter pattern: a phrase is not closed by a quotation mark.")]
    OpenPhrase,
    #[error("Invalid filter pattern: a regular expression is not closed by a percent sign.")]
    OpenRegex,
    #[error("Invalid filter pattern: the regular expression %{0}% is not one that is supported.")]
    Regex(String),
    #[error("Invalid filter pattern: it has more than two regular expressions.")]
    ManyRegexes,
    #[error("Invalid filter pattern: {wanted} is expected at '{found}'.")]
    Unexpected { wanted: &'static str, found: String },
}

/// What an event must be like.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    Terms(Terms),
    Members(Members),
    Columns(Columns),
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, PatternError> {
        if text.chars().count() > LONGEST {
            return Err(PatternError::TooLong);
        }
        let mut cursor = Cursor::new(text.trim());
        if cursor.eat("{") {
            Members::parse(&mut cursor).map(Self::Members)
        } else if cursor.eat("[") {
            Columns::parse(&mut cursor).map(Self::Columns)
        } else {
            Terms::parse(&mut cursor).map(Self::Terms)
        }
    }

    pub(super) fn matches(&self, line: &str) -> bool {
        match self {
            Self::Terms(terms) => terms.matches(line),
            Self::Members(members) => members.matches(line),
            Self::Columns(columns) => columns.matches(line),
        }
    }
}
