//! Which files are found to be the model, and what is said where none is.

use std::path::PathBuf;

use super::{file, gzip, opened, tar};
use crate::archive::{Limits, ModelFiles, class_labels, samples};
use crate::framework::Framework;

/// A zip of empty files.
fn zip(names: &[&str]) -> Vec<u8> {
    let mut directory = Vec::new();
    for name in names {
        directory.extend(b"PK\x01\x02");
        directory.extend([0; 24]);
        directory.extend((name.len() as u16).to_le_bytes());
        directory.extend([0; 16]);
        directory.extend(name.as_bytes());
    }
    let mut zip = b"PK\x03\x04".to_vec();
    let start = zip.len() as u32;
    zip.extend(&directory);
    zip.extend(b"PK\x05\x06");
    zip.extend([0; 8]);
    zip.extend((directory.len() as u32).to_le_bytes());
    zip.extend(start.to_le_bytes());
    zip.extend([0; 2]);
    zip
}

/// Names and contents.
type Files<'a> = &'a [(&'a str, &'a [u8])];

/// What is found among files, with paths relative to the archive.
fn found(framework: Framework, files: Files<'_>) -> String {
    let entries: Vec<_> = files
        .iter()
        .map(|(name, content)| file(name, content))
        .collect();
    let (_home, unpacked) = opened(&gzip(&tar(&entries)), &Limits::default());
    let unpacked = unpacked.unwrap();
    let whole = unpacked.root.to_str().unwrap();
    let root = format!("{whole}/");
    match ModelFiles::find(&unpacked, framework) {
        Ok(found) => format!("{found:?}")
            .replace(&root, "")
            .replace(whole, "ROOT"),
        Err(error) => {
            let message = error.to_string();
            let stripped = message.strip_prefix("ClientError: InputConfiguration: ");
            stripped.unwrap().to_owned()
        }
    }
}

#[test]
fn models_are_found_by_the_rules_of_their_framework() {
    use Framework::*;
    const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n...";
    const PICKLE: &[u8] = b"\x80\x04\x95";
    const LIGHTGBM: &[u8] = b"tree\nversion=v4\n";
    let script = zip(&["m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"]);
    let exported = zip(&[
        "m/archive_format",
        "m/models/model.json",
        "m/data/constants.pkl",
    ]);
    let older = zip(&["version", "serialized_exported_program.json"]);
    let saved = zip(&["m/data.pkl", "m/data/0"]);
    let tflite = b"\x1c\0\0\0TFL3....";
    let one_pb = "Exactly one .pb or .pbtxt file is allowed for TensorFlow models.";
    let one_model = "Exactly one .model file is allowed for XGBoost models.";
    let table: &[(Framework, Files<'_>, &str)] = &[
        (
            Onnx,
            &[("a.onnx", b""), ("a.onnx.data", b"")],
            r#"Onnx("a.onnx")"#,
        ),
        (
            Onnx,
            &[
                ("d/A.ONNX", b""),
                ("._A.onnx", b""),
                ("samples/x.onnx", b""),
            ],
            r#"Onnx("d/A.ONNX")"#,
        ),
        (
            Onnx,
            &[("a.onnx", b""), ("b.onnx", b"")],
            "Exactly one .onnx file is allowed for ONNX models.",
        ),
        (
            Onnx,
            &[("a.pb", b"")],
            "Exactly one .onnx file is allowed for ONNX models.",
        ),
        (
            Tensorflow,
            &[
                ("export/1/saved_model.pb", b""),
                ("export/1/fingerprint.pb", b""),
                ("export/1/keras_metadata.pb", b""),
                ("export/1/variables/variables.index", b""),
            ],
            r#"SavedModel("export/1")"#,
        ),
        (
            Tensorflow,
            &[("saved_model.pbtxt", b"")],
            r#"SavedModel("ROOT")"#,
        ),
        (
            Tensorflow,
            &[("frozen.pb", b"")],
            r#"FrozenGraph("frozen.pb")"#,
        ),
        (Tensorflow, &[("a.pb", b""), ("b.pbtxt", b"")], one_pb),
        (
            Tensorflow,
            &[("1/saved_model.pb", b""), ("2/saved_model.pb", b"")],
            one_pb,
        ),
        (
            Tensorflow,
            &[("1/saved_model.pb", b""), ("frozen.pb", b"")],
            one_pb,
        ),
        (Tensorflow, &[("a.h5", b"")], one_pb),
        (Keras, &[("a.h5", HDF5)], r#"Keras("a.h5")"#),
        (Keras, &[("a.keras", &script)], r#"Keras("a.keras")"#),
        (
            Keras,
            &[("a.pb", b"")],
            "No h5 file provided in the archive",
        ),
        (
            Keras,
            &[("a.h5", HDF5), ("b/c.h5", HDF5)],
            "Multiple h5 files provided, a.h5, b/c.h5, when only one is allowed",
        ),
        (
            Keras,
            &[("a.h5", b"text")],
            "a.h5 is not a file that Keras saved. Please make sure the framework you selected, \
             Keras, is correct.",
        ),
        (
            Mxnet,
            &[
                ("n-symbol.json", b""),
                ("n-0000.params", b""),
                ("model-shapes.json", b""),
            ],
            r#"Mxnet { symbol: "n-symbol.json", parameters: "n-0000.params" }"#,
        ),
        (
            Mxnet,
            &[
                ("n-symbol.json", b""),
                ("n-0000.params", b""),
                ("n-0001.params", b""),
            ],
            "Only one parameter file is allowed for MXNet model. Please make sure the framework \
             you select is correct.",
        ),
        (
            Mxnet,
            &[("n.params", b"")],
            "Only one symbol file is allowed for MXNet model. Please make sure the framework you \
             select is correct.",
        ),
        (
            Pytorch,
            &[("m.pth", &script), ("code/inference.py", b"")],
            r#"TorchScript("m.pth")"#,
        ),
        (
            Pytorch,
            &[("m.pt2", &exported)],
            r#"ExportedProgram("m.pt2")"#,
        ),
        (Pytorch, &[("m.pt", &older)], r#"ExportedProgram("m.pt")"#),
        (
            Pytorch,
            &[("m.pt", &script), ("m.pth", &script)],
            "Exactly one .pth or .pt file is allowed for PyTorch models.",
        ),
        (
            Pytorch,
            &[("m.pth", &saved)],
            "m.pth is a pickled module or its weights, which cannot be compiled. Save the model \
             with torch.jit.trace and torch.jit.save, or with torch.export.save. Please make sure \
             the framework you selected, PyTorch, is correct.",
        ),
        (
            Pytorch,
            &[("m.pth", PICKLE)],
            "m.pth is a pickled module or its weights, which cannot be compiled. Save the model \
             with torch.jit.trace and torch.jit.save, or with torch.export.save. Please make sure \
             the framework you selected, PyTorch, is correct.",
        ),
        (
            Pytorch,
            &[("m.pth", b"what")],
            "m.pth is not a file that PyTorch saved. Please make sure the framework you selected, \
             PyTorch, is correct.",
        ),
        (Tflite, &[("m.tflite", tflite)], r#"Tflite("m.tflite")"#),
        (
            Tflite,
            &[("m.tflite", b"what")],
            "m.tflite is not a TensorFlow Lite model. Please make sure the framework you \
             selected, TensorFlow Lite, is correct.",
        ),
        (
            Tflite,
            &[("m.pb", b"")],
            "Exactly one .tflite file is allowed for TensorFlow Lite models.",
        ),
        (
            Darknet,
            &[("y.cfg", b""), ("y.weights", b"")],
            r#"Darknet { configuration: "y.cfg", weights: "y.weights" }"#,
        ),
        (
            Darknet,
            &[("y.cfg", b"")],
            "Exactly one .weights file is allowed for Darknet models.",
        ),
        (
            Xgboost,
            &[("m.model", b"binf"), ("feature_map.txt", b"")],
            r#"Xgboost("m.model")"#,
        ),
        (
            Xgboost,
            &[("xgboost-model", b"{\"learner\"")],
            r#"Xgboost("xgboost-model")"#,
        ),
        (
            Xgboost,
            &[("xgboost-model", PICKLE)],
            r#"XgboostPickle("xgboost-model")"#,
        ),
        (Xgboost, &[("m.ubj", b"{L")], r#"Xgboost("m.ubj")"#),
        (
            Xgboost,
            &[("model.txt", LIGHTGBM)],
            r#"Lightgbm("model.txt")"#,
        ),
        (Xgboost, &[("a.model", b""), ("b.model", b"")], one_model),
        (Xgboost, &[("a.onnx", b"")], one_model),
        (Sklearn, &[("m.joblib", PICKLE)], r#"Sklearn("m.joblib")"#),
        (
            Sklearn,
            &[("m.joblib", b"\x78\x9c..")],
            r#"Sklearn("m.joblib")"#,
        ),
        (Sklearn, &[("m.txt", LIGHTGBM)], r#"Lightgbm("m.txt")"#),
        (
            Sklearn,
            &[("a.pkl", PICKLE), ("b.pkl", PICKLE)],
            "Exactly one .joblib or .pkl file is allowed for scikit-learn models.",
        ),
        (
            Sklearn,
            &[("m.pkl", b"text")],
            "m.pkl is neither a pickled estimator nor a LightGBM model. Please make sure the \
             framework you selected, scikit-learn, is correct.",
        ),
    ];
    for (framework, files, expected) in table {
        let found = found(*framework, files);
        assert_eq!(found, *expected, "{framework}");
    }
}

#[test]
fn samples_and_labels_are_found() {
    let entries = [
        file("samples/b.npz", b""),
        file("samples/a.npz", b""),
        file("samples/readme", b""),
        file("labels.txt", b"cat\ndog\n"),
    ];
    let (_home, unpacked) = opened(&gzip(&tar(&entries)), &Limits::default());
    let unpacked = unpacked.unwrap();
    let found: Vec<PathBuf> = ["a", "b"]
        .map(|name| unpacked.root.join(format!("samples/{name}.npz")))
        .to_vec();
    assert_eq!(samples(&unpacked), found);
    let labels = class_labels(&unpacked, "./labels.txt").unwrap();
    assert_eq!(labels, unpacked.root.join("labels.txt"));
    assert_eq!(
        class_labels(&unpacked, "other.txt")
            .unwrap_err()
            .to_string(),
        "ClientError: InputConfiguration: The file 'other.txt' that class_labels names is not in \
         the archive"
    );
    assert!(class_labels(&unpacked, "../model.tar.gz").is_err());
}
