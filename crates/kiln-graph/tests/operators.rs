//! ONNX's own test of each operator, with the answers that it states, and operators
//! in older versions, with those of ONNX Runtime: the types and sizes that are
//! derived, and the constants that are computed.

#![allow(clippy::unwrap_used)]

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kiln_graph::clean::{CleanError, Sizes, clean};
use kiln_graph::model::{Element, Model, Tensor, Type};
use kiln_graph::onnx;
use serde::Deserialize;

const OPERATORS: &[u8] = include_bytes!("data/operators.jsonl.gz");
const VERSIONS: &[u8] = include_bytes!("data/versions.jsonl.gz");

#[derive(Deserialize)]
struct Case {
    name: String,
    model: String,
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Output {
    r#type: String,
    dims: Vec<usize>,
    values: Option<Vec<f64>>,
}

fn cases(packed: &[u8]) -> Vec<Case> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed)
        .read_to_string(&mut text)
        .unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What a type is called in numpy.
fn numpy_name(element: Element) -> String {
    match element {
        Element::F32 => "float32".to_owned(),
        Element::F64 => "float64".to_owned(),
        other => other.to_string(),
    }
}

fn numbers(tensor: &Tensor) -> Option<Vec<f64>> {
    if let Some(integers) = tensor.integers() {
        return Some(integers.into_iter().map(|one| one as f64).collect());
    }
    match tensor.element() {
        Element::F32 => Some(tensor.values::<f32>()?.into_iter().map(f64::from).collect()),
        Element::F64 => tensor.values(),
        Element::F16 => Some(
            tensor
                .values::<half::f16>()?
                .into_iter()
                .map(f64::from)
                .collect(),
        ),
        Element::Bool => {
            let bits = tensor.values::<bool>()?;
            Some(
                bits.into_iter()
                    .map(|bit| f64::from(u8::from(bit)))
                    .collect(),
            )
        }
        _ => None,
    }
}

/// The constant that an output is, if it was computed.
fn constant<'a>(model: &'a Model, output: &str) -> Option<&'a Tensor> {
    let node = model
        .graph
        .nodes
        .iter()
        .find(|node| node.outputs == [output])?;
    let name = node.input(0).filter(|_| node.is("Identity"))?;
    model.graph.initializers.get(name)
}

fn assert_close(name: &str, found: &[f64], expected: &[f64], element: Element) {
    let close = match element {
        Element::F16 => 2e-3,
        // ONNX states what a grid takes with four digits only.
        _ if name.contains("gridsample") => 1e-4,
        _ => 1e-5,
    };
    assert_eq!(found.len(), expected.len(), "{name}");
    for (one, two) in found.iter().zip(expected) {
        assert!(
            (one - two).abs() <= close * two.abs().max(1.0),
            "{name}: {one} is not {two}"
        );
    }
}

#[derive(Default)]
struct Counts {
    outputs: usize,
    of_known_size: usize,
    constant: usize,
    computed: usize,
}

fn check(case: &Case, model: &Model, counts: &mut Counts) {
    let name = &case.name;
    for (value, output) in model.graph.outputs.iter().zip(&case.outputs) {
        let Some(Type::Tensor(found)) = &value.ty else {
            panic!("{name} has no type")
        };
        assert_eq!(numpy_name(found.element), output.r#type, "{name}");
        counts.outputs += 1;
        if let Some(dims) = &found.dims {
            assert_eq!(dims.len(), output.dims.len(), "{name}");
            let wrong = dims
                .iter()
                .zip(&output.dims)
                .find(|(found, size)| found.known().is_some_and(|found| found != **size));
            assert_eq!(wrong, None, "{name}: {found} is not {:?}", output.dims);
        }
        counts.of_known_size += usize::from(found.known().is_some());
        let Some(expected) = &output.values else {
            continue;
        };
        counts.constant += 1;
        if let Some(tensor) = constant(model, &value.name) {
            counts.computed += 1;
            if let Some(found) = numbers(tensor) {
                assert_close(name, &found, expected, tensor.element());
            }
        }
    }
}

#[test]
fn every_operator_gives_what_onnx_says() {
    let mut counts = Counts::default();
    let mut unknown = std::collections::BTreeSet::new();
    for case in cases(OPERATORS) {
        let bytes = STANDARD.decode(&case.model).unwrap();
        let model = onnx::read(bytes.into()).unwrap();
        match clean(model, &Sizes::new()) {
            Ok(model) => check(&case, &model, &mut counts),
            Err(CleanError::Operators { operators }) => unknown.extend(operators),
            // A loop of opset 8, which later versions do not have.
            Err(_) if case.name.starts_with("scan_sum") => {}
            Err(error) => panic!("{}: {error}", case.name),
        }
    }
    // What works on texts and pictures is no part of a network here.
    let unknown: Vec<String> = unknown.into_iter().collect();
    assert_eq!(
        unknown,
        ["ImageDecoder", "RegexFullMatch", "TfIdfVectorizer"]
    );
    println!(
        "{} outputs, {} of known size; {} of constants, {} computed",
        counts.outputs, counts.of_known_size, counts.constant, counts.computed
    );
    assert!(counts.of_known_size * 100 >= counts.outputs * 90);
    assert!(counts.computed * 100 >= counts.constant * 50);
}

#[test]
fn older_versions_mean_what_they_meant() {
    let mut counts = Counts::default();
    for case in cases(VERSIONS) {
        let bytes = STANDARD.decode(&case.model).unwrap();
        let model = clean(onnx::read(bytes.into()).unwrap(), &Sizes::new()).unwrap();
        assert_eq!(model.opset(), 17, "{}", case.name);
        check(&case, &model, &mut counts);
    }
    assert_eq!(counts.of_known_size, counts.outputs);
    assert!(counts.computed * 100 >= counts.constant * 50);
}

/// A real model, with a part of it overwritten.
fn damaged(whole: &[u8], at: u16, other: &[u8]) -> Vec<u8> {
    let mut damaged = whole.to_vec();
    let at = usize::from(at) % whole.len();
    let end = (at + other.len()).min(whole.len());
    damaged[at..end].copy_from_slice(&other[..end - at]);
    damaged
}

#[test]
fn damaged_models_are_refused_or_made_plain() {
    let models: Vec<Vec<u8>> = cases(OPERATORS)
        .iter()
        .map(|case| STANDARD.decode(&case.model).unwrap())
        .collect();
    bolero::check!()
        .with_iterations(20_000)
        .with_type::<(u16, u16, [u8; 3], u8)>()
        .for_each(|(which, at, other, length)| {
            let whole = &models[usize::from(*which) % models.len()];
            let bytes = damaged(whole, *at, &other[..usize::from(*length) % 4]);
            if let Ok(model) = onnx::read(bytes.into()) {
                let _ = clean(model, &Sizes::new());
            }
        });
}
