//! What weights are quantized to, and what comes of some rows of them.

use crate::Dtype;

/// The values that a code can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grid {
    /// Signed integers of so many bits (4 or 8), with a zero point for each scale unless
    /// they are symmetric.
    Int {
        /// Bits of a code.
        bits: u8,
        /// Whether zero is the code 0.
        symmetric: bool,
    },
    /// Floating point of eight bits, `F8_E4M3`.
    Fp8,
}

/// What shares one scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// So many neighbours in a row.
    Group(usize),
    /// A row: one output channel.
    Channel,
    /// The whole tensor.
    Tensor,
    /// Squares of so many rows and columns.
    Block(usize),
}

/// How scales are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Exactly as llm-compressor's `memoryless_minmax` does, to the bit.
    Nearest,
    /// The scale of least squared error among many, signed full-range ones included.
    Searched,
}

/// How weights are quantized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheme {
    /// What codes stand for.
    pub grid: Grid,
    /// What shares a scale.
    pub granularity: Granularity,
    /// How scales are chosen.
    pub rounding: Rounding,
    /// What the format that is written asks of scales and zero points.
    pub stored: Stored,
}

/// How a format stores scales and zero points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The type of scales: that of the weights where there is none.
    pub scales: Option<Dtype>,
    /// Zero points are at least this.
    pub least_zero: i8,
}

impl Default for Stored {
    fn default() -> Self {
        Self {
            scales: None,
            least_zero: i8::MIN,
        }
    }
}

/// Whole rows of a weight of two dimensions (out, in), as they are in the file:
/// little-endian, row after row.
#[derive(Debug, Clone, Copy)]
pub struct Slab<'a> {
    /// BF16, F16 or F32.
    pub dtype: Dtype,
    /// Elements of a row.
    pub columns: usize,
    /// The rows' bytes.
    pub bytes: &'a [u8],
}

/// What came of a slab. Row after row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quantized {
    /// A code for each weight: an integer, or the byte of an `F8_E4M3`.
    pub codes: Vec<i8>,
    /// The scales as they are stored, rounded to the type that they are stored in.
    pub scales: Vec<f32>,
    /// The zero points of asymmetric integers, one for each scale; else empty.
    pub zeros: Vec<i8>,
    /// The sum of the weights' squares.
    pub signal: f64,
    /// The sum of the squared differences between the weights and what codes stand for.
    pub noise: f64,
}
