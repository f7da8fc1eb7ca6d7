//! Records: what a search looks at of a job, and what it answers.

use std::collections::BTreeSet;
use std::fmt;

use kiln_store::{JobDocument, Tag};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value, json};

use super::catalogue;

/// The members of a job's record that are asked for, and no others.
pub fn partial(document: &JobDocument, members: &BTreeSet<String>) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_str(&document.description);
    let mut record = Members(members).deserialize(&mut reader)?;
    if members.contains("Tags") {
        record.insert("Tags".to_owned(), tags(&document.tags));
    }
    Ok(Value::Object(record))
}

/// A job's whole record: of its description what the shape `TrainingJob` has, and its tags.
pub fn whole(document: &JobDocument) -> serde_json::Result<Value> {
    let mut record: Map<String, Value> = serde_json::from_str(&document.description)?;
    record.retain(|member, _| catalogue::kind(member).is_some());
    record.insert("Tags".to_owned(), tags(&document.tags));
    Ok(Value::Object(record))
}

fn tags(tags: &[Tag]) -> Value {
    let tag = |(key, value): &Tag| json!({"Key": key, "Value": value});
    tags.iter().map(tag).collect()
}

/// Reads these members of an object, and skips the others without keeping them.
struct Members<'a>(&'a BTreeSet<String>);

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a description")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut kept = Map::new();
        while let Some(name) = members.next_key::<std::borrow::Cow<'_, str>>()? {
            if self.0.contains(name.as_ref()) {
                kept.insert(name.into_owned(), members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(kept)
    }
}
