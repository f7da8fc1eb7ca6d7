//! What the constraints of one shape say, and whether a value keeps them.

use serde_json::Value;

use crate::table::{Bounds, Shape, pattern};

/// The constraint of a required member.
pub(super) const NOT_NULL: &str = "Member must not be null";

/// Whether AWS reports violations by such an element of a list or map on the
/// whole list or map.
pub(super) fn is_simple(shape: &Shape) -> bool {
    !matches!(
        shape,
        Shape::Structure(_) | Shape::Union(_) | Shape::List { .. } | Shape::Map { .. }
    )
}

/// Whether the value must not appear in messages.
pub(super) fn is_sensitive(shape: &Shape) -> bool {
    matches!(
        shape,
        Shape::String {
            sensitive: true,
            ..
        }
    )
}

/// The constraints of a shape that a value of the right type violates. A value
/// that violates none, which is the common case, costs no allocation.
pub(super) fn violated(shape: &Shape, value: &Value) -> Vec<String> {
    let mut violated = Vec::new();
    match (shape, value) {
        (
            Shape::String {
                length,
                pattern: number,
                ..
            },
            Value::String(text),
        ) => {
            if let Some(number) = *number
                && !pattern(number).matches(text)
            {
                violated.push(pattern_text(number));
            }
            violated.extend(beyond(*length, text_length(text)).map(length_text));
        }
        (Shape::Enum(values), Value::String(text)) if !values.contains(&text.as_str()) => {
            violated.push(enum_text(values));
        }
        (Shape::List { length, .. }, Value::Array(items)) => {
            violated.extend(beyond(*length, items.len() as u64).map(length_text));
        }
        (Shape::Map { length, .. }, Value::Object(entries)) => {
            violated.extend(beyond(*length, entries.len() as u64).map(length_text));
        }
        (Shape::Integer(range) | Shape::Long(range), Value::Number(number)) => {
            let side = number.as_i64().and_then(|number| beyond(*range, number));
            violated.extend(side.map(value_text));
        }
        (Shape::Float(range) | Shape::Double(range), Value::Number(number)) => {
            let side = number.as_f64().and_then(|number| beyond(*range, number));
            violated.extend(side.map(value_text));
        }
        _ => {}
    }
    violated
}

/// Whether a map's key keeps the constraints of keys.
pub(super) fn admits_text(shape: &Shape, text: &str) -> bool {
    match shape {
        Shape::String {
            length,
            pattern: number,
            ..
        } => {
            number.is_none_or(|number| pattern(number).matches(text))
                && beyond(*length, text_length(text)).is_none()
        }
        Shape::Enum(values) => values.contains(&text),
        _ => true,
    }
}

/// All constraints of a shape, in the order in which AWS lists them.
pub(super) fn of(shape: &Shape) -> Vec<String> {
    match shape {
        Shape::String {
            length, pattern, ..
        } => {
            let mut texts = sides(*length, length_text);
            texts.extend(pattern.map(pattern_text));
            texts
        }
        Shape::Enum(values) => vec![enum_text(values)],
        Shape::Integer(range) | Shape::Long(range) => sides(*range, value_text),
        Shape::Float(range) | Shape::Double(range) => sides(*range, value_text),
        Shape::List { length, .. } | Shape::Map { length, .. } => sides(*length, length_text),
        Shape::Union(members) => {
            let names: Vec<&str> = members.iter().map(|member| member.name()).collect();
            vec![format!(
                "Member must have exactly one of its members set: [{}]",
                names.join(", ")
            )]
        }
        Shape::Structure(_) | Shape::Boolean | Shape::Timestamp => Vec::new(),
    }
}

/// The constraint that the elements of a list or map keep those of their shape.
pub(super) fn of_elements(subject: &str, element: &Shape, any_null: bool) -> String {
    let mut texts = of(element);
    if any_null {
        texts.push(NOT_NULL.to_owned());
    }
    format!("{subject} satisfy constraint: [{}]", texts.join(", "))
}

/// The side of the bounds that a value is beyond.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Side<T> {
    Above(T),
    Below(T),
}

fn beyond<T: PartialOrd + Copy>(bounds: Bounds<T>, value: T) -> Option<Side<T>> {
    let above = bounds.max.filter(|max| value > *max).map(Side::Above);
    above.or_else(|| bounds.min.filter(|min| value < *min).map(Side::Below))
}

fn sides<T: Copy>(bounds: Bounds<T>, text: impl Fn(Side<T>) -> String) -> Vec<String> {
    let above = bounds.max.map(Side::Above);
    let below = bounds.min.map(Side::Below);
    above.into_iter().chain(below).map(text).collect()
}

/// Lengths count Unicode characters and not UTF-16 units: the service model's
/// language (Smithy) says so, botocore counts so, and AWS measurably does.
fn text_length(text: &str) -> u64 {
    text.chars().count() as u64
}

fn length_text(side: Side<u64>) -> String {
    match side {
        Side::Above(max) => format!("Member must have length less than or equal to {max}"),
        Side::Below(min) => format!("Member must have length greater than or equal to {min}"),
    }
}

fn value_text<T: std::fmt::Display>(side: Side<T>) -> String {
    match side {
        Side::Above(max) => format!("Member must have value less than or equal to {max}"),
        Side::Below(min) => format!("Member must have value greater than or equal to {min}"),
    }
}

fn pattern_text(number: u16) -> String {
    let source = pattern(number).source();
    format!("Member must satisfy regular expression pattern: {source}")
}

fn enum_text(values: &[&str]) -> String {
    format!(
        "Member must satisfy enum value set: [{}]",
        values.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive() {
        let bounds = Bounds {
            min: Some(1),
            max: Some(3),
        };
        for (value, expected) in [
            (0, Some(Side::Below(1))),
            (1, None),
            (3, None),
            (4, Some(Side::Above(3))),
        ] {
            assert_eq!(beyond(bounds, value), expected);
        }
        assert_eq!(
            beyond(
                Bounds {
                    min: None,
                    max: None
                },
                7
            ),
            None
        );
    }

    #[test]
    fn a_letter_beyond_the_basic_plane_has_length_one() {
        assert_eq!(text_length("a😀é"), 3);
    }
}
