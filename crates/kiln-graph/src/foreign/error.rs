//! Why a model of another framework was not turned into a graph.

use std::collections::BTreeSet;

/// Why a model was not read.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ForeignError {
    /// The bytes are not in the form that they claim.
    #[error("The file is not a {format} model: {reason}.")]
    Malformed {
        /// The framework's form, as users name it.
        format: &'static str,
        /// What was found, as the end of a sentence.
        reason: String,
    },

    /// The model uses operators that there is no translation for. All are named.
    #[error(
        "Kiln cannot convert the {format} model. The following operators are not implemented: {}",
        as_set(.operators)
    )]
    NotImplemented {
        /// The framework's form, as users name it.
        format: &'static str,
        /// The operators, as the framework names them.
        operators: BTreeSet<String>,
    },

    /// An operator is known, but not in the way that the model uses it.
    #[error("Kiln cannot convert the {format} model. Operator {operator} {place}: {reason}.")]
    Operator {
        /// The framework's form, as users name it.
        format: &'static str,
        /// The operator, as the framework names it.
        operator: String,
        /// Where in the model it stands: a name in quotes, or a number.
        place: String,
        /// What is wrong, as the end of a sentence.
        reason: String,
    },

    /// The sizes that were given for an input do not fit the model.
    #[error("Input {input} has wrong shape in Input Shape dictionary. {reason}.")]
    Input {
        /// The input's name.
        input: String,
        /// What was expected, as a sentence.
        reason: String,
    },
}

impl ForeignError {
    pub(crate) fn malformed(format: &'static str, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Malformed { format, reason }
    }
}

/// In the manner in which Python shows a set of names.
fn as_set(names: &BTreeSet<String>) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    format!("{{{}}}", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_operators_are_named_at_once() {
        let operators = ["Proposal", "Custom"].map(str::to_owned).into();
        let format = "MXNet";
        let error = ForeignError::NotImplemented { format, operators };
        assert_eq!(
            error.to_string(),
            "Kiln cannot convert the MXNet model. \
             The following operators are not implemented: {'Custom', 'Proposal'}"
        );
    }
}
