//! Small models for tests: every tensor that a family has, filled with numbers that depend
//! only on their place.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use half::bf16;
use serde_json::{Value, json};

use crate::Dtype;
use crate::safetensors::{TensorSpec, Writer};

/// The `config.json` of a decoder with two layers.
pub(crate) fn config(model_type: &str) -> Value {
    json!({
        "model_type": model_type,
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "vocab_size": 100,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
    })
}

/// The names and shapes of the tensors that a decoder of this `config.json` has.
pub(crate) fn decoder(config: &Value) -> BTreeMap<String, Vec<usize>> {
    let width = |field: &str| config[field].as_u64().unwrap() as usize;
    let (hidden, inner) = (width("hidden_size"), width("intermediate_size"));
    let head = width("head_dim");
    let (queries, keys) = (
        width("num_attention_heads") * head,
        width("num_key_value_heads") * head,
    );
    let kind = config["model_type"].as_str().unwrap();
    let mut tensors = BTreeMap::from([
        (
            "model.embed_tokens.weight".to_owned(),
            vec![width("vocab_size"), hidden],
        ),
        ("model.norm.weight".to_owned(), vec![hidden]),
    ]);
    if config["tie_word_embeddings"] != json!(true) {
        tensors.insert(
            "lm_head.weight".to_owned(),
            vec![width("vocab_size"), hidden],
        );
    }
    for layer in 0..width("num_hidden_layers") {
        let mut add = |name: &str, shape: &[usize]| {
            tensors.insert(format!("model.layers.{layer}.{name}"), shape.to_vec());
        };
        add("input_layernorm.weight", &[hidden]);
        add("post_attention_layernorm.weight", &[hidden]);
        add("self_attn.q_proj.weight", &[queries, hidden]);
        add("self_attn.k_proj.weight", &[keys, hidden]);
        add("self_attn.v_proj.weight", &[keys, hidden]);
        add("self_attn.o_proj.weight", &[hidden, queries]);
        add("mlp.gate_proj.weight", &[inner, hidden]);
        add("mlp.up_proj.weight", &[inner, hidden]);
        add("mlp.down_proj.weight", &[hidden, inner]);
        if kind == "qwen2" {
            add("self_attn.q_proj.bias", &[queries]);
            add("self_attn.k_proj.bias", &[keys]);
            add("self_attn.v_proj.bias", &[keys]);
        }
        if kind == "qwen3" {
            add("self_attn.q_norm.weight", &[head]);
            add("self_attn.k_norm.weight", &[head]);
        }
    }
    tensors
}

/// Writes a model of BF16 into a directory.
pub(crate) fn write(directory: &Path, config: &Value, tensors: &BTreeMap<String, Vec<usize>>) {
    fs::write(directory.join("config.json"), config.to_string()).unwrap();
    let specs: Vec<TensorSpec> = tensors
        .iter()
        .map(|(name, shape)| TensorSpec {
            name: name.clone(),
            dtype: Dtype::Bf16,
            shape: shape.clone(),
        })
        .collect();
    let path = directory.join("model.safetensors");
    let writer = Writer::create(&path, specs, &BTreeMap::new()).unwrap();
    for (number, shape) in tensors.values().enumerate() {
        let count = shape.iter().product::<usize>();
        let values = (0..count).map(|at| bf16::from_f32(value(number, at)));
        let bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
        writer.write_at(number, 0, &bytes).unwrap();
    }
    writer.finish().unwrap();
}

/// Small numbers of both signs without a short period.
pub(super) fn value(tensor: usize, at: usize) -> f32 {
    let mixed = (at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ (tensor as u64 * 77));
    (mixed >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
}
