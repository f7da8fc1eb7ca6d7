//! CBOR, as the protocol `smithy-rpc-v2-cbor` uses it: times carry tag 1.

use ciborium::Value as Cbor;
use serde_json::{Map, Value, json};

use super::json::word;
use super::unreadable;
use crate::reply::Fault;
use crate::services::monitoring::answer::Answer;

/// The tag of epoch seconds.
const TIME: u64 = 1;

pub(super) fn read(body: &[u8]) -> Result<Value, Fault> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    let value: Cbor = ciborium::from_reader(body)
        .map_err(|error| unreadable(format!("The request body is not valid CBOR: {error}")))?;
    match tree(value) {
        Some(value) if value.is_object() => Ok(value),
        _ => Err(unreadable(
            "Start of structure or map found where not expected.",
        )),
    }
}

/// The same in JSON's terms; nothing when it is null, or of a kind that no member
/// of a request has.
fn tree(value: Cbor) -> Option<Value> {
    match value {
        Cbor::Integer(number) => Some(json!(i64::try_from(number).ok()?)),
        Cbor::Float(number) if number.is_finite() => Some(json!(number)),
        Cbor::Float(number) => Some(json!(word(number))),
        Cbor::Text(text) => Some(json!(text)),
        Cbor::Bool(flag) => Some(json!(flag)),
        Cbor::Tag(_, inner) => tree(*inner),
        Cbor::Array(items) => Some(items.into_iter().filter_map(tree).collect()),
        Cbor::Map(members) => {
            let members = members.into_iter();
            let there = members.filter_map(|(name, value)| match name {
                Cbor::Text(name) => Some((name, tree(value)?)),
                _ => None,
            });
            Some(Value::Object(there.collect::<Map<_, _>>()))
        }
        _ => None,
    }
}

pub(super) fn value(answer: &Answer) -> Cbor {
    match answer {
        Answer::Text(text) => Cbor::Text(text.clone()),
        Answer::Number(number) => Cbor::Float(*number),
        Answer::Time(seconds) => Cbor::Tag(TIME, Box::new(Cbor::Integer((*seconds).into()))),
        Answer::List(items) => Cbor::Array(items.iter().map(value).collect()),
        Answer::Map(entries) => {
            let entries = entries.iter();
            let written = entries.map(|(name, one)| (Cbor::Text(name.clone()), value(one)));
            Cbor::Map(written.collect())
        }
        Answer::Structure(members) => {
            let members = members.iter();
            let written = members.map(|(name, one)| (Cbor::Text((*name).to_owned()), value(one)));
            Cbor::Map(written.collect())
        }
    }
}

pub(super) fn write(value: &Cbor) -> Vec<u8> {
    let mut body = Vec::new();
    // Writing to memory does not fail.
    let _ = ciborium::into_writer(value, &mut body);
    body
}
