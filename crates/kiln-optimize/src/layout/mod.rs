//! How codes, scales and zero points are laid out in the tensors of a format, and where the
//! bytes of some rows go.

mod along_columns;
mod along_rows;
mod error;
mod form;
mod packed;

pub use error::LayoutError;
pub use form::{Form, Part};
pub use packed::{Packed, Run};

use crate::Dtype;
use crate::quantize::{Grid, Stored};

/// How a quantized weight is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// compressed-tensors' `pack-quantized`: integers in the bits of words, row by row.
    PackQuantized,
    /// compressed-tensors' `int-quantized`: an `I8` for each weight.
    IntQuantized,
    /// compressed-tensors' `float-quantized`: an `F8_E4M3` for each weight.
    FloatQuantized,
    /// AutoAWQ's "gemm": transposed, with eight rows in a word in an order of its own.
    Awq,
    /// GPTQ, version 1: transposed, with the columns of one row in a word, and zero points
    /// less one.
    Gptq,
}

impl Layout {
    /// What the format asks of the scales and zero points of a grid.
    #[must_use]
    pub fn stored(self, grid: Grid) -> Stored {
        let scales = match self {
            Self::PackQuantized | Self::IntQuantized | Self::FloatQuantized => None,
            Self::Awq | Self::Gptq => Some(Dtype::F16),
        };
        let least_zero = match (self, grid) {
            // Zero less one could not be told from the greatest.
            (Self::Gptq, Grid::Int { bits: 4, .. }) => -7,
            (Self::Gptq, Grid::Int { .. }) => -127,
            _ => i8::MIN,
        };
        Stored { scales, least_zero }
    }
}

/// A number as it is stored in a type that scales have.
#[must_use]
pub fn scale_bytes(dtype: Dtype, scale: f32) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_scale(&mut bytes, dtype, scale);
    bytes
}

fn push_scale(bytes: &mut Vec<u8>, dtype: Dtype, scale: f32) {
    match dtype {
        Dtype::Bf16 => bytes.extend(half::bf16::from_f32(scale).to_le_bytes()),
        Dtype::F16 => bytes.extend(half::f16::from_f32(scale).to_le_bytes()),
        _ => bytes.extend(scale.to_le_bytes()),
    }
}
