//! Which tensors become which: llama.cpp's names, the types that they are stored in, and
//! whose rows change places.

use std::collections::BTreeSet;

use super::blocks::Encoding;
use super::{GgufType, encoding};
use crate::OptimizeError;
use crate::model::{Family, Geometry, Model};
use crate::safetensors::Tensor;

/// A tensor and what becomes of it.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) tensor: &'a Tensor,
    pub(super) name: String,
    pub(super) encoding: Encoding,
    /// The rows of a head, if each head's rows change places.
    pub(super) head: Option<usize>,
}

/// The parts of a layer, with the names of both sides.
const PARTS: [(&str, &str); 11] = [
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

/// What is computed from `config.json` instead.
const COMPUTED: &str = "rotary_emb.inv_freq";

/// All tensors in the order of the file: embeddings, layers, and what is behind them.
pub(super) fn targets<'a>(
    model: &'a Model,
    geometry: &Geometry,
    kind: GgufType,
) -> Result<Vec<Target<'a>>, OptimizeError> {
    let mut named = vec![(
        format!("{}embed_tokens.weight", model.prefix()),
        "token_embd.weight".to_owned(),
    )];
    for layer in 0..geometry.layers {
        let prefix = model.layer_prefix(layer);
        for (source, name) in PARTS {
            for end in ["weight", "bias"] {
                if has(model.config().family, source, end) {
                    let name = format!("blk.{layer}.{name}.{end}");
                    named.push((format!("{prefix}{source}.{end}"), name));
                }
            }
        }
    }
    named.push((
        format!("{}norm.weight", model.prefix()),
        "output_norm.weight".to_owned(),
    ));
    if !geometry.tied {
        named.push(("lm_head.weight".to_owned(), "output.weight".to_owned()));
    }
    let found = named.into_iter().filter_map(|(source, name)| {
        let tensor = model.find(&source)?;
        Some(target(model, geometry, kind, tensor, name))
    });
    let found: Vec<Target<'a>> = found.collect();
    refuse_misfits(model, &found)?;
    refuse_strangers(model, geometry, &found)?;
    refuse_gaps(model, geometry, &found)?;
    Ok(found)
}

/// Whether llama.cpp's architecture for the family has such a part.
fn has(family: Family, part: &str, end: &str) -> bool {
    let is_head_norm = part.ends_with("q_norm") || part.ends_with("k_norm");
    match (end, family) {
        ("weight", family) => !is_head_norm || family == Family::Qwen3,
        (_, Family::Qwen3) => false,
        (_, Family::Qwen2) => ["q_proj", "k_proj", "v_proj"]
            .iter()
            .any(|rotated| part.ends_with(rotated)),
        _ => !part.ends_with("norm"),
    }
}

fn target<'a>(
    model: &Model,
    geometry: &Geometry,
    kind: GgufType,
    tensor: &'a Tensor,
    name: String,
) -> Target<'a> {
    let is_head = match geometry.tied {
        true => name == "token_embd.weight",
        false => name == "output.weight",
    };
    let encoding = match tensor.shape.as_slice() {
        [_, columns] if !name.ends_with("_norm.weight") => encoding(kind, *columns, is_head),
        _ => Encoding::F32,
    };
    // Qwen rotates the halves as they are.
    let rotates_pairs = matches!(model.config().family, Family::Llama | Family::Mistral);
    let is_rotated = name.contains(".attn_q.") || name.contains(".attn_k.");
    Target {
        tensor,
        name,
        encoding,
        head: (rotates_pairs && is_rotated).then_some(geometry.head_dim),
    }
}

/// Numbers have to be those that can be worked on, and a bias as long as its weight is high.
fn refuse_misfits(model: &Model, found: &[Target<'_>]) -> Result<(), OptimizeError> {
    for target in found {
        let tensor = target.tensor;
        if !tensor.dtype.is_float() {
            return Err(OptimizeError::Unsupported(format!(
                "the tensor {} holds {:?}, but only BF16, F16 and F32 can be worked on",
                tensor.name, tensor.dtype
            )));
        }
        let Some(module) = tensor.name.strip_suffix(".bias") else {
            continue;
        };
        let weight = model.find(&format!("{module}.weight"));
        let height = weight.and_then(|weight| weight.shape.first());
        if height.is_none_or(|height| tensor.shape != [*height]) {
            return Err(OptimizeError::Model(format!(
                "the tensor {} has the shape {:?}, which does not go with its weight",
                tensor.name, tensor.shape
            )));
        }
    }
    Ok(())
}

/// Everything that the model has must be in the file.
fn refuse_strangers(
    model: &Model,
    geometry: &Geometry,
    found: &[Target<'_>],
) -> Result<(), OptimizeError> {
    let known: BTreeSet<&str> = found
        .iter()
        .map(|target| target.tensor.name.as_str())
        .collect();
    let stranger = model.tensors().iter().find(|tensor| {
        let tied = geometry.tied && tensor.name == "lm_head.weight";
        !known.contains(tensor.name.as_str()) && !tied && !tensor.name.ends_with(COMPUTED)
    });
    match stranger {
        Some(tensor) => Err(OptimizeError::Unsupported(format!(
            "the model has the tensor {}, which GGUF has no place for",
            tensor.name
        ))),
        None => Ok(()),
    }
}

/// What `Model::expect` does not look at must be there too, and of its shape.
fn refuse_gaps(
    model: &Model,
    geometry: &Geometry,
    found: &[Target<'_>],
) -> Result<(), OptimizeError> {
    let mut needed = vec![("output_norm.weight".to_owned(), vec![geometry.hidden])];
    if !geometry.tied {
        let shape = vec![geometry.vocabulary, geometry.hidden];
        needed.push(("output.weight".to_owned(), shape));
    }
    for layer in 0..geometry.layers {
        for norm in ["attn_norm", "ffn_norm"] {
            needed.push((format!("blk.{layer}.{norm}.weight"), vec![geometry.hidden]));
        }
        if model.config().family == Family::Qwen2 {
            let keys = geometry.kv_heads * geometry.head_dim;
            let queries = geometry.heads * geometry.head_dim;
            for (part, width) in [("q", queries), ("k", keys), ("v", keys)] {
                needed.push((format!("blk.{layer}.attn_{part}.bias"), vec![width]));
            }
        }
        if model.config().family == Family::Qwen3 {
            for norm in ["attn_q_norm", "attn_k_norm"] {
                let name = format!("blk.{layer}.{norm}.weight");
                needed.push((name, vec![geometry.head_dim]));
            }
        }
    }
    for (name, shape) in needed {
        let target = found.iter().find(|target| target.name == name);
        match target {
            Some(target) if target.tensor.shape == shape => {}
            Some(target) => {
                return Err(OptimizeError::Model(format!(
                    "the tensor {} has the shape {:?}, but config.json calls for {shape:?}",
                    target.tensor.name, target.tensor.shape
                )));
            }
            None => {
                return Err(OptimizeError::Model(format!(
                    "the model has no tensor that would be {name} in GGUF, which its config.json calls for"
                )));
            }
        }
    }
    Ok(())
}
