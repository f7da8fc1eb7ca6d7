//! The checks that the AWS CLI makes of a request before it is sent: types, what
//! is required, and least lengths and values.

use crate::failure::Failure;
use crate::model::{Kind, Operation, Shape, shape};
use crate::python;
use crate::timestamp;
use crate::value::{Members, Value};

/// Checks a request, and answers it as it is sent: with timestamps as seconds.
pub(crate) fn request(operation: &Operation, request: Members) -> Result<Members, Failure> {
    let input = shape(operation.input);
    let value = Value::Map(request);
    let mut report = Vec::new();
    check(&value, input, "", &mut report);
    if !report.is_empty() {
        return Err(Failure::Validation(report.join("\n")));
    }
    match sent(value, input) {
        Value::Map(members) => Ok(members),
        _ => Ok(Members::default()),
    }
}

fn check(value: &Value, shape_of: &Shape, path: &str, report: &mut Vec<String>) {
    let types = types(&shape_of.kind);
    if let Kind::Timestamp = shape_of.kind {
        if timestamp::parse(value).is_none() {
            report.push(wrong_type(value, path, types));
        }
        return;
    }
    match (&shape_of.kind, value) {
        (Kind::Structure { .. }, Value::Map(members)) => structure(members, shape_of, path, report),
        (Kind::Map { key, value }, Value::Map(members)) => {
            for (name, item) in members.iter() {
                let place = format!("{path} (key: {name})");
                check(&Value::text(name), shape(*key), &place, report);
                check(item, shape(*value), &format!("{path}.{name}"), report);
            }
        }
        (Kind::List(of), Value::List(items)) => {
            report.extend(too_short(items.len(), shape_of, path));
            for (place, item) in items.iter().enumerate() {
                check(item, shape(*of), &format!("{path}[{place}]"), report);
            }
        }
        (Kind::String(_), Value::Text(text)) => {
            report.extend(too_short(text.chars().count(), shape_of, path));
        }
        (Kind::Boolean, Value::Bool(_)) => {}
        // To Python a boolean is a number too.
        (Kind::Integer | Kind::Long, Value::Integer(_) | Value::Bool(_))
        | (Kind::Float, Value::Integer(_) | Value::Float(_) | Value::Bool(_)) => {
            report.extend(too_small(value, shape_of, path));
        }
        _ => report.push(wrong_type(value, path, types)),
    }
}

fn structure(members: &Members, shape_of: &Shape, path: &str, report: &mut Vec<String>) {
    let Kind::Structure {
        members: known,
        required,
        union,
    } = &shape_of.kind
    else {
        return;
    };
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    let here = shown(path);
    match members.len() {
        0 if *union => report.push(format!(
            "Must set one of the following keys for tagged unionstructure {here}: {names}."
        )),
        2.. if *union => report.push(format!(
            "Invalid number of parameters set for tagged union structure {here}. Can only set one \
             of the following keys: {names}."
        )),
        _ => {}
    }
    for name in required.iter().filter(|name| members.get(name).is_none()) {
        report.push(format!("Missing required parameter in {here}: \"{name}\""));
    }
    for (name, _) in members.iter() {
        if shape_of.member(name).is_none() {
            report.push(format!(
                "Unknown parameter in {here}: \"{name}\", must be one of: {names}"
            ));
        }
    }
    for (name, value) in members.iter() {
        if let Some(shape_of) = shape_of.member(name) {
            check(value, shape_of, &format!("{path}.{name}"), report);
        }
    }
}

/// The types of Python that a kind of value may have.
fn types(kind: &Kind) -> &'static str {
    match kind {
        Kind::Structure { .. } | Kind::Map { .. } => "<class 'dict'>",
        Kind::List(_) => "<class 'list'>, <class 'tuple'>",
        Kind::String(_) => "<class 'str'>",
        Kind::Integer | Kind::Long => "<class 'int'>",
        Kind::Float => "<class 'float'>, <class 'decimal.Decimal'>, <class 'int'>",
        Kind::Boolean => "<class 'bool'>",
        Kind::Timestamp => "<class 'datetime.datetime'>, timestamp-string",
    }
}

fn wrong_type(value: &Value, path: &str, types: &str) -> String {
    format!(
        "Invalid type for parameter {}, value: {}, type: <class '{}'>, valid types: {types}",
        shown(path),
        python::text(value),
        python::type_name(value)
    )
}

fn too_short(length: usize, shape_of: &Shape, path: &str) -> Option<String> {
    let least = shape_of.min.filter(|least| (length as f64) < *least)?;
    Some(format!(
        "Invalid length for parameter {}, value: {length}, valid min length: {least}",
        shown(path)
    ))
}

fn too_small(value: &Value, shape_of: &Shape, path: &str) -> Option<String> {
    let number = match value {
        Value::Integer(number) => *number as f64,
        Value::Float(number) => *number,
        other => f64::from(u8::from(*other == Value::Bool(true))),
    };
    let least = shape_of.min.filter(|least| number < *least)?;
    Some(format!(
        "Invalid value for parameter {}, value: {}, valid min value: {least}",
        shown(path),
        python::text(value)
    ))
}

fn shown(path: &str) -> &str {
    match path {
        "" => "input",
        other => other.strip_prefix('.').unwrap_or(other),
    }
}

fn sent(value: Value, shape_of: &Shape) -> Value {
    match (&shape_of.kind, value) {
        (Kind::Timestamp, value) => match timestamp::parse(&value) {
            Some(time) => Value::Integer(time.unix_timestamp().into()),
            None => value,
        },
        (Kind::Structure { .. }, Value::Map(members)) => {
            let each = members.0.into_iter().map(|(name, value)| {
                let value = match shape_of.member(&name) {
                    Some(shape_of) => sent(value, shape_of),
                    None => value,
                };
                (name, value)
            });
            Value::Map(Members(each.collect()))
        }
        (Kind::Map { value: of, .. }, Value::Map(members)) => {
            let each = members.0.into_iter();
            let each = each.map(|(name, value)| (name, sent(value, shape(*of))));
            Value::Map(Members(each.collect()))
        }
        (Kind::List(of), Value::List(items)) => {
            let items = items.into_iter().map(|item| sent(item, shape(*of)));
            Value::List(items.collect())
        }
        (_, value) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{json, model};

    fn check_create(text: &str) -> Result<Members, Failure> {
        let Value::Map(members) = json::parse(text).unwrap() else {
            panic!("no object");
        };
        request(model::by_name("CreateTrainingJob").unwrap(), members)
    }

    #[test]
    fn all_that_is_wrong_is_reported() {
        let Err(Failure::Validation(report)) = check_create(
            r#"{"TrainingJobName": 5, "Foo": 1, "ResourceConfig": [], "HyperParameters": {"a": 1},
                "Tags": [{"Key": ""}], "EnableNetworkIsolation": "x", "InputDataConfig": []}"#,
        ) else {
            panic!("it passed");
        };
        let lines: Vec<&str> = report.lines().collect();
        assert_eq!(lines[0], "Missing required parameter in input: \"RoleArn\"");
        for line in [
            "Invalid type for parameter TrainingJobName, value: 5, type: <class 'int'>, valid types: <class 'str'>",
            "Invalid type for parameter ResourceConfig, value: [], type: <class 'list'>, valid types: <class 'dict'>",
            "Invalid type for parameter HyperParameters.a, value: 1, type: <class 'int'>, valid types: <class 'str'>",
            "Missing required parameter in Tags[0]: \"Value\"",
            "Invalid length for parameter Tags[0].Key, value: 0, valid min length: 1",
            "Invalid length for parameter InputDataConfig, value: 0, valid min length: 1",
        ] {
            assert!(lines.contains(&line), "{line}\n{report}");
        }
    }

    #[test]
    fn timestamps_are_sent_as_seconds() {
        let Value::Map(given) =
            json::parse(r#"{"CreationTimeAfter": "2026-01-02T03:04:05.6Z"}"#).unwrap()
        else {
            panic!("no object");
        };
        let sent = request(model::by_name("ListTrainingJobs").unwrap(), given).unwrap();
        assert_eq!(
            sent.get("CreationTimeAfter"),
            Some(&Value::Integer(1_767_323_045))
        );
    }
}
