//! Models in `tests/data` are built for each target with zig, opened as clients
//! open them, here or under qemu, and their answers are the plain evaluator's.
//!
//! Without the tools, or without qemu and a target's C library, a test says so
//! and ends.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod tools;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kiln_compile::dlr::{Client, DlrError, Emulator, Runner, Tensor};
use kiln_compile::parts::{self, Kind, Toolchain};
use kiln_compile::target::{Arch, Os, Platform};
use kiln_compile::trees::{self, Ensemble, read_lightgbm, read_xgboost};
use serde_json::Value;

/// Several models a target, of each kind that the kernel treats differently.
const MODELS: [&str; 6] = [
    "xgboost-3.2.0/logistic.ubj",
    "xgboost-3.2.0/categories.ubj",
    "xgboost-3.2.0/vector-leaves.ubj",
    "xgboost-3.2.0/one-leaf.ubj",
    "lightgbm-4.6.0/multiclass.txt",
    "lightgbm-4.6.0/cross-entropy-lambda.txt",
];

fn platform(os: Os, arch: Arch) -> Platform {
    let (cpu, features) = (None, Vec::new());
    Platform {
        os,
        arch,
        cpu,
        features,
    }
}

/// A platform's parts in a folder, and the steps that making them took.
fn parts(toolchain: &Toolchain, platform: &Platform) -> (tempfile::TempDir, Vec<String>) {
    let home = tempfile::tempdir().unwrap();
    let steps = Mutex::new(Vec::new());
    let log = |step: &str| steps.lock().unwrap().push(step.to_owned());
    parts::make(toolchain, platform, Kind::Trees, home.path(), &log).unwrap();
    (home, steps.into_inner().unwrap())
}

fn data(name: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    data.join(name)
}

fn ensemble(name: &str) -> Ensemble {
    let bytes = std::fs::read(data(name)).unwrap();
    match Path::new(name).extension().unwrap().to_str() {
        Some("txt") => read_lightgbm(&bytes).unwrap(),
        _ => read_xgboost(&bytes).unwrap(),
    }
}

/// More rows than the kernel takes at once, a few of them walked one by one.
fn rows(name: &str) -> Vec<Vec<f32>> {
    let answers = std::fs::read(data(name).with_extension("answers.json")).unwrap();
    let answers: Value = serde_json::from_slice(&answers).unwrap();
    let value = |value: &Value| value.as_f64().map_or(f32::NAN, |value| value as f32);
    let row = |row: &Value| row.as_array().unwrap().iter().map(value).collect();
    let rows: Vec<Vec<f32>> = answers["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(row)
        .collect();
    rows.iter()
        .cycle()
        .take(256 + rows.len())
        .cloned()
        .collect()
}

fn input(rows: &[Vec<f32>]) -> Tensor {
    let shape = [rows.len() as i64, rows[0].len() as i64];
    Tensor::of_floats("data", &shape, &rows.concat())
}

fn agree(name: &str, ensemble: &Ensemble, rows: &[Vec<f32>], output: &Tensor) {
    let outputs = ensemble.outputs();
    assert_eq!(output.info.shape, [rows.len() as i64, outputs as i64]);
    let values = output.floats().unwrap();
    for (row, got) in rows.iter().zip(values.chunks(outputs)) {
        let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
        for (got, wanted) in got.iter().zip(ensemble.predict(&row)) {
            let differs = (f64::from(*got) - wanted).abs() / wanted.abs().max(1.0);
            assert!(differs <= 1e-6, "{name}: {got} for {wanted}");
        }
    }
}

/// Builds and runs some models for a target on this machine or its emulator.
fn runs(arch: Arch) {
    let Some(toolchain) = tools::toolchain() else {
        return;
    };
    let platform = platform(Os::Linux, arch);
    let emulator = Emulator::of(&platform);
    if emulator.is_none() && !platform.is_native() {
        eprintln!("skipped: qemu or the C library for {platform} is not installed");
        return;
    }
    let (parts, _) = parts(&toolchain, &platform);
    let runner = Runner {
        program: parts.path().join("runner"),
        emulator: emulator.filter(|_| !platform.is_native()),
        limit: Duration::from_secs(60),
    };
    for name in MODELS {
        let (ensemble, rows) = (ensemble(name), rows(name));
        let folder = tempfile::tempdir().unwrap();
        trees::build(
            &ensemble,
            &platform,
            parts.path(),
            &toolchain,
            folder.path(),
        )
        .unwrap();
        let ran = runner.run(folder.path(), &[input(&rows)], 3).unwrap();
        assert_eq!(ran.times.len(), 3);
        agree(name, &ensemble, &rows, &ran.outputs[0]);
    }
}

#[test]
fn built_for_x86_64() {
    runs(Arch::X86_64);
}

#[test]
fn built_for_x86() {
    runs(Arch::X86);
}

#[test]
fn built_for_arm64() {
    runs(Arch::Arm64);
}

#[test]
fn built_for_arm_eabihf() {
    runs(Arch::ArmEabihf);
}

#[test]
fn built_for_arm_eabi() {
    runs(Arch::ArmEabi);
}

#[test]
fn built_for_every_other_system() {
    let Some(toolchain) = tools::toolchain() else {
        return;
    };
    let systems = [
        (Os::Android, Arch::Arm64),
        (Os::Android, Arch::ArmEabi),
        (Os::Android, Arch::X86),
        (Os::Android, Arch::X86_64),
        (Os::Windows, Arch::X86),
        (Os::Windows, Arch::X86_64),
        (Os::Windows, Arch::Arm64),
    ];
    let ensemble = ensemble(MODELS[0]);
    for (os, arch) in systems {
        let platform = platform(os, arch);
        let (parts, steps) = parts(&toolchain, &platform);
        assert!(steps.contains(&"compile kernel.c".to_owned()));
        let folder = tempfile::tempdir().unwrap();
        let built = trees::build(
            &ensemble,
            &platform,
            parts.path(),
            &toolchain,
            folder.path(),
        );
        let built = built.unwrap();
        assert!(
            built.library.metadata().unwrap().len() > built.packed as u64,
            "{platform}"
        );
        // Neither caches nor sources are left.
        assert_eq!(
            std::fs::read_dir(parts.path()).unwrap().count(),
            2,
            "{platform}"
        );
    }
}

/// A model built for this machine, if that is possible.
fn native(name: &str) -> Option<(Ensemble, tempfile::TempDir)> {
    let toolchain = tools::toolchain()?;
    let arch = if cfg!(target_arch = "aarch64") {
        Arch::Arm64
    } else {
        Arch::X86_64
    };
    let platform = platform(Os::Linux, arch);
    let (parts, _) = parts(&toolchain, &platform);
    let folder = tempfile::tempdir().unwrap();
    let ensemble = ensemble(name);
    trees::build(
        &ensemble,
        &platform,
        parts.path(),
        &toolchain,
        folder.path(),
    )
    .unwrap();
    Some((ensemble, folder))
}

#[test]
fn a_client_sees_what_a_model_takes_and_gives() {
    let Some((ensemble, folder)) = native(MODELS[0]) else {
        return;
    };
    let rows = rows(MODELS[0]);
    let width = rows[0].len() as i64;
    let mut client = Client::open(folder.path()).unwrap();
    assert_eq!(client.backend().unwrap(), "treelite");
    assert_eq!(client.inputs().unwrap()[0].shape, [-1, width]);
    assert_eq!(client.outputs().unwrap()[0].shape, [-1, 1]);
    let outputs = client.predict(&[input(&rows)]).unwrap();
    agree(MODELS[0], &ensemble, &rows, &outputs[0]);
    // A row that is shorter lacks its last values.
    let mut short = rows[3].clone();
    short.pop();
    let shape = [1, width - 1];
    let outputs = client.predict(&[Tensor::of_floats("data", &shape, &short)]);
    short.push(f32::NAN);
    agree(MODELS[0], &ensemble, &[short], &outputs.unwrap()[0]);
}

#[test]
fn zeros_of_sparse_inputs_are_missing() {
    let Some((ensemble, folder)) = native(MODELS[0]) else {
        return;
    };
    let meta = r#"{"Model": {"SparseInput": 1}, "Requirements": {"TargetDeviceType": "cpu"}}"#;
    std::fs::write(folder.path().join("compiled.meta"), meta).unwrap();
    let mut rows = rows(MODELS[0]);
    for row in &mut rows {
        row[0] = 0.0;
    }
    let mut client = Client::open(folder.path()).unwrap();
    let outputs = client.predict(&[input(&rows)]).unwrap();
    for value in rows.iter_mut().flatten().filter(|value| **value == 0.0) {
        *value = f32::NAN;
    }
    agree(MODELS[0], &ensemble, &rows, &outputs[0]);
}

#[test]
fn what_a_client_does_wrong_is_said() {
    let Some((_, folder)) = native(MODELS[0]) else {
        return;
    };
    let mut client = Client::open(folder.path()).unwrap();
    let refused = |outcome: Result<(), DlrError>| outcome.unwrap_err().to_string();
    assert_eq!(
        refused(client.run()),
        "The model did not run: its input has not been set."
    );
    let wide = Tensor::of_floats("data", &[1, 99], &[0.0; 99]);
    let said = refused(client.set_input(&wide));
    assert!(said.contains("its rows have 99 values"), "{said}");
    let other = Tensor::of_floats("other", &[1, 1], &[0.0]);
    assert_eq!(
        refused(client.set_input(&other)),
        "The model has no input \"other\"."
    );
    let output = client.output(1).unwrap_err().to_string();
    assert_eq!(output, "The model has no output number 1.");

    drop(client); // what is loaded stays loaded while it is used
    std::fs::remove_file(folder.path().join("compiled.so")).unwrap();
    let said = Client::open(folder.path()).err().unwrap().to_string();
    assert!(said.contains("its compiled.so cannot be loaded"), "{said}");
    let gpu = r#"{"Requirements": {"TargetDeviceType": "gpu"}}"#;
    std::fs::write(folder.path().join("compiled.meta"), gpu).unwrap();
    let said = Client::open(folder.path()).err().unwrap().to_string();
    let wanted = "Compiled model requires device type \"gpu\" but user gave \"cpu\".";
    assert_eq!(said, wanted);
}

#[test]
fn an_open_model_is_used_by_one_thread_after_another() {
    let Some((ensemble, folder)) = native(MODELS[4]) else {
        return;
    };
    let rows = rows(MODELS[4]);
    let client = Arc::new(Mutex::new(Client::open(folder.path()).unwrap()));
    std::thread::scope(|scope| {
        for at in 0..4 {
            let (client, ensemble, rows) = (client.clone(), &ensemble, &rows[at..at + 60]);
            scope.spawn(move || {
                let outputs = client.lock().unwrap().predict(&[input(rows)]).unwrap();
                agree(MODELS[4], ensemble, rows, &outputs[0]);
            });
        }
    });
}

#[test]
fn dlr_itself_opens_a_model() {
    let Some(tools) = tools::environment() else {
        return;
    };
    let python = tools.join("bin/python");
    for name in MODELS {
        let Some((ensemble, folder)) = native(name) else {
            return;
        };
        let rows: Vec<Vec<f32>> = rows(name)
            .into_iter()
            .filter(|row| is_finite(row))
            .collect();
        let given = folder.path().join("rows.json");
        std::fs::write(&given, serde_json::to_vec(&rows).unwrap()).unwrap();
        let mut client = std::process::Command::new(&python);
        client.arg(data("client.py")).arg(folder.path()).arg(&given);
        let output = client.output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaint}");
        // The package logs its errors to the same place.
        let lines = String::from_utf8(output.stdout).unwrap();
        let said: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        for answers in ["answers", "single"] {
            let answers: Vec<Vec<f32>> = serde_json::from_value(said[answers].clone()).unwrap();
            let shape = [rows.len() as i64, ensemble.outputs() as i64];
            let output = Tensor::of_floats("output", &shape, &answers.concat());
            agree(name, &ensemble, &rows, &output);
        }
        assert_eq!(said["inputs"], serde_json::json!(["data"]));
        assert_eq!(said["outputs"], serde_json::json!(["output"]));
        assert_eq!(said["types"], serde_json::json!(["float32", "float32"]));
        assert_eq!(said["metadata"], false);
        assert_eq!(said["given_back"], true);
        let refusal = said["refusal"].as_str().unwrap();
        assert!(refusal.contains("its rows have 999 values"), "{refusal}");
    }
}

/// JSON has no word for the others.
fn is_finite(row: &[f32]) -> bool {
    row.iter().all(|value| value.is_finite())
}
