//! Why a weight cannot be stored in a format.

use super::Layout;

/// Why a weight cannot be stored in a format.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LayoutError {
    /// The format has no such codes or scales.
    #[error("{layout:?} has no {scheme}")]
    Scheme {
        /// The format.
        layout: Layout,
        /// What it does not have.
        scheme: String,
    },
    /// Several rows or columns share a word.
    #[error("{layout:?} needs a multiple of {multiple} {what}, and there are {count}")]
    Shape {
        /// The format.
        layout: Layout,
        /// `rows` or `columns`.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// What their number has to be a multiple of.
        multiple: usize,
    },
}
