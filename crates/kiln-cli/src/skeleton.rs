//! Samples of requests and answers, to be filled in.

use crate::model::{Kind, Operation, Shape, shape};
use crate::value::{Members, Value};
use crate::yaml;

/// What stands where a text will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Texts {
    /// Nothing, or the first value of an enum.
    Samples,
    /// The name of the member.
    Names,
}

/// A sample of an operation's request.
pub(crate) fn input(operation: &Operation) -> Value {
    sample(operation.input, Texts::Samples, "", &mut Vec::new())
}

/// A sample of an operation's answer.
pub(crate) fn output(operation: &Operation) -> Members {
    let sample = operation
        .output
        .map(|output| sample(output, Texts::Names, "", &mut Vec::new()));
    match sample {
        Some(Value::Map(members)) => members,
        _ => Members::default(),
    }
}

/// A sample of an operation's request as YAML, which says of members whether they are
/// required and which values they may have. Spaces are where version 2 of the AWS CLI
/// has them; the model has no sentences of documentation to add.
pub(crate) fn yaml_input(operation: &Operation) -> String {
    match input(operation) {
        Value::Map(members) if members.is_empty() => "{}\n".to_owned(),
        sample => {
            let mut out = String::new();
            explained(&mut out, &sample, operation.input, 0);
            out
        }
    }
}

/// Writes what is in a value, of which the first line's indent is written already.
fn explained(out: &mut String, value: &Value, number: u16, indent: usize) {
    match (value, &shape(number).kind) {
        (Value::Map(members), Kind::Structure { required, .. }) if !members.is_empty() => {
            for (place, (name, value)) in members.iter().enumerate() {
                yaml::indent_after(out, place, indent);
                let number = shape(number).member_number(name).unwrap_or(number);
                let mut note = note(required.contains(&name), number);
                if !note.is_empty() {
                    note.insert_str(0, if place == 0 { "  # " } else { " # " });
                }
                member(out, (name, value), number, indent, &note);
            }
        }
        (Value::Map(members), Kind::Map { value: of, .. }) => {
            for (place, entry) in members.iter().enumerate() {
                yaml::indent_after(out, place, indent);
                member(out, entry, *of, indent, "");
            }
        }
        (Value::List(items), Kind::List(of)) => {
            for (place, item) in items.iter().enumerate() {
                yaml::indent_after(out, place, indent);
                out.push_str("- ");
                explained(out, item, *of, indent + yaml::STEP);
            }
        }
        (simple, _) => {
            simple_value(out, simple, number);
            out.push('\n');
        }
    }
}

fn member(out: &mut String, entry: (&str, &Value), number: u16, indent: usize, note: &str) {
    let (name, value) = entry;
    let within = match value {
        Value::Map(members) if !members.is_empty() => indent + yaml::STEP,
        Value::List(_) => indent,
        simple => {
            out.push_str(&format!("{name}: "));
            simple_value(out, simple, number);
            out.push_str(&format!("{note}\n"));
            return;
        }
    };
    out.push_str(&format!("{name}:{note}\n{:within$}", ""));
    explained(out, value, number, within);
}

fn simple_value(out: &mut String, value: &Value, number: u16) {
    match (&shape(number).kind, value) {
        (Kind::Timestamp, Value::Text(text)) => out.push_str(&text.replace('T', " ")),
        _ => yaml::simple_value(out, value, 0),
    }
}

/// What is to be known of a member.
fn note(required: bool, number: u16) -> String {
    let required = required.then(|| "[REQUIRED]".to_owned());
    let values = match &shape(number).kind {
        Kind::String(values) if !values.is_empty() => {
            Some(format!("Valid values are: {}.", values.join(", ")))
        }
        _ => None,
    };
    let notes: Vec<String> = required.into_iter().chain(values).collect();
    notes.join(" ")
}

fn sample(number: u16, texts: Texts, name: &str, within: &mut Vec<u16>) -> Value {
    let shape_of: &Shape = shape(number);
    within.push(number);
    let value = match &shape_of.kind {
        // What contains itself is sampled once.
        Kind::Structure { .. } if within.iter().filter(|other| **other == number).count() > 1 => {
            Value::Map(Members::default())
        }
        Kind::Structure { members, .. } => {
            let mut out = Members::default();
            for (name, number) in *members {
                out.set(*name, sample(*number, texts, name, within));
            }
            Value::Map(out)
        }
        Kind::List(item) => Value::List(vec![sample(*item, texts, shape(*item).name, within)]),
        Kind::Map { value, .. } => {
            let mut out = Members::default();
            out.set("KeyName", sample(*value, texts, "", within));
            Value::Map(out)
        }
        Kind::String(_) if texts == Texts::Names => Value::text(name),
        Kind::String(values) => Value::text(values.first().copied().unwrap_or_default()),
        Kind::Integer | Kind::Long => Value::Integer(0),
        Kind::Float => Value::Float(0.0),
        Kind::Boolean => Value::Bool(true),
        Kind::Timestamp => Value::text("1970-01-01T00:00:00"),
    };
    within.pop();
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{json, model};

    #[test]
    fn samples_have_every_member() {
        let add = model::by_name("AddTags").unwrap();
        assert_eq!(
            json::compact(&input(add)),
            r#"{"ResourceArn":"","Tags":[{"Key":"","Value":""}]}"#
        );
        let list = model::by_name("ListTags").unwrap();
        assert_eq!(
            json::compact(&Value::Map(output(list))),
            r#"{"Tags":[{"Key":"Key","Value":"Value"}],"NextToken":"NextToken"}"#
        );
    }

    #[test]
    fn yaml_says_what_is_required_and_which_values_there_are() {
        let list = model::by_name("ListOptimizationJobs").unwrap();
        let text = yaml_input(list);
        assert!(
            text.starts_with(
                "NextToken: ''\nMaxResults: 0\nCreationTimeAfter: 1970-01-01 00:00:00\n"
            )
        );
        assert!(
            text.contains("\nSortOrder: Ascending # Valid values are: Ascending, Descending.\n")
        );
        let add = model::by_name("AddTags").unwrap();
        assert_eq!(
            yaml_input(add),
            "ResourceArn: ''  # [REQUIRED]\nTags: # [REQUIRED]\n- Key: ''  # [REQUIRED]\n  \
             Value: '' # [REQUIRED]\n"
        );
    }

    #[test]
    fn what_contains_itself_ends() {
        let search = model::by_name("Search").unwrap();
        assert!(json::compact(&input(search)).contains("SubExpressions"));
    }
}
