//! Writing values as version 2 of the AWS CLI does: in blocks, members by name,
//! and lines broken after eighty columns.
//!
//! Written here because the libraries there are break no lines, and quote by
//! rules of their own. These are those of libyaml.

use super::scalar::{Place, scalar};
use crate::value::{Members, Value};
use crate::{json, python};

/// How much further in what is within something stands.
pub(crate) const STEP: usize = 2;

/// Writes a value.
pub(crate) fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Map(members) if !members.is_empty() => map(&mut out, members, 0),
        Value::List(items) if !items.is_empty() => list(&mut out, items, 0),
        // As YAML, a lone word would need a mark where the document ends.
        simple => {
            out.push_str(&json::indented(simple));
            out.push('\n');
        }
    }
    out
}

/// Writes members, of which the first stands where the line has come to.
fn map(out: &mut String, members: &Members, indent: usize) {
    let mut entries: Vec<(&str, &Value)> = members.iter().collect();
    entries.sort_by_key(|(name, _)| *name);
    for (place, (name, value)) in entries.into_iter().enumerate() {
        indent_after(out, place, indent);
        scalar(out, name, Place::Key);
        out.push(':');
        match value {
            Value::Map(members) if !members.is_empty() => {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent + STEP));
                map(out, members, indent + STEP);
            }
            // A list stands below its name, and not further in.
            Value::List(items) if !items.is_empty() => {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent));
                list(out, items, indent);
            }
            simple => {
                out.push(' ');
                simple_value(out, simple, indent + STEP);
                out.push('\n');
            }
        }
    }
}

fn list(out: &mut String, items: &[Value], indent: usize) {
    for (place, item) in items.iter().enumerate() {
        indent_after(out, place, indent);
        out.push_str("- ");
        match item {
            Value::Map(members) if !members.is_empty() => map(out, members, indent + STEP),
            Value::List(items) if !items.is_empty() => list(out, items, indent + STEP),
            simple => {
                simple_value(out, simple, indent + STEP);
                out.push('\n');
            }
        }
    }
}

/// Begins a line that is not the first.
pub(crate) fn indent_after(out: &mut String, place: usize, indent: usize) {
    if place > 0 {
        out.extend(std::iter::repeat_n(' ', indent));
    }
}

/// Writes a value that has nothing within it.
pub(crate) fn simple_value(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Integer(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&python::float(*number)),
        Value::Text(text) => scalar(out, text, Place::Value { indent }),
        Value::List(_) => out.push_str("[]"),
        Value::Map(_) => out.push_str("{}"),
    }
}
