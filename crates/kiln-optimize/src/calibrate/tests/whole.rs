//! Calibrations from the beginning to the end, and from the middle.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::tiny;
use crate::calibrate::{Fidelity, Limits, Made, Method, Request, Sink, Summary, calibrate};
use crate::model::Model;
use crate::quantize::{Granularity, Grid, Rounding, Scheme, Stored};
use crate::{Dtype, OptimizeError};

/// Keeps what is made, and breaks off before the layer that it is told to.
#[derive(Debug, Default, PartialEq)]
struct Keeper {
    made: Vec<Made>,
    until: Option<usize>,
}

impl Sink for Keeper {
    fn made(&mut self, made: Made) -> Result<(), OptimizeError> {
        let layer = |name: &str| name.contains(&format!("layers.{}.", self.until.unwrap_or(9)));
        let stops = match &made {
            Made::Linear(linear) => layer(&linear.module),
            Made::Vector(vector) => layer(&vector.name),
        };
        if stops {
            return Err(OptimizeError::Model("killed".to_owned()));
        }
        self.made.push(made);
        Ok(())
    }

    fn progress(&mut self, share: f64, now: &str) {
        assert!((0.0..1.0).contains(&share) && !now.is_empty());
    }
}

fn scheme(bits: u8, group: usize) -> Scheme {
    Scheme {
        grid: Grid::Int {
            bits,
            symmetric: true,
        },
        granularity: Granularity::Group(group),
        rounding: Rounding::Searched,
        stored: Stored::default(),
    }
}

struct Case {
    home: tempfile::TempDir,
    model: Model,
}

impl Case {
    fn new(name: &str, dtype: Dtype) -> Self {
        let home = tempfile::tempdir().unwrap();
        for name in ["model", "data"] {
            fs::create_dir(home.path().join(name)).unwrap();
        }
        let model = tiny::write(&home.path().join("model"), &tiny::named(name), dtype);
        let records = (0..40u32).map(|sample| {
            let tokens: Vec<u32> = (0..24)
                .map(|i| (sample * 31 + i * (sample + 7)) % 64)
                .collect();
            json!({"input_ids": tokens}).to_string()
        });
        let records: Vec<String> = records.collect();
        fs::write(home.path().join("data/tokens.jsonl"), records.join("\n")).unwrap();
        Self { home, model }
    }

    fn run(
        &self,
        method: Method,
        scratch: &str,
        threads: usize,
        keeper: &mut Keeper,
    ) -> Result<Summary, OptimizeError> {
        let scratch = self.home.path().join(scratch);
        fs::create_dir_all(&scratch).unwrap();
        self.request(method, &scratch, threads, keeper)
    }

    fn request(
        &self,
        method: Method,
        scratch: &Path,
        threads: usize,
        keeper: &mut Keeper,
    ) -> Result<Summary, OptimizeError> {
        let request = Request {
            model: &self.model,
            data: &self.home.path().join("data"),
            scratch,
            method,
            schemes: &|module| (!module.ends_with("gate_proj")).then(|| scheme(4, 16)),
            limits: Limits {
                samples: 32,
                tokens: 20,
            },
            threads,
        };
        calibrate(&request, keeper)
    }
}

fn mean(made: &[Made], of: impl Fn(&crate::calibrate::Figures) -> f64) -> f64 {
    let figures: Vec<f64> = made
        .iter()
        .filter_map(|made| match made {
            Made::Linear(linear) => Some(of(&linear.figures)),
            Made::Vector(_) => None,
        })
        .collect();
    figures.iter().sum::<f64>() / figures.len() as f64
}

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
        model: &case.model,
        data: &case.home.path().join("data"),
        scratch: case.home.path(),
        method: Method::Awq,
        schemes: &|_| Some(scheme(8, 16)),
        limits: Limits {
            samples: 8,
            tokens: 20,
        },
        threads: 1,
    };
    let summary = calibrate(&request, &mut keeper).unwrap();
    // The model behind the scales is the same model.
    assert!(summary.fidelity.error < 1e-3, "{}", summary.fidelity.error);
    let vectors = keeper
        .made
        .iter()
        .filter(|made| matches!(made, Made::Vector(_)));
    assert!(vectors.count() > 0);
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
            assert_eq!(sorted(resumed.made), sorted(whole.made.clone()));
            assert_eq!(again.fidelity, summary.fidelity);
            fs::remove_dir_all(case.home.path().join("killed")).unwrap();
        }
    }
}

fn sorted(mut made: Vec<Made>) -> Vec<Made> {
    made.sort_by_key(|made| match made {
        Made::Linear(linear) => linear.module.clone(),
        Made::Vector(vector) => vector.name.clone(),
    });
    made
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

    let data = case.home.path().join("data/tokens.jsonl");
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
