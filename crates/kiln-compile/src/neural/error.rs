//! Why a neural network was not built, in the words that its owner reads.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::compiler::{CompilerError, Diagnostic};

/// Why no module was made of a network.
#[derive(Debug, thiserror::Error)]
pub enum NeuralError {
    /// The network uses operators that the compiler does not know.
    #[error(
        "ClientError: CompilationError: The following operators are not implemented: {}",
        set(.0)
    )]
    Operators(BTreeSet<String>),

    /// The compiler found the network wrong or too hard.
    #[error("ClientError: CompilationError: Unable to compile the model: {0}")]
    Rejected(String),

    /// The target cannot be built for.
    #[error("ClientError: InputConfiguration: {0}")]
    Target(String),

    /// The module was built, and its answers are not the network's.
    #[error("ClientError: CompilationError: The compiled model does not hold: {0}")]
    Differs(String),

    /// The compiler was not done in time.
    #[error("ClientError: CompilationError: The model was not compiled within {:.0} s", .0.as_secs_f64())]
    TooLong(Duration),

    /// The module was built, and is slower by far than another.
    #[error("one run takes {:.0} ms, which is slower by far than the best", .0.as_secs_f64() * 1e3)]
    TooSlow(Duration),

    /// A name that the signature cannot hold.
    #[error("ClientError: InputConfiguration: The tensor name {0:?} holds a line break")]
    Name(String),

    /// The compiler itself is at fault.
    #[error("{0}")]
    Compiler(CompilerError),

    /// A file of ours could not be read or written.
    #[error("{path} cannot be used: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl NeuralError {
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// Whether other flags could make a difference.
    pub(super) fn depends_on_flags(&self) -> bool {
        matches!(
            self,
            Self::Rejected(_) | Self::Differs(_) | Self::TooLong(_) | Self::TooSlow(_)
        )
    }
}

impl From<CompilerError> for NeuralError {
    fn from(error: CompilerError) -> Self {
        match error {
            CompilerError::Failed(diagnostics) => explain(&diagnostics),
            CompilerError::Crashed(how) => {
                Self::Rejected(format!("the compiler crashed on it ({how})"))
            }
            CompilerError::TooLong(limit) => Self::TooLong(limit),
            other => Self::Compiler(other),
        }
    }
}

/// What the compiler's messages mean to someone who has not written a compiler.
fn explain(diagnostics: &[Diagnostic]) -> NeuralError {
    let operators: BTreeSet<String> = diagnostics
        .iter()
        .filter(|one| one.message.contains("failed to legalize operation"))
        .filter_map(|one| operator(&one.message))
        .collect();
    if !operators.is_empty() {
        return NeuralError::Operators(operators);
    }
    let errors = diagnostics.iter().filter(|one| one.is_error());
    let reasons: Vec<&str> = errors.map(Diagnostic::headline).take(3).collect();
    NeuralError::Rejected(if reasons.is_empty() {
        "the compiler does not say why".to_owned()
    } else {
        reasons.join("; ")
    })
}

/// The ONNX operator that a message is about, without its namespace.
fn operator(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("onnx.")?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.');
    let name = &rest[..end.unwrap_or(rest.len())];
    (!name.is_empty()).then(|| name.to_owned())
}

/// Names as Neo writes a set of them: `{'Unique', 'Scan'}`.
fn set(names: &BTreeSet<String>) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    format!("{{{}}}", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::compiler::Severity;
    use super::*;

    fn error(message: &str) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            message: message.to_owned(),
        }
    }

    #[test]
    fn operators_that_are_missing_are_named_once_and_in_order() {
        let legalize = |name| {
            error(&format!(
                "failed to legalize operation 'torch.operator' that was explicitly marked \
                 illegal: %0 = \"torch.operator\"(%1) <{{name = \"onnx.{name}\"}}> : ()"
            ))
        };
        let said = explain(&[legalize("Unique"), legalize("Scan"), legalize("Unique")]);
        assert_eq!(
            said.to_string(),
            "ClientError: CompilationError: The following operators are not implemented: \
             {'Scan', 'Unique'}"
        );
    }

    #[test]
    fn other_errors_are_told_by_their_first_lines() {
        let said = explain(&[error("net:1:2: error: one\nmore"), error("two")]);
        assert_eq!(
            said.to_string(),
            "ClientError: CompilationError: Unable to compile the model: one; two"
        );
        assert!(explain(&[]).to_string().ends_with("does not say why"));
    }
}
