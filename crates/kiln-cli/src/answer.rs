//! What the service answered, read by the model: known members in their order.

use crate::failure::Failure;
use crate::json;
use crate::model::{Kind, Operation, Shape, shape};
use crate::timestamp;
use crate::value::{Members, Value};

/// How the values of answers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timestamps {
    /// As the service sends them.
    Wire,
    /// In the form of ISO 8601, in local time.
    Iso8601,
}

/// Reads the body of a good answer.
pub(crate) fn output(
    operation: &Operation,
    body: &[u8],
    timestamps: Timestamps,
) -> Result<Members, Failure> {
    let Some(output) = operation.output else {
        return Ok(Members::default());
    };
    if body.is_empty() {
        return Ok(Members::default());
    }
    let text = String::from_utf8_lossy(body);
    let value = json::parse(&text).map_err(|reason| {
        Failure::General(format!(
            "Unable to parse response ({reason}), invalid JSON received from service. Further \
             retries may succeed:\n{text}"
        ))
    })?;
    match known(value, shape(output), timestamps) {
        Value::Map(members) => Ok(members),
        _ => Ok(Members::default()),
    }
}

/// The code and the message of a refusal.
pub(crate) fn refusal(status: u16, body: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(body);
    let value = json::parse(&text).unwrap_or(Value::Null);
    let Value::Map(members) = value else {
        return (status.to_string(), text.into_owned());
    };
    let member = |name: &str| members.get(name).and_then(Value::as_text);
    let message = member("message").or(member("Message")).unwrap_or_default();
    let code = member("__type").or(member("code"));
    let code = code.map_or_else(|| status.to_string(), str::to_owned);
    let code = code.rsplit('#').next().unwrap_or_default();
    let code = code.split(':').next().unwrap_or_default();
    (code.to_owned(), message.to_owned())
}

fn known(value: Value, shape_of: &Shape, timestamps: Timestamps) -> Value {
    match (&shape_of.kind, value) {
        (Kind::Structure { members, .. }, Value::Map(mut given)) => {
            let mut out = Members::default();
            for (name, number) in *members {
                match given.remove(name) {
                    None | Some(Value::Null) => {}
                    Some(value) => out.set(*name, known(value, shape(*number), timestamps)),
                }
            }
            Value::Map(out)
        }
        (Kind::Map { value: of, .. }, Value::Map(given)) => {
            let each = given.0.into_iter();
            let each = each.map(|(name, value)| (name, known(value, shape(*of), timestamps)));
            Value::Map(Members(each.collect()))
        }
        (Kind::List(of), Value::List(items)) => {
            let items = items.into_iter();
            Value::List(
                items
                    .map(|item| known(item, shape(*of), timestamps))
                    .collect(),
            )
        }
        (Kind::Timestamp, value) if timestamps == Timestamps::Iso8601 => {
            timestamp::iso8601(&value).map_or(value, Value::Text)
        }
        (_, value) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model;

    #[test]
    fn members_come_in_the_models_order_and_unknown_ones_go() {
        let operation = model::by_name("ListTags").unwrap();
        let body = br#"{"New": 1, "NextToken": "t", "Tags": [{"Value": "v", "Key": "k"}]}"#;
        let members = output(operation, body, Timestamps::Wire).unwrap();
        assert_eq!(
            json::compact(&Value::Map(members)),
            r#"{"Tags":[{"Key":"k","Value":"v"}],"NextToken":"t"}"#
        );
    }

    #[test]
    fn refusals_are_read_in_all_their_forms() {
        for (body, expected) in [
            (
                r#"{"__type": "ResourceInUse", "Message": "m"}"#,
                ("ResourceInUse", "m"),
            ),
            (
                r#"{"__type": "com.amazon#X:y", "message": "m"}"#,
                ("X", "m"),
            ),
            (r#"{"message": "m"}"#, ("503", "m")),
            ("down", ("503", "down")),
        ] {
            let (code, message) = refusal(503, body.as_bytes());
            assert_eq!((code.as_str(), message.as_str()), expected);
        }
    }
}
