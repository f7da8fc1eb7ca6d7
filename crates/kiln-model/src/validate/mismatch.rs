//! Values of the wrong JSON type, in the words of AWS's JSON reader.

use serde_json::{Number, Value};

use crate::table::Shape;
use crate::timestamp::Timestamp;

/// A value has another JSON type than its member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Mismatch(String);

/// Refuses a value that cannot be read as its shape.
pub(super) fn check(shape: &Shape, value: &Value) -> Result<(), Mismatch> {
    match expected(shape, value) {
        None => Ok(()),
        Some(expected) => Err(Mismatch(text(expected, value))),
    }
}

/// What the reader expects in place of a value.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// A scalar, named as in "a String".
    Scalar(&'static str),
    List,
    Structure,
    Map,
}

/// What a shape expects of a value that is something else.
fn expected(shape: &Shape, value: &Value) -> Option<Expected> {
    let (fits, expected) = match shape {
        Shape::Structure(_) | Shape::Union(_) => (value.is_object(), Expected::Structure),
        Shape::Map { .. } => (value.is_object(), Expected::Map),
        Shape::List { .. } => (value.is_array(), Expected::List),
        Shape::String { .. } | Shape::Enum(_) => (value.is_string(), Expected::Scalar("a String")),
        Shape::Integer(_) => (is_i32(value), Expected::Scalar("an Integer")),
        Shape::Long(_) => (value.is_i64(), Expected::Scalar("a Long")),
        Shape::Float(_) => (value.is_number(), Expected::Scalar("a Float")),
        Shape::Double(_) => (value.is_number(), Expected::Scalar("a Double")),
        Shape::Boolean => (value.is_boolean(), Expected::Scalar("a Boolean")),
        Shape::Timestamp => (
            is_instant(value),
            Expected::Scalar("milliseconds since epoch"),
        ),
    };
    (!fits).then_some(expected)
}

fn is_i32(value: &Value) -> bool {
    value
        .as_i64()
        .is_some_and(|number| i32::try_from(number).is_ok())
}

fn is_instant(value: &Value) -> bool {
    match value {
        Value::Number(seconds) => {
            let seconds = Number::as_f64(seconds);
            seconds.is_some_and(|seconds| Timestamp::from_seconds(seconds).is_ok())
        }
        Value::String(text) => text.parse::<Timestamp>().is_ok(),
        _ => false,
    }
}

fn text(expected: Expected, value: &Value) -> String {
    match (value, expected) {
        (Value::Object(_), _) => "Start of structure or map found where not expected.".to_owned(),
        (Value::Array(_), _) => "Start of list found where not expected".to_owned(),
        (_, Expected::List) => "Expected list or null".to_owned(),
        (_, Expected::Map) => "Expected map or null".to_owned(),
        (_, Expected::Structure) => "Expected null".to_owned(),
        (scalar, Expected::Scalar(wanted)) => {
            format!("{} can not be converted to {wanted}", token(scalar))
        }
    }
}

/// AWS's name for a piece of JSON.
fn token(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "START_OBJECT",
        Value::Array(_) => "START_ARRAY",
        Value::String(_) => "STRING_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Null => "NULL_VALUE",
    }
}
