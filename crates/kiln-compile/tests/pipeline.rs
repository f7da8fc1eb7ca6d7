//! Whole compilations, from an archive to an artifact that answers as it should.

#![allow(clippy::unwrap_used)]

mod tools;

use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use kiln_compile::Order;
use kiln_compile::array::{Array, Element};
use kiln_compile::parts::{self, Kind};
use kiln_compile::pipeline::{Compiled, Tools, Verification, Workshop, run};
use kiln_compile::predict::Artifact;
use kiln_compile::target::{Arch, Os, Platform};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// An archive of files under their names.
fn archive(place: &Path, files: &[(&str, &Path)]) -> PathBuf {
    let path = place.join("model.tar.gz");
    let file = std::fs::File::create(&path).unwrap();
    let mut builder = tar::Builder::new(GzEncoder::new(file, Compression::fast()));
    for (name, from) in files {
        builder.append_path_with_name(from, name).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap();
    path
}

/// What became of a compilation.
struct Outcome {
    artifact: PathBuf,
    compiled: Result<Compiled, String>,
    log: Vec<String>,
    _place: tempfile::TempDir,
}

fn compile(environment: &Path, order: &Order, kind: Kind, files: &[(&str, &Path)]) -> Outcome {
    let place = tempfile::tempdir().unwrap();
    let archive = archive(place.path(), files);
    let (parts, scratch) = (place.path().join("parts"), place.path().join("scratch"));
    for directory in [&parts, &scratch] {
        std::fs::create_dir(directory).unwrap();
    }
    let platform = Platform {
        os: Os::Linux,
        arch: Arch::X86_64,
        cpu: None,
        features: Vec::new(),
    };
    let zig = tools::toolchain().unwrap();
    parts::make(&zig, &platform, kind, &parts, &|_| ()).unwrap();
    let tools = Tools {
        environments: [("compiler".to_owned(), environment.to_owned())].into(),
        parts: Some(parts),
    };
    let artifact = place.path().join("artifact.tar.gz");
    let workshop = Workshop {
        order,
        archive: &archive,
        scratch: &scratch,
        artifact: &artifact,
        tools: &tools,
    };
    let mut log = Vec::new();
    let compiled = run(&workshop, &mut |line| log.push(line.to_owned()));
    Outcome {
        artifact,
        compiled: compiled.map_err(|error| error.to_string()),
        log,
        _place: place,
    }
}

fn order(framework: &str) -> Order {
    Order {
        framework: framework.to_owned(),
        target_os: Some("LINUX".to_owned()),
        target_arch: Some("X86_64".to_owned()),
        ..Order::default()
    }
}

#[test]
fn trees_become_an_artifact_that_is_verified_and_answers() {
    let Some(tools) = tools::environment() else {
        return;
    };
    let model = data("xgboost-3.2.0/logistic.ubj");
    let files = [("xgboost.model", model.as_path())];
    let outcome = compile(&tools, &order("XGBOOST"), Kind::Trees, &files);
    let compiled = outcome.compiled.unwrap_or_else(|error| {
        panic!("{error}\n{}", outcome.log.join("\n"));
    });
    let derived = compiled.derived_data_input_config.unwrap();
    assert!(derived.contains("\"data\""), "{derived}");
    let mut artifact = Artifact::open(&outcome.artifact).unwrap();
    let report = artifact.report().unwrap().clone();
    let Verification::Verified(evidence) = report.verification else {
        panic!("{:?}", report.verification);
    };
    assert!(evidence.largest_error <= 1e-6, "{evidence:?}");
    assert_eq!(report.target, "LINUX_X86_64");
    let columns = artifact.inputs()[0].shape[1] as usize;
    let rows = Array::of(Element::Float32, vec![2, columns], vec![0.5; 2 * columns]).unwrap();
    let answers = artifact.predict(vec![rows]).unwrap();
    assert_eq!(answers[0].1.shape(), [2, 1]);
    let stages: Vec<_> = report
        .stages
        .iter()
        .map(|stage| stage.stage.as_str())
        .collect();
    assert_eq!(stages, ["open", "read", "build", "verify"]);
}

#[test]
fn what_is_no_model_is_refused_in_the_owners_words() {
    let Some(tools) = tools::environment() else {
        return;
    };
    let text = data("make.py");
    let files = [("xgboost.model", text.as_path())];
    let outcome = compile(&tools, &order("XGBOOST"), Kind::Trees, &files);
    let error = outcome.compiled.unwrap_err();
    let start = "ClientError: InputConfiguration: Framework cannot load the model xgboost.model: ";
    assert!(error.starts_with(start), "{error}");
    assert!(!outcome.artifact.exists());
}

#[test]
fn a_network_becomes_an_artifact_that_answers_as_onnx_runtime_does() {
    let Some(tools) = tools::environment() else {
        return;
    };
    let order = Order {
        data_input_config: Some("{'image': [1, 3, 16, 16]}".to_owned()),
        ..order("ONNX")
    };
    let model = data("onnx/convolutions.onnx");
    let files = [("convolutions.onnx", model.as_path())];
    let outcome = compile(&tools, &order, Kind::Neural, &files);
    let compiled = outcome.compiled.unwrap_or_else(|error| {
        panic!("{error}\n{}", outcome.log.join("\n"));
    });
    assert_eq!(
        compiled.derived_data_input_config.as_deref(),
        Some("{\"image\": [1,3,16,16]}")
    );
    let mut artifact = Artifact::open(&outcome.artifact).unwrap();
    let report = artifact.report().unwrap().clone();
    let Verification::Verified(evidence) = report.verification else {
        panic!("{:?}", report.verification);
    };
    assert!(
        evidence.reference.starts_with("ONNX Runtime"),
        "{evidence:?}"
    );
    let image = Array::of(Element::Float32, vec![1, 3, 16, 16], vec![0.5; 768]).unwrap();
    let answers = artifact.predict(vec![image]).unwrap();
    let total: f64 = answers[0].1.values().sum();
    assert!((total - 1.0).abs() < 1e-5, "{answers:?}");
}
