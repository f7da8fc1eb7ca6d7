//! Values as people write them into a request: JSON, or Python literals as the
//! documentation's examples have them, `{'data': [1, 3, 224, 224]}`.
//!
//! Every value knows where it stands, so that what is wrong with it can be said
//! with line and column. Whatever the text, the answer is a value or a
//! [`LiteralError`].

mod error;
#[cfg(test)]
mod fuzz;
mod number;
mod parser;
mod string;
#[cfg(test)]
mod tests;

use std::fmt;

pub use error::LiteralError;
pub use parser::parse;

/// A place in the text, both counted from 1 and in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A value, and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    /// Where it begins.
    pub at: Position,
    /// What it is.
    pub value: Value,
}

/// What a literal is. Tuples are lists.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null` or `None`.
    Null,
    /// `true` or `True`, `false` or `False`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(String),
    /// A list or a tuple.
    List(Vec<Literal>),
    /// A dictionary, in the order of the text. No key is there twice.
    Dictionary(Vec<Entry>),
}

/// An entry of a dictionary.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where its key begins.
    pub at: Position,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Literal,
}

impl Literal {
    /// The kind of the value, with an article, for use in messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Dictionary(_) => "a dictionary",
        }
    }
}
