//! What the elements of a tensor are.

use half::{bf16, f16};
use serde::{Deserialize, Serialize};

/// The types of elements that safetensors files name, by the names that they have there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Dtype {
    #[serde(rename = "BOOL")]
    Bool,
    U8,
    I8,
    #[serde(rename = "F8_E4M3")]
    F8E4M3,
    #[serde(rename = "F8_E5M2")]
    F8E5M2,
    I16,
    U16,
    F16,
    #[serde(rename = "BF16")]
    Bf16,
    I32,
    U32,
    F32,
    I64,
    U64,
    F64,
}

impl Dtype {
    /// Bytes of one element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 | Self::F8E4M3 | Self::F8E5M2 => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::Bf16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// Whether weights of this type can be quantized.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16 | Self::F32)
    }

    /// Adds the numbers that a file holds of weights of this type.
    pub(crate) fn decode(self, bytes: &[u8], into: &mut Vec<f32>) {
        let halves = bytes.as_chunks().0.iter().copied();
        let singles = bytes.as_chunks().0.iter().copied();
        match self {
            Self::Bf16 => into.extend(halves.map(|x| bf16::from_le_bytes(x).to_f32())),
            Self::F16 => into.extend(halves.map(|x| f16::from_le_bytes(x).to_f32())),
            _ => into.extend(singles.map(f32::from_le_bytes)),
        }
    }

    /// Numbers as a file holds them of weights of this type.
    pub(crate) fn encode(self, values: &[f32]) -> Vec<u8> {
        let values = values.iter().copied();
        match self {
            Self::Bf16 => values
                .flat_map(|x| bf16::from_f32(x).to_le_bytes())
                .collect(),
            Self::F16 => values
                .flat_map(|x| f16::from_f32(x).to_le_bytes())
                .collect(),
            _ => values.flat_map(f32::to_le_bytes).collect(),
        }
    }
}
