//! Writes structures and unions as Rust.

use std::fmt::Write as _;

use super::ModelsError;
use super::names;
use super::overlay::Overlay;
use super::service::ServiceModel;
use super::types::Mentioned;

/// One member of a structure.
pub struct Field {
    wire: String,
    rust: String,
    kind: String,
    required: bool,
}

/// The members of a structure, in the order of the model.
pub fn fields(
    model: &ServiceModel,
    overlay: &Overlay,
    structure: &str,
    mentioned: &mut Mentioned,
) -> Result<Vec<Field>, ModelsError> {
    let shape = model.shape(structure)?;
    let field = |(wire, reference): &(String, _)| {
        Ok(Field {
            wire: wire.clone(),
            rust: names::field(wire),
            kind: mentioned.rust_type(model, reference)?,
            required: overlay.requires(structure, shape, wire),
        })
    };
    shape.members.0.iter().map(field).collect()
}

/// A structure with serde's derives, and a constructor that takes what is required.
pub fn structure(name: &str, fields: &[Field]) -> String {
    let required: Vec<&Field> = fields.iter().filter(|field| field.required).collect();
    let default = if required.is_empty() { "Default, " } else { "" };
    let mut text = format!(
        "/// The shape `{name}` of the API.\n\
         #[derive(Debug, Clone, PartialEq, {default}Serialize, Deserialize)]\n\
         #[serde(rename_all = \"PascalCase\")]\n\
         pub struct {name} {{\n"
    );
    for field in fields {
        text.push_str(&declaration(field));
    }
    text.push_str("}\n");
    if !required.is_empty() && required.len() < fields.len() {
        text.push_str(&constructor(name, fields, &required));
    }
    text
}

fn declaration(field: &Field) -> String {
    let Field {
        wire, rust, kind, ..
    } = field;
    let mut serde: Vec<String> = renaming(field).into_iter().collect();
    let mut kind = kind.clone();
    if !field.required {
        serde.push("skip_serializing_if = \"Option::is_none\"".to_owned());
        kind = format!("Option<{kind}>");
    }
    format!(
        "    /// `{wire}`.\n{}    pub {rust}: {kind},\n",
        attribute(&serde)
    )
}

/// What serde has to be told of a name that it does not find by itself.
fn renaming(field: &Field) -> Option<String> {
    let found = names::pascal_case(&field.rust) == field.wire;
    (!found).then(|| format!("rename = \"{}\"", field.wire))
}

fn attribute(serde: &[String]) -> String {
    if serde.is_empty() {
        return String::new();
    }
    format!("    #[serde({})]\n", serde.join(", "))
}

fn constructor(name: &str, fields: &[Field], required: &[&Field]) -> String {
    let parameters: Vec<String> = required
        .iter()
        .map(|field| format!("{}: {}", field.rust, field.kind))
        .collect();
    let mut text =
        format!("\nimpl {name} {{\n    /// One with the required members set and no others.\n");
    // AWS decides how many members are required, not us.
    if parameters.len() > 7 {
        text.push_str("    #[allow(clippy::too_many_arguments)]\n");
    }
    let _ = writeln!(
        text,
        "    pub fn new({}) -> Self {{\n        Self {{",
        parameters.join(", ")
    );
    for field in fields {
        let value = if field.required { "" } else { ": None" };
        let _ = writeln!(text, "            {}{value},", field.rust);
    }
    text.push_str("        }\n    }\n}\n");
    text
}

/// A union as an enum. It is read through a structure of options, because a
/// request may well set the other members to null.
pub fn union(name: &str, fields: &[Field]) -> String {
    let mut text = format!(
        "/// The union `{name}` of the API: exactly one member is set.\n\
         #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]\n\
         #[serde(try_from = \"{name}Members\")]\n\
         pub enum {name} {{\n"
    );
    for Field { wire, kind, .. } in fields {
        let _ = writeln!(text, "    /// `{wire}`.\n    {wire}({kind}),");
    }
    let _ = write!(
        text,
        "}}\n\n#[derive(Deserialize)]\n#[serde(rename_all = \"PascalCase\")]\nstruct {name}Members {{\n"
    );
    for field in fields {
        text.push_str(&attribute(renaming(field).as_slice()));
        let _ = writeln!(text, "    {}: Option<{}>,", field.rust, field.kind);
    }
    let _ = write!(
        text,
        "}}\n\nimpl TryFrom<{name}Members> for {name} {{\n    type Error = &'static str;\n\n    \
         fn try_from(members: {name}Members) -> Result<Self, Self::Error> {{\n        let set = [\n"
    );
    for Field { wire, rust, .. } in fields {
        let _ = writeln!(text, "            members.{rust}.map(Self::{wire}),");
    }
    let _ = write!(
        text,
        "        ];\n        let mut set = set.into_iter().flatten();\n        \
         match (set.next(), set.next()) {{\n            \
         (Some(member), None) => Ok(member),\n            \
         (None, _) => Err(\"no member of the union {name} is set\"),\n            \
         (Some(_), Some(_)) => Err(\"more than one member of the union {name} is set\"),\n        \
         }}\n    }}\n}}\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(wire: &str, kind: &str, required: bool) -> Field {
        Field {
            wire: wire.to_owned(),
            rust: names::field(wire),
            kind: kind.to_owned(),
            required,
        }
    }

    #[test]
    fn required_members_are_not_options() {
        let fields = [
            field("Type", "String", true),
            field("SizeInGB", "i32", false),
        ];
        let expected = r#"/// The shape `Leaf` of the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Leaf {
    /// `Type`.
    pub r#type: String,
    /// `SizeInGB`.
    #[serde(rename = "SizeInGB", skip_serializing_if = "Option::is_none")]
    pub size_in_gb: Option<i32>,
}

impl Leaf {
    /// One with the required members set and no others.
    pub fn new(r#type: String) -> Self {
        Self {
            r#type,
            size_in_gb: None,
        }
    }
}
"#;
        assert_eq!(structure("Leaf", &fields), expected);
    }

    #[test]
    fn unions_are_enums_that_read_past_nulls() {
        let text = union("Leaf", &[field("SizeInGB", "i32", false)]);
        for expected in [
            "pub enum Leaf {\n    /// `SizeInGB`.\n    SizeInGB(i32),\n}\n",
            "    #[serde(rename = \"SizeInGB\")]\n    size_in_gb: Option<i32>,\n",
            "members.size_in_gb.map(Self::SizeInGB),\n",
        ] {
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn structures_without_required_members_have_a_default() {
        let text = structure("Leaf", &[field("Type", "String", false)]);
        assert!(text.contains("PartialEq, Default, Serialize"), "{text}");
        assert!(!text.contains("fn new"), "{text}");
    }
}
