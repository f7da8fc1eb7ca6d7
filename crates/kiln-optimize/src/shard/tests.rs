//! Shards are put together again here by rules of their own, and compared with the model.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::plan::Plan;
use super::shard;
use crate::model::{Model, sample};
use crate::safetensors::Reader;

/// Shapes and bytes by name.
type Contents = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

/// The tensors of a file.
fn contents(path: &Path) -> Contents {
    let (reader, tensors) = Reader::open(path, 0).unwrap();
    let read = |tensor: crate::safetensors::Tensor| {
        let mut bytes = vec![0; tensor.bytes() as usize];
        reader.read_at(tensor.range.start, &mut bytes).unwrap();
        (tensor.name, (tensor.shape, bytes))
    };
    tensors.into_iter().map(read).collect()
}

fn config(model_type: &str, changes: Value) -> Value {
    let mut config = sample::config(model_type);
    for (field, value) in changes.as_object().unwrap() {
        config[field] = value.clone();
    }
    config
}

fn sharded(config: &Value, ranks: usize) -> Result<(Source, Vec<Contents>), String> {
    let home = tempfile::tempdir().unwrap();
    let out = tempfile::tempdir().unwrap();
    sample::write(home.path(), config, &sample::decoder(config));
    let model = Model::open(home.path()).unwrap();
    let mut heard = 0;
    let bytes = shard(&model, ranks, out.path(), &mut |bytes, _| heard += bytes)
        .map_err(|error| error.to_string())?;
    assert_eq!(heard, 2 * model.bytes());
    let mut became = model.tensors().iter().zip(&bytes);
    assert!(became.all(|(tensor, bytes)| *bytes >= tensor.bytes()));
    let shards = (0..ranks).map(|rank| contents(&out.path().join(super::weights_name(rank))));
    let source = contents(&home.path().join("model.safetensors"));
    Ok((Source(source), shards.collect()))
}

/// A model's tensors.
struct Source(Contents);

impl Source {
    /// Some rows of a tensor.
    fn rows(&self, name: &str, from: usize, count: usize) -> Vec<u8> {
        let (shape, bytes) = &self.0[name];
        let width = bytes.len() / shape[0];
        bytes[from * width..(from + count) * width].to_vec()
    }

    /// Some columns of a tensor of two-byte elements.
    fn columns(&self, name: &str, from: usize, count: usize) -> Vec<u8> {
        let (shape, bytes) = &self.0[name];
        let width = bytes.len() / shape[0];
        let rows = bytes.chunks(width);
        rows.flat_map(|row| row[from * 2..(from + count) * 2].to_vec())
            .collect()
    }
}

#[test]
fn every_rank_has_its_part() {
    let (source, shards) = sharded(&config("qwen2", json!({})), 2).unwrap();
    for (rank, shard) in shards.iter().enumerate() {
        let layer = "model.layers.1.";
        for (end, shape) in [("weight", vec![64, 64]), ("bias", vec![64])] {
            let part = |part: &str, count: usize| {
                let name = format!("{layer}self_attn.{part}_proj.{end}");
                source.rows(&name, rank * count, count)
            };
            let expected = [part("q", 32), part("k", 16), part("v", 16)].concat();
            let found = &shard[&format!("{layer}self_attn.qkv_proj.{end}")];
            assert_eq!(*found, (shape, expected));
        }
        let gate = source.rows(&format!("{layer}mlp.gate_proj.weight"), rank * 48, 48);
        let up = source.rows(&format!("{layer}mlp.up_proj.weight"), rank * 48, 48);
        let found = &shard[&format!("{layer}mlp.gate_up_proj.weight")];
        assert_eq!(*found, (vec![96, 64], [gate, up].concat()));

        for (name, width) in [("self_attn.o_proj", 32), ("mlp.down_proj", 48)] {
            let name = format!("{layer}{name}.weight");
            let expected = source.columns(&name, rank * width, width);
            assert_eq!(shard[&name], (vec![64, width], expected));
        }
        let norm = "model.layers.0.input_layernorm.weight";
        assert_eq!(shard[norm], source.0[norm]);

        // 100 tokens are padded to 128, of which each rank has 64.
        let count = [64, 36][rank];
        for name in ["model.embed_tokens.weight", "lm_head.weight"] {
            let mut expected = source.rows(name, rank * 64, count);
            expected.resize(64 * 64 * 2, 0);
            assert_eq!(shard[name], (vec![64, 64], expected));
        }
        assert_eq!(shard.len(), 3 + 2 * 7);
    }
}

#[test]
fn heads_of_keys_are_shared_where_there_are_few() {
    let (source, shards) = sharded(&config("llama", json!({})), 4).unwrap();
    for (rank, shard) in shards.iter().enumerate() {
        let keys = source.rows("model.layers.0.self_attn.k_proj.weight", rank / 2 * 16, 16);
        let (shape, bytes) = &shard["model.layers.0.self_attn.qkv_proj.weight"];
        assert_eq!(*shape, [48, 64]);
        assert_eq!(bytes[16 * 128..32 * 128], keys);
    }
}

#[test]
fn tied_embeddings_are_the_head() {
    let config = config("qwen3", json!({"tie_word_embeddings": true}));
    let (source, shards) = sharded(&config, 1).unwrap();
    let embeddings = source.rows("model.embed_tokens.weight", 0, 100);
    let (shape, bytes) = &shards[0]["lm_head.weight"];
    assert_eq!(*shape, [128, 64]);
    assert_eq!(bytes[..embeddings.len()], embeddings);
    assert!(!shards[0].contains_key("model.embed_tokens.weight"));
    let norm = "model.layers.1.self_attn.q_norm.weight";
    assert_eq!(shards[0][norm], source.0[norm]);
}

#[test]
fn scales_are_there_for_newer_ones() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("scales");
    super::scales::write(&path, 2).unwrap();
    let scales = contents(&path);
    assert_eq!(scales.len(), 8);
    let name = "model.layers.1.self_attn.attn._prob_scale";
    assert_eq!(scales[name], (vec![], 1_f32.to_le_bytes().to_vec()));
}

#[test]
fn what_cannot_be_cut_is_refused() {
    let cases = [
        (
            json!({}),
            3,
            "the model cannot be cut into 3 equal parts, because it has 4 heads",
        ),
        (json!({}), 0, "a model cannot be cut into 0 parts"),
        (
            json!({"num_attention_heads": 12, "num_key_value_heads": 3, "head_dim": 16}),
            2,
            "the model cannot be cut into 2 equal parts, because it has 3 heads of keys",
        ),
        (
            json!({"intermediate_size": 90}),
            4,
            "the model cannot be cut into 4 equal parts, because it has an intermediate_size of 90",
        ),
        (
            json!({"num_attention_heads": 3, "num_key_value_heads": 3, "intermediate_size": 96}),
            3,
            "the model cannot be cut into 3 equal parts, because it has a vocabulary that is padded to 128 tokens",
        ),
        (
            json!({"mlp_bias": true}),
            2,
            "the tensor model.layers.0.mlp.gate_proj.bias is not there, but vLLM expects it of a model with this config.json",
        ),
        (
            json!({"architectures": ["LlamaForSequenceClassification"]}),
            2,
            "a model of the architecture LlamaForSequenceClassification cannot be sharded; those that can are LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM",
        ),
    ];
    for (changes, ranks, expected) in cases {
        let said = sharded(&config("llama", changes), ranks).err().unwrap();
        assert_eq!(said, format!("ClientError: {expected}"));
    }
}

#[test]
fn a_stranger_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let out = tempfile::tempdir().unwrap();
    let config = sample::config("mistral");
    let mut tensors = sample::decoder(&config);
    tensors.insert(
        "model.layers.0.self_attn.rotary_emb.inv_freq".to_owned(),
        vec![8],
    );
    tensors.insert("score.weight".to_owned(), vec![2, 64]);
    sample::write(home.path(), &config, &tensors);
    let model = Model::open(home.path()).unwrap();
    let said = shard(&model, 2, out.path(), &mut |_, _| ()).unwrap_err();
    assert_eq!(
        said.to_string(),
        "ClientError: the model has the tensor score.weight, which vLLM's sharded_state has no place for"
    );
}

proptest! {
    /// Everything of the model is somewhere, and nothing of a rank is written twice.
    #[test]
    fn nothing_is_lost(
        kv_heads in 1_u64..5,
        alike in 1_u64..5,
        width in 1_u64..3,
        inner in 1_u64..5,
        tokens in 1_u64..200,
        ranks in 1_usize..9,
        tied: bool,
    ) {
        let config = config("qwen2", json!({
            "num_key_value_heads": kv_heads,
            "num_attention_heads": kv_heads * alike,
            "head_dim": 2 * width,
            "hidden_size": 6,
            "intermediate_size": inner * ranks as u64,
            "vocab_size": tokens,
            "num_hidden_layers": 1,
            "tie_word_embeddings": tied,
        }));
        let home = tempfile::tempdir().unwrap();
        sample::write(home.path(), &config, &sample::decoder(&config));
        let model = Model::open(home.path()).unwrap();
        let Ok(plan) = Plan::new(&model, ranks) else {
            return Ok(());
        };
        let mut written: Vec<Vec<u64>> = Vec::new();
        for tensors in &plan.ranks {
            let padding = |tensor: &super::plan::Sharded| tensor.padding.end - tensor.padding.start;
            written.push(tensors.iter().map(padding).collect());
        }
        for (tensor, places) in model.tensors().iter().zip(&plan.destinations) {
            let row = super::row_bytes(tensor) as usize;
            let mut seen = vec![false; tensor.bytes() as usize];
            for place in places {
                for line in place.rows.clone() {
                    seen[line * row + place.columns.start..line * row + place.columns.end].fill(true);
                }
                written[place.rank][place.tensor] += (place.rows.len() * place.columns.len()) as u64;
            }
            prop_assert!(seen.iter().all(|seen| *seen), "{}", tensor.name);
        }
        for (tensors, written) in plan.ranks.iter().zip(written) {
            for (tensor, written) in tensors.iter().zip(written) {
                let count: usize = tensor.spec.shape.iter().product();
                prop_assert_eq!(written, count as u64 * 2, "{}", &tensor.spec.name);
            }
        }
        shard(&model, ranks, &home.path().join(""), &mut |_, _| ()).unwrap();
    }
}
