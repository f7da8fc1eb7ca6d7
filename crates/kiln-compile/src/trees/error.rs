//! Why a file is no tree ensemble that can be compiled.

use crate::parts::PartsError;

/// Why a model's trees were not taken.
#[derive(Debug, thiserror::Error)]
pub enum TreesError {
    /// The bytes are not in the form that they claim.
    #[error("The file is not a {format} model: {reason}.")]
    Malformed {
        /// The library and its form, as users name it.
        format: &'static str,
        /// What was found, as the end of a sentence.
        reason: String,
    },

    /// The model is sound, but of a kind that cannot be compiled.
    #[error("The model uses {what}, which cannot be compiled.")]
    Unsupported {
        /// The feature, in the words of the library's documentation.
        what: String,
    },

    /// A tree contradicts itself.
    #[error("Tree {tree} of the model is broken: {reason}.")]
    Tree {
        /// The tree's place in the model, from 0.
        tree: usize,
        /// What contradicts what, as the end of a sentence.
        reason: String,
    },

    /// A node of a tree contradicts the rest of the model.
    #[error("Node {node} of tree {tree} is broken: {reason}.")]
    Node {
        /// The tree's place in the model, from 0.
        tree: usize,
        /// The node's place in the tree, from 0.
        node: usize,
        /// What contradicts what, as the end of a sentence.
        reason: String,
    },

    /// The packed trees do not fit an object file.
    #[error("The trees could not be written as an object file: {0}.")]
    Object(#[from] object::write::Error),

    /// The linker could not be run, or refused the model.
    #[error(transparent)]
    Link(#[from] PartsError),

    /// The operating system refused something.
    #[error("{doing} failed: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// The refusal.
        source: std::io::Error,
    },
}

impl TreesError {
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    pub(super) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into() }
    }

    pub(super) fn tree(tree: usize, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Tree { tree, reason }
    }

    pub(super) fn node(tree: usize, node: usize, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Node { tree, node, reason }
    }
}
