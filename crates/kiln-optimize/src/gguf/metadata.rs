//! What a GGUF file says about its model besides the tensors.

use std::f64::consts::TAU;

use serde_json::{Map, Value as Json};

use super::file::Value;
use super::tokenizer::Tokenizer;
use super::{GgufType, tokenizer};
use crate::OptimizeError;
use crate::model::{Family, Geometry, Model, Scaling};

/// The keys and values in the order of the file.
pub(super) fn describe(
    model: &Model,
    geometry: &Geometry,
    kind: GgufType,
    tokenizer: Option<&Tokenizer>,
) -> Result<Vec<(String, Value)>, OptimizeError> {
    let architecture = architecture(model.config().family);
    let mut keys = vec![
        text("general.architecture", architecture),
        text("general.type", "model"),
        ("general.file_type".to_owned(), Value::U32(file_type(kind))),
        ("general.quantization_version".to_owned(), Value::U32(2)),
    ];
    let mut own = |key: &str, value| keys.push((format!("{architecture}.{key}"), value));
    own("block_count", number(geometry.layers));
    own("context_length", number(context(geometry)));
    own("embedding_length", number(geometry.hidden));
    own("feed_forward_length", number(geometry.intermediate));
    own("vocab_size", number(geometry.vocabulary));
    own("attention.head_count", number(geometry.heads));
    own("attention.head_count_kv", number(geometry.kv_heads));
    own("attention.key_length", number(geometry.head_dim));
    own("attention.value_length", number(geometry.head_dim));
    let epsilon = Value::F32(geometry.epsilon as f32);
    own("attention.layer_norm_rms_epsilon", epsilon);
    own("rope.dimension_count", number(geometry.head_dim));
    if let Some(rope) = &geometry.rope {
        own("rope.freq_base", Value::F32(rope.theta as f32));
        for (key, value) in scaling(model, &rope.scaling)? {
            own(key, value);
        }
    }
    if geometry.activation != "silu" {
        return Err(OptimizeError::Unsupported(format!(
            "the model has the activation '{}', but GGUF's {architecture} has silu",
            geometry.activation
        )));
    }
    keys.extend(tokenizer::describe(tokenizer));
    Ok(keys)
}

/// How positions are scaled. Llama 3's way is a tensor.
fn scaling(model: &Model, scaling: &Scaling) -> Result<Vec<(&'static str, Value)>, OptimizeError> {
    let kind = |kind: &str| ("rope.scaling.type", Value::Text(kind.to_owned()));
    let factor = |factor: f64| ("rope.scaling.factor", Value::F32(factor as f32));
    Ok(match scaling {
        Scaling::None | Scaling::Llama3 { .. } => Vec::new(),
        Scaling::Linear { factor: by } => vec![kind("linear"), factor(*by)],
        Scaling::Other(name) if name == "yarn" => {
            let (by, positions) = yarn(&model.config().raw)?;
            let positions = number(usize::try_from(positions).unwrap_or(usize::MAX));
            let original = ("rope.scaling.original_context_length", positions);
            vec![kind("yarn"), factor(by), original]
        }
        Scaling::Other(other) => {
            return Err(OptimizeError::Unsupported(format!(
                "the model scales positions by '{other}', which is not converted to GGUF; linear, llama3 and yarn are"
            )));
        }
    })
}

/// YaRN's factor, and the length of the texts of the training. What else it can be told is
/// refused where it is told, since programs differ in what they make of it.
fn yarn(config: &Map<String, Json>) -> Result<(f64, u64), OptimizeError> {
    const KNOWN: [&str; 5] = [
        "type",
        "rope_type",
        "rope_theta",
        "factor",
        "original_max_position_embeddings",
    ];
    let parameters = ["rope_parameters", "rope_scaling"]
        .iter()
        .find_map(|field| config.get(*field)?.as_object());
    let mut said = parameters.into_iter().flatten();
    if let Some((field, _)) = said.find(|(field, _)| !KNOWN.contains(&field.as_str())) {
        return Err(OptimizeError::Unsupported(format!(
            "the model scales positions by 'yarn' with {field}, which is not converted to GGUF"
        )));
    }
    let factor = parameters.and_then(|said| said.get("factor")?.as_f64());
    let positions = |field: Option<&Json>| field.and_then(Json::as_u64);
    let trained =
        parameters.and_then(|said| positions(said.get("original_max_position_embeddings")));
    let trained = trained.or_else(|| positions(config.get("max_position_embeddings")));
    match (factor, trained) {
        (Some(factor), Some(trained)) if factor.is_finite() && factor > 0.0 => {
            Ok((factor, trained))
        }
        _ => Err(OptimizeError::Config(
            "does not say by what factor and from what length on positions are scaled".to_owned(),
        )),
    }
}

fn text(key: &str, value: &str) -> (String, Value) {
    (key.to_owned(), Value::Text(value.to_owned()))
}

/// Counts of `config.json` fit into 32 bits, or it is refused.
fn number(count: usize) -> Value {
    Value::U32(u32::try_from(count).unwrap_or(u32::MAX))
}

fn architecture(family: Family) -> &'static str {
    match family {
        Family::Qwen2 => "qwen2",
        Family::Qwen3 => "qwen3",
        _ => "llama",
    }
}

fn file_type(kind: GgufType) -> u32 {
    match kind {
        GgufType::F16 => 1,
        GgufType::Q4_0 => 2,
        GgufType::Q8_0 => 7,
    }
}

/// How long texts may be. These architectures of llama.cpp's have no sliding window, and
/// within a window there is no difference.
fn context(geometry: &Geometry) -> usize {
    let positions = geometry.positions.unwrap_or(2048);
    geometry
        .sliding_window
        .map_or(positions, |window| window.min(positions))
}

/// By how much each frequency is divided, for the scaling that Llama 3 began: GGUF has it
/// as a tensor.
pub(super) fn frequencies(geometry: &Geometry) -> Option<Vec<f32>> {
    let rope = geometry.rope.as_ref()?;
    let Scaling::Llama3 {
        factor,
        low_frequency_factor: low,
        high_frequency_factor: high,
        original_positions: positions,
    } = rope.scaling
    else {
        return None;
    };
    let width = geometry.head_dim as f64;
    let divisor = |pair: usize| {
        let wavelength = TAU * rope.theta.powf(2.0 * pair as f64 / width);
        if wavelength < positions / high {
            return 1.0;
        }
        if wavelength > positions / low {
            return factor;
        }
        let smooth = (positions / wavelength - low) / (high - low);
        1.0 / ((1.0 - smooth) / factor + smooth)
    };
    let pairs = 0..geometry.head_dim / 2;
    Some(pairs.map(|pair| divisor(pair) as f32).collect())
}
