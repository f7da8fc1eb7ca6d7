//! The message about a request that violates constraints.

use std::fmt::{self, Write as _};

use serde_json::Value;

/// One constraint that a value violates: `Value 'x' at 'a.b' failed to satisfy
/// constraint: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    value: String,
    path: String,
    constraint: String,
}

impl Violation {
    pub(super) fn of(value: &Value, path: &[Segment<'_>], constraint: String) -> Self {
        let value = match value {
            Value::Null => " null".to_owned(),
            value => format!(" '{}'", Printed(value)),
        };
        let path = Path(path).to_string();
        Self {
            value,
            path,
            constraint,
        }
    }

    /// A violation by a value that must not be shown.
    pub(super) fn of_secret(path: &[Segment<'_>], constraint: String) -> Self {
        let path = Path(path).to_string();
        Self {
            value: String::new(),
            path,
            constraint,
        }
    }

    /// Where the value is, as in `inputDataConfig.1.member.channelName`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the value should be, as in `Member must not be null`.
    pub fn constraint(&self) -> &str {
        &self.constraint
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            value,
            path,
            constraint,
        } = self;
        write!(
            formatter,
            "Value{value} at '{path}' failed to satisfy constraint: {constraint}"
        )
    }
}

/// All violations of a request; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Fails with the violations if there are any.
    pub(super) fn none_of(violations: Vec<Violation>) -> Result<(), Self> {
        if violations.is_empty() {
            Ok(())
        } else {
            Err(Self(violations))
        }
    }

    /// The violations in the order of the model.
    pub fn as_slice(&self) -> &[Violation] {
        &self.0
    }
}

impl std::error::Error for Violations {}

impl fmt::Display for Violations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0.len() == 1 { "error" } else { "errors" };
        write!(formatter, "{} validation {noun} detected: ", self.0.len())?;
        for (place, violation) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { "; " };
            write!(formatter, "{separator}{violation}")?;
        }
        Ok(())
    }
}

/// One step from a request to a value inside it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Segment<'v> {
    /// A structure's member, by its name on the wire.
    Member(&'static str),
    /// A list's item, counted from one.
    Item(usize),
    /// A map's value.
    Key(&'v str),
}

struct Path<'a>(&'a [Segment<'a>]);

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.0.iter().enumerate() {
            if place > 0 {
                formatter.write_char('.')?;
            }
            match segment {
                Segment::Member(name) => write_lower_camel(formatter, name)?,
                Segment::Item(number) => write!(formatter, "{number}.member")?,
                Segment::Key(key) => formatter.write_str(key)?,
            }
        }
        Ok(())
    }
}

/// `S3Uri` → `s3Uri`.
fn write_lower_camel(formatter: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let mut letters = name.chars();
    if let Some(first) = letters.next() {
        formatter.write_char(first.to_ascii_lowercase())?;
    }
    formatter.write_str(letters.as_str())
}

/// A value as Java prints it: `{k=v, k2=v2}`, `[a, b]`.
struct Printed<'a>(&'a Value);

impl fmt::Display for Printed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => formatter.write_str("null"),
            Value::Bool(flag) => write!(formatter, "{flag}"),
            Value::Number(number) => write!(formatter, "{number}"),
            Value::String(text) => formatter.write_str(text),
            Value::Array(items) => {
                let items = items.iter().map(|item| Printed(item).to_string());
                let items: Vec<String> = items.collect();
                write!(formatter, "[{}]", items.join(", "))
            }
            Value::Object(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| format!("{key}={}", Printed(value)));
                let entries: Vec<String> = entries.collect();
                write!(formatter, "{{{}}}", entries.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_printed_as_java_does() {
        for (value, expected) in [
            (json!("a b"), "a b"),
            (json!(12), "12"),
            (json!(0.25), "0.25"),
            (json!(true), "true"),
            (json!(["a", null, 1]), "[a, null, 1]"),
            (json!({"k": "v", "k2": {"x": []}}), "{k=v, k2={x=[]}}"),
            (json!({}), "{}"),
        ] {
            assert_eq!(Printed(&value).to_string(), expected);
        }
    }

    #[test]
    fn paths_are_lower_camel_and_count_from_one() {
        let path = [
            Segment::Member("InputDataConfig"),
            Segment::Item(2),
            Segment::Member("S3Uri"),
            Segment::Key("My.Key"),
        ];
        assert_eq!(
            Path(&path).to_string(),
            "inputDataConfig.2.member.s3Uri.My.Key"
        );
    }
}
