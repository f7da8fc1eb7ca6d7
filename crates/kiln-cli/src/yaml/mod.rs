//! Reading and writing YAML.

mod emit;
mod scalar;

use crate::value::Value;

pub(crate) use emit::{STEP, indent_after, simple_value, write};

/// Reads a YAML text.
///
/// # Errors
/// When it is none, in the library's words.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    serde_yaml_ng::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
