//! What cannot be cut for vLLM, and why.

use super::vocabulary;
use crate::OptimizeError;
use crate::model::{Family, Geometry, Model};

/// Architectures whose parameters are known.
const ARCHITECTURES: [&str; 4] = [
    "LlamaForCausalLM",
    "MistralForCausalLM",
    "Qwen2ForCausalLM",
    "Qwen3ForCausalLM",
];

/// Whether vLLM knows the model's architecture, and whether so many parts are equal.
pub(super) fn check(model: &Model, geometry: &Geometry, ranks: usize) -> Result<(), OptimizeError> {
    check_architecture(model)?;
    check_parts(geometry, ranks)
}

fn check_architecture(model: &Model) -> Result<(), OptimizeError> {
    let architecture = model.config().architecture.as_deref();
    if architecture.is_some_and(|name| ARCHITECTURES.contains(&name)) {
        return Ok(());
    }
    Err(OptimizeError::Unsupported(format!(
        "a model of the architecture {} cannot be sharded; those that can are {}",
        architecture.unwrap_or("that config.json does not name"),
        ARCHITECTURES.join(", ")
    )))
}

fn check_parts(geometry: &Geometry, ranks: usize) -> Result<(), OptimizeError> {
    let refuse = |what: String| {
        Err(OptimizeError::Unsupported(format!(
            "the model cannot be cut into {ranks} equal parts, because it has {what}"
        )))
    };
    if ranks == 0 {
        return Err(OptimizeError::Unsupported(
            "a model cannot be cut into 0 parts".to_owned(),
        ));
    }
    if !geometry.heads.is_multiple_of(ranks) {
        return refuse(format!("{} heads", geometry.heads));
    }
    let (keys, more) = (geometry.kv_heads, ranks.max(geometry.kv_heads));
    if !more.is_multiple_of(ranks.min(keys)) {
        return refuse(format!("{keys} heads of keys"));
    }
    if !geometry.intermediate.is_multiple_of(ranks) {
        return refuse(format!("an intermediate_size of {}", geometry.intermediate));
    }
    if vocabulary::part(geometry.vocabulary, ranks, 0).is_none() {
        let padded = geometry.vocabulary.next_multiple_of(64);
        return refuse(format!("a vocabulary that is padded to {padded} tokens"));
    }
    Ok(())
}

/// vLLM knows from `config.json` which biases there are, and takes neither more nor
/// fewer. `source` is what the names of a layer begin with.
pub(super) fn check_biases(
    model: &Model,
    geometry: &Geometry,
    source: &str,
) -> Result<(), OptimizeError> {
    let Geometry {
        qkv_bias,
        output_bias,
        mlp_bias,
        ..
    } = *geometry;
    let output_bias = output_bias && model.config().family != Family::Qwen3;
    let expected = [
        ("self_attn.q_proj", qkv_bias),
        ("self_attn.o_proj", output_bias),
        ("mlp.gate_proj", mlp_bias),
        ("mlp.down_proj", mlp_bias),
    ];
    for (linear, expected) in expected {
        let name = format!("{source}{linear}.bias");
        let problem = match (model.find(&name).is_some(), expected) {
            (true, false) => "is there, but vLLM expects none",
            (false, true) => "is not there, but vLLM expects it",
            _ => continue,
        };
        return Err(OptimizeError::Unsupported(format!(
            "the tensor {name} {problem} of a model with this config.json"
        )));
    }
    Ok(())
}
