//! Why a network cannot be put before the compiler.

use kiln_graph::onnx::NodePlace;

/// Why a network was not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Nothing is known of a value whose type the compiler must know.
    #[error("The type of the value '{0}' is not known.")]
    Type(String),

    /// A value or constant is of a type that the compiler cannot hold.
    #[error("The value '{name}' is of type {ty}, which cannot be compiled.")]
    Unsupported {
        /// The value's name.
        name: String,
        /// Its type.
        ty: String,
    },

    /// A node has an attribute of a kind that the compiler cannot hold.
    #[error("{place} has an attribute '{name}' that is a {kind}, which cannot be compiled.")]
    Attribute {
        /// Which node.
        place: NodePlace,
        /// The attribute's name.
        name: String,
        /// What it holds.
        kind: &'static str,
    },

    /// A name is used that nothing defined.
    #[error("The value '{0}' is not defined.")]
    Undefined(String),
}
