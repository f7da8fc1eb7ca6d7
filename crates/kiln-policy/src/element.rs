//! Elements of a document, read with their places.

use serde_json::{Map, Value};

use crate::PolicyError;

/// The place of a member of what is at a place.
pub(crate) fn join(place: &str, member: &str) -> String {
    format!("{place}.{member}")
}

pub(crate) fn object<'a>(
    value: &'a Value,
    place: &str,
) -> Result<&'a Map<String, Value>, PolicyError> {
    value
        .as_object()
        .ok_or_else(|| PolicyError::at(place, "Syntax errors in policy: an object is expected."))
}

/// A text or a list of texts. Numbers and truths are taken as IAM takes them: as
/// their text.
pub(crate) fn texts(value: &Value, place: &str) -> Result<Vec<String>, PolicyError> {
    match value {
        Value::Array(all) => {
            let numbered = all.iter().enumerate();
            numbered
                .map(|(index, one)| text(one, &format!("{place}[{index}]")))
                .collect()
        }
        one => Ok(vec![text(one, place)?]),
    }
}

fn text(value: &Value, place: &str) -> Result<String, PolicyError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        _ => Err(PolicyError::at(
            place,
            "Syntax errors in policy: a string or a list of strings is expected.",
        )),
    }
}
