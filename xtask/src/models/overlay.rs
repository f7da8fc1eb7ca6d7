//! Facts that the service model lacks or states otherwise than the service
//! behaves, kept by hand in `models/overlay.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::ModelsError;
use super::closure;
use super::service::{ServiceModel, Shape};

/// The overlay file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// The operations that get typed Rust, by the module their types live in.
    pub typed_operations: BTreeMap<String, Vec<String>>,
    /// Of these, the ones whose responses stay plain JSON.
    pub request_only: BTreeSet<String>,
    /// Members that the model requires but the service leaves out at times.
    pub optional_members: BTreeMap<String, BTreeSet<String>>,
    /// Values that older models had and stored jobs may carry. They are read
    /// and written as ever, and refused in new requests.
    pub retired_enum_values: BTreeMap<String, Vec<String>>,
}

impl Overlay {
    /// Whether a structure really always has a member.
    pub fn requires(&self, structure: &str, shape: &Shape, member: &str) -> bool {
        let optional = self.optional_members.get(structure);
        shape.required.iter().any(|name| name == member)
            && !optional.is_some_and(|members| members.contains(member))
    }

    /// The values of an enum that are read back, in order: today's, then retired ones.
    pub fn readable_values<'a>(&'a self, name: &str, shape: &'a Shape) -> Vec<&'a str> {
        let retired = self.retired_enum_values.get(name).into_iter().flatten();
        let retired = retired.filter(|value| !shape.values.contains(value));
        shape
            .values
            .iter()
            .chain(retired)
            .map(String::as_str)
            .collect()
    }
}

/// Refuses a newer model under which a stored job could not be read any more.
pub fn no_value_is_lost(
    current: &ServiceModel,
    newer: &ServiceModel,
    overlay: &Overlay,
) -> Result<(), ModelsError> {
    let mut lost = Vec::new();
    for name in closure::typed(current, overlay)?.into_keys() {
        let Some(shape) = newer.shapes.get(&name) else {
            continue;
        };
        let readable = overlay.readable_values(&name, shape);
        for value in &current.shape(&name)?.values {
            if !readable.contains(&value.as_str()) {
                lost.push(format!("{name}: {value}"));
            }
        }
    }
    if lost.is_empty() {
        Ok(())
    } else {
        Err(ModelsError::LostValues(lost.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(values: &str) -> ServiceModel {
        let text = format!(
            r#"{{"operations": {{"Brew": {{"input": {{"shape": "Pot"}}}}}},
                "shapes": {{"Pot": {{"type": "structure", "members": {{"Tea": {{"shape": "Tea"}}}}}},
                            "Tea": {{"type": "string", "enum": {values}}}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn overlay(retired: &[&str]) -> Overlay {
        let retired = retired.iter().map(|value| (*value).to_owned()).collect();
        Overlay {
            typed_operations: BTreeMap::from([("tea".to_owned(), vec!["Brew".to_owned()])]),
            retired_enum_values: BTreeMap::from([("Tea".to_owned(), retired)]),
            ..Overlay::default()
        }
    }

    #[test]
    fn a_newer_model_must_not_forget_a_value() {
        let (current, newer) = (
            model(r#"["Green", "Black"]"#),
            model(r#"["Green", "White"]"#),
        );
        let refused = no_value_is_lost(&current, &newer, &overlay(&[])).unwrap_err();
        assert!(refused.to_string().ends_with("Tea: Black"), "{refused}");
        no_value_is_lost(&current, &newer, &overlay(&["Black"])).unwrap();
    }

    #[test]
    fn retired_values_are_still_readable() {
        let newer = model(r#"["Green"]"#);
        let overlay = overlay(&["Black", "Green"]);
        let values = overlay.readable_values("Tea", newer.shape("Tea").unwrap());
        assert_eq!(values, ["Green", "Black"]);
    }
}
