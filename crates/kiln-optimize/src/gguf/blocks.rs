//! Numbers as GGUF stores them: blocks of 32 with one scale, to the bit as the `gguf`
//! package makes them.

use std::ops::AddAssign;

use half::f16;

/// How many numbers share a scale.
pub(super) const BLOCK: usize = 32;

/// A type of GGUF's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    F32,
    F16,
    Q8_0,
    Q4_0,
}

impl Encoding {
    /// The number that it has in files.
    pub(super) fn code(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q8_0 => 8,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Q4_0 => "Q4_0",
            Self::Q8_0 => "Q8_0",
        }
    }

    /// The bytes of so many numbers, which are whole blocks.
    pub(super) fn bytes(self, count: u64) -> u64 {
        let blocks = count / BLOCK as u64;
        match self {
            Self::F32 => count * 4,
            Self::F16 => count * 2,
            Self::Q8_0 => blocks * (2 + 32),
            Self::Q4_0 => blocks * (2 + 16),
        }
    }
}

/// What was lost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Error {
    /// The sum of the squares.
    pub(super) signal: f64,
    /// The sum of the squared differences.
    pub(super) noise: f64,
}

impl AddAssign for Error {
    fn add_assign(&mut self, other: Self) {
        self.signal += other.signal;
        self.noise += other.noise;
    }
}

impl Error {
    fn add(&mut self, was: f32, is: f32) {
        let (was, is) = (f64::from(was), f64::from(is));
        self.signal += was * was;
        self.noise += (was - is) * (was - is);
    }
}

/// Appends the bytes of the numbers.
pub(super) fn encode(encoding: Encoding, values: &[f32], out: &mut Vec<u8>) -> Error {
    let mut error = Error::default();
    match encoding {
        Encoding::F32 => {
            for value in values {
                out.extend(value.to_le_bytes());
                error.add(*value, *value);
            }
        }
        Encoding::F16 => {
            for value in values {
                let stored = f16::from_f32(*value);
                out.extend(stored.to_le_bytes());
                error.add(*value, stored.to_f32());
            }
        }
        Encoding::Q8_0 => {
            let (blocks, _) = values.as_chunks();
            blocks.iter().for_each(|block| error += q8_0(block, out));
        }
        Encoding::Q4_0 => {
            let (blocks, _) = values.as_chunks();
            blocks.iter().for_each(|block| error += q4_0(block, out));
        }
    }
    error
}

/// One over the step, or nothing if the step is.
fn inverse(step: f32) -> f32 {
    match step == 0.0 {
        true => 0.0,
        false => 1.0 / step,
    }
}

/// Steps of the largest magnitude's 127th; ties away from zero.
fn q8_0(block: &[f32; BLOCK], out: &mut Vec<u8>) -> Error {
    let largest = block
        .iter()
        .fold(0_f32, |most, value| most.max(value.abs()));
    let step = largest / 127.0;
    let inverse = inverse(step);
    let stored = f16::from_f32(step);
    out.extend(stored.to_le_bytes());
    let mut error = Error::default();
    for value in block {
        // A step so small that it has no inverse is stored as nothing, as are its codes.
        let scaled = value * inverse;
        let code = if scaled.is_finite() {
            scaled.round() as i8
        } else {
            0
        };
        out.push(code.cast_unsigned());
        error.add(*value, stored.to_f32() * f32::from(code));
    }
    error
}

/// Steps of an eighth of the number of largest magnitude, which becomes -8 by the step's
/// sign; 16 codes, the second half of the block in the upper nibbles.
fn q4_0(block: &[f32; BLOCK], out: &mut Vec<u8>) -> Error {
    let mut extreme = block[0];
    for value in block {
        if value.abs() > extreme.abs() {
            extreme = *value;
        }
    }
    let step = extreme / -8.0;
    let inverse = inverse(step);
    let stored = f16::from_f32(step);
    out.extend(stored.to_le_bytes());
    let mut error = Error::default();
    let mut code = |value: f32| {
        let scaled = value * inverse + 8.5;
        let code = if scaled.is_finite() {
            (scaled as u8).min(15)
        } else {
            0
        };
        error.add(value, stored.to_f32() * (f32::from(code) - 8.0));
        code
    };
    let (low, high) = block.split_at(BLOCK / 2);
    for (low, high) in low.iter().zip(high) {
        let low = code(*low);
        out.push(low | code(*high) << 4);
    }
    error
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Blocks and what `gguf.quants.quantize` of the package gguf 0.19.0 makes of them.
    const RECORDED: &str = include_str!("blocks.txt");

    #[test]
    fn blocks_are_those_of_the_package() {
        for line in RECORDED.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let bytes = hex(fields[1]);
            let (singles, _) = bytes.as_chunks();
            let values: Vec<f32> = singles.iter().copied().map(f32::from_le_bytes).collect();
            let encoding = match fields[0] {
                "Q8_0" => Encoding::Q8_0,
                "Q4_0" => Encoding::Q4_0,
                _ => Encoding::F16,
            };
            let mut out = Vec::new();
            encode(encoding, &values, &mut out);
            assert_eq!(out, hex(fields[2]), "{line}");
            assert_eq!(out.len() as u64, encoding.bytes(values.len() as u64));
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits = text.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.map(byte).collect()
    }

    proptest! {
        #[test]
        fn errors_are_within_a_step(values in prop::collection::vec(-1e3_f32..1e3, 64)) {
            let largest = values.iter().fold(0_f32, |most, value| most.max(value.abs()));
            for (encoding, step) in [(Encoding::Q8_0, 1.01 / 127.0), (Encoding::Q4_0, 1.01 / 8.0)] {
                let error = encode(encoding, &values, &mut Vec::new());
                let most = 64.0 * f64::from(largest * step).powi(2);
                prop_assert!(error.noise <= most, "{encoding:?} {} {most}", error.noise);
            }
        }
    }
}
