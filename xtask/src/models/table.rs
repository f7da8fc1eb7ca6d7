//! Writes the constraint table: the inputs of all operations as static data
//! that `kiln-model` interprets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::ModelsError;
use super::closure;
use super::service::{Kind, Members, ServiceModel, Shape, ShapeRef};
use super::types::NOTICE;

/// The files of the table, by name.
pub fn files(model: &ServiceModel) -> Result<BTreeMap<String, String>, ModelsError> {
    let table = Table::new(model)?;
    Ok(BTreeMap::from([
        ("operations.rs".to_owned(), table.operations()?),
        ("patterns.rs".to_owned(), table.patterns()),
        ("shapes.rs".to_owned(), table.shapes()?),
    ]))
}

/// The shapes and patterns of all inputs, each numbered by its place.
struct Table<'a> {
    model: &'a ServiceModel,
    shapes: BTreeMap<String, usize>,
    patterns: BTreeMap<&'a str, usize>,
}

impl<'a> Table<'a> {
    fn new(model: &'a ServiceModel) -> Result<Self, ModelsError> {
        let shapes = numbered(closure::of_all_inputs(model)?);
        let patterns = model
            .shapes
            .iter()
            .filter(|(name, _)| shapes.contains_key(*name))
            .filter_map(|(_, shape)| shape.pattern.as_deref());
        let patterns = numbered(patterns.collect::<BTreeSet<_>>());
        Ok(Self {
            model,
            shapes,
            patterns,
        })
    }

    fn operations(&self) -> Result<String, ModelsError> {
        let mut text = format!(
            "//! All operations of the service with the shapes of their requests, by name.\n{NOTICE}\n\
             use crate::table::Operation;\n\n\
             pub(crate) static OPERATIONS: [Operation; {}] = [\n",
            self.model.operations.len()
        );
        for (name, operation) in &self.model.operations {
            let Some(input) = &operation.input else {
                return Err(ModelsError::UnknownShape(format!("(the input of {name})")));
            };
            let input = self.number(&input.shape)?;
            let _ = writeln!(text, "    Operation {{ name: {name:?}, input: {input} }},");
        }
        text.push_str("];\n");
        Ok(text)
    }

    fn patterns(&self) -> String {
        let mut text = format!(
            "//! The regular expressions of the shapes, in Java's syntax.\n{NOTICE}\n\
             use crate::pattern::Pattern;\n\n\
             pub(crate) static PATTERNS: [Pattern; {}] = [\n",
            self.patterns.len()
        );
        for pattern in self.patterns.keys() {
            let _ = writeln!(text, "    Pattern::new({pattern:?}),");
        }
        text.push_str("];\n");
        text
    }

    fn shapes(&self) -> Result<String, ModelsError> {
        let mut text = format!(
            "//! The shapes that requests are made of, with their constraints.\n{NOTICE}\n\
             use crate::table::{{Bounds, Member, Shape}};\n\n\
             pub(crate) static SHAPES: [Shape; {}] = [\n",
            self.shapes.len()
        );
        for (name, number) in &self.shapes {
            let entry = self.entry(self.model.shape(name)?)?;
            let _ = writeln!(text, "    {entry}, // {number} {name}");
        }
        text.push_str("];\n");
        Ok(text)
    }

    fn entry(&self, shape: &Shape) -> Result<String, ModelsError> {
        let whole = || bounds(shape, |number| number.to_string());
        let real = || bounds(shape, real_literal);
        Ok(match shape.kind {
            Kind::Structure if shape.union => format!("Shape::Union({})", self.members(shape)?),
            Kind::Structure => format!("Shape::Structure({})", self.members(shape)?),
            Kind::List => {
                let member = self.reference(&shape.member)?;
                format!("Shape::List {{ member: {member}, length: {} }}", whole())
            }
            Kind::Map => {
                let (key, value) = (self.reference(&shape.key)?, self.reference(&shape.value)?);
                format!(
                    "Shape::Map {{ key: {key}, value: {value}, length: {} }}",
                    whole()
                )
            }
            Kind::String if !shape.values.is_empty() => format!("Shape::Enum(&{:?})", shape.values),
            Kind::String => {
                let pattern = shape
                    .pattern
                    .as_deref()
                    .map(|pattern| self.patterns[pattern]);
                let sensitive = shape.sensitive;
                format!(
                    "Shape::String {{ length: {}, pattern: {pattern:?}, sensitive: {sensitive} }}",
                    whole()
                )
            }
            Kind::Integer => format!("Shape::Integer({})", whole()),
            Kind::Long => format!("Shape::Long({})", whole()),
            Kind::Float => format!("Shape::Float({})", real()),
            Kind::Double => format!("Shape::Double({})", real()),
            Kind::Boolean => "Shape::Boolean".to_owned(),
            Kind::Timestamp => "Shape::Timestamp".to_owned(),
        })
    }

    fn members(&self, shape: &Shape) -> Result<String, ModelsError> {
        let Members(members) = &shape.members;
        let mut entries = Vec::with_capacity(members.len());
        for (name, reference) in members {
            let number = self.number(&reference.shape)?;
            let kind = if shape.required.contains(name) {
                "Required"
            } else {
                "Optional"
            };
            entries.push(format!("Member::{kind}({name:?}, {number})"));
        }
        Ok(format!("&[{}]", entries.join(", ")))
    }

    fn reference(&self, reference: &Option<ShapeRef>) -> Result<usize, ModelsError> {
        let name = reference
            .as_ref()
            .map_or("(inside a list or map)", |reference| &reference.shape);
        self.number(name)
    }

    fn number(&self, name: &str) -> Result<usize, ModelsError> {
        let number = self.shapes.get(name).copied();
        number.ok_or_else(|| ModelsError::UnknownShape(name.to_owned()))
    }
}

fn numbered<T: Ord>(names: BTreeSet<T>) -> BTreeMap<T, usize> {
    names.into_iter().zip(0..).collect()
}

fn bounds(shape: &Shape, literal: impl Fn(&serde_json::Number) -> String) -> String {
    let side = |number: &Option<serde_json::Number>| match number {
        Some(number) => format!("Some({})", literal(number)),
        None => "None".to_owned(),
    };
    format!(
        "Bounds {{ min: {}, max: {} }}",
        side(&shape.min),
        side(&shape.max)
    )
}

/// A number as a literal that Rust takes for a float.
fn real_literal(number: &serde_json::Number) -> String {
    format!("{:?}", number.as_f64().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_become_one_line_each() {
        let model: ServiceModel = serde_json::from_str(
            r#"{"operations": {"Brew": {"input": {"shape": "Pot"}}},
                "shapes": {"Pot": {"type": "structure", "required": ["Heat"],
                                   "members": {"Heat": {"shape": "Heat"}, "Name": {"shape": "Name"}}},
                           "Heat": {"type": "float", "min": 0.25},
                           "Name": {"type": "string", "max": 5, "pattern": "a+"},
                           "Unused": {"type": "boolean"}}}"#,
        )
        .unwrap();
        let shapes = &files(&model).unwrap()["shapes.rs"];
        let lines: Vec<&str> = shapes
            .lines()
            .filter(|line| line.contains("Shape::"))
            .collect();
        assert_eq!(
            lines,
            [
                "    Shape::Float(Bounds { min: Some(0.25), max: None }), // 0 Heat",
                "    Shape::String { length: Bounds { min: None, max: Some(5) }, pattern: Some(0), sensitive: false }, // 1 Name",
                "    Shape::Structure(&[Member::Required(\"Heat\", 0), Member::Optional(\"Name\", 1)]), // 2 Pot",
            ]
        );
    }
}
