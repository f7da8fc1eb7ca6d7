//! Fuzz targets: whatever `config.json` and the index of a model say, the model is opened
//! and looked into, or refused.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Map, Value, json};

use super::{Family, Model, sample};

fn check(config: &[u8], index: Option<&[u8]>) {
    let home = tempfile::tempdir().unwrap();
    let tensors = BTreeMap::from([
        ("layers.0.self_attn.q_proj.weight".to_owned(), vec![2, 2]),
        ("embed_tokens.weight".to_owned(), vec![3, 2]),
    ]);
    sample::write(home.path(), &json!({}), &tensors);
    fs::write(home.path().join("config.json"), config).unwrap();
    if let Some(index) = index {
        fs::write(home.path().join("model.safetensors.index.json"), index).unwrap();
    }
    if let Ok(model) = Model::open(home.path()) {
        assert_eq!(model.tensors().len(), 2);
        let _ = model.expect(Family::DECODERS, "be tried");
        let _ = model.expect(&[Family::Bert, Family::Roberta], "be tried");
    }
}

/// What a field is asked for most often, so that some of it is understood.
const FIELDS: [&str; 15] = [
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "max_position_embeddings",
    "sliding_window",
    "pad_token_id",
    "rms_norm_eps",
    "rope_theta",
    "rope_scaling",
    "tie_word_embeddings",
    "quantization_config",
];

fn value(kind: u8, number: i64) -> Value {
    match kind % 8 {
        0 => json!(null),
        1 => json!(number % 5),
        2 => json!(number),
        3 => json!(number as f64 / 7.0),
        4 => json!(number % 2 == 0),
        5 => json!({"rope_type": "linear", "factor": number}),
        6 => json!({"rope_type": "llama3", "factor": number, "quant_method": "awq"}),
        _ => json!("text"),
    }
}

#[test]
fn any_config() {
    bolero::check!().for_each(|bytes: &[u8]| check(bytes, None));
}

#[test]
fn any_fields() {
    bolero::check!()
        .with_type::<(u8, [(u8, i64); 15])>()
        .for_each(|(family, values)| {
            let types = ["llama", "mistral", "qwen2", "qwen3", "bert", "roberta"];
            let named = FIELDS.iter().zip(values);
            let mut config: Map<String, Value> = named
                .map(|(field, (kind, number))| ((*field).to_owned(), value(*kind, *number)))
                .collect();
            let model_type = types[usize::from(*family) % types.len()];
            config.insert("model_type".to_owned(), json!(model_type));
            check(Value::Object(config).to_string().as_bytes(), None);
        });
}

#[test]
fn any_index() {
    bolero::check!()
        .with_type::<Vec<(String, String)>>()
        .for_each(|places| {
            let places: Map<String, Value> = places
                .iter()
                .map(|(tensor, file)| (tensor.clone(), json!(file)))
                .collect();
            let index = json!({ "weight_map": places });
            check(b"{}", Some(index.to_string().as_bytes()));
        });
}
