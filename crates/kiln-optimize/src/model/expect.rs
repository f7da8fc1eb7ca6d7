//! Makes sure that a model of a known family has the tensors and shapes that its
//! `config.json` says, for those who look into layers.

use std::collections::BTreeSet;

use super::{Family, Geometry, Model};
use crate::OptimizeError;

/// As [`Model::expect`] says.
pub(super) fn expect<'a>(
    model: &'a Model,
    families: &[Family],
    purpose: &str,
) -> Result<&'a Geometry, OptimizeError> {
    unquantized(model, purpose)?;
    let config = model.config();
    let geometry = config.geometry.as_ref();
    let Some(geometry) = geometry.filter(|_| families.contains(&config.family)) else {
        return Err(OptimizeError::Unsupported(format!(
            "a model of the type '{}' cannot {purpose}; those that can are Llama, Mistral, Qwen2 and Qwen3{}",
            config.model_type,
            match families.contains(&Family::Bert) {
                true => ", BERT and RoBERTa",
                false => "",
            }
        )));
    };
    check_weights(model, geometry)?;
    check_layers(model, geometry)?;
    Ok(geometry)
}

/// As [`Model::expect_unquantized`] says.
pub(super) fn unquantized(model: &Model, purpose: &str) -> Result<(), OptimizeError> {
    let Some(method) = model.config().quantized() else {
        return Ok(());
    };
    Err(OptimizeError::Unsupported(format!(
        "the model is quantized already, by {method}, and a quantized model cannot {purpose}"
    )))
}

/// As [`Model::expect_layers`] says.
pub(super) fn layers(model: &Model) -> Result<(), OptimizeError> {
    let Some(geometry) = &model.config().geometry else {
        return Ok(());
    };
    let linears = model.linears().iter();
    let there: BTreeSet<usize> = linears.filter_map(|linear| linear.layer).collect();
    let missing = (0..geometry.layers).find(|layer| !there.contains(layer));
    match missing.filter(|_| !there.is_empty()) {
        Some(layer) => Err(OptimizeError::Model(format!(
            "the model has no weights of layer {layer}, but config.json says that there are {} \
             layers",
            geometry.layers
        ))),
        None => Ok(()),
    }
}

fn check_weights(model: &Model, geometry: &Geometry) -> Result<(), OptimizeError> {
    for layer in 0..geometry.layers {
        let prefix = model.layer_prefix(layer);
        for (linear, out, columns) in shapes(model.config().family, geometry) {
            check_shape(model, &format!("{prefix}{linear}.weight"), &[out, columns])?;
        }
    }
    let embeddings = match model.config().family.is_encoder() {
        true => "embeddings.word_embeddings.weight",
        false => "embed_tokens.weight",
    };
    let embeddings = format!("{}{embeddings}", model.prefix());
    check_shape(model, &embeddings, &[geometry.vocabulary, geometry.hidden])
}

/// A layer's linear layers with their outputs and inputs.
fn shapes(
    family: Family,
    geometry: &Geometry,
) -> impl Iterator<Item = (&'static str, usize, usize)> {
    let hidden = geometry.hidden;
    let (queries, keys) = (
        geometry.heads * geometry.head_dim,
        geometry.kv_heads * geometry.head_dim,
    );
    let widths = match family.is_encoder() {
        true => vec![
            (hidden, hidden),
            (hidden, hidden),
            (hidden, hidden),
            (hidden, hidden),
            (geometry.intermediate, hidden),
            (hidden, geometry.intermediate),
        ],
        false => vec![
            (queries, hidden),
            (keys, hidden),
            (keys, hidden),
            (hidden, queries),
            (geometry.intermediate, hidden),
            (geometry.intermediate, hidden),
            (hidden, geometry.intermediate),
        ],
    };
    let named = family.linears().iter().zip(widths);
    named.map(|(linear, (out, columns))| (*linear, out, columns))
}

fn check_shape(model: &Model, name: &str, expected: &[usize]) -> Result<(), OptimizeError> {
    let Some(tensor) = model.find(name) else {
        return Err(OptimizeError::Model(format!(
            "the model has no tensor {name}, which its config.json calls for"
        )));
    };
    if tensor.shape != expected {
        return Err(OptimizeError::Model(format!(
            "the tensor {name} has the shape {:?}, but config.json calls for {expected:?}",
            tensor.shape
        )));
    }
    if !tensor.dtype.is_float() {
        return Err(OptimizeError::Unsupported(format!(
            "the tensor {name} holds {:?}, but only BF16, F16 and F32 can be worked on",
            tensor.dtype
        )));
    }
    Ok(())
}

/// No layers beyond those that are said.
fn check_layers(model: &Model, geometry: &Geometry) -> Result<(), OptimizeError> {
    let beyond = model.layer_prefix(geometry.layers);
    let tensors = model.tensors();
    match tensors
        .iter()
        .find(|tensor| tensor.name.starts_with(&beyond))
    {
        Some(tensor) => Err(OptimizeError::Model(format!(
            "the model has the tensor {}, but config.json says that there are {} layers",
            tensor.name, geometry.layers
        ))),
        None => Ok(()),
    }
}
