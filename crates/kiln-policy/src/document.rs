//! JSON as policies are written: no object has a name twice.
//!
//! Of two conditions with one name a usual reader keeps the last, and the first,
//! which was to hold too, is gone without a word.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::PolicyError;

/// Reads a document.
pub(crate) fn read(text: &str) -> Result<Value, PolicyError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Document.deserialize(&mut reader);
    let value = value.and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        let reason = match error.is_data() {
            true => "Syntax errors in policy: a name is given twice.",
            false => "Syntax errors in policy: this is not JSON.",
        };
        PolicyError::at(place, reason)
    })
}

/// Any value. The only thing wrong with its data can be a name.
struct Document;

impl<'de> DeserializeSeed<'de> for Document {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(truth.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            all.push(item);
        }
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Self)?;
            if all.insert(name, value).is_some() {
                return Err(A::Error::custom("a name is given twice"));
            }
        }
        Ok(all.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_given_once() {
        for (text, reason) in [
            (r#"{"a": 1, "a": 1}"#, "a name is given twice"),
            (
                r#"{"b": [{"a": {}, "\u0061": 2}]}"#,
                "a name is given twice",
            ),
            (r#"{"a": 1} {}"#, "this is not JSON"),
            (r#"{"a": 1"#, "this is not JSON"),
            ("", "this is not JSON"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.reason.contains(reason), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn all_else_is_read_as_it_is_everywhere(
            text in r#"([\[\]{},:]|"[ab\\u{}]{0,3}"|-?[0-9.e]{1,3}|true|null| ){0,12}"#,
        ) {
            if let Ok(value) = read(&text) {
                prop_assert_eq!(value, serde_json::from_str::<Value>(&text).unwrap());
            }
        }
    }
}
