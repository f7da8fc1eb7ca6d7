//! Exporters that stand in for the real ones: what they are told, and what becomes
//! of what they leave.

use super::*;
use crate::input_config::{Dimension, Input, Rules};

/// An environment whose Python is this shell script.
fn environment(place: &Path, script: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let bin = place.join("environment/bin");
    std::fs::create_dir_all(&bin).unwrap();
    let python = bin.join("python");
    std::fs::write(&python, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    place.join("environment")
}

fn exported(
    script: &str,
    files: &ModelFiles,
    inputs: Option<&InputConfig>,
) -> (tempfile::TempDir, Result<Exported, ExportError>) {
    let place = tempfile::tempdir().unwrap();
    let environment = environment(place.path(), script);
    let options = Options::default();
    let export = Export {
        environment: &environment,
        files,
        inputs,
        options: &options,
        samples: &[],
        class_labels: None,
        scratch: place.path(),
    };
    let answer = run(&export, &mut |_| ());
    (place, answer)
}

fn inputs(text: &str) -> InputConfig {
    let rules = Rules {
        list_form: true,
        core_ml: false,
    };
    crate::input_config::read(text, rules).unwrap()
}

const ANSWER: &str = r#"echo '{"model": "model.onnx", "reference": "PyTorch 2.8.0", "inputs":
    [{"name": "x", "shape": [1, null, [2, null]], "dtype": "int64"}], "cases": [],
    "remarks": ["slow"]}' > export.json"#;

#[test]
fn an_answer_is_read() {
    let files = ModelFiles::TorchScript("/m/model.pt".into());
    let script = format!("touch model.onnx; {ANSWER}");
    let (place, answer) = exported(&script, &files, None);
    let answer = answer.unwrap();
    assert_eq!(answer.model, place.path().join("export/model.onnx"));
    assert_eq!(answer.reference, "PyTorch 2.8.0");
    let range = Dimension::Range {
        least: 2,
        most: None,
    };
    let expected = Input {
        dtype: crate::input_config::Dtype::parse("int64"),
        ..Input::new(
            Some("x".to_owned()),
            vec![Dimension::Fixed(1), Dimension::Open, range],
        )
    };
    assert_eq!(answer.inputs.inputs, [expected]);
    assert_eq!(answer.remarks, ["slow"]);
}

#[test]
fn an_exporter_is_told_what_the_request_says() {
    let files = ModelFiles::Keras("/m/model.h5".into());
    let given = inputs("{'image': [1, 3, 224, 112]}");
    let script = format!("cp order.json told.json; touch model.onnx; {ANSWER}");
    let (place, answer) = exported(&script, &files, Some(&given));
    answer.unwrap();
    let told = std::fs::read(place.path().join("export/told.json")).unwrap();
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(told["format"], "keras");
    assert_eq!(told["model"], "/m/model.h5");
    let expected = serde_json::json!([{
        "name": "image", "dtype": null, "image": null,
        "shape": [1, 3, 224, 112], "enumerated": null, "default_shape": null,
        "turned": {"shape": [1, 224, 112, 3], "enumerated": null, "default_shape": null},
    }]);
    assert_eq!(told["inputs"], expected);
}

#[test]
fn a_converter_is_told_what_several_shapes_have_in_common() {
    let files = ModelFiles::Keras("/m/model.h5".into());
    let rules = Rules {
        list_form: false,
        core_ml: true,
    };
    let text = "{'x': {'shape': [[1, 3, 8, 8], [1, 3, 4, 8]], 'default_shape': [1, 3, 4, 8]}}";
    let given = crate::input_config::read(text, rules).unwrap();
    let script = format!("cp order.json told.json; touch model.onnx; {ANSWER}");
    let (place, answer) = exported(&script, &files, Some(&given));
    answer.unwrap();
    let told = std::fs::read(place.path().join("export/told.json")).unwrap();
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    let expected = serde_json::json!([{
        "name": "x", "dtype": null, "image": null, "shape": [1, 3, null, 8],
        "enumerated": [[1, 3, 8, 8], [1, 3, 4, 8]], "default_shape": [1, 3, 4, 8],
        "turned": {
            "shape": [1, null, 8, 3],
            "enumerated": [[1, 8, 8, 3], [1, 4, 8, 3]], "default_shape": [1, 4, 8, 3],
        },
    }]);
    assert_eq!(told["inputs"], expected);
}

#[test]
fn what_goes_wrong_is_told_in_the_service_s_words() {
    let keras = ModelFiles::Keras("/m/model.h5".into());
    let torch = ModelFiles::TorchScript("/m/model.pt".into());
    let given = inputs("{'image': [1, 224, 224, 3]}");
    let ports = r#"[{"name": "image", "shape": [null, 224, 224, 3], "dtype": "float32"}]"#;
    let cases = [
        (
            &torch,
            r#"echo '{"message": "Framework cannot load PyTorch model: no"}' > failure.json"#
                .to_owned(),
            "ClientError: InputConfiguration: Framework cannot load PyTorch model: no",
        ),
        (
            &keras,
            format!("echo '{{\"inputs\": {ports}}}' > failure.json"),
            "ClientError: InputConfiguration: Input image has wrong shape in Input Shape \
             dictionary. Input shapes should be provided in NCHW format.",
        ),
        (
            &torch,
            "echo killed; exit 9".to_owned(),
            "ServerError: pytorch_network.py failed (exit status: 9): killed",
        ),
        (
            &torch,
            "kill -9 $$".to_owned(),
            "ServerError: pytorch_network.py was killed",
        ),
        (
            &torch,
            "true".to_owned(),
            "ServerError: the exporter's answer cannot be read: there is no \"export.json\"",
        ),
        (
            &torch,
            format!("ln -s /etc/passwd model.onnx; {ANSWER}"),
            "ServerError: the exporter's answer cannot be read: there is no \"model.onnx\"",
        ),
    ];
    for (files, script, expected) in cases {
        let (_place, answer) = exported(&script, files, Some(&given));
        assert_eq!(answer.unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_frozen_graph_has_no_signatures() {
    let place = tempfile::tempdir().unwrap();
    let export = Export {
        environment: place.path(),
        files: &ModelFiles::FrozenGraph("/m/graph.pb".into()),
        inputs: None,
        options: &Options::read("{'signature_def_key': 'serving_default'}").unwrap(),
        samples: &[],
        class_labels: None,
        scratch: place.path(),
    };
    let refused = run(&export, &mut |_| ()).unwrap_err().to_string();
    assert!(refused.starts_with(
        "ClientError: InputConfiguration: CompilerOptions 'signature_def_key' is not supported"
    ));
}
