//! Every model in `tests/data` is packed and built with the machine's C
//! compiler into a shared library, whose answers are those of the plain
//! evaluator.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::ffi::{CString, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;

use kiln_compile::trees::{
    Arithmetic, Ensemble, KERNEL, KERNEL_FLAGS, Link, MODEL, Missing, Node, Parts, Split, Target,
    Test, Tree, pack, read_lightgbm, read_sklearn, read_xgboost,
};
use proptest::prelude::*;
use serde_json::Value;

type Size = unsafe extern "C" fn() -> usize;
type Predict = unsafe extern "C" fn(*const f32, usize, *mut f32, *mut c_void);

/// A folder with the kernel's object and the model's source.
fn kernel() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("trees.c"), KERNEL).unwrap();
    std::fs::write(at.join("model.S"), MODEL).unwrap();
    let strict = ["-c", "-Wall", "-Wextra", "-Werror", "trees.c"];
    cc(at, &[&KERNEL_FLAGS[..], &strict].concat());
    folder
}

/// The shared library of a model, in a folder of its own.
fn build(ensemble: &Ensemble, kernel: &Path, number: usize) -> PathBuf {
    let folder = kernel.join(number.to_string());
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("model.bin"), pack(ensemble).unwrap()).unwrap();
    let model = "-DKILN_MODEL=\"model.bin\"";
    let shared = ["-shared", "-nostdlib", "-Wl,-z,defs", model];
    let objects = ["-o", "compiled.so", "../trees.o", "../model.S"];
    cc(&folder, &[shared, objects].concat());
    folder.join("compiled.so")
}

fn cc(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("cc");
    let outcome = command
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success(), "{said}");
}

/// A symbol of a library that stays loaded.
fn symbol(library: &Path, name: &str) -> *mut c_void {
    let library = CString::new(library.to_str().unwrap()).unwrap();
    let name = CString::new(name).unwrap();
    // SAFETY: both are strings that end in a zero; the library has no
    // constructors.
    let symbol = unsafe {
        libc::dlsym(
            libc::dlopen(library.as_ptr(), libc::RTLD_NOW),
            name.as_ptr(),
        )
    };
    assert!(!symbol.is_null(), "{name:?}");
    symbol
}

/// What the kernel is lent is aligned so.
#[derive(Clone)]
#[repr(align(64))]
struct Line(#[allow(dead_code)] [u8; 64]);

fn predictions(library: &Path, rows: &[f32], count: usize, outputs: usize) -> Vec<f32> {
    let (scratch, predict) = ("kiln_trees_scratch", "kiln_trees_predict");
    // SAFETY: these are the types of the kernel's functions, and every buffer
    // is as long as the kernel asks for.
    unsafe {
        let scratch: Size = std::mem::transmute(symbol(library, scratch));
        let predict: Predict = std::mem::transmute(symbol(library, predict));
        let mut scratch = vec![Line([0; 64]); scratch().div_ceil(64)];
        let mut out = vec![f32::NAN; count * outputs];
        predict(
            rows.as_ptr(),
            count,
            out.as_mut_ptr(),
            scratch.as_mut_ptr().cast(),
        );
        out
    }
}

fn rows(model: &Path) -> Vec<Vec<f32>> {
    let answers = std::fs::read(model.with_extension("answers.json")).unwrap();
    let answers: Value = serde_json::from_slice(&answers).unwrap();
    let value = |value: &Value| value.as_f64().map_or(f32::NAN, |value| value as f32);
    let row = |row: &Value| row.as_array().unwrap().iter().map(value).collect();
    let rows: Vec<Vec<f32>> = answers["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(row)
        .collect();
    // As many as the kernel takes at once, and a few that it walks one by one.
    rows.iter()
        .cycle()
        .take(256 + rows.len())
        .cloned()
        .collect()
}

fn agrees(model: &Path, ensemble: &Ensemble, library: &Path) {
    let rows = rows(model);
    let outputs = ensemble.outputs();
    let got = predictions(library, &rows.concat(), rows.len(), outputs);
    for (row, got) in rows.iter().zip(got.chunks(outputs)) {
        let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
        for (got, wanted) in got.iter().zip(ensemble.predict(&row)) {
            let differs = (f64::from(*got) - wanted).abs() / wanted.abs().max(1.0);
            assert!(differs <= 1e-6, "{}: {got} for {wanted}", model.display());
        }
    }
}

#[test]
fn the_kernel_answers_as_the_evaluator_does() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let kernel = kernel();
    let mut built = 0;
    for folder in ["xgboost-3.2.0", "lightgbm-4.6.0", "scikit-learn-1.9.1"] {
        for file in std::fs::read_dir(data.join(folder)).unwrap() {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let ensemble = match path.extension().unwrap().to_str().unwrap() {
                "ubj" => read_xgboost(&bytes),
                "txt" => read_lightgbm(&bytes),
                "trees" => read_sklearn(&bytes),
                _ => continue,
            };
            // Some models are there to be refused.
            if let Ok(ensemble) = ensemble {
                let library = build(&ensemble, kernel.path(), built);
                agrees(&path, &ensemble, &library);
                built += 1;
            }
        }
    }
    assert!(built > 50, "{built}");
}

/// How many sums the ensembles of the links have.
const GROUPS: u32 = 3;
/// A feature each, which adds a power of two to one of the sums or takes it
/// away; so a row chooses its sums.
const POWERS: std::ops::Range<i32> = -12..5;

fn chooser(link: Link, arithmetic: Arithmetic) -> Ensemble {
    let powers = (0..GROUPS).flat_map(|group| POWERS.map(move |power| (group, power)));
    let stump = |(feature, (group, power)): (usize, (u32, i32))| Tree {
        nodes: vec![
            Node::Split(Split {
                feature: feature as u32,
                test: Test::Below(0.0),
                missing: Missing::Nan,
                missing_left: true,
                left: 1,
                right: 2,
            }),
            Node::Leaf(0),
            Node::Leaf(1),
        ],
        values: vec![-2.0_f64.powi(power), 2.0_f64.powi(power)],
        sets: Vec::new(),
        target: Target::Group(group),
    };
    let trees: Vec<Tree> = powers.enumerate().map(stump).collect();
    let parts = Parts {
        features: trees.len() as u32,
        feature_names: Vec::new(),
        base: vec![0.0, 0.25, -0.25],
        trees,
        divisor: 1.0,
        link,
        arithmetic,
    };
    Ensemble::new(parts).unwrap()
}

#[test]
fn every_link_is_the_evaluators() {
    let links = [
        Link::Identity,
        Link::Sigmoid { scale: 1.0 },
        Link::Sigmoid { scale: 1.7 },
        Link::Hinge,
        Link::Exp,
        Link::LogOnePlusExp,
        Link::SignedSquare,
        Link::Softmax,
        Link::Argmax,
        Link::Complement,
        Link::SigmoidOfBoth { scale: 2.0 },
        Link::Isolation { offset: -0.5 },
    ];
    let kernel = kernel();
    let both = [Arithmetic::Single, Arithmetic::Double];
    let kinds = links
        .iter()
        .flat_map(|link| both.map(|arithmetic| (*link, arithmetic)));
    for (number, (link, arithmetic)) in kinds.enumerate() {
        let ensemble = chooser(link, arithmetic);
        let library = build(&ensemble, kernel.path(), number);
        let outputs = ensemble.outputs();
        let width = ensemble.parts().features as usize;
        let row = prop::collection::vec(prop_oneof![Just(-1.0_f32), Just(1.0)], width);
        // A few rows are walked one by one, many in the sliced form.
        let rows = prop::collection::vec(row.clone(), 1..4);
        let rows = prop_oneof![rows, prop::collection::vec(row, 100)];
        proptest!(ProptestConfig::with_cases(8), |(rows in rows)| {
            let got = predictions(&library, &rows.concat(), rows.len(), outputs);
            for (row, got) in rows.iter().zip(got.chunks(outputs)) {
                let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
                for (got, wanted) in got.iter().zip(ensemble.predict(&row)) {
                    let differs = (f64::from(*got) - wanted).abs() / wanted.abs().max(1.0);
                    prop_assert!(differs <= 1e-6, "{link:?} {arithmetic:?}: {got} for {wanted}");
                }
            }
        });
    }
}
