//! What is read from other frameworks' models can be made plain for a compiler,
//! and keeps the inputs and outputs that were recorded beside the models.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kiln_graph::clean::{Sizes, clean};
use kiln_graph::model::{Model, Value};
use kiln_graph::{darknet, mxnet, tflite};
use serde_json::Value as Json;

/// The folders of a framework's models.
fn folders(framework: &str) -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(framework);
    fs::read_dir(all)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

/// Names and sizes of what was recorded, from the first line of the file.
fn recorded(folder: &Path, kind: &str) -> Vec<(String, Vec<usize>)> {
    let bytes = fs::read(folder.join("answers.bin")).unwrap();
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap();
    let head: Json = serde_json::from_slice(line).unwrap();
    let one = |entry: &Json| {
        let dims = entry[2].as_array().unwrap().iter();
        let dims = dims.map(|size| size.as_u64().unwrap() as usize);
        (entry[0].as_str().unwrap().to_owned(), dims.collect())
    };
    head[kind].as_array().unwrap().iter().map(one).collect()
}

fn known(values: &[Value]) -> Vec<(String, Vec<usize>)> {
    let dims = |value: &Value| value.ty.as_ref()?.as_tensor()?.known();
    values
        .iter()
        .map(|value| (value.name.clone(), dims(value).unwrap()))
        .collect()
}

fn check(folder: &Path, model: Model) {
    let plain = clean(model, &Sizes::default());
    let plain = plain.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    assert_eq!(
        known(&plain.graph.inputs),
        recorded(folder, "inputs"),
        "{}",
        folder.display()
    );
    assert_eq!(
        known(&plain.graph.outputs),
        recorded(folder, "outputs"),
        "{}",
        folder.display()
    );
}

#[test]
fn darknet_networks_can_be_made_plain() {
    for folder in folders("darknet") {
        let cfg = fs::read(folder.join("model.cfg")).unwrap();
        let weights = fs::read(folder.join("model.weights")).unwrap().into();
        check(&folder, darknet::read(&cfg, weights, None).unwrap());
    }
}

#[test]
fn mxnet_networks_can_be_made_plain() {
    for folder in folders("mxnet") {
        let symbol = fs::read(folder.join("model-symbol.json")).unwrap();
        let params = fs::read(folder.join("model-0000.params")).unwrap().into();
        let inputs: BTreeMap<_, _> = recorded(&folder, "inputs").into_iter().collect();
        check(&folder, mxnet::read(&symbol, params, &inputs).unwrap());
    }
}

#[test]
fn tflite_models_can_be_made_plain() {
    for folder in folders("tflite") {
        let file = fs::read(folder.join("model.tflite")).unwrap().into();
        check(&folder, tflite::read(file).unwrap());
    }
}
