//! `compiled.signature`: the inputs and outputs of a network, for its loader.
//!
//! The text's form is described in `native/neural_signature.h`, whose code reads it.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::NeuralError;

/// The file beside the module.
pub const FILE: &str = "compiled.signature";

/// An input or an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name in the model.
    pub name: String,
    /// Its elements' type as numpy writes it: `float32`, `int64`, `bool`, …
    pub kind: String,
    /// Its sizes; none where the model leaves one open.
    pub shape: Vec<Option<u64>>,
}

/// What a network takes and gives, in the order of its function's arguments and results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The function, as the module names it.
    pub entry: String,
    /// The inputs.
    pub inputs: Vec<Tensor>,
    /// The outputs.
    pub outputs: Vec<Tensor>,
}

impl Signature {
    /// A signature of a function that was imported under this name.
    #[must_use]
    pub fn new(function: &str, inputs: Vec<Tensor>, outputs: Vec<Tensor>) -> Self {
        Self {
            entry: format!("module.{function}"),
            inputs,
            outputs,
        }
    }

    /// Writes the file into a folder.
    pub fn write(&self, folder: &Path) -> Result<(), NeuralError> {
        let path = folder.join(FILE);
        fs::write(&path, self.text()?).map_err(NeuralError::file(path))
    }

    fn text(&self) -> Result<String, NeuralError> {
        let mut text = format!("kiln-signature 1\nentry {}\n", line(&self.entry)?);
        let inputs = self.inputs.iter().map(|tensor| ("input", tensor));
        let outputs = self.outputs.iter().map(|tensor| ("output", tensor));
        for (word, tensor) in inputs.chain(outputs) {
            let _ = write!(text, "{word} {} {}", tensor.kind, tensor.shape.len());
            for size in &tensor.shape {
                match size {
                    Some(size) => _ = write!(text, " {size}"),
                    None => text.push_str(" -1"),
                }
            }
            let _ = writeln!(text, " {}", line(&tensor.name)?);
        }
        Ok(text)
    }
}

/// A name that stays on one line.
fn line(name: &str) -> Result<&str, NeuralError> {
    if name.contains(['\n', '\r', '\0']) {
        return Err(NeuralError::Name(name.to_owned()));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, kind: &str, shape: &[Option<u64>]) -> Tensor {
        Tensor {
            name: name.to_owned(),
            kind: kind.to_owned(),
            shape: shape.to_vec(),
        }
    }

    #[test]
    fn each_fact_has_its_line() {
        let signature = Signature::new(
            "net",
            vec![tensor("a b", "float32", &[None, Some(3)])],
            vec![tensor("y", "int64", &[])],
        );
        assert_eq!(
            signature.text().unwrap(),
            "kiln-signature 1\nentry module.net\ninput float32 2 -1 3 a b\noutput int64 0 y\n"
        );
    }

    #[test]
    fn a_name_with_a_line_break_is_refused() {
        let signature = Signature::new("net", vec![tensor("a\nb", "int8", &[])], vec![]);
        let refused = signature.text().unwrap_err().to_string();
        assert!(refused.contains(r#""a\nb""#), "{refused}");
    }
}
