//! Weights that tests/optimization/make_numbers.py makes by the same formula, from a seed.

#![allow(clippy::unwrap_used)]

use kiln_optimize::Dtype;

/// The bytes of the weights of one kind.
pub fn weights(kind: &str, dtype: Dtype, seed: u64, count: usize) -> Vec<u8> {
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
