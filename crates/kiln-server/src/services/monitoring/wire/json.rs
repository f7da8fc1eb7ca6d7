//! JSON.

use serde_json::{Map, Value, json};

use super::unreadable;
use crate::reply::Fault;
use crate::services::monitoring::answer::Answer;

pub(super) fn read(body: &[u8]) -> Result<Value, Fault> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    let parsed = serde_json::from_slice::<Value>(body);
    match parsed {
        Ok(value) if value.is_object() => Ok(without_nulls(value)),
        Ok(_) => Err(unreadable(
            "Start of structure or map found where not expected.",
        )),
        Err(error) => Err(unreadable(format!(
            "The request body is not valid JSON: {error}"
        ))),
    }
}

/// A member that is null is one that is not there.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, without_nulls(value)))
                .collect(),
        ),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        scalar => scalar,
    }
}

pub(super) fn write(answer: &Answer) -> Value {
    match answer {
        Answer::Text(text) => json!(text),
        Answer::Number(number) if number.is_finite() => json!(number),
        Answer::Number(number) => json!(word(*number)),
        Answer::Time(seconds) => json!(seconds),
        Answer::List(items) => items.iter().map(write).collect(),
        Answer::Map(entries) => {
            let entries = entries.iter();
            let written = entries.map(|(name, value)| (name.clone(), write(value)));
            Value::Object(written.collect::<Map<_, _>>())
        }
        Answer::Structure(members) => {
            let members = members.iter();
            let written = members.map(|(name, value)| ((*name).to_owned(), write(value)));
            Value::Object(written.collect::<Map<_, _>>())
        }
    }
}

/// What the protocols write for what is no number.
pub(super) fn word(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}
