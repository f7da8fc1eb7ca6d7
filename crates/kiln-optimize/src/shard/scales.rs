//! The scales of the attention's quantities, which are part of vLLM's state since 0.14
//! though they are all 1 in a model that is not quantized.

use std::collections::BTreeMap;
use std::path::Path;

use crate::safetensors::{TensorSpec, Writer};
use crate::{Dtype, OptimizeError};

/// What each layer's attention has a scale for.
const SCALES: [&str; 4] = ["_k_scale", "_v_scale", "_q_scale", "_prob_scale"];

/// Writes the scales of so many layers.
pub(super) fn write(path: &Path, layers: usize) -> Result<(), OptimizeError> {
    let specs: Vec<TensorSpec> = (0..layers)
        .flat_map(|layer| {
            SCALES.map(|scale| TensorSpec {
                name: format!("model.layers.{layer}.self_attn.attn.{scale}"),
                dtype: Dtype::F32,
                shape: Vec::new(),
            })
        })
        .collect();
    let count = specs.len();
    let writer = Writer::create(path, specs, &BTreeMap::new())?;
    for scale in 0..count {
        writer.write_at(scale, 0, &1_f32.to_le_bytes())?;
    }
    writer.finish()
}
