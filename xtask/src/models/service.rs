//! A service model as data, in the form botocore gives it: what is not named
//! here (prose above all) is left behind when a model is read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ModelsError;

/// The operations and shapes of one service.
#[derive(Debug, Deserialize)]
pub struct ServiceModel {
    /// Where the model comes from; botocore's own files do not say.
    #[serde(default)]
    pub source: Source,
    /// Operations by name.
    pub operations: BTreeMap<String, Operation>,
    /// Shapes by name.
    pub shapes: BTreeMap<String, Shape>,
}

/// The pinned origin of a model.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Source {
    /// The version of botocore.
    pub botocore: String,
    /// The file inside botocore's data directory.
    pub file: String,
}

/// One operation.
#[derive(Debug, Serialize, Deserialize)]
pub struct Operation {
    /// The request's shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<ShapeRef>,
    /// The response's shape; none means an empty body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<ShapeRef>,
    /// The errors that the service declares.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ShapeRef>,
}

/// A mention of a shape.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShapeRef {
    /// The shape's name.
    pub shape: String,
}

/// What a value may be.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Shape {
    /// The kind of value.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// A structure's members in the order of the model.
    #[serde(skip_serializing_if = "Members::is_empty")]
    pub members: Members,
    /// The members that a structure must have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
    /// Whether exactly one member must be set.
    #[serde(skip_serializing_if = "is_false")]
    pub union: bool,
    /// Whether the structure is an error.
    #[serde(skip_serializing_if = "is_false")]
    pub exception: bool,
    /// A list's items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<ShapeRef>,
    /// A map's keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<ShapeRef>,
    /// A map's values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<ShapeRef>,
    /// The least length or value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<serde_json::Number>,
    /// The greatest length or value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<serde_json::Number>,
    /// The regular expression that the whole text must match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The only values that the text may have.
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Whether the value must not be shown.
    #[serde(skip_serializing_if = "is_false")]
    pub sensitive: bool,
}

/// The kinds of value that SageMaker's model uses.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Named members.
    #[default]
    Structure,
    /// Items of one shape.
    List,
    /// Keys and values.
    Map,
    /// Text, including enums.
    String,
    /// 32 bits.
    Integer,
    /// 64 bits.
    Long,
    /// Single precision.
    Float,
    /// Double precision.
    Double,
    /// True or false.
    Boolean,
    /// An instant.
    Timestamp,
}

/// The members of a structure in the order in which the model lists them, which
/// is the order in which violations are reported. (A map would sort them.)
#[derive(Debug, Default, Clone)]
pub struct Members(pub Vec<(String, ShapeRef)>);

impl Members {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, shape) in &self.0 {
            map.serialize_entry(name, shape)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Members;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the members of a structure")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

impl ServiceModel {
    /// The shape of a name that the model itself mentions.
    pub fn shape(&self, name: &str) -> Result<&Shape, ModelsError> {
        self.shapes
            .get(name)
            .ok_or_else(|| ModelsError::UnknownShape(name.to_owned()))
    }

    /// The model as JSON with one operation or shape a line, so that what a
    /// newer botocore changes reads well in a diff.
    pub fn to_lines(&self) -> String {
        let mut text = String::from("{\n");
        let _ = writeln!(text, "\"source\": {},", json(&self.source));
        text.push_str("\"operations\": ");
        push_entries(&mut text, &self.operations);
        text.push_str(",\n\"shapes\": ");
        push_entries(&mut text, &self.shapes);
        text.push_str("\n}\n");
        text
    }
}

fn push_entries<T: Serialize>(text: &mut String, entries: &BTreeMap<String, T>) {
    let lines: Vec<String> = entries
        .iter()
        .map(|(name, entry)| format!("{}: {}", json(name), json(entry)))
        .collect();
    let _ = write!(text, "{{\n{}\n}}", lines.join(",\n"));
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    // The types of this file hold nothing that JSON cannot say.
    serde_json::to_string(value).unwrap_or_default()
}

fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTOCORE: &str = r#"{
        "metadata": {"protocol": "json"},
        "operations": {"MakeTea": {"name": "MakeTea", "http": {"method": "POST"}, "input": {"shape": "Tea"}, "documentation": "<p>Prose</p>"}},
        "shapes": {"Tea": {"type": "structure", "required": ["Zest"], "members": {"Zest": {"shape": "Leaf", "documentation": "<p>Prose</p>"}, "Aroma": {"shape": "Leaf"}}},
                   "Leaf": {"type": "string", "max": 3, "pattern": "a+", "documentation": "<p>Prose</p>"}}
    }"#;

    #[test]
    fn trimming_keeps_order_and_drops_prose() {
        let model: ServiceModel = serde_json::from_str(BOTOCORE).unwrap();
        let expected = r#"{
"source": {"botocore":"","file":""},
"operations": {
"MakeTea": {"input":{"shape":"Tea"}}
},
"shapes": {
"Leaf": {"type":"string","max":3,"pattern":"a+"},
"Tea": {"type":"structure","members":{"Zest":{"shape":"Leaf"},"Aroma":{"shape":"Leaf"}},"required":["Zest"]}
}
}
"#;
        assert_eq!(model.to_lines(), expected);
        let again: ServiceModel = serde_json::from_str(expected).unwrap();
        assert_eq!(again.to_lines(), expected);
    }
}
