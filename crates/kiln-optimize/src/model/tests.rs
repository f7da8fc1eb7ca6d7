//! Models as a whole: what opens, and what is said of those that do not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use half::bf16;
use serde_json::{Value, json};

use super::sample::{config, decoder, value, write};
use super::{Family, Model};
use crate::Dtype;
use crate::safetensors::{TensorSpec, Writer};

#[test]
fn a_model_is_opened_as_a_whole() {
    let home = tempfile::tempdir().unwrap();
    let config = config("qwen2");
    write(home.path(), &config, &decoder(&config));
    fs::write(home.path().join("tokenizer.json"), "{}").unwrap();
    fs::write(home.path().join("pytorch_model.bin"), "").unwrap();

    let model = Model::open(home.path()).unwrap();
    assert_eq!(model.prefix(), "model.");
    assert_eq!(model.linears().len(), 15);
    assert_eq!(model.carried(), [Path::new("tokenizer.json")]);
    assert_eq!(model.left_out().len(), 1);
    let geometry = model.expect(Family::DECODERS, "be sharded").unwrap();
    assert_eq!(geometry.layers, 2);

    let tensor = model
        .find("model.layers.1.self_attn.k_proj.weight")
        .unwrap();
    assert_eq!(tensor.shape, [32, 64]);
    let mut buffer = vec![1; 9999];
    model.read(tensor, 128..130, &mut buffer).unwrap();
    let number = decoder(&config)
        .keys()
        .position(|name| *name == tensor.name);
    let expected = bf16::from_f32(value(number.unwrap(), 64));
    assert_eq!(buffer, expected.to_le_bytes());
}

#[test]
fn a_model_that_is_not_what_it_says_is_not_looked_into() {
    let open = |change: fn(&mut Value), tensors: fn(&mut BTreeMap<String, Vec<usize>>)| {
        let home = tempfile::tempdir().unwrap();
        let mut config = config("llama");
        let mut found = decoder(&config);
        change(&mut config);
        tensors(&mut found);
        write(home.path(), &config, &found);
        let model = Model::open(home.path()).unwrap();
        let refused = model.expect(Family::DECODERS, "be sharded");
        refused.unwrap_err().to_string()
    };
    assert_eq!(
        open(|config| config["num_hidden_layers"] = json!(1), |_| ()),
        "ClientError: the model has the tensor model.layers.1.input_layernorm.weight, but config.json says that there are 1 layers"
    );
    assert_eq!(
        open(|config| config["intermediate_size"] = json!(80), |_| ()),
        "ClientError: the tensor model.layers.0.mlp.gate_proj.weight has the shape [96, 64], but config.json calls for [80, 64]"
    );
    assert_eq!(
        open(
            |_| (),
            |tensors| {
                tensors.remove("model.layers.1.mlp.up_proj.weight");
            }
        ),
        "ClientError: the model has no tensor model.layers.1.mlp.up_proj.weight, which its config.json calls for"
    );
    assert_eq!(
        open(|config| config["model_type"] = json!("mamba"), |_| ()),
        "ClientError: a model of the type 'mamba' cannot be sharded; those that can are Llama, Mistral, Qwen2 and Qwen3"
    );
    assert_eq!(
        open(
            |config| config["quantization_config"] = json!({"quant_method": "gptq"}),
            |_| ()
        ),
        "ClientError: the model is quantized already, by gptq, and a quantized model cannot be sharded"
    );
}

#[test]
fn a_layer_that_is_missing_is_found() {
    let found = |kind: &str, layers: usize, missing: &str| {
        let home = tempfile::tempdir().unwrap();
        let mut config = config(kind);
        let mut tensors = decoder(&config);
        config["num_hidden_layers"] = json!(layers);
        tensors.retain(|name, _| missing.is_empty() || !name.contains(missing));
        write(home.path(), &config, &tensors);
        let layers = Model::open(home.path()).unwrap().expect_layers();
        layers.err().map(|error| error.to_string())
    };
    let missing = |layer: usize, layers: usize| {
        Some(format!(
            "ClientError: the model has no weights of layer {layer}, but config.json says that \
             there are {layers} layers"
        ))
    };
    for (kind, layers, left_out, expected) in [
        ("llama", 2, "", None),
        ("llama", 2, "layers.0.", missing(0, 2)),
        ("qwen3", 2, "layers.1.", missing(1, 2)),
        ("mistral", 3, "", missing(2, 3)),
        // Not all is there of what it says, but nobody knows what else it is.
        ("mamba", 3, "", None),
        ("llama", 2, "layers.", None),
    ] {
        assert_eq!(
            found(kind, layers, left_out),
            expected,
            "{kind} {layers} {left_out}"
        );
    }
}

/// Writes a file of tensors of four bytes.
fn part(directory: &Path, file: &str, names: &[&str]) {
    let spec = |name: &&str| TensorSpec {
        name: (*name).to_owned(),
        dtype: Dtype::F32,
        shape: vec![1],
    };
    let specs: Vec<TensorSpec> = names.iter().map(spec).collect();
    let count = specs.len();
    let writer = Writer::create(&directory.join(file), specs, &BTreeMap::new()).unwrap();
    for tensor in 0..count {
        writer.write_at(tensor, 0, &1_f32.to_le_bytes()).unwrap();
    }
    writer.finish().unwrap();
}

/// A model in two files, changed in some way, and what opening it says.
fn in_two_files(change: impl Fn(&Path)) -> Result<Model, String> {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("config.json"), "{}").unwrap();
    part(home.path(), "one.safetensors", &["a", "c"]);
    part(home.path(), "two.safetensors", &["b"]);
    let index = json!({"metadata": {"total_size": 12},
        "weight_map": {"a": "one.safetensors", "b": "two.safetensors", "c": "one.safetensors"}});
    let path = home.path().join("model.safetensors.index.json");
    fs::write(path, index.to_string()).unwrap();
    change(home.path());
    Model::open(home.path()).map_err(|error| error.to_string())
}

#[test]
fn a_model_in_several_files_is_one() {
    let model = in_two_files(|_| ()).unwrap();
    let tensors = model.tensors().iter();
    let places: Vec<(&str, usize)> = tensors
        .map(|tensor| (tensor.name.as_str(), tensor.file))
        .collect();
    assert_eq!(places, [("a", 0), ("b", 1), ("c", 0)]);
    assert_eq!(model.bytes(), 12);
    assert_eq!(model.files().len(), 2);
}

/// Something that happens to a model's directory.
type Harm = fn(&Path);

#[test]
fn files_that_do_not_go_together_are_told_apart() {
    let cases: [(Harm, &str); 6] = [
        (
            |home| fs::remove_file(home.join("two.safetensors")).unwrap(),
            "model.safetensors.index.json names two.safetensors, which is not there",
        ),
        (
            |home| {
                fs::remove_file(home.join("two.safetensors")).unwrap();
                part(home, "two.safetensors", &["b", "c"]);
            },
            "the tensor c is in both one.safetensors and two.safetensors",
        ),
        (
            |home| {
                fs::remove_file(home.join("two.safetensors")).unwrap();
                part(home, "two.safetensors", &["d"]);
            },
            "model.safetensors.index.json says that the tensor b is in two.safetensors, but it is in no file",
        ),
        (
            |home| {
                let content = fs::read(home.join("two.safetensors")).unwrap();
                let shorter = &content[..content.len() - 1];
                fs::write(home.join("two.safetensors"), shorter).unwrap();
            },
            "two.safetensors is truncated: the tensor b ends at byte 4 of 3 bytes of data",
        ),
        (
            |home| fs::write(home.join("one.safetensors"), "<html>").unwrap(),
            "one.safetensors has 6 bytes, too few for a safetensors file",
        ),
        (
            |home| fs::write(home.join("one.safetensors"), "version https://git-lfs").unwrap(),
            "one.safetensors is a pointer of Git LFS and not the file itself, which 'git lfs pull' fetches",
        ),
    ];
    for (harm, expected) in cases {
        let said = in_two_files(harm).unwrap_err();
        assert_eq!(said, format!("ClientError: {expected}"));
    }
}
