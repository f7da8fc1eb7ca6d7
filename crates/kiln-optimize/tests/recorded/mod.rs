//! What tests/optimization/make_numbers.py recorded, and the weights that it made by the same
//! formula from a seed.

#![allow(clippy::unwrap_used, dead_code)]

use std::collections::BTreeMap;

use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest};
use kiln_optimize::Dtype;
use kiln_optimize::layout::Layout;
use kiln_optimize::quantize::{
    Granularity, Grid, Quantized, Rounding, Scheme, Slab, Stored, quantize,
};
use serde::Deserialize;

/// What was recorded.
#[derive(Deserialize)]
pub struct Recorded {
    pub cases: Vec<Case>,
    pub transposed: Vec<Transposed>,
}

/// One weight, and what became of it.
#[derive(Deserialize)]
pub struct Case {
    scheme: String,
    kind: String,
    pub dtype: Dtype,
    seed: u64,
    pub shape: [usize; 2],
    pub weights: String,
    pub codes: String,
    pub scales: String,
    pub zeros: Option<String>,
    format: String,
    pub tensors: BTreeMap<String, Tensor>,
}

/// Codes that were made up, and what became of them.
#[derive(Deserialize)]
pub struct Transposed {
    layout: String,
    bits: u8,
    symmetric: bool,
    group: usize,
    seed: u64,
    pub shape: [usize; 2],
    pub tensors: BTreeMap<String, Tensor>,
}

/// A tensor that a weight became.
#[derive(Deserialize)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub digest: String,
}

impl Case {
    pub fn name(&self) -> String {
        format!("{} of {} {:?}", self.scheme, self.kind, self.dtype)
    }

    pub fn scheme(&self) -> Scheme {
        let (grid, granularity) = scheme(&self.scheme);
        Scheme {
            grid,
            granularity,
            rounding: Rounding::Nearest,
            stored: Stored::default(),
        }
    }

    pub fn layout(&self) -> Layout {
        match self.format.as_str() {
            "pack-quantized" => Layout::PackQuantized,
            "int-quantized" => Layout::IntQuantized,
            "float-quantized" => Layout::FloatQuantized,
            other => panic!("{other} is not known"),
        }
    }

    pub fn weights(&self) -> Vec<u8> {
        let [rows, columns] = self.shape;
        weights(&self.kind, self.dtype, self.seed, rows * columns)
    }

    pub fn is_of(&self, kinds: &[&str]) -> bool {
        kinds.contains(&self.kind.as_str())
    }

    /// What becomes of the weight.
    pub fn quantized(&self, rounding: Rounding) -> Quantized {
        let bytes = self.weights();
        let slab = Slab {
            dtype: self.dtype,
            columns: self.shape[1],
            bytes: &bytes,
        };
        let scheme = Scheme {
            rounding,
            ..self.scheme()
        };
        let mut quantized = Quantized::default();
        quantize(&scheme, slab, None, &mut quantized).unwrap();
        quantized
    }
}

impl Transposed {
    pub fn name(&self) -> String {
        format!(
            "{} {} {} {:?}",
            self.layout, self.bits, self.group, self.shape
        )
    }

    pub fn layout(&self) -> Layout {
        match self.layout.as_str() {
            "awq" => Layout::Awq,
            _ => Layout::Gptq,
        }
    }

    pub fn scheme(&self) -> Scheme {
        let grid = Grid::Int {
            bits: self.bits,
            symmetric: self.symmetric,
        };
        Scheme {
            grid,
            granularity: Granularity::Group(self.group),
            rounding: Rounding::Nearest,
            stored: self.layout().stored(grid),
        }
    }

    /// The codes that were made up.
    pub fn quantized(&self) -> Quantized {
        let [rows, columns] = self.shape;
        let half = 1i64 << (self.bits - 1);
        let codes = (1..=(rows * columns) as u64).map(|step| {
            let code = number(self.seed, step) % (1 << self.bits);
            (code as i64 - half) as i8
        });
        let groups = 1..=(rows * columns / self.group) as u64;
        let raw: Vec<u64> = groups.map(|step| number(self.seed + 1, step)).collect();
        let zero = |raw: &u64| ((raw >> 7) % ((1 << self.bits) - 1) + 1) as i64 - half;
        let scales = raw
            .iter()
            .map(|&raw| half::f16::from_f32(bell(raw)).to_f32());
        Quantized {
            codes: codes.collect(),
            scales: scales.collect(),
            zeros: match self.symmetric {
                true => Vec::new(),
                false => raw.iter().map(|raw| zero(raw) as i8).collect(),
            },
            ..Quantized::default()
        }
    }
}

pub fn recorded() -> Recorded {
    serde_json::from_str(include_str!("../data/numbers.json")).unwrap()
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

/// A digest as it was recorded.
pub fn digest(bytes: impl IntoIterator<Item = u8>) -> String {
    let bytes: Vec<u8> = bytes.into_iter().collect();
    hex::encode(Blake2b::<U8>::digest(&bytes))
}

/// The bytes of the weights of one kind.
fn weights(kind: &str, dtype: Dtype, seed: u64, count: usize) -> Vec<u8> {
    let raw = (1..=count as u64).map(|step| number(seed, step));
    if kind == "tiny" || kind == "any" {
        return raw.flat_map(|raw| from_bits(kind, dtype, raw)).collect();
    }
    let values = raw.enumerate().map(|(at, raw)| match kind {
        "outlier" if at == count / 3 => bell(raw) * 64.0,
        "mostly-zero" if !raw.is_multiple_of(97) => 0.0,
        "zero" => 0.0,
        "positive" => bell(raw).abs(),
        "negative" => -bell(raw).abs() - 0.125,
        "ties" => (raw % 31) as f32 * 0.5 - 7.5,
        _ => bell(raw),
    });
    values.flat_map(|value| bytes_of(dtype, value)).collect()
}

/// The bytes of one number.
fn bytes_of(dtype: Dtype, value: f32) -> Vec<u8> {
    match dtype {
        Dtype::Bf16 => half::bf16::from_f32(value).to_le_bytes().to_vec(),
        Dtype::F16 => half::f16::from_f32(value).to_le_bytes().to_vec(),
        _ => value.to_le_bytes().to_vec(),
    }
}

/// SplitMix64.
fn number(seed: u64, step: u64) -> u64 {
    let state = seed.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// Four uniform numbers of 16 bits, added.
fn bell(raw: u64) -> f32 {
    let sum: u64 = (0..4).map(|part| (raw >> (16 * part)) & 0xffff).sum();
    (sum as i64 - 131_070) as f32 * 2f32.powi(-20)
}

/// Numbers of any size, or only those near the smallest.
fn from_bits(kind: &str, dtype: Dtype, raw: u64) -> Vec<u8> {
    let (mantissa, exponent) = match dtype {
        Dtype::Bf16 => (7, 8),
        Dtype::F16 => (10, 5),
        _ => (23, 8),
    };
    let sizes = if kind == "tiny" {
        2
    } else {
        3 << (exponent - 2)
    };
    let low = raw & ((1 << mantissa) - 1);
    let bits = ((raw >> 63) << (mantissa + exponent)) | (((raw >> 32) % sizes) << mantissa) | low;
    bits.to_le_bytes()[..dtype.size()].to_vec()
}
