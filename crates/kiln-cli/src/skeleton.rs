//! Samples of requests and answers, to be filled in.

use crate::model::{Kind, Operation, Shape, shape};
use crate::value::{Members, Value};

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
    fn what_contains_itself_ends() {
        let search = model::by_name("Search").unwrap();
        assert!(json::compact(&input(search)).contains("SubExpressions"));
    }
}
