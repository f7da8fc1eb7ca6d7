//! Every model in `tests/data` is read and asked the rows beside it, and its
//! answers are those of the library that trained it (see `data/make.py`).

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use kiln_compile::trees::{Ensemble, TreesError, read_lightgbm, read_sklearn, read_xgboost};
use serde::Deserialize;

#[derive(Deserialize)]
struct Answers {
    rows: Vec<Vec<Option<f64>>>,
    predictions: Vec<Vec<f64>>,
    margins: Vec<Vec<f64>>,
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// The models of a library's version, with their names.
fn models(folder: &str) -> Vec<(String, PathBuf)> {
    let files = std::fs::read_dir(data().join(folder)).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let models = paths.filter(|path| !path.to_str().unwrap().ends_with(".answers.json"));
    models
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect()
}

fn answers(model: &Path) -> Answers {
    let answers = std::fs::read(model.with_extension("answers.json")).unwrap();
    serde_json::from_slice(&answers).unwrap()
}

/// The largest difference, relative to values above one.
fn difference(got: &[f64], wanted: &[f64]) -> f64 {
    assert_eq!(got.len(), wanted.len());
    let pairs = got.iter().zip(wanted);
    pairs
        .map(|(got, wanted)| (got - wanted).abs() / wanted.abs().max(1.0))
        .fold(0.0, f64::max)
}

fn agrees(model: &Path, ensemble: &Ensemble, has_raw_margins: bool) {
    let answers = answers(model);
    for (at, row) in answers.rows.iter().enumerate() {
        let row: Vec<f64> = row.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        let differs = difference(&ensemble.predict(&row), &answers.predictions[at]);
        assert!(differs <= 1e-6, "{} row {at}: {differs}", model.display());
        if has_raw_margins {
            let differs = difference(&ensemble.margins(&row), &answers.margins[at]);
            assert!(
                differs <= 1e-6,
                "{} margins of row {at}: {differs}",
                model.display()
            );
        }
    }
}

fn check(folder: &str, read: fn(&[u8]) -> Result<Ensemble, TreesError>, refused: (&str, &str)) {
    let models = models(folder);
    assert!(models.len() > 15, "{folder}");
    for (name, path) in models {
        let outcome = read(&std::fs::read(&path).unwrap());
        if name == refused.0 {
            let expected = format!("The model uses {}, which cannot be compiled.", refused.1);
            assert_eq!(outcome.unwrap_err().to_string(), expected);
            continue;
        }
        let ensemble = outcome.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // LightGBM's raw scores of a forest are sums, where ours are averages.
        let has_raw_margins = ensemble.parts().divisor == 1.0;
        agrees(&path, &ensemble, has_raw_margins);
    }
}

const LINEAR: (&str, &str) = ("linear", "the booster \"gblinear\"");

#[test]
fn xgboost_0_90() {
    check("xgboost-0.90", read_xgboost, LINEAR);
}

#[test]
fn xgboost_1_7_6() {
    check("xgboost-1.7.6", read_xgboost, LINEAR);
}

#[test]
fn xgboost_3_2_0() {
    check("xgboost-3.2.0", read_xgboost, LINEAR);
}

#[test]
fn lightgbm_4_6_0() {
    check(
        "lightgbm-4.6.0",
        read_lightgbm,
        ("linear-leaves", "linear trees"),
    );
}

#[test]
fn scikit_learn_1_9_1() {
    for (name, path) in models("scikit-learn-1.9.1") {
        let ensemble = read_sklearn(&std::fs::read(&path).unwrap());
        let ensemble = ensemble.unwrap_or_else(|error| panic!("{name}: {error}"));
        agrees(&path, &ensemble, false);
    }
}

#[test]
fn all_forms_of_a_model_are_the_same() {
    let read = |name: &str| {
        let bytes = std::fs::read(data().join("xgboost-1.7.6").join(name)).unwrap();
        read_xgboost(&bytes).unwrap()
    };
    for name in ["squared", "softprob", "dart", "deep", "one-leaf", "pruned"] {
        let legacy = read(&format!("{name}.model"));
        let json = read(&format!("{name}.json"));
        assert_eq!(legacy, json, "{name}");
    }
}
