//! Codes, scales and zero points are those of llm-compressor, to the bit, and tensors those
//! of compressed-tensors: against digests of what they made of the same weights.

#![allow(clippy::unwrap_used)]

mod weights;

use std::collections::BTreeMap;

use blake2::Digest;
use blake2::digest::consts::U8;
use kiln_optimize::Dtype;
use kiln_optimize::quantize::{
    Granularity, Grid, Quantized, Rounding, Scheme, Slab, Stored, quantize,
};
use serde::Deserialize;

/// What was recorded.
#[derive(Deserialize)]
struct Recorded {
    cases: Vec<Case>,
}

/// One weight, and what became of it.
#[derive(Deserialize)]
struct Case {
    scheme: String,
    kind: String,
    dtype: Dtype,
    seed: u64,
    shape: [usize; 2],
    weights: String,
    codes: String,
    scales: String,
    zeros: Option<String>,
}

impl Case {
    fn name(&self) -> String {
        format!("{} of {} {:?}", self.scheme, self.kind, self.dtype)
    }

    fn scheme(&self) -> Scheme {
        let (grid, granularity) = scheme(&self.scheme);
        Scheme {
            grid,
            granularity,
            rounding: Rounding::Nearest,
            stored: Stored::default(),
        }
    }

    fn weights(&self) -> Vec<u8> {
        let [rows, columns] = self.shape;
        weights::weights(&self.kind, self.dtype, self.seed, rows * columns)
    }
}

fn recorded() -> Vec<Case> {
    let text = include_str!("data/numbers.json");
    serde_json::from_str::<Recorded>(text).unwrap().cases
}

fn scheme(name: &str) -> (Grid, Granularity) {
    let (kind, shared) = name.split_once('-').unwrap();
    let (shared, symmetric) = match shared.strip_suffix("-asymmetric") {
        Some(shared) => (shared, false),
        None => (shared, true),
    };
    let number = |prefix: &str| {
        shared
            .strip_prefix(prefix)
            .map(|rest| rest.parse().unwrap())
    };
    let granularity = match shared {
        "channel" => Granularity::Channel,
        "tensor" => Granularity::Tensor,
        _ => number("group")
            .map(Granularity::Group)
            .or_else(|| number("block").map(Granularity::Block))
            .unwrap(),
    };
    let grid = match kind {
        "fp8" => Grid::Fp8,
        bits => Grid::Int {
            bits: bits.strip_prefix("int").unwrap().parse().unwrap(),
            symmetric,
        },
    };
    (grid, granularity)
}

fn digest(bytes: impl IntoIterator<Item = u8>) -> String {
    let bytes: Vec<u8> = bytes.into_iter().collect();
    let digest = blake2::Blake2b::<U8>::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(codes: &[i8]) -> impl Iterator<Item = u8> {
    codes.iter().map(|&code| code as u8)
}

#[test]
fn codes_are_those_of_llm_compressor() {
    let mut different = BTreeMap::new();
    for case in recorded() {
        let bytes = case.weights();
        assert_eq!(
            digest(bytes.iter().copied()),
            case.weights,
            "{}",
            case.name()
        );
        let slab = Slab {
            dtype: case.dtype,
            columns: case.shape[1],
            bytes: &bytes,
        };
        let mut quantized = Quantized::default();
        quantize(&case.scheme(), slab, None, &mut quantized).unwrap();
        let scales = quantized
            .scales
            .iter()
            .flat_map(|scale| scale.to_le_bytes());
        let zeros = (!quantized.zeros.is_empty()).then(|| digest(bytes_of(&quantized.zeros)));
        let found = (digest(bytes_of(&quantized.codes)), digest(scales), zeros);
        if found != (case.codes.clone(), case.scales.clone(), case.zeros.clone()) {
            let equal = (
                found.0 == case.codes,
                found.1 == case.scales,
                found.2 == case.zeros,
            );
            different.insert(case.name(), equal);
        }
    }
    assert!(
        different.is_empty(),
        "(codes, scales, zeros) that agree: {different:#?}"
    );
}
