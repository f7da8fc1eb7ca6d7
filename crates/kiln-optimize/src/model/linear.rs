//! Which tensors are the weights of linear layers, and which layer of the model they are in.
//!
//! Known families are known by name. In any other model a weight is linear if it is called
//! `*.weight`, has two dimensions, holds floating-point numbers, and has a name that does
//! not say that it is an embedding, a norm, a convolution or a router of experts. Models
//! that keep their weights transposed, as GPT-2 does, have none.

use super::config::Config;
use super::family::Family;
use crate::safetensors::Tensor;

/// The weight of a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Which of the model's tensors it is.
    pub tensor: usize,
    /// Which of the model's repeated layers it is in. What is in none, such as `lm_head` or
    /// a pooler, is called a head.
    pub layer: Option<usize>,
}

/// The name of the linear layer that a tensor is the weight of: its own without `.weight`.
#[must_use]
pub fn module(tensor: &Tensor) -> &str {
    let name = tensor.name.as_str();
    name.strip_suffix(".weight").unwrap_or(name)
}

/// Parts of names whose weights are not linear.
const NOT_LINEAR: [&str; 10] = [
    "wte",
    "wpe",
    "shared",
    "relative_attention_bias",
    "ln",
    "conv",
    "conv1d",
    "gate",
    "router",
    "shared_expert_gate",
];

/// What repeated layers are called.
const LAYERS: [&str; 5] = ["layers", "layer", "h", "blocks", "block"];

/// Models whose weights of two dimensions are inputs by outputs.
const TRANSPOSED: [&str; 3] = ["gpt2", "openai-gpt", "imagegpt"];

/// The linear layers among the tensors.
pub(super) fn find(config: &Config, tensors: &[Tensor]) -> Vec<Linear> {
    let is_linear = |module: &str| match config.family {
        Family::Other => {
            !TRANSPOSED.contains(&config.model_type.as_str()) && is_linear_by_name(module)
        }
        family => is_linear_of(family, module),
    };
    let linear = |(number, tensor): (usize, &Tensor)| {
        let module = tensor.name.strip_suffix(".weight")?;
        let is_weight = tensor.shape.len() == 2 && !tensor.shape.contains(&0);
        (is_weight && tensor.dtype.is_float() && is_linear(module)).then(|| Linear {
            tensor: number,
            layer: layer(module),
        })
    };
    let mut linears: Vec<Linear> = tensors.iter().enumerate().filter_map(linear).collect();
    linears.shrink_to_fit();
    linears
}

fn is_linear_of(family: Family, module: &str) -> bool {
    match layer(module) {
        Some(_) => family
            .linears()
            .iter()
            .any(|linear| module.ends_with(linear)),
        None => is_linear_by_name(module),
    }
}

fn is_linear_by_name(module: &str) -> bool {
    !module.split('.').any(|part| {
        let part = part.to_ascii_lowercase();
        // The last layer of GPT-NeoX is called `embed_out`.
        let is_embedding = part.contains("embed") && part != "embed_out";
        NOT_LINEAR.contains(&part.as_str())
            || is_embedding
            || part.ends_with("norm")
            || part.starts_with("ln_")
            || part.starts_with("conv_")
    })
}

/// The number behind the first part that repeated layers are called by.
fn layer(module: &str) -> Option<usize> {
    let parts: Vec<&str> = module.split('.').collect();
    parts
        .windows(2)
        .find_map(|pair| LAYERS.contains(&pair[0]).then(|| pair[1].parse().ok())?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Dtype;

    fn linears(model_type: &str, names: &[&str]) -> Vec<(String, Option<usize>)> {
        let config = json!({"model_type": model_type, "hidden_size": 8, "intermediate_size": 8,
            "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 9});
        let config = Config::parse(config.as_object().unwrap().clone()).unwrap();
        let tensors: Vec<Tensor> = names
            .iter()
            .map(|name| Tensor {
                name: (*name).to_owned(),
                dtype: Dtype::Bf16,
                shape: if name.contains("layernorm") {
                    vec![8]
                } else {
                    vec![8, 8]
                },
                file: 0,
                range: 0..128,
            })
            .collect();
        let found = find(&config, &tensors).into_iter();
        let named = |linear: Linear| (module(&tensors[linear.tensor]).to_owned(), linear.layer);
        found.map(named).collect()
    }

    #[test]
    fn weights_are_linear_by_family_or_by_name() {
        let cases: [(&str, &str, Option<Option<usize>>); 20] = [
            (
                "llama",
                "model.layers.7.self_attn.q_proj.weight",
                Some(Some(7)),
            ),
            (
                "llama",
                "model.layers.7.mlp.down_proj.weight",
                Some(Some(7)),
            ),
            ("llama", "model.layers.7.self_attn.q_proj.bias", None),
            ("llama", "model.layers.7.input_layernorm.weight", None),
            ("llama", "model.embed_tokens.weight", None),
            ("llama", "lm_head.weight", Some(None)),
            (
                "bert",
                "encoder.layer.11.attention.output.dense.weight",
                Some(Some(11)),
            ),
            (
                "bert",
                "bert.encoder.layer.0.output.dense.weight",
                Some(Some(0)),
            ),
            ("bert", "embeddings.word_embeddings.weight", None),
            ("bert", "pooler.dense.weight", Some(None)),
            ("phi", "model.layers.0.mlp.fc1.weight", Some(Some(0))),
            ("phi", "model.embed_tokens.weight", None),
            (
                "mixtral",
                "model.layers.3.block_sparse_moe.gate.weight",
                None,
            ),
            (
                "mixtral",
                "model.layers.3.block_sparse_moe.experts.0.w1.weight",
                Some(Some(3)),
            ),
            (
                "falcon",
                "transformer.h.2.self_attention.dense.weight",
                Some(Some(2)),
            ),
            ("falcon", "transformer.word_embeddings.weight", None),
            ("gpt2", "h.0.attn.c_attn.weight", None),
            ("gpt_neox", "embed_out.weight", Some(None)),
            ("opt", "model.decoder.embed_positions.weight", None),
            (
                "t5",
                "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
                None,
            ),
        ];
        for (model_type, name, expected) in cases {
            let found = linears(model_type, &[name]);
            let found = found.first().map(|(_, layer)| *layer);
            assert_eq!(found, expected, "{model_type} {name}");
        }
    }
}
