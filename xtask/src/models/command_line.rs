//! Writes the command line's table: what the served operations take and
//! answer, in the order of the model, as static data that costs nothing at start.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::ModelsError;
use super::closure;
use super::overlay::Overlay;
use super::service::{Kind, Members, ServiceModel, Shape, ShapeRef};
use super::types::NOTICE;

/// The files of the table, by name.
pub fn files(
    model: &ServiceModel,
    overlay: &Overlay,
) -> Result<BTreeMap<String, String>, ModelsError> {
    let shapes = closure::of_served(model, overlay)?;
    let table = Table {
        model,
        overlay,
        numbers: shapes.into_iter().zip(0..).collect(),
    };
    Ok(BTreeMap::from([
        ("mod.rs".to_owned(), modules()),
        ("operations.rs".to_owned(), table.operations()?),
        ("shapes.rs".to_owned(), table.shapes()?),
    ]))
}

fn modules() -> String {
    format!(
        "//! What the served operations take and answer.\n{NOTICE}\n\
         pub(crate) mod operations;\npub(crate) mod shapes;\n"
    )
}

/// The shapes of the served operations, each numbered by its place.
struct Table<'a> {
    model: &'a ServiceModel,
    overlay: &'a Overlay,
    numbers: BTreeMap<String, usize>,
}

impl Table<'_> {
    fn operations(&self) -> Result<String, ModelsError> {
        let mut names: Vec<&String> = self.overlay.typed_operations.values().flatten().collect();
        names.sort();
        let mut text = format!(
            "//! The served operations with the shapes of their requests and answers, by name.\n\
             {NOTICE}\nuse crate::model::Operation;\n\n\
             pub(crate) static OPERATIONS: [Operation; {}] = [\n",
            names.len()
        );
        for name in names {
            let operation = closure::served(self.model, name)?;
            let input = self.reference(operation.input.as_ref())?;
            let output = match &operation.output {
                Some(output) => format!("Some({})", self.number(&output.shape)?),
                None => "None".to_owned(),
            };
            let _ = writeln!(
                text,
                "    Operation {{ name: {name:?}, input: {input}, output: {output} }},"
            );
        }
        text.push_str("];\n");
        Ok(text)
    }

    fn shapes(&self) -> Result<String, ModelsError> {
        let mut text = format!(
            "//! The shapes of requests and answers.\n{NOTICE}\n\
             use crate::model::{{Kind, Shape}};\n\n\
             pub(crate) static SHAPES: [Shape; {}] = [\n",
            self.numbers.len()
        );
        for (name, number) in &self.numbers {
            let shape = self.model.shape(name)?;
            let (kind, min) = (self.kind(shape)?, least(shape));
            let _ = writeln!(
                text,
                "    Shape {{ name: {name:?}, kind: {kind}, min: {min} }}, // {number}"
            );
        }
        text.push_str("];\n");
        Ok(text)
    }

    fn kind(&self, shape: &Shape) -> Result<String, ModelsError> {
        Ok(match shape.kind {
            Kind::Structure => format!(
                "Kind::Structure {{ members: &[{}], required: &{:?}, union: {} }}",
                self.members(shape)?,
                shape.required,
                shape.union
            ),
            Kind::List => format!("Kind::List({})", self.reference(shape.member.as_ref())?),
            Kind::Map => format!(
                "Kind::Map {{ key: {}, value: {} }}",
                self.reference(shape.key.as_ref())?,
                self.reference(shape.value.as_ref())?
            ),
            Kind::String => format!("Kind::String(&{:?})", shape.values),
            Kind::Integer => "Kind::Integer".to_owned(),
            Kind::Long => "Kind::Long".to_owned(),
            Kind::Float | Kind::Double => "Kind::Float".to_owned(),
            Kind::Boolean => "Kind::Boolean".to_owned(),
            Kind::Timestamp => "Kind::Timestamp".to_owned(),
        })
    }

    fn members(&self, shape: &Shape) -> Result<String, ModelsError> {
        let Members(members) = &shape.members;
        let mut entries = Vec::with_capacity(members.len());
        for (name, reference) in members {
            entries.push(format!("({name:?}, {})", self.number(&reference.shape)?));
        }
        Ok(entries.join(", "))
    }

    fn reference(&self, reference: Option<&ShapeRef>) -> Result<usize, ModelsError> {
        self.number(reference.map_or("(inside another)", |reference| &reference.shape))
    }

    fn number(&self, name: &str) -> Result<usize, ModelsError> {
        let number = self.numbers.get(name).copied();
        number.ok_or_else(|| ModelsError::UnknownShape(name.to_owned()))
    }
}

/// The least length or value, as a literal.
fn least(shape: &Shape) -> String {
    match shape.min.as_ref().and_then(serde_json::Number::as_f64) {
        Some(least) => format!("Some({least:?})"),
        None => "None".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_become_one_table() {
        let model: ServiceModel = serde_json::from_str(
            r#"{"operations": {"Brew": {"input": {"shape": "Pot"}, "output": {"shape": "Cup"}},
                               "Unserved": {"input": {"shape": "Other"}}},
                "shapes": {"Pot": {"type": "structure", "required": ["Heat"],
                                   "members": {"Heat": {"shape": "Heat"}}},
                           "Cup": {"type": "structure", "members": {"Kind": {"shape": "Kind"}}},
                           "Heat": {"type": "integer", "min": 1},
                           "Kind": {"type": "string", "enum": ["Green"]},
                           "Other": {"type": "structure"}}}"#,
        )
        .unwrap();
        let overlay = Overlay {
            typed_operations: BTreeMap::from([("tea".to_owned(), vec!["Brew".to_owned()])]),
            ..Overlay::default()
        };
        let files = files(&model, &overlay).unwrap();
        assert!(
            files["operations.rs"]
                .contains("Operation { name: \"Brew\", input: 3, output: Some(0) }")
        );
        for line in [
            "Shape { name: \"Cup\", kind: Kind::Structure { members: &[(\"Kind\", 2)], required: &[], union: false }, min: None }, // 0",
            "Shape { name: \"Heat\", kind: Kind::Integer, min: Some(1.0) }, // 1",
            "Shape { name: \"Kind\", kind: Kind::String(&[\"Green\"]), min: None }, // 2",
        ] {
            assert!(files["shapes.rs"].contains(line), "{line}");
        }
        assert!(!files["shapes.rs"].contains("Other"));
    }
}
