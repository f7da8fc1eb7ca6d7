//! The report of an optimization: `optimization-report.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::safetensors::Tensor;

/// The report's name in the result.
pub const REPORT: &str = "optimization-report.json";
/// The name of the same for a person.
pub const REPORT_PAGE: &str = "optimization-report.md";

/// All that was done to a model, and what it cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The release of Kiln.
    pub kiln: String,
    /// What was done, in a sentence.
    pub done: String,
    /// `DeploymentInstanceType`.
    pub deployment: String,
    /// What the options came to.
    pub options: BTreeMap<String, String>,
    /// What a person should know.
    pub remarks: Vec<String>,
    /// All tensors together.
    pub total: Total,
    /// The whole model's answers, where it was run.
    pub end_to_end: Option<EndToEnd>,
    /// Each tensor of the model.
    pub tensors: Vec<TensorReport>,
    /// Each file of the result but the reports.
    pub files: BTreeMap<String, FileReport>,
    /// Seconds from the beginning to the end.
    pub seconds: f64,
    /// Seconds of all processors together.
    pub cpu_seconds: f64,
    /// The most memory that was resident at once.
    pub peak_memory_bytes: u64,
    /// Which instructions the arithmetic used.
    pub instructions: String,
}

/// What became of a tensor of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorReport {
    /// Its name.
    pub name: String,
    /// How many numbers it has.
    pub elements: u64,
    /// Whether it was quantized.
    pub quantized: bool,
    /// Bits for each number now, scales and zero points included.
    pub bits: f64,
    /// Bytes in the model.
    pub bytes_before: u64,
    /// Bytes in the result.
    pub bytes_after: u64,
    /// The squared differences, as a part of the weights' own squares.
    pub relative_error: Option<f64>,
    /// The same of what the layer answers on texts, where it was run.
    pub output_error: Option<f64>,
    /// What that would have been, had nobody looked at texts.
    pub output_error_without_texts: Option<f64>,
}

/// The whole model, run on texts before and after.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EndToEnd {
    /// How many texts.
    pub samples: u64,
    /// How many tokens in them.
    pub tokens: u64,
    /// The squared differences of the last hidden states, as a part of their squares.
    pub relative_error: f64,
    /// The mean cosine between last hidden states.
    pub mean_cosine: f64,
}

/// All tensors together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Total {
    /// How many numbers.
    pub elements: u64,
    /// How many of them were quantized.
    pub quantized_elements: u64,
    /// Bits for each number now.
    pub bits: f64,
    /// Bytes in the model.
    pub bytes_before: u64,
    /// Bytes in the result.
    pub bytes_after: u64,
    /// The squared differences of the quantized weights, as a part of their squares.
    pub relative_error: Option<f64>,
}

/// A file of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// Its size.
    pub bytes: u64,
    /// The root of its BLAKE2s tree: 256 bits over leaves of 16 KiB.
    pub blake2s_tree: String,
}

impl TensorReport {
    /// Of a tensor that became so many bytes: its sizes, and that nothing of it is lost.
    #[must_use]
    pub fn of(tensor: &Tensor, bytes_after: u64) -> Self {
        Self {
            name: tensor.name.clone(),
            elements: tensor.elements(),
            quantized: false,
            bits: bits(bytes_after, tensor.elements()),
            bytes_before: tensor.bytes(),
            bytes_after,
            relative_error: None,
            output_error: None,
            output_error_without_texts: None,
        }
    }
}

impl Total {
    /// Adds tensors up. `noise` and `signal` are the sums of all quantized weights.
    #[must_use]
    pub fn of(tensors: &[TensorReport], noise: f64, signal: f64) -> Self {
        let mut total = Self::default();
        for tensor in tensors {
            total.elements += tensor.elements;
            total.bytes_before += tensor.bytes_before;
            total.bytes_after += tensor.bytes_after;
            if tensor.quantized {
                total.quantized_elements += tensor.elements;
            }
        }
        total.bits = bits(total.bytes_after, total.elements);
        total.relative_error = (total.quantized_elements > 0).then(|| share(noise, signal));
        total
    }
}

/// Bits for each of so many numbers.
#[must_use]
pub fn bits(bytes: u64, elements: u64) -> f64 {
    bytes as f64 * 8.0 / elements.max(1) as f64
}

/// A part of a whole; none of nothing is zero.
#[must_use]
pub fn share(part: f64, whole: f64) -> f64 {
    if part == 0.0 { 0.0 } else { part / whole }
}
