//! One value of a property, as it is compared, sorted and indexed.

use serde_json::Value;

/// A value that lies in a record or in a column of the index.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar<'a> {
    /// A text.
    Text(&'a str),
    /// A text that is known to read as this number.
    Numeral(&'a str, f64),
    /// A number.
    Number(f64),
    /// Yes or no.
    Boolean(bool),
    /// An object, of which counts only that it is there.
    Object,
}

impl<'a> Scalar<'a> {
    /// The scalars of values in a record.
    pub fn all(values: &[&'a Value]) -> Vec<Self> {
        values.iter().filter_map(|value| Self::of(value)).collect()
    }

    /// The scalar that a value is; nothing and lists are none.
    pub fn of(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::String(text) => Self::Text(text),
            Value::Number(number) => Self::Number(number.as_f64()?),
            Value::Bool(value) => Self::Boolean(*value),
            Value::Object(_) => Self::Object,
            Value::Null | Value::Array(_) => return None,
        })
    }

    /// The text, of a text.
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) | Self::Numeral(text, _) => Some(text),
            _ => None,
        }
    }

    /// The number that a text reads as.
    pub fn numeral(self) -> Option<f64> {
        match self {
            Self::Text(text) => read_number(text),
            Self::Numeral(_, number) => Some(number),
            _ => None,
        }
    }

    /// The number, of a number.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Yes or no, of what is either.
    pub fn boolean(self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(value),
            _ => None,
        }
    }
}

/// A decimal number; words for what is none do not count.
pub fn read_number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}
