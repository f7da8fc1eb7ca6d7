//! Tiny models of all families, whose weights come from a formula that
//! `tests/optimization/make_calibration.py` repeats.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::Dtype;
use crate::model::Model;
use crate::safetensors::{TensorSpec, Writer};

/// The models, and what transformers makes of their tokens.
pub fn recorded() -> Vec<Value> {
    serde_json::from_str(include_str!("../recorded.json")).unwrap()
}

/// The recorded model of a name.
pub fn named(name: &str) -> Value {
    recorded()
        .into_iter()
        .find(|case| case["name"] == name)
        .unwrap()
}

/// Writes the model of a case, and opens it.
pub fn write(directory: &Path, case: &Value, dtype: Dtype) -> Model {
    fs::write(directory.join("config.json"), case["config"].to_string()).unwrap();
    let tensors: BTreeMap<String, Vec<usize>> =
        serde_json::from_value(case["tensors"].clone()).unwrap();
    let specs: Vec<TensorSpec> = tensors
        .iter()
        .map(|(name, shape)| TensorSpec {
            name: name.clone(),
            dtype,
            shape: shape.clone(),
        })
        .collect();
    let path = directory.join("model.safetensors");
    let writer = Writer::create(&path, specs, &BTreeMap::new()).unwrap();
    for (number, shape) in tensors.values().enumerate() {
        let bytes = dtype.encode(&values(number as u64, shape));
        writer.write_at(number, 0, &bytes).unwrap();
    }
    writer.finish().unwrap();
    Model::open(directory).unwrap()
}

/// Writes a model in the place of another.
pub fn write_again(directory: &Path, case: &Value, dtype: Dtype) -> Model {
    fs::remove_file(directory.join("model.safetensors")).unwrap();
    write(directory, case, dtype)
}

/// Numbers that depend only on the tensor's number and their place.
fn values(number: u64, shape: &[usize]) -> Vec<f32> {
    let count: usize = shape.iter().product();
    let unit = |at: u64| {
        let mixed = at.wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ (number * 77));
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed >> 40) as f64 / (1u64 << 24) as f64 - 0.5
    };
    let scaled = |x: f64| match shape {
        [_] => x + 1.0,
        _ => x * 4.0 / (shape[1] as f64).sqrt(),
    };
    (1..=count as u64)
        .map(|at| scaled(unit(at)) as f32)
        .collect()
}
