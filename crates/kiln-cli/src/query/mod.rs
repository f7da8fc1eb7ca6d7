//! JMESPath, as `--query` understands it.
//!
//! Written here because the libraries there are keep objects in alphabetical
//! order, while the AWS CLI prints them in the order of the service and of the
//! expression. The messages are those of Python's library.

mod arguments;
mod evaluate;
mod functions;
mod order;
mod syntax;
mod token;

use crate::value::Value;

pub(crate) use order::set_member;
use syntax::Node;

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Query(Node);

/// What is wrong with an expression, or with what it is applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    #[error("Invalid JMESPath expression: cannot be empty.")]
    Empty,
    #[error("Bad jmespath expression: {message}:\n{expression}\n{underline}")]
    Token {
        message: String,
        expression: String,
        underline: String,
    },
    #[error("Invalid jmespath expression: Incomplete expression:\n\"{expression}\"\n{underline}")]
    Incomplete {
        expression: String,
        underline: String,
    },
    #[error(
        "{message}: Parse error at column {position}, token \"{token}\" ({kind}), for expression:\n\"{expression}\"\n{line}",
        line = underline(.position + 1)
    )]
    Syntax {
        message: String,
        position: usize,
        token: String,
        kind: String,
        expression: String,
    },
    #[error("Unknown function: {0}()")]
    UnknownFunction(String),
    #[error("Expected {expected} for function {function}(), received {received}")]
    Arity {
        function: String,
        /// As in `at least 1 argument`.
        expected: String,
        received: usize,
    },
    #[error(
        "In function {function}(), invalid type for value: {value}, expected one of: {expected}, received: \"{received}\""
    )]
    Type {
        function: String,
        value: String,
        expected: String,
        received: String,
    },
    #[error("{0}")]
    Value(String),
}

/// What points at a place in an expression.
fn underline(position: usize) -> String {
    format!("{}^", " ".repeat(position))
}

impl Query {
    /// Compiles an expression.
    pub(crate) fn parse(expression: &str) -> Result<Self, QueryError> {
        syntax::parse(expression).map(Self)
    }

    /// Applies the expression to a value.
    pub(crate) fn search(&self, value: &Value) -> Result<Value, QueryError> {
        evaluate::evaluate(&self.0, value)
    }
}

#[cfg(test)]
mod tests;
