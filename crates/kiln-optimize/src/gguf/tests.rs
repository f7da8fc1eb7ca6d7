//! Files are read here by a reader of its own and compared with the model.

use std::collections::BTreeMap;
use std::fs;

use half::f16;
use serde_json::{Value as Json, json};

use super::{GgufType, convert};
use crate::model::{Model, sample};

/// A tensor of a file: dimensions with the neighbours first, the type's number, the bytes.
type Found = (Vec<u64>, u32, Vec<u8>);

/// The metadata's plain numbers, and all tensors.
type Contents = (BTreeMap<String, u32>, BTreeMap<String, Found>);

/// Converts a model, and reads the file.
fn converted(config: &Json, kind: GgufType) -> Result<Contents, String> {
    let home = tempfile::tempdir().unwrap();
    sample::write(home.path(), config, &sample::decoder(config));
    let model = Model::open(home.path()).unwrap();
    let path = home.path().join("model.gguf");
    let mut heard = 0;
    let made = convert(&model, kind, &path, &mut |bytes, _| heard += bytes)
        .map_err(|error| error.to_string())?;
    assert_eq!(heard, model.bytes());
    assert_eq!(made.tokenizer, None);
    for tensor in &made.tensors {
        let most = match tensor.encoding {
            "Q4_0" => 1e-2,
            "Q8_0" => 1e-4,
            _ => 1e-7,
        };
        assert!(tensor.noise <= most * tensor.signal, "{tensor:?}");
    }
    Ok(Reader(&fs::read(&path).unwrap(), 0).file())
}

/// A reader of a file.
struct Reader<'a>(&'a [u8], usize);

impl Reader<'_> {
    fn take(&mut self, length: usize) -> &[u8] {
        let taken = &self.0[self.1..self.1 + length];
        self.1 += length;
        taken
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    fn text(&mut self) -> String {
        let length = self.u64() as usize;
        String::from_utf8(self.take(length).to_vec()).unwrap()
    }

    fn file(mut self) -> Contents {
        assert_eq!(self.take(4), b"GGUF");
        assert_eq!(self.u32(), 3);
        let (tensors, keys) = (self.u64(), self.u64());
        let mut numbers = BTreeMap::new();
        for _ in 0..keys {
            let key = self.text();
            match self.u32() {
                4 | 6 => drop(numbers.insert(key, self.u32())),
                8 => drop(self.text()),
                other => panic!("{key} has the type {other}"),
            }
        }
        let mut listed = Vec::new();
        for _ in 0..tensors {
            let name = self.text();
            let dimensions = self.u32();
            let shape: Vec<u64> = (0..dimensions).map(|_| self.u64()).collect();
            listed.push((name, shape, self.u32(), self.u64()));
        }
        let data = self.1.next_multiple_of(32);
        let read = |(name, shape, kind, at): (String, Vec<u64>, u32, u64)| {
            assert_eq!(at % 32, 0);
            let count: u64 = shape.iter().product();
            let size = match kind {
                0 => count * 4,
                1 => count * 2,
                2 => count / 32 * 18,
                _ => count / 32 * 34,
            };
            let begin = data + at as usize;
            let bytes = self.0[begin..begin + size as usize].to_vec();
            (name, (shape, kind, bytes))
        };
        (numbers, listed.into_iter().map(read).collect())
    }
}

fn halves(bytes: &[u8]) -> Vec<f32> {
    let (halves, _) = bytes.as_chunks();
    let decoded = halves.iter().copied().map(f16::from_le_bytes);
    decoded.map(f16::to_f32).collect()
}

#[test]
fn heads_of_llama_are_interleaved_and_those_of_qwen_are_not() {
    let (_, llama) = converted(&sample::config("llama"), GgufType::F16).unwrap();
    let (_, qwen) = converted(&sample::config("qwen3"), GgufType::F16).unwrap();
    let name = "blk.1.attn_q.weight";
    let (shape, kind, interleaved) = &llama[name];
    assert_eq!((shape.as_slice(), *kind), ([64, 64].as_slice(), 1));
    let plain = halves(&qwen[name].2);
    // The samples of both families differ, and so the rows of Llama's are found in its own
    // values by their order only.
    assert_ne!(halves(interleaved), plain);
    let order = |head: usize, row: usize| head * 16 + row / 2 + row % 2 * 8;
    let values = halves(&llama["blk.1.attn_v.weight"].2);
    assert_eq!(values.len(), 32 * 64);
    let mut rows: Vec<f32> = (0..64).map(|row| row as f32).collect();
    super::interleave(&mut rows, 16, 1);
    let expected: Vec<f32> = (0..64)
        .map(|row| order(row / 16, row % 16) as f32)
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn metadata_are_llama_cpps() {
    let mut config = sample::config("mistral");
    config["sliding_window"] = json!(128);
    config["rope_theta"] = json!(1e6);
    let (numbers, tensors) = converted(&config, GgufType::Q4_0).unwrap();
    let expected = [
        ("general.file_type", 2),
        ("general.quantization_version", 2),
        ("llama.block_count", 2),
        ("llama.context_length", 128),
        ("llama.embedding_length", 64),
        ("llama.feed_forward_length", 96),
        ("llama.vocab_size", 100),
        ("llama.attention.head_count", 4),
        ("llama.attention.head_count_kv", 2),
        ("llama.attention.key_length", 16),
        ("llama.rope.freq_base", 1e6_f32.to_bits()),
        ("llama.attention.layer_norm_rms_epsilon", 1e-5_f32.to_bits()),
    ];
    for (key, value) in expected {
        assert_eq!(numbers.get(key), Some(&value), "{key}");
    }
    let kinds = [
        ("token_embd.weight", 2),
        ("output.weight", 8),
        ("output_norm.weight", 0),
        ("blk.0.ffn_down.weight", 2),
        ("blk.0.attn_norm.weight", 0),
    ];
    for (name, kind) in kinds {
        assert_eq!(tensors[name].1, kind, "{name}");
    }
    assert_eq!(tensors["token_embd.weight"].0, [64, 100]);
}

#[test]
fn every_family_has_its_tensors() {
    let cases = [
        ("llama", false, 3 + 2 * 9),
        ("qwen2", false, 3 + 2 * 12),
        ("qwen3", false, 3 + 2 * 11),
        ("qwen3", true, 2 + 2 * 11),
    ];
    for (model_type, tied, count) in cases {
        let mut config = sample::config(model_type);
        config["tie_word_embeddings"] = json!(tied);
        let (_, tensors) = converted(&config, GgufType::Q8_0).unwrap();
        assert_eq!(tensors.len(), count, "{model_type}");
        let biases = tensors.keys().filter(|name| name.ends_with(".bias"));
        for name in biases {
            assert_eq!(tensors[name].1, 0, "{name}");
        }
    }
}

#[test]
fn scaled_positions_are_a_tensor() {
    let mut config = sample::config("llama");
    config["rope_scaling"] = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 64});
    let (_, tensors) = converted(&config, GgufType::Q8_0).unwrap();
    let (shape, kind, bytes) = &tensors["rope_freqs.weight"];
    assert_eq!((shape.as_slice(), *kind), ([8].as_slice(), 0));
    let (singles, _) = bytes.as_chunks();
    let values: Vec<f32> = singles.iter().copied().map(f32::from_le_bytes).collect();
    assert_eq!((values[0], values[7]), (1.0, 8.0));
    assert!(values.is_sorted());

    config["rope_scaling"] = json!({"type": "yarn", "factor": 4.0});
    let (numbers, _) = converted(&config, GgufType::Q8_0).unwrap();
    let trained = numbers["llama.rope.scaling.original_context_length"];
    assert_eq!(trained, 256);
    let factor = numbers["llama.rope.scaling.factor"];
    assert_eq!(factor, 4_f32.to_bits());

    let refused = [
        (
            json!({"type": "dynamic", "factor": 2.0}),
            "the model scales positions by 'dynamic', which is not converted to GGUF; linear, llama3 and yarn are",
        ),
        (
            json!({"type": "yarn", "factor": 4.0, "mscale": 1.0}),
            "the model scales positions by 'yarn' with mscale, which is not converted to GGUF",
        ),
        (
            json!({"type": "yarn"}),
            "config.json does not say by what factor and from what length on positions are scaled",
        ),
    ];
    for (scaling, expected) in refused {
        config["rope_scaling"] = scaling;
        let said = converted(&config, GgufType::Q8_0).unwrap_err();
        assert_eq!(said, format!("ClientError: {expected}"));
    }
}

#[test]
fn rows_that_do_not_divide_stay_exact() {
    let mut config = sample::config("llama");
    config["intermediate_size"] = json!(80);
    let (_, tensors) = converted(&config, GgufType::Q4_0).unwrap();
    assert_eq!(tensors["blk.0.ffn_down.weight"].1, 1);
    assert_eq!(tensors["blk.0.ffn_up.weight"].1, 2);
}

#[test]
fn what_has_no_place_is_refused() {
    let cases = [
        (
            "model.layers.0.self_attn.q_norm.weight",
            vec![16],
            "the model has the tensor model.layers.0.self_attn.q_norm.weight, which GGUF has no place for",
        ),
        (
            "model.layers.1.self_attn.q_proj.bias",
            vec![60],
            "the tensor model.layers.1.self_attn.q_proj.bias has the shape [60], which does not go with its weight",
        ),
    ];
    for (name, shape, expected) in cases {
        let home = tempfile::tempdir().unwrap();
        let config = sample::config("llama");
        let mut tensors = sample::decoder(&config);
        tensors.insert(name.to_owned(), shape);
        sample::write(home.path(), &config, &tensors);
        let model = Model::open(home.path()).unwrap();
        let path = home.path().join("model.gguf");
        let said = convert(&model, GgufType::F16, &path, &mut |_, _| ()).unwrap_err();
        assert_eq!(said.to_string(), format!("ClientError: {expected}"));
        assert!(!path.exists());
    }
}
