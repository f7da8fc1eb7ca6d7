//! Why a network cannot be made plain, in sentences that its owner reads.

use std::collections::BTreeSet;

/// Why a network cannot be made plain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CleanError {
    /// Sizes were given for an input that are not those of the model.
    #[error(
        "Input {name} has wrong shape in Input Shape dictionary: \
         the model takes {expected}, where {given} is given."
    )]
    InputShape {
        /// The input.
        name: String,
        /// What the model says of its shape.
        expected: String,
        /// The shape that was given.
        given: String,
    },

    /// Sizes were given for an input that is not there.
    #[error(
        "Input {name} of the Input Shape dictionary is not found in the model, \
         whose inputs are {inputs}."
    )]
    NoSuchInput {
        /// The name.
        name: String,
        /// The model's inputs.
        inputs: String,
    },

    /// Sizes of an input are known from nowhere.
    #[error(
        "The shape of input {name}, {shape}, is not fully known. \
         Input shapes should be provided in the Input Shape dictionary."
    )]
    OpenInput {
        /// The input.
        name: String,
        /// What is known of its shape.
        shape: String,
    },

    /// There are operators that nobody here knows.
    #[error(
        "The following operators are not implemented: {{{}}}",
        quoted(operators)
    )]
    Operators {
        /// Their names; those of other domains with the domain.
        operators: BTreeSet<String>,
    },

    /// An operator does not fit what it is given.
    #[error(
        "Invalid model or input-shape mismatch. \
         Operator {operator} {node} cannot be applied: {reason}."
    )]
    Node {
        /// The operator.
        operator: String,
        /// Which one it is.
        node: String,
        /// What does not fit, as the end of a sentence.
        reason: String,
    },

    /// Something is said to be given that nothing gives.
    #[error("Invalid model. The output {name} of the graph {graph} is given by nothing.")]
    Output {
        /// The output.
        name: String,
        /// The graph.
        graph: String,
    },

    /// Graphs hold graphs beyond measure.
    #[error("Invalid model. Its graphs are nested more than {0} deep.")]
    Depth(usize),
}

fn quoted(names: &BTreeSet<String>) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    names.join(", ")
}
