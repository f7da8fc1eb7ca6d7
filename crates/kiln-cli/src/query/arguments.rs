//! What functions are given, and whether it is of the types that they take.

use super::QueryError;
use super::evaluate::evaluate;
use super::syntax::Node;
use crate::python;
use crate::value::Value;

/// An argument: a value, or an expression to be applied by the function.
pub(super) enum Argument<'a> {
    Value(Value),
    Reference(&'a Node),
}

/// A call's arguments, which know whose they are.
pub(super) struct Arguments<'a> {
    pub(super) function: &'a str,
    pub(super) given: &'a [Argument<'a>],
}

impl Arguments<'_> {
    /// Checks that there are just as many.
    pub(super) fn count(&self, expected: usize) -> Result<(), QueryError> {
        self.arity(expected, false, self.given.len() == expected)
    }

    /// Checks that there are not fewer.
    pub(super) fn at_least(&self, expected: usize) -> Result<(), QueryError> {
        self.arity(expected, true, self.given.len() >= expected)
    }

    fn arity(&self, expected: usize, at_least: bool, holds: bool) -> Result<(), QueryError> {
        if holds {
            return Ok(());
        }
        let least = if at_least { "at least " } else { "" };
        let plural = if expected == 1 { "" } else { "s" };
        Err(QueryError::Arity {
            function: self.function.to_owned(),
            expected: format!("{least}{expected} argument{plural}"),
            received: self.given.len(),
        })
    }

    /// An argument that may be any value.
    pub(super) fn any(&self, place: usize) -> Value {
        match &self.given[place] {
            Argument::Value(value) => value.clone(),
            Argument::Reference(_) => Value::Null,
        }
    }

    /// An argument of one of the types, which may say what an array holds:
    /// `array-number`.
    pub(super) fn typed(&self, place: usize, types: &[&str]) -> Result<Value, QueryError> {
        let value = match &self.given[place] {
            Argument::Value(value) => value,
            Argument::Reference(_) => {
                return Err(self.refuse("<expression>".to_owned(), "expref", types));
            }
        };
        let outer = |kind: &&str| kind.split('-').next() == Some(kind_of(value));
        if !types.iter().any(outer) {
            return Err(self.refuse(python::text(value), kind_of(value), types));
        }
        if let Value::List(items) = value {
            self.check_items(items, types)?;
        }
        Ok(value.clone())
    }

    fn check_items(&self, items: &[Value], types: &[&str]) -> Result<(), QueryError> {
        let inner = types.iter().filter_map(|kind| kind.split_once('-'));
        let inner: Vec<&str> = inner.map(|(_, inner)| inner).collect();
        let Some(first) = items.first().filter(|_| !inner.is_empty()) else {
            return Ok(());
        };
        let wanted = match inner[..] {
            [only] => only,
            _ if inner.contains(&kind_of(first)) => kind_of(first),
            _ => return Err(self.refuse_item(first, types)),
        };
        match items.iter().find(|item| kind_of(item) != wanted) {
            Some(item) => Err(self.refuse_item(item, types)),
            None => Ok(()),
        }
    }

    /// An argument that is an expression.
    pub(super) fn reference(&self, place: usize) -> Result<&Node, QueryError> {
        match &self.given[place] {
            Argument::Reference(node) => Ok(node),
            Argument::Value(value) => {
                Err(self.refuse(python::text(value), kind_of(value), &["expref"]))
            }
        }
    }

    /// What the expression says of a value, which must be of one of the types.
    pub(super) fn key(
        &self,
        node: &Node,
        value: &Value,
        types: &[&str],
    ) -> Result<Value, QueryError> {
        let key = evaluate(node, value)?;
        if types.contains(&kind_of(&key)) {
            Ok(key)
        } else {
            Err(self.refuse(python::text(&key), kind_of(&key), types))
        }
    }

    /// Python's library names the Python type of an item, and the type of the
    /// language of anything else.
    fn refuse_item(&self, item: &Value, types: &[&str]) -> QueryError {
        self.refuse(python::text(item), python::type_name(item), types)
    }

    pub(super) fn refuse(&self, value: String, received: &str, types: &[&str]) -> QueryError {
        let types: Vec<String> = types.iter().map(|name| python::quoted(name)).collect();
        QueryError::Type {
            function: self.function.to_owned(),
            value,
            expected: format!("[{}]", types.join(", ")),
            received: received.to_owned(),
        }
    }
}

/// The type of a value, in the language's terms.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Integer(_) | Value::Float(_) => "number",
        Value::Text(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
    }
}
