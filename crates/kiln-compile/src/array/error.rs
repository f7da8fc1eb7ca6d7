//! Why bytes are no array.

use super::Element;

/// Why bytes are no array.
#[derive(Debug, thiserror::Error)]
pub enum ArrayError {
    /// The type has a name that nobody knows.
    #[error("{0:?} is no type of numbers that Kiln knows")]
    Element(String),
    /// Bytes and shape do not go together.
    #[error("{length} bytes are not what an array of {element} with the sizes {shape:?} takes")]
    Length {
        /// The shape.
        shape: Vec<usize>,
        /// The type.
        element: Element,
        /// How many bytes there are.
        length: usize,
    },
    /// A `.npy` file is not one, or holds what cannot be had.
    #[error("not a file of numpy that can be read: {0}")]
    Npy(String),
    /// A `.npz` archive is not one.
    #[error("not an archive of numpy that can be read: {0}")]
    Npz(String),
    /// A table holds what is no number.
    #[error("line {line}, column {column} of the table: {text:?} is no number")]
    Number {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What stands there.
        text: String,
    },
    /// The lines of a table are not of one length.
    #[error("line {line} of the table has {found} columns where the first has {expected}")]
    Columns {
        /// From 1.
        line: usize,
        /// Of this line.
        found: usize,
        /// Of the first line.
        expected: usize,
    },
    /// A table has no line.
    #[error("the table is empty")]
    Empty,
}
