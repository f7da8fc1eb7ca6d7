//! Why weights cannot be quantized.

use crate::Dtype;

/// Why weights cannot be quantized.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QuantizeError {
    /// Infinite, or not a number.
    #[error("the weight in row {row}, column {column} is not a finite number")]
    NotFinite {
        /// The row of the slab, from zero.
        row: usize,
        /// The column, from zero.
        column: usize,
    },
    /// Scales are stored in a type that weights of this size are beyond.
    #[error(
        "the weights of row {row} reach to {reach:e}, beyond what a scale of {stored:?} can tell"
    )]
    TooLarge {
        /// The row of the slab, from zero.
        row: usize,
        /// The greatest magnitude, or the distance from the least to the greatest.
        reach: f32,
        /// The type of scales.
        stored: Dtype,
    },
    /// A row is not a whole number of groups.
    #[error("{columns} columns are not a whole number of groups of {group}")]
    Groups {
        /// Columns of the weight.
        columns: usize,
        /// Columns of a group.
        group: usize,
    },
    /// Only floating point is quantized.
    #[error("weights of type {dtype:?} cannot be quantized")]
    Dtype {
        /// The weights' type.
        dtype: Dtype,
    },
    /// A number of bits that no format has.
    #[error("codes of {bits} bits are not known: 4 and 8 are")]
    Bits {
        /// What was asked for.
        bits: u8,
    },
    /// The slab's bytes are not whole rows.
    #[error("{bytes} bytes are not whole rows of {columns} columns of type {dtype:?}")]
    Ragged {
        /// Bytes of the slab.
        bytes: usize,
        /// Columns of a row.
        columns: usize,
        /// The weights' type.
        dtype: Dtype,
    },
    /// One importance for each column is needed, finite and not negative.
    #[error("the importance of columns is not {columns} finite numbers that are at least zero")]
    Importance {
        /// Columns of a row.
        columns: usize,
    },
}

impl QuantizeError {
    /// The same, where it is about a row.
    pub(super) fn in_row(self, row: usize) -> Self {
        match self {
            Self::TooLarge { reach, stored, .. } => Self::TooLarge { row, reach, stored },
            other => other,
        }
    }
}
