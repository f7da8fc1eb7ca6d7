//! Writes enums as Rust.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::ModelsError;
use super::names;

/// An enum as a call of `kiln-model`'s `wire_enum!`.
pub fn item(name: &str, values: &[&str]) -> Result<String, ModelsError> {
    let mut text = format!("wire_enum! {{\n    /// The values of `{name}`.\n    {name} {{\n");
    let mut taken = BTreeSet::new();
    for value in values {
        let variant = names::variant(value);
        let _ = writeln!(text, "        {variant} = {value:?},");
        if !taken.insert(variant.clone()) {
            return Err(ModelsError::VariantClash {
                shape: name.to_owned(),
                variant,
            });
        }
    }
    text.push_str("    }\n}\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_order() {
        let expected = "wire_enum! {\n    /// The values of `Tea`.\n    Tea {\n        Green = \"GREEN\",\n        Black = \"black\",\n    }\n}\n";
        assert_eq!(item("Tea", &["GREEN", "black"]).unwrap(), expected);
    }

    #[test]
    fn two_values_must_not_share_a_name() {
        let refused = item("Tea", &["green", "GREEN"]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Tea: two values would both be called Green"
        );
    }
}
