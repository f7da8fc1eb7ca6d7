//! Calibrations from the beginning to the end, and from the middle.

use std::fs;

use super::case::{Case, Keeper, mean, scheme};
use super::tiny;
use crate::Dtype;
use crate::calibrate::{Fidelity, Made, Method, Request, prepare};
use crate::model::Model;
use crate::options::Activations;
use crate::quantize::{Granularity, Grid, Scheme};

#[test]
fn what_looks_at_the_data_loses_less() {
    for (name, methods) in [
        (
            "llama",
            &[Method::Importance, Method::Awq, Method::Gptq][..],
        ),
        ("qwen3", &[Method::Awq, Method::Gptq]),
        ("llama-three", &[Method::Awq]),
        ("bert", &[Method::Importance, Method::Gptq]),
    ] {
        let case = Case::new(name, Dtype::F32);
        for method in methods {
            let mut keeper = Keeper::default();
            let scratch = format!("{method:?}");
            let summary = case.run(*method, &scratch, 2, &mut keeper).unwrap();
            assert_eq!(
                (summary.samples, summary.tokens, summary.resumed),
                (32, 640, None)
            );
            let (before, after) = (
                mean(&keeper.made, |figures| figures.before),
                mean(&keeper.made, |figures| figures.after),
            );
            assert!(after < before, "{name} {method:?}: {after} after {before}");
            let Fidelity {
                error,
                cosine,
                samples,
                tokens,
            } = summary.fidelity;
            assert!(error > 0.0 && error < 0.2, "{name} {method:?}: {error}");
            assert!(cosine > 0.9 && cosine < 1.0, "{name} {method:?}: {cosine}");
            assert_eq!((samples, tokens), (32, 640));
        }
    }
}

#[test]
fn eight_bits_lose_nearly_nothing_behind_scales() {
    let case = Case::new("llama-three", Dtype::F32);
    let mut keeper = Keeper::default();
    let request = Request {
        activations: Activations::Untouched,
        schemes: &|_| Some(scheme(8, 16)),
        ..case.request(Method::Awq, case.home.path())
    };
    let summary = prepare(&request).unwrap().run(&mut keeper).unwrap();
    // The model behind the scales is the same model.
    assert!(summary.fidelity.error < 1e-3, "{}", summary.fidelity.error);
    let vectors = keeper
        .made
        .iter()
        .filter(|made| matches!(made, Made::Vector(_)));
    assert!(vectors.count() > 0);
}

#[test]
fn inputs_have_scales_for_eight_bits_of_floating_point() {
    let case = Case::new("mistral", Dtype::Bf16);
    let mut keeper = Keeper::default();
    let scheme = Scheme {
        grid: Grid::Fp8,
        granularity: Granularity::Tensor,
        ..scheme(8, 16)
    };
    let mut request = Request {
        activations: Activations::Static,
        schemes: &|_| Some(scheme),
        ..case.request(Method::Importance, case.home.path())
    };
    let summary = prepare(&request).unwrap().run(&mut keeper).unwrap();
    assert!(summary.outputs.after < 2e-3, "{:?}", summary.outputs);
    for made in &keeper.made {
        let Made::Linear(linear) = made else {
            panic!("nothing but linear layers is made");
        };
        assert_eq!(linear.quantized.scales.len(), 1);
        let scale = linear.figures.input_scale();
        assert!(scale > 1e-4 && scale < 0.1, "{}: {scale}", linear.module);
    }
    request.method = Method::Gptq;
    let said = prepare(&request).err().unwrap().to_string();
    assert!(
        said.contains("need integers in groups or channels"),
        "{said}"
    );
}

#[test]
fn a_killed_calibration_goes_on_to_the_same_end() {
    for method in [Method::Gptq, Method::Awq] {
        let case = Case::new("qwen2", Dtype::Bf16);
        let mut whole = Keeper::default();
        let summary = case.run(method, "whole", 1, &mut whole).unwrap();

        for layer in 0..2 {
            let mut killed = Keeper {
                until: Some(layer),
                ..Keeper::default()
            };
            assert!(case.run(method, "killed", 2, &mut killed).is_err());
            let mut resumed = Keeper::default();
            let again = case.run(method, "killed", 2, &mut resumed).unwrap();
            assert_eq!(again.resumed, Some(layer + 1));
            assert_eq!(resumed, whole);
            assert_eq!(again.outputs, summary.outputs);
            assert_eq!(again.fidelity, summary.fidelity);
            fs::remove_dir_all(case.home.path().join("killed")).unwrap();
        }
    }
}

#[test]
fn what_was_kept_is_for_the_same_model_only() {
    let mut case = Case::new("llama", Dtype::F32);
    case.run(Method::Gptq, "scratch", 1, &mut Keeper::default())
        .unwrap();
    let directory = case.home.path().join("model");
    case.model = tiny::write_again(&directory, &tiny::named("llama"), Dtype::F32);
    let fetched_again = case.run(Method::Gptq, "scratch", 1, &mut Keeper::default());
    assert_eq!(fetched_again.unwrap().resumed, Some(2));
    let again = |case: &Case| {
        let found = case.run(Method::Gptq, "scratch", 1, &mut Keeper::default());
        found.unwrap().resumed
    };

    // One bit of the middle of the weights.
    let weights = directory.join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&weights, bytes).unwrap();
    case.model = Model::open(&directory).unwrap();
    assert_eq!([again(&case), again(&case)], [None, Some(2)]);

    let data = case.data.join("tokens.jsonl");
    let text = fs::read_to_string(&data).unwrap();
    fs::write(&data, text.replace('[', "[1,")).unwrap();
    assert_eq!([again(&case), again(&case)], [None, Some(2)]);

    case.model = tiny::write_again(&directory, &tiny::named("llama"), Dtype::Bf16);
    assert_eq!([again(&case), again(&case)], [None, Some(2)]);
}

#[test]
fn what_cannot_be_done_is_said() {
    let case = Case::new("bert", Dtype::F32);
    let mut keeper = Keeper::default();
    let said = case
        .run(Method::Awq, "scratch", 1, &mut keeper)
        .unwrap_err()
        .to_string();
    assert!(
        said.starts_with("ClientError: AWQ scales the norms"),
        "{said}"
    );

    let data = case.data.join("tokens.jsonl");
    for (text, expected) in [
        (
            "{\"input_ids\": [64]}",
            "token 64 of the calibration data is beyond the model's vocabulary of 64",
        ),
        (
            "{\"text\": \"a\"}",
            "the calibration data is text, but the model has no tokenizer.json: give records with input_ids instead",
        ),
        (
            "",
            "there is neither text nor tokens in *.jsonl, *.json or *.txt files to calibrate with",
        ),
    ] {
        fs::write(&data, text).unwrap();
        let said = case
            .run(Method::Gptq, "scratch", 1, &mut keeper)
            .unwrap_err()
            .to_string();
        assert_eq!(said, format!("ClientError: {expected}"));
    }
}
