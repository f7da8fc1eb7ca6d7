//! Why a file is no ONNX model that can be used.

use std::path::PathBuf;

use crate::model::{Node, TensorError};

/// Why an ONNX model was not taken.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The bytes are not an ONNX file's.
    #[error("The file is not an ONNX model: {0}.")]
    Malformed(String),

    /// The file could not be read at all.
    #[error("The file {path:?} of the model cannot be read: {source}.")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// A node contradicts the rest of the model.
    #[error("{place} of the ONNX model is broken: {reason}.")]
    Node {
        /// Which node, as the beginning of a sentence.
        place: NodePlace,
        /// What contradicts what, as the end of a sentence.
        reason: String,
    },

    /// A constant's sizes and elements do not fit together.
    #[error("The tensor '{name}' of the ONNX model is broken: {reason}.")]
    Tensor {
        /// Its name.
        name: String,
        /// What contradicts what, as the end of a sentence.
        reason: String,
    },

    /// An input, an output or another value contradicts the rest of the model.
    #[error("The value '{name}' of the ONNX model is broken: {reason}.")]
    Value {
        /// Its name.
        name: String,
        /// What contradicts what, as the end of a sentence.
        reason: String,
    },

    /// The elements of a tensor should be in another file and are not.
    #[error("The tensor '{name}' has its elements in '{location}', which {reason}.")]
    External {
        /// The tensor's name.
        name: String,
        /// The file, as the model names it.
        location: String,
        /// What is wrong with that, as the end of a sentence.
        reason: String,
    },

    /// The model is sound, but uses what cannot be compiled.
    #[error("The ONNX model uses {0}, which cannot be compiled.")]
    Unsupported(String),
}

/// Where a node stands, for messages: its place, its name if it has one, and its operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePlace {
    index: usize,
    name: String,
    operator: String,
}

impl NodePlace {
    /// Of a node and its place in its graph, from 0.
    #[must_use]
    pub fn new(index: usize, node: &Node) -> Self {
        Self {
            index,
            name: node.name.clone(),
            operator: node.operator.clone(),
        }
    }
}

impl std::fmt::Display for NodePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            index,
            name,
            operator,
        } = self;
        match name.is_empty() {
            true => write!(f, "Node {index} ({operator})"),
            false => write!(f, "Node {index} '{name}' ({operator})"),
        }
    }
}

impl OnnxError {
    pub(super) fn node(index: usize, node: &Node, reason: impl Into<String>) -> Self {
        let (place, reason) = (NodePlace::new(index, node), reason.into());
        Self::Node { place, reason }
    }

    pub(super) fn tensor(name: &str, reason: impl Into<String>) -> Self {
        let (name, reason) = (name.to_owned(), reason.into());
        Self::Tensor { name, reason }
    }

    pub(super) fn value(name: &str, reason: impl Into<String>) -> Self {
        let (name, reason) = (name.to_owned(), reason.into());
        Self::Value { name, reason }
    }

    pub(super) fn sizes(name: &str, error: &TensorError) -> Self {
        Self::tensor(name, error.to_string())
    }
}
